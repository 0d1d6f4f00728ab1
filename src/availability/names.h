/*
 * Numbers of a node's own for names: 1, 2, 3, ... in the order in which they are first heard of. Those of the ledger are
 * not part of the stream.
 */
#ifndef AVAILABILITY_NAMES_H
#define AVAILABILITY_NAMES_H

#include "base/map.h"
#include "base/str.h"

struct names {
    struct map by_hash;
    struct str *texts; /* owned; index: number - 1 */
    size_t len, cap;
};

void names_init(struct names *n);
void names_release(struct names *n);
/* The number of `name`, 0 if it has none. */
uint32_t names_find(const struct names *n, struct str name);
/* The number of `name`, a new one if it has none; 0 when that would be more than `max`. */
uint32_t names_number(struct names *n, struct str name, uint32_t max);

#endif
