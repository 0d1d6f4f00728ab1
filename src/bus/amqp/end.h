/*
 * Where the stream ends at the broker: a note that the publisher leaves there. What it has published and the broker has
 * confirmed is written as {"seq":...,"items":...} into the queue `onhand.<partition>.end`, a quorum queue that keeps the
 * newest note. A broker that comes back with nothing has none; what a note names was confirmed before it was written.
 *
 * Notes go to the queue directly and on a channel of their own, one at a time: a queue that does not answer holds up no
 * event.
 */
#ifndef BUS_AMQP_END_H
#define BUS_AMQP_END_H

#include "bus/amqp/incoming.h"
#include "bus/amqp/link.h"
#include "bus/bus.h"

#define END_CHANNEL 2
#define END_BYTES_MAX 64 /* of a note */

struct amqp_end {
    char queue[32];
    struct bus_position newest; /* what was published: seq and items */
    bool unwritten;             /* `newest` is not in a note yet */
    bool writing;               /* a note is not confirmed yet */
    bool broken;                /* the queue does not answer: it is replaced, until a note is confirmed */
    struct incoming note;
};

void amqp_end_init(struct amqp_end *e, uint32_t partition);
void amqp_end_release(struct amqp_end *e);

/* On a new connection: declares the queue. */
MUST_CHECK enum err amqp_end_begin(struct amqp_end *e, struct amqp_link *l, struct err_note *note);
/* The message was published and confirmed: a note says so, now or when the one before is confirmed. */
MUST_CHECK enum err
amqp_end_write(struct amqp_end *e, struct amqp_link *l, const struct bus_message *m, struct err_note *note);
/* A frame of END_CHANNEL. */
MUST_CHECK enum err
amqp_end_take(struct amqp_end *e, struct amqp_link *l, const amqp_frame_t *frame, struct err_note *note);
/*
 * What the broker's note says, after what was published has got one; zeros when there is none. ERR_IO: the connection is
 * of no use any more. A queue that does not answer has no note: the connection is dropped, and the next one replaces the
 * queue.
 */
MUST_CHECK enum err
amqp_end_read(struct amqp_end *e, struct amqp_link *l, struct bus_position *out, struct err_note *note);

#endif
