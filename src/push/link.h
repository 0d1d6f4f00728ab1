/*
 * A doubly linked ring of things that embed a link. A link outside any ring points to itself.
 */
#ifndef PUSH_LINK_H
#define PUSH_LINK_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev;
    struct link *next;
};

static inline void link_init(struct link *l)
{
    l->prev = l;
    l->next = l;
}

static inline bool link_is_alone(const struct link *l)
{
    return l->next == l;
}

/* Nothing happens to one that is alone. */
static inline void link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

/* Puts `l`, wherever it was, at the end of `ring`. */
static inline void link_append(struct link *ring, struct link *l)
{
    link_remove(l);
    l->prev = ring->prev;
    l->next = ring;
    ring->prev->next = l;
    ring->prev = l;
}

#endif
