#include "load/histogram.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

/* 2^5 buckets to each power of two; the first 64 values have a bucket each. */
#define SUB_BITS 5
#define SUB_COUNT (1u << SUB_BITS)

void histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

static unsigned bucket_of(uint64_t us)
{
    if (us < 2 * SUB_COUNT) {
        return (unsigned)us;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
    uint64_t index = shift * SUB_COUNT + (us >> shift);
    return index < HISTOGRAM_BUCKETS ? (unsigned)index : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static int64_t bucket_top(unsigned index)
{
    if (index < 2 * SUB_COUNT) {
        return (int64_t)index;
    }
    unsigned shift = index / SUB_COUNT - 1;
    uint64_t base = index % SUB_COUNT + SUB_COUNT;
    return (int64_t)(((base + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t us)
{
    int64_t value = us < 0 ? 0 : us;
    h->bucket[bucket_of((uint64_t)value)]++;
    h->count++;
    if (value > h->max_us) {
        h->max_us = value;
    }
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        h->bucket[i] += other->bucket[i];
    }
    h->count += other->count;
    if (other->max_us > h->max_us) {
        h->max_us = other->max_us;
    }
}

int64_t histogram_percentile_us(const struct histogram *h, double percent)
{
    check(percent >= 0 && percent <= 100);
    uint64_t wanted = (uint64_t)ceil((double)h->count * percent / 100);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > 0 && seen >= wanted) {
            /* The last bucket has no top of its own, and no value lies above the greatest. */
            int64_t top = i == HISTOGRAM_BUCKETS - 1 ? h->max_us : bucket_top(i);
            return top < h->max_us ? top : h->max_us;
        }
    }
    return 0;
}
