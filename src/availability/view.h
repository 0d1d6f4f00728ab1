/*
 * The view: the fold of the stream that answers readers. Plain object with one writer and many readers; it waits for
 * nobody and knows no clock. A message goes in; out come the entries it touched, and the answers it replaced, which
 * its owner frees once no reader can hold them any more.
 */
#ifndef AVAILABILITY_VIEW_H
#define AVAILABILITY_VIEW_H

#include "availability/availability.h"
#include "availability/render.h"

#include <stdatomic.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

/* What the view keeps of one level: 16 bytes, because there is one for each item at each location. */
struct level_state {
    uint64_t location : 16;
    uint64_t version : 48;
    int64_t available;
};

_Static_assert(LOCATIONS_MAX < 1 << 16, "a location fits into its bits");

struct view;

/* What readers look at stands together, so that it is in one or two lines of the cache. */
struct shelf_entry {
    /* The writer's own. */
    struct level_state *levels; /* by rising location */
    int64_t available;          /* sum over the levels, negative ones counted as 0 */
    uint64_t version;           /* sum over the levels */
    uint64_t seq;
    int64_t as_of_ms;
    uint16_t levels_len;
    uint16_t levels_cap;
    bool touched; /* by the message being applied */
    bool listed;  /* these two belong to the cache's marks, under their owner's lock */
    bool marked;

    const struct view *view;
    struct cds_lfht_node node;     /* by SKU */
    _Atomic(struct shown *) shown; /* within a struct rendered; NULL only before readers can find the entry */
    uint8_t sku_len;
    char sku[];
};

_Static_assert(SKU_BYTES_MAX <= UINT8_MAX, "the length of a SKU fits into its byte");

struct view {
    struct policy policy;
    struct cds_lfht *by_sku;
    size_t buckets;

    /* The writer's own. */
    struct shelf_entry **by_item; /* index of the item - 1 */
    size_t by_item_cap;
    struct shelf_entry **touched; /* by the last message, in the order of its rows */
    size_t touched_len, touched_cap;
    struct rendered **fresh; /* what the touched ones will show */
    size_t fresh_cap;
    struct rendered *replaced;
    struct buf text;
    uint32_t partition;

    /* Written by the writer, read by anyone. */
    _Atomic uint64_t seq, reach, skus, messages, renders;
};

void view_init(struct view *v, struct policy policy);
/* No reader is left. */
void view_release(struct view *v);

/* `touched` names the changed entries until the next call; what they showed before joins `replaced`. */
void view_apply(struct view *v, const struct bus_message *m);

/* Takes the list of replaced answers; NULL when there are none. */
struct rendered *view_take_replaced(struct view *v);

/* Readers. */
struct shelf_entry *view_find(struct view *v, struct str sku);

#endif
