#include "bus/amqp/amqp.h"

#include "base/mem.h"
#include "bus/amqp/follow.h"
#include "bus/amqp/publish.h"

struct bus_amqp {
    struct bus base;
    enum bus_end end; /* which of the two it has; the other one is all zero */
    struct amqp_publisher publisher;
    struct amqp_follower follower;
};

static const struct bus_ops bus_amqp_ops;

static struct bus_amqp *bus_amqp_from(struct bus *b)
{
    check(b->ops == &bus_amqp_ops);
    return (struct bus_amqp *)b;
}

static struct amqp_publisher *publisher_of(struct bus *base)
{
    struct bus_amqp *b = bus_amqp_from(base);
    check(b->end == BUS_PUBLISHES);
    return &b->publisher;
}

static struct amqp_follower *follower_of(struct bus *base)
{
    struct bus_amqp *b = bus_amqp_from(base);
    check(b->end == BUS_FOLLOWS);
    return &b->follower;
}

static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    return amqp_publisher_publish(publisher_of(base), m, note);
}

static enum err last(struct bus *base, struct bus_position *out, struct err_note *note)
{
    return amqp_publisher_last(publisher_of(base), out, note);
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    return amqp_follower_receive(follower_of(base), timeout_ms);
}

static void done(struct bus *base, const struct bus_message *m)
{
    amqp_follower_done(follower_of(base), m);
}

static void close_bus(struct bus *base)
{
    struct bus_amqp *b = bus_amqp_from(base);
    amqp_link_close(b->end == BUS_PUBLISHES ? &b->publisher.link : &b->follower.link);
}

static void free_bus(struct bus *base)
{
    struct bus_amqp *b = bus_amqp_from(base);
    if (b->end == BUS_PUBLISHES) {
        amqp_publisher_release(&b->publisher);
    } else {
        amqp_follower_release(&b->follower);
    }
    mem_free(b);
}

static const struct bus_ops bus_amqp_ops = {
    .name = "amqp",
    .publish = publish,
    .last = last,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

enum err bus_amqp_open(const struct bus_options *o, struct bus **out, struct err_note *note)
{
    struct places places;
    if (o->end == BUS_FOLLOWS && strlen(o->node) > AMQP_NODE_BYTES_MAX) {
        return err_note_set(note, ERR_CONFIG, "the name of the node is longer than %d bytes", AMQP_NODE_BYTES_MAX);
    }
    TRY(places_parse(o->url, &places, note));
    struct bus_amqp *b = mem_new(sizeof(*b));
    b->base.ops = &bus_amqp_ops;
    b->end = o->end;
    if (o->end == BUS_PUBLISHES) {
        amqp_publisher_init(&b->publisher, o->partition, &places);
    } else {
        amqp_follower_init(&b->follower, o->partition, o->node, &places);
    }
    *out = &b->base;
    return ERR_OK;
}
