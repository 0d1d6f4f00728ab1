#include "fixture.h"

#include "test.h"

#include <string.h>

#define POST_KEEP "POST /keep HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nkept"

static struct app app;

static void idle_connections_do_not_hold_up_the_end(void **state)
{
    (void)state;
    app_start(&app, 2);
    struct client idle;
    client_open(&idle, app.port);
    client_send_text(&idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&idle, false, &a);
    answer_release(&a);
    http_stop(app.server, 60000);
    assert_int_equal(atomic_load(&app.threads_stopped), 2);
    assert_true(client_is_closed(&idle));
    client_close(&idle);
    app_end(&app);
}

struct stopper {
    struct app *app;
    int grace_ms;
};

static void *stop_main(void *arg)
{
    const struct stopper *s = arg;
    http_stop(s->app->server, s->grace_ms);
    return NULL;
}

static void kept_exchanges_are_answered_within_the_grace(void **state)
{
    (void)state;
    app_start(&app, 2);
    app_hold(&app, 0);
    struct client clients[8];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_open(&clients[i], app.port);
        client_send_text(&clients[i], POST_KEEP);
    }
    app_await_kept(&app, ARRAY_LEN(clients));
    struct stopper stopper = {&app, 60000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_main, &stopper), 0);
    while (!client_is_refused(app.port)) {
    }
    assert_true(atomic_load(&app.threads_stopped) < 2);
    app_release(&app);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct answer a;
        client_read(&clients[i], false, &a);
        assert_int_equal(a.status, 201);
        assert_string_equal(a.body.ptr, "kept");
        assert_true(str_equal(answer_header(&a, "Connection"), STR("close")));
        answer_release(&a);
        client_close(&clients[i]);
    }
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&app.threads_stopped), 2);
    app_end(&app);
}

static void kept_exchanges_outlive_the_grace(void **state)
{
    (void)state;
    app_start(&app, 1);
    app_hold(&app, 0);
    struct client here;
    struct client gone;
    client_open(&here, app.port);
    client_send_text(&here, POST_KEEP);
    client_open(&gone, app.port);
    client_send_text(&gone, POST_KEEP);
    app_await_kept(&app, 2);
    client_close(&gone);
    http_stop(app.server, 0);
    assert_int_equal(atomic_load(&app.threads_stopped), 0);
    assert_int_equal(atomic_load(&app.resumed), 0);
    app_release(&app);
    await_uint(&app.threads_stopped, 1);
    assert_int_equal(atomic_load(&app.resumed), 2);
    assert_int_equal(atomic_load(&app.freed), 2);
    client_close(&here);
    app_end(&app);
}

static void requests_that_never_come_whole_are_cut_after_the_grace(void **state)
{
    (void)state;
    app_start(&app, 1);
    struct client head;
    struct client body;
    struct client ready;
    client_open(&head, app.port);
    client_send_text(&head, "GET /hello HTTP/1.1\r\nHost:");
    client_open(&body, app.port);
    client_send_text(
        &body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf");
    client_open(&ready, app.port);
    client_send_text(&ready, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    struct answer a;
    client_read(&ready, false, &a);
    answer_release(&a);
    http_stop(app.server, 10);
    assert_int_equal(atomic_load(&app.threads_stopped), 1);
    assert_true(client_is_closed(&head));
    assert_true(client_is_closed(&body));
    client_close(&head);
    client_close(&body);
    client_close(&ready);
    app_end(&app);
}

static void a_server_may_start_and_stop_many_times(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        app_start(&app, 1 + (unsigned)i % 3);
        if (i % 2 == 0) {
            struct answer a;
            client_ask(app.port, POST_KEEP, &a);
            assert_int_equal(a.status, 201);
            answer_release(&a);
        }
        app_end(&app);
    }
}

static void nobody_is_freed(void **state)
{
    (void)state;
    http_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_do_not_hold_up_the_end),
        cmocka_unit_test(kept_exchanges_are_answered_within_the_grace),
        cmocka_unit_test(kept_exchanges_outlive_the_grace),
        cmocka_unit_test(requests_that_never_come_whole_are_cut_after_the_grace),
        cmocka_unit_test(a_server_may_start_and_stop_many_times),
        cmocka_unit_test(nobody_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
