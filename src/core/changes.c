#include "core/changes.h"

#include "base/mem.h"

void changes_init(struct changes *c)
{
    *c = (struct changes){0};
}

void changes_release(struct changes *c)
{
    mem_free(c->movements);
    mem_free(c->levels);
    mem_free(c->reservations);
    mem_free(c->items);
    mem_free(c->locations);
    mem_free(c->lines);
    *c = (struct changes){0};
}

bool changes_is_empty(const struct changes *c)
{
    return c->movements_len == 0 && c->reservations_len == 0 && c->items_len == 0 && c->locations_len == 0;
}
