/*
 * From the URLs of the configuration to stores, buses and caches. With serve.c the only place that names concrete ones.
 */
#ifndef APP_BACKENDS_H
#define APP_BACKENDS_H

#include "app/config.h"
#include "bus/bus.h"
#include "cache/cache.h"
#include "store/store.h"

#define PARTITION 0

/* URLs may hold passwords: they are never part of a note. */
MUST_CHECK enum err backend_store_open(const struct config *c, struct store **out, struct err_note *note);

/* Is there a bus outside this process? */
bool backend_has_bus(const struct config *c);
/* `node` names a follower. The broker need not be there. */
MUST_CHECK enum err
backend_bus_open(const struct config *c, enum bus_end end, const char *node, struct bus **out, struct err_note *note);

/* NULL when none is wanted. The server need not be there. */
MUST_CHECK enum err backend_cache_open(const struct config *c, struct cache **out, struct err_note *note);

#endif
