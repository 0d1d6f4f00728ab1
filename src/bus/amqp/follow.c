#include "bus/amqp/follow.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bus/amqp/amqp.h"
#include "bus/amqp/quorum.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SPARE_CHANNEL 2
#define PREFETCH (2 * EVENT_BOX_EVENTS_MAX)
#define RECEIVE_SLICE_MS 500
#define READERS_MS 5000 /* how long the reader of the queue before us has to go */
#define READERS_NAP_MS 200
/* Positions come twice a second. A follower that hears nothing for so long connects anew, which binds its queue again. */
#define SILENCE_MS 10000

void amqp_follower_init(struct amqp_follower *f, uint32_t partition, const char *node, const struct places *places)
{
    *f = (struct amqp_follower){.partition = partition};
    check(strlen(node) <= AMQP_NODE_BYTES_MAX);
    memcpy(f->node, node, strlen(node) + 1);
    amqp_link_init(&f->link, places);
    intake_init(&f->intake, "amqp", partition);
    buf_init(&f->incoming.body, EVENT_READ_BYTES_MAX);
}

void amqp_follower_release(struct amqp_follower *f)
{
    amqp_link_release(&f->link);
    intake_release(&f->intake);
    buf_release(&f->incoming.body);
}

static void nap(int64_t ms)
{
    usleep((useconds_t)(ms < 0 ? 0 : ms) * 1000);
}

/*
 * The queue: a durable one of the node's name, which has what came while the node was away for a moment. When another
 * reader has it (a node of the same name, an earlier connection that the broker believes in), or when it cannot be had, an
 * exclusive one serves for as long as the connection lasts.
 */

static void name_of(const struct amqp_follower *f, char out[QUORUM_NAME_BYTES_MAX + 1])
{
    int len = snprintf(out, QUORUM_NAME_BYTES_MAX + 1, "onhand.%" PRIu32 ".node.%s", f->partition, f->node);
    check(len > 0 && len <= QUORUM_NAME_BYTES_MAX);
}

static void pattern_of(const struct amqp_follower *f, char out[QUORUM_NAME_BYTES_MAX + 1])
{
    int len = snprintf(out, QUORUM_NAME_BYTES_MAX + 1, "onhand.%" PRIu32 ".#", f->partition);
    check(len > 0 && len <= QUORUM_NAME_BYTES_MAX);
}

static enum err bind_queue(struct amqp_follower *f, const char *name, struct err_note *note)
{
    char pattern[QUORUM_NAME_BYTES_MAX + 1];
    pattern_of(f, pattern);
    amqp_queue_bind(
        f->link.connection, LINK_CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(AMQP_EXCHANGE),
        amqp_cstring_bytes(pattern), amqp_empty_table);
    return amqp_link_result(&f->link, "cannot bind the queue", note);
}

static enum err consume_from(struct amqp_follower *f, const char *name, struct err_note *note)
{
    amqp_basic_qos(f->link.connection, LINK_CHANNEL, 0, PREFETCH, false);
    TRY(amqp_link_result(&f->link, "cannot limit what comes", note));
    amqp_basic_consume(
        f->link.connection, LINK_CHANNEL, amqp_cstring_bytes(name), amqp_empty_bytes, false, false, false,
        amqp_empty_table);
    return amqp_link_result(&f->link, "cannot consume", note);
}

static enum err consume_exclusive(struct amqp_follower *f, struct err_note *note)
{
    char name[QUORUM_NAME_BYTES_MAX + 1];
    snprintf(
        name, sizeof(name), "onhand.%" PRIu32 ".node.%s.%016" PRIx64, f->partition, f->node,
        random_seed()); /* a new one */
    amqp_table_entry_t entries[] = {
        {amqp_cstring_bytes("x-max-length"), {AMQP_FIELD_KIND_I32, {.i32 = AMQP_QUEUE_EVENTS_MAX}}},
        {amqp_cstring_bytes("x-overflow"), {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes("drop-head")}}},
    };
    amqp_queue_declare(
        f->link.connection, LINK_CHANNEL, amqp_cstring_bytes(name), false, false, true, true,
        (amqp_table_t){ARRAY_LEN(entries), entries});
    TRY(amqp_link_result(&f->link, "cannot declare the queue", note));
    TRY(bind_queue(f, name, note));
    return consume_from(f, name, note);
}

