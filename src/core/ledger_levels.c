/* Items, locations and levels: finding and making them. */
#include "base/mem.h"
#include "core/ledger_state.h"

static struct str intern(struct ledger *l, struct str s)
{
    char *copy = pool_take(&l->pool, s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct str){copy, s.len};
}

uint32_t ledger_item(const struct ledger *l, struct str sku)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&l->item_by_sku, str_hash(sku), &cursor);
    while (at != 0 && !str_equal(l->items[at].sku, sku)) {
        at = map_next(&l->item_by_sku, &cursor);
    }
    return (uint32_t)at;
}

uint32_t ledger_location(const struct ledger *l, struct str id)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&l->location_by_id, str_hash(id), &cursor);
    while (at != 0 && !str_equal(l->locations[at].id, id)) {
        at = map_next(&l->location_by_id, &cursor);
    }
    return (uint32_t)at;
}

uint32_t ledger_item_add(struct ledger *l, struct str sku, int64_t defined_ms)
{
    check(l->items_len <= ITEMS_MAX);
    mem_grow((void **)&l->items, &l->items_cap, l->items_len + 1, sizeof(*l->items));
    uint32_t item = (uint32_t)l->items_len++;
    l->items[item] = (struct item){.sku = intern(l, sku), .defined_ms = defined_ms};
    map_add(&l->item_by_sku, str_hash(sku), item);
    return item;
}

/* Puts `location` where its priority belongs among the ranks. */
void ledger_location_rank(struct ledger *l, uint32_t location, uint32_t priority)
{
    size_t from = 0;
    while (from < l->ranks_len && l->ranks[from] != location) {
        from++;
    }
    if (from == l->ranks_len) {
        mem_grow((void **)&l->ranks, &l->ranks_cap, l->ranks_len + 1, sizeof(*l->ranks));
        l->ranks_len++;
    }
    memmove(&l->ranks[from], &l->ranks[from + 1], (l->ranks_len - 1 - from) * sizeof(*l->ranks));
    l->locations[location].priority = priority;
    size_t to = 0;
    while (to < l->ranks_len - 1) {
        uint32_t other = l->ranks[to];
        uint32_t other_priority = l->locations[other].priority;
        if (other_priority > priority || (other_priority == priority && other > location)) {
            break;
        }
        to++;
    }
    memmove(&l->ranks[to + 1], &l->ranks[to], (l->ranks_len - 1 - to) * sizeof(*l->ranks));
    l->ranks[to] = location;
}

uint32_t ledger_location_add(struct ledger *l, struct str id, uint32_t priority)
{
    check(l->locations_len <= LOCATIONS_MAX);
    mem_grow((void **)&l->locations, &l->locations_cap, l->locations_len + 1, sizeof(*l->locations));
    uint32_t location = (uint32_t)l->locations_len++;
    l->locations[location] = (struct location){.id = intern(l, id), .priority = priority};
    map_add(&l->location_by_id, str_hash(id), location);
    ledger_location_rank(l, location, priority);
    return location;
}

/* First place in the item's levels whose location is not below `location`. */
static uint32_t level_place(const struct item *item, uint32_t location)
{
    uint32_t low = 0;
    uint32_t high = item->levels_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (item->levels[middle]->location < location) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct level *ledger_level(const struct ledger *l, uint32_t item, uint32_t location)
{
    check(item > 0 && item < l->items_len);
    const struct item *i = &l->items[item];
    uint32_t at = level_place(i, location);
    return at < i->levels_len && i->levels[at]->location == location ? i->levels[at] : NULL;
}

static void levels_make_room(struct ledger *l, struct item *i)
{
    if (i->levels_len < i->levels_cap) {
        return;
    }
    uint32_t cap = i->levels_cap + 2 + i->levels_cap / 4; /* most items have few */
    struct level **levels = pool_take(&l->pool, cap * sizeof(struct level *));
    if (i->levels != NULL) {
        memcpy(levels, i->levels, i->levels_len * sizeof(struct level *));
        pool_give(&l->pool, i->levels, i->levels_cap * sizeof(struct level *));
    }
    i->levels = levels;
    i->levels_cap = cap;
}

struct level *ledger_level_add(struct ledger *l, uint32_t item, uint32_t location)
{
    check(item > 0 && item < l->items_len);
    check(location > 0 && location < l->locations_len);
    struct item *i = &l->items[item];
    uint32_t at = level_place(i, location);
    check(at == i->levels_len || i->levels[at]->location != location);
    levels_make_room(l, i);
    memmove(&i->levels[at + 1], &i->levels[at], (i->levels_len - at) * sizeof(struct level *));
    struct level *level = pool_take(&l->pool, sizeof(*level));
    *level = (struct level){.item = item, .location = location};
    i->levels[at] = level;
    i->levels_len++;
    l->levels_len++;
    return level;
}
