#include "availability/names.h"

#include "base/mem.h"

void names_init(struct names *n)
{
    *n = (struct names){0};
    map_init(&n->by_hash);
}

void names_release(struct names *n)
{
    for (size_t i = 0; i < n->len; i++) {
        mem_free((char *)(uintptr_t)n->texts[i].ptr); // NOLINT(performance-no-int-to-ptr): owned here
    }
    mem_free(n->texts);
    map_release(&n->by_hash);
}

uint32_t names_find(const struct names *n, struct str name)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&n->by_hash, str_hash(name), &cursor);
    while (at != 0 && !str_equal(n->texts[at - 1], name)) {
        at = map_next(&n->by_hash, &cursor);
    }
    return (uint32_t)at;
}

uint32_t names_number(struct names *n, struct str name, uint32_t max)
{
    uint32_t known = names_find(n, name);
    if (known != 0 || n->len == max) {
        return known;
    }
    mem_grow((void **)&n->texts, &n->cap, n->len + 1, sizeof(*n->texts));
    n->texts[n->len] = (struct str){mem_copy_str(name), name.len};
    n->len++;
    map_add(&n->by_hash, str_hash(name), n->len);
    return (uint32_t)n->len;
}
