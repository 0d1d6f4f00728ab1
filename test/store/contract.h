/* The contract of store.h as tests, run on every backend. */
#ifndef TEST_STORE_CONTRACT_H
#define TEST_STORE_CONTRACT_H

#include "scene.h"

struct contract {
    struct store *store; /* new and empty before each test */
    void *backend;       /* of whoever runs the tests */
};

/* `setup` makes a struct contract the state of a test; returns the number of failures. */
int contract_run(const char *group, CMFixtureFunction setup, CMFixtureFunction teardown);

#endif
