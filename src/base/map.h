/*
 * Open-addressing table of 64-bit hash -> 64-bit value, 16 bytes a slot, linear probing, grows by doubling.
 *
 * Several values may stand under one hash: the caller walks them and compares the real keys. Never iterated for
 * output, so the order of slots decides nothing.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t hash;
    uint64_t value; /* 0: empty slot; values are never 0 */
};

struct map {
    struct map_slot *slots;
    size_t slots_len; /* power of two or 0 */
    size_t used;
};

struct map_cursor {
    size_t at;
    uint64_t hash;
};

void map_init(struct map *m);
void map_release(struct map *m);

/* `value` must not be 0. Does not look for an equal entry. */
void map_add(struct map *m, uint64_t hash, uint64_t value);
/* Removes exactly this pair; false when absent. No tombstones: the run behind it moves up. */
bool map_remove(struct map *m, uint64_t hash, uint64_t value);

/* First value under `hash`, 0 when none; then map_next until 0. The map must not change in between. */
uint64_t map_first(const struct map *m, uint64_t hash, struct map_cursor *cursor);
uint64_t map_next(const struct map *m, struct map_cursor *cursor);

#endif
