#include "fixture.h"

#include "test.h"

#include <stdio.h>
#include <string.h>

static struct app app;

static int start(void **state)
{
    (void)state;
    app_start(&app, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&app.smuggled), 0);
    app_end(&app);
    return 0;
}

/* A POST with a body of `len` bytes after the given headers. */
static void put_post(struct buf *b, const char *path, const char *headers, size_t len)
{
    buf_printf(b, "POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n", path, headers, len);
    for (size_t i = 0; i < len; i++) {
        buf_put_char(b, 'b');
    }
}

#define JSON_TYPE "Content-Type: application/json\r\n"

struct row {
    const char *headers;
    int status;
};

static void the_type_of_a_body_must_be_json(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {JSON_TYPE, 200},
        {"content-type: Application/JSON\r\n", 200},
        {"Content-Type: application/json; charset=utf-8\r\n", 200},
        {"Content-Type: application/json;charset=UTF-8\r\n", 200},
        {"Content-Type: application/json ; charset=\"utf-8\"\r\n", 200},
        {"Content-Type: application/json \r\n", 200},
        {"", 415},
        {"Content-Type:\r\n", 415},
        {"Content-Type: text/plain\r\n", 415},
        {"Content-Type: application/jsonx\r\n", 415},
        {"Content-Type: application/json; charset=latin1\r\n", 415},
        {"Content-Type: application/json; \r\n", 415},
        {"Content-Type: application/json x\r\n", 415},
        {"Content-Type: application/x-www-form-urlencoded\r\n", 415},
        {JSON_TYPE "Content-Encoding: gzip\r\n", 415},
        {JSON_TYPE "Content-Encoding: identity\r\n", 200},
    };
    struct client c;
    client_open(&c, app.port);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 4096);
        put_post(&b, "/echo", rows[i].headers, 3);
        client_send(&c, buf_str(&b));
        struct answer a;
        client_read(&c, false, &a);
        if (a.status != rows[i].status) {
            fail_msg("%s: got %d, wanted %d", rows[i].headers, a.status, rows[i].status);
        }
        answer_release(&a);
        buf_release(&b);
    }
    client_close(&c); /* small bodies of refused requests were read away */
}

static void an_empty_body_needs_no_type(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 0);
    answer_release(&a);
    client_ask(app.port, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
    client_ask(app.port, "POST /no-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
}

static void a_body_up_to_the_limit_is_taken(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 1000, 20000, ECHO_BYTES_MAX};
    struct client c;
    client_open(&c, app.port);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf b;
        buf_init(&b, 200000);
        put_post(&b, "/echo", JSON_TYPE, sizes[i]);
        client_send(&c, buf_str(&b));
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body.len, sizes[i]);
        assert_int_equal(strspn(a.body.ptr, "b"), sizes[i]);
        answer_release(&a);
        buf_release(&b);
    }
    client_close(&c);
}

static void a_larger_body_is_refused_before_it_comes(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\n" JSON_TYPE "Content-Length: 65537\r\n\r\n");
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 413);
    assert_non_null(strstr(a.body.ptr, "\"code\":\"too_large\""));
    answer_release(&a);
    client_send_text(&c, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_is_closed(&c));
    client_close(&c);
}

static void a_body_where_none_is_taken_is_refused(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    struct buf b;
    buf_init(&b, 4096);
    put_post(&b, "/no-body", JSON_TYPE, 1);
    buf_put_literal(&b, "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    client_send(&c, buf_str(&b));
    for (int i = 0; i < 2; i++) {
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 413);
        assert_non_null(strstr(a.body.ptr, "This operation takes no body."));
        answer_release(&a);
    }
    buf_release(&b);
    client_close(&c);
}

static void put_chunks(struct buf *b, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(b, "%zx\r\n", size);
        for (size_t k = 0; k < size; k++) {
            buf_put_char(b, 'c');
        }
        buf_put_literal(b, "\r\n");
    }
}

