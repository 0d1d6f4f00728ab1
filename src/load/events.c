#include "load/events.h"

#include "base/mem.h"
#include "load/address.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define OPENING_MAX 64 /* a burst of connects overflows the queue of a listening socket */
#define RECEIVE_BYTES (64 * 1024)
#define HEAD_BYTES_MAX (64 * 1024)

enum stream_state { STREAM_NONE, STREAM_OPENING, STREAM_OPEN, STREAM_LOST };

struct event_stream {
    enum stream_state state;
    int fd;
    bool is_requested;
    struct event_reader reader;
};

struct event_client {
    struct event_client_options options;
    struct load_address address;
    int epoll_fd;
    unsigned begun; /* streams that are not STREAM_NONE: the first ones */
    unsigned opening;
    struct event_counts counts;
    struct buf request;
    struct event_stream *current; /* whose bytes are being read */
    char received[RECEIVE_BYTES];
    struct event_stream streams[];
};

enum err event_client_new(const struct event_client_options *options, struct event_client **out, struct err_note *note)
{
    check(options->streams > 0);
    struct event_client *c = mem_new(sizeof(*c) + options->streams * sizeof(c->streams[0]));
    c->options = *options;
    buf_init(&c->request, HEAD_BYTES_MAX);
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum err e = c->epoll_fd < 0 ? err_note_set(note, ERR_IO, "epoll: %s", strerror(errno))
                                 : load_resolve(options->host, options->port, &c->address, note);
    if (e != ERR_OK) {
        event_client_free(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

static void hang_up(struct event_stream *s)
{
    close(s->fd); /* leaves the epoll set with it */
    event_reader_release(&s->reader);
}

void event_client_free(struct event_client *c)
{
    if (c == NULL) {
        return;
    }
    for (unsigned i = 0; i < c->begun; i++) {
        if (c->streams[i].state != STREAM_LOST) {
            hang_up(&c->streams[i]);
        }
    }
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
    }
    buf_release(&c->request);
    mem_free(c);
}

int event_client_fd(const struct event_client *c)
{
    return c->epoll_fd;
}

static void count_loss(struct event_client *c, struct event_stream *s, const char *why)
{
    c->opening -= s->state == STREAM_OPENING;
    c->counts.open -= s->state == STREAM_OPEN;
    s->state = STREAM_LOST;
    c->counts.lost++;
    if (c->counts.failure == NULL) {
        c->counts.failure = why;
    }
}

static void lose(struct event_client *c, struct event_stream *s, const char *why)
{
    hang_up(s);
    count_loss(c, s, why);
}

static void watch(struct event_client *c, struct event_stream *s, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(s - c->streams)};
    check(epoll_ctl(c->epoll_fd, operation, s->fd, &event) == 0);
}

static void begin(struct event_client *c)
{
    struct event_stream *s = &c->streams[c->begun++];
    s->state = STREAM_OPENING;
    c->opening++;
    s->fd = load_connect(&c->address);
    if (s->fd < 0) {
        count_loss(c, s, strerror(errno));
        return;
    }
    event_reader_init(&s->reader);
    watch(c, s, EPOLL_CTL_ADD, EPOLLOUT);
}

/* The request is small and the socket new: it is taken as a whole. */
static void request(struct event_client *c, struct event_stream *s)
{
    struct buf *b = &c->request;
    buf_clear(b);
    buf_put_literal(b, "GET ");
    buf_put_str(b, c->options.path(c->options.ctx, (unsigned)(s - c->streams)));
    buf_printf(b, " HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", c->address.host_header);
    check(!b->overflowed);
    ssize_t n = send(s->fd, b->ptr, b->len, MSG_NOSIGNAL);
    if (n != (ssize_t)b->len) {
        lose(c, s, n < 0 ? strerror(errno) : "the request was not taken as a whole");
        return;
    }
    s->is_requested = true;
    watch(c, s, EPOLL_CTL_MOD, EPOLLIN);
}

static void event_cb(void *ctx, struct str event)
{
    struct event_client *c = ctx;
    c->options.event(c->options.ctx, (unsigned)(c->current - c->streams), event);
}

static void receive(struct event_client *c, struct event_stream *s)
{
    ssize_t n = recv(s->fd, c->received, sizeof(c->received), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        lose(c, s, n < 0 ? strerror(errno) : "the server closed the stream");
        return;
    }
    c->counts.bytes += (uint64_t)n;
    c->current = s;
    if (!event_reader_take(&s->reader, c->received, (size_t)n, event_cb, c)) {
        lose(c, s, "the answer is not a stream of events, or it has ended");
    } else if (s->state == STREAM_OPENING && s->reader.status == 200) {
        s->state = STREAM_OPEN;
        c->opening--;
        c->counts.open++;
    }
}

void event_client_poll(struct event_client *c, int timeout_ms)
{
    while (c->opening < OPENING_MAX && c->begun < c->options.streams) {
        begin(c);
    }
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(c->epoll_fd, events, EVENTS_MAX, timeout_ms);
    check(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        struct event_stream *s = &c->streams[events[i].data.u32];
        if (s->is_requested) {
            receive(c, s);
        } else {
            request(c, s);
        }
    }
}

struct event_counts event_client_counts(const struct event_client *c)
{
    return c->counts;
}
