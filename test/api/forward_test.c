#include "api/forward.h"

#include "api/forward_targets.h"
#include "base/mem.h"
#include "fixture.h"
#include "puppet.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX (2 * 1024 * 1024)

/* A server that forwards all it gets, and the two nodes that it may forward to. */
static struct front {
    struct forwarder *forwarder;
    struct http_server *server;
    uint16_t port;
} front;

static struct puppet first;
static struct puppet second;

static const struct forwarder_limits limits = {
    FORWARDS_MAX, FORWARD_CONNECT_MS, FORWARD_ANSWER_MS, FORWARD_WAIT_MS, 8 * 1024 * 1024, 0, 0};

static void forward_all(struct exchange *x, void *app)
{
    const struct front *f = app;
    forward(f->forwarder, x);
}

static const struct route routes[] = {
    {HTTP_GET, "/{a}", "get", forward_all, 0},          {HTTP_PUT, "/{a}", "put", forward_all, BODY_MAX},
    {HTTP_POST, "/{a}", "post", forward_all, BODY_MAX}, {HTTP_DELETE, "/{a}", "delete", forward_all, 0},
    {HTTP_GET, "/{a}/{b}", "get2", forward_all, 0},     {HTTP_POST, "/{a}/{b}", "post2", forward_all, BODY_MAX},
};

static void front_start(const struct forwarder_limits *l)
{
    const struct http_options options = {
        .host = "127.0.0.1",
        .threads = 2,
        .connections_max = 1024,
        .routes = routes,
        .routes_len = ARRAY_LEN(routes),
        .app = &front,
    };
    struct err_note note = {.text = ""};
    assert_int_equal(forwarder_start_with(l, &front.forwarder, &note), ERR_OK);
    assert_int_equal(http_start(&options, &front.server, &note), ERR_OK);
    front.port = http_port(front.server);
}

static void front_end(void)
{
    http_stop(front.server, 0);
    forwarder_close(front.forwarder);
    http_free(front.server);
    forwarder_free(front.forwarder);
}

static void aim_at(const uint16_t *ports, size_t len)
{
    char urls[256] = "";
    for (size_t i = 0; i < len; i++) {
        size_t at = strlen(urls);
        snprintf(urls + at, sizeof(urls) - at, "%shttp://127.0.0.1:%u", i > 0 ? "," : "", ports[i]);
    }
    forwarder_aim(front.forwarder, urls);
}

#define AIM(...) aim_at((const uint16_t[]){__VA_ARGS__}, ARRAY_LEN(((const uint16_t[]){__VA_ARGS__})))

