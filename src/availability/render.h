/*
 * Renders what a shopper sees of one SKU into one block of memory.
 */
#ifndef AVAILABILITY_RENDER_H
#define AVAILABILITY_RENDER_H

#include "availability/availability.h"
#include "base/buf.h"

/* A `struct shown` with its bytes behind it. */
struct rendered {
    struct rendered *next; /* in the list of replaced ones */
    struct shown shown;
    char bytes[];
};

struct facts {
    struct str sku;
    int64_t available; /* 0.. */
    uint64_t version;
    uint64_t seq;
    int64_t as_of_ms;
};

/* `text` is working memory. Freed with mem_free. */
struct rendered *render(const struct facts *f, const struct policy *policy, struct buf *text);

/* Frees a list of them; returns how many. */
size_t rendered_free_all(struct rendered *first);

#endif
