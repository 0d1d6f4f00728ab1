#include "bus/redis/redis.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bus/endpoint.h"
#include "bus/intake.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 6379
#define DATABASE_MAX 65535
#define KEY_BYTES_MAX 64
#define PLACE_BYTES_MAX 48 /* "<ms>-<number>" */
#define STREAM_ENTRIES_MAX "1000000"

/* Events on their way to a confirmation. */
#define WINDOW 256

#define CONNECT_MS 1000
#define ANSWER_MS 2000 /* until a server that does not answer is given up */
#define TURN_MS 1000   /* how long the server waits for a new entry before it says that there is none */
#define TURN_TEXT "1000"
#define RETRY_MS 200
#define SLICE_MS 50 /* how often a waiting call looks whether the bus was closed */

/* Where in the stream. */
struct place {
    uint64_t ms;
    uint64_t number;
};

struct bus_redis {
    struct bus base;
    enum bus_end end;
    uint32_t partition;
    struct endpoint server; /* its strings are those of `url` */
    char *url;
    char *host;
    uint64_t database;
    char key[KEY_BYTES_MAX];
    pthread_mutex_t lock; /* guards `connection` between the calling thread, which sets it, and close() */
    redisContext *connection;
    int64_t tried_ms; /* to connect; 0: never */
    atomic_bool closed;
    /* The following end. */
    struct intake intake;
    bool placed; /* `place` is known: the newest entry that was read */
    struct place place;
    int64_t asked_ms; /* for entries, on this connection; 0: there is no question */
};

static const struct bus_ops bus_redis_ops;

static struct bus_redis *bus_redis_from(struct bus *b)
{
    check(b->ops == &bus_redis_ops);
    return (struct bus_redis *)b;
}

static void lock(struct bus_redis *b)
{
    int failed = pthread_mutex_lock(&b->lock);
    check(failed == 0);
}

static void unlock(struct bus_redis *b)
{
    int failed = pthread_mutex_unlock(&b->lock);
    check(failed == 0);
}

static enum err failed(struct err_note *note, const char *what, const char *why)
{
    return err_note_set(note, ERR_IO, "Redis: %s: %s", what, why);
}

static const char *why(const redisContext *c)
{
    return c != NULL && c->err != 0 ? c->errstr : "there is no connection";
}

static void nap(int64_t ms)
{
    usleep((useconds_t)ms * 1000);
}

/* The connection. */

static void drop_connection(struct bus_redis *b)
{
    lock(b);
    redisContext *old = b->connection;
    b->connection = NULL;
    unlock(b);
    if (old != NULL) {
        redisFree(old);
    }
    b->asked_ms = 0;
}

static bool set_timeout(redisContext *c, int64_t ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return redisSetTimeout(c, t) == REDIS_OK;
}

/* Runs a command; ERR_IO when it fails or is refused. The answer, if asked for, is freed by the caller. */
static enum err
run(redisContext *c, int len, const char **words, const size_t *sizes, redisReply **out, struct err_note *note)
{
    redisReply *reply = redisCommandArgv(c, len, words, sizes);
    enum err e = ERR_OK;
    if (reply == NULL) {
        e = failed(note, words[0], why(c));
    } else if (reply->type == REDIS_REPLY_ERROR) {
        e = failed(note, words[0], reply->str);
    }
    if (e == ERR_OK && out != NULL) {
        *out = reply;
    } else if (reply != NULL) {
        freeReplyObject(reply);
    }
    return e;
}

static enum err sign_in(struct bus_redis *b, redisContext *c, struct err_note *note)
{
    const struct endpoint *s = &b->server;
    char room[U64_DIGITS_MAX];
    struct str database = str_from_u64(b->database, room);
    if (s->password.len > 0 && s->user.len > 0) {
        TRY(
            run(c, 3, (const char *[]){"AUTH", s->user.ptr, s->password.ptr},
                (size_t[]){4, s->user.len, s->password.len}, NULL, note));
    } else if (s->password.len > 0) {
        TRY(run(c, 2, (const char *[]){"AUTH", s->password.ptr}, (size_t[]){4, s->password.len}, NULL, note));
    }
    if (b->database > 0) {
        TRY(run(c, 2, (const char *[]){"SELECT", database.ptr}, (size_t[]){6, database.len}, NULL, note));
    }
    return ERR_OK;
}

static enum err find_place(struct bus_redis *b, redisContext *c, struct err_note *note);

static enum err connect_to(struct bus_redis *b, redisContext **out, struct err_note *note)
{
    struct timeval t = {.tv_sec = CONNECT_MS / 1000, .tv_usec = CONNECT_MS % 1000 * 1000};
    *out = redisConnectWithTimeout(b->host, b->server.port, t);
    if (*out == NULL || (*out)->err != 0 || !set_timeout(*out, ANSWER_MS)) {
        return failed(note, "cannot connect", why(*out));
    }
    TRY(sign_in(b, *out, note));
    return b->end == BUS_FOLLOWS ? find_place(b, *out, note) : ERR_OK;
}

