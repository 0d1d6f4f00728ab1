/* GET /metrics: Prometheus text format 0.0.4. The rows are in metrics.def. */
#include "api/service.h"
#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define METRICS_BYTES_MAX (4 * 1024 * 1024)

/* Whose a metric is. */
enum part {
    PART_PROCESS,
    PART_INVENTORY,
    PART_RELAY,
    PART_AVAILABILITY,
    PART_FOLLOWER,
    PART_CACHE,
    PART_FORWARDER,
    PART_COUNT
};

/* One look at everything. */
struct scrape {
    struct buf *out;
    const char *name; /* of the metric that is being written */
    struct api *api;
    struct http_server *server; /* NULL: none runs */
    struct inventory_metrics inventory;
    struct availability_metrics availability;
    struct push_metrics push;
    struct forwarder_metrics forwarder;
    bool has[PART_COUNT];
    struct route_metrics *route; /* room for one */
};

static void put_value(struct scrape *s, uint64_t value)
{
    buf_printf(s->out, "%s %" PRIu64 "\n", s->name, value);
}

/* `bounds`: the upper bound of bucket i is 2^i * unit. `labels` is empty or ends with a comma. */
static void put_histogram(
    struct scrape *s, const char *labels, const uint64_t *buckets, size_t len, uint64_t count, double sum, double unit)
{
    uint64_t below = 0;
    for (size_t i = 0; i < len; i++) {
        below += buckets[i];
        double bound = (double)(1ULL << i) * unit;
        buf_printf(s->out, "%s_bucket{%sle=\"%.9g\"} %" PRIu64 "\n", s->name, labels, bound, below);
    }
    /* The copies are taken while others count: the total is never below its part. */
    uint64_t total = count > below ? count : below;
    size_t labels_len = strlen(labels);
    int inner = labels_len == 0 ? 0 : (int)labels_len - 1;
    const char *open = labels_len == 0 ? "" : "{";
    const char *close = labels_len == 0 ? "" : "}";
    buf_printf(s->out, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", s->name, labels, total);
    buf_printf(s->out, "%s_sum%s%.*s%s %.9g\n", s->name, open, inner, labels, close, sum);
    buf_printf(s->out, "%s_count%s%.*s%s %" PRIu64 "\n", s->name, open, inner, labels, close, total);
}

/* Process. */

static void put_build_info(struct scrape *s)
{
    buf_printf(s->out, "%s{version=\"" ONHAND_VERSION "\"} 1\n", s->name);
}

/* The second number of /proc/self/statm; 0 when it cannot be read. */
static uint64_t resident_pages(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    char *got = fgets(line, sizeof(line), file);
    fclose(file);
    char *second = got == NULL ? NULL : strchr(line, ' ');
    return second == NULL ? 0 : strtoull(second, NULL, 10);
}

static void put_resident(struct scrape *s)
{
    put_value(s, resident_pages() * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void put_fds(struct scrape *s)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir != NULL) {
        for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
            count += e->d_name[0] != '.';
        }
        closedir(dir);
        count -= count > 0; /* the one that looks */
    }
    put_value(s, count);
}

static void put_start_time(struct scrape *s)
{
    buf_printf(s->out, "%s %" PRId64 ".%03d\n", s->name, s->api->started_ms / 1000, (int)(s->api->started_ms % 1000));
}

/* HTTP. */

static const char *method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {"GET", "PUT", "POST", "DELETE"};
    return names[method];
}

static void put_http_connections(struct scrape *s)
{
    struct http_metrics m = {0};
    if (s->server != NULL) {
        http_metrics(s->server, &m);
    }
    put_value(s, m.connections);
}

static void route_labels(size_t route, char *out, size_t out_size)
{
    if (route < OPERATION_COUNT) {
        const struct operation *op = &operations[route];
        snprintf(out, out_size, "route=\"%s\",method=\"%s\",", op->name, method_name(op->method));
    } else {
        snprintf(out, out_size, "route=\"none\",method=\"other\",");
    }
}

static void each_route(struct scrape *s, void (*fn)(struct scrape *s, const char *labels))
{
    for (size_t route = 0; s->server != NULL && route <= OPERATION_COUNT; route++) {
        char labels[128];
        route_labels(route, labels, sizeof(labels));
        http_route_metrics(s->server, route, s->route);
        fn(s, labels);
    }
}

