#include "bus/kafka/kafka.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/endpoint.h"
#include "bus/intake.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define SCHEME "kafka"
#define PORT 9092
#define SERVERS_BYTES_MAX 2048
/* How often a waiting call looks whether the bus was closed. */
#define SLICE_MS 50
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

struct bus_kafka {
    struct bus base;
    enum bus_end end;
    uint32_t partition;
    char *servers; /* "host:port,host:port" */
    atomic_bool closed;
    rd_kafka_t *client; /* NULL: to be made by the next call */
    /* The following end. */
    rd_kafka_topic_t *topic;
    struct intake intake;
    enum { LOGGED_NOTHING, LOGGED_CONNECTED, LOGGED_DISCONNECTED } logged;
};

static const struct bus_ops bus_kafka_ops;

static struct bus_kafka *bus_kafka_from(struct bus *b)
{
    check(b->ops == &bus_kafka_ops);
    return (struct bus_kafka *)b;
}

static enum err failed(struct err_note *note, const char *what, const char *why)
{
    return err_note_set(note, ERR_IO, "Kafka: %s: %s", what, why);
}

/* The client of the library. */

struct setting {
    const char *name;
    const char *value;
};

/* clang-format off */
static const struct setting shared_settings[] = {
    {"client.id", "onhand"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"socket.connection.setup.timeout.ms", "2000"},
    {"reconnect.backoff.ms", "100"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "5000"},
    {"allow.auto.create.topics", "true"},
};
static const struct setting publisher_settings[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"linger.ms", "1"},
    {"message.timeout.ms", TEXT(BUS_CONFIRM_MS)},
    {"queue.buffering.max.messages", "20000"},
};
static const struct setting follower_settings[] = {
    {"auto.offset.reset", "latest"},
    {"enable.auto.commit", "false"},
    {"enable.partition.eof", "true"},
    {"fetch.error.backoff.ms", "100"},
    {"queued.max.messages.kbytes", "16384"},
    {"socket.timeout.ms", "10000"},
};
/* clang-format on */

static void set_all(rd_kafka_conf_t *conf, const struct setting *settings, size_t len)
{
    char why[256];
    for (size_t i = 0; i < len; i++) {
        rd_kafka_conf_res_t set = rd_kafka_conf_set(conf, settings[i].name, settings[i].value, why, sizeof(why));
        check(set == RD_KAFKA_CONF_OK);
    }
}

/* Threads of the library. */
static void log_cb(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    char quoted[600];
    (void)client;
    (void)level;
    log_line(LOG_DEBUG, "bus_library", "bus=kafka of=%s text=%s", facility, log_quote(text, quoted, sizeof(quoted)));
}

/* Who publishes tells its caller; a follower has nobody to tell. */
static void log_disconnected(struct bus_kafka *b, const char *why)
{
    char quoted[600];
    if (b->end == BUS_FOLLOWS && b->logged != LOGGED_DISCONNECTED && !atomic_load(&b->closed)) {
        log_line(LOG_WARN, "bus_disconnected", "bus=kafka why=%s", log_quote(why, quoted, sizeof(quoted)));
        b->logged = LOGGED_DISCONNECTED;
    }
}

static void log_connected(struct bus_kafka *b)
{
    if (b->logged != LOGGED_CONNECTED) {
        log_line(LOG_INFO, "bus_connected", "bus=kafka");
        b->logged = LOGGED_CONNECTED;
    }
}

/* Called by rd_kafka_poll: on the thread that uses the bus. The library goes on by itself. */
static void error_cb(rd_kafka_t *client, int code, const char *why, void *ctx)
{
    (void)client;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__FATAL) {
        log_disconnected(ctx, why);
    }
}

static void delivered_cb(rd_kafka_t *client, const rd_kafka_message_t *m, void *ctx);

static rd_kafka_conf_t *make_settings(struct bus_kafka *b)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const struct setting servers = {"bootstrap.servers", b->servers};
    set_all(conf, shared_settings, ARRAY_LEN(shared_settings));
    set_all(conf, &servers, 1);
    if (b->end == BUS_PUBLISHES) {
        set_all(conf, publisher_settings, ARRAY_LEN(publisher_settings));
        rd_kafka_conf_set_dr_msg_cb(conf, delivered_cb);
    } else {
        set_all(conf, follower_settings, ARRAY_LEN(follower_settings));
    }
    rd_kafka_conf_set_opaque(conf, b);
    rd_kafka_conf_set_log_cb(conf, log_cb);
    rd_kafka_conf_set_error_cb(conf, error_cb);
    return conf;
}

