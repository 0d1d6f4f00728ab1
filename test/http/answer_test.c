#include "fixture.h"

#include "base/random.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

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
    app_end(&app);
    return 0;
}

static void assert_header(const struct answer *a, const char *name, const char *wanted)
{
    struct str value = answer_header(a, name);
    if (str_is_absent(value) || !str_equal(value, str_from(wanted))) {
        fail_msg("%s: wanted %s in %s", name, wanted, a->head.ptr);
    }
}

static void assert_no_header(const struct answer *a, const char *name)
{
    if (!str_is_absent(answer_header(a, name))) {
        fail_msg("%s is in %s", name, a->head.ptr);
    }
}

static void every_answer_carries_the_standard_headers(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.ptr, "{\"hello\":\"world\"}");
    assert_header(&a, "Content-Type", "application/json");
    assert_header(&a, "Cache-Control", "no-store");
    assert_header(&a, "X-Content-Type-Options", "nosniff");
    assert_header(&a, "Content-Length", "17");
    assert_false(str_is_absent(answer_header(&a, "Date")));
    struct uuid id;
    assert_true(uuid_parse(answer_header(&a, "X-Request-Id"), &id));
    assert_int_equal(id.bytes[6] >> 4, 7);
    answer_release(&a);
}

static void a_sane_request_id_comes_back(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\nx-request-id: order-42.a \r\n\r\n", &a);
    assert_header(&a, "X-Request-Id", "order-42.a");
    answer_release(&a);
    client_ask(app.port, "GET /nope HTTP/1.1\r\nHost: a\r\nX-Request-Id: order-42\r\n\r\n", &a);
    assert_header(&a, "X-Request-Id", "order-42");
    assert_null(strstr(a.body.ptr, "instance"));
    answer_release(&a);
}

static void a_strange_request_id_is_replaced(void **state)
{
    (void)state;
    char longest[129 + 64];
    char text[512];
    memset(longest, 'i', 129);
    longest[129] = '\0';
    const char *const ids[] = {"two words", "", "a\"b", "a,b", longest};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        snprintf(text, sizeof(text), "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\n\r\n", ids[i]);
        struct answer a;
        client_ask(app.port, text, &a);
        assert_int_equal(a.status, 200);
        struct uuid id;
        assert_true(uuid_parse(answer_header(&a, "X-Request-Id"), &id));
        answer_release(&a);
    }
    longest[128] = '\0';
    snprintf(text, sizeof(text), "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\n\r\n", longest);
    struct answer a;
    client_ask(app.port, text, &a);
    assert_header(&a, "X-Request-Id", longest);
    answer_release(&a);
}

static void connections_are_kept_alive(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    struct buf ids;
    buf_init(&ids, 65536);
    for (int i = 0; i < 100; i++) {
        client_send_text(
            &c, i % 2 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n");
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, i % 2 ? 200 : 404);
        assert_no_header(&a, "Connection");
        struct str id = answer_header(&a, "X-Request-Id");
        assert_null(ids.len > 0 ? memmem(ids.ptr, ids.len, id.ptr, id.len) : NULL);
        buf_put_str(&ids, id);
        answer_release(&a);
    }
    buf_release(&ids);
    client_close(&c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    struct buf out;
    buf_init(&out, 65536);
    for (int i = 0; i < 20; i++) {
        buf_printf(&out, "GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
        buf_printf(
            &out, "POST /keep HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n%02d",
            i);
    }
    client_send(&c, buf_str(&out));
    for (int i = 0; i < 20; i++) {
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(atoi(a.body.ptr), i);
        answer_release(&a);
        client_read(&c, false, &a);
        assert_int_equal(a.status, 201);
        assert_int_equal(atoi(a.body.ptr), i);
        answer_release(&a);
    }
    buf_release(&out);
    client_close(&c);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                               "Content-Length: 4\r\n\r\n\"ab\"";
    struct client c;
    client_open(&c, app.port);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send(&c, (struct str){text + i, 1});
    }
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.ptr, "\"ab\"");
    answer_release(&a);
    client_close(&c);
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(&c, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /items/next HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&c, true, &a);
    assert_int_equal(a.status, 200);
    assert_header(&a, "Content-Length", "17");
    assert_header(&a, "Content-Type", "application/json");
    answer_release(&a);
    client_read(&c, false, &a);
    assert_string_equal(a.body.ptr, "next");
    answer_release(&a);
    client_close(&c);
    client_ask(app.port, "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 405);
    answer_release(&a);
}

static void the_handlers_headers_are_sent(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /headers HTTP/1.1\r\nHost: a\r\nX-Given: what was given  \r\n\r\n", &a);
    assert_string_equal(a.body.ptr, "what was given");
    assert_header(&a, "ETag", "\"7\"");
    assert_header(&a, "Cache-Control", "public, max-age=1");
    assert_null(strstr(a.head.ptr, "no-store"));
    answer_release(&a);
    client_ask(app.port, "GET /sized/14 HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_no_header(&a, "ETag"); /* of the reply that was used before */
    assert_header(&a, "Cache-Control", "no-store");
    answer_release(&a);
}

static void not_modified_has_no_body(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(
        &c, "GET /headers HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"7\"\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&c, true, &a);
    assert_int_equal(a.status, 304);
    assert_header(&a, "ETag", "\"7\"");
    assert_no_header(&a, "Content-Type");
    answer_release(&a);
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
    client_close(&c);
}

static void bodies_of_every_size_arrive_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 4095, 4096, 4097, 70000, 5000000};
    struct client c;
    client_open(&c, app.port);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET /sized/%zu HTTP/1.1\r\nHost: a\r\n\r\n", sizes[i]);
        client_send_text(&c, text);
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.body.len, sizes[i]);
        assert_int_equal(strspn(a.body.ptr, "z"), sizes[i]);
        answer_release(&a);
    }
    client_close(&c);
}