static void put_route_requests(struct scrape *s, const char *labels)
{
    for (int code = 0; code < HTTP_CODES; code++) {
        if (s->route->by_status[code] > 0) {
            buf_printf(s->out, "%s{%scode=\"%d\"} %" PRIu64 "\n", s->name, labels, code, s->route->by_status[code]);
        }
    }
}

static void put_http_requests(struct scrape *s)
{
    each_route(s, put_route_requests);
}

static void put_route_duration(struct scrape *s, const char *labels)
{
    const struct route_metrics *r = s->route;
    if (r->count > 0) {
        put_histogram(
            s, labels, r->latency_us_bucket, ARRAY_LEN(r->latency_us_bucket), r->count, (double)r->latency_us_sum / 1e6,
            1e-6);
    }
}

static void put_http_durations(struct scrape *s)
{
    each_route(s, put_route_duration);
}

/* Inventory. */

static void put_commands(struct scrape *s)
{
    for (int kind = 1; kind < COMMAND_KIND_END; kind++) {
        for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            uint64_t count = s->inventory.outcomes[kind][outcome];
            if (count > 0) {
                struct str command = command_kind_name((enum command_kind)kind);
                struct str result = outcome_name((enum outcome)outcome);
                buf_printf(
                    s->out, "%s{command=\"%.*s\",result=\"%.*s\"} %" PRIu64 "\n", s->name, STR_ARG(command),
                    STR_ARG(result), count);
            }
        }
    }
}

/* The two that matter are there from the start, so that a rate can be taken. */
static void put_reservations(struct scrape *s)
{
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        uint64_t count = s->inventory.outcomes[COMMAND_RESERVE][outcome];
        if (count > 0 || outcome == OUTCOME_OK || outcome == OUTCOME_INSUFFICIENT_STOCK) {
            struct str result = outcome_name((enum outcome)outcome);
            buf_printf(s->out, "%s{result=\"%.*s\"} %" PRIu64 "\n", s->name, STR_ARG(result), count);
        }
    }
}

static void put_inventory_histogram(struct scrape *s, const struct inventory_histogram *h, double unit)
{
    put_histogram(s, "", h->bucket, INVENTORY_HISTOGRAM_BUCKETS, h->count, (double)h->sum * unit, unit);
}

static void put_batch_requests(struct scrape *s)
{
    put_inventory_histogram(s, &s->inventory.batch_requests, 1);
}

static void put_commit(struct scrape *s)
{
    put_inventory_histogram(s, &s->inventory.commit_us, 1e-6);
}

static void put_expiry_lag(struct scrape *s)
{
    put_inventory_histogram(s, &s->inventory.expiry_lag_ms, 1e-3);
}

static void put_open_reservations(struct scrape *s)
{
    buf_printf(s->out, "%s{state=\"held\"} %" PRIu64 "\n", s->name, s->inventory.ledger.held);
    buf_printf(s->out, "%s{state=\"committed\"} %" PRIu64 "\n", s->name, s->inventory.ledger.committed);
}

static void put_propagation(struct scrape *s)
{
    const struct push_metrics *p = &s->push;
    put_histogram(
        s, "", p->propagation_us_bucket, ARRAY_LEN(p->propagation_us_bucket), p->propagation_count,
        (double)p->propagation_us_sum / 1e6, 1e-6);
}

#define PLAIN(fn, expr)              \
    static void fn(struct scrape *s) \
    {                                \
        put_value(s, s->expr);       \
    }
PLAIN(put_overloads, inventory.overloads)
PLAIN(put_queue_depth, inventory.queue_depth)
PLAIN(put_keys, inventory.keys)
PLAIN(put_replays, inventory.replays)
PLAIN(put_seq, inventory.seq)
PLAIN(put_epoch, inventory.epoch)
PLAIN(put_items, inventory.ledger.items)
PLAIN(put_locations, inventory.ledger.locations)
PLAIN(put_levels, inventory.ledger.levels)
PLAIN(put_in_memory, inventory.ledger.in_memory)
PLAIN(put_view_skus, availability.skus)
PLAIN(put_view_seq, availability.seq)
PLAIN(put_view_messages, availability.messages)
PLAIN(put_view_renders, availability.renders)
PLAIN(put_streams, push.streams)
PLAIN(put_frames, push.frames)
PLAIN(put_stream_bytes, push.bytes)
PLAIN(put_cut, push.cut)
PLAIN(put_relay_seq, inventory.relay.seq)
PLAIN(put_relay_events, inventory.relay.events)
PLAIN(put_relay_failures, inventory.relay.failures)
PLAIN(put_doubts, availability.doubts)
PLAIN(put_gaps, availability.gaps)
PLAIN(put_fills, availability.fills)
PLAIN(put_fill_failures, availability.fill_failures)
PLAIN(put_cache_up, availability.cache_is_up)
PLAIN(put_cache_writes, availability.cache_writes)
PLAIN(put_cache_failures, availability.cache_failures)
PLAIN(put_cache_dirty, availability.cache_dirty)
PLAIN(put_cache_hits, availability.cache_hits)
PLAIN(put_cache_misses, availability.cache_misses)
PLAIN(put_forwarded, forwarder.forwarded)
PLAIN(put_forward_failures, forwarder.failed)
PLAIN(put_forwards, forwarder.in_flight)

