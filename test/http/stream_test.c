#include "fixture.h"

#include "test.h"

#include <string.h>

static struct app app;

static const char request[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

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

static void allow_lines(unsigned count)
{
    atomic_store(&app.stream.lines, count);
    app_poke(&app);
}

static void open_stream(struct client *c, unsigned lines)
{
    atomic_store(&app.stream.opened, 0);
    atomic_store(&app.stream.closed, 0);
    atomic_store(&app.stream.lines, lines);
    client_open(c, app.port);
    client_send_text(c, request);
    struct answer a;
    client_read_head(c, &a);
    assert_int_equal(a.status, 200);
    assert_true(str_equal(answer_header(&a, "Content-Type"), STR("text/event-stream")));
    assert_true(str_equal(answer_header(&a, "Cache-Control"), STR("no-cache, no-transform")));
    assert_true(str_equal(answer_header(&a, "Transfer-Encoding"), STR("chunked")));
    answer_release(&a);
}

static void close_stream(struct client *c)
{
    client_close(c);
    await_uint(&app.stream.closed, 1);
}

static void a_stream_says_what_it_has_and_sleeps(void **state)
{
    (void)state;
    struct client c;
    open_stream(&c, 2);
    client_await(&c, "data: line\n\n");
    client_await(&c, "data: line\n\n");
    unsigned fills = atomic_load(&app.stream.fills);
    app_poke(&app); /* a turn that does not wake the stream */
    app_poke(&app);
    assert_true(atomic_load(&app.stream.fills) <= fills + 1); /* at most the one that found nothing */
    close_stream(&c);
}

static void a_wake_lets_it_speak_again(void **state)
{
    (void)state;
    struct client c;
    open_stream(&c, 0);
    for (unsigned i = 1; i <= 200; i++) {
        allow_lines(i);
        client_await(&c, "data: line\n\n");
    }
    close_stream(&c);
}

static void a_client_that_leaves_is_noticed_while_the_stream_sleeps(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct client c;
        open_stream(&c, 1);
        client_await(&c, "data: line\n\n");
        assert_int_equal(atomic_load(&app.stream.closed), 0);
        close_stream(&c);
    }
}

static void a_stream_ends_in_good_order(void **state)
{
    (void)state;
    struct client c;
    open_stream(&c, 1);
    client_await(&c, "data: line\n\n");
    atomic_store(&app.stream.end, true);
    app_poke(&app);
    client_await(&c, "\r\n0\r\n\r\n");
    await_uint(&app.stream.closed, 1);
    /* The connection serves the next request. */
    client_send_text(&c, "GET /items/next HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&c, false, &a);
    assert_string_equal(a.body.ptr, "next");
    answer_release(&a);
    client_close(&c);
}

static void a_cut_stream_is_closed_at_once(void **state)
{
    (void)state;
    struct client c;
    open_stream(&c, 1);
    client_await(&c, "data: line\n\n");
    atomic_store(&app.stream.cut, true);
    app_poke(&app);
    await_uint(&app.stream.closed, 1);
    struct buf rest;
    client_read_to_end(&c, &rest);
    assert_null(strstr(rest.ptr, "0\r\n\r\n"));
    buf_release(&rest);
    client_close(&c);
}

static void assert_others_are_served(void)
{
    for (int i = 0; i < 20; i++) {
        struct answer a;
        client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
        assert_int_equal(a.status, 200);
        answer_release(&a);
    }
}

/* The socket is full when a wake no longer makes the stream call for more. */
static void await_full(void)
{
    unsigned before;
    do {
        before = atomic_load(&app.stream.fills);
        assert_others_are_served();
    } while (atomic_load(&app.stream.fills) != before);
}

static void a_client_that_does_not_read_delays_nobody_and_can_be_cut(void **state)
{
    (void)state;
    struct client c;
    atomic_store(&app.stream.opened, 0);
    atomic_store(&app.stream.closed, 0);
    client_open_small(&c, app.port);
    client_send_text(&c, request);
    await_uint(&app.stream.opened, 1);
    atomic_store(&app.stream.flood, true);
    app_poke(&app);
    await_full();
    assert_int_equal(atomic_load(&app.stream.closed), 0);
    atomic_store(&app.stream.cut, true);
    app_poke(&app);
    await_uint(&app.stream.closed, 1);
    atomic_store(&app.stream.flood, false);
    client_close(&c);
}

static void a_slow_reader_gets_everything(void **state)
{
    (void)state;
    struct client c;
    atomic_store(&app.stream.opened, 0);
    atomic_store(&app.stream.closed, 0);
    atomic_store(&app.stream.lines, 0);
    client_open_small(&c, app.port);
    client_send_text(&c, request);
    await_uint(&app.stream.opened, 1);
    enum { LINES = 100000 };
    allow_lines(LINES);
    await_full();
    atomic_store(&app.stream.end, true);
    app_poke(&app);
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.body.len, LINES * strlen("data: line\n\n"));
    answer_release(&a);
    await_uint(&app.stream.closed, 1);
    client_close(&c);
}

static void http_1_0_gets_a_stream_without_chunks(void **state)
{
    (void)state;
    struct client c;
    atomic_store(&app.stream.opened, 0);
    atomic_store(&app.stream.closed, 0);
    atomic_store(&app.stream.lines, 1);
    client_open(&c, app.port);
    client_send_text(&c, "GET /stream HTTP/1.0\r\n\r\n");
    client_await(&c, "\r\n\r\ndata: line\n\n");
    allow_lines(2);
    client_await(&c, "data: line\n\n");
    atomic_store(&app.stream.end, true);
    app_poke(&app);
    assert_true(client_is_closed(&c));
    await_uint(&app.stream.closed, 1);
    client_close(&c);
}

static void head_of_a_stream_has_no_body(void **state)
{
    (void)state;
    atomic_store(&app.stream.opened, 0);
    atomic_store(&app.stream.closed, 0);
    struct answer a;
    client_ask(app.port, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
    await_uint(&app.stream.closed, 1);
}

static void a_stream_that_is_open_when_the_server_stops_is_ended(void **state)
{
    (void)state;
    struct app other;
    app_start(&other, 1);
    atomic_store(&other.stream.lines, 1);
    struct client c;
    client_open(&c, other.port);
    client_send_text(&c, request);
    client_await(&c, "data: line\n\n");
    http_stop(other.server, 10000);
    assert_int_equal(atomic_load(&other.stream.closed), 1);
    client_await(&c, "\r\n0\r\n\r\n");
    assert_true(client_is_closed(&c));
    client_close(&c);
    app_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_says_what_it_has_and_sleeps),
        cmocka_unit_test(a_wake_lets_it_speak_again),
        cmocka_unit_test(a_client_that_leaves_is_noticed_while_the_stream_sleeps),
        cmocka_unit_test(a_stream_ends_in_good_order),
        cmocka_unit_test(a_cut_stream_is_closed_at_once),
        cmocka_unit_test(a_client_that_does_not_read_delays_nobody_and_can_be_cut),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(http_1_0_gets_a_stream_without_chunks),
        cmocka_unit_test(head_of_a_stream_has_no_body),
        cmocka_unit_test(a_stream_that_is_open_when_the_server_stops_is_ended),
    };
    return cmocka_run_group_tests(tests, start, end);
}