/* Binding comes later. One that is there already is bound. */
static enum err consume_durable(struct amqp_follower *f, const char *name, struct err_note *note)
{
    amqp_link_set_patience(&f->link, QUORUM_ANSWER_MS);
    TRY(consume_from(f, name, note));
    amqp_link_set_patience(&f->link, LINK_ANSWER_MS);
    f->bind_due_ms = clock_mono_ms() + QUORUM_SETTLE_MS;
    return ERR_OK;
}

/*
 * Declares it, and waits a while for its reader to go: after a restart of the broker the queue takes some time to find out
 * that the reader it remembers is gone.
 */
static enum err
declare_free(struct amqp_follower *f, const struct quorum_queue *q, uint32_t *out_readers, struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + READERS_MS;
    TRY(quorum_declare(&f->link, q, out_readers, note));
    while (*out_readers > 0 && clock_mono_ms() < until_ms && !amqp_link_is_closed(&f->link)) {
        nap(READERS_NAP_MS);
        TRY(quorum_declare(&f->link, q, out_readers, note));
    }
    return ERR_OK;
}

static enum err try_durable(struct amqp_follower *f, struct err_note *note)
{
    char name[QUORUM_NAME_BYTES_MAX + 1];
    uint32_t readers = 0;
    name_of(f, name);
    const struct quorum_queue q = {name, AMQP_QUEUE_EVENTS_MAX, AMQP_QUEUE_EVENT_MS, AMQP_QUEUE_UNUSED_MS, true};
    enum err e = declare_free(f, &q, &readers, note);
    if (e == ERR_OK && readers == 0) {
        e = consume_durable(f, name, note);
    } else if (e == ERR_OK) {
        e = consume_exclusive(f, note);
    }
    f->elsewhere = e != ERR_OK && (f->link.timed_out || f->link.refused);
    f->silent = e != ERR_OK && f->link.timed_out;
    return e;
}

/* Nothing is routed to it any more at once; the rest takes the broker a while. */
static enum err remove_durable(struct amqp_follower *f, struct err_note *note)
{
    char name[QUORUM_NAME_BYTES_MAX + 1];
    char pattern[QUORUM_NAME_BYTES_MAX + 1];
    name_of(f, name);
    pattern_of(f, pattern);
    amqp_queue_unbind(
        f->link.connection, LINK_CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(AMQP_EXCHANGE),
        amqp_cstring_bytes(pattern), amqp_empty_table);
    TRY(amqp_link_result(&f->link, "cannot unbind the queue", note));
    TRY(amqp_link_open_channel(&f->link, SPARE_CHANNEL, note));
    return quorum_delete(&f->link, SPARE_CHANNEL, name, note);
}

static enum err consume(struct amqp_follower *f, struct err_note *note)
{
    f->bind_due_ms = 0;
    if (!f->elsewhere) {
        return try_durable(f, note);
    }
    if (f->silent) {
        TRY(remove_durable(f, note));
    }
    TRY(consume_exclusive(f, note));
    f->elsewhere = false;
    f->silent = false;
    return ERR_OK;
}

static enum err bind_when_due(struct amqp_follower *f, struct err_note *note)
{
    char name[QUORUM_NAME_BYTES_MAX + 1];
    if (f->bind_due_ms == 0 || clock_mono_ms() < f->bind_due_ms) {
        return ERR_OK;
    }
    f->bind_due_ms = 0;
    name_of(f, name);
    return bind_queue(f, name, note);
}

/* Connecting. */

static enum err connect_follower(struct amqp_follower *f, struct err_note *note)
{
    TRY(amqp_link_connect(&f->link, note));
    enum err e = consume(f, note);
    if (e != ERR_OK) {
        amqp_link_drop(&f->link);
    }
    f->taken_tag = 0;
    f->incoming.tag = 0;
    f->heard_ms = clock_mono_ms();
    return e;
}

/* Who publishes tells its caller; a follower has nobody to tell. */
static void log_connected(struct amqp_follower *f)
{
    if (f->logged != LOGGED_CONNECTED) {
        log_line(LOG_INFO, "bus_connected", "bus=amqp");
        f->logged = LOGGED_CONNECTED;
    }
}

