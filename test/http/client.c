#include "client.h"

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 10

static int connect_to(int fd, uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (const struct sockaddr *)&to, sizeof(to));
}

static void open_socket(struct client *c, uint16_t port, int receive_bytes)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    if (receive_bytes > 0) {
        assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)), 0);
    }
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect_to(c->fd, port), 0);
    buf_init(&c->in, SIZE_MAX);
}

void client_open(struct client *c, uint16_t port)
{
    open_socket(c, port, 0);
}

void client_open_small(struct client *c, uint16_t port)
{
    open_socket(c, port, 4096);
}

bool client_is_refused(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool refused = connect_to(fd, port) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused; /* a reset means that it is being closed */
}

void client_close(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    buf_release(&c->in);
}

/* A server that has refused a request may close before it was sent to the end. */
void client_send(struct client *c, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_true(errno == EPIPE || errno == ECONNRESET);
            return;
        }
        bytes.ptr += sent;
        bytes.len -= (size_t)sent;
    }
}

void client_send_text(struct client *c, const char *text)
{
    client_send(c, str_from(text));
}

void client_half_close(struct client *c)
{
    int failed = shutdown(c->fd, SHUT_WR);
    assert_true(failed == 0 || errno == ENOTCONN);
}

/* False at the end of the stream. */
static bool receive(struct client *c)
{
    assert_true(buf_reserve(&c->in, 65536));
    ssize_t got = recv(c->fd, c->in.ptr + c->in.len, 65535, 0);
    if (got < 0) {
        assert_int_equal(errno, ECONNRESET); /* EAGAIN: the server keeps us waiting */
        return false;
    }
    c->in.len += (size_t)got;
    c->in.ptr[c->in.len] = '\0';
    return got > 0;
}

static void drop(struct client *c, size_t len)
{
    assert_true(len <= c->in.len);
    memmove(c->in.ptr, c->in.ptr + len, c->in.len - len + 1);
    c->in.len -= len;
}

/* The offset behind the first `mark` in what is received. */
static size_t await_mark(struct client *c, const char *mark)
{
    for (;;) {
        char *found = c->in.len > 0 ? memmem(c->in.ptr, c->in.len, mark, strlen(mark)) : NULL;
        if (found != NULL) {
            return (size_t)(found - c->in.ptr) + strlen(mark);
        }
        if (!receive(c)) {
            fail_msg("the connection was closed before \"%s\"; received: %.*s", mark, STR_ARG(buf_str(&c->in)));
        }
    }
}

static void take(struct client *c, size_t len, struct buf *to)
{
    while (c->in.len < len) {
        assert_true(receive(c));
    }
    buf_put(to, c->in.ptr, len);
    drop(c, len);
}

static void terminate(struct buf *b)
{
    buf_put_char(b, '\0');
    b->len--;
}

void client_read_head(struct client *c, struct answer *out)
{
    buf_init(&out->head, SIZE_MAX);
    buf_init(&out->body, SIZE_MAX);
    take(c, await_mark(c, "\r\n\r\n"), &out->head);
    terminate(&out->head);
    terminate(&out->body);
    assert_memory_equal(out->head.ptr, "HTTP/1.1 ", 9);
    out->status = atoi(out->head.ptr + 9);
}

static void read_chunks(struct client *c, struct buf *to)
{
    for (;;) {
        size_t line = await_mark(c, "\r\n");
        size_t len = strtoul(c->in.ptr, NULL, 16);
        drop(c, line);
        take(c, len, to);
        size_t end = await_mark(c, "\r\n");
        assert_int_equal(end, 2);
        drop(c, end);
        if (len == 0) {
            return;
        }
    }
}

void client_read(struct client *c, bool no_body, struct answer *out)
{
    client_read_head(c, out);
    if (no_body || out->status == 204 || out->status == 304) {
        return;
    }
    struct str length = answer_header(out, "Content-Length");
    if (!str_is_absent(length)) {
        take(c, strtoul(length.ptr, NULL, 10), &out->body);
    } else if (!str_is_absent(answer_header(out, "Transfer-Encoding"))) {
        read_chunks(c, &out->body);
    } else {
        while (receive(c)) {
        }
        take(c, c->in.len, &out->body);
    }
    terminate(&out->body);
}

void client_await(struct client *c, const char *text)
{
    drop(c, await_mark(c, text));
}

void client_read_to_end(struct client *c, struct buf *out)
{
    while (receive(c)) {
    }
    buf_init(out, SIZE_MAX);
    take(c, c->in.len, out);
    terminate(out);
}

bool client_is_closed(struct client *c)
{
    return !receive(c) && c->in.len == 0;
}

void answer_release(struct answer *a)
{
    buf_release(&a->head);
    buf_release(&a->body);
}

struct str answer_header(const struct answer *a, const char *name)
{
    size_t name_len = strlen(name);
    const char *line = strstr(a->head.ptr, "\r\n");
    while (line != NULL && strncmp(line, "\r\n\r\n", 4) != 0) {
        line += 2;
        const char *end = strstr(line, "\r\n");
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            value += strspn(value, " ");
            return (struct str){value, (size_t)(end - value)};
        }
        line = end;
    }
    return STR_NONE;
}

void client_ask(uint16_t port, const char *request, struct answer *out)
{
    struct client c;
    client_open(&c, port);
    client_send_text(&c, request);
    client_read(&c, strncmp(request, "HEAD ", 5) == 0, out);
    client_close(&c);
}
