#include "feed.h"

#include "base/mem.h"

#include <stdio.h>

void feed_init(struct feed *f, uint32_t items_max, uint32_t locations_max)
{
    *f = (struct feed){.items_max = items_max, .locations_max = locations_max};
    f->skus = mem_new_array(items_max, sizeof(*f->skus));
    f->defined = mem_new_array(items_max, sizeof(*f->defined));
    f->last = mem_new_array((size_t)items_max * locations_max, sizeof(*f->last));
    for (uint32_t i = 0; i < items_max; i++) {
        snprintf(f->skus[i], sizeof(f->skus[i]), "SKU-%u", (unsigned)(i + 1));
    }
}

void feed_release(struct feed *f)
{
    mem_free(f->skus);
    mem_free(f->defined);
    mem_free(f->last);
    mem_free(f->levels);
    mem_free(f->items);
}

struct str feed_sku(const struct feed *f, uint32_t item)
{
    return str_from(f->skus[item - 1]);
}

/* A definition makes no movement: its time is that of the stream so far. */
static void put_item(struct feed *f, uint32_t item, int64_t time_ms)
{
    mem_grow((void **)&f->items, &f->items_cap, f->items_len + 1, sizeof(*f->items));
    f->items[f->items_len++] = (struct bus_item){.item = item, .sku = feed_sku(f, item), .time_ms = time_ms};
}

void feed_item(struct feed *f, uint32_t item)
{
    f->defined[item - 1] = true;
    put_item(f, item, FEED_TIME_MS);
}

static void put_level(struct feed *f, const struct level_row *row)
{
    mem_grow((void **)&f->levels, &f->levels_cap, f->levels_len + 1, sizeof(*f->levels));
    f->levels[f->levels_len++] = *row;
}

void feed_level(struct feed *f, uint32_t item, uint32_t location, int64_t available)
{
    check(item > 0 && item <= f->items_max && location > 0 && location <= f->locations_max);
    struct level_row *row = &f->last[(size_t)(item - 1) * f->locations_max + location - 1];
    row->item = item;
    row->location = location;
    row->sku = feed_sku(f, item);
    row->location_id = STR("L");
    row->quantities = (struct quantities){{0}};
    row->quantities.of[QUANTITY_ON_HAND] = available > 0 ? available : 0;
    row->quantities.of[QUANTITY_COMMITTED] = available < 0 ? -available : 0;
    row->version++;
    row->seq = ++f->seq;
    row->time_ms = FEED_TIME_MS + (int64_t)f->seq;
    put_level(f, row);
}

void feed_snapshot(struct feed *f)
{
    f->levels_len = 0;
    f->items_len = 0;
    for (uint32_t i = 0; i < f->items_max; i++) {
        if (f->defined[i]) {
            put_item(f, i + 1, FEED_TIME_MS);
        }
    }
    for (size_t i = 0; i < (size_t)f->items_max * f->locations_max; i++) {
        if (f->last[i].version > 0) {
            put_level(f, &f->last[i]);
        }
    }
}

struct bus_message *feed_take(struct feed *f)
{
    f->message = (struct bus_message){
        .seq = f->seq,
        .time_ms = FEED_TIME_MS + (int64_t)f->seq,
        .levels = f->levels,
        .levels_len = f->levels_len,
        .items = f->items,
        .items_len = f->items_len,
    };
    f->levels_len = 0;
    f->items_len = 0;
    return &f->message;
}