static void chunks_are_joined(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 400000);
    buf_put_literal(&b, "POST /echo HTTP/1.1\r\nHost: a\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    put_chunks(&b, 64, 1024);
    buf_put_literal(&b, "0\r\nX-Trailer: ignored\r\n\r\nGET /items/after HTTP/1.1\r\nHost: a\r\n\r\n");
    struct client c;
    client_open(&c, app.port);
    client_send(&c, buf_str(&b));
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 65536);
    assert_int_equal(strspn(a.body.ptr, "c"), 65536);
    answer_release(&a);
    client_read(&c, false, &a);
    assert_string_equal(a.body.ptr, "after");
    answer_release(&a);
    client_close(&c);
    buf_release(&b);
}

static void chunks_that_grow_past_the_limit_are_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 400000);
    buf_put_literal(&b, "POST /echo HTTP/1.1\r\nHost: a\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    put_chunks(&b, 65, 1024);
    buf_put_literal(&b, "0\r\n\r\n");
    struct client c;
    client_open(&c, app.port);
    client_send(&c, buf_str(&b));
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 413);
    answer_release(&a);
    client_close(&c);
    buf_release(&b);
}

static void chunks_without_end_are_cut_off(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(&c, "POST /echo HTTP/1.1\r\nHost: a\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n");
    struct buf b;
    buf_init(&b, 100000);
    put_chunks(&b, 64, 1024);
    for (int i = 0; i < 20; i++) {
        client_send(&c, buf_str(&b));
    }
    assert_true(client_is_closed(&c));
    client_close(&c);
    buf_release(&b);
}

static void chunks_of_another_type_are_refused(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(
        &c,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        "GET /items/after HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 415);
    answer_release(&a);
    client_read(&c, false, &a);
    assert_string_equal(a.body.ptr, "after");
    answer_release(&a);
    client_close(&c);
}

static void a_refused_request_does_not_make_its_body_a_request(void **state)
{
    (void)state;
    static const char inner[] = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char *const heads[] = {
        "POST /nope HTTP/1.1\r\nHost: a\r\n", "POST /hello HTTP/1.1\r\nHost: a\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\n", "POST /%zz HTTP/1.1\r\nHost: a\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n%s", heads[i], strlen(inner), inner);
        struct client c;
        client_open(&c, app.port);
        client_send_text(&c, text);
        struct answer a;
        client_read(&c, false, &a);
        assert_true(a.status >= 400 && a.status < 500);
        answer_release(&a);
        client_half_close(&c);
        assert_true(client_is_closed(&c));
        client_close(&c);
    }
}

static void continue_is_sent_only_for_a_body_that_is_wanted(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(
        &c, "POST /echo HTTP/1.1\r\nHost: a\r\n" JSON_TYPE "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct answer a;
    client_read_head(&c, &a);
    assert_int_equal(a.status, 100);
    answer_release(&a);
    client_send_text(&c, "{}");
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.ptr, "{}");
    answer_release(&a);
    client_send_text(
        &c,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\n"
        "Content-Length: 2\r\n\r\n");
    client_read(&c, false, &a);
    assert_int_equal(a.status, 415);
    answer_release(&a);
    assert_true(client_is_closed(&c));
    client_close(&c);
}

static void another_expectation_fails(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", &a);
    assert_int_equal(a.status, 417);
    answer_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_type_of_a_body_must_be_json),
        cmocka_unit_test(an_empty_body_needs_no_type),
        cmocka_unit_test(a_body_up_to_the_limit_is_taken),
        cmocka_unit_test(a_larger_body_is_refused_before_it_comes),
        cmocka_unit_test(a_body_where_none_is_taken_is_refused),
        cmocka_unit_test(chunks_are_joined),
        cmocka_unit_test(chunks_that_grow_past_the_limit_are_refused),
        cmocka_unit_test(chunks_without_end_are_cut_off),
        cmocka_unit_test(chunks_of_another_type_are_refused),
        cmocka_unit_test(a_refused_request_does_not_make_its_body_a_request),
        cmocka_unit_test(continue_is_sent_only_for_a_body_that_is_wanted),
        cmocka_unit_test(another_expectation_fails),
    };
    return cmocka_run_group_tests(tests, start, end);
}
