/*
 * One spelling for each JSON value: members sorted by name, no white space, the shortest digits of a real number that
 * read back as the same number.
 */
#ifndef API_CANONICAL_H
#define API_CANONICAL_H

#include "base/buf.h"

#include <jansson.h>

void canonical_put(struct buf *out, json_t *value);

#endif
