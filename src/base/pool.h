/*
 * Blocks of memory by size class, taken from slabs and reused from free lists: steady traffic allocates nothing from the
 * system. Single-threaded.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#define POOL_CLASSES 87

/* What was never taken of the newest slab of a class. */
struct pool_fresh {
    char *at, *end;
    size_t slabs; /* of this class so far */
};

struct pool {
    void *free[POOL_CLASSES];
    struct pool_fresh fresh[POOL_CLASSES];
    void *slabs;
};

void pool_init(struct pool *p);
void pool_release(struct pool *p);
/* At least `size` bytes, 16-byte aligned, not zeroed. 1 <= size <= 2^27. */
void *pool_take(struct pool *p, size_t size);
/* `size` as given to pool_take. */
void pool_give(struct pool *p, void *block, size_t size);

#endif
