/*
 * Rows on their way into a message: collected one by one from a store, a page or a box of events, with copies of
 * their strings. Memory is kept for the next message.
 */
#ifndef BUS_COLLECT_H
#define BUS_COLLECT_H

#include "bus/bus.h"

struct collect_chunk;

struct collect {
    struct level_row *levels;
    size_t levels_len, levels_cap;
    struct bus_item *items;
    size_t items_len, items_cap;
    struct collect_chunk *chunks; /* the strings of the rows; the first one is being filled */
    struct collect_chunk *spares;
    struct bus_position position;
    struct bus_message message;
};

/* All zero is an empty one. */
void collect_release(struct collect *c);
void collect_clear(struct collect *c);
size_t collect_rows(const struct collect *c);
void collect_level(struct collect *c, const struct level_row *row);
void collect_item(struct collect *c, const struct bus_item *item);
/* A message of what was collected, borrowed until the next call; the caller fills in the other members. */
struct bus_message *collect_message(struct collect *c);

#endif
