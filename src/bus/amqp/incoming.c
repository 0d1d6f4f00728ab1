#include "bus/amqp/incoming.h"

void incoming_begin(struct incoming *in, uint64_t tag)
{
    in->tag = tag;
    in->bytes_left = 0;
    buf_clear(&in->body);
}

bool incoming_take(struct incoming *in, const amqp_frame_t *frame)
{
    if (in->tag == 0) {
        return false;
    }
    if (frame->frame_type == AMQP_FRAME_HEADER) {
        in->bytes_left = frame->payload.properties.body_size;
    } else if (frame->frame_type == AMQP_FRAME_BODY) {
        amqp_bytes_t piece = frame->payload.body_fragment;
        buf_put(&in->body, piece.bytes, piece.len);
        in->bytes_left -= piece.len < in->bytes_left ? piece.len : in->bytes_left;
    } else {
        return false;
    }
    return in->bytes_left == 0;
}