static int set_up(void **state)
{
    (void)state;
    puppet_start(&first, 0);
    puppet_start(&second, 0);
    front_start(&limits);
    AIM(first.port, second.port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    front_end();
    puppet_stop(&first);
    puppet_stop(&second);
    return 0;
}

/* The same front with other limits. */
static void restart_front(struct forwarder_limits l)
{
    front_end();
    front_start(&l);
    AIM(first.port, second.port);
}

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define PUT "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define POST "POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define POST_KEY "POST /a HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k1\r\nContent-Length: 0\r\n\r\n"

#define PROBLEM_OF(length, status, text, code)                                                          \
    "HTTP/1.1 " status " " text "\r\nContent-Type: application/problem+json\r\nContent-Length: " length \
    "\r\n\r\n{\"code\":\"" code "\"}"
#define PROBLEM(status, text, code) PROBLEM_OF("20", status, text, code)
#define NO_LEADER PROBLEM("503", "Service Unavailable", "no_leader")
#define NOT_COMMITTED PROBLEM_OF("24", "503", "Service Unavailable", "not_committed")
#define STORE_AWAY PROBLEM_OF("21", "503", "Service Unavailable", "store_away")
#define SHUTTING_DOWN PROBLEM_OF("24", "503", "Service Unavailable", "shutting_down")

/* Asks the front; the answer has this status and, if `code` is not NULL, this code. */
static void ask(const char *request, int status, const char *code)
{
    struct answer a;
    client_ask(front.port, request, &a);
    assert_int_equal(a.status, status);
    if (code != NULL) {
        char member[64];
        snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
        assert_non_null(strstr(a.body.ptr, member));
    }
    answer_release(&a);
}

static void expect_requests(unsigned of_first, unsigned of_second)
{
    assert_int_equal(puppet_requests(&first), of_first);
    assert_int_equal(puppet_requests(&second), of_second);
}

/* Passing on. */

static void a_request_arrives_as_it_was_sent(void **state)
{
    (void)state;
    ask("POST /a%2Fb/c+d%C3%A9?x=%20+&&y=%2e./&x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
        "accept: a/b, c/d\r\nIdempotency-Key: \"k 1\"\r\nIf-Match: \"7\"\r\nIf-None-Match: *\r\nPrefer: wait=5\r\n"
        "Authorization: Bearer t\r\ntraceparent: 00-1-2-01\r\ntracestate: a=b\r\nX-Request-Id: mine\r\n"
        "Cookie: c=1\r\nX-Other: o\r\nForwarded: for=1\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        200, NULL);
    char wanted[1024];
    snprintf(
        wanted, sizeof(wanted),
        "POST /a%%2Fb/c+d%%C3%%A9?x=%%20+&&y=%%2e./&x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
        "Content-Type: application/json; charset=utf-8\r\nAccept: a/b, c/d\r\nIdempotency-Key: \"k 1\"\r\n"
        "If-Match: \"7\"\r\nIf-None-Match: *\r\nPrefer: wait=5\r\nAuthorization: Bearer t\r\n"
        "traceparent: 00-1-2-01\r\ntracestate: a=b\r\nX-Request-Id: mine\r\nOnhand-Hops: 1\r\nContent-Length: 7\r\n\r\n"
        "{\"a\":1}",
        first.port);
    assert_string_equal(first.last.ptr, wanted);
}

static void nothing_is_added_to_a_bare_request(void **state)
{
    (void)state;
    ask("GET http://elsewhere/a?b HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\nIf-Match:\r\n\r\n", 200, NULL);
    char wanted[256];
    snprintf(
        wanted, sizeof(wanted),
        "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nIf-Match:\r\nX-Request-Id: r\r\nOnhand-Hops: 1\r\n\r\n",
        first.port);
    assert_string_equal(first.last.ptr, wanted);
    ask("DELETE /a HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\n\r\n", 200, NULL);
    assert_memory_equal(first.last.ptr, "DELETE /a HTTP/1.1\r\n", 20);
}

static void an_answer_comes_back_with_the_headers_of_operations(void **state)
{
    (void)state;
    puppet_answer(
        &first,
        STR("HTTP/1.1 103 Early Hints\r\nLink: <early>\r\n\r\n"
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nETag: \"7\"\r\nLocation: /v1/x\r\nonhand-seq: 12\r\n"
            "Link: <?after=1>; rel=\"next\"\r\nIdempotent-Replayed: true\r\nCache-Control: public, max-age=1\r\n"
            "Allow: GET\r\nContent-Security-Policy: default-src 'none'\r\nSet-Cookie: a=b\r\nX-Other: o\r\nServer: s\r\n"
            "Empty:\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"));
    static const char *const back[][2] = {
        {"Content-Type", "application/json"},
        {"ETag", "\"7\""},
        {"Location", "/v1/x"},
        {"Onhand-Seq", "12"},
        {"Idempotent-Replayed", "true"},
        {"Cache-Control", "public, max-age=1"},
        {"Allow", "GET"},
        {"Content-Security-Policy", "default-src 'none'"},
        {"Link", "<?after=1>; rel=\"next\""},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Length", "5"},
    };
    struct answer a;
    client_ask(front.port, POST_KEY, &a);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.body.ptr, "[1,2]");
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        struct str value = answer_header(&a, back[i][0]);
        assert_false(str_is_absent(value));
        assert_true(str_equal(value, str_from(back[i][1])));
    }
    static const char *const kept_back[] = {"Set-Cookie", "X-Other", "Server", "Empty", "Transfer-Encoding"};
    for (size_t i = 0; i < ARRAY_LEN(kept_back); i++) {
        assert_true(str_is_absent(answer_header(&a, kept_back[i])));
    }
    assert_null(strstr(a.head.ptr, "early"));
    answer_release(&a);
}

static void a_304_comes_back_with_its_etag(void **state)
{
    (void)state;
    puppet_answer(&first, STR("HTTP/1.1 304 Not Modified\r\nETag: \"9\"\r\nCache-Control: no-store\r\n\r\n"));
    struct answer a;
    client_ask(front.port, "GET /a HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"9\"\r\n\r\n", &a);
    assert_int_equal(a.status, 304);
    assert_true(str_equal(answer_header(&a, "ETag"), STR("\"9\"")));
    assert_true(str_equal(answer_header(&a, "Cache-Control"), STR("no-store")));
    assert_true(str_is_absent(answer_header(&a, "Content-Type")));
    answer_release(&a);
}

static void a_problem_comes_back_byte_for_byte(void **state)
{
    (void)state;
    puppet_answer(
        &first,
        STR("HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nRetry-After: 7\r\nContent-Length: 22\r\n\r\n"
            "{ \"code\" : \"any\",\n\t }\n"));
    struct answer a;
    client_ask(front.port, PUT, &a);
    assert_int_equal(a.status, 409);
    assert_string_equal(a.body.ptr, "{ \"code\" : \"any\",\n\t }\n");
    assert_true(str_equal(answer_header(&a, "Content-Type"), STR("application/problem+json")));
    assert_true(str_equal(answer_header(&a, "Retry-After"), STR("7")));
    const char *once = strstr(a.head.ptr, "Retry-After");
    assert_null(strstr(once + 1, "Retry-After"));
    answer_release(&a);
    expect_requests(1, 0);
}

