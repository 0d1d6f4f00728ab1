/*
 * What the writing and the reading half of the memory backend share. Strings are copies owned by the rows.
 */
#ifndef STORE_MEMORY_STATE_H
#define STORE_MEMORY_STATE_H

#include "base/map.h"
#include "store/store.h"

#include <pthread.h>

struct store_memory {
    struct store base;
    pthread_mutex_t lock; /* over everything below: the writer and the readers are several threads */
    uint32_t partition;
    struct store_head head;
    size_t readers;

    struct item_row *items; /* by index - 1 */
    size_t items_len, items_cap;
    struct location_row *locations; /* by index - 1 */
    size_t locations_len, locations_cap;
    struct level_row *levels;
    size_t levels_len, levels_cap;
    struct movement *movements; /* by seq - 1 */
    size_t movements_len, movements_cap;
    struct reservation *reservations; /* by rising seq */
    size_t reservations_len, reservations_cap;
    struct key_row *keys; /* by rising row; the oldest `keys_purged` are gone */
    size_t keys_len, keys_cap, keys_purged;

    struct map item_by_sku;       /* values: index */
    struct map location_by_id;    /* values: index */
    struct map level_by_place;    /* values: position + 1 */
    struct map reservation_by_id; /* values: position + 1 */
};

/* Asserts that it is one. */
struct store_memory *store_memory_from(struct store *s);

uint32_t memory_find_item(const struct store_memory *s, struct str sku);
uint32_t memory_find_location(const struct store_memory *s, struct str id);
struct level_row *memory_find_level(const struct store_memory *s, uint32_t item, uint32_t location);
struct reservation *memory_find_reservation(const struct store_memory *s, struct uuid id);

enum err store_memory_reader_open(struct store *s, struct store_reader **out, struct err_note *note);

#endif
