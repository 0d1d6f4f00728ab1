#include "fixture.h"

#include "test.h"

#include <string.h>

static enum err try_start(const char *host, uint16_t port, struct http_server **out, struct err_note *note)
{
    static const struct route none[1];
    const struct http_options options = {
        .host = host, .port = port, .threads = 2, .connections_max = 16, .routes = none, .routes_len = 0};
    return http_start(&options, out, note);
}

static void threads_share_the_port(void **state)
{
    (void)state;
    struct app app;
    app_start(&app, 4);
    assert_int_equal(http_threads(app.server), 4);
    assert_true(app.port > 0);
    await_uint(&app.threads_started, 4);
    for (int i = 0; i < 64; i++) {
        struct answer a;
        client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
        assert_int_equal(a.status, 200);
        answer_release(&a);
    }
    app_end(&app);
}

static void a_port_that_is_taken_is_refused(void **state)
{
    (void)state;
    struct app app;
    app_start(&app, 1);
    struct http_server *second = NULL;
    struct err_note note = {.text = ""};
    assert_int_equal(try_start("127.0.0.1", app.port, &second, &note), ERR_CONFIG);
    assert_null(second);
    assert_non_null(strstr(note.text, "Address already in use"));
    app_end(&app);
}

static void a_port_is_free_again_after_the_end(void **state)
{
    (void)state;
    struct app app;
    app_start(&app, 1);
    uint16_t port = app.port;
    struct answer a;
    client_ask(port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    answer_release(&a);
    app_end(&app);
    struct http_server *next = NULL;
    struct err_note note = {.text = ""};
    assert_int_equal(try_start("127.0.0.1", port, &next, &note), ERR_OK);
    assert_int_equal(http_port(next), port);
    client_ask(port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 404); /* it has no routes and no hooks */
    answer_release(&a);
    http_stop(next, 1000);
    http_free(next);
}

static void a_host_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {"192.0.2.1", "not a host"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct http_server *s = NULL;
        struct err_note note = {.text = ""};
        assert_int_equal(try_start(hosts[i], 0, &s, &note), ERR_CONFIG);
        assert_non_null(strstr(note.text, hosts[i]));
    }
}

static void connections_above_the_limit_wait(void **state)
{
    (void)state;
    struct app app;
    app_start_with(&app, 1, 4);
    struct client clients[8];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_open(&clients[i], app.port);
        client_send_text(&clients[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    struct http_metrics m;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct answer a;
        client_read(&clients[i], false, &a);
        assert_int_equal(a.status, 200);
        answer_release(&a);
        http_metrics(app.server, &m);
        assert_true(m.connections <= 4);
        client_close(&clients[i]);
    }
    app_end(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_the_port),
        cmocka_unit_test(a_port_that_is_taken_is_refused),
        cmocka_unit_test(a_port_is_free_again_after_the_end),
        cmocka_unit_test(a_host_that_is_not_ours_is_refused),
        cmocka_unit_test(connections_above_the_limit_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
