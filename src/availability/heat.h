/*
 * Which SKUs are read most: a sketch of the reads of one node (space-saving: who comes new takes the place of the least read
 * and its count), and the list that the nodes share through the cache.
 */
#ifndef AVAILABILITY_HEAT_H
#define AVAILABILITY_HEAT_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/map.h"

#define HEAT_SKUS_MAX 1024

struct shelf_entry;

/* Zeroed at first. */
struct heat {
    struct map by_entry; /* to the index + 1 */
    struct shelf_entry *entries[HEAT_SKUS_MAX];
    uint32_t reads[HEAT_SKUS_MAX];
    size_t len;
};

void heat_release(struct heat *h);
void heat_count(struct heat *h, struct shelf_entry *e);
void heat_clear(struct heat *h);

struct hot_sku {
    uint64_t reads; /* those of long ago count less */
    uint8_t len;
    char sku[SKU_BYTES_MAX];
};

/* Distinct, the most read first. */
struct hot_list {
    struct hot_sku skus[HEAT_SKUS_MAX];
    size_t len;
    uint64_t version;
};

/* {"version":1795704843045,"skus":[{"sku":"A-1","reads":12},...]}. False, and empty: not of this form. */
bool hot_list_parse(struct hot_list *list, struct str json);
/* Halves what is there, adds the reads, and keeps the most read. `version` is at least `now_ms`, and higher than before. */
void hot_list_add(struct hot_list *list, const struct heat *h, int64_t now_ms);
/* As many as fit into the buffer. */
void hot_list_render(const struct hot_list *list, struct buf *out);

#endif
