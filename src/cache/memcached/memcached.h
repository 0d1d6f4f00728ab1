/*
 * The cache in one memcached. Bytes of a key other than visible ASCII, and '%', are written as %XX, for a key of memcached has
 * no blanks. What is older is kept out by its check-and-set.
 */
#ifndef CACHE_MEMCACHED_MEMCACHED_H
#define CACHE_MEMCACHED_MEMCACHED_H

#include "cache/cache.h"

/* Connects later. */
struct cache *cache_memcached_new(const struct cache_options *options);

#endif
