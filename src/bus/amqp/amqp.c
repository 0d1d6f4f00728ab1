#include "bus/amqp/amqp.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/amqp/link.h"
#include "bus/intake.h"

#include <amqp_framing.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_MAX_BYTES 255 /* of a queue or a routing key: AMQP has one byte for the length */
/* Events on their way to a confirmation. Few enough that a broker that stands still does not block a write. */
#define WINDOW 256
#define PREFETCH (2 * EVENT_BOX_EVENTS_MAX)
#define NODE_BYTES_MAX 128
#define PERSISTENT 2
#define RECEIVE_SLICE_MS 500
/* Positions come twice a second. A follower that hears nothing for so long connects anew, which binds its queue again. */
#define SILENCE_MS 10000

/* What was published since the last connect: tags of the channel, from 1 on. */
struct confirms {
    uint64_t next;       /* tag of the next event */
    uint64_t first_open; /* all before it are confirmed */
    bool done[WINDOW];   /* confirmed out of turn, by tag % WINDOW */
};

/* A message that is coming in: its frames follow one another. */
struct incoming {
    uint64_t tag;
    uint64_t bytes_left;
    struct buf body;
};

struct bus_amqp {
    struct bus base;
    enum bus_end end;
    uint32_t partition;
    char node[NODE_BYTES_MAX + 1];
    struct amqp_link link;
    struct confirms confirms;
    /* The following end. */
    struct intake intake;
    struct incoming incoming;
    int64_t heard_ms;   /* when the last frame came, monotonic */
    uint64_t taken_tag; /* the last one that was taken in; 0: none since the acknowledgement */
    enum { LOGGED_NOTHING, LOGGED_CONNECTED, LOGGED_DISCONNECTED } logged;
};

static const struct bus_ops bus_amqp_ops;

static struct bus_amqp *bus_amqp_from(struct bus *b)
{
    check(b->ops == &bus_amqp_ops);
    return (struct bus_amqp *)b;
}

static amqp_bytes_t bytes_of(struct str s)
{
    return (amqp_bytes_t){s.len, (void *)(uintptr_t)s.ptr}; /* the library does not write there */
}

static void nap(int64_t ms)
{
    usleep((useconds_t)(ms < 0 ? 0 : ms) * 1000);
}

/* Publishing. */

static enum err connect_publisher(struct bus_amqp *b, struct err_note *note)
{
    TRY(amqp_link_connect(&b->link, note));
    amqp_confirm_select(b->link.connection, LINK_CHANNEL);
    enum err e = amqp_link_result(&b->link, "no confirmations", note);
    if (e != ERR_OK) {
        amqp_link_drop(&b->link);
    }
    b->confirms = (struct confirms){.next = 1, .first_open = 1};
    return e;
}

static uint64_t unconfirmed(const struct confirms *c)
{
    return c->next - c->first_open;
}

static enum err confirm(struct confirms *c, uint64_t tag, bool also_before, struct err_note *note)
{
    if (tag >= c->next) {
        return amqp_link_failed(note, "events were not confirmed", "the broker confirms what was not sent");
    }
    for (uint64_t t = also_before ? c->first_open : tag; t <= tag; t++) {
        c->done[t % WINDOW] = true;
    }
    while (c->first_open < c->next && c->done[c->first_open % WINDOW]) {
        c->done[c->first_open++ % WINDOW] = false;
    }
    return ERR_OK;
}

static enum err take_confirmation(struct bus_amqp *b, const amqp_frame_t *frame, struct err_note *note)
{
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
    uint64_t tag = all ? b->confirms.next - 1 : ack->delivery_tag;
    if (tag < b->confirms.first_open) {
        return ERR_OK; /* one that came twice */
    }
    return confirm(&b->confirms, tag, ack->multiple, note);
}

/* Takes what has come, waiting up to `wait_ms` for the first frame. */
static enum err take_confirmations(struct bus_amqp *b, int64_t wait_ms, struct err_note *note)
{
    bool some = true;
    while (some) {
        amqp_frame_t frame;
        TRY(amqp_link_next(&b->link, wait_ms, &frame, &some, note));
        if (some) {
            TRY(take_confirmation(b, &frame, note));
        }
        wait_ms = 0;
    }
    return ERR_OK;
}

