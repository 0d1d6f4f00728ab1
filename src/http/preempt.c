#include "http/preempt.h"

#include "http/thread.h"

#include <sys/socket.h>
#include <time.h>

static bool is_no_length(struct str value)
{
    uint64_t length;
    return !str_to_u64(value, INT64_MAX, &length);
}

struct fault {
    const char *message; /* part of what libmicrohttpd logs */
    const char *header;
    bool (*is_broken)(struct str value);
    enum err err;
    const char *status_line;
    const char *detail;
};

static const struct fault faults[] = {
    {"Content-Length", "Content-Length", is_no_length, ERR_MALFORMED, "400 Bad Request",
     "Content-Length is not a decimal number."},
    {"Not enough memory in pool", "Cookie", screen_is_cookie_too_large, ERR_HEAD_TOO_LARGE,
     "431 Request Header Fields Too Large", "The cookies are too large."},
};

static void put_head(struct buf *b, const struct fault *f, struct str id, size_t body_len)
{
    char date[64];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    buf_printf(
        b,
        "HTTP/1.1 %s\r\nDate: %s\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: %.*s\r\n"
        "Content-Length: %zu\r\n\r\n",
        f->status_line, date, STR_ARG(id), body_len);
}

/* All that was asked before on this connection is answered, so the socket is ours. If it is full, closing is enough. */
static void answer_on_socket(struct exchange *x, const struct fault *f)
{
    struct buf *body = &x->memory.body;
    struct buf *head = &x->memory.answer;
    buf_clear(body);
    buf_clear(head);
    problem_render(body, f->err, str_from(f->detail), STR_NONE, STR_NONE);
    put_head(head, f, exchange_request_id(x), body->len);
    buf_put_str(head, buf_str(body));
    int fd = exchange_socket(x);
    ssize_t sent = send(fd, head->ptr, head->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
    shutdown(fd, SHUT_WR);
}

static void answer_broken(struct http_thread *t, const struct fault *f)
{
    for (struct exchange *x = t->named; x != NULL; x = x->next) {
        struct str value = exchange_header(x, f->header);
        if (!x->preempted && !str_is_absent(value) && f->is_broken(value)) {
            x->preempted = true;
            answer_on_socket(x, f);
        }
    }
}

void preempt_message(struct http_thread *t, const char *message)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (strstr(message, faults[i].message) != NULL) {
            answer_broken(t, &faults[i]);
        }
    }
}
