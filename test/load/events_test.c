#include "load/events.h"

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS 100 /* more than are opened at a time */

/* Answers each connection with the number in its path, and keeps it open until the end. */
struct stub {
    int fd;
    uint16_t port;
    unsigned streams;
    bool hangs_up;
    int open[STREAMS];
};

static void answer(int fd)
{
    char request[1024] = "";
    size_t len = 0;
    while (strstr(request, "\r\n\r\n") == NULL) {
        ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_non_null(strstr(request, "Accept: text/event-stream\r\n"));
    unsigned number;
    assert_int_equal(sscanf(request, "GET /stream?n=%u HTTP/1.1\r\n", &number), 1);
    char text[256];
    int text_len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n:\n\nid: 1\ndata: %u\n\n", number);
    assert_int_equal(write(fd, text, (size_t)text_len), text_len);
}

static void *stub_run(void *ctx)
{
    struct stub *s = ctx;
    for (unsigned i = 0; i < s->streams; i++) {
        s->open[i] = accept(s->fd, NULL, NULL);
        answer(s->open[i]);
    }
    for (unsigned i = 0; s->hangs_up && i < s->streams; i++) {
        close(s->open[i]);
    }
    return NULL;
}

static void stub_listen(struct stub *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, STREAMS), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
}

struct seen {
    char path[64];
    unsigned events;
    unsigned wrong;
};

static struct str path_cb(void *ctx, unsigned stream)
{
    struct seen *seen = ctx;
    snprintf(seen->path, sizeof(seen->path), "/stream?n=%u", stream);
    return str_from(seen->path);
}

static void event_cb(void *ctx, unsigned stream, struct str event)
{
    struct seen *seen = ctx;
    struct str data = event_data(event);
    char expected[16];
    snprintf(expected, sizeof(expected), "%u", stream);
    if (!str_is_absent(data)) {
        seen->events++;
        seen->wrong += !str_equal(data, str_from(expected));
    }
}

static struct event_client *client_new(struct seen *seen, uint16_t port, unsigned streams)
{
    struct event_client_options options = {
        .host = "127.0.0.1", .port = port, .streams = streams, .path = path_cb, .event = event_cb, .ctx = seen};
    struct event_client *c;
    struct err_note note;
    assert_int_equal(event_client_new(&options, &c, &note), ERR_OK);
    return c;
}

static void every_stream_is_opened_and_hears_its_own(void **state)
{
    (void)state;
    struct stub s = {.streams = STREAMS};
    struct seen seen = {0};
    pthread_t thread;
    stub_listen(&s);
    assert_int_equal(pthread_create(&thread, NULL, stub_run, &s), 0);
    struct event_client *c = client_new(&seen, s.port, STREAMS);
    for (int i = 0; seen.events < STREAMS && i < 2000; i++) {
        event_client_poll(c, 10);
    }
    pthread_join(thread, NULL);
    struct event_counts counts = event_client_counts(c);
    assert_int_equal(counts.open, STREAMS);
    assert_int_equal(counts.lost, 0);
    assert_int_equal(seen.events, STREAMS);
    assert_int_equal(seen.wrong, 0);
    event_client_free(c);
    for (unsigned i = 0; i < STREAMS; i++) {
        close(s.open[i]);
    }
    close(s.fd);
}

static void a_stream_that_ends_is_counted_as_lost(void **state)
{
    (void)state;
    struct stub s = {.streams = 2, .hangs_up = true};
    struct seen seen = {0};
    pthread_t thread;
    stub_listen(&s);
    assert_int_equal(pthread_create(&thread, NULL, stub_run, &s), 0);
    struct event_client *c = client_new(&seen, s.port, 2);
    for (int i = 0; event_client_counts(c).lost < 2 && i < 2000; i++) {
        event_client_poll(c, 10);
    }
    pthread_join(thread, NULL);
    struct event_counts counts = event_client_counts(c);
    assert_int_equal(counts.lost, 2);
    assert_int_equal(counts.open, 0);
    assert_string_equal(counts.failure, "the server closed the stream");
    assert_int_equal(seen.events, 2);
    event_client_free(c);
    close(s.fd);
}

static void nobody_listening_is_a_loss(void **state)
{
    (void)state;
    struct stub s = {0};
    struct seen seen = {0};
    stub_listen(&s);
    close(s.fd);
    struct event_client *c = client_new(&seen, s.port, 3);
    for (int i = 0; event_client_counts(c).lost < 3 && i < 2000; i++) {
        event_client_poll(c, 10);
    }
    struct event_counts counts = event_client_counts(c);
    assert_int_equal(counts.lost, 3);
    assert_non_null(counts.failure);
    event_client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_is_opened_and_hears_its_own),
        cmocka_unit_test(a_stream_that_ends_is_counted_as_lost),
        cmocka_unit_test(nobody_listening_is_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
