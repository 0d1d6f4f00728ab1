/*
 * What an HTTP thread counts. Written by that thread alone, read by any: relaxed atomics, no locked instruction.
 */
#ifndef HTTP_COUNTERS_H
#define HTTP_COUNTERS_H

#include "http/http.h"

#include <stdatomic.h>

typedef _Atomic uint64_t counter;

struct route_counters {
    counter by_status[HTTP_CODES];
    counter latency_us_bucket[HTTP_LATENCY_BUCKETS];
    counter latency_us_sum;
    counter count;
};

struct thread_counters {
    counter connections;
    counter requests[HTTP_METHOD_COUNT];
    struct route_counters *routes; /* one more than there are routes: the last is for requests without one */
};

void counters_init(struct thread_counters *c, size_t routes_len);
void counters_release(struct thread_counters *c);

static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

void route_counters_status(struct route_counters *c, int status);
void route_counters_latency(struct route_counters *c, int64_t us);

#endif
