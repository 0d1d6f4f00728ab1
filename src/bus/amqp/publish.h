/* The publishing end: events to the exchange, confirmations back, and notes of where the stream ends. By one thread. */
#ifndef BUS_AMQP_PUBLISH_H
#define BUS_AMQP_PUBLISH_H

#include "bus/amqp/end.h"

/* Events on their way to a confirmation. Few enough that a broker that stands still does not block a write. */
#define AMQP_WINDOW 256

/* What was published since the last connect: tags of the channel, from 1 on. */
struct amqp_confirms {
    uint64_t next;          /* tag of the next event */
    uint64_t first_open;    /* all before it are confirmed */
    bool done[AMQP_WINDOW]; /* confirmed out of turn, by tag % AMQP_WINDOW */
};

struct amqp_publisher {
    uint32_t partition;
    struct amqp_link link;
    struct amqp_confirms confirms;
    struct amqp_end end;
};

/* Takes `places` over. */
void amqp_publisher_init(struct amqp_publisher *p, uint32_t partition, const struct places *places);
void amqp_publisher_release(struct amqp_publisher *p);
/* As publish and last of bus.h. */
MUST_CHECK enum err
amqp_publisher_publish(struct amqp_publisher *p, const struct bus_message *m, struct err_note *note);
MUST_CHECK enum err amqp_publisher_last(struct amqp_publisher *p, struct bus_position *out, struct err_note *note);

#endif