static void a_body_may_hold_any_bytes(void **state)
{
    (void)state;
    char bytes[512];
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)i;
    }
    buf_put_literal(&b, "HTTP/1.1 200 OK\r\nContent-Length: 512\r\n\r\n");
    buf_put(&b, bytes, sizeof(bytes));
    puppet_answer(&first, buf_str(&b));
    buf_clear(&b);
    buf_put_literal(&b, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 512\r\n\r\n");
    buf_put(&b, bytes, sizeof(bytes));
    struct client c;
    struct answer a;
    client_open(&c, front.port);
    client_send(&c, buf_str(&b));
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, sizeof(bytes));
    assert_memory_equal(a.body.ptr, bytes, sizeof(bytes));
    assert_memory_equal(first.last.ptr + first.last.len - sizeof(bytes), bytes, sizeof(bytes));
    answer_release(&a);
    client_close(&c);
    buf_release(&b);
}

static void a_megabyte_goes_there_and_back(void **state)
{
    (void)state;
    enum { LEN = 1024 * 1024 };
    char *body = mem_new(LEN);
    for (size_t i = 0; i < LEN; i++) {
        body[i] = (char)('a' + i % 23);
    }
    struct buf b;
    buf_init(&b, 2 * LEN);
    buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LEN);
    buf_put(&b, body, LEN);
    puppet_answer(&first, buf_str(&b));
    buf_clear(&b);
    buf_printf(&b, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n");
    buf_printf(&b, "Content-Length: %d\r\n\r\n", LEN);
    buf_put(&b, body, LEN);
    struct client c;
    struct answer a;
    client_open(&c, front.port);
    client_send(&c, buf_str(&b));
    client_read(&c, false, &a);
    assert_int_equal(a.body.len, LEN);
    assert_memory_equal(a.body.ptr, body, LEN);
    assert_memory_equal(first.last.ptr + first.last.len - LEN, body, LEN);
    assert_null(strstr(first.last.ptr, "Expect"));
    answer_release(&a);
    client_close(&c);
    buf_release(&b);
    mem_free(body);
}

static void head_is_answered_like_get_without_its_body(void **state)
{
    (void)state;
    puppet_answer(
        &first, STR("HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nETag: \"1\"\r\nContent-Length: 11\r\n\r\nhello world"));
    struct client c;
    struct answer a;
    client_open(&c, front.port);
    for (int i = 0; i < 2; i++) { /* a body would be taken for the next answer */
        client_send_text(&c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
        client_read(&c, true, &a);
        assert_int_equal(a.status, 200);
        assert_true(str_equal(answer_header(&a, "Content-Length"), STR("11")));
        assert_true(str_equal(answer_header(&a, "ETag"), STR("\"1\"")));
        answer_release(&a);
    }
    client_close(&c);
}

static void connections_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        ask(i % 2 == 0 ? GET : POST_KEY, 200, NULL);
    }
    assert_int_equal(first.connections, 1);
    expect_requests(20, 0);
}

