/*
 * An order: reserve all of its lines, commit, fulfill. Sold is what was fulfilled.
 */
#include "app/demo/replay_work.h"

#include "app/demo/scan.h"
#include "base/mem.h"

void order_start(struct replay *r, struct worker *w)
{
    worker_begin(w, STEP_RESERVE, "POST");
    buf_put_literal(&w->path, "/v1/reservations");
    buf_printf(&w->key, "demo-%u-reserve", w->event_index);
    buf_put_literal(&w->body, "{\"lines\":[");
    for (uint32_t i = 0; i < w->event->lines_len; i++) {
        const struct trade_line *line = &r->options.log->lines[w->event->lines_at + i];
        buf_put_literal(&w->body, "{\"sku\":\"");
        buf_put_str(&w->body, r->options.log->skus[line->sku].sku);
        buf_put_literal(&w->body, "\",\"quantity\":");
        buf_put_i64(&w->body, line->quantity);
        buf_put_literal(&w->body, "},");
    }
    w->body.len--; /* the last comma */
    buf_put_literal(&w->body, "],\"reference\":\"");
    buf_put_str(&w->body, w->event->invoice);
    buf_put_literal(&w->body, "\"}");
    worker_send(r, w);
}

/* A line of the answer becomes units at a location. */
static bool read_part(struct replay *r, struct str line, struct book_units *out)
{
    uint32_t sku;
    uint32_t location;
    int64_t quantity;
    if (!trade_find(r->options.log, scan_text(line, "sku"), &sku) ||
        !plan_location_find(scan_text(line, "location"), &location) || !scan_integer(line, "quantity", &quantity) ||
        quantity < 1 || quantity > TRADE_QUANTITY_MAX) {
        return false;
    }
    *out = (struct book_units){.sku = sku, .location = location, .quantity = (int32_t)quantity};
    return true;
}

static bool read_parts(struct replay *r, struct worker *w, struct str body)
{
    struct str rest = scan_member(body, "lines");
    struct str line;
    w->units_len = 0;
    while (scan_element(&rest, &line)) {
        mem_grow((void **)&w->units, &w->units_cap, w->units_len + 1, sizeof(w->units[0]));
        if (!read_part(r, line, &w->units[w->units_len++])) {
            return false;
        }
    }
    return true;
}

/* Does the server promise exactly what was asked for? */
static bool parts_equal_order(struct replay *r, const struct worker *w)
{
    const struct trade_line *lines = &r->options.log->lines[w->event->lines_at];
    for (uint32_t i = 0; i < w->event->lines_len; i++) {
        r->balance[lines[i].sku] += lines[i].quantity;
    }
    for (size_t i = 0; i < w->units_len; i++) {
        r->balance[w->units[i].sku] -= w->units[i].quantity;
    }
    bool equal = true;
    for (size_t i = 0; i < w->units_len; i++) {
        equal = equal && r->balance[w->units[i].sku] == 0;
        r->balance[w->units[i].sku] = 0;
    }
    for (uint32_t i = 0; i < w->event->lines_len; i++) {
        equal = equal && r->balance[lines[i].sku] == 0;
        r->balance[lines[i].sku] = 0;
    }
    return equal;
}

static void count_refusal(struct replay *r, struct str body)
{
    r->stats.refusals++;
    struct str rest = scan_member(body, "shortfalls");
    struct str shortfall;
    uint32_t sku;
    while (scan_element(&rest, &shortfall)) {
        if (trade_find(r->options.log, scan_text(shortfall, "sku"), &sku)) {
            r->options.book->rows[sku].refused++;
        }
    }
}

static bool state_is(const struct load_answer *answer, const char *state)
{
    return str_equal(scan_text(answer->body, "state"), str_from(state));
}

static void order_failed(struct replay *r, struct worker *w, const struct load_answer *answer, const char *what)
{
    replay_error(r, w, answer, what);
    worker_end(r, w);
}

void order_reserved(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer_is_refusal(answer, "insufficient_stock")) {
        count_refusal(r, answer->body);
        worker_end(r, w);
        return;
    }
    struct str id = scan_text(answer->body, "id");
    if (answer->status != 201 || id.len != RESERVATION_ID_LEN || !state_is(answer, "held")) {
        order_failed(r, w, answer, "reserve was not answered with a hold");
        return;
    }
    if (!read_parts(r, w, answer->body) || !parts_equal_order(r, w)) {
        order_failed(r, w, answer, "the hold is not what was asked for");
        return;
    }
    memcpy(w->id, id.ptr, RESERVATION_ID_LEN);
    worker_send_transition(r, w, STEP_COMMIT, "commit");
}

void order_committed(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer->status != 200 || !state_is(answer, "committed")) {
        order_failed(r, w, answer, "commit was not answered with a committed reservation");
        return;
    }
    worker_send_transition(r, w, STEP_FULFILL, "fulfill");
}

void order_fulfilled(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer_is_refusal(answer, "negative_quantity") || answer_is_refusal(answer, "insufficient_stock")) {
        /* An adjustment wrote the units off between the promise and the shelf. */
        worker_send_transition(r, w, STEP_CANCEL, "cancel");
        return;
    }
    if (answer->status != 200 || !state_is(answer, "fulfilled")) {
        order_failed(r, w, answer, "fulfill was not answered with a fulfilled reservation");
        return;
    }
    book_sell(r->options.book, w->id, w->event->customer, w->units, w->units_len);
    r->stats.orders++;
    r->stats.lines += w->event->lines_len;
    for (size_t i = 0; i < w->units_len; i++) {
        r->stats.units += (uint64_t)w->units[i].quantity;
    }
    worker_end(r, w);
}

void order_cancelled(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (answer->status != 200 || !state_is(answer, "cancelled")) {
        order_failed(r, w, answer, "cancel was not answered with a cancelled reservation");
        return;
    }
    r->stats.cancelled++;
    worker_end(r, w);
}