static void log_disconnected(struct amqp_follower *f, const struct err_note *why)
{
    char quoted[300];
    if (f->logged != LOGGED_DISCONNECTED && why->text[0] != '\0' && !amqp_link_is_closed(&f->link)) {
        log_line(LOG_WARN, "bus_disconnected", "bus=amqp why=%s", log_quote(why->text, quoted, sizeof(quoted)));
        f->logged = LOGGED_DISCONNECTED;
    }
}

static void give_up(struct amqp_follower *f, const struct err_note *why)
{
    amqp_link_drop(&f->link);
    log_disconnected(f, why);
}

/* What comes. */

/* What is longer than any event is cut, and no event then. */
static void take_frame(struct amqp_follower *f, const amqp_frame_t *frame)
{
    struct incoming *in = &f->incoming;
    if (frame->channel != LINK_CHANNEL) {
        return;
    }
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
        incoming_begin(in, ((const amqp_basic_deliver_t *)frame->payload.method.decoded)->delivery_tag);
    } else if (incoming_take(in, frame)) {
        intake_take(&f->intake, buf_str(&in->body), clock_mono_ms());
        f->taken_tag = in->tag;
        in->tag = 0;
    }
}

/* Takes what has come, and waits up to `wait_ms` for the first frame. */
static enum err take_frames(struct amqp_follower *f, int64_t wait_ms, struct err_note *note)
{
    bool some = true;
    while (some && !intake_is_full(&f->intake)) {
        amqp_frame_t frame;
        TRY(amqp_link_next(&f->link, wait_ms, &frame, &some, note));
        if (some) {
            take_frame(f, &frame);
            f->heard_ms = clock_mono_ms();
        }
        wait_ms = 0;
    }
    return ERR_OK;
}

/* Foreign events alone fill no message that is given back: they are acknowledged here. */
static enum err acknowledge(struct amqp_follower *f, struct err_note *note)
{
    if (f->taken_tag == 0 || f->link.connection == NULL) {
        return ERR_OK;
    }
    int status = amqp_basic_ack(f->link.connection, LINK_CHANNEL, f->taken_tag, true);
    f->taken_tag = 0;
    if (status != AMQP_STATUS_OK) {
        f->link.healthy = false;
        return amqp_link_failed(note, "cannot acknowledge", amqp_error_string2(status));
    }
    return ERR_OK;
}

/* One turn of at most about `wait_ms`: connects, or takes what comes. */
static const struct bus_message *follow(struct amqp_follower *f, int64_t wait_ms)
{
    struct err_note note = {{0}};
    enum err e = f->link.connection != NULL ? ERR_OK : connect_follower(f, &note);
    if (e != ERR_OK) {
        log_disconnected(f, &note);
        nap(wait_ms < LINK_SLICE_MS ? wait_ms : LINK_SLICE_MS);
        return NULL;
    }
    log_connected(f);
    e = take_frames(f, wait_ms, &note);
    const struct bus_message *m = intake_lend(&f->intake);
    if (e == ERR_OK && m == NULL) {
        e = acknowledge(f, &note);
    }
    if (e == ERR_OK) {
        e = bind_when_due(f, &note);
    }
    if (e != ERR_OK) {
        give_up(f, &note);
    } else if (m == NULL && clock_mono_ms() - f->heard_ms > SILENCE_MS) {
        amqp_link_drop(&f->link);
    }
    return m;
}

const struct bus_message *amqp_follower_receive(struct amqp_follower *f, int timeout_ms)
{
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        if (amqp_link_is_closed(&f->link)) {
            return NULL;
        }
        const struct bus_message *m = follow(f, left_ms > RECEIVE_SLICE_MS ? RECEIVE_SLICE_MS : left_ms);
        if (m != NULL || left_ms <= 0) {
            return m;
        }
    }
}

void amqp_follower_done(struct amqp_follower *f, const struct bus_message *m)
{
    struct err_note note = {{0}};
    intake_done(&f->intake, m);
    if (acknowledge(f, &note) != ERR_OK) {
        give_up(f, &note);
    }
}
