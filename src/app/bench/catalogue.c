#include "app/bench/catalogue.h"

#include "app/bench/drive.h"
#include "app/bench/requests.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

#define CONNECTIONS 8
#define OPERATIONS 500
#define BODY_BYTES (1024 * 1024)
#define ON_HAND 1000000000
#define SHOWN_MS_MAX 10000

/* Operation n of all: first the locations, then the items, then the levels item by item. */
struct catalogue {
    const struct bench_settings *settings;
    uint64_t to; /* end of this phase: a level needs what it is of */
    uint64_t next;
    uint64_t run;
    struct buf bodies[CONNECTIONS];
    char keys[CONNECTIONS][64];
    int64_t shown_until_ms; /* monotonic */
};

static void put_operation(const struct catalogue *c, struct buf *b, uint64_t n)
{
    const struct bench_settings *s = c->settings;
    char sku[BENCH_SKU_LEN];
    if (n < s->locations) {
        buf_printf(b, "{\"op\":\"define_location\",\"location\":\"bench-%" PRIu64 "\",\"name\":\"Bench\"}", n);
    } else if (n < s->locations + s->skus) {
        bench_sku(n - s->locations, sku);
        buf_printf(b, "{\"op\":\"define_item\",\"sku\":\"%.*s\",\"name\":\"Bench\"}", BENCH_SKU_LEN, sku);
    } else {
        uint64_t level = n - s->locations - s->skus;
        bench_sku(level / s->locations, sku);
        buf_printf(
            b,
            "{\"op\":\"set\",\"sku\":\"%.*s\",\"location\":\"bench-%" PRIu64
            "\",\"expected_version\":0,\"on_hand\":%d}",
            BENCH_SKU_LEN, sku, level % s->locations, ON_HAND);
    }
}

static bool next_cb(void *ctx, unsigned connection, int64_t due_us, struct load_request *out)
{
    (void)due_us;
    struct catalogue *c = ctx;
    struct buf *b = &c->bodies[connection];
    if (c->next == c->to) {
        return false;
    }
    uint64_t until = c->to - c->next < OPERATIONS ? c->to : c->next + OPERATIONS;
    int key_len = snprintf(c->keys[connection], sizeof(c->keys[0]), "bench-%016" PRIx64 "-c%" PRIu64, c->run, c->next);
    buf_clear(b);
    buf_put_literal(b, "{\"operations\":[");
    for (; c->next < until; c->next++) {
        put_operation(c, b, c->next);
        buf_put_char(b, ',');
    }
    b->len--; /* the last comma */
    buf_put_literal(b, "]}");
    check(!b->overflowed);
    *out = (struct load_request){
        .method = "POST",
        .path = STR("/v1/batch"),
        .key = {c->keys[connection], (size_t)key_len},
        .body = buf_str(b),
    };
    return true;
}

/* No result of the batch is anything but good, or that of a level that is there already. */
static uint64_t done_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    (void)ctx;
    (void)connection;
    static const char member[] = "\"status\":";
    const char *at = answer->body.ptr;
    const char *end = at + answer->body.len;
    bool good = answer->status == 200;
    while (good && (at = memmem(at, (size_t)(end - at), member, sizeof(member) - 1)) != NULL) {
        at += sizeof(member) - 1;
        good = end - at >= 3 && (at[0] == '2' || memcmp(at, "412", 3) == 0);
    }
    return good ? 1 : 0;
}

static enum err
make_phase(struct catalogue *c, uint64_t operations, uint16_t port, bool (*go_on)(void), struct err_note *note)
{
    c->to = c->next + operations;
    struct drive_work work = {.ctx = c, .next = next_cb, .done = done_cb, .fd = -1};
    struct drive_options options = {
        .host = c->settings->host,
        .port = port,
        .connections = CONNECTIONS,
        .measure_us = INT64_MAX,
        .work = &work,
        .go_on = go_on,
    };
    struct drive_result result;
    TRY(drive_run(&options, &result, note));
    if (result.errors > 0 || c->next != c->to) {
        return err_note_set(note, ERR_IO, "the catalogue cannot be made: %.180s", result.first_error);
    }
    return ERR_OK;
}

/* The last item of each batch, whose others were defined before it: one after the other until the view has it. */
static bool next_shown_cb(void *ctx, unsigned connection, int64_t due_us, struct load_request *out)
{
    (void)due_us;
    struct catalogue *c = ctx;
    char sku[BENCH_SKU_LEN];
    if (c->next >= c->to || clock_mono_ms() > c->shown_until_ms) {
        return false;
    }
    uint64_t last = c->next + OPERATIONS <= c->to ? c->next + OPERATIONS - 1 : c->to - 1;
    bench_sku(last, sku);
    char *path = c->keys[connection];
    int len = snprintf(path, sizeof(c->keys[0]), "/v1/availability/%.*s", BENCH_SKU_LEN, sku);
    *out = (struct load_request){.method = "GET", .path = {path, (size_t)len}};
    return true;
}

static uint64_t shown_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    (void)connection;
    struct catalogue *c = ctx;
    c->next += answer->status == 200 ? OPERATIONS : 0;
    return 1;
}

/* A node that follows the stream has them a moment later. */
static enum err await_shown(struct catalogue *c, uint16_t port, bool (*go_on)(void), struct err_note *note)
{
    c->next = 0;
    c->to = c->settings->skus;
    c->shown_until_ms = clock_mono_ms() + SHOWN_MS_MAX;
    struct drive_work work = {.ctx = c, .next = next_shown_cb, .done = shown_cb, .fd = -1};
    struct drive_options options = {
        .host = c->settings->host,
        .port = port,
        .connections = 1,
        .measure_us = INT64_MAX,
        .work = &work,
        .go_on = go_on};
    struct drive_result result;
    TRY(drive_run(&options, &result, note));
    return c->next >= c->to ? ERR_OK : err_note_set(note, ERR_IO, "not all items are shown after %d ms", SHOWN_MS_MAX);
}

static enum err make_all(struct catalogue *c, uint16_t port, bool (*go_on)(void), struct err_note *note)
{
    const struct bench_settings *s = c->settings;
    TRY(make_phase(c, s->locations, port, go_on, note));
    TRY(make_phase(c, s->skus, port, go_on, note));
    TRY(make_phase(c, s->skus * s->locations, port, go_on, note));
    bool reads = s->work == BENCH_READ || s->work == BENCH_STREAM || s->work == BENCH_MIXED;
    return reads ? await_shown(c, port, go_on, note) : ERR_OK;
}

enum err catalogue_make(const struct bench_settings *s, uint16_t port, bool (*go_on)(void), struct err_note *note)
{
    struct catalogue c = {.settings = s, .run = random_seed()};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        buf_init(&c.bodies[i], BODY_BYTES);
    }
    enum err e = make_all(&c, port, go_on, note);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        buf_release(&c.bodies[i]);
    }
    return e;
}