static void install(struct bus_redis *b, redisContext *c)
{
    lock(b);
    b->connection = c;
    if (atomic_load(&b->closed)) {
        shutdown(c->fd, SHUT_RDWR);
    }
    unlock(b);
}

/* Is there a connection? If not, one is tried once in a while; `note` says why it failed, or stays as it is. */
static bool have_connection(struct bus_redis *b, struct err_note *note)
{
    int64_t now_ms = clock_mono_ms();
    if (b->connection != NULL || atomic_load(&b->closed) || (b->tried_ms != 0 && now_ms - b->tried_ms < RETRY_MS)) {
        return b->connection != NULL;
    }
    redisContext *c = NULL;
    if (connect_to(b, &c, note) == ERR_OK) {
        install(b, c);
    } else if (c != NULL) {
        redisFree(c);
    }
    b->tried_ms = clock_mono_ms();
    return b->connection != NULL;
}

/* Publishing. */

struct burst {
    struct bus_redis *bus;
    size_t unconfirmed;
    int64_t until_ms;
    enum err err;
    struct err_note *note;
};

static enum err wait_connected(struct bus_redis *b, int64_t until_ms, struct err_note *note)
{
    struct err_note last = {"Redis: cannot connect"};
    while (!have_connection(b, &last)) {
        if (atomic_load(&b->closed)) {
            return failed(note, "cannot publish", "the bus is closed");
        }
        if (clock_mono_ms() >= until_ms) {
            return err_note_set(note, ERR_IO, "%s", last.text);
        }
        nap(SLICE_MS);
    }
    return ERR_OK;
}

static enum err take_confirmation(struct burst *u)
{
    redisReply *reply = NULL;
    int64_t left_ms = u->until_ms - clock_mono_ms();
    if (left_ms <= 0 || !set_timeout(u->bus->connection, left_ms)) {
        return failed(u->note, "events were not confirmed", "there is no time left");
    }
    if (redisGetReply(u->bus->connection, (void **)&reply) != REDIS_OK) {
        return failed(u->note, "events were not confirmed", why(u->bus->connection));
    }
    enum err e = ERR_OK;
    if (reply->type != REDIS_REPLY_STRING) { /* the id of the entry */
        e = failed(u->note, "an event was refused", reply->type == REDIS_REPLY_ERROR ? reply->str : "odd answer");
    }
    freeReplyObject(reply);
    return e;
}

static enum err take_confirmations(struct burst *u)
{
    enum err e = ERR_OK;
    for (; e == ERR_OK && u->unconfirmed > 0; u->unconfirmed--) {
        e = take_confirmation(u);
    }
    return e;
}

static bool send_event_cb(void *ctx, const struct event *e)
{
    struct burst *u = ctx;
    const char *words[] = {"XADD", u->bus->key, "MAXLEN",    "~",  STREAM_ENTRIES_MAX,
                           "*",    "event",     e->json.ptr, "id", e->id.ptr};
    const size_t sizes[] = {4, strlen(u->bus->key), 6, 1, strlen(STREAM_ENTRIES_MAX), 1, 5, e->json.len, 2, e->id.len};
    if (redisAppendCommandArgv(u->bus->connection, ARRAY_LEN(words), words, sizes) != REDIS_OK) {
        u->err = failed(u->note, "cannot publish", why(u->bus->connection));
    } else if (++u->unconfirmed == WINDOW) {
        u->err = take_confirmations(u);
    }
    return u->err == ERR_OK;
}

/* After a failure the connection may still bring answers to what was sent: it is given up. */
static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    struct bus_redis *b = bus_redis_from(base);
    struct burst u = {.bus = b, .until_ms = clock_mono_ms() + BUS_CONFIRM_MS, .note = note};
    check(b->end == BUS_PUBLISHES);
    TRY(wait_connected(b, u.until_ms, note));
    if (event_each(m, send_event_cb, &u)) {
        u.err = take_confirmations(&u);
    }
    if (u.err != ERR_OK) {
        drop_connection(b);
    }
    return u.err;
}

/* Following. */

static bool place_parse(const char *text, struct place *out)
{
    const char *dash = strchr(text, '-');
    struct place p;
    if (dash == NULL || !str_to_u64((struct str){text, (size_t)(dash - text)}, UINT64_MAX, &p.ms) ||
        !str_to_u64(str_from(dash + 1), UINT64_MAX, &p.number)) {
        return false;
    }
    *out = p;
    return true;
}

