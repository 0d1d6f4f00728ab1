#include "bus/amqp/publish.h"

#include "base/clock.h"
#include "bus/amqp/amqp.h"
#include "bus/event.h"

#include <amqp_framing.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define KEY_BYTES_MAX 255 /* AMQP has one byte for the length */
#define PERSISTENT 2

void amqp_publisher_init(struct amqp_publisher *p, uint32_t partition, const struct places *places)
{
    *p = (struct amqp_publisher){.partition = partition};
    amqp_link_init(&p->link, places);
    amqp_end_init(&p->end, partition);
}

void amqp_publisher_release(struct amqp_publisher *p)
{
    amqp_link_release(&p->link);
    amqp_end_release(&p->end);
}

/* Connecting. */

static enum err prepare(struct amqp_publisher *p, struct err_note *note)
{
    amqp_confirm_select(p->link.connection, LINK_CHANNEL);
    TRY(amqp_link_result(&p->link, "no confirmations", note));
    return amqp_end_begin(&p->end, &p->link, note);
}

static enum err connect_publisher(struct amqp_publisher *p, struct err_note *note)
{
    TRY(amqp_link_connect(&p->link, note));
    enum err e = prepare(p, note);
    if (e != ERR_OK) {
        amqp_link_drop(&p->link);
    }
    p->confirms = (struct amqp_confirms){.next = 1, .first_open = 1};
    return e;
}

/* Confirmations. */

static uint64_t unconfirmed(const struct amqp_confirms *c)
{
    return c->next - c->first_open;
}

static enum err confirm(struct amqp_confirms *c, uint64_t tag, bool also_before, struct err_note *note)
{
    if (tag >= c->next) {
        return amqp_link_failed(note, "events were not confirmed", "the broker confirms what was not sent");
    }
    for (uint64_t t = also_before ? c->first_open : tag; t <= tag; t++) {
        c->done[t % AMQP_WINDOW] = true;
    }
    while (c->first_open < c->next && c->done[c->first_open % AMQP_WINDOW]) {
        c->done[c->first_open++ % AMQP_WINDOW] = false;
    }
    return ERR_OK;
}

static enum err take_confirmation(struct amqp_publisher *p, const amqp_frame_t *frame, struct err_note *note)
{
    if (frame->channel == END_CHANNEL) {
        return amqp_end_take(&p->end, &p->link, frame, note);
    }
    if (frame->frame_type != AMQP_FRAME_METHOD) {
        return ERR_OK;
    }
    if (frame->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        return amqp_link_failed(note, "events were not confirmed", "the broker could not keep them");
    }
    if (frame->payload.method.id != AMQP_BASIC_ACK_METHOD) {
        return ERR_OK;
    }
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    bool all = ack->delivery_tag == 0 && ack->multiple;
    uint64_t tag = all ? p->confirms.next - 1 : ack->delivery_tag;
    if (tag < p->confirms.first_open) {
        return ERR_OK; /* one that came twice */
    }
    return confirm(&p->confirms, tag, ack->multiple, note);
}

/* Takes what has come, waiting up to `wait_ms` for the first frame. */
static enum err take_confirmations(struct amqp_publisher *p, int64_t wait_ms, struct err_note *note)
{
    bool some = true;
    while (some) {
        amqp_frame_t frame;
        TRY(amqp_link_next(&p->link, wait_ms, &frame, &some, note));
        if (some) {
            TRY(take_confirmation(p, &frame, note));
        }
        wait_ms = 0;
    }
    return ERR_OK;
}

/* One publish. */
struct burst {
    struct amqp_publisher *publisher;
    int64_t until_ms;
    enum err err;
    struct err_note *note;
};

static enum err check_waiting(const struct burst *u)
{
    if (amqp_link_is_closed(&u->publisher->link)) {
        return amqp_link_failed(u->note, "events were not confirmed", "the bus is closed");
    }
    if (clock_mono_ms() >= u->until_ms) {
        return amqp_link_failed(u->note, "events were not confirmed", "the broker does not answer");
    }
    return ERR_OK;
}