static enum err make_client(struct bus_kafka *b, struct err_note *note)
{
    char why[256] = "";
    rd_kafka_conf_t *conf = make_settings(b);
    rd_kafka_type_t type = b->end == BUS_PUBLISHES ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    b->client = rd_kafka_new(type, conf, why, sizeof(why));
    if (b->client == NULL) {
        rd_kafka_conf_destroy(conf);
        return failed(note, "cannot make a client", why);
    }
    return ERR_OK;
}

/* With all that was not confirmed or taken. */
static void drop_client(struct bus_kafka *b)
{
    if (b->client == NULL) {
        return;
    }
    if (b->topic != NULL) {
        rd_kafka_consume_stop(b->topic, (int32_t)b->partition);
        rd_kafka_topic_destroy(b->topic);
        b->topic = NULL;
    }
    if (b->end == BUS_PUBLISHES) {
        rd_kafka_purge(b->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
    rd_kafka_destroy(b->client);
    b->client = NULL;
}

/* Publishing. */

/* One publish. All its events are reported, or thrown away with the client, before it ends. */
struct burst {
    struct bus_kafka *bus;
    int64_t until_ms;
    size_t unconfirmed;
    enum err err;
    struct err_note *note;
};

static void delivered_cb(rd_kafka_t *client, const rd_kafka_message_t *m, void *ctx)
{
    struct burst *u = m->_private;
    (void)client;
    (void)ctx;
    check(u->unconfirmed > 0);
    u->unconfirmed--;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && u->err == ERR_OK) {
        u->err = failed(u->note, "an event was not confirmed", rd_kafka_err2str(m->err));
    }
}

/* Lets reports come for a moment. */
static enum err wait_for_reports(struct burst *u)
{
    rd_kafka_poll(u->bus->client, SLICE_MS);
    if (u->err != ERR_OK) {
        return u->err;
    }
    if (atomic_load(&u->bus->closed)) {
        return failed(u->note, "events were not confirmed", "the bus is closed");
    }
    if (u->unconfirmed > 0 && clock_mono_ms() >= u->until_ms) {
        return failed(u->note, "events were not confirmed", "the cluster does not answer");
    }
    return ERR_OK;
}

static rd_kafka_resp_err_t send_event(struct burst *u, const struct event *e)
{
    struct str type = STR(EVENT_CONTENT_TYPE);
    void *json = (void *)(uintptr_t)e->json.ptr; /* copied */
    /* clang-format off */
    return rd_kafka_producev(
        u->bus->client,
        RD_KAFKA_V_TOPIC(KAFKA_TOPIC),
        RD_KAFKA_V_PARTITION((int32_t)u->bus->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(e->key.ptr, e->key.len),
        RD_KAFKA_V_VALUE(json, e->json.len),
        RD_KAFKA_V_HEADER("content-type", type.ptr, (ssize_t)type.len),
        RD_KAFKA_V_HEADER("ce_id", e->id.ptr, (ssize_t)e->id.len),
        RD_KAFKA_V_OPAQUE(u),
        RD_KAFKA_V_END);
    /* clang-format on */
}

static bool send_event_cb(void *ctx, const struct event *e)
{
    struct burst *u = ctx;
    rd_kafka_resp_err_t code;
    while ((code = send_event(u, e)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        u->err = wait_for_reports(u);
        if (u->err != ERR_OK) {
            return false;
        }
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        u->err = failed(u->note, "cannot publish", rd_kafka_err2str(code));
        return false;
    }
    u->unconfirmed++;
    return true;
}

static void await_reports(struct burst *u)
{
    while (u->err == ERR_OK && u->unconfirmed > 0) {
        u->err = wait_for_reports(u);
    }
}

static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    struct bus_kafka *b = bus_kafka_from(base);
    struct burst u = {.bus = b, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS + SLICE_MS, .note = note};
    check(b->end == BUS_PUBLISHES);
    if (atomic_load(&b->closed)) {
        return failed(note, "cannot publish", "the bus is closed");
    }
    if (b->client == NULL) {
        TRY(make_client(b, note));
    }
    event_each(m, send_event_cb, &u);
    await_reports(&u);
    if (u.err != ERR_OK) {
        drop_client(b); /* no report of this message may come later, and a producer may be spoilt for good */
    }
    return u.err;
}

/* Following. */

static enum err follow_from(struct bus_kafka *b, int64_t offset, struct err_note *note)
{
    b->topic = rd_kafka_topic_new(b->client, KAFKA_TOPIC, NULL);
    if (b->topic == NULL || rd_kafka_consume_start(b->topic, (int32_t)b->partition, offset) != 0) {
        return failed(note, "cannot follow", rd_kafka_err2str(rd_kafka_last_error()));
    }
    return ERR_OK;
}

static enum err start_following(struct bus_kafka *b, struct err_note *note)
{
    TRY(make_client(b, note));
    enum err e = follow_from(b, RD_KAFKA_OFFSET_END, note);
    if (e != ERR_OK) {
        drop_client(b);
    }
    return e;
}

/* Where the stream ends. */

/* Events at the end that are looked at: a position is among them, unless a long outage is being made up for. */
#define LAST_EVENTS 1000

/* The offset behind the newest event, 0: there was never one; and of the oldest that is kept. */
static enum err ask_offsets(struct bus_kafka *reader, int64_t *first, int64_t *end, struct err_note *note)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        reader->client, KAFKA_TOPIC, (int32_t)reader->partition, first, end, BUS_CONFIRM_MS);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *first = *end = 0; /* publishing makes it, or says why it cannot */
        return ERR_OK;
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ERR_OK : failed(note, "cannot find the end", rd_kafka_err2str(code));
}