static bool is_behind(struct place a, struct place b)
{
    return a.ms < b.ms || (a.ms == b.ms && a.number < b.number);
}

/* The id of an entry: its first element. */
static bool place_of(const redisReply *entry, struct place *out)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 && entry->element[0]->type == REDIS_REPLY_STRING &&
        place_parse(entry->element[0]->str, out);
}

/* The place of the newest entry; 0-0 when there is none. */
static enum err find_end(struct bus_redis *b, redisContext *c, struct place *out, struct err_note *note)
{
    redisReply *reply = NULL;
    const char *words[] = {"XREVRANGE", b->key, "+", "-", "COUNT", "1"};
    const size_t sizes[] = {9, strlen(b->key), 1, 1, 5, 1};
    TRY(run(c, ARRAY_LEN(words), words, sizes, &reply, note));
    *out = (struct place){0, 0};
    bool good = reply->type == REDIS_REPLY_ARRAY && (reply->elements == 0 || place_of(reply->element[0], out));
    freeReplyObject(reply);
    return good ? ERR_OK : failed(note, words[0], "odd answer");
}

/* A place behind the end of the stream is one in a stream that is gone. */
static enum err find_place(struct bus_redis *b, redisContext *c, struct err_note *note)
{
    struct place end;
    TRY(find_end(b, c, &end, note));
    if (!b->placed || is_behind(end, b->place)) {
        b->place = end;
        b->placed = true;
    }
    return ERR_OK;
}

/* Asks for what comes behind the place. The answer comes when there is something, or after a turn. */
static bool ask(struct bus_redis *b)
{
    char place[PLACE_BYTES_MAX];
    char count[U64_DIGITS_MAX];
    struct str entries = str_from_u64(EVENT_BOX_EVENTS_MAX, count);
    int len = snprintf(place, sizeof(place), "%" PRIu64 "-%" PRIu64, b->place.ms, b->place.number);
    const char *words[] = {"XREAD", "COUNT", entries.ptr, "BLOCK", TURN_TEXT, "STREAMS", b->key, place};
    const size_t sizes[] = {5, 5, entries.len, 5, strlen(TURN_TEXT), 7, strlen(b->key), (size_t)len};
    int sent = 0;
    if (redisAppendCommandArgv(b->connection, ARRAY_LEN(words), words, sizes) != REDIS_OK) {
        return false;
    }
    while (!sent) {
        if (redisBufferWrite(b->connection, &sent) != REDIS_OK) {
            return false;
        }
    }
    b->asked_ms = clock_mono_ms();
    return true;
}

static struct str event_of(const redisReply *entry)
{
    const redisReply *fields = entry->element[1];
    for (size_t i = 0; fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements; i += 2) {
        const redisReply *name = fields->element[i];
        const redisReply *value = fields->element[i + 1];
        if (name->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING && strcmp(name->str, "event") == 0) {
            return (struct str){value->str, value->len};
        }
    }
    return STR("");
}

static bool take_entry(struct bus_redis *b, const redisReply *entry)
{
    struct place at;
    if (!place_of(entry, &at)) {
        return false;
    }
    intake_take(&b->intake, event_of(entry), clock_mono_ms());
    b->place = at;
    return true;
}

/* [[key, [entry, ...]]] */
static bool take_entries(struct bus_redis *b, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 || reply->element[0]->type != REDIS_REPLY_ARRAY ||
        reply->element[0]->elements != 2 || reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    const redisReply *entries = reply->element[0]->element[1];
    for (size_t i = 0; i < entries->elements && !intake_is_full(&b->intake); i++) {
        if (!take_entry(b, entries->element[i])) {
            return false;
        }
    }
    return true;
}

/*
 * Takes the answer that has begun to come. A turn without an entry is odd, as the publisher names its position twice a
 * second: so it is looked whether the stream is still the same.
 */
static bool take_answer(struct bus_redis *b)
{
    redisReply *reply = NULL;
    if (redisGetReply(b->connection, (void **)&reply) != REDIS_OK) {
        return false;
    }
    b->asked_ms = 0;
    bool empty = reply->type == REDIS_REPLY_NIL;
    bool good = empty || take_entries(b, reply);
    freeReplyObject(reply);
    return good && (!empty || find_place(b, b->connection, NULL) == ERR_OK);
}

/* Waits up to `wait_ms` for an answer; false: the connection is of no use any more. */
static bool await_answer(struct bus_redis *b, int64_t wait_ms)
{
    if (b->asked_ms == 0 && !ask(b)) {
        return false;
    }
    struct pollfd p = {.fd = b->connection->fd, .events = POLLIN};
    int ready = poll(&p, 1, (int)(wait_ms < TURN_MS ? wait_ms : TURN_MS));
    if (ready > 0) {
        return take_answer(b);
    }
    return clock_mono_ms() - b->asked_ms < TURN_MS + ANSWER_MS;
}

