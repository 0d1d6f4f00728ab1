/*
 * After the last order: every level as the server shows it, against the books.
 */
#include "app/demo/replay_work.h"

#include "app/demo/scan.h"

#include <inttypes.h>
#include <stdio.h>

#define DIFFERENCES_SHOWN 5

static bool check_next(struct replay *r, struct worker *w)
{
    if (r->next_slice == r->options.log->skus_len) {
        return false;
    }
    w->slice_at = r->next_slice++;
    worker_begin(w, STEP_CHECK, "GET");
    buf_put_literal(&w->path, "/v1/levels/");
    buf_put_str(&w->path, r->options.log->skus[w->slice_at].sku);
    worker_send(r, w);
    return true;
}

static bool check_is_over(const struct replay *r)
{
    return r->next_slice == r->options.log->skus_len;
}

const struct replay_phase check_phase = {check_next, check_is_over};

/* The quantities of a level, in the order of `names`; false when one is missing. */
enum { ON_HAND, RESERVED, COMMITTED, DAMAGED, QUALITY_CONTROL, SAFETY_STOCK, AVAILABLE, QUANTITIES };

static bool read_quantities(struct str level, int64_t out[QUANTITIES])
{
    static const char *const names[QUANTITIES] = {"on_hand",         "reserved",     "committed", "damaged",
                                                  "quality_control", "safety_stock", "available"};
    for (size_t i = 0; i < QUANTITIES; i++) {
        if (!scan_integer(level, names[i], &out[i])) {
            return false;
        }
    }
    return true;
}

static bool is_negative(const int64_t q[QUANTITIES])
{
    for (size_t i = 0; i < QUANTITIES; i++) {
        if (q[i] < 0) {
            return true;
        }
    }
    /* Computed here too: the server's own figure could have been cut at 0. */
    return q[ON_HAND] - q[RESERVED] - q[COMMITTED] - q[DAMAGED] - q[QUALITY_CONTROL] - q[SAFETY_STOCK] < 0;
}

static void show_difference(struct replay *r, size_t sku, uint32_t location, int64_t server, int64_t book)
{
    r->check->differences++;
    if (r->check->differences <= DIFFERENCES_SHOWN) {
        struct str name = r->options.log->skus[sku].sku;
        fprintf(
            stderr, "difference: %.*s at %s: the server has %" PRId64 ", the books say %" PRId64 "\n", STR_ARG(name),
            plan_locations[location].id, server, book);
    }
}

static bool read_level(struct replay *r, struct str level, int64_t on_hand[PLAN_LOCATIONS])
{
    uint32_t location;
    int64_t q[QUANTITIES];
    if (!plan_location_find(scan_text(level, "location"), &location) || !read_quantities(level, q)) {
        return false;
    }
    r->check->levels++;
    r->check->negative += is_negative(q);
    r->check->promised += q[RESERVED] != 0 || q[COMMITTED] != 0;
    on_hand[location] += q[ON_HAND];
    return true;
}

static void compare(struct replay *r, size_t sku, const int64_t on_hand[PLAN_LOCATIONS])
{
    const struct book_row *row = &r->options.book->rows[sku];
    int64_t total = 0;
    for (uint32_t at = 0; at < PLAN_LOCATIONS; at++) {
        total += on_hand[at];
        if (on_hand[at] != row->on_hand[at]) {
            show_difference(r, sku, at, on_hand[at], row->on_hand[at]);
        }
    }
    int64_t sold = row->opening + row->delivered + row->adjusted + row->returned - total;
    r->check->unbalanced += sold != row->sold;
    r->check->skus++;
}

void check_level_read(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    struct str rest = scan_member(answer->body, "levels");
    struct str level;
    int64_t on_hand[PLAN_LOCATIONS] = {0};
    bool read = answer->status == 200 && !str_is_absent(rest);
    while (read && scan_element(&rest, &level)) {
        read = read_level(r, level, on_hand);
    }
    if (read) {
        compare(r, w->slice_at, on_hand);
    } else {
        replay_error(r, w, answer, "levels could not be read");
    }
    worker_end(r, w);
}
