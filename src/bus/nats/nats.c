#include "bus/nats/nats.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/endpoint.h"
#include "bus/intake.h"

#include <inttypes.h>
#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define STREAM "ONHAND"
#define STREAM_SUBJECTS "onhand.>"
#define STREAM_AGE_NS (24LL * 3600 * 1000000000)
#define STREAM_BYTES_MAX (1LL << 30)

#define PORT 4222
#define SERVERS_MAX 16
#define SUBJECT_BYTES_MAX 64
#define INBOX_BYTES_MAX 64
/* Events on their way to a confirmation. */
#define WINDOW 256
/* What a follower has not taken yet; then the newest are dropped. */
#define PENDING_MESSAGES_MAX 65536
#define PENDING_BYTES_MAX (64 * 1024 * 1024)

#define CONNECT_MS 1000
#define WRITE_MS 2000
#define PING_MS 2000
#define RECONNECT_MS 200
#define RECONNECT_JITTER_MS 100
#define SLICES_MS 500 /* a follower's look at its connection */
#define SLICE_MS 50   /* how often a waiting call looks whether the bus was closed or the connection broke */

struct bus_nats {
    struct bus base;
    enum bus_end end;
    uint32_t partition;
    natsOptions *options;
    char topic[SUBJECT_BYTES_MAX]; /* "onhand.<partition>" */
    pthread_mutex_t lock;          /* guards `connection` between the calling thread, which sets it, and close() */
    natsConnection *connection;
    natsSubscription *subscription; /* of the events, or of the confirmations */
    int64_t tried_ms;               /* to connect; 0: never */
    atomic_bool closed;
    /* The publishing end. */
    natsStatistics *statistics;
    natsInbox *inbox; /* confirmations come to "<inbox>.<ticket>" */
    uint64_t next_ticket;
    bool stream_sure;    /* the stream is there, if the connection is still the one of: */
    uint64_t reconnects; /* the library's count */
    /* The following end. */
    struct intake intake;
};

static const struct bus_ops bus_nats_ops;

static struct bus_nats *bus_nats_from(struct bus *b)
{
    check(b->ops == &bus_nats_ops);
    return (struct bus_nats *)b;
}

static void lock(struct bus_nats *b)
{
    int failed = pthread_mutex_lock(&b->lock);
    check(failed == 0);
}

static void unlock(struct bus_nats *b)
{
    int failed = pthread_mutex_unlock(&b->lock);
    check(failed == 0);
}

/* The connection. */

/* That there is one makes the library connect in the background. It may be called when the bus is gone, so it does nothing. */
static void connected_cb(natsConnection *c, void *ctx)
{
    (void)c;
    (void)ctx;
}

static void drop_connection(struct bus_nats *b)
{
    lock(b);
    natsConnection *old = b->connection;
    b->connection = NULL;
    unlock(b);
    natsSubscription_Destroy(b->subscription);
    natsConnection_Destroy(old);
    b->subscription = NULL;
    b->stream_sure = false;
}

/* The library subscribes again by itself each time it connects again. */
static natsStatus subscribe(struct bus_nats *b, natsConnection *c, natsSubscription **out)
{
    char subject[SUBJECT_BYTES_MAX + INBOX_BYTES_MAX];
    if (b->end == BUS_FOLLOWS) {
        snprintf(subject, sizeof(subject), "%s.>", b->topic);
    } else {
        snprintf(subject, sizeof(subject), "%s.*", b->inbox);
    }
    natsStatus s = natsConnection_SubscribeSync(out, c, subject);
    if (s == NATS_OK) {
        s = natsSubscription_SetPendingLimits(*out, PENDING_MESSAGES_MAX, PENDING_BYTES_MAX);
    }
    return s;
}

/* Makes a connection that, from then on, the library keeps up. */
static void connect_first(struct bus_nats *b)
{
    natsConnection *c = NULL;
    natsSubscription *sub = NULL;
    natsStatus s = natsConnection_Connect(&c, b->options);
    if (s == NATS_OK || s == NATS_NOT_YET_CONNECTED) { /* connected, or at it */
        s = subscribe(b, c, &sub);
    }
    if (s != NATS_OK) {
        natsSubscription_Destroy(sub);
        natsConnection_Destroy(c);
        return;
    }
    lock(b);
    b->connection = c;
    if (atomic_load(&b->closed)) {
        natsConnection_Close(c);
    }
    unlock(b);
    b->subscription = sub;
}

