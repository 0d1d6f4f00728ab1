#include "fixture.h"

#include "http/counters.h"
#include "test.h"

static struct app app;

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

static void ask(const char *request, int status)
{
    struct answer a;
    client_ask(app.port, request, &a);
    assert_int_equal(a.status, status);
    answer_release(&a);
}

static uint64_t buckets_sum(const struct route_metrics *m)
{
    uint64_t sum = 0;
    for (int i = 0; i < HTTP_LATENCY_BUCKETS; i++) {
        sum += m->latency_us_bucket[i];
    }
    return sum;
}

static void each_route_counts_its_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        ask("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    }
    ask("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    ask("GET /problem HTTP/1.1\r\nHost: a\r\n\r\n", 503);
    struct route_metrics m;
    http_route_metrics(app.server, app_route("hello"), &m);
    assert_int_equal(m.by_status[200], 11);
    assert_int_equal(m.count, 11);
    assert_int_equal(buckets_sum(&m), 11);
    http_route_metrics(app.server, app_route("problem"), &m);
    assert_int_equal(m.by_status[503], 1);
    assert_int_equal(m.by_status[200], 0);
}

static void a_kept_exchange_counts_once(void **state)
{
    (void)state;
    ask("POST /keep-twice HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1", 201);
    struct route_metrics m;
    http_route_metrics(app.server, app_route("keep_twice"), &m);
    assert_int_equal(m.by_status[201], 1);
    assert_int_equal(m.count, 1);
    assert_true(m.latency_us_sum > 0);
}

static void a_refusal_counts_on_its_route_without_a_latency(void **state)
{
    (void)state;
    ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1", 415);
    struct route_metrics m;
    http_route_metrics(app.server, app_route("echo"), &m);
    assert_int_equal(m.by_status[415], 1);
    assert_int_equal(m.count, 0);
}

static void requests_without_a_route_count_apart(void **state)
{
    (void)state;
    ask("GET /nope HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    ask("DELETE /nope HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    ask("DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    ask("PATCH /hello HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    struct route_metrics m;
    http_route_metrics(app.server, app_route("stream") + 1, &m);
    assert_int_equal(m.by_status[404], 2);
    assert_int_equal(m.by_status[405], 2);
    struct http_metrics all;
    http_metrics(app.server, &all);
    assert_int_equal(all.requests[HTTP_GET], 1);
    assert_int_equal(all.requests[HTTP_DELETE], 2);
    assert_int_equal(all.requests[HTTP_PUT], 0);
}

static void await_connections(uint64_t wanted)
{
    struct http_metrics m;
    do {
        app_poke(&app);
        http_metrics(app.server, &m);
    } while (m.connections != wanted);
}

static void open_connections_are_counted(void **state)
{
    (void)state;
    await_connections(0);
    struct client clients[5];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_open(&clients[i], app.port);
    }
    await_connections(ARRAY_LEN(clients));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_close(&clients[i]);
    }
    await_connections(0);
}

static void a_latency_falls_into_the_bucket_of_its_power_of_two(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        int bucket; /* HTTP_LATENCY_BUCKETS: in none */
    } rows[] = {
        {0, 0}, {1, 0},     {2, 1},     {3, 2},        {4, 2},        {5, 3},           {8, 3},
        {9, 4}, {1024, 10}, {1025, 11}, {8388608, 23}, {8388609, 24}, {1000000000, 24},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_counters c = {.count = 0};
        route_counters_latency(&c, rows[i].us);
        for (int k = 0; k < HTTP_LATENCY_BUCKETS; k++) {
            assert_int_equal(c.latency_us_bucket[k], k == rows[i].bucket);
        }
        assert_int_equal(c.count, 1);
        assert_int_equal(c.latency_us_sum, rows[i].us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_counts_its_answers),
        cmocka_unit_test(a_kept_exchange_counts_once),
        cmocka_unit_test(a_refusal_counts_on_its_route_without_a_latency),
        cmocka_unit_test(requests_without_a_route_count_apart),
        cmocka_unit_test(open_connections_are_counted),
        cmocka_unit_test(a_latency_falls_into_the_bucket_of_its_power_of_two),
    };
    return cmocka_run_group_tests(tests, start, end);
}