/* Waits a moment for the next event below `end`; false: there is no more. */
static bool read_one(struct bus_kafka *reader, int64_t end, struct event_box *box)
{
    rd_kafka_message_t *m = rd_kafka_consume(reader->topic, (int32_t)reader->partition, SLICE_MS);
    if (m == NULL) {
        return true;
    }
    bool more = m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF && m->offset + 1 < end;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->offset < end) {
        struct str json = {m->payload != NULL ? m->payload : "", m->len};
        (void)!event_box_add(box, json, NULL); /* what is not ours says nothing */
    }
    rd_kafka_message_destroy(m);
    return more;
}

static enum err
read_end(struct bus_kafka *reader, const atomic_bool *closed, struct event_box *box, struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + BUS_CONFIRM_MS;
    int64_t first;
    int64_t end;
    TRY(make_client(reader, note));
    TRY(ask_offsets(reader, &first, &end, note));
    if (first >= end) {
        return ERR_OK;
    }
    TRY(follow_from(reader, end - first > LAST_EVENTS ? end - LAST_EVENTS : first, note));
    while (read_one(reader, end, box)) {
        if (atomic_load(closed) || clock_mono_ms() >= until_ms) {
            return failed(note, "cannot read the end", "the cluster does not answer");
        }
    }
    return ERR_OK;
}

/* With a client of its own: the library reads with one and writes with another. */
static enum err last(struct bus *base, struct bus_position *out, struct err_note *note)
{
    const struct bus_kafka *b = bus_kafka_from(base);
    struct bus_kafka reader = {
        .end = BUS_FOLLOWS, .partition = b->partition, .servers = b->servers, .logged = LOGGED_DISCONNECTED};
    struct event_box *box = event_box_new(b->partition);
    check(b->end == BUS_PUBLISHES);
    enum err e = read_end(&reader, &b->closed, box, note);
    *out = bus_message_end(event_box_message(box));
    drop_client(&reader);
    event_box_free(box);
    return e;
}

/* The library tells of trouble as of a message; it goes on by itself. */
static void take_record(struct bus_kafka *b, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct str json = {m->payload != NULL ? m->payload : "", m->len};
        log_connected(b);
        intake_take(&b->intake, json, clock_mono_ms());
    } else if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        log_disconnected(b, rd_kafka_message_errstr(m));
    }
}

/* Takes what has come, and waits up to `wait_ms` for the first record. */
static void take_records(struct bus_kafka *b, int wait_ms)
{
    rd_kafka_poll(b->client, 0);
    while (!intake_is_full(&b->intake)) {
        rd_kafka_message_t *m = rd_kafka_consume(b->topic, (int32_t)b->partition, wait_ms);
        if (m == NULL) {
            return;
        }
        take_record(b, m);
        rd_kafka_message_destroy(m);
        wait_ms = 0;
    }
}

