/* A message that comes in: a method that announces it, a header with its length, and its body in pieces. */
#ifndef BUS_AMQP_INCOMING_H
#define BUS_AMQP_INCOMING_H

#include "base/buf.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>

struct incoming {
    uint64_t tag; /* to acknowledge it with; 0: none comes in */
    uint64_t bytes_left;
    struct buf body; /* what is longer than its maximum is cut */
};

/* A delivery was announced. */
void incoming_begin(struct incoming *in, uint64_t tag);
/* The next frame; true when the message is complete, until the next call. Frames that are not its own do nothing. */
bool incoming_take(struct incoming *in, const amqp_frame_t *frame);

#endif
