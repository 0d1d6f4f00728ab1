/* The following end: a queue of its own, whose events are collected into messages. By one thread. */
#ifndef BUS_AMQP_FOLLOW_H
#define BUS_AMQP_FOLLOW_H

#include "bus/amqp/incoming.h"
#include "bus/amqp/link.h"
#include "bus/intake.h"

#define AMQP_NODE_BYTES_MAX 128

struct amqp_follower {
    uint32_t partition;
    char node[AMQP_NODE_BYTES_MAX + 1];
    struct amqp_link link;
    struct intake intake;
    struct incoming incoming;
    int64_t bind_due_ms; /* when the queue is to be bound, monotonic; 0: it is, or cannot be */
    bool elsewhere;      /* the next connection does without the durable queue: it could not be had */
    bool silent;         /* and that because it does not answer */
    int64_t heard_ms;    /* when the last frame came, monotonic */
    uint64_t taken_tag;  /* the last one that was taken in; 0: none since the acknowledgement */
    enum { LOGGED_NOTHING, LOGGED_CONNECTED, LOGGED_DISCONNECTED } logged;
};

/* Takes `places` over; `node` has AMQP_NODE_BYTES_MAX bytes at most. */
void amqp_follower_init(struct amqp_follower *f, uint32_t partition, const char *node, const struct places *places);
void amqp_follower_release(struct amqp_follower *f);
/* As receive and done of bus.h. */
const struct bus_message *amqp_follower_receive(struct amqp_follower *f, int timeout_ms);
void amqp_follower_done(struct amqp_follower *f, const struct bus_message *m);

#endif
