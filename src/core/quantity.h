/*
 * The quantities of a level, in whole units. Names are Shopify's:
 * on_hand = available + reserved + committed + damaged + quality_control + safety_stock; `incoming` stands apart.
 */
#ifndef CORE_QUANTITY_H
#define CORE_QUANTITY_H

#include "base/limits.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum quantity {
    QUANTITY_ON_HAND,
    QUANTITY_RESERVED,  /* promised to holds */
    QUANTITY_COMMITTED, /* promised to committed reservations */
    QUANTITY_DAMAGED,
    QUANTITY_QUALITY_CONTROL,
    QUANTITY_SAFETY_STOCK,
    QUANTITY_INCOMING,
    QUANTITY_COUNT
};

struct quantities {
    int64_t of[QUANTITY_COUNT]; /* in a level 0..QUANTITY_MAX each */
};

/* "on_hand", "reserved", ... as in the API and in the tables. */
struct str quantity_name(enum quantity q);
bool quantity_parse(struct str name, enum quantity *out);

/* Reserved and committed belong to reservations: no adjustment or set touches them. */
bool quantity_is_adjustable(enum quantity q);

/* on_hand - reserved - committed - damaged - quality_control - safety_stock; negative after a correction. */
int64_t quantities_available(const struct quantities *q);

#endif
