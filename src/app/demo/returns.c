/*
 * A cancellation of the log: units go back to the reservations that they were sold with, one request for each. What
 * matches no sale is taken in as an adjustment.
 */
#include "app/demo/replay_work.h"

#include <stdlib.h>

static int compare_sale(const void *a, const void *b)
{
    const struct book_units *left = a;
    const struct book_units *right = b;
    return left->sale < right->sale ? -1 : left->sale > right->sale;
}

static void match_lines(struct replay *r, struct worker *w)
{
    w->unsold_len = 0;
    for (uint32_t i = 0; i < w->event->lines_len; i++) {
        const struct trade_line *line = &r->options.log->lines[w->event->lines_at + i];
        int32_t found = book_match_return(
            r->options.book, line->sku, w->event->customer, line->quantity, &w->units, &w->units_len, &w->units_cap);
        if (found < line->quantity) {
            w->unsold[w->unsold_len++] = (struct trade_line){line->sku, line->quantity - found};
        }
    }
    if (w->units_len > 0) {
        qsort(w->units, w->units_len, sizeof(w->units[0]), compare_sale);
    }
}

/* The units that go back to one reservation, as far as one request takes them. */
static size_t end_of_request(const struct worker *w)
{
    size_t to = w->units_from + 1;
    while (to < w->units_len && to - w->units_from < TRADE_LINES_MAX &&
           w->units[to].sale == w->units[w->units_from].sale) {
        to++;
    }
    return to;
}

static void send_return(struct replay *r, struct worker *w)
{
    w->units_to = end_of_request(w);
    worker_begin(w, STEP_RETURN, "POST");
    buf_put_literal(&w->path, "/v1/reservations/");
    buf_put(&w->path, r->options.book->sales[w->units[w->units_from].sale].id, RESERVATION_ID_LEN);
    buf_put_literal(&w->path, "/return");
    buf_printf(&w->key, "demo-%u-return-%zu", w->event_index, w->units_from);
    buf_put_literal(&w->body, "{\"lines\":[");
    for (size_t i = w->units_from; i < w->units_to; i++) {
        buf_put_literal(&w->body, "{\"sku\":\"");
        buf_put_str(&w->body, r->options.log->skus[w->units[i].sku].sku);
        buf_printf(&w->body, "\",\"location\":\"%s\"", plan_locations[w->units[i].location].id);
        buf_printf(&w->body, ",\"quantity\":%d},", w->units[i].quantity);
    }
    w->body.len--; /* the last comma */
    buf_put_literal(&w->body, "]}");
    worker_send(r, w);
}

static void go_on(struct replay *r, struct worker *w)
{
    if (w->units_from < w->units_len) {
        send_return(r, w);
    } else if (w->unsold_len > 0) {
        unsold_start(r, w);
    } else {
        worker_end(r, w);
    }
}

void return_start(struct replay *r, struct worker *w)
{
    match_lines(r, w);
    w->units_from = 0;
    go_on(r, w);
}

void return_taken(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    size_t len = w->units_to - w->units_from;
    if (answer->status == 200) {
        book_return(r->options.book, &w->units[w->units_from], len);
        r->stats.return_lines += len;
        for (size_t i = w->units_from; i < w->units_to; i++) {
            r->stats.return_units += (uint64_t)w->units[i].quantity;
        }
    } else {
        replay_error(r, w, answer, "a return was not answered with 200");
    }
    w->units_from = w->units_to;
    go_on(r, w);
}
