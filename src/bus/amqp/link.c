#include "bus/amqp/link.h"

#include "base/clock.h"
#include "bus/amqp/amqp.h"

#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define CONNECT_MS 1000
#define RETRY_MS 500
#define HANDSHAKE_MS 5000
#define GOODBYE_MS 500
#define HEARTBEAT_S 10
#define FRAME_BYTES_MAX 131072

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void lock(struct amqp_link *l)
{
    int failed = pthread_mutex_lock(&l->lock);
    check(failed == 0);
}

static void unlock(struct amqp_link *l)
{
    int failed = pthread_mutex_unlock(&l->lock);
    check(failed == 0);
}

void amqp_link_init(struct amqp_link *l, const struct places *places)
{
    *l = (struct amqp_link){.places = *places, .fd = -1};
    int failed = pthread_mutex_init(&l->lock, NULL);
    check(failed == 0);
}

void amqp_link_release(struct amqp_link *l)
{
    amqp_link_drop(l);
    places_release(&l->places);
    int failed = pthread_mutex_destroy(&l->lock);
    check(failed == 0);
}

bool amqp_link_is_closed(const struct amqp_link *l)
{
    return atomic_load(&l->closed);
}

void amqp_link_close(struct amqp_link *l)
{
    atomic_store(&l->closed, true);
    lock(l);
    if (l->fd >= 0) {
        shutdown(l->fd, SHUT_RDWR);
    }
    unlock(l);
}

/* What went wrong. */

enum err amqp_link_failed(struct err_note *note, const char *what, const char *why)
{
    return err_note_set(note, ERR_IO, "AMQP: %s: %s", what, why);
}

static struct str text_of(amqp_bytes_t b)
{
    return (struct str){b.bytes, b.len};
}

/* Why the broker closes the channel or the connection; absent when the method does neither. */
static struct str reason_of(const amqp_method_t *m)
{
    if (m->id == AMQP_CONNECTION_CLOSE_METHOD) {
        return text_of(((const amqp_connection_close_t *)m->decoded)->reply_text);
    }
    if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
        return text_of(((const amqp_channel_close_t *)m->decoded)->reply_text);
    }
    return m->id == AMQP_BASIC_CANCEL_METHOD ? STR("the queue was deleted") : STR_NONE;
}

static enum err failed_by_broker(const amqp_method_t *m, const char *what, struct err_note *note)
{
    struct str why = reason_of(m);
    return err_note_set(
        note, ERR_IO, "AMQP: %s: %.*s", what, str_is_absent(why) ? 0 : (int)why.len, str_is_absent(why) ? "" : why.ptr);
}

static enum err judge(amqp_rpc_reply_t r, const char *what, struct err_note *note)
{
    switch (r.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return ERR_OK;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        return failed_by_broker(&r.reply, what, note);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        return amqp_link_failed(note, what, amqp_error_string2(r.library_error));
    case AMQP_RESPONSE_NONE:
        break;
    }
    return amqp_link_failed(note, what, "the connection ended");
}

enum err amqp_link_judge(struct amqp_link *l, amqp_rpc_reply_t reply, const char *what, struct err_note *note)
{
    l->timed_out = reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT;
    l->refused = reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
    l->healthy = l->healthy && !l->timed_out; /* it would not hear a good-bye either */
    return judge(reply, what, note);
}

enum err amqp_link_result(struct amqp_link *l, const char *what, struct err_note *note)
{
    return amqp_link_judge(l, amqp_get_rpc_reply(l->connection), what, note);
}

void amqp_link_set_patience(struct amqp_link *l, int64_t ms)
{
    struct timeval patience = timeval_of(ms);
    int set = amqp_set_rpc_timeout(l->connection, &patience);
    check(set == AMQP_STATUS_OK);
}

enum err amqp_link_open_channel(struct amqp_link *l, amqp_channel_t channel, struct err_note *note)
{
    amqp_channel_open(l->connection, channel);
    TRY(amqp_link_result(l, "cannot open a channel", note));
    amqp_confirm_select(l->connection, channel);
    return amqp_link_result(l, "no confirmations", note);
}

/* Connecting. */

/* The next of the places. */
static const struct place *choose_place(struct amqp_link *l)
{
    const struct place *p = &l->places.of[l->next_place];
    l->next_place = (l->next_place + 1) % l->places.len;
    return p;
}

