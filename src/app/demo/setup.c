/*
 * Before the first order: locations and items in batches, then the opening stock.
 */
#include "app/demo/replay_work.h"

#include "app/demo/scan.h"

/* Operations of a batch; the locations are the first ones. */
#define BATCH_LEN 500

static size_t operations_len(const struct replay *r)
{
    return PLAN_LOCATIONS + r->options.log->skus_len;
}

static void put_operation(struct replay *r, struct buf *b, size_t at)
{
    if (at < PLAN_LOCATIONS) {
        const struct plan_location *location = &plan_locations[at];
        buf_printf(b, "{\"op\":\"define_location\",\"location\":\"%s\",\"name\":\"%s\"", location->id, location->name);
        buf_printf(b, ",\"priority\":%u},", location->priority);
        return;
    }
    const struct trade_sku *sku = &r->options.log->skus[at - PLAN_LOCATIONS];
    buf_put_literal(b, "{\"op\":\"define_item\",\"sku\":\"");
    buf_put_str(b, sku->sku);
    buf_put_literal(b, "\",\"name\":");
    buf_put_json(b, sku->name);
    /* The shelf page shows the most wanted first. */
    buf_put_literal(b, ",\"attributes\":{\"demand\":");
    buf_put_i64(b, sku->orders);
    buf_put_literal(b, "}},");
}

static bool define_next(struct replay *r, struct worker *w)
{
    size_t left = operations_len(r) - r->next_slice;
    if (left == 0) {
        return false;
    }
    w->slice_at = r->next_slice;
    w->slice_len = left < BATCH_LEN ? left : BATCH_LEN;
    r->next_slice += w->slice_len;
    worker_begin(w, STEP_DEFINE, "POST");
    buf_put_literal(&w->path, "/v1/batch");
    buf_printf(&w->key, "demo-define-%zu", w->slice_at);
    buf_put_literal(&w->body, "{\"operations\":[");
    for (size_t i = 0; i < w->slice_len; i++) {
        put_operation(r, &w->body, w->slice_at + i);
    }
    w->body.len--; /* the last comma */
    buf_put_literal(&w->body, "]}");
    worker_send(r, w);
    return true;
}

static bool define_is_over(const struct replay *r)
{
    return r->next_slice == operations_len(r);
}

const struct replay_phase define_phase = {define_next, define_is_over};

void define_done(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    struct str rest = scan_member(answer->body, "results");
    struct str result;
    size_t good = 0;
    int64_t status;
    while (answer->status == 200 && scan_element(&rest, &result)) {
        good += scan_integer(result, "status", &status) && (status == 200 || status == 201);
    }
    if (good != w->slice_len) {
        replay_error(r, w, answer, "not every operation of a batch succeeded");
    }
    worker_end(r, w);
}

static bool opening_next(struct replay *r, struct worker *w)
{
    size_t left = r->options.plan->deliveries[0].lines_len - r->next_slice;
    if (left == 0) {
        return false;
    }
    size_t len = left < TRADE_LINES_MAX ? left : TRADE_LINES_MAX;
    receipt_start(r, w, 0, r->next_slice, len);
    r->next_slice += len;
    return true;
}

static bool opening_is_over(const struct replay *r)
{
    return r->next_slice == r->options.plan->deliveries[0].lines_len;
}

const struct replay_phase opening_phase = {opening_next, opening_is_over};