static void a_problem_names_the_request(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /problem HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 503);
    assert_header(&a, "Content-Type", "application/problem+json");
    assert_header(&a, "Retry-After", "1");
    struct str id = answer_header(&a, "X-Request-Id");
    char wanted[512];
    snprintf(
        wanted, sizeof(wanted),
        "{\"type\":\"/problems/overloaded\",\"title\":\"Too many requests are waiting\",\"status\":503,"
        "\"detail\":\"a \\\"full\\\" queue\",\"instance\":\"urn:uuid:%.*s\",\"code\":\"overloaded\","
        "\"retryable\":true,\"depth\":7}",
        STR_ARG(id));
    assert_string_equal(a.body.ptr, wanted);
    answer_release(&a);
}

struct row {
    const char *request_line;
    int status;
    const char *allow;
};

static void other_paths_and_methods_are_refused(void **state)
{
    (void)state;
    static const char all[] = "GET, HEAD, PUT, POST, DELETE";
    static const struct row rows[] = {
        {"GET /nope", 404, NULL},
        {"DELETE /nope", 404, NULL},
        {"GET /hello/", 404, NULL},
        {"POST /hello", 405, "GET, HEAD"},
        {"GET /echo", 405, "PUT, POST"},
        {"PUT /items/A", 405, "GET, HEAD, DELETE"},
        {"PATCH /items/A", 405, "GET, HEAD, DELETE"},
        {"OPTIONS /hello", 405, "GET, HEAD"},
        {"TRACE /hello", 405, "GET, HEAD"},
        {"BREW /hello", 405, "GET, HEAD"},
        {"get /hello", 405, "GET, HEAD"},
        {"TRACE /nope", 405, all},
        {"CONNECT example.org:443", 405, all},
        {"OPTIONS *", 405, all},
        {"GET /%zz", 400, NULL},
        {"GET //hello", 400, NULL},
        {"GET /items/%00", 400, NULL},
        {"GET /items/%2e%2e%2f", 400, NULL},
        {"GET /items/%c0%af", 400, NULL},
        {"GET /query?a=%ff", 400, NULL},
        {"GET http://other.example/hello", 200, NULL},
        {"GET /items/fixed", 200, NULL},
    };
    struct client c;
    client_open(&c, app.port);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].request_line);
        client_send_text(&c, text);
        struct answer a;
        client_read(&c, false, &a);
        if (a.status != rows[i].status) {
            fail_msg("%s: got %d, wanted %d", rows[i].request_line, a.status, rows[i].status);
        }
        if (rows[i].allow != NULL) {
            assert_header(&a, "Allow", rows[i].allow);
        } else {
            assert_no_header(&a, "Allow");
        }
        answer_release(&a);
    }
    client_close(&c); /* all of them left the connection alive */
}

static void path_parameters_are_decoded(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /params/A%2FB/%C3%A9%20x HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_string_equal(a.body.ptr, "[A/B][\xC3\xA9 x]");
    answer_release(&a);
}

static void query_arguments_are_found_by_name_and_number(void **state)
{
    (void)state;
    struct answer a;
    client_ask(app.port, "GET /query?a=1&b=x+y&a=2%263&a=&c=9 HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_string_equal(a.body.ptr, "a=1;a=2&3;a=;b=x y;unknown=c");
    answer_release(&a);
    client_ask(app.port, "GET /query HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_string_equal(a.body.ptr, "b=;unknown=");
    answer_release(&a);
}

static void five_hundred_arguments_fit(void **state)
{
    (void)state;
    struct buf request;
    struct buf wanted;
    buf_init(&request, 65536);
    buf_init(&wanted, 65536);
    buf_put_literal(&request, "GET /query?");
    for (int i = 0; i < 500; i++) {
        buf_printf(&request, "a=sku-%04d&", i);
        buf_printf(&wanted, "a=sku-%04d;", i);
    }
    buf_put_literal(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_put_literal(&wanted, "b=;unknown=");
    buf_put_char(&request, '\0');
    buf_put_char(&wanted, '\0');
    struct answer a;
    client_ask(app.port, request.ptr, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.ptr, wanted.ptr);
    answer_release(&a);
    buf_release(&request);
    buf_release(&wanted);
}

static void http_1_0_is_answered_and_closed(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(&c, "GET /hello HTTP/1.0\r\n\r\n");
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.ptr, "{\"hello\":\"world\"}");
    answer_release(&a);
    assert_true(client_is_closed(&c));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_carries_the_standard_headers),
        cmocka_unit_test(a_sane_request_id_comes_back),
        cmocka_unit_test(a_strange_request_id_is_replaced),
        cmocka_unit_test(connections_are_kept_alive),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(head_has_the_headers_of_get_and_no_body),
        cmocka_unit_test(the_handlers_headers_are_sent),
        cmocka_unit_test(not_modified_has_no_body),
        cmocka_unit_test(bodies_of_every_size_arrive_whole),
        cmocka_unit_test(a_problem_names_the_request),
        cmocka_unit_test(other_paths_and_methods_are_refused),
        cmocka_unit_test(path_parameters_are_decoded),
        cmocka_unit_test(query_arguments_are_found_by_name_and_number),
        cmocka_unit_test(five_hundred_arguments_fit),
        cmocka_unit_test(http_1_0_is_answered_and_closed),
    };
    return cmocka_run_group_tests(tests, start, end);
}
