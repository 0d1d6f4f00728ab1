#include "fixture.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct app app;

#define POST(path, body_len) \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " body_len "\r\n\r\n"

static int start(void **state)
{
    (void)state;
    app_start(&app, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    app_end(&app);
    return 0;
}

static void a_kept_exchange_is_answered_by_resume(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    for (int i = 0; i < 100; i++) {
        client_send_text(&c, POST("/keep", "4") "kept");
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 201);
        assert_string_equal(a.body.ptr, "kept");
        answer_release(&a);
    }
    client_close(&c);
}

static void a_resume_may_come_before_the_handler_returns(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    for (int i = 0; i < 50; i++) {
        client_send_text(&c, POST("/keep-late", "4") "late");
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 201);
        assert_string_equal(a.body.ptr, "late");
        answer_release(&a);
    }
    client_close(&c);
}

static void a_resumed_exchange_may_be_kept_again(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, app.port);
    client_send_text(&c, POST("/keep-twice", "5") "twice");
    struct answer a;
    client_read(&c, false, &a);
    assert_int_equal(a.status, 201);
    assert_string_equal(a.body.ptr, "twice");
    answer_release(&a);
    client_close(&c);
}

static void resumed_is_called_when_the_client_is_gone(void **state)
{
    (void)state;
    app_await_idle(&app);
    atomic_store(&app.resumed, 0);
    atomic_store(&app.freed, 0);
    app_hold(&app, 0);
    struct client clients[10];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_open(&clients[i], app.port);
        client_send_text(&clients[i], POST("/keep", "4") "gone");
    }
    app_await_kept(&app, ARRAY_LEN(clients));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        /* half of them with a reset */
        const struct linger reset = {.l_onoff = i % 2 == 0, .l_linger = 0};
        assert_int_equal(setsockopt(clients[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        client_close(&clients[i]);
    }
    app_release(&app);
    await_uint(&app.resumed, ARRAY_LEN(clients));
    await_uint(&app.freed, ARRAY_LEN(clients));
    struct answer a;
    client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
    assert_int_equal(a.status, 200);
    answer_release(&a);
}

/* More than the 128 events that libmicrohttpd takes at once. */
static void three_hundred_are_resumed_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 300 };
    struct client *clients = mem_new_array(CLIENTS, sizeof(*clients));
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], app.port);
    }
    for (int round = 0; round < 5; round++) {
        app_hold(&app, CLIENTS);
        for (int i = 0; i < CLIENTS; i++) {
            char text[256];
            snprintf(text, sizeof(text), POST("/keep", "4") "%04d", i);
            client_send_text(&clients[i], text);
        }
        for (int i = 0; i < CLIENTS; i++) {
            struct answer a;
            client_read(&clients[i], false, &a);
            assert_int_equal(a.status, 201);
            assert_int_equal(atoi(a.body.ptr), i);
            answer_release(&a);
        }
    }
    app_release(&app);
    for (int i = 0; i < CLIENTS; i++) {
        client_close(&clients[i]);
    }
    mem_free(clients);
}

static void exactly_128_are_resumed_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 128 };
    struct client clients[CLIENTS];
    app_hold(&app, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], app.port);
        client_send_text(&clients[i], POST("/keep", "1") "x");
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct answer a;
        client_read(&clients[i], false, &a);
        assert_int_equal(a.status, 201);
        answer_release(&a);
        client_close(&clients[i]);
    }
    app_release(&app);
}

static void other_requests_go_on_while_some_are_kept(void **state)
{
    (void)state;
    app_hold(&app, 0);
    struct client kept;
    client_open(&kept, app.port);
    client_send_text(&kept, POST("/keep", "4") "wait");
    app_await_kept(&app, 1);
    for (int i = 0; i < 20; i++) {
        struct answer a;
        client_ask(app.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &a);
        assert_int_equal(a.status, 200);
        answer_release(&a);
    }
    app_release(&app);
    struct answer a;
    client_read(&kept, false, &a);
    assert_string_equal(a.body.ptr, "wait");
    answer_release(&a);
    client_close(&kept);
}

static void what_is_attached_is_freed_once(void **state)
{
    (void)state;
    app_await_idle(&app);
    atomic_store(&app.freed, 0);
    for (int i = 0; i < 20; i++) {
        struct answer a;
        client_ask(app.port, POST("/keep", "1") "x", &a);
        assert_int_equal(a.status, 201);
        answer_release(&a);
    }
    await_uint(&app.freed, 20);
}

static void a_wake_makes_each_thread_take_a_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        unsigned before = atomic_load(&app.turns);
        for (int k = 0; k < 100; k++) {
            app_poke(&app);
        }
        while (atomic_load(&app.turns) == before) {
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_exchange_is_answered_by_resume),
        cmocka_unit_test(a_resume_may_come_before_the_handler_returns),
        cmocka_unit_test(a_resumed_exchange_may_be_kept_again),
        cmocka_unit_test(resumed_is_called_when_the_client_is_gone),
        cmocka_unit_test(three_hundred_are_resumed_at_once),
        cmocka_unit_test(exactly_128_are_resumed_at_once),
        cmocka_unit_test(other_requests_go_on_while_some_are_kept),
        cmocka_unit_test(what_is_attached_is_freed_once),
        cmocka_unit_test(a_wake_makes_each_thread_take_a_turn),
    };
    return cmocka_run_group_tests(tests, start, end);
}
