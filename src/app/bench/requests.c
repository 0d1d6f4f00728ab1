#include "app/bench/requests.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_BYTES_MAX 4096
#define BODY_BYTES (1024 * 1024)
#define ANY_2XX 2

/* mixed: of a hundred requests so many read, so many reserve; the rest adjust. */
#define MIXED_READS 95
#define MIXED_RESERVATIONS 4

void requests_init(struct requests *r, const struct bench_settings *settings)
{
    *r = (struct requests){.settings = settings, .run = random_seed()};
    random_init(&r->random, r->run);
    r->slots = mem_new_array(settings->connections, sizeof(r->slots[0]));
    for (uint64_t i = 0; i < settings->connections; i++) {
        buf_init(&r->slots[i].path, PATH_BYTES_MAX);
        buf_init(&r->slots[i].body, BODY_BYTES);
    }
}

void requests_release(struct requests *r)
{
    for (uint64_t i = 0; r->slots != NULL && i < r->settings->connections; i++) {
        buf_release(&r->slots[i].path);
        buf_release(&r->slots[i].body);
    }
    mem_free(r->slots);
    r->slots = NULL;
}

void bench_sku(uint64_t index, char out[BENCH_SKU_LEN])
{
    memcpy(out, "bench-0000000", BENCH_SKU_LEN);
    for (unsigned at = BENCH_SKU_LEN - 1; index > 0; index /= 10) {
        check(at > 5);
        out[at--] = (char)('0' + index % 10);
    }
}

static void put_sku(struct buf *b, uint64_t index)
{
    char sku[BENCH_SKU_LEN];
    bench_sku(index, sku);
    buf_put(b, sku, sizeof(sku));
}

uint64_t requests_pick(struct requests *r)
{
    return r->settings->hot ? 0 : random_below(&r->random, r->settings->skus);
}

static struct request_slot *begin(struct requests *r, unsigned connection, int wanted_status)
{
    struct request_slot *s = &r->slots[connection];
    buf_clear(&s->path);
    buf_clear(&s->body);
    s->operations = 1;
    s->wanted_status = wanted_status;
    r->made++;
    return s;
}

static void finish_write(struct requests *r, struct request_slot *s, struct str path, struct load_request *out)
{
    int key_len = snprintf(s->key, sizeof(s->key), "bench-%016" PRIx64 "-%" PRIu64, r->run, r->made);
    check(!s->body.overflowed);
    *out = (struct load_request){
        .method = "POST",
        .path = path,
        .key = {s->key, (size_t)key_len},
        .body = buf_str(&s->body),
    };
}

void request_read(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out)
{
    struct request_slot *s = begin(r, connection, 200);
    if (r->settings->path != NULL) {
        *out = (struct load_request){.method = "GET", .path = str_from(r->settings->path)};
        return;
    }
    buf_put_literal(&s->path, "/v1/availability/");
    put_sku(&s->path, sku);
    *out = (struct load_request){.method = "GET", .path = buf_str(&s->path)};
}

static void put_line(struct buf *b, uint64_t sku)
{
    buf_put_literal(b, "\"lines\":[{\"sku\":\"");
    put_sku(b, sku);
    buf_put_literal(b, "\",\"quantity\":1}]}");
}

void request_reserve(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out)
{
    struct request_slot *s = begin(r, connection, 201);
    buf_put_char(&s->body, '{');
    put_line(&s->body, sku);
    finish_write(r, s, STR("/v1/reservations"), out);
}

void request_batch(struct requests *r, unsigned connection, struct load_request *out)
{
    struct request_slot *s = begin(r, connection, 200);
    s->operations = r->settings->operations;
    buf_put_literal(&s->body, "{\"operations\":[");
    for (uint64_t i = 0; i < s->operations; i++) {
        buf_put_literal(&s->body, "{\"op\":\"reserve\",");
        put_line(&s->body, requests_pick(r));
        buf_put_char(&s->body, i + 1 < s->operations ? ',' : ']');
    }
    buf_put_char(&s->body, '}');
    finish_write(r, s, STR("/v1/batch"), out);
}

void request_adjust(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out)
{
    struct request_slot *s = begin(r, connection, 201);
    buf_put_literal(&s->body, "{\"lines\":[{\"sku\":\"");
    put_sku(&s->body, sku);
    buf_put_literal(
        &s->body, "\",\"location\":\"bench-0\",\"quantity\":\"on_hand\",\"delta\":1}],\"reason\":\"bench\"}");
    finish_write(r, s, STR("/v1/adjustments"), out);
}

void request_publish(struct requests *r, unsigned connection, const char *path, struct load_request *out)
{
    struct request_slot *s = begin(r, connection, ANY_2XX);
    /* As long as an availability. */
    buf_printf(
        &s->body,
        "{\"sku\":\"bench-0000000\",\"channel\":\"default\",\"status\":\"in_stock\",\"quantity\":1000000000,"
        "\"message\":\"In stock\",\"version\":%" PRIu64 ",\"seq\":1000000000,\"as_of\":\"2026-01-01T00:00:00.000Z\"}",
        1000000 + r->made);
    finish_write(r, s, str_from(path), out);
}

/* Each operation of a batch that was not carried out is one that failed. */
static bool all_reserved(struct str body, uint64_t wanted)
{
    static const char good[] = "\"status\":201";
    uint64_t found = 0;
    const char *at = body.ptr;
    const char *end = body.ptr + body.len;
    while (found < wanted && (at = memmem(at, (size_t)(end - at), good, sizeof(good) - 1)) != NULL) {
        at += sizeof(good) - 1;
        found++;
    }
    return found == wanted;
}

uint64_t requests_judge(const struct requests *r, unsigned connection, const struct load_answer *answer)
{
    const struct request_slot *s = &r->slots[connection];
    bool good = s->wanted_status == ANY_2XX ? answer->status / 100 == ANY_2XX : answer->status == s->wanted_status;
    if (good && s->operations > 1) {
        good = all_reserved(answer->body, s->operations);
    }
    return good ? s->operations : 0;
}

static void next_mixed(struct requests *r, unsigned connection, uint64_t sku, struct load_request *out)
{
    uint64_t kind = random_below(&r->random, 100);
    if (kind < MIXED_READS) {
        request_read(r, connection, sku, out);
    } else if (kind < MIXED_READS + MIXED_RESERVATIONS) {
        request_reserve(r, connection, sku, out);
    } else {
        request_adjust(r, connection, sku, out);
    }
}

bool requests_next_cb(void *ctx, unsigned connection, int64_t due_us, struct load_request *out)
{
    (void)due_us;
    struct requests *r = ctx;
    switch (r->settings->work) {
    case BENCH_READ:
        request_read(r, connection, requests_pick(r), out);
        return true;
    case BENCH_RESERVE:
        request_reserve(r, connection, requests_pick(r), out);
        return true;
    case BENCH_BATCH:
        request_batch(r, connection, out);
        return true;
    case BENCH_MIXED:
        next_mixed(r, connection, requests_pick(r), out);
        return true;
    case BENCH_STREAM:
    case BENCH_RECOVER:
    case BENCH_WORKS:
        break;
    }
    unreachable("these works do not send so");
}

uint64_t requests_done_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    return requests_judge(ctx, connection, answer);
}
