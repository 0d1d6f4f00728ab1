/*
 * Latency histogram: counts by microseconds, in buckets that are at most 1/32 of their value wide.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram {
    uint64_t bucket[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max_us;
};

/* All zero. */
void histogram_init(struct histogram *h);
/* Negative values count as 0, values above 2^36 us (19 hours) go to the last bucket. */
void histogram_add(struct histogram *h, int64_t us);
void histogram_merge(struct histogram *h, const struct histogram *other);
/*
 * The smallest bound below which `percent` (0..100) of all values lie: never less than the true value and at most
 * 1/32 above it. 0 without values.
 */
int64_t histogram_percentile_us(const struct histogram *h, double percent);

#endif
