#include "load/client.h"

#include "base/mem.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A server of a few lines, on a thread: it plays a fixed script. Each step is one connection: what is read there is
 * kept, and the answers are written one for each request.
 */
#define ANSWERS_MAX 8

struct script_step {
    const char *answers[ANSWERS_MAX]; /* NULL: hang up */
    size_t piece;                     /* write so many bytes at a time; 0: all */
};

struct stub {
    int fd;
    uint16_t port;
    pthread_t thread;
    const struct script_step *steps;
    size_t steps_len;
    char requests[64 * 1024];
    size_t requests_len;
};

/* Reads one request: head, and body by its Content-Length. False at the end of the stream. */
static bool stub_read_request(struct stub *s, int fd)
{
    size_t from = s->requests_len;
    size_t need = SIZE_MAX;
    while (s->requests_len - from < need) {
        ssize_t n = read(fd, s->requests + s->requests_len, 1);
        if (n <= 0) {
            return false;
        }
        s->requests_len++;
        s->requests[s->requests_len] = '\0';
        if (need == SIZE_MAX && strstr(s->requests + from, "\r\n\r\n") != NULL) {
            const char *length = strstr(s->requests + from, "Content-Length: ");
            need = s->requests_len - from + (length == NULL ? 0 : (size_t)atoi(length + 16));
        }
    }
    return true;
}

static void stub_write(int fd, const char *answer, size_t piece)
{
    size_t len = strlen(answer);
    size_t step = piece == 0 ? len : piece;
    for (size_t at = 0; at < len; at += step) {
        size_t now = len - at < step ? len - at : step;
        if (send(fd, answer + at, now, MSG_NOSIGNAL) != (ssize_t)now) {
            return;
        }
        usleep(piece == 0 ? 0 : 200);
    }
}

static void *stub_run(void *ctx)
{
    struct stub *s = ctx;
    for (size_t i = 0; i < s->steps_len; i++) {
        int fd = accept(s->fd, NULL, NULL);
        for (size_t n = 0; s->steps[i].answers[n] != NULL && stub_read_request(s, fd); n++) {
            stub_write(fd, s->steps[i].answers[n], s->steps[i].piece);
        }
        close(fd);
    }
    return NULL;
}

static void stub_listen(struct stub *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
}

static struct stub *stub_new(const struct script_step *steps, size_t len)
{
    struct stub *s = mem_new(sizeof(*s));
    s->steps = steps;
    s->steps_len = len;
    stub_listen(s);
    assert_int_equal(pthread_create(&s->thread, NULL, stub_run, s), 0);
    return s;
}

static void stub_free(struct stub *s)
{
    pthread_join(s->thread, NULL);
    close(s->fd);
    mem_free(s);
}

struct seen {
    unsigned count;
    int status[32];
    char body[32][64];
    bool failed_with_reason;
    struct load_client *client;
    unsigned send_more; /* from the handler */
};

static const struct load_request get = {.method = "GET", .path = STR("/a")};

static void answered_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    struct seen *seen = ctx;
    assert_true(load_is_idle(seen->client, connection));
    assert_true(seen->count < 32);
    seen->status[seen->count] = answer->status;
    snprintf(
        seen->body[seen->count], 64, "%.*s", (int)answer->body.len, answer->body.ptr == NULL ? "" : answer->body.ptr);
    seen->failed_with_reason = answer->status == 0 && answer->failure != NULL && answer->failure[0] != '\0';
    seen->count++;
    if (seen->send_more > 0) {
        seen->send_more--;
        load_send(seen->client, connection, &get);
    }
}

static struct load_client *client_new(struct seen *seen, uint16_t port, int64_t timeout_ms)
{
    struct load_options options = {
        .host = "127.0.0.1",
        .port = port,
        .connections = 2,
        .timeout_ms = timeout_ms,
        .answered = answered_cb,
        .ctx = seen,
    };
    struct err_note note;
    assert_int_equal(load_client_new(&options, &seen->client, &note), ERR_OK);
    return seen->client;
}

static void poll_until_answered(struct load_client *c)
{
    for (int i = 0; load_open_requests(c) > 0 && i < 2000; i++) {
        load_poll(c, 10);
    }
    assert_int_equal(load_open_requests(c), 0);
}

#define OK_A "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA"
#define OK_B "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nB"
#define LAST_C "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nC"

static void a_connection_is_used_again(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{{OK_A, OK_B, OK_A}, 0}};
    struct stub *s = stub_new(steps, 1);
    struct seen seen = {.send_more = 2};
    struct load_client *c = client_new(&seen, s->port, 0);
    load_send(c, 0, &get);
    poll_until_answered(c);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.status[1], 201);
    assert_string_equal(seen.body[1], "B");
    assert_int_equal(load_counts(c).connects, 1);
    assert_int_equal(load_counts(c).answers, 3);
    load_client_free(c);
    stub_free(s);
}