static void an_answer_that_cannot_be_passed_on_is_an_error(void **state)
{
    (void)state;
    struct forwarder_limits small = limits;
    small.answer_bytes_max = 10;
    restart_front(small);
    puppet_answer(&first, STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"));
    ask(GET, 200, NULL);
    puppet_answer(&first, STR("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a"));
    ask(GET, 500, "internal");
    ask(PUT, 500, "internal");
    puppet_answer(&first, STR("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"));
    ask(GET, 500, "internal");
    struct buf b;
    buf_init(&b, 32768);
    buf_put_literal(&b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: ");
    for (int i = 0; i < 8000; i++) {
        buf_put_char(&b, 'l');
    }
    buf_put_literal(&b, "\r\n\r\n");
    puppet_answer(&first, buf_str(&b));
    ask(GET, 500, "internal");
    buf_release(&b);
    expect_requests(5, 0);
}

/* Where to. */

static void a_dead_node_is_passed_over(void **state)
{
    (void)state;
    AIM(puppet_dead_port(), second.port);
    ask(GET, 200, NULL);
    ask(PUT, 200, NULL);
    ask(POST, 200, NULL);
    expect_requests(0, 3);
}

static void a_node_that_knows_no_leader_is_passed_over(void **state)
{
    (void)state;
    puppet_answer(&first, STR(NO_LEADER));
    ask(GET, 200, NULL);
    ask(PUT, 200, NULL);
    ask(POST, 200, NULL);
    expect_requests(3, 3);
}

static void a_node_that_did_nothing_and_cannot_now_is_passed_over(void **state)
{
    (void)state;
    static const struct str answers[] = {
        {NOT_COMMITTED, sizeof(NOT_COMMITTED) - 1},
        {STORE_AWAY, sizeof(STORE_AWAY) - 1},
        {SHUTTING_DOWN, sizeof(SHUTTING_DOWN) - 1}};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        puppet_answer(&first, answers[i]);
        ask(GET, 200, NULL);
        ask(PUT, 200, NULL);
        ask(POST, 200, NULL);
    }
    expect_requests(9, 9);
}

static void what_the_last_of_such_nodes_says_is_the_answer(void **state)
{
    (void)state;
    puppet_answer(&first, STR(NO_LEADER));
    puppet_answer(&second, STR(NOT_COMMITTED));
    ask(PUT, 503, "not_committed");
    puppet_answer(&first, STR(STORE_AWAY));
    puppet_answer(&second, STR(NO_LEADER));
    ask(GET, 503, "no_leader");
    expect_requests(2, 2);
    const uint16_t dead = puppet_dead_port();
    AIM(first.port, dead);
    ask(GET, 503, "no_leader");
}

/* Where it was lost, it may have been done, whatever another node says of itself. */
static void a_lost_write_stays_unknown_when_another_node_did_nothing(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_CLOSE);
    puppet_answer(&second, STR(NOT_COMMITTED));
    ask(POST_KEY, 503, "outcome_unknown");
}

static void another_503_is_an_answer(void **state)
{
    (void)state;
    puppet_answer(&first, STR(PROBLEM("503", "Service Unavailable", "overloade")));
    ask(GET, 503, "overloade");
    ask(PUT, 503, "overloade");
    puppet_answer(&first, STR(PROBLEM("409", "Conflict", "no_leader"))); /* not what ERR_NO_LEADER looks like */
    ask(GET, 409, "no_leader");
    expect_requests(3, 0);
}

static void nowhere_is_no_leader(void **state)
{
    (void)state;
    const uint16_t dead = puppet_dead_port();
    AIM(dead, dead);
    ask(GET, 503, "no_leader");
    ask(PUT, 503, "no_leader");
    ask(POST_KEY, 503, "no_leader");
    forwarder_aim(front.forwarder, "");
    ask(GET, 503, "no_leader");
    forwarder_aim(front.forwarder, NULL);
    ask(PUT, 503, "no_leader");
    forwarder_aim(front.forwarder, "file:///etc/passwd, http://,:::,http://no-such-name.invalid:80");
    ask(GET, 503, "no_leader");
    expect_requests(0, 0);
}

static void all_nodes_without_a_leader_are_no_leader(void **state)
{
    (void)state;
    puppet_answer(&first, STR(NO_LEADER));
    puppet_answer(&second, STR(NO_LEADER));
    struct answer a;
    client_ask(front.port, PUT, &a);
    assert_int_equal(a.status, 503);
    assert_non_null(strstr(a.body.ptr, "\"type\":\"/problems/no-leader\"")); /* our own */
    assert_true(str_equal(answer_header(&a, "Retry-After"), STR("1")));
    answer_release(&a);
    expect_requests(1, 1);
}

/* Lost on the way. */

static void what_is_lost_is_repeated_if_that_is_safe(void **state)
{
    (void)state;
    static const enum puppet_act acts[] = {PUPPET_CLOSE, PUPPET_RESET};
    for (unsigned i = 0; i < ARRAY_LEN(acts); i++) {
        puppet_act(&first, acts[i]);
        ask(GET, 200, NULL);
        ask(POST_KEY, 200, NULL);
        expect_requests(4 * i + 2, 2 * i + 2);
        ask(PUT, 503, "outcome_unknown");
        ask(POST, 503, "outcome_unknown");
        expect_requests(4 * i + 4, 2 * i + 2);
    }
}

static void an_answer_that_is_cut_off_is_lost(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"7\"\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nETag: \"7\"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: \"7\"\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nETag: \"7\"\r\n\r\n",
    };
    unsigned asked = 0;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        size_t len = strlen(answers[i]) - (i == 1 ? 2 : 0); /* the very last line end says nothing */
        puppet_answer(&first, str_from(answers[i]));
        for (size_t cut = 0; cut < len; cut++) {
            puppet_cut(&first, cut);
            ask(PUT, 503, "outcome_unknown");
            asked++;
        }
        puppet_act(&first, PUPPET_ANSWER);
        ask(PUT, atoi(answers[i] + 9), NULL);
        asked++;
    }
    expect_requests(asked, 0);
}