/* Entries at the end that are looked at to find out where the stream ends: a position is among them. */
#define LAST_ENTRIES 1000

static enum err read_end(struct bus_redis *b, struct event_box *box, struct err_note *note)
{
    char count[U64_DIGITS_MAX];
    struct str entries = str_from_u64(LAST_ENTRIES, count);
    redisReply *reply = NULL;
    const char *words[] = {"XREVRANGE", b->key, "+", "-", "COUNT", entries.ptr};
    const size_t sizes[] = {9, strlen(b->key), 1, 1, 5, entries.len};
    TRY(run(b->connection, ARRAY_LEN(words), words, sizes, &reply, note));
    struct place at;
    enum err e = reply->type == REDIS_REPLY_ARRAY ? ERR_OK : failed(note, words[0], "odd answer");
    /* From the oldest on, so that the newest position stays. */
    for (size_t i = e == ERR_OK ? reply->elements : 0; i-- > 0;) {
        if (place_of(reply->element[i], &at)) {
            (void)!event_box_add(box, event_of(reply->element[i]), NULL); /* what is not ours says nothing */
        }
    }
    freeReplyObject(reply);
    return e;
}

static enum err last(struct bus *base, struct bus_position *out, struct err_note *note)
{
    struct bus_redis *b = bus_redis_from(base);
    check(b->end == BUS_PUBLISHES);
    TRY(wait_connected(b, clock_mono_ms() + BUS_CONFIRM_MS, note));
    struct event_box *box = event_box_new(b->partition);
    enum err e = set_timeout(b->connection, ANSWER_MS) ? read_end(b, box, note) : ERR_IO;
    *out = bus_message_end(event_box_message(box));
    event_box_free(box);
    if (e != ERR_OK) {
        drop_connection(b);
    }
    return e;
}

/* One look, of up to `wait_ms`. */
static const struct bus_message *receive_slice(struct bus_redis *b, int64_t wait_ms)
{
    bool connected = have_connection(b, NULL);
    intake_connection(&b->intake, connected);
    if (!connected) {
        nap(wait_ms < SLICE_MS ? wait_ms : SLICE_MS);
        return NULL;
    }
    if (!await_answer(b, wait_ms)) {
        drop_connection(b);
    }
    return intake_lend(&b->intake);
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct bus_redis *b = bus_redis_from(base);
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
    intake_done(&bus_redis_from(base)->intake, m);
}

/* Both ends. */

/* A call that waits for the server sees the end of its connection. */
static void close_bus(struct bus *base)
{
    struct bus_redis *b = bus_redis_from(base);
    atomic_store(&b->closed, true);
    lock(b);
    if (b->connection != NULL) {
        shutdown(b->connection->fd, SHUT_RDWR);
    }
    unlock(b);
}

static void free_bus(struct bus *base)
{
    struct bus_redis *b = bus_redis_from(base);
    drop_connection(b);
    if (b->end == BUS_FOLLOWS) {
        intake_release(&b->intake);
    }
    mem_free(b->url);
    mem_free(b->host);
    int destroyed = pthread_mutex_destroy(&b->lock);
    check(destroyed == 0);
    mem_free(b);
}

static const struct bus_ops bus_redis_ops = {
    .name = "redis",
    .publish = publish,
    .last = last,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

/* Opening. */

static bool parse_url(struct bus_redis *b)
{
    return endpoint_parse(str_from(b->url), "redis", PORT, &b->server) &&
        (b->server.path.len == 0 || str_to_u64(b->server.path, DATABASE_MAX, &b->database)) &&
        (b->server.user.len == 0 || b->server.password.len > 0);
}

enum err bus_redis_open(const struct bus_options *o, struct bus **out, struct err_note *note)
{
    struct bus_redis *b = mem_new(sizeof(*b));
    b->base.ops = &bus_redis_ops;
    b->end = o->end;
    b->partition = o->partition;
    b->url = mem_copy_str(str_from(o->url));
    snprintf(b->key, sizeof(b->key), "onhand:stream:%" PRIu32, o->partition);
    int made = pthread_mutex_init(&b->lock, NULL);
    check(made == 0);
    if (o->end == BUS_FOLLOWS) {
        intake_init(&b->intake, "redis", o->partition);
    }
    if (!parse_url(b)) {
        free_bus(&b->base);
        return err_note_set(
            note, ERR_CONFIG, "not a URL of a Redis server: need redis://[[user]:password@]host[:port][/database]");
    }
    b->host = mem_copy_str(b->server.host);
    *out = &b->base;
    return ERR_OK;
}
