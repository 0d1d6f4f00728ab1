#include "contract.h"

#include "base/mem.h"
#include "place.h"
#include "store/sqlite/sqlite.h"

static int setup(void **state)
{
    struct contract *c = mem_new(sizeof(*c));
    struct place *p = mem_new(sizeof(*p));
    struct err_note note = {""};
    place_make(p);
    c->backend = p;
    *state = c;
    return store_sqlite_open(p->dir, 0, &c->store, &note) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct contract *c = *state;
    store_free(c->store);
    place_remove(c->backend);
    mem_free(c->backend);
    mem_free(c);
    return 0;
}

int main(void)
{
    return contract_run("store contract: sqlite", setup, teardown);
}