static void an_answer_without_an_end_is_lost(void **state)
{
    (void)state;
    puppet_answer(&first, STR("HTTP/1.1 200 OK\r\n\r\n{}-"));
    puppet_cut(&first, strlen("HTTP/1.1 200 OK\r\n\r\n{}"));
    ask(PUT, 503, "outcome_unknown");
    ask(GET, 200, NULL);
    expect_requests(2, 1);
}

static void it_is_repeated_once(void **state)
{
    (void)state;
    struct puppet third;
    puppet_start(&third, 0);
    AIM(first.port, second.port, third.port);
    puppet_act(&first, PUPPET_CLOSE);
    puppet_act(&second, PUPPET_CLOSE);
    ask(GET, 503, "no_leader");
    ask(POST_KEY, 503, "outcome_unknown");
    expect_requests(2, 2);
    assert_int_equal(puppet_requests(&third), 0);
    puppet_stop(&third);
}

static void dead_nodes_do_not_count_as_repeated(void **state)
{
    (void)state;
    const uint16_t dead = puppet_dead_port();
    AIM(dead, first.port, dead, second.port);
    puppet_act(&first, PUPPET_CLOSE);
    ask(GET, 200, NULL);
    ask(POST_KEY, 200, NULL);
    ask(PUT, 503, "outcome_unknown");
    expect_requests(3, 2);
}

static void a_lost_write_stays_unknown_whatever_another_node_did_not_do(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_CLOSE);
    puppet_answer(&second, STR(NO_LEADER));
    ask(POST_KEY, 503, "outcome_unknown");
    ask(GET, 503, "no_leader");
    puppet_answer(&second, STR(PROBLEM("503", "Service Unavailable", "overloade")));
    ask(POST_KEY, 503, "outcome_unknown");
    ask(GET, 503, "overloade");
    puppet_answer(&second, STR(PROBLEM("409", "Conflict", "in_flight")));
    ask(POST_KEY, 409, "in_flight");
    expect_requests(5, 5);
    AIM(first.port, puppet_dead_port());
    ask(POST_KEY, 503, "outcome_unknown");
    ask(GET, 503, "no_leader");
}

static void who_does_not_answer_in_time_is_lost(void **state)
{
    (void)state;
    struct forwarder_limits hasty = limits;
    hasty.answer_ms = 200;
    restart_front(hasty);
    puppet_act(&first, PUPPET_SILENT);
    ask(GET, 200, NULL);
    ask(POST_KEY, 200, NULL);
    expect_requests(2, 2);
    ask(PUT, 503, "outcome_unknown");
    expect_requests(3, 2);
}

/* A listener whose queue is full: the next connection is not refused and never comes about. */
static int full_listener(uint16_t *out_port, int *out_filler)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *out_filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*out_filler, (const struct sockaddr *)&at, sizeof(at)), 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

static void who_cannot_be_connected_to_in_time_was_sent_nothing(void **state)
{
    (void)state;
    struct forwarder_limits hasty = limits;
    hasty.connect_ms = 100;
    restart_front(hasty);
    uint16_t full;
    int filler;
    int listener = full_listener(&full, &filler);
    AIM(full, second.port);
    ask(PUT, 200, NULL);
    ask(PUT, 200, NULL);
    expect_requests(0, 2);
    AIM(full);
    ask(PUT, 503, "no_leader");
    close(filler);
    close(listener);
}

