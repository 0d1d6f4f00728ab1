#include "load/client.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "load/address.h"
#include "load/response.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define RECEIVE_BYTES_MIN (16 * 1024)
#define REQUEST_HEAD_BYTES_MAX (16 * 1024)

enum connection_state {
    CONNECTION_IDLE,    /* no request; the socket may be open */
    CONNECTION_SENDING, /* the socket took a part, or is still connecting */
    CONNECTION_WAITING, /* the request is out, the answer is not whole */
    CONNECTION_FAILED,  /* the failure is to be reported by the next load_poll */
};

struct connection {
    enum connection_state state;
    int fd; /* -1: none */
    bool wants_write;
    bool head_only;
    struct buf head;
    struct str body;
    size_t sent; /* of head and body */
    struct buf received;
    struct response_head response;
    bool response_read;
    int64_t started_us;
    const char *failure;
};

struct load_client {
    struct load_options options;
    struct load_address address;
    int epoll_fd;
    unsigned open_requests;
    unsigned failed;
    int64_t checked_timeouts_ms;
    struct load_counts counts;
    struct connection connections[];
};

enum err load_client_new(const struct load_options *options, struct load_client **out, struct err_note *note)
{
    check(options->connections > 0);
    struct load_client *c = mem_new(sizeof(*c) + options->connections * sizeof(c->connections[0]));
    c->options = *options;
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *conn = &c->connections[i];
        conn->fd = -1;
        buf_init(&conn->head, REQUEST_HEAD_BYTES_MAX);
        buf_init(&conn->received, RESPONSE_HEAD_BYTES_MAX + RESPONSE_BODY_BYTES_MAX + RECEIVE_BYTES_MIN);
    }
    enum err e = c->epoll_fd < 0 ? err_note_set(note, ERR_IO, "epoll: %s", strerror(errno))
                                 : load_resolve(options->host, options->port, &c->address, note);
    if (e != ERR_OK) {
        load_client_free(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

static void hang_up(struct connection *conn)
{
    if (conn->fd >= 0) {
        close(conn->fd); /* leaves the epoll set with it */
        conn->fd = -1;
    }
    conn->wants_write = false;
}

void load_client_free(struct load_client *c)
{
    if (c == NULL) {
        return;
    }
    for (unsigned i = 0; i < c->options.connections; i++) {
        hang_up(&c->connections[i]);
        buf_release(&c->connections[i].head);
        buf_release(&c->connections[i].received);
    }
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
    }
    mem_free(c);
}

static void fail(struct load_client *c, struct connection *conn, const char *why)
{
    check(conn->state == CONNECTION_SENDING || conn->state == CONNECTION_WAITING);
    hang_up(conn);
    conn->failure = why;
    conn->state = CONNECTION_FAILED;
    c->failed++;
}

static void watch(struct load_client *c, struct connection *conn, bool is_new, bool wants_write)
{
    uint32_t events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0u);
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(conn - c->connections)};
    int failed = epoll_ctl(c->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, conn->fd, &event);
    check(failed == 0);
    conn->wants_write = wants_write;
}

static void connect_socket(struct load_client *c, struct connection *conn)
{
    conn->fd = load_connect(&c->address);
    if (conn->fd < 0) {
        fail(c, conn, strerror(errno));
        return;
    }
    c->counts.connects++;
    watch(c, conn, true, true);
}

static void render_head(struct load_client *c, struct connection *conn, const struct load_request *r)
{
    struct buf *b = &conn->head;
    buf_clear(b);
    buf_printf(b, "%s ", r->method);
    buf_put_str(b, r->path);
    buf_printf(b, " HTTP/1.1\r\nHost: %s\r\n", c->address.host_header);
    if (!str_is_absent(r->key)) {
        buf_put_literal(b, "Idempotency-Key: ");
        buf_put_str(b, r->key);
        buf_put_literal(b, "\r\n");
    }
    if (!str_is_absent(r->body)) {
        buf_put_literal(b, "Content-Type: application/json\r\n");
    }
    if (!str_is_absent(r->body) || strcmp(r->method, "GET") != 0) {
        buf_put_literal(b, "Content-Length: ");
        buf_put_u64(b, r->body.len);
        buf_put_literal(b, "\r\n");
    }
    buf_put_literal(b, "\r\n");
    check(!b->overflowed);
}

static void push_request(struct load_client *c, struct connection *conn)
{
    size_t total = conn->head.len + conn->body.len;
    while (conn->sent < total) {
        size_t head_sent = conn->sent < conn->head.len ? conn->sent : conn->head.len;
        size_t body_sent = conn->sent - head_sent;
        struct iovec parts[2] = {
            {conn->head.ptr + head_sent, conn->head.len - head_sent},
            {(void *)(uintptr_t)(conn->body.ptr + body_sent), conn->body.len - body_sent},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = conn->body.len > 0 ? 2 : 1};
        ssize_t n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            if (!conn->wants_write) {
                watch(c, conn, false, true);
            }
            return;
        }
        if (n < 0) {
            fail(c, conn, strerror(errno));
            return;
        }
        conn->sent += (size_t)n;
        c->counts.bytes_sent += (uint64_t)n;
    }
    conn->state = CONNECTION_WAITING;
    if (conn->wants_write) {
        watch(c, conn, false, false);
    }
}

