/*
 * A source of bus messages for tests: keeps version and seq of each level as the ledger would, and remembers the last
 * row of each, so that it can also give a snapshot.
 */
#ifndef TEST_AVAILABILITY_FEED_H
#define TEST_AVAILABILITY_FEED_H

#include "bus/bus.h"

#define FEED_TIME_MS 1700000000000LL

struct feed {
    uint32_t items_max;
    uint32_t locations_max;
    char (*skus)[SKU_BYTES_MAX + 1];
    bool *defined;
    struct level_row *last; /* [item - 1][location - 1]; version 0: no such level */
    uint64_t seq;

    /* What is collected for the next message. */
    struct level_row *levels;
    size_t levels_len, levels_cap;
    struct bus_item *items;
    size_t items_len, items_cap;
    struct bus_message message;
};

/* SKUs are "SKU-1", "SKU-2", ...; locations "L1", ... */
void feed_init(struct feed *f, uint32_t items_max, uint32_t locations_max);
void feed_release(struct feed *f);

struct str feed_sku(const struct feed *f, uint32_t item);
void feed_item(struct feed *f, uint32_t item);
/* The level becomes `available`, which may be negative. The item need not be defined. */
void feed_level(struct feed *f, uint32_t item, uint32_t location, int64_t available);
/* The last row of each level and every defined item, instead of what was collected. */
void feed_snapshot(struct feed *f);

/* What was collected, as one message; valid until the next call of this function. Collecting begins anew. */
struct bus_message *feed_take(struct feed *f);

#endif