/*
 * Is there a connection that works, or on which the library works? It gives up, for example, when it was refused twice
 * for its password; then a new one is made, once in a while.
 */
static bool have_connection(struct bus_nats *b)
{
    if (atomic_load(&b->closed)) {
        return false;
    }
    if (b->connection != NULL && natsConnection_IsClosed(b->connection)) {
        drop_connection(b);
    }
    int64_t now_ms = clock_mono_ms();
    if (b->connection == NULL && (b->tried_ms == 0 || now_ms - b->tried_ms >= CONNECT_MS)) {
        b->tried_ms = now_ms;
        connect_first(b);
    }
    return b->connection != NULL;
}

static bool is_connected(struct bus_nats *b)
{
    return have_connection(b) && natsConnection_Status(b->connection) == NATS_CONN_STATUS_CONNECTED;
}

static void nap(int64_t ms)
{
    usleep((useconds_t)ms * 1000);
}

/* Publishing. */

static enum err failed(struct err_note *note, const char *what, const char *why)
{
    return err_note_set(note, ERR_IO, "NATS: %s: %s", what, why);
}

static enum err wait_connected(struct bus_nats *b, int64_t until_ms, struct err_note *note)
{
    while (!is_connected(b)) {
        if (atomic_load(&b->closed)) {
            return failed(note, "cannot publish", "the bus is closed");
        }
        if (clock_mono_ms() >= until_ms) {
            return failed(note, "cannot publish", "there is no connection");
        }
        nap(SLICE_MS);
    }
    return ERR_OK;
}

static uint64_t count_reconnects(struct bus_nats *b)
{
    uint64_t reconnects = 0;
    natsStatus s = natsConnection_GetStats(b->connection, b->statistics);
    if (s == NATS_OK) {
        s = natsStatistics_GetCounts(b->statistics, NULL, NULL, NULL, NULL, &reconnects);
    }
    return s == NATS_OK ? reconnects : UINT64_MAX;
}

static natsStatus make_stream(jsCtx *js, jsOptions *options, jsErrCode *code)
{
    static const char *subjects[] = {STREAM_SUBJECTS};
    jsStreamConfig config;
    natsStatus s = jsStreamConfig_Init(&config);
    config.Name = STREAM;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Discard = js_DiscardOld;
    config.MaxAge = STREAM_AGE_NS;
    config.MaxBytes = STREAM_BYTES_MAX;
    return s == NATS_OK ? js_AddStream(NULL, js, &config, options, code) : s;
}

static natsStatus find_or_make_stream(struct bus_nats *b, int64_t wait_ms, jsErrCode *code)
{
    jsCtx *js = NULL;
    jsOptions options;
    natsStatus s = jsOptions_Init(&options);
    options.Wait = wait_ms;
    if (s == NATS_OK) {
        s = natsConnection_JetStream(&js, b->connection, &options);
    }
    if (s == NATS_OK) {
        jsStreamInfo *info = NULL;
        s = js_GetStreamInfo(&info, js, STREAM, &options, code);
        jsStreamInfo_Destroy(info);
    }
    if (s == NATS_NOT_FOUND) {
        s = make_stream(js, &options, code);
    }
    jsCtx_Destroy(js);
    return s;
}

/*
 * Once for each connection, because a server that was away may have been wiped. It cannot be left to the first event to
 * tell: when a follower listens to its subject, nobody says that no stream does.
 */
static enum err ensure_stream(struct bus_nats *b, int64_t until_ms, struct err_note *note)
{
    uint64_t reconnects = count_reconnects(b);
    int64_t left_ms = until_ms - clock_mono_ms();
    if (b->stream_sure && b->reconnects == reconnects) {
        return ERR_OK;
    }
    if (left_ms <= 0) {
        return failed(note, "cannot publish", "there is no time left");
    }
    jsErrCode code = 0;
    natsStatus s = find_or_make_stream(b, left_ms, &code);
    if (s != NATS_OK) {
        return err_note_set(
            note, ERR_IO, "NATS: no stream " STREAM ": %s (JetStream error %d)", natsStatus_GetText(s), (int)code);
    }
    b->stream_sure = true;
    b->reconnects = reconnects;
    return ERR_OK;
}

/* One publish. Tickets `first`.. `next_ticket` of the bus are its own; older ones come late and are ignored. */
struct burst {
    struct bus_nats *bus;
    uint64_t first;
    uint64_t unconfirmed;
    int64_t until_ms;
    enum err err;
    struct err_note *note;
};

