/* Reading: each call holds the lock from its first row to its last, so it sees one state. */
#include "base/mem.h"
#include "store/memory/state.h"

#include <stdlib.h>

struct reader_memory {
    struct store_reader base;
    struct store_memory *store;
};

static const struct store_reader_ops reader_ops;

static struct store_memory *take(struct store_reader *base)
{
    check(base->ops == &reader_ops);
    struct store_memory *s = ((struct reader_memory *)base)->store;
    pthread_mutex_lock(&s->lock);
    return s;
}

static enum err give(struct store_memory *s, enum err e)
{
    pthread_mutex_unlock(&s->lock);
    return e;
}

static enum err memory_reader_head(struct store_reader *base, struct store_head *out)
{
    struct store_memory *s = take(base);
    *out = s->head;
    return give(s, ERR_OK);
}

/* False when the caller wants no more. */
static bool give_levels(const struct store_memory *s, uint32_t item, level_fn fn, void *ctx)
{
    bool more = true;
    for (uint32_t location = 1; location <= s->locations_len && more; location++) {
        const struct level_row *level = memory_find_level(s, item, location);
        more = level == NULL || fn(ctx, level);
    }
    return more;
}

static enum err memory_catalogue(
    struct store_reader *base, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx)
{
    struct store_memory *s = take(base);
    bool more = true;
    for (size_t i = after_item; i < s->items_len && i - after_item < limit && more; i++) {
        more = item(ctx, &s->items[i]) && (level == NULL || give_levels(s, s->items[i].item, level, ctx));
    }
    return give(s, ERR_OK);
}

static enum err memory_item(struct store_reader *base, struct str sku, item_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint32_t item = memory_find_item(s, sku);
    if (item != 0) {
        (void)fn(ctx, &s->items[item - 1]);
    }
    return give(s, item == 0 ? ERR_NOT_FOUND : ERR_OK);
}

static int compare_items(const void *a, const void *b)
{
    const struct item_row *const *x = a;
    const struct item_row *const *y = b;
    return str_compare((*x)->sku, (*y)->sku);
}

static enum err memory_items(struct store_reader *base, struct str after_sku, uint32_t limit, item_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    const struct item_row **rows = mem_new_array(s->items_len + 1, sizeof(*rows));
    size_t len = 0;
    for (size_t i = 0; i < s->items_len; i++) {
        if (str_is_absent(after_sku) || str_compare(s->items[i].sku, after_sku) > 0) {
            rows[len++] = &s->items[i];
        }
    }
    qsort(rows, len, sizeof(struct item_row *), compare_items);
    for (size_t i = 0; i < len && i < limit && fn(ctx, rows[i]); i++) {
    }
    mem_free(rows);
    return give(s, ERR_OK);
}

static enum err memory_location(struct store_reader *base, struct str id, location_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint32_t location = memory_find_location(s, id);
    if (location != 0) {
        (void)fn(ctx, &s->locations[location - 1]);
    }
    return give(s, location == 0 ? ERR_NOT_FOUND : ERR_OK);
}

static int compare_locations(const void *a, const void *b)
{
    const struct location_row *const *x = a;
    const struct location_row *const *y = b;
    return str_compare((*x)->id, (*y)->id);
}

/* Every location by id; freed by the caller. */
static const struct location_row **sorted_locations(const struct store_memory *s)
{
    const struct location_row **rows = mem_new_array(s->locations_len + 1, sizeof(*rows));
    for (size_t i = 0; i < s->locations_len; i++) {
        rows[i] = &s->locations[i];
    }
    qsort(rows, s->locations_len, sizeof(struct location_row *), compare_locations);
    return rows;
}

static enum err memory_locations(struct store_reader *base, location_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    const struct location_row **rows = sorted_locations(s);
    for (size_t i = 0; i < s->locations_len && fn(ctx, rows[i]); i++) {
    }
    mem_free(rows);
    return give(s, ERR_OK);
}

static enum err memory_levels(struct store_reader *base, struct str sku, level_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint32_t item = memory_find_item(s, sku);
    if (item == 0) {
        return give(s, ERR_NOT_FOUND);
    }
    const struct location_row **rows = sorted_locations(s);
    bool more = true;
    for (size_t i = 0; i < s->locations_len && more; i++) {
        const struct level_row *level = memory_find_level(s, item, rows[i]->location);
        more = level == NULL || fn(ctx, level);
    }
    mem_free(rows);
    return give(s, ERR_OK);
}