static void a_node_out_of_reach_is_held_back(void **state)
{
    (void)state;
    struct forward_targets *t = forward_targets_new("a/, b ,,c//");
    assert_int_equal(t->len, 3);
    assert_string_equal(t->at[1].url, "b");
    unsigned tried = 0;
    assert_string_equal(forward_targets_next(t, &tried, 1000)->url, "a");
    forward_target_judge(&t->at[0], false, 2000);
    assert_string_equal(forward_targets_next(t, &tried, 2000)->url, "b");
    static const struct {
        int64_t now_ms;
        const char *order[3];
    } rows[] = {
        {2001, {"b", "c", "a"}},
        {2000 + TARGET_HELD_BACK_MS - 1, {"b", "c", "a"}},
        {20000, {"a", "b", "c"}}, /* one request tries it */
        {20000, {"b", "c", "a"}}, /* and nobody else meanwhile */
        {20000 + TARGET_HELD_BACK_MS, {"a", "b", "c"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tried = 0;
        for (int k = 0; k < 3; k++) {
            assert_string_equal(forward_targets_next(t, &tried, rows[i].now_ms)->url, rows[i].order[k]);
        }
        assert_null(forward_targets_next(t, &tried, rows[i].now_ms));
    }
    forward_target_judge(&t->at[0], true, 30000);
    tried = 0;
    assert_string_equal(forward_targets_next(t, &tried, 30000)->url, "a");
    forward_targets_unref(t);
}

static void more_nodes_than_the_limit_are_left_out(void **state)
{
    (void)state;
    struct forward_targets *t = forward_targets_new("1,2,3,4,5,6,7,8,9");
    assert_int_equal(t->len, FORWARD_TARGETS_MAX);
    assert_string_equal(t->at[FORWARD_TARGETS_MAX - 1].url, "8");
    forward_targets_unref(t);
}

/* Connections that were used before. */

static void a_write_on_a_used_connection_is_sent_once(void **state)
{
    (void)state;
    ask(GET, 200, NULL);
    puppet_act(&first, PUPPET_CLOSE);
    ask(PUT, 503, "outcome_unknown");
    expect_requests(2, 0);
    puppet_act(&first, PUPPET_ANSWER);
    ask(GET, 200, NULL);
    puppet_act_then(&first, PUPPET_CLOSE, PUPPET_ANSWER);
    ask(POST, 503, "outcome_unknown"); /* it has no key */
    expect_requests(4, 0);
}

/* libcurl cannot know whether it arrived, and repeats it on a new connection to the same node. */
static void what_is_lost_on_a_used_connection_is_repeated_if_that_is_safe(void **state)
{
    (void)state;
    ask(GET, 200, NULL);
    puppet_act_then(&first, PUPPET_CLOSE, PUPPET_ANSWER);
    ask(POST_KEY, 200, NULL);
    expect_requests(3, 0);
    puppet_act_then(&first, PUPPET_RESET, PUPPET_ANSWER);
    ask(GET, 200, NULL);
    expect_requests(5, 0);
}

static void that_leaves_a_write_unknown_too(void **state)
{
    (void)state;
    ask(GET, 200, NULL);
    puppet_answer(&first, STR(PROBLEM("503", "Service Unavailable", "overloade")));
    puppet_act_then(&first, PUPPET_CLOSE, PUPPET_ANSWER);
    ask(POST_KEY, 503, "outcome_unknown");
    expect_requests(3, 0);
    puppet_act_then(&first, PUPPET_CLOSE, PUPPET_ANSWER);
    ask(GET, 503, "overloade");
    expect_requests(5, 0);
}

static void a_node_may_be_started_again(void **state)
{
    (void)state;
    AIM(first.port);
    static const char *const requests[] = {GET, PUT, POST, POST_KEY};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        ask(GET, 200, NULL);
        uint16_t port = first.port;
        puppet_stop(&first);
        ask(requests[i], 503, "no_leader");
        puppet_start(&first, port);
        ask(requests[i], 200, NULL);
        expect_requests(1, 0);
    }
}

static void a_node_may_be_started_again_between_two_requests(void **state)
{
    (void)state;
    AIM(first.port);
    static const char *const requests[] = {GET, PUT, POST, POST_KEY};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        ask(GET, 200, NULL);
        uint16_t port = first.port;
        puppet_stop(&first);
        puppet_start(&first, port);
        ask(requests[i], 200, NULL);
        expect_requests(1, 0);
    }
}

/* Hops. */

static void hops_are_counted_and_bounded(void **state)
{
    (void)state;
    ask("GET /a HTTP/1.1\r\nHost: x\r\nOnhand-Hops: 2\r\n\r\n", 200, NULL);
    assert_non_null(strstr(first.last.ptr, "\r\nOnhand-Hops: 3\r\n"));
    ask("GET /a HTTP/1.1\r\nHost: x\r\nOnhand-Hops: 3\r\n\r\n", 503, "no_leader");
    ask("GET /a HTTP/1.1\r\nHost: x\r\nOnhand-Hops: 4294967295\r\n\r\n", 503, "no_leader");
    ask("GET /a HTTP/1.1\r\nHost: x\r\nOnhand-Hops: many\r\n\r\n", 400, "malformed");
    expect_requests(1, 0);
}

static void a_node_that_points_at_itself_finds_no_leader(void **state)
{
    (void)state;
    struct forwarder_metrics m;
    AIM(front.port);
    ask(PUT, 503, "no_leader");
    forwarder_metrics(front.forwarder, &m);
    assert_int_equal(m.in_flight, 0);
    assert_int_equal(m.failed, 3); /* the fourth visit is refused at the door */
}

/* Limits. */

static void open_and_send(struct client *clients, size_t len, const char *request)
{
    for (size_t i = 0; i < len; i++) {
        client_open(&clients[i], front.port);
        client_send_text(&clients[i], request);
    }
}

static void read_and_close(struct client *clients, size_t len, int status, const char *code)
{
    for (size_t i = 0; i < len; i++) {
        struct answer a;
        client_read(&clients[i], false, &a);
        assert_int_equal(a.status, status);
        assert_true(code == NULL || strstr(a.body.ptr, code) != NULL);
        answer_release(&a);
        client_close(&clients[i]);
    }
}