static bool is_following(struct bus_kafka *b)
{
    struct err_note note = {{0}};
    if (b->client == NULL && start_following(b, &note) != ERR_OK) {
        log_disconnected(b, note.text);
    }
    return b->client != NULL;
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct bus_kafka *b = bus_kafka_from(base);
    int64_t until_ms = timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
    check(b->end == BUS_FOLLOWS);
    while (!atomic_load(&b->closed)) {
        int64_t left_ms = until_ms - clock_mono_ms();
        int wait_ms = left_ms < 0 ? 0 : left_ms > SLICE_MS ? SLICE_MS : (int)left_ms;
        if (is_following(b)) {
            take_records(b, wait_ms);
        } else {
            usleep((useconds_t)wait_ms * 1000);
        }
        const struct bus_message *m = intake_lend(&b->intake);
        if (m != NULL || left_ms <= 0) {
            return m;
        }
    }
    return NULL;
}

static void done(struct bus *base, const struct bus_message *m)
{
    intake_done(&bus_kafka_from(base)->intake, m);
}

/* Both ends. */

static void close_bus(struct bus *base)
{
    atomic_store(&bus_kafka_from(base)->closed, true);
}

static void free_bus(struct bus *base)
{
    struct bus_kafka *b = bus_kafka_from(base);
    atomic_store(&b->closed, true);
    drop_client(b);
    if (b->end == BUS_FOLLOWS) {
        intake_release(&b->intake);
    }
    mem_free(b->servers);
    mem_free(b);
}

static const struct bus_ops bus_kafka_ops = {
    .name = "kafka",
    .publish = publish,
    .last = last,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

/* Opening. */

/* One "host" or "host:port": as in a URL. */
static bool add_server(struct buf *out, struct str server)
{
    struct buf url;
    struct endpoint e;
    buf_init(&url, SERVERS_BYTES_MAX);
    buf_put_literal(&url, SCHEME "://");
    buf_put_str(&url, server);
    bool valid = !url.overflowed && endpoint_parse(buf_str(&url), SCHEME, PORT, &e) && e.user.len == 0 &&
        memchr(server.ptr, '@', server.len) == NULL && memchr(server.ptr, '/', server.len) == NULL;
    if (valid) {
        bool bracketed = memchr(e.host.ptr, ':', e.host.len) != NULL;
        buf_printf(
            out, "%s%s%.*s%s:%u", out->len > 0 ? "," : "", bracketed ? "[" : "", STR_ARG(e.host), bracketed ? "]" : "",
            (unsigned)e.port);
    }
    buf_release(&url);
    return valid && !out->overflowed;
}

/* The servers as the library wants them; NULL: not a URL of ours. */
static char *servers_parse(const char *url)
{
    static const char scheme[] = SCHEME "://";
    struct buf out;
    bool valid = strncmp(url, scheme, sizeof(scheme) - 1) == 0;
    const char *at = valid ? url + sizeof(scheme) - 1 : "";
    buf_init(&out, SERVERS_BYTES_MAX);
    for (bool more = valid; more && valid;) {
        size_t len = strcspn(at, ",");
        valid = add_server(&out, (struct str){at, len});
        more = at[len] == ',';
        at += len + (more ? 1 : 0);
    }
    char *servers = valid ? mem_copy_str(buf_str(&out)) : NULL;
    buf_release(&out);
    return servers;
}

enum err bus_kafka_open(const struct bus_options *o, struct bus **out, struct err_note *note)
{
    char *servers = servers_parse(o->url);
    if (servers == NULL) {
        return err_note_set(
            note, ERR_CONFIG, "not a URL of a Kafka cluster: need kafka://host[:port][,host[:port]...]");
    }
    struct bus_kafka *b = mem_new(sizeof(*b));
    b->base.ops = &bus_kafka_ops;
    b->end = o->end;
    b->partition = o->partition;
    b->servers = servers;
    if (o->end == BUS_FOLLOWS) {
        intake_init(&b->intake, "kafka", o->partition);
    }
    *out = &b->base;
    return ERR_OK;
}