/* One publish. */
struct burst {
    struct bus_amqp *bus;
    int64_t until_ms;
    enum err err;
    struct err_note *note;
};

static enum err check_waiting(const struct burst *u)
{
    if (amqp_link_is_closed(&u->bus->link)) {
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
    while (unconfirmed(&u->bus->confirms) > rest) {
        TRY(check_waiting(u));
        TRY(take_confirmations(u->bus, LINK_SLICE_MS, u->note));
    }
    return ERR_OK;
}

static int send_event(struct bus_amqp *b, const struct event *e)
{
    char key[NAME_MAX_BYTES + 1];
    int len = snprintf(key, sizeof(key), "onhand.%" PRIu32 ".%s", b->partition, event_kind_name(e->kind));
    check(len > 0 && len < (int)sizeof(key));
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .content_type = amqp_cstring_bytes(EVENT_CONTENT_TYPE),
        .delivery_mode = PERSISTENT,
        .message_id = bytes_of(e->id),
    };
    return amqp_basic_publish(
        b->link.connection, LINK_CHANNEL, amqp_cstring_bytes(AMQP_EXCHANGE), amqp_cstring_bytes(key), false, false,
        &properties, bytes_of(e->json));
}

static bool send_event_cb(void *ctx, const struct event *e)
{
    struct burst *u = ctx;
    int status = send_event(u->bus, e);
    if (status != AMQP_STATUS_OK) {
        u->bus->link.healthy = false;
        u->err = amqp_link_failed(u->note, "cannot publish", amqp_error_string2(status));
        return false;
    }
    u->bus->confirms.next++;
    u->err = await(u, WINDOW - 1);
    return u->err == ERR_OK;
}

/* A connection that broke while nothing was published is found out here. */
static bool have_connection(const struct burst *u)
{
    struct bus_amqp *b = u->bus;
    if (b->link.connection != NULL && take_confirmations(b, 0, u->note) != ERR_OK) {
        amqp_link_drop(&b->link);
    }
    return b->link.connection != NULL || connect_publisher(b, u->note) == ERR_OK;
}

static enum err wait_connected(const struct burst *u)
{
    while (!amqp_link_is_closed(&u->bus->link)) {
        if (have_connection(u)) {
            return ERR_OK;
        }
        if (clock_mono_ms() >= u->until_ms) {
            return ERR_IO; /* the note says why the last try failed */
        }
        nap(LINK_SLICE_MS);
    }
    return amqp_link_failed(u->note, "cannot publish", "the bus is closed");
}

static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    struct bus_amqp *b = bus_amqp_from(base);
    struct err_note own = {{0}};
    struct burst u = {.bus = b, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS, .note = &own};
    check(b->end == BUS_PUBLISHES);
    u.err = wait_connected(&u);
    if (u.err == ERR_OK && event_each(m, send_event_cb, &u)) {
        u.err = await(&u, 0);
    }
    if (u.err != ERR_OK) { /* what is still on its way must not be taken for the confirmation of something else */
        amqp_link_drop(&b->link);
        return err_note_set(note, u.err, "%s", own.text);
    }
    return ERR_OK;
}

/* Following. */

static amqp_table_entry_t text_entry(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)},
    };
}

static amqp_table_entry_t number_entry(const char *key, int32_t value)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = value},
    };
}

static enum err declare_queue(struct bus_amqp *b, amqp_bytes_t queue, struct err_note *note)
{
    amqp_table_entry_t entries[] = {
        number_entry("x-max-length", AMQP_QUEUE_EVENTS_MAX),
        text_entry("x-overflow", "drop-head"),
    };
    amqp_table_t arguments = {ARRAY_LEN(entries), entries};
    char pattern[NAME_MAX_BYTES + 1];
    snprintf(pattern, sizeof(pattern), "onhand.%" PRIu32 ".#", b->partition);
    amqp_connection_state_t c = b->link.connection;
    amqp_queue_declare(c, LINK_CHANNEL, queue, false, false, true, true, arguments);
    TRY(amqp_link_result(&b->link, "cannot declare the queue", note));
    amqp_queue_bind(
        c, LINK_CHANNEL, queue, amqp_cstring_bytes(AMQP_EXCHANGE), amqp_cstring_bytes(pattern), amqp_empty_table);
    return amqp_link_result(&b->link, "cannot bind the queue", note);
}