/* Until at most `rest` events are unconfirmed. */
static enum err await(const struct burst *u, uint64_t rest)
{
    while (unconfirmed(&u->publisher->confirms) > rest) {
        TRY(check_waiting(u));
        TRY(take_confirmations(u->publisher, LINK_SLICE_MS, u->note));
    }
    return ERR_OK;
}

static amqp_bytes_t bytes_of(struct str s)
{
    return (amqp_bytes_t){s.len, (void *)(uintptr_t)s.ptr}; /* the library does not write there */
}

static int send_event(struct amqp_publisher *p, const struct event *e)
{
    char key[KEY_BYTES_MAX + 1];
    int len = snprintf(key, sizeof(key), "onhand.%" PRIu32 ".%s", p->partition, event_kind_name(e->kind));
    check(len > 0 && len < (int)sizeof(key));
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .content_type = amqp_cstring_bytes(EVENT_CONTENT_TYPE),
        .delivery_mode = PERSISTENT,
        .message_id = bytes_of(e->id),
    };
    return amqp_basic_publish(
        p->link.connection, LINK_CHANNEL, amqp_cstring_bytes(AMQP_EXCHANGE), amqp_cstring_bytes(key), false, false,
        &properties, bytes_of(e->json));
}

static bool send_event_cb(void *ctx, const struct event *e)
{
    struct burst *u = ctx;
    int status = send_event(u->publisher, e);
    if (status != AMQP_STATUS_OK) {
        u->publisher->link.healthy = false;
        u->err = amqp_link_failed(u->note, "cannot publish", amqp_error_string2(status));
        return false;
    }
    u->publisher->confirms.next++;
    u->err = await(u, AMQP_WINDOW - 1);
    return u->err == ERR_OK;
}

/* The two calls. */

static enum err wait_connected(const struct burst *u)
{
    struct amqp_publisher *p = u->publisher;
    while (!amqp_link_is_closed(&p->link)) {
        if (p->link.connection != NULL || connect_publisher(p, u->note) == ERR_OK) {
            return ERR_OK;
        }
        if (clock_mono_ms() >= u->until_ms) {
            return ERR_IO; /* the note says why the last try failed */
        }
        usleep(LINK_SLICE_MS * 1000);
    }
    return amqp_link_failed(u->note, "cannot publish", "the bus is closed");
}

/*
 * A connection that broke while nothing was published is found out here. That fails the call: the broker may have come
 * back with less than it had, and the caller has to ask where the stream ends.
 */
static enum err check_connection(const struct burst *u)
{
    return u->publisher->link.connection == NULL ? ERR_OK : take_confirmations(u->publisher, 0, u->note);
}

static enum err publish(struct burst *u, const struct bus_message *m)
{
    TRY(check_connection(u));
    TRY(wait_connected(u));
    if (event_each(m, send_event_cb, u)) {
        u->err = await(u, 0);
    }
    TRY(u->err);
    return amqp_end_write(&u->publisher->end, &u->publisher->link, m, u->note);
}

enum err amqp_publisher_publish(struct amqp_publisher *p, const struct bus_message *m, struct err_note *note)
{
    struct err_note own = {{0}};
    struct burst u = {.publisher = p, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS, .note = &own};
    enum err e = publish(&u, m);
    if (e != ERR_OK) { /* what is still on its way must not be taken for the confirmation of something else */
        amqp_link_drop(&p->link);
        return err_note_set(note, e, "%s", own.text);
    }
    return ERR_OK;
}

enum err amqp_publisher_last(struct amqp_publisher *p, struct bus_position *out, struct err_note *note)
{
    struct err_note own = {{0}};
    struct burst u = {.publisher = p, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS, .note = &own};
    if (check_connection(&u) != ERR_OK) {
        amqp_link_drop(&p->link);
    }
    enum err e = wait_connected(&u);
    if (e == ERR_OK) {
        e = amqp_end_read(&p->end, &p->link, out, &own);
    }
    if (e != ERR_OK) {
        amqp_link_drop(&p->link);
        return err_note_set(note, e, "%s", own.text);
    }
    return ERR_OK;
}