/* What the server says of one event: {"stream":..,"seq":..}, or {"error":{"description":..}}. */
static enum err read_confirmation(const char *bytes, size_t len, struct err_note *note)
{
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    enum err e = ERR_OK;
    if (json_object_get(root, "error") != NULL) {
        const char *why = json_string_value(json_object_get(json_object_get(root, "error"), "description"));
        e = failed(note, "an event was refused", why == NULL ? "no reason was given" : why);
    } else if (!json_is_string(json_object_get(root, "stream"))) {
        e = failed(note, "an event was not confirmed", "the answer is not JetStream's");
    }
    json_decref(root);
    return e;
}

static bool is_own_ticket(const struct burst *u, const char *subject)
{
    uint64_t ticket;
    const char *dot = strrchr(subject, '.');
    return dot != NULL && str_to_u64(str_from(dot + 1), UINT64_MAX, &ticket) && ticket >= u->first &&
        ticket < u->bus->next_ticket;
}

static enum err take_confirmation(struct burst *u, natsMsg *msg)
{
    if (!is_own_ticket(u, natsMsg_GetSubject(msg))) {
        return ERR_OK;
    }
    u->unconfirmed--;
    return read_confirmation(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), u->note);
}

/* Nothing came for a moment: is there still something to wait for? Confirmations do not survive their connection. */
static enum err check_waiting(struct burst *u)
{
    struct bus_nats *b = u->bus;
    if (atomic_load(&b->closed)) {
        return failed(u->note, "events were not confirmed", "the bus is closed");
    }
    if (!is_connected(b) || count_reconnects(b) != b->reconnects) {
        return failed(u->note, "events were not confirmed", "the connection broke");
    }
    if (clock_mono_ms() >= u->until_ms) {
        return failed(u->note, "events were not confirmed", "the server does not answer");
    }
    return ERR_OK;
}

/* Until at most `rest` events are unconfirmed. */
static enum err await(struct burst *u, uint64_t rest)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && u->unconfirmed > rest) {
        natsMsg *msg = NULL;
        natsStatus s = natsSubscription_NextMsg(&msg, u->bus->subscription, SLICE_MS);
        if (s == NATS_OK) {
            e = take_confirmation(u, msg);
            natsMsg_Destroy(msg);
        } else if (s == NATS_TIMEOUT) {
            e = check_waiting(u);
        } else {
            e = failed(u->note, "events were not confirmed", natsStatus_GetText(s));
        }
    }
    return e;
}

static natsStatus send_event(struct bus_nats *b, const struct event *e)
{
    char subject[SUBJECT_BYTES_MAX + 32];
    char reply[INBOX_BYTES_MAX + U64_DIGITS_MAX + 2];
    char id[EVENT_ID_BYTES_MAX + 1];
    natsMsg *msg = NULL;
    snprintf(subject, sizeof(subject), "%s.%s", b->topic, event_kind_name(e->kind));
    snprintf(reply, sizeof(reply), "%s.%" PRIu64, b->inbox, b->next_ticket++);
    snprintf(id, sizeof(id), "%.*s", STR_ARG(e->id));
    natsStatus s = natsMsg_Create(&msg, subject, reply, e->json.ptr, (int)e->json.len);
    if (s == NATS_OK) {
        s = natsMsgHeader_Set(msg, "Nats-Msg-Id", id);
    }
    if (s == NATS_OK) {
        s = natsMsgHeader_Set(msg, "Content-Type", EVENT_CONTENT_TYPE);
    }
    if (s == NATS_OK) {
        s = natsConnection_PublishMsg(b->connection, msg);
    }
    natsMsg_Destroy(msg);
    return s;
}

static bool send_event_cb(void *ctx, const struct event *e)
{
    struct burst *u = ctx;
    natsStatus s = send_event(u->bus, e);
    if (s != NATS_OK) {
        u->err = failed(u->note, "cannot publish", natsStatus_GetText(s));
        return false;
    }
    u->unconfirmed++;
    u->err = await(u, WINDOW - 1);
    return u->err == ERR_OK;
}

static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    struct bus_nats *b = bus_nats_from(base);
    struct burst u = {.bus = b, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS, .note = note};
    check(b->end == BUS_PUBLISHES);
    TRY(wait_connected(b, u.until_ms, note));
    TRY(ensure_stream(b, u.until_ms, note));
    u.first = b->next_ticket;
    if (event_each(m, send_event_cb, &u)) {
        u.err = await(&u, 0);
    }
    if (u.err != ERR_OK) {
        b->stream_sure = false;
    }
    return u.err;
}