static uint64_t more_than(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void put_relay_lag(struct scrape *s)
{
    put_value(s, more_than(s->inventory.relay.committed, s->inventory.relay.seq));
}

static void put_lag(struct scrape *s)
{
    put_value(s, more_than(s->availability.seq_known, s->availability.seq));
}

/* Negative: it never was. */
static void put_since(struct scrape *s, int64_t ms)
{
    buf_printf(s->out, "%s %.9g\n", s->name, ms < 0 ? -1 : (double)ms / 1000);
}

static void put_age(struct scrape *s)
{
    put_since(s, api_age_ms(s->api));
}

static void put_silence(struct scrape *s)
{
    put_since(s, s->availability.silence_ms);
}

static const struct {
    const char *name;
    const char *type;
    enum part part;
    const char *help;
    void (*put)(struct scrape *s);
} metrics[] = {
#define METRIC(name, type, part, help, put) {name, #type, PART_##part, help, put},
#include "api/metrics.def"
#undef METRIC
};

static void add_push(struct push_metrics *sum, const struct push_metrics *one)
{
    sum->streams += one->streams;
    sum->frames += one->frames;
    sum->bytes += one->bytes;
    sum->cut += one->cut;
    for (size_t i = 0; i < ARRAY_LEN(sum->propagation_us_bucket); i++) {
        sum->propagation_us_bucket[i] += one->propagation_us_bucket[i];
    }
    sum->propagation_us_sum += one->propagation_us_sum;
    sum->propagation_count += one->propagation_count;
}

static void scrape_take(struct scrape *s)
{
    s->server = atomic_load_explicit(&s->api->server, memory_order_acquire);
    s->has[PART_PROCESS] = true;
    if (api_inventory(s->api) != NULL) {
        inventory_metrics(api_inventory(s->api), &s->inventory);
        s->has[PART_INVENTORY] = true;
        s->has[PART_RELAY] = s->inventory.relays;
    }
    if (api_availability(s->api) != NULL) {
        availability_metrics(api_availability(s->api), &s->availability);
        s->has[PART_AVAILABILITY] = true;
        s->has[PART_FOLLOWER] = s->availability.follows;
        s->has[PART_CACHE] = s->availability.caches;
    }
    if (s->api->options.forwarder != NULL) {
        forwarder_metrics(s->api->options.forwarder, &s->forwarder);
        s->has[PART_FORWARDER] = true;
    }
    for (unsigned i = 0; i < s->api->options.threads; i++) {
        struct push_metrics one = {0};
        hub_metrics(s->api->threads[i].hub, &one);
        add_push(&s->push, &one);
    }
}

static void scrape_put(struct scrape *s)
{
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        if (!s->has[metrics[i].part]) {
            continue;
        }
        s->name = metrics[i].name;
        buf_printf(s->out, "# HELP %s %s\n# TYPE %s %s\n", s->name, metrics[i].help, s->name, metrics[i].type);
        metrics[i].put(s);
    }
}

void api_metrics(struct exchange *x, void *app)
{
    struct buf out;
    if (!api_no_arguments(x)) {
        return;
    }
    buf_init(&out, METRICS_BYTES_MAX);
    struct scrape *s = mem_new(sizeof(*s));
    s->out = &out;
    s->api = app;
    s->route = mem_new(sizeof(*s->route));
    scrape_take(s);
    scrape_put(s);
    check(!out.overflowed);
    exchange_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out), true);
    mem_free(s->route);
    mem_free(s);
    buf_release(&out);
}