/* A broker that stands still must not hold up a write for ever: the library has no limit for that. */
static void limit_writes(int fd)
{
    const unsigned ms = BUS_CONFIRM_MS;
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

/* From now on amqp_link_close finds it. */
static void show_socket(struct amqp_link *l, int fd)
{
    lock(l);
    l->fd = fd;
    if (atomic_load(&l->closed)) {
        shutdown(fd, SHUT_RDWR);
    }
    unlock(l);
}

static enum err open_socket(struct amqp_link *l, const struct place *p, struct err_note *note)
{
    struct timeval patience = timeval_of(CONNECT_MS);
    amqp_socket_t *socket = amqp_tcp_socket_new(l->connection);
    check(socket != NULL);
    int status = amqp_socket_open_noblock(socket, p->host, p->port, &patience);
    if (status != AMQP_STATUS_OK) {
        return amqp_link_failed(note, "cannot connect", amqp_error_string2(status));
    }
    int fd = amqp_socket_get_sockfd(socket);
    limit_writes(fd);
    show_socket(l, fd);
    return ERR_OK;
}

static amqp_rpc_reply_t log_in_as(struct amqp_link *l, const struct place *p)
{
    /* Otherwise the broker does not say that the queue of a consumer is gone; the library adds what else it can. */
    amqp_table_entry_t capabilities[] = {{
        .key = amqp_cstring_bytes("consumer_cancel_notify"),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = true},
    }};
    amqp_table_entry_t properties[] = {{
        .key = amqp_cstring_bytes("capabilities"),
        .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {ARRAY_LEN(capabilities), capabilities}},
    }};
    const amqp_table_t table = {ARRAY_LEN(properties), properties};
    return amqp_login_with_properties(
        l->connection, p->vhost, 0, FRAME_BYTES_MAX, HEARTBEAT_S, &table, AMQP_SASL_METHOD_PLAIN, p->user, p->password);
}

static enum err log_in(struct amqp_link *l, const struct place *p, struct err_note *note)
{
    struct timeval handshake = timeval_of(HANDSHAKE_MS);
    struct timeval answer = timeval_of(LINK_ANSWER_MS);
    int set = amqp_set_handshake_timeout(l->connection, &handshake);
    set = set != AMQP_STATUS_OK ? set : amqp_set_rpc_timeout(l->connection, &answer);
    check(set == AMQP_STATUS_OK);
    TRY(judge(log_in_as(l, p), "cannot log in", note));
    amqp_channel_open(l->connection, LINK_CHANNEL);
    return amqp_link_result(l, "cannot open a channel", note);
}

static enum err declare_exchange(struct amqp_link *l, struct err_note *note)
{
    amqp_exchange_declare(
        l->connection, LINK_CHANNEL, amqp_cstring_bytes(AMQP_EXCHANGE), amqp_cstring_bytes("topic"), false, true, false,
        false, amqp_empty_table);
    return amqp_link_result(l, "cannot declare the exchange " AMQP_EXCHANGE, note);
}

static enum err connect_to(struct amqp_link *l, const struct place *p, struct err_note *note)
{
    TRY(open_socket(l, p, note));
    TRY(log_in(l, p, note));
    return declare_exchange(l, note);
}

enum err amqp_link_connect(struct amqp_link *l, struct err_note *note)
{
    check(l->connection == NULL);
    int64_t now_ms = clock_mono_ms();
    if (amqp_link_is_closed(l) || (l->tried_ms != 0 && now_ms - l->tried_ms < RETRY_MS)) {
        return ERR_IO;
    }
    l->tried_ms = now_ms;
    l->connection = amqp_new_connection();
    check(l->connection != NULL);
    enum err e = connect_to(l, choose_place(l), note);
    l->healthy = e == ERR_OK;
    if (e != ERR_OK) {
        amqp_link_drop(l);
    }
    return e;
}

void amqp_link_drop(struct amqp_link *l)
{
    if (l->connection == NULL) {
        return;
    }
    if (l->healthy && !amqp_link_is_closed(l)) {
        amqp_link_set_patience(l, GOODBYE_MS);
        amqp_connection_close(l->connection, AMQP_REPLY_SUCCESS);
    }
    lock(l);
    l->fd = -1;
    unlock(l);
    amqp_destroy_connection(l->connection);
    l->connection = NULL;
    l->healthy = false;
    l->timed_out = false;
    l->refused = false;
}

/* Frames. */

static enum err judge_frame(struct amqp_link *l, const amqp_frame_t *frame, struct err_note *note)
{
    bool ends = frame->frame_type == AMQP_FRAME_METHOD && !str_is_absent(reason_of(&frame->payload.method));
    if (!ends) {
        return ERR_OK;
    }
    l->healthy = false;
    return failed_by_broker(&frame->payload.method, "the broker ends it", note);
}

enum err amqp_link_next(struct amqp_link *l, int64_t wait_ms, amqp_frame_t *out, bool *out_some, struct err_note *note)
{
    struct timeval patience = timeval_of(wait_ms < 0 ? 0 : wait_ms);
    *out_some = false;
    amqp_maybe_release_buffers(l->connection); /* of the frame before */
    int status = amqp_simple_wait_frame_noblock(l->connection, out, &patience);
    if (status == AMQP_STATUS_TIMEOUT) {
        return ERR_OK;
    }
    if (status != AMQP_STATUS_OK) {
        l->healthy = false;
        return amqp_link_failed(note, "the connection broke", amqp_error_string2(status));
    }
    *out_some = true;
    return judge_frame(l, out, note);
}