static void await_in_flight(uint64_t wanted)
{
    struct forwarder_metrics m;
    do {
        forwarder_metrics(front.forwarder, &m);
    } while (m.in_flight != wanted);
}

static void too_many_are_refused_at_once(void **state)
{
    (void)state;
    struct forwarder_limits narrow = limits;
    narrow.forwards_max = 3;
    restart_front(narrow);
    puppet_act(&first, PUPPET_SILENT);
    struct client clients[3];
    open_and_send(clients, ARRAY_LEN(clients), GET);
    await_in_flight(3);
    ask(GET, 503, "overloaded");
    ask(PUT, 503, "overloaded");
    puppet_speak(&first);
    read_and_close(clients, ARRAY_LEN(clients), 200, NULL);
    ask(GET, 200, NULL);
    struct forwarder_metrics m;
    forwarder_metrics(front.forwarder, &m);
    assert_int_equal(m.forwarded, 4);
    assert_int_equal(m.failed, 2);
    assert_int_equal(m.in_flight, 0);
}

static void those_beyond_the_connections_wait_their_turn(void **state)
{
    (void)state;
    enum { CLIENTS = 3 * FORWARDS_ACTIVE_MAX };
    struct client *clients = mem_new_array(CLIENTS, sizeof(*clients));
    puppet_act(&first, PUPPET_SILENT);
    open_and_send(clients, CLIENTS, GET);
    await_in_flight(CLIENTS);
    puppet_await(&first, FORWARDS_ACTIVE_MAX);
    assert_int_equal(first.connections, FORWARDS_ACTIVE_MAX);
    puppet_speak(&first);
    read_and_close(clients, CLIENTS, 200, NULL);
    expect_requests(CLIENTS, 0);
    assert_int_equal(first.connected_most, FORWARDS_ACTIVE_MAX);
    mem_free(clients);
}

static void who_waits_too_long_for_a_turn_is_refused(void **state)
{
    (void)state;
    struct forwarder_limits impatient = limits;
    impatient.wait_ms = 1;
    restart_front(impatient);
    puppet_act(&first, PUPPET_SILENT);
    struct client clients[FORWARDS_ACTIVE_MAX];
    struct client late[4];
    open_and_send(clients, ARRAY_LEN(clients), PUT);
    puppet_await(&first, FORWARDS_ACTIVE_MAX);
    open_and_send(late, ARRAY_LEN(late), PUT);
    read_and_close(late, ARRAY_LEN(late), 503, "overloaded");
    puppet_speak(&first);
    read_and_close(clients, ARRAY_LEN(clients), 200, NULL);
    expect_requests(FORWARDS_ACTIVE_MAX, 0);
}

static void restart_front_that_asks(void)
{
    struct forwarder_limits asking = limits;
    asking.probe_ms = 20;
    asking.probe_answer_ms = 200;
    asking.answer_ms = 3600 * 1000; /* who waits for that waits in vain */
    restart_front(asking);
}

static void what_a_silent_node_was_sent_goes_to_the_next_one(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_SILENT);
    restart_front_that_asks();
    ask(GET, 200, NULL);
    ask(POST_KEY, 200, NULL);
}

static void a_silent_node_is_asked_nothing_until_it_speaks(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_SILENT);
    restart_front_that_asks();
    ask(GET, 200, NULL);
    ask(PUT, 200, NULL); /* it would have to wait */
    puppet_stop(&second);
    puppet_speak(&first);
    ask(PUT, 200, NULL);
    puppet_start(&second, 0);
}

static void a_client_may_leave_meanwhile(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_SILENT);
    struct client clients[8];
    open_and_send(clients, ARRAY_LEN(clients), POST);
    puppet_await(&first, ARRAY_LEN(clients));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_close(&clients[i]);
    }
    puppet_speak(&first);
    await_in_flight(0);
    ask(GET, 200, NULL);
}

static void aiming_does_not_disturb_what_is_under_way(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_SILENT);
    struct client c;
    open_and_send(&c, 1, GET);
    puppet_await(&first, 1);
    AIM(second.port);
    ask(GET, 200, NULL);
    expect_requests(1, 1);
    puppet_speak(&first);
    read_and_close(&c, 1, 200, NULL);
    expect_requests(1, 1);
}

/* The end. */

