#include "bus/collect.h"

#include "base/mem.h"

#define CHUNK_BYTES 65536

/* Strings stay where they are while more come: a chunk never moves. */
struct collect_chunk {
    struct collect_chunk *next;
    size_t used;
    char bytes[CHUNK_BYTES];
};

static void chunks_free(struct collect_chunk *chunk)
{
    while (chunk != NULL) {
        struct collect_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
}

void collect_release(struct collect *c)
{
    mem_free(c->levels);
    mem_free(c->items);
    chunks_free(c->chunks);
    chunks_free(c->spares);
    *c = (struct collect){0};
}

void collect_clear(struct collect *c)
{
    c->levels_len = 0;
    c->items_len = 0;
    c->position = (struct bus_position){0};
    while (c->chunks != NULL) {
        struct collect_chunk *chunk = c->chunks;
        c->chunks = chunk->next;
        chunk->next = c->spares;
        c->spares = chunk;
    }
}

size_t collect_rows(const struct collect *c)
{
    return c->levels_len + c->items_len;
}

static struct collect_chunk *chunk_begin(struct collect *c)
{
    struct collect_chunk *chunk = c->spares;
    if (chunk == NULL) {
        chunk = mem_resize(NULL, 1, sizeof(*chunk));
    } else {
        c->spares = chunk->next;
    }
    chunk->used = 0;
    chunk->next = c->chunks;
    c->chunks = chunk;
    return chunk;
}

static struct str keep(struct collect *c, struct str s)
{
    check(s.len > 0 && s.len <= CHUNK_BYTES);
    struct collect_chunk *chunk = c->chunks;
    if (chunk == NULL || CHUNK_BYTES - chunk->used < s.len) {
        chunk = chunk_begin(c);
    }
    struct str kept = {chunk->bytes + chunk->used, s.len};
    memcpy(chunk->bytes + chunk->used, s.ptr, s.len);
    chunk->used += s.len;
    return kept;
}

void collect_level(struct collect *c, const struct level_row *row)
{
    mem_grow((void **)&c->levels, &c->levels_cap, c->levels_len + 1, sizeof(*c->levels));
    struct level_row *kept = &c->levels[c->levels_len++];
    *kept = *row;
    kept->sku = keep(c, row->sku);
    kept->location_id = keep(c, row->location_id);
}

void collect_item(struct collect *c, const struct bus_item *item)
{
    mem_grow((void **)&c->items, &c->items_cap, c->items_len + 1, sizeof(*c->items));
    struct bus_item *kept = &c->items[c->items_len++];
    *kept = *item;
    kept->sku = keep(c, item->sku);
}

struct bus_message *collect_message(struct collect *c)
{
    c->message = (struct bus_message){
        .levels = c->levels,
        .levels_len = c->levels_len,
        .items = c->items,
        .items_len = c->items_len,
        .position = c->position,
    };
    return &c->message;
}
