#include "app/backends.h"

#include "bus/amqp/amqp.h"
#include "bus/endpoint.h"
#include "bus/kafka/kafka.h"
#include "bus/nats/nats.h"
#include "bus/redis/redis.h"
#include "cache/memcached/memcached.h"
#include "cache/redis/redis.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum err backend_store_open(const struct config *c, struct store **out, struct err_note *note)
{
    if (strcmp(c->store, "sqlite") == 0) {
        return store_sqlite_open(c->data, PARTITION, out, note);
    }
    if (begins(c->store, "postgresql://") || begins(c->store, "postgres://")) {
        return store_postgres_open(c->store, PARTITION, c->unsafe_durability == 1, out, note);
    }
    return err_note_set(note, ERR_CONFIG, "store: neither \"sqlite\" nor postgresql://...");
}

bool backend_has_bus(const struct config *c)
{
    return strcmp(c->bus, "local") != 0;
}

typedef enum err (*bus_open_fn)(const struct bus_options *options, struct bus **out, struct err_note *note);

static const struct {
    const char *scheme;
    bus_open_fn open;
} buses[] = {
    {"nats://", bus_nats_open},
    {"redis://", bus_redis_open},
    {"amqp://", bus_amqp_open},
    {"kafka://", bus_kafka_open},
};

enum err
backend_bus_open(const struct config *c, enum bus_end end, const char *node, struct bus **out, struct err_note *note)
{
    struct bus_options options = {.url = c->bus, .partition = PARTITION, .end = end, .node = node};
    for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
        if (begins(c->bus, buses[i].scheme)) {
            return buses[i].open(&options, out, note);
        }
    }
    return err_note_set(
        note, ERR_CONFIG, "bus: neither \"local\" nor nats://..., redis://..., amqp://... or kafka://...");
}

#define REDIS_PORT 6379
#define MEMCACHED_PORT 11211
/* More than that no Redis is set up with. */
#define REDIS_DATABASES 65536

/* redis://[[user]:password@]host[:port][/database] */
static struct cache *redis_of(struct str url)
{
    struct endpoint e;
    uint64_t database = 0;
    if (!endpoint_parse(url, "redis", REDIS_PORT, &e) ||
        (e.path.len > 0 && !str_to_u64(e.path, REDIS_DATABASES - 1, &database))) {
        return NULL;
    }
    const struct cache_options options = {e.host, e.port, e.user, e.password, (unsigned)database};
    return cache_redis_new(&options);
}

/* memcached://host[:port]; it knows no users. */
static struct cache *memcached_of(struct str url)
{
    struct endpoint e;
    if (!endpoint_parse(url, "memcached", MEMCACHED_PORT, &e) || e.user.len + e.password.len + e.path.len > 0) {
        return NULL;
    }
    const struct cache_options options = {.host = e.host, .port = e.port};
    return cache_memcached_new(&options);
}

enum err backend_cache_open(const struct config *c, struct cache **out, struct err_note *note)
{
    struct str url = str_from(c->cache);
    *out = NULL;
    if (strcmp(c->cache, "none") == 0) {
        return ERR_OK;
    }
    *out = begins(c->cache, "memcached://") ? memcached_of(url) : redis_of(url);
    if (*out == NULL) {
        return err_note_set(
            note, ERR_CONFIG,
            "cache: neither \"none\" nor redis://[user:password@]host[:port][/database] nor "
            "memcached://host[:port]");
    }
    return ERR_OK;
}
