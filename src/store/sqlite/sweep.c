#include "store/sqlite/sweep.h"

#include "base/mem.h"

#include <string.h>

void sweep_init(struct sweep *w, uint64_t swept_seq)
{
    *w = (struct sweep){.length = SWEEP_MOVEMENTS, .swept_seq = swept_seq};
}

void sweep_release(struct sweep *w)
{
    mem_free(w->order.of);
}

static void begin(struct sweep *w, const struct recent *r)
{
    struct recent_levels *order = &w->order;
    mem_grow((void **)&order->of, &order->cap, r->levels.len, sizeof(*order->of));
    if (r->levels.len > 0) {
        memcpy(order->of, r->levels.of, r->levels.len * sizeof(*order->of));
    }
    order->len = r->levels.len;
    recent_sort(order);
    w->at = 0;
    w->began_seq = r->seq;
    w->is_under_way = true;
}

struct sweep_share sweep_next(struct sweep *w, const struct recent *r, uint64_t seq_after)
{
    if (!w->is_under_way) {
        if (r->seq - w->swept_seq < w->length) {
            return (struct sweep_share){.to = w->at};
        }
        begin(w, r);
    }
    uint64_t moved = seq_after - w->began_seq;
    bool is_last = moved >= w->length;
    size_t to = is_last ? w->order.len : w->order.len * moved / w->length;
    return (struct sweep_share){.to = to, .is_last = is_last};
}

struct sweep_share sweep_rest(struct sweep *w, const struct recent *r)
{
    begin(w, r);
    return (struct sweep_share){.to = w->order.len, .is_last = true};
}

void sweep_done(struct sweep *w, struct sweep_share share)
{
    check(share.to >= w->at && share.to <= w->order.len);
    w->at = share.to;
    if (share.is_last) {
        w->swept_seq = w->began_seq;
        w->is_under_way = false;
        w->order.len = 0;
        w->at = 0;
    }
}
