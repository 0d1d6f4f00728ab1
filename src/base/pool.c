#include "base/pool.h"

#include "base/check.h"
#include "base/mem.h"

/*
 * Classes by 16 bytes up to POOL_FINE_MAX, then four to a doubling: from 64 bytes on a block is at most a quarter larger
 * than was asked for, which counts where there are millions of them.
 */
#define POOL_BLOCK_MIN 32
#define POOL_FINE_BITS 7
#define POOL_FINE_MAX (1 << POOL_FINE_BITS)
#define POOL_FINE_CLASSES ((POOL_FINE_MAX - POOL_BLOCK_MIN) / 16 + 1)
#define POOL_BLOCK_BITS 27
#define POOL_BLOCK_MAX ((size_t)1 << POOL_BLOCK_BITS)
#ifndef POOL_SLAB_SIZE /* a build that makes a pool every few microseconds wants small ones */
#define POOL_SLAB_SIZE ((size_t)256 * 1024)
#endif
/* A class with so many slabs goes on with large ones: what is left of its last is little of the whole. */
#define POOL_SLABS_SMALL 8
#define POOL_SLAB_LARGE ((size_t)2 * 1024 * 1024)

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define pool_hide(ptr, size) ASAN_POISON_MEMORY_REGION(ptr, size)
#define pool_show(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define pool_hide(ptr, size) ((void)(ptr), (void)(size))
#define pool_show(ptr, size) ((void)(ptr), (void)(size))
#endif

/* Stands at the start of a block that is free. */
struct pool_free {
    struct pool_free *next;
};

struct pool_slab {
    struct pool_slab *next;
    _Alignas(16) char blocks[];
};

_Static_assert(offsetof(struct pool_slab, blocks) % 16 == 0, "blocks are 16-byte aligned");
_Static_assert(POOL_FINE_CLASSES + 4 * (POOL_BLOCK_BITS - POOL_FINE_BITS) == POOL_CLASSES, "every size has a class");

void pool_init(struct pool *p)
{
    *p = (struct pool){.slabs = NULL};
}

void pool_release(struct pool *p)
{
    for (struct pool_slab *slab = p->slabs; slab != NULL;) {
        struct pool_slab *next = slab->next;
        mem_free(slab);
        slab = next;
    }
    pool_init(p);
}

static unsigned pool_class(size_t size)
{
    check(size >= 1 && size <= POOL_BLOCK_MAX);
    if (size <= POOL_BLOCK_MIN) {
        return 0;
    }
    if (size <= POOL_FINE_MAX) {
        return (unsigned)(size + 15) / 16 - POOL_BLOCK_MIN / 16;
    }
    unsigned doubling = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^doubling < size <= 2^(doubling + 1) */
    unsigned quarter = (unsigned)((size - 1) >> (doubling - 2)) & 3;
    return POOL_FINE_CLASSES + (doubling - POOL_FINE_BITS) * 4 + quarter;
}

static size_t pool_class_size(unsigned class)
{
    if (class < POOL_FINE_CLASSES) {
        return POOL_BLOCK_MIN + (size_t) class * 16;
    }
    unsigned doubling = (class - POOL_FINE_CLASSES) / 4 + POOL_FINE_BITS;
    unsigned quarter = (class - POOL_FINE_CLASSES) % 4;
    return ((size_t)5 + quarter) << (doubling - 2);
}

static void pool_push(struct pool *p, unsigned class, void *block)
{
    struct pool_free *link = block;
    pool_show(link, sizeof(*link));
    link->next = p->free[class];
    p->free[class] = link;
    pool_hide(block, pool_class_size(class));
}

/* One more slab for the class. What was left of the last one is used up. */
static void pool_add_slab(struct pool *p, unsigned class)
{
    struct pool_fresh *fresh = &p->fresh[class];
    size_t slab_size = fresh->slabs < POOL_SLABS_SMALL ? POOL_SLAB_SIZE : POOL_SLAB_LARGE - sizeof(struct pool_slab);
    size_t block_size = pool_class_size(class);
    size_t blocks = block_size < slab_size ? slab_size / block_size : 1;
    size_t size = sizeof(struct pool_slab) + blocks * block_size;
    struct pool_slab *slab = mem_new_large(fresh->slabs < POOL_SLABS_SMALL || blocks == 1 ? size : POOL_SLAB_LARGE);
    slab->next = p->slabs;
    p->slabs = slab;
    fresh->at = slab->blocks;
    fresh->end = slab->blocks + blocks * block_size;
    fresh->slabs++;
    pool_hide(slab->blocks, blocks * block_size);
}

/* Lowest address first, so that memory is touched only when it is needed. */
static void *pool_take_fresh(struct pool *p, unsigned class)
{
    struct pool_fresh *fresh = &p->fresh[class];
    if (fresh->at == fresh->end) {
        pool_add_slab(p, class);
    }
    void *block = fresh->at;
    fresh->at += pool_class_size(class);
    return block;
}

void *pool_take(struct pool *p, size_t size)
{
    unsigned class = pool_class(size);
    struct pool_free *block = p->free[class];
    if (block == NULL) {
        block = pool_take_fresh(p, class);
    } else {
        pool_show(block, sizeof(*block));
        p->free[class] = block->next;
        pool_hide(block, sizeof(*block));
    }
    pool_show(block, size);
    return block;
}

void pool_give(struct pool *p, void *block, size_t size)
{
    check(block != NULL);
    pool_push(p, pool_class(size), block);
}
