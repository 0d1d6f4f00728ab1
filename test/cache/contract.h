/* The contract of cache.h as tests, run on every backend over a real server. */
#ifndef TEST_CACHE_CONTRACT_H
#define TEST_CACHE_CONTRACT_H

#include "broker.h"
#include "cache/cache.h"
#include "test.h"

struct cache_contract {
    const char *name;      /* of the group of tests */
    struct broker *server; /* runs before each test, and is empty when it starts */
    struct cache *(*make)(const struct cache_options *options);
};

/* A cache at the server, without a connection yet. */
struct cache *contract_cache(const struct cache_contract *c);
/* What a key has, as text; NULL: nothing. Freed by the caller. */
char *contract_get(struct cache *c, struct str key);
/* Puts {"version":N,"is":"<text>"} and expects that it works. */
void contract_put(struct cache *c, struct str key, uint64_t version, const char *text, uint32_t ttl_s);
/* Connects, again and again while it must, until it works. */
void contract_connect(struct cache *c);

/* Returns the number of failures. */
int cache_contract_run(const struct cache_contract *c);

#endif
