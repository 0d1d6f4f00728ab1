#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

#define MAP_SLOTS_FIRST 16

void map_init(struct map *m)
{
    *m = (struct map){.slots = NULL};
}

void map_release(struct map *m)
{
    mem_free(m->slots);
    map_init(m);
}

/* The slot where a search begins. Multiplying first lets every bit of a plain key (a counter, say) have its say. */
static size_t map_home(const struct map *m, uint64_t hash)
{
    int bits = __builtin_ctzll(m->slots_len);
    return (size_t)((hash * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

static size_t map_after(const struct map *m, size_t at)
{
    return (at + 1) & (m->slots_len - 1);
}

static void map_place(struct map *m, struct map_slot slot)
{
    size_t at = map_home(m, slot.hash);
    while (m->slots[at].value != 0) {
        at = map_after(m, at);
    }
    m->slots[at] = slot;
}

static void map_grow(struct map *m)
{
    struct map old = *m;
    m->slots_len = old.slots_len > 0 ? old.slots_len * 2 : MAP_SLOTS_FIRST;
    m->slots = mem_new_array(m->slots_len, sizeof(*m->slots));
    for (size_t i = 0; i < old.slots_len; i++) {
        if (old.slots[i].value != 0) {
            map_place(m, old.slots[i]);
        }
    }
    mem_free(old.slots);
}

void map_add(struct map *m, uint64_t hash, uint64_t value)
{
    check(value != 0);
    if ((m->used + 1) * 4 > m->slots_len * 3) {
        map_grow(m);
    }
    map_place(m, (struct map_slot){.hash = hash, .value = value});
    m->used++;
}

/* Fills the hole at `hole` with what a search could no longer reach across it, until the run ends. */
static void map_close_hole(struct map *m, size_t hole)
{
    size_t mask = m->slots_len - 1;
    for (size_t at = map_after(m, hole); m->slots[at].value != 0; at = map_after(m, at)) {
        size_t from_home = (at - map_home(m, m->slots[at].hash)) & mask;
        size_t from_hole = (at - hole) & mask;
        if (from_home >= from_hole) {
            m->slots[hole] = m->slots[at];
            hole = at;
        }
    }
    m->slots[hole] = (struct map_slot){0};
}

bool map_remove(struct map *m, uint64_t hash, uint64_t value)
{
    check(value != 0);
    struct map_cursor cursor;
    for (uint64_t v = map_first(m, hash, &cursor); v != 0; v = map_next(m, &cursor)) {
        if (v == value) {
            map_close_hole(m, (cursor.at - 1) & (m->slots_len - 1));
            m->used--;
            return true;
        }
    }
    return false;
}

uint64_t map_first(const struct map *m, uint64_t hash, struct map_cursor *cursor)
{
    *cursor = (struct map_cursor){.hash = hash};
    if (m->slots_len == 0) {
        return 0;
    }
    cursor->at = map_home(m, hash);
    return map_next(m, cursor);
}

uint64_t map_next(const struct map *m, struct map_cursor *cursor)
{
    if (m->slots_len == 0) {
        return 0;
    }
    for (;;) {
        const struct map_slot *slot = &m->slots[cursor->at];
        if (slot->value == 0) {
            return 0;
        }
        cursor->at = map_after(m, cursor->at);
        if (slot->hash == cursor->hash) {
            return slot->value;
        }
    }
}
