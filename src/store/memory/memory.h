/*
 * The store of tests and trials: the whole contract in plain arrays, gone when it is freed.
 */
#ifndef STORE_MEMORY_MEMORY_H
#define STORE_MEMORY_MEMORY_H

#include "store/store.h"

/* Never fails. Readers must be freed before the store. */
struct store *store_memory_new(uint32_t partition);

#endif