static enum err consume(struct bus_amqp *b, struct err_note *note)
{
    char name[NAME_MAX_BYTES + 1];
    snprintf(
        name, sizeof(name), "onhand.%" PRIu32 ".%s.%016" PRIx64, b->partition, b->node, random_seed()); /* a new one */
    amqp_bytes_t queue = amqp_cstring_bytes(name);
    TRY(declare_queue(b, queue, note));
    amqp_basic_qos(b->link.connection, LINK_CHANNEL, 0, PREFETCH, false);
    TRY(amqp_link_result(&b->link, "cannot limit what comes", note));
    amqp_basic_consume(b->link.connection, LINK_CHANNEL, queue, amqp_empty_bytes, false, false, true, amqp_empty_table);
    return amqp_link_result(&b->link, "cannot consume", note);
}

static enum err connect_follower(struct bus_amqp *b, struct err_note *note)
{
    TRY(amqp_link_connect(&b->link, note));
    enum err e = consume(b, note);
    if (e != ERR_OK) {
        amqp_link_drop(&b->link);
    }
    b->taken_tag = 0;
    b->incoming.tag = 0;
    b->heard_ms = clock_mono_ms();
    return e;
}

/* Who publishes tells its caller; a follower has nobody to tell. */
static void log_connected(struct bus_amqp *b)
{
    if (b->logged != LOGGED_CONNECTED) {
        log_line(LOG_INFO, "bus_connected", "bus=amqp");
        b->logged = LOGGED_CONNECTED;
    }
}

static void log_disconnected(struct bus_amqp *b, const struct err_note *why)
{
    char quoted[300];
    if (b->logged != LOGGED_DISCONNECTED && why->text[0] != '\0' && !amqp_link_is_closed(&b->link)) {
        log_line(LOG_WARN, "bus_disconnected", "bus=amqp why=%s", log_quote(why->text, quoted, sizeof(quoted)));
        b->logged = LOGGED_DISCONNECTED;
    }
}

static void give_up(struct bus_amqp *b, const struct err_note *why)
{
    amqp_link_drop(&b->link);
    log_disconnected(b, why);
}

static void take_message(struct bus_amqp *b)
{
    struct incoming *in = &b->incoming;
    intake_take(&b->intake, buf_str(&in->body), clock_mono_ms());
    b->taken_tag = in->tag;
    in->tag = 0;
}

/* A method, a header with the length, and the body in pieces. What is longer than any event is cut, and no event then. */
static void take_frame(struct bus_amqp *b, const amqp_frame_t *frame)
{
    struct incoming *in = &b->incoming;
    if (frame->frame_type == AMQP_FRAME_METHOD && frame->payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
        in->tag = ((const amqp_basic_deliver_t *)frame->payload.method.decoded)->delivery_tag;
        in->bytes_left = 0;
        buf_clear(&in->body);
        return;
    }
    if (in->tag == 0) {
        return;
    }
    if (frame->frame_type == AMQP_FRAME_HEADER) {
        in->bytes_left = frame->payload.properties.body_size;
    } else if (frame->frame_type == AMQP_FRAME_BODY) {
        amqp_bytes_t piece = frame->payload.body_fragment;
        buf_put(&in->body, piece.bytes, piece.len);
        in->bytes_left -= piece.len < in->bytes_left ? piece.len : in->bytes_left;
    } else {
        return;
    }
    if (in->bytes_left == 0) {
        take_message(b);
    }
}

