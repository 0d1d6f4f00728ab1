#include "contract.h"

#include "base/mem.h"
#include "store/memory/memory.h"

static int setup(void **state)
{
    struct contract *c = mem_new(sizeof(*c));
    c->store = store_memory_new(0);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct contract *c = *state;
    store_free(c->store);
    mem_free(c);
    return 0;
}

int main(void)
{
    return contract_run("store contract: memory", setup, teardown);
}
