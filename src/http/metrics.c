#include "http/counters.h"
#include "http/thread.h"

#include "base/mem.h"

void counters_init(struct thread_counters *c, size_t routes_len)
{
    c->routes = mem_new_array(routes_len + 1, sizeof(*c->routes));
}

void counters_release(struct thread_counters *c)
{
    mem_free(c->routes);
    c->routes = NULL;
}

void route_counters_status(struct route_counters *c, int status)
{
    check(status >= 100 && status < HTTP_CODES);
    counter_add(&c->by_status[status], 1);
}

void route_counters_latency(struct route_counters *c, int64_t us)
{
    check(us >= 0);
    int bucket = us > 1 ? 64 - __builtin_clzll((uint64_t)us - 1) : 0;
    if (bucket < HTTP_LATENCY_BUCKETS) {
        counter_add(&c->latency_us_bucket[bucket], 1);
    }
    counter_add(&c->latency_us_sum, (uint64_t)us);
    counter_add(&c->count, 1);
}

static void sum(uint64_t *to, counter *from)
{
    *to += atomic_load_explicit(from, memory_order_relaxed);
}

void http_metrics(const struct http_server *s, struct http_metrics *out)
{
    *out = (struct http_metrics){.connections = 0};
    for (unsigned i = 0; i < s->threads_len; i++) {
        struct thread_counters *c = &s->threads[i].counters;
        sum(&out->connections, &c->connections);
        for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
            sum(&out->requests[m], &c->requests[m]);
        }
    }
}

void http_route_metrics(const struct http_server *s, size_t route, struct route_metrics *out)
{
    check(route <= s->options.routes_len);
    *out = (struct route_metrics){.count = 0};
    for (unsigned i = 0; i < s->threads_len; i++) {
        struct route_counters *c = &s->threads[i].counters.routes[route];
        for (int status = 0; status < HTTP_CODES; status++) {
            sum(&out->by_status[status], &c->by_status[status]);
        }
        for (int bucket = 0; bucket < HTTP_LATENCY_BUCKETS; bucket++) {
            sum(&out->latency_us_bucket[bucket], &c->latency_us_bucket[bucket]);
        }
        sum(&out->latency_us_sum, &c->latency_us_sum);
        sum(&out->count, &c->count);
    }
}
