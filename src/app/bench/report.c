#include "app/bench/report.h"

#include <inttypes.h>

#define NUMBER_TEXT_MAX 32

/* With a comma after each three digits. */
static const char *number(uint64_t n, char out[NUMBER_TEXT_MAX])
{
    char *at = out + NUMBER_TEXT_MAX - 1;
    *at = '\0';
    for (unsigned digits = 0; n > 0 || digits == 0; n /= 10, digits++) {
        if (digits > 0 && digits % 3 == 0) {
            *--at = ',';
        }
        *--at = (char)('0' + n % 10);
    }
    return at;
}

static double per_second(uint64_t count, int64_t elapsed_us)
{
    return elapsed_us <= 0 ? 0 : (double)count * 1e6 / (double)elapsed_us;
}

static void print_row(FILE *out, const char *name, uint64_t n, const char *unit)
{
    char text[NUMBER_TEXT_MAX];
    fprintf(out, "%-14s %s%s\n", name, number(n, text), unit);
}

static void print_latency(FILE *out, const char *name, const struct histogram *h)
{
    if (h->count == 0) {
        return;
    }
    fprintf(
        out, "%-14s p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f\n", name,
        (double)histogram_percentile_us(h, 50) / 1000, (double)histogram_percentile_us(h, 90) / 1000,
        (double)histogram_percentile_us(h, 99) / 1000, (double)histogram_percentile_us(h, 99.9) / 1000,
        (double)h->max_us / 1000);
}

static void print_work(const struct bench_settings *s, FILE *out)
{
    char text[NUMBER_TEXT_MAX];
    fprintf(out, "%-14s %s", "work", bench_work_names[s->work]);
    if (s->work != BENCH_RECOVER) {
        fprintf(out, ", %" PRIu64 " connections, ", s->connections);
        fprintf(out, s->rate == 0 ? "closed loop" : "%" PRIu64 " requests/s at fixed times", s->rate);
    }
    if (s->work == BENCH_BATCH) {
        fprintf(out, ", %" PRIu64 " reservations each", s->operations);
    }
    if (settings_are_raw(s)) {
        fprintf(out, ", paths of any server\n");
    } else {
        fprintf(out, ", %s items%s", number(s->skus, text), s->hot ? " but all on one" : "");
        fprintf(out, ", %" PRIu64 " location%s\n", s->locations, s->locations == 1 ? "" : "s");
    }
}

static void print_streams(const struct watchers_result *w, int64_t elapsed_us, FILE *out)
{
    print_row(out, "streams", w->streams, "");
    print_row(out, "frames", w->frames, "");
    print_row(out, "frames/s", (uint64_t)per_second(w->frames, elapsed_us), "");
    print_latency(out, "until pushed", &w->push);
    print_latency(out, "until the last", &w->last);
}

static void print_requests(const struct drive_result *d, FILE *out)
{
    print_row(out, "operations", d->operations, "");
    print_row(out, "per second", (uint64_t)per_second(d->operations, d->elapsed_us), "");
    print_latency(out, "latency", &d->latency);
    print_row(out, "errors", d->errors, "");
    if (d->first_error[0] != '\0') {
        fprintf(out, "%-14s %s\n", "first error", d->first_error);
    }
    if (d->unsent > 0) {
        print_row(out, "never sent", d->unsent, ": the rate was not reached, latencies are of the others");
    }
}

void report_print(const struct bench_settings *s, const struct bench_result *r, FILE *out)
{
    print_work(s, out);
    if (s->work == BENCH_RECOVER) {
        print_row(out, "levels", r->recover.levels, "");
        print_row(out, "ready after", (uint64_t)r->recover.ready_ms, " ms");
        print_row(out, "resident", r->recover.resident_bytes / 1000000, " MB");
        return;
    }
    print_requests(&r->drive, out);
    if (r->streams.streams > 0) {
        print_streams(&r->streams, r->drive.elapsed_us, out);
    }
}

static void put_member(struct buf *b, const char *name, uint64_t value)
{
    buf_printf(b, ",\"%s\":%" PRIu64, name, value);
}

static void put_text_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":", name);
    buf_put_json(b, str_from(value));
}

static void put_latency(struct buf *b, const char *name, const struct histogram *h)
{
    if (h->count == 0) {
        return;
    }
    buf_printf(
        b, ",\"%s\":{\"count\":%" PRIu64 ",\"p50\":%" PRId64 ",\"p90\":%" PRId64 ",\"p99\":%" PRId64, name, h->count,
        histogram_percentile_us(h, 50), histogram_percentile_us(h, 90), histogram_percentile_us(h, 99));
    buf_printf(b, ",\"p99_9\":%" PRId64 ",\"max\":%" PRId64 "}", histogram_percentile_us(h, 99.9), h->max_us);
}

static void put_settings(struct buf *b, const struct bench_settings *s)
{
    buf_printf(b, ",\"options\":{\"connections\":%" PRIu64, s->connections);
    put_member(b, "seconds", s->seconds);
    put_member(b, "warmup", s->warmup_s);
    put_member(b, "rate", s->rate);
    put_member(b, "skus", s->skus);
    put_member(b, "locations", s->locations);
    buf_printf(b, ",\"hot\":%s", s->hot ? "true" : "false");
    put_member(b, "operations", s->operations);
    put_member(b, "streams", s->streams);
    put_member(b, "follow", s->follow);
    buf_put_char(b, '}');
}

static void put_requests(struct buf *b, const struct drive_result *d)
{
    buf_printf(b, ",\"seconds\":%.3f", (double)d->elapsed_us / 1e6);
    put_member(b, "requests", d->requests);
    put_member(b, "operations", d->operations);
    put_member(b, "errors", d->errors);
    put_member(b, "unsent", d->unsent);
    buf_printf(b, ",\"per_second\":%.1f", per_second(d->operations, d->elapsed_us));
    put_latency(b, "latency_us", &d->latency);
    if (d->first_error[0] != '\0') {
        /* What a server said may have been cut inside a character. */
        struct str text = str_from(d->first_error);
        text.len = str_utf8_cut(text, text.len);
        put_text_member(b, "first_error", str_is_utf8(text) ? d->first_error : "not text");
    }
}

static void put_streams(struct buf *b, const struct watchers_result *w, int64_t elapsed_us)
{
    buf_printf(b, ",\"stream\":{\"streams\":%" PRIu64, w->streams);
    put_member(b, "frames", w->frames);
    buf_printf(b, ",\"frames_per_second\":%.1f", per_second(w->frames, elapsed_us));
    put_latency(b, "push_us", &w->push);
    put_latency(b, "last_us", &w->last);
    buf_put_char(b, '}');
}

void report_json(const struct bench_settings *s, const struct bench_result *r, struct buf *out)
{
    buf_printf(out, "{\"work\":\"%s\"", bench_work_names[s->work]);
    put_text_member(out, "version", ONHAND_VERSION);
    put_text_member(out, "host", s->host);
    put_member(out, "port", r->port);
    put_settings(out, s);
    if (s->work == BENCH_RECOVER) {
        buf_printf(out, ",\"recover\":{\"levels\":%" PRIu64, r->recover.levels);
        buf_printf(out, ",\"ready_ms\":%" PRId64, r->recover.ready_ms);
        put_member(out, "resident_bytes", r->recover.resident_bytes);
        buf_put_char(out, '}');
    } else {
        put_requests(out, &r->drive);
    }
    if (r->streams.streams > 0) {
        put_streams(out, &r->streams, r->drive.elapsed_us);
    }
    buf_put_literal(out, "}\n");
}