static void closing_answers_what_is_under_way(void **state)
{
    (void)state;
    struct client gets[FORWARDS_ACTIVE_MAX / 2];
    struct client puts[FORWARDS_ACTIVE_MAX / 2];
    struct client waiting[8];
    puppet_act(&first, PUPPET_SILENT);
    open_and_send(gets, ARRAY_LEN(gets), GET);
    open_and_send(puts, ARRAY_LEN(puts), PUT);
    puppet_await(&first, FORWARDS_ACTIVE_MAX);
    open_and_send(waiting, ARRAY_LEN(waiting), PUT);
    await_in_flight(FORWARDS_ACTIVE_MAX + ARRAY_LEN(waiting));
    forwarder_close(front.forwarder);
    read_and_close(gets, ARRAY_LEN(gets), 503, "shutting_down");
    read_and_close(puts, ARRAY_LEN(puts), 503, "outcome_unknown");
    read_and_close(waiting, ARRAY_LEN(waiting), 503, "shutting_down");
    ask(GET, 503, "shutting_down");
    forwarder_close(front.forwarder);
    expect_requests(FORWARDS_ACTIVE_MAX, 0);
}

static void a_write_lost_before_the_end_is_unknown(void **state)
{
    (void)state;
    puppet_act(&first, PUPPET_CLOSE);
    puppet_act(&second, PUPPET_SILENT);
    struct client c;
    open_and_send(&c, 1, POST_KEY);
    puppet_await(&second, 1);
    forwarder_close(front.forwarder);
    read_and_close(&c, 1, 503, "outcome_unknown");
}

static void the_server_may_be_stopped_first(void **state)
{
    (void)state;
    struct client c;
    puppet_act(&first, PUPPET_SILENT);
    open_and_send(&c, 1, PUT);
    puppet_await(&first, 1);
    http_stop(front.server, 0);
    forwarder_close(front.forwarder);
    http_free(front.server); /* hangs if the exchange was not resumed */
    forwarder_free(front.forwarder);
    client_close(&c);
    front_start(&limits);
}

static void a_forwarder_without_work_ends(void **state)
{
    (void)state;
    struct forwarder *f;
    struct err_note note;
    assert_int_equal(forwarder_start(&f, &note), ERR_OK);
    forwarder_aim(f, "http://127.0.0.1:1");
    forwarder_free(f);
    forwarder_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_arrives_as_it_was_sent),
        TEST(nothing_is_added_to_a_bare_request),
        TEST(an_answer_comes_back_with_the_headers_of_operations),
        TEST(a_304_comes_back_with_its_etag),
        TEST(a_problem_comes_back_byte_for_byte),
        TEST(a_body_may_hold_any_bytes),
        TEST(a_megabyte_goes_there_and_back),
        TEST(head_is_answered_like_get_without_its_body),
        TEST(connections_are_used_again),
        TEST(an_answer_that_cannot_be_passed_on_is_an_error),
        TEST(a_dead_node_is_passed_over),
        TEST(a_node_that_knows_no_leader_is_passed_over),
        TEST(another_503_is_an_answer),
        TEST(a_node_that_did_nothing_and_cannot_now_is_passed_over),
        TEST(what_the_last_of_such_nodes_says_is_the_answer),
        TEST(a_lost_write_stays_unknown_when_another_node_did_nothing),
        TEST(nowhere_is_no_leader),
        TEST(all_nodes_without_a_leader_are_no_leader),
        TEST(what_is_lost_is_repeated_if_that_is_safe),
        TEST(an_answer_that_is_cut_off_is_lost),
        TEST(an_answer_without_an_end_is_lost),
        TEST(it_is_repeated_once),
        TEST(dead_nodes_do_not_count_as_repeated),
        TEST(a_lost_write_stays_unknown_whatever_another_node_did_not_do),
        TEST(who_does_not_answer_in_time_is_lost),
        TEST(who_cannot_be_connected_to_in_time_was_sent_nothing),
        cmocka_unit_test(a_node_out_of_reach_is_held_back),
        cmocka_unit_test(more_nodes_than_the_limit_are_left_out),
        TEST(a_write_on_a_used_connection_is_sent_once),
        TEST(what_is_lost_on_a_used_connection_is_repeated_if_that_is_safe),
        TEST(that_leaves_a_write_unknown_too),
        TEST(a_node_may_be_started_again),
        TEST(a_node_may_be_started_again_between_two_requests),
        TEST(hops_are_counted_and_bounded),
        TEST(a_node_that_points_at_itself_finds_no_leader),
        TEST(too_many_are_refused_at_once),
        TEST(those_beyond_the_connections_wait_their_turn),
        TEST(who_waits_too_long_for_a_turn_is_refused),
        TEST(what_a_silent_node_was_sent_goes_to_the_next_one),
        TEST(a_silent_node_is_asked_nothing_until_it_speaks),
        TEST(a_client_may_leave_meanwhile),
        TEST(aiming_does_not_disturb_what_is_under_way),
        TEST(closing_answers_what_is_under_way),
        TEST(a_write_lost_before_the_end_is_unknown),
        TEST(the_server_may_be_stopped_first),
        cmocka_unit_test(a_forwarder_without_work_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
