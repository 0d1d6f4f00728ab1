/*
 * Quorum queues, and the one way in which RabbitMQ spoils them.
 *
 * A broker (3.10.8) writes down under which number it keeps a new quorum queue when half a second to one has passed. When it
 * is killed before, the queue is there again after the start, but as an empty one without a leader, for ever: what is
 * routed to it is never confirmed, and who reads it or asks it gets no answer for 65 s. Declaring, binding and unbinding
 * it work at once, and deleting it does, in 5 s.
 *
 * So a queue is bound to the exchange only when QUORUM_SETTLE_MS have passed since it was declared on a connection that still
 * stands, and who gets no answer from a queue unbinds and deletes it.
 */
#ifndef BUS_AMQP_QUORUM_H
#define BUS_AMQP_QUORUM_H

#include "bus/amqp/link.h"

#define QUORUM_NAME_BYTES_MAX 255 /* AMQP has one byte for the length */
#define QUORUM_SETTLE_MS 3000
/* An election takes half a second. */
#define QUORUM_ANSWER_MS 3000

struct quorum_queue {
    const char *name;
    int32_t events_max; /* then the oldest go */
    int32_t event_ms;   /* how long it keeps an event; 0: for ever */
    int32_t unused_ms;  /* how long the broker keeps it without a reader; 0: for ever */
    bool one_reader;    /* of several the broker gives events to one alone */
};

/* Declares it unless it is there. `out_readers`: how many there are already. */
MUST_CHECK enum err
quorum_declare(struct amqp_link *l, const struct quorum_queue *q, uint32_t *out_readers, struct err_note *note);
/* Deletes and declares it anew, without waiting for that: what is sent on the channel comes after it. */
MUST_CHECK enum err
quorum_replace(struct amqp_link *l, amqp_channel_t channel, const struct quorum_queue *q, struct err_note *note);
/* Deletes it, without waiting for that. The channel is busy with it for a while. */
MUST_CHECK enum err quorum_delete(struct amqp_link *l, amqp_channel_t channel, const char *name, struct err_note *note);

#endif