void load_send(struct load_client *c, unsigned connection, const struct load_request *request)
{
    check(connection < c->options.connections);
    struct connection *conn = &c->connections[connection];
    check(conn->state == CONNECTION_IDLE);
    render_head(c, conn, request);
    conn->body = request->body;
    conn->sent = 0;
    conn->head_only = strcmp(request->method, "HEAD") == 0;
    conn->response_read = false;
    buf_clear(&conn->received);
    conn->started_us = clock_mono_us();
    conn->state = CONNECTION_SENDING;
    c->open_requests++;
    c->counts.requests++;
    if (conn->fd < 0) {
        connect_socket(c, conn); /* the first write event says whether it worked */
    } else {
        push_request(c, conn);
    }
}

bool load_is_idle(const struct load_client *c, unsigned connection)
{
    check(connection < c->options.connections);
    return c->connections[connection].state == CONNECTION_IDLE;
}

unsigned load_open_requests(const struct load_client *c)
{
    return c->open_requests;
}

static void report(struct load_client *c, struct connection *conn, struct load_answer *answer)
{
    answer->latency_us = clock_mono_us() - conn->started_us;
    conn->state = CONNECTION_IDLE;
    c->open_requests--;
    c->options.answered(c->options.ctx, (unsigned)(conn - c->connections), answer);
}

static void report_failures(struct load_client *c)
{
    /* One pass: a handler may send again and fail again, which waits for the next poll. */
    for (unsigned i = 0; c->failed > 0 && i < c->options.connections; i++) {
        struct connection *conn = &c->connections[i];
        if (conn->state == CONNECTION_FAILED) {
            c->failed--;
            c->counts.failures++;
            struct load_answer answer = {.failure = conn->failure};
            report(c, conn, &answer);
        }
    }
}

/* Hands over the answer when it is whole. */
static void take_answer(struct load_client *c, struct connection *conn)
{
    struct str bytes = buf_str(&conn->received);
    if (!conn->response_read) {
        enum response_read read = response_read_head(bytes, conn->head_only, &conn->response);
        bool has_length = read != RESPONSE_COMPLETE || conn->response.body == BODY_OF_LENGTH;
        if (read == RESPONSE_BROKEN || !has_length) {
            fail(c, conn, "the answer is not HTTP/1.1 with a Content-Length");
            return;
        }
        conn->response_read = read == RESPONSE_COMPLETE;
    }
    if (!conn->response_read || bytes.len < conn->response.head_len + conn->response.body_len) {
        return;
    }
    if (bytes.len > conn->response.head_len + conn->response.body_len) {
        fail(c, conn, "more bytes than one answer");
        return;
    }
    if (!conn->response.keep_alive || conn->state == CONNECTION_SENDING) {
        hang_up(conn); /* an answer before the end of the request leaves the rest of it unread */
    }
    c->counts.answers++;
    struct load_answer answer = {
        .status = conn->response.status,
        .body = {bytes.ptr + conn->response.head_len, conn->response.body_len},
        .replayed = conn->response.replayed,
        .retry_after_s = conn->response.retry_after_s,
    };
    report(c, conn, &answer);
}

static void receive(struct load_client *c, struct connection *conn)
{
    if (!buf_reserve(&conn->received, RECEIVE_BYTES_MIN)) {
        fail(c, conn, "the answer is too large");
        return;
    }
    size_t room = conn->received.size - conn->received.len;
    ssize_t n = recv(conn->fd, conn->received.ptr + conn->received.len, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    bool busy = conn->state != CONNECTION_IDLE;
    if (n <= 0 || !busy) {
        const char *why = n < 0 ? strerror(errno) : "the server closed the connection";
        if (busy) {
            fail(c, conn, why);
        } else {
            hang_up(conn); /* closed, or speaks out of turn: the next request opens another */
        }
        return;
    }
    conn->received.len += (size_t)n;
    c->counts.bytes_received += (uint64_t)n;
    take_answer(c, conn);
}

static void handle_event(struct load_client *c, const struct epoll_event *event)
{
    struct connection *conn = &c->connections[event->data.u32];
    if (conn->fd < 0) {
        return; /* closed by an earlier event of this round */
    }
    if (conn->state == CONNECTION_SENDING && (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        push_request(c, conn);
    }
    if (conn->fd >= 0 && (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        receive(c, conn);
    }
}

static void fail_timeouts(struct load_client *c)
{
    int64_t now_us = clock_mono_us();
    if (c->options.timeout_ms == 0 || now_us / 1000 - c->checked_timeouts_ms < 100) {
        return;
    }
    c->checked_timeouts_ms = now_us / 1000;
    for (unsigned i = 0; i < c->options.connections; i++) {
        struct connection *conn = &c->connections[i];
        bool busy = conn->state == CONNECTION_SENDING || conn->state == CONNECTION_WAITING;
        if (busy && now_us - conn->started_us > c->options.timeout_ms * 1000) {
            fail(c, conn, "no answer in time");
        }
    }
}

int load_client_fd(const struct load_client *c)
{
    return c->epoll_fd;
}

void load_poll(struct load_client *c, int timeout_ms)
{
    fail_timeouts(c);
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(c->epoll_fd, events, EVENTS_MAX, c->failed > 0 ? 0 : timeout_ms);
    check(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        handle_event(c, &events[i]);
    }
    report_failures(c);
}

struct load_counts load_counts(const struct load_client *c)
{
    return c->counts;
}
