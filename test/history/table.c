#include "table.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *text)
{
    uint64_t h = 1469598103934665603U; /* FNV-1a */
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 1099511628211U;
    }
    return h ^ (h >> 29);
}

/* Where the text is, or could be. */
static uint32_t *slot_of(const struct table *t, const char *text)
{
    size_t at = hash_of(text) & (t->slots_len - 1);
    while (t->slots[at] != 0 && strcmp(t->names[t->slots[at] - 1], text) != 0) {
        at = (at + 1) & (t->slots_len - 1);
    }
    return &t->slots[at];
}

static void make_room(struct table *t)
{
    if ((t->len + 1) * 2 <= t->slots_len) {
        return;
    }
    free(t->slots);
    t->slots_len = t->slots_len == 0 ? 64 : t->slots_len * 2;
    t->slots = memory_new(t->slots_len, sizeof(*t->slots));
    for (size_t i = 0; i < t->len; i++) {
        *slot_of(t, t->names[i]) = (uint32_t)i + 1;
    }
}

uint32_t table_put(struct table *t, const char *text)
{
    make_room(t);
    uint32_t *slot = slot_of(t, text);
    if (*slot == 0) {
        memory_grow((void **)&t->names, &t->cap, t->len + 1, sizeof(*t->names));
        t->names[t->len++] = memory_text(text, strlen(text));
        *slot = (uint32_t)t->len;
    }
    return *slot;
}

const char *table_name(const struct table *t, uint32_t number)
{
    return number == 0 ? "-" : t->names[number - 1];
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free(t->names[i]);
    }
    free(t->names);
    free(t->slots);
}
