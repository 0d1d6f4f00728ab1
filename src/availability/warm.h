/*
 * What other nodes showed, for a node that does not know everything yet: a bounded table of answers that came from the cache. A
 * plain object; its owner locks.
 */
#ifndef AVAILABILITY_WARM_H
#define AVAILABILITY_WARM_H

#include "availability/heat.h"
#include "availability/render.h"

struct remembered {
    uint8_t sku_len;
    uint16_t json_len;
    char sku[SKU_BYTES_MAX];
    char json[SHOWN_FRAME_BYTES_MAX];
};

/* Zeroed at first. */
struct warm {
    struct map by_sku; /* to the index + 1 */
    struct remembered *at;
    size_t len, cap;
};

void warm_release(struct warm *w);
/* False: it is no availability of this SKU, or there is no more room (HEAT_SKUS_MAX). */
bool warm_add(struct warm *w, struct str sku, struct str json);
/* Absent when it is not known; valid until the next change. */
struct str warm_find(const struct warm *w, struct str sku);

/* Is this what render() makes of this SKU? What comes from outside is not shown before it was asked. */
bool warm_is_answer(struct str sku, struct str json);

#endif
