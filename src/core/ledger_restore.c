/* Rebuilding the ledger from rows, and showing it as rows. */
#include "core/ledger_state.h"

void ledger_restore_item(struct ledger *l, uint32_t item, struct str sku, int64_t defined_ms)
{
    check(ledger_item(l, sku) == 0);
    uint32_t made = ledger_item_add(l, sku, defined_ms);
    check(made == item);
}

void ledger_restore_location(struct ledger *l, uint32_t location, struct str id, uint32_t priority)
{
    check(ledger_location(l, id) == 0);
    uint32_t made = ledger_location_add(l, id, priority);
    check(made == location);
}

void ledger_restore_level(struct ledger *l, const struct level_row *row)
{
    check(row->version > 0 && row->seq > 0);
    struct level *level = ledger_level_add(l, row->item, row->location);
    level->q = row->quantities;
    level->version = row->version;
    level->seq = row->seq;
    level->time_ms = row->time_ms;
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        check(level->q.of[q] >= 0 && level->q.of[q] <= QUANTITY_MAX);
    }
}

void ledger_restore_reservation(struct ledger *l, const struct reservation *r)
{
    struct kept *k = kept_add(l, r->id, r->reference, r->lines_len);
    k->r.seq = r->seq;
    k->r.state = r->state;
    k->r.created_ms = r->created_ms;
    k->r.expires_ms = r->expires_ms;
    k->r.updated_ms = r->updated_ms;
    for (uint32_t i = 0; i < r->lines_len; i++) {
        struct reservation_line *line = &k->r.lines[i];
        *line = r->lines[i];
        check(line->item > 0 && line->item < l->items_len);
        check(line->location > 0 && line->location < l->locations_len);
        line->sku = l->items[line->item].sku;
        line->location_id = l->locations[line->location].id;
    }
    if (r->state == RESERVATION_HELD) {
        kept_hold_add(l, k);
    } else if (r->state == RESERVATION_COMMITTED) {
        l->committed_len++;
    } else {
        k->recalled_next = l->recalled;
        l->recalled = k;
    }
}

void ledger_restore_seq(struct ledger *l, uint64_t seq)
{
    l->seq = seq;
}

void ledger_each_item(
    const struct ledger *l, void (*fn)(void *ctx, uint32_t item, struct str sku, int64_t defined_ms), void *ctx)
{
    for (uint32_t i = 1; i < l->items_len; i++) {
        fn(ctx, i, l->items[i].sku, l->items[i].defined_ms);
    }
}

static struct level_row level_as_row(const struct ledger *l, const struct level *level)
{
    return (struct level_row){
        .item = level->item,
        .location = level->location,
        .sku = l->items[level->item].sku,
        .location_id = l->locations[level->location].id,
        .quantities = level->q,
        .version = level->version,
        .seq = level->seq,
        .time_ms = level->time_ms,
    };
}

static void
each_level_of(const struct ledger *l, uint32_t item, void (*fn)(void *ctx, const struct level_row *row), void *ctx)
{
    for (uint32_t n = 0; n < l->items[item].levels_len; n++) {
        struct level_row row = level_as_row(l, l->items[item].levels[n]);
        fn(ctx, &row);
    }
}

void ledger_each_level(const struct ledger *l, void (*fn)(void *ctx, const struct level_row *row), void *ctx)
{
    for (uint32_t i = 1; i < l->items_len; i++) {
        each_level_of(l, i, fn, ctx);
    }
}

void ledger_each(
    const struct ledger *l,
    void (*item)(void *ctx, uint32_t item, struct str sku, int64_t defined_ms),
    void (*level)(void *ctx, const struct level_row *row),
    void *ctx)
{
    for (uint32_t i = 1; i < l->items_len; i++) {
        item(ctx, i, l->items[i].sku, l->items[i].defined_ms);
        each_level_of(l, i, level, ctx);
    }
}
