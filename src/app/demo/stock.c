/*
 * Stock that arrives, and adjustments of the log.
 */
#include "app/demo/replay_work.h"

#include "base/mem.h"

void receipt_start(struct replay *r, struct worker *w, size_t delivery, size_t lines_at, size_t lines_len)
{
    w->is_opening = delivery == 0;
    w->slice_at = lines_at;
    w->slice_len = lines_len;
    worker_begin(w, STEP_RECEIVE, "POST");
    buf_put_literal(&w->path, "/v1/receipts");
    buf_printf(&w->key, "demo-receipt-%zu", lines_at);
    buf_put_literal(&w->body, "{\"lines\":[");
    for (size_t i = lines_at; i < lines_at + lines_len; i++) {
        const struct plan_line *line = &r->options.plan->lines[i];
        buf_put_literal(&w->body, "{\"sku\":\"");
        buf_put_str(&w->body, r->options.log->skus[line->sku].sku);
        buf_printf(&w->body, "\",\"location\":\"%s\",\"quantity\":", plan_locations[line->location].id);
        buf_put_i64(&w->body, line->quantity);
        buf_put_literal(&w->body, "},");
    }
    w->body.len--; /* the last comma */
    buf_printf(&w->body, "],\"reference\":\"delivery-%zu\"}", delivery);
    r->open_receipts++;
    worker_send(r, w);
}

void receipt_received(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    const struct plan_line *lines = &r->options.plan->lines[w->slice_at];
    r->open_receipts--;
    if (answer->status != 201) {
        replay_error(r, w, answer, "a receipt was not answered with 201");
    } else {
        book_receive(r->options.book, lines, w->slice_len, w->is_opening);
        for (size_t i = 0; !w->is_opening && i < w->slice_len; i++) {
            r->stats.delivered_units += (uint64_t)lines[i].quantity;
        }
        r->stats.deliveries += !w->is_opening;
    }
    worker_end(r, w);
}

static void add_units(struct worker *w, uint32_t sku, uint32_t location, int64_t quantity)
{
    mem_grow((void **)&w->units, &w->units_cap, w->units_len + 1, sizeof(w->units[0]));
    w->units[w->units_len++] = (struct book_units){.sku = sku, .location = location, .quantity = (int32_t)quantity};
}

/*
 * Units found go to the fullest location. Units lost are taken from it first, then from the others; what the books do
 * not have is asked of the fullest one, and the server will refuse.
 */
static void spread_adjustment(struct replay *r, struct worker *w, const struct trade_line *line)
{
    const struct book_row *row = &r->options.book->rows[line->sku];
    uint32_t fullest = book_fullest_location(r->options.book, line->sku);
    if (line->quantity > 0) {
        add_units(w, line->sku, fullest, line->quantity);
        return;
    }
    int64_t lost = -(int64_t)line->quantity;
    int64_t first = lost < row->on_hand[fullest] ? lost : row->on_hand[fullest];
    int64_t rest = lost - first;
    for (uint32_t at = 0; at < PLAN_LOCATIONS; at++) {
        int64_t part = at == fullest ? 0 : rest < row->on_hand[at] ? rest : row->on_hand[at];
        if (part > 0) {
            add_units(w, line->sku, at, -part);
            rest -= part;
        }
    }
    add_units(w, line->sku, fullest, -(first + rest));
}

static void put_adjustment(struct replay *r, struct worker *w, struct str reason)
{
    buf_put_literal(&w->path, "/v1/adjustments");
    buf_put_literal(&w->body, "{\"lines\":[");
    for (size_t i = 0; i < w->units_len; i++) {
        const struct book_units *units = &w->units[i];
        buf_put_literal(&w->body, "{\"sku\":\"");
        buf_put_str(&w->body, r->options.log->skus[units->sku].sku);
        buf_printf(&w->body, "\",\"location\":\"%s\"", plan_locations[units->location].id);
        buf_printf(&w->body, ",\"quantity\":\"on_hand\",\"delta\":%d},", units->quantity);
    }
    w->body.len--; /* the last comma */
    buf_put_literal(&w->body, "],\"reason\":");
    buf_put_json(&w->body, reason);
    buf_put_literal(&w->body, ",\"reference\":\"");
    buf_put_str(&w->body, w->event->invoice);
    buf_put_literal(&w->body, "\"}");
}

void adjustment_start(struct replay *r, struct worker *w)
{
    check(w->event->lines_len == 1);
    spread_adjustment(r, w, &r->options.log->lines[w->event->lines_at]);
    worker_begin(w, STEP_ADJUST, "POST");
    buf_printf(&w->key, "demo-%u-adjust", w->event_index);
    put_adjustment(r, w, w->event->note.len > 0 ? w->event->note : STR("adjustment without a note in the log"));
    worker_send(r, w);
}

static void book_adjustments(struct replay *r, const struct worker *w)
{
    for (size_t i = 0; i < w->units_len; i++) {
        book_adjust(r->options.book, w->units[i].sku, w->units[i].location, w->units[i].quantity);
    }
}

void adjustment_made(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer->status == 201) {
        book_adjustments(r, w);
        r->stats.adjustments++;
    } else if (answer_is_refusal(answer, "negative_quantity")) {
        r->stats.adjustments_refused++;
    } else {
        replay_error(r, w, answer, "an adjustment was not answered with 201");
    }
    worker_end(r, w);
}

void unsold_start(struct replay *r, struct worker *w)
{
    w->units_len = 0;
    for (uint32_t i = 0; i < w->unsold_len; i++) {
        add_units(w, w->unsold[i].sku, 0, w->unsold[i].quantity);
    }
    worker_begin(w, STEP_ADJUST_UNSOLD, "POST");
    buf_printf(&w->key, "demo-%u-unsold", w->event_index);
    put_adjustment(r, w, STR("return without a sale in the log"));
    worker_send(r, w);
}

void unsold_made(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer->status == 201) {
        book_adjustments(r, w);
        r->stats.unsold_return_lines += w->units_len;
        for (size_t i = 0; i < w->units_len; i++) {
            r->stats.unsold_return_units += (uint64_t)w->units[i].quantity;
        }
    } else {
        replay_error(r, w, answer, "an adjustment was not answered with 201");
    }
    worker_end(r, w);
}
