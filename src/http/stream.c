/* Bodies without end. */
#include "http/exchange.h"
#include "http/thread.h"

#include "base/log.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES 1024 /* for HTTP/1.0 clients, who get no chunks */

/*
 * The memory of a connection has room for a long head and a long answer, and stays with it for as long as it is open:
 * what a stream that has nothing to say does not use of it goes back to the system, and comes back as zeroes when it is
 * used. That is most of what an idle stream costs.
 */
static void give_back(struct exchange_stream *stream, char *out, size_t size)
{
    if (stream->given_back) {
        return;
    }
    stream->given_back = true;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)out + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)out + size) / page * page;
    if (first < end) {
        (void)madvise(out + (first - (uintptr_t)out), end - first, MADV_DONTNEED); /* else it stays: no harm */
    }
}

/*
 * libmicrohttpd calls for more. A stream that has nothing to say is suspended, which costs no system call while its
 * client reads; a wake during `fill` is answered by another call.
 */
static ssize_t fill_cb(void *cls, uint64_t position, char *out, size_t size)
{
    (void)position;
    struct exchange *x = cls;
    struct exchange_stream *stream = &x->stream;
    check(!stream->suspended);
    stream->woken = false;
    size_t len = stream->cut ? 0 : stream->ops->fill(stream->ctx, out, size);
    check(len <= size);
    if (stream->cut) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (len > 0) {
        return (ssize_t)len;
    }
    if (stream->ending) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (!stream->woken) {
        give_back(stream, out, size);
        stream->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    return 0;
}

/*
 * libmicrohttpd does not look at a suspended connection: we watch for the client's end ourselves. Without the memory in
 * the kernel for that, the end is noticed when the stream next has something to say.
 */
static void watch(struct exchange *x)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = x};
    if (epoll_ctl(x->thread->epoll_fd, EPOLL_CTL_ADD, exchange_socket(x), &event) != 0) {
        log_line(LOG_WARN, "stream_not_watched", "errno=%d", errno);
    }
}

void exchange_stream(struct exchange *x, const char *content_type, const struct stream_ops *ops, void *ctx)
{
    check(ops != NULL && ops->fill != NULL && ops->closed != NULL);
    x->stream = (struct exchange_stream){.ops = ops, .ctx = ctx, .ending = x->thread->stopping_ms != 0};
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, fill_cb, x, NULL);
    check(response != NULL);
    reply_add_fixed_headers(response, content_type, !x->has_cache_control);
    answer_send(x, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    x->state = EXCHANGE_STREAMING;
    exchange_link(&x->thread->streams, x);
    x->thread->streams_len++;
    watch(x);
}

void exchange_stream_wake(struct exchange *x)
{
    check(x->state == EXCHANGE_STREAMING);
    x->stream.woken = true;
    if (x->stream.suspended) {
        x->stream.suspended = false;
        x->thread->must_run = true;
        MHD_resume_connection(x->connection);
    }
}

void exchange_stream_end(struct exchange *x, bool cut)
{
    check(x->state == EXCHANGE_STREAMING);
    x->stream.ending = true;
    if (cut && !x->stream.cut) {
        x->stream.cut = true;
        shutdown(exchange_socket(x), SHUT_RDWR); /* wakes a connection that waits for room in the socket */
    }
    exchange_stream_wake(x);
}

void stream_hung_up(struct exchange *x)
{
    exchange_stream_end(x, true);
}

void stream_closed(struct exchange *x)
{
    check(!x->stream.suspended);
    epoll_ctl(x->thread->epoll_fd, EPOLL_CTL_DEL, exchange_socket(x), NULL);
    exchange_unlink(&x->thread->streams, x);
    x->thread->streams_len--;
    x->stream.ops->closed(x->stream.ctx);
}

void stream_end_all(struct http_thread *t)
{
    for (struct exchange *x = t->streams; x != NULL; x = x->next) {
        exchange_stream_end(x, false);
    }
}