/* Takes what has come, and waits up to `wait_ms` for the first frame. */
static enum err take_frames(struct bus_amqp *b, int64_t wait_ms, struct err_note *note)
{
    bool some = true;
    while (some && !intake_is_full(&b->intake)) {
        amqp_frame_t frame;
        TRY(amqp_link_next(&b->link, wait_ms, &frame, &some, note));
        if (some) {
            take_frame(b, &frame);
            b->heard_ms = clock_mono_ms();
        }
        wait_ms = 0;
    }
    return ERR_OK;
}

/* Foreign events alone fill no message that is given back: they are acknowledged here. */
static enum err acknowledge(struct bus_amqp *b, struct err_note *note)
{
    if (b->taken_tag == 0 || b->link.connection == NULL) {
        return ERR_OK;
    }
    int status = amqp_basic_ack(b->link.connection, LINK_CHANNEL, b->taken_tag, true);
    b->taken_tag = 0;
    if (status != AMQP_STATUS_OK) {
        b->link.healthy = false;
        return amqp_link_failed(note, "cannot acknowledge", amqp_error_string2(status));
    }
    return ERR_OK;
}

/* One turn of at most about `wait_ms`: connects, or takes what comes. */
static const struct bus_message *follow(struct bus_amqp *b, int64_t wait_ms)
{
    struct err_note note = {{0}};
    enum err e = b->link.connection != NULL ? ERR_OK : connect_follower(b, &note);
    if (e != ERR_OK) {
        log_disconnected(b, &note);
        nap(wait_ms < LINK_SLICE_MS ? wait_ms : LINK_SLICE_MS);
        return NULL;
    }
    log_connected(b);
    e = take_frames(b, wait_ms, &note);
    const struct bus_message *m = intake_lend(&b->intake);
    if (e == ERR_OK && m == NULL) {
        e = acknowledge(b, &note);
    }
    if (e != ERR_OK) {
        give_up(b, &note);
    } else if (m == NULL && clock_mono_ms() - b->heard_ms > SILENCE_MS) {
        amqp_link_drop(&b->link);
    }
    return m;
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct bus_amqp *b = bus_amqp_from(base);
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    check(b->end == BUS_FOLLOWS);
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        if (amqp_link_is_closed(&b->link)) {
            return NULL;
        }
        const struct bus_message *m = follow(b, left_ms > RECEIVE_SLICE_MS ? RECEIVE_SLICE_MS : left_ms);
        if (m != NULL || left_ms <= 0) {
            return m;
        }
    }
}

static void done(struct bus *base, const struct bus_message *m)
{
    struct bus_amqp *b = bus_amqp_from(base);
    struct err_note note = {{0}};
    intake_done(&b->intake, m);
    if (acknowledge(b, &note) != ERR_OK) {
        give_up(b, &note);
    }
}

/* Both ends. */

static void close_bus(struct bus *base)
{
    amqp_link_close(&bus_amqp_from(base)->link);
}

static void free_bus(struct bus *base)
{
    struct bus_amqp *b = bus_amqp_from(base);
    amqp_link_release(&b->link);
    if (b->end == BUS_FOLLOWS) {
        intake_release(&b->intake);
        buf_release(&b->incoming.body);
    }
    mem_free(b);
}

static const struct bus_ops bus_amqp_ops = {
    .name = "amqp",
    .publish = publish,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

enum err bus_amqp_open(const struct bus_options *o, struct bus **out, struct err_note *note)
{
    struct places places;
    if (o->end == BUS_FOLLOWS && strlen(o->node) > NODE_BYTES_MAX) {
        return err_note_set(note, ERR_CONFIG, "the name of the node is longer than %d bytes", NODE_BYTES_MAX);
    }
    TRY(places_parse(o->url, &places, note));
    struct bus_amqp *b = mem_new(sizeof(*b));
    b->base.ops = &bus_amqp_ops;
    b->end = o->end;
    b->partition = o->partition;
    amqp_link_init(&b->link, &places);
    if (o->end == BUS_FOLLOWS) {
        memcpy(b->node, o->node, strlen(o->node) + 1);
        intake_init(&b->intake, "amqp", o->partition);
        buf_init(&b->incoming.body, EVENT_READ_BYTES_MAX);
    }
    *out = &b->base;
    return ERR_OK;
}
