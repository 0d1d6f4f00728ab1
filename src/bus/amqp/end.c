#include "bus/amqp/end.h"

#include "base/clock.h"
#include "bus/amqp/quorum.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#define NOTE_FORMAT "{\"seq\":%" PRIu64 ",\"items\":%" PRIu64 "}"
#define PERSISTENT 2

void amqp_end_init(struct amqp_end *e, uint32_t partition)
{
    *e = (struct amqp_end){0};
    int len = snprintf(e->queue, sizeof(e->queue), "onhand.%" PRIu32 ".end", partition);
    check(len > 0 && len < (int)sizeof(e->queue));
    buf_init(&e->note.body, END_BYTES_MAX);
}

void amqp_end_release(struct amqp_end *e)
{
    buf_release(&e->note.body);
}

enum err amqp_end_begin(struct amqp_end *e, struct amqp_link *l, struct err_note *note)
{
    const struct quorum_queue q = {.name = e->queue, .events_max = 1};
    uint32_t readers;
    e->writing = false;
    e->note.tag = 0;
    TRY(amqp_link_open_channel(l, END_CHANNEL, note));
    return e->broken ? quorum_replace(l, END_CHANNEL, &q, note) : quorum_declare(l, &q, &readers, note);
}

/* Writing. */

static enum err write_note(struct amqp_end *e, struct amqp_link *l, struct err_note *note)
{
    char text[END_BYTES_MAX + 1];
    int len = snprintf(text, sizeof(text), NOTE_FORMAT, e->newest.seq, e->newest.items);
    check(len > 0 && len < (int)sizeof(text));
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = PERSISTENT,
    };
    int status = amqp_basic_publish(
        l->connection, END_CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(e->queue), false, false, &properties,
        (amqp_bytes_t){(size_t)len, text});
    if (status != AMQP_STATUS_OK) {
        l->healthy = false;
        return amqp_link_failed(note, "cannot publish", amqp_error_string2(status));
    }
    e->writing = true;
    e->unwritten = false;
    return ERR_OK;
}

static enum err write_if_due(struct amqp_end *e, struct amqp_link *l, struct err_note *note)
{
    return e->unwritten && !e->writing ? write_note(e, l, note) : ERR_OK;
}

/* A message of items alone says nothing of seq, and the other way round. */
static void advance(struct bus_position *newest, const struct bus_message *m)
{
    struct bus_position end = bus_message_end(m);
    bool both = m->position.time_ms != 0;
    newest->seq = both || end.seq != 0 ? end.seq : newest->seq;
    newest->items = both || end.items != 0 ? end.items : newest->items;
}

enum err amqp_end_write(struct amqp_end *e, struct amqp_link *l, const struct bus_message *m, struct err_note *note)
{
    struct bus_position before = e->newest;
    advance(&e->newest, m);
    e->unwritten = e->unwritten || before.seq != e->newest.seq || before.items != e->newest.items;
    return write_if_due(e, l, note);
}

enum err amqp_end_take(struct amqp_end *e, struct amqp_link *l, const amqp_frame_t *frame, struct err_note *note)
{
    amqp_method_number_t id = frame->frame_type == AMQP_FRAME_METHOD ? frame->payload.method.id : 0;
    if (id == AMQP_BASIC_ACK_METHOD) {
        e->broken = false;
    } else if (id == AMQP_BASIC_NACK_METHOD) {
        e->unwritten = true;
    } else {
        return ERR_OK;
    }
    e->writing = false;
    return id == AMQP_BASIC_ACK_METHOD ? write_if_due(e, l, note)
                                       : ERR_OK; /* one that was refused waits for the next */
}

/* Reading. */

/* Leaves `writing` true when it did not come to that within the time. */
static enum err await_written(struct amqp_end *e, struct amqp_link *l, struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + QUORUM_ANSWER_MS;
    TRY(write_if_due(e, l, note));
    while (e->writing && clock_mono_ms() < until_ms && !amqp_link_is_closed(l)) {
        amqp_frame_t frame;
        bool some;
        TRY(amqp_link_next(l, LINK_SLICE_MS, &frame, &some, note));
        if (some && frame.channel == END_CHANNEL) {
            TRY(amqp_end_take(e, l, &frame, note));
        }
    }
    return ERR_OK;
}

static enum err await_note(struct amqp_end *e, struct amqp_link *l, struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + QUORUM_ANSWER_MS;
    bool complete = false;
    while (!complete) {
        amqp_frame_t frame;
        bool some;
        if (clock_mono_ms() >= until_ms || amqp_link_is_closed(l)) {
            return amqp_link_failed(note, "cannot read where the stream ends", "the message does not come");
        }
        TRY(amqp_link_next(l, LINK_SLICE_MS, &frame, &some, note));
        complete = some && frame.channel == END_CHANNEL && incoming_take(&e->note, &frame);
    }
    return ERR_OK;
}

static uint64_t number_of(const json_t *note, const char *member)
{
    json_int_t number = json_integer_value(json_object_get(note, member));
    return number > 0 ? (uint64_t)number : 0;
}

/* A note that is not ours is none. */
static struct bus_position parse_note(struct str text)
{
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct bus_position at = {.seq = number_of(root, "seq"), .items = number_of(root, "items")};
    json_decref(root);
    return at;
}

/* The note stays in the queue. */
static enum err
fetch_note(struct amqp_end *e, struct amqp_link *l, uint64_t tag, struct bus_position *out, struct err_note *note)
{
    incoming_begin(&e->note, tag);
    TRY(await_note(e, l, note));
    *out = parse_note(buf_str(&e->note.body));
    e->note.tag = 0;
    int status = amqp_basic_reject(l->connection, END_CHANNEL, tag, true);
    return status == AMQP_STATUS_OK ? ERR_OK
                                    : amqp_link_failed(note, "the connection broke", amqp_error_string2(status));
}

static enum err ask(struct amqp_end *e, struct amqp_link *l, struct bus_position *out, struct err_note *note)
{
    amqp_link_set_patience(l, QUORUM_ANSWER_MS);
    amqp_rpc_reply_t reply = amqp_basic_get(l->connection, END_CHANNEL, amqp_cstring_bytes(e->queue), false);
    TRY(amqp_link_judge(l, reply, "cannot read where the stream ends", note));
    amqp_link_set_patience(l, LINK_ANSWER_MS);
    return reply.reply.id == AMQP_BASIC_GET_OK_METHOD
        ? fetch_note(e, l, ((const amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag, out, note)
        : ERR_OK;
}

/* The connection is given up: an answer that is late would be taken for that to something else. */
static void give_up_queue(struct amqp_end *e, struct amqp_link *l)
{
    l->healthy = false;
    amqp_link_drop(l);
    e->broken = true;
}

enum err amqp_end_read(struct amqp_end *e, struct amqp_link *l, struct bus_position *out, struct err_note *note)
{
    struct bus_position found = {0};
    enum err err = e->broken ? ERR_OK : await_written(e, l, note);
    if (err == ERR_OK && !e->broken && !e->writing) {
        err = ask(e, l, &found, note);
    }
    bool silent = !e->broken && (err == ERR_OK ? e->writing : l->timed_out);
    if (silent) {
        give_up_queue(e, l);
    } else if (err != ERR_OK) {
        return err;
    }
    e->newest = found;
    e->unwritten = false;
    *out = found;
    return ERR_OK;
}
