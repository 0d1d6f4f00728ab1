#include "app/backends.h"

#include "bus/amqp/amqp.h"
#include "bus/kafka/kafka.h"
#include "bus/nats/nats.h"
#include "bus/redis/redis.h"
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