static enum err memory_level(struct store_reader *base, struct str sku, struct str location, level_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    const struct level_row *level = memory_find_level(s, memory_find_item(s, sku), memory_find_location(s, location));
    if (level != NULL) {
        (void)fn(ctx, level);
    }
    return give(s, level == NULL ? ERR_NOT_FOUND : ERR_OK);
}

static enum err memory_reservation(struct store_reader *base, struct uuid id, reservation_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    const struct reservation *r = memory_find_reservation(s, id);
    if (r != NULL) {
        (void)fn(ctx, r);
    }
    return give(s, r == NULL ? ERR_NOT_FOUND : ERR_OK);
}

static bool reservation_matches(const struct reservation *r, const struct reservation_filter *filter)
{
    return r->seq > filter->after_seq && (filter->state == 0 || r->state == filter->state) &&
        (str_is_absent(filter->reference) ||
         (!str_is_absent(r->reference) && str_equal(r->reference, filter->reference)));
}

static enum err
memory_reservations(struct store_reader *base, const struct reservation_filter *filter, reservation_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint32_t left = filter->limit;
    for (size_t i = 0; i < s->reservations_len && left > 0; i++) {
        if (reservation_matches(&s->reservations[i], filter)) {
            left = fn(ctx, &s->reservations[i]) ? left - 1 : 0;
        }
    }
    return give(s, ERR_OK);
}

static bool movement_matches(const struct movement *m, const struct movement_filter *filter)
{
    return (str_is_absent(filter->sku) || str_equal(m->sku, filter->sku)) &&
        (str_is_absent(filter->location) || str_equal(m->location_id, filter->location));
}

static enum err
memory_movements(struct store_reader *base, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint32_t left = filter->limit;
    size_t from = filter->after_seq < s->movements_len ? (size_t)filter->after_seq : s->movements_len;
    for (size_t i = from; i < s->movements_len && left > 0; i++) {
        if (movement_matches(&s->movements[i], filter)) {
            left = fn(ctx, &s->movements[i]) ? left - 1 : 0;
        }
    }
    return give(s, ERR_OK);
}

static enum err memory_key(struct store_reader *base, uint64_t row, key_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    uint64_t first = s->keys_purged < s->keys_len ? s->keys[s->keys_purged].row : 0;
    size_t at = s->keys_purged + (size_t)(row - first); /* rows have no gaps */
    bool found = first > 0 && row >= first && at < s->keys_len;
    if (found) {
        check(s->keys[at].row == row);
        (void)fn(ctx, &s->keys[at]);
    }
    return give(s, found ? ERR_OK : ERR_NOT_FOUND);
}

static enum err memory_oldest_keys(struct store_reader *base, uint32_t limit, key_fn fn, void *ctx)
{
    struct store_memory *s = take(base);
    bool more = true;
    for (size_t i = s->keys_purged; i < s->keys_len && i - s->keys_purged < limit && more; i++) {
        struct key_row row = s->keys[i];
        row.location = STR_NONE;
        row.answer = STR_NONE;
        more = fn(ctx, &row);
    }
    return give(s, ERR_OK);
}

static void memory_reader_free(struct store_reader *base)
{
    struct store_memory *s = take(base);
    s->readers--;
    pthread_mutex_unlock(&s->lock);
    mem_free(base);
}

static const struct store_reader_ops reader_ops = {
    .head = memory_reader_head,
    .catalogue = memory_catalogue,
    .item = memory_item,
    .items = memory_items,
    .location = memory_location,
    .locations = memory_locations,
    .levels = memory_levels,
    .level = memory_level,
    .reservation = memory_reservation,
    .reservations = memory_reservations,
    .movements = memory_movements,
    .key = memory_key,
    .oldest_keys = memory_oldest_keys,
    .free = memory_reader_free,
};

enum err store_memory_reader_open(struct store *base, struct store_reader **out, struct err_note *note)
{
    (void)note;
    struct store_memory *s = store_memory_from(base);
    struct reader_memory *r = mem_new(sizeof(*r));
    r->base.ops = &reader_ops;
    r->store = s;
    pthread_mutex_lock(&s->lock);
    s->readers++;
    pthread_mutex_unlock(&s->lock);
    *out = &r->base;
    return ERR_OK;
}
