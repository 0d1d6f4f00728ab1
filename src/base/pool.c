#include "base/pool.h"

#include "base/check.h"
#include "base/mem.h"

#define POOL_BLOCK_MIN 32
#define POOL_BLOCK_MAX ((size_t)1 << 27)
#ifndef POOL_SLAB_SIZE /* a build that makes a pool every few microseconds wants small ones */
#define POOL_SLAB_SIZE ((size_t)256 * 1024)
#endif

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
_Static_assert((size_t)POOL_BLOCK_MIN << (POOL_CLASSES - 1) >= POOL_BLOCK_MAX, "every size has a class");

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
    return (unsigned)(__builtin_clzll(POOL_BLOCK_MIN - 1) - __builtin_clzll(size - 1));
}

static size_t pool_class_size(unsigned class)
{
    return (size_t)POOL_BLOCK_MIN << class;
}

static void pool_push(struct pool *p, unsigned class, void *block)
{
    struct pool_free *link = block;
    pool_show(link, sizeof(*link));
    link->next = p->free[class];
    p->free[class] = link;
    pool_hide(block, pool_class_size(class));
}

/* One more slab for the class, cut into blocks so that the lowest address is taken first. */
static void pool_add_slab(struct pool *p, unsigned class)
{
    size_t block_size = pool_class_size(class);
    size_t slab_size = block_size > POOL_SLAB_SIZE ? block_size : POOL_SLAB_SIZE;
    struct pool_slab *slab = mem_resize(NULL, sizeof(*slab) + slab_size, 1);
    slab->next = p->slabs;
    p->slabs = slab;
    for (size_t at = slab_size; at > 0; at -= block_size) {
        pool_push(p, class, slab->blocks + at - block_size);
    }
}

void *pool_take(struct pool *p, size_t size)
{
    unsigned class = pool_class(size);
    if (p->free[class] == NULL) {
        pool_add_slab(p, class);
    }
    struct pool_free *block = p->free[class];
    pool_show(block, sizeof(*block));
    p->free[class] = block->next;
    pool_hide(block, sizeof(*block));
    pool_show(block, size);
    return block;
}

void pool_give(struct pool *p, void *block, size_t size)
{
    check(block != NULL);
    pool_push(p, pool_class(size), block);
}