/* The newest event of a kind that the stream holds, if any, into the box. */
static natsStatus read_newest(struct bus_nats *b, jsCtx *js, enum event_kind kind, struct event_box *box)
{
    char subject[SUBJECT_BYTES_MAX + 32];
    natsMsg *msg = NULL;
    jsErrCode code = 0;
    snprintf(subject, sizeof(subject), "%s.%s", b->topic, event_kind_name(kind));
    natsStatus s = js_GetLastMsg(&msg, js, STREAM, subject, NULL, &code);
    if (s == NATS_OK) {
        struct str json = {natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)};
        (void)!event_box_add(box, json, NULL); /* what is not ours says nothing */
    }
    natsMsg_Destroy(msg);
    return s == NATS_NOT_FOUND ? NATS_OK : s;
}

static natsStatus read_end(struct bus_nats *b, int64_t wait_ms, struct event_box *box)
{
    jsCtx *js = NULL;
    jsOptions options;
    natsStatus s = jsOptions_Init(&options);
    options.Wait = wait_ms;
    s = s != NATS_OK ? s : natsConnection_JetStream(&js, b->connection, &options);
    for (int kind = 0; kind < EVENT_KIND_COUNT && s == NATS_OK; kind++) {
        s = read_newest(b, js, (enum event_kind)kind, box);
    }
    jsCtx_Destroy(js);
    return s;
}

static enum err last(struct bus *base, struct bus_position *out, struct err_note *note)
{
    struct bus_nats *b = bus_nats_from(base);
    int64_t until_ms = clock_mono_ms() + BUS_CONFIRM_MS;
    check(b->end == BUS_PUBLISHES);
    TRY(wait_connected(b, until_ms, note));
    TRY(ensure_stream(b, until_ms, note));
    struct event_box *box = event_box_new(b->partition);
    natsStatus s = read_end(b, BUS_CONFIRM_MS, box);
    *out = bus_message_end(event_box_message(box));
    event_box_free(box);
    return s == NATS_OK ? ERR_OK : failed(note, "the end of the stream cannot be read", natsStatus_GetText(s));
}

/* Following. */

/* Takes what has come, and waits up to `wait_ms` for the first event. */
static void take_events(struct bus_nats *b, int64_t wait_ms)
{
    natsMsg *msg = NULL;
    natsStatus s = natsSubscription_NextMsg(&msg, b->subscription, wait_ms);
    while (s == NATS_OK) {
        struct str json = {natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)};
        intake_take(&b->intake, json, clock_mono_ms());
        natsMsg_Destroy(msg);
        msg = NULL;
        s = intake_is_full(&b->intake) ? NATS_TIMEOUT : natsSubscription_NextMsg(&msg, b->subscription, 0);
    }
    if (s == NATS_SLOW_CONSUMER) {
        log_line(LOG_WARN, "bus_events_dropped", "bus=nats"); /* the follower was too slow, and will see the gap */
    } else if (s != NATS_TIMEOUT) {
        nap(SLICE_MS); /* the connection is closed, and made anew */
    }
}

/* One look, of up to `wait_ms`. */
static const struct bus_message *receive_slice(struct bus_nats *b, int64_t wait_ms)
{
    intake_connection(&b->intake, is_connected(b));
    if (!have_connection(b)) {
        nap(wait_ms < SLICE_MS ? wait_ms : SLICE_MS);
        return NULL;
    }
    take_events(b, wait_ms < SLICES_MS ? wait_ms : SLICES_MS);
    return intake_lend(&b->intake);
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct bus_nats *b = bus_nats_from(base);
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    check(b->end == BUS_FOLLOWS);
    while (!atomic_load(&b->closed)) {
        int64_t left_ms = until_ms - clock_mono_ms();
        const struct bus_message *m = receive_slice(b, left_ms > 0 ? left_ms : 0);
        if (m != NULL || left_ms <= 0) {
            return m;
        }
    }
    return NULL;
}

static void done(struct bus *base, const struct bus_message *m)
{
    intake_done(&bus_nats_from(base)->intake, m);
}

/* Both ends. */

/* A call that waits for a message comes back when its connection is closed. */
static void close_bus(struct bus *base)
{
    struct bus_nats *b = bus_nats_from(base);
    atomic_store(&b->closed, true);
    lock(b);
    if (b->connection != NULL) {
        natsConnection_Close(b->connection);
    }
    unlock(b);
}