static void an_answer_in_single_bytes_is_put_together(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{{OK_A, OK_B}, 1}};
    struct stub *s = stub_new(steps, 1);
    struct seen seen = {.send_more = 1};
    struct load_client *c = client_new(&seen, s->port, 0);
    load_send(c, 0, &get);
    poll_until_answered(c);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.body[0], "A");
    assert_string_equal(seen.body[1], "B");
    load_client_free(c);
    stub_free(s);
}

static void a_request_is_written_as_asked(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{{OK_A, OK_A}, 0}};
    struct stub *s = stub_new(steps, 1);
    struct seen seen = {0};
    struct load_client *c = client_new(&seen, s->port, 0);
    load_send(c, 0, &get);
    poll_until_answered(c);
    struct load_request post = {
        .method = "POST", .path = STR("/v1/things?x=1"), .key = STR("key-1"), .body = STR("{\"a\":1}")};
    load_send(c, 0, &post);
    poll_until_answered(c);
    char expected[512];
    snprintf(
        expected, sizeof(expected),
        "GET /a HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n"
        "POST /v1/things?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nIdempotency-Key: key-1\r\n"
        "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        s->port, s->port);
    load_client_free(c);
    pthread_join(s->thread, NULL);
    assert_string_equal(s->requests, expected);
    close(s->fd);
    mem_free(s);
}

static void a_closed_connection_is_opened_again_by_the_next_request(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{{LAST_C}, 0}, {{OK_A}, 0}};
    struct stub *s = stub_new(steps, 2);
    struct seen seen = {.send_more = 1};
    struct load_client *c = client_new(&seen, s->port, 0);
    load_send(c, 0, &get);
    poll_until_answered(c);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.status[1], 200);
    assert_int_equal(load_counts(c).connects, 2);
    load_client_free(c);
    stub_free(s);
}

/* The worst moment: the request is out, and the server goes without a word. */
static void a_lost_answer_is_a_failure_and_not_an_answer(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nAHTTP/1.1 200 OK\r\n",
        "nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct script_step steps[] = {{{broken[i]}, 0}, {{OK_A}, 0}};
        struct stub *s = stub_new(steps, 2);
        struct seen seen = {0};
        struct load_client *c = client_new(&seen, s->port, 0);
        load_send(c, 1, &get);
        poll_until_answered(c);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.status[0], 0);
        assert_true(seen.failed_with_reason);
        assert_int_equal(load_counts(c).failures, 1);
        load_send(c, 1, &get); /* and the connection is good for another try */
        poll_until_answered(c);
        assert_int_equal(seen.status[1], 200);
        load_client_free(c);
        stub_free(s);
    }
}

static void nobody_listening_is_a_failure(void **state)
{
    (void)state;
    struct stub s = {0};
    stub_listen(&s);
    close(s.fd);
    struct seen seen = {0};
    struct load_client *c = client_new(&seen, s.port, 0);
    load_send(c, 0, &get);
    poll_until_answered(c);
    assert_int_equal(seen.count, 1);
    assert_true(seen.failed_with_reason);
    load_client_free(c);
}

static void a_silent_server_is_a_failure_after_the_timeout(void **state)
{
    (void)state;
    struct stub s = {0};
    stub_listen(&s); /* the kernel accepts, nobody reads */
    struct seen seen = {0};
    struct load_client *c = client_new(&seen, s.port, 100);
    load_send(c, 0, &get);
    poll_until_answered(c);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.status[0], 0);
    assert_true(seen.failed_with_reason);
    load_client_free(c);
    close(s.fd);
}

/* More than the socket takes at once, in both directions. */
static void a_large_body_arrives_whole(void **state)
{
    (void)state;
    static const struct script_step steps[] = {{{OK_A}, 0}};
    struct stub *s = stub_new(steps, 1);
    struct seen seen = {0};
    struct load_client *c = client_new(&seen, s->port, 0);
    static char body[60 * 1024];
    memset(body, 'z', sizeof(body));
    struct load_request post = {.method = "POST", .path = STR("/"), .body = {body, sizeof(body)}};
    load_send(c, 0, &post);
    poll_until_answered(c);
    assert_int_equal(seen.status[0], 200);
    assert_true(s->requests_len > sizeof(body));
    assert_memory_equal(s->requests + s->requests_len - sizeof(body), body, sizeof(body));
    load_client_free(c);
    stub_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(an_answer_in_single_bytes_is_put_together),
        cmocka_unit_test(a_request_is_written_as_asked),
        cmocka_unit_test(a_closed_connection_is_opened_again_by_the_next_request),
        cmocka_unit_test(a_lost_answer_is_a_failure_and_not_an_answer),
        cmocka_unit_test(nobody_listening_is_a_failure),
        cmocka_unit_test(a_silent_server_is_a_failure_after_the_timeout),
        cmocka_unit_test(a_large_body_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
