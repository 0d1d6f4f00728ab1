/*
 * The cache in a Redis of version 5 or later, or in what speaks its protocol and runs Lua. Keys as they are, a string each.
 * What is older is kept out by a script that runs in the server, one key a call.
 */
#ifndef CACHE_REDIS_REDIS_H
#define CACHE_REDIS_REDIS_H

#include "cache/cache.h"

/* Connects later. */
struct cache *cache_redis_new(const struct cache_options *options);

#endif