static void free_bus(struct bus *base)
{
    struct bus_nats *b = bus_nats_from(base);
    atomic_store(&b->closed, true);
    drop_connection(b);
    natsOptions_Destroy(b->options);
    natsStatistics_Destroy(b->statistics);
    natsInbox_Destroy(b->inbox);
    if (b->end == BUS_FOLLOWS) {
        intake_release(&b->intake);
    }
    int destroyed = pthread_mutex_destroy(&b->lock);
    check(destroyed == 0);
    mem_free(b);
}

static const struct bus_ops bus_nats_ops = {
    .name = "nats",
    .publish = publish,
    .last = last,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

/* Opening. */

/* The list of servers, in one terminated piece each. */
struct servers {
    char *text;
    const char *of[SERVERS_MAX];
    int len;
};

static enum err servers_parse(const char *url, struct servers *out, struct err_note *note)
{
    struct endpoint e;
    char *rest = NULL;
    *out = (struct servers){.text = mem_copy_str(str_from(url))};
    for (char *one = strtok_r(out->text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (out->len == SERVERS_MAX) {
            return err_note_set(note, ERR_CONFIG, "more than %d NATS servers", SERVERS_MAX);
        }
        if (!endpoint_parse(str_from(one), "nats", PORT, &e) || e.path.len > 0) {
            return err_note_set(
                note, ERR_CONFIG, "not a URL of a NATS server: need nats://[user[:password]@]host[:port]");
        }
        out->of[out->len++] = one;
    }
    return out->len > 0 ? ERR_OK : err_note_set(note, ERR_CONFIG, "no NATS server is named");
}

static natsStatus set_pace(natsOptions *options)
{
    natsStatus s = natsOptions_SetTimeout(options, CONNECT_MS);
    s = s != NATS_OK ? s : natsOptions_SetRetryOnFailedConnect(options, true, connected_cb, NULL);
    s = s != NATS_OK ? s : natsOptions_SetMaxReconnect(options, -1);
    s = s != NATS_OK ? s : natsOptions_SetReconnectWait(options, RECONNECT_MS);
    s = s != NATS_OK ? s : natsOptions_SetReconnectJitter(options, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS);
    s = s != NATS_OK ? s : natsOptions_SetWriteDeadline(options, WRITE_MS);
    s = s != NATS_OK ? s : natsOptions_SetPingInterval(options, PING_MS);
    return s;
}

static natsStatus make_options(const struct bus_options *o, struct servers *servers, natsOptions **out)
{
    char name[NAME_BYTES_MAX];
    snprintf(name, sizeof(name), "onhand-%s", o->end == BUS_FOLLOWS ? o->node : "relay");
    natsStatus s = natsOptions_Create(out);
    s = s != NATS_OK ? s : natsOptions_SetServers(*out, servers->of, servers->len);
    s = s != NATS_OK ? s : natsOptions_SetName(*out, name);
    return s != NATS_OK ? s : set_pace(*out);
}

static struct bus_nats *make_bus(const struct bus_options *o)
{
    struct bus_nats *b = mem_new(sizeof(*b));
    b->base.ops = &bus_nats_ops;
    b->end = o->end;
    b->partition = o->partition;
    snprintf(b->topic, sizeof(b->topic), "onhand.%" PRIu32, o->partition);
    int failed_to_init = pthread_mutex_init(&b->lock, NULL);
    check(failed_to_init == 0);
    if (o->end == BUS_FOLLOWS) {
        intake_init(&b->intake, "nats", o->partition);
    }
    return b;
}

enum err bus_nats_open(const struct bus_options *o, struct bus **out, struct err_note *note)
{
    struct servers servers;
    struct bus_nats *b = NULL;
    check(o->end == BUS_PUBLISHES || o->node != NULL);
    enum err e = servers_parse(o->url, &servers, note);
    if (e == ERR_OK) {
        b = make_bus(o);
        natsStatus s = make_options(o, &servers, &b->options);
        s = s != NATS_OK ? s : natsStatistics_Create(&b->statistics);
        s = s != NATS_OK ? s : natsInbox_Create(&b->inbox);
        e = s == NATS_OK ? ERR_OK : err_note_set(note, ERR_CONFIG, "NATS: %s", natsStatus_GetText(s));
    }
    if (e == ERR_OK) {
        *out = &b->base;
    } else if (b != NULL) {
        free_bus(&b->base);
    }
    mem_free(servers.text);
    return e;
}
