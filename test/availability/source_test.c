/* Asking inventory for what is missing: addresses of every kind, and answers that are not inventory's. */
#include "test.h"

#include "availability/source.h"
#include "base/clock.h"
#include "base/mem.h"
#include "puppet.h"

#include <pthread.h>
#include <stdio.h>

#define POSITION "\"position\":{\"epoch\":1,\"seq\":3,\"items\":1,\"time\":\"2026-01-02T03:04:05.678Z\"}"
#define ITEM(number) \
    "{\"number\":" number ",\"sku\":\"shoe\",\"defined_at\":\"2026-01-02T03:04:05.678Z\",\"levels\":[]}"
#define LEVEL_ITEM(version)                                                                                               \
    "{\"number\":1,\"sku\":\"shoe\",\"defined_at\":\"2026-01-02T03:04:05.678Z\",\"levels\":[{\"location\":\"left\","      \
    "\"on_hand\":3,\"reserved\":0,\"committed\":0,\"damaged\":0,\"quality_control\":0,\"safety_stock\":0,\"incoming\":0," \
    "\"version\":" version ",\"updated_at\":\"2026-01-02T03:04:05.678Z\",\"seq\":3}]}"
#define PAGE(data, next) "{" POSITION ",\"data\":[" data "],\"page\":{\"next\":" next ",\"limit\":1000}}"

struct fixture {
    struct puppet nodes[2];
    struct source *source;
    struct collect page;
};

static void answer(struct puppet *p, const char *json)
{
    char head[128];
    struct buf b;
    buf_init(&b, 4096);
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(json));
    buf_put_str(&b, str_from(head));
    buf_put_str(&b, str_from(json));
    puppet_answer(p, buf_str(&b));
    buf_release(&b);
}

static int setup(void **state)
{
    char urls[128];
    struct fixture *x = mem_new(sizeof(*x));
    puppet_start(&x->nodes[0], 0);
    puppet_start(&x->nodes[1], 0);
    (void)snprintf(
        urls, sizeof(urls), "http://127.0.0.1:%d/, http://127.0.0.1:%d//", x->nodes[0].port, x->nodes[1].port);
    x->source = source_new(urls);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    source_free(x->source);
    puppet_stop(&x->nodes[0]);
    puppet_stop(&x->nodes[1]);
    collect_release(&x->page);
    mem_free(x);
    return 0;
}

static enum err ask(struct fixture *x, uint64_t after)
{
    bool last = false;
    struct err_note note = {""};
    return source_catalogue(x->source, after, &x->page, &last, &note);
}

static void who_does_not_answer_as_inventory_does_is_passed_over(void **state)
{
    struct fixture *x = *state;
    answer(&x->nodes[0], "<html>It works!</html>");
    answer(&x->nodes[1], PAGE(ITEM("1"), "null"));
    assert_int_equal(ask(x, 0), ERR_OK);
    assert_int_equal(x->page.items_len, 1);
    assert_int_equal(puppet_requests(&x->nodes[0]), 1);
    assert_int_equal(ask(x, 0), ERR_OK); /* of the one that answered last */
    assert_int_equal(puppet_requests(&x->nodes[0]), 1);
    assert_int_equal(puppet_requests(&x->nodes[1]), 2);
}

static void an_address_may_end_with_slashes(void **state)
{
    static const char expected[] = "GET /v1/snapshot?after_item=0&limit=1000 ";
    struct fixture *x = *state;
    answer(&x->nodes[1], PAGE(ITEM("1"), "null"));
    assert_int_equal(ask(x, 0), ERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(x->nodes[i].last.len > sizeof(expected));
        assert_memory_equal(x->nodes[i].last.ptr, expected, sizeof(expected) - 1);
    }
}

/* What does not go on behind what was asked for would be asked for for ever. */
static void a_page_that_leads_nowhere_is_no_answer(void **state)
{
    static const struct {
        uint64_t after;
        const char *json;
        enum err err;
    } rows[] = {
        {0, PAGE("", "null"), ERR_OK},     {0, PAGE("", "4"), ERR_IO},           {0, PAGE(ITEM("1"), "1"), ERR_OK},
        {0, PAGE(ITEM("2"), "2"), ERR_IO}, {4, PAGE(ITEM("5"), "null"), ERR_OK}, {4, PAGE(ITEM("4"), "4"), ERR_IO},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        answer(&x->nodes[0], rows[i].json);
        answer(&x->nodes[1], rows[i].json);
        assert_int_equal(ask(x, rows[i].after), rows[i].err);
    }
}

/* More than the view can keep. */
static void a_version_that_cannot_be_is_no_answer(void **state)
{
    static const struct {
        const char *json;
        enum err err;
    } rows[] = {
        {PAGE(LEVEL_ITEM("1"), "null"), ERR_OK},
        {PAGE(LEVEL_ITEM("281474976710655"), "null"), ERR_OK},
        {PAGE(LEVEL_ITEM("281474976710656"), "null"), ERR_IO},
        {PAGE(LEVEL_ITEM("0"), "null"), ERR_IO},
    };
    struct fixture *x = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        answer(&x->nodes[0], rows[i].json);
        answer(&x->nodes[1], rows[i].json);
        assert_int_equal(ask(x, 0), rows[i].err);
    }
}

/* The follower takes nothing from the bus as long. */
static void one_that_stands_still_is_passed_over_soon(void **state)
{
    struct fixture *x = *state;
    puppet_act(&x->nodes[0], PUPPET_SILENT);
    answer(&x->nodes[1], PAGE(ITEM("1"), "null"));
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(ask(x, 0), ERR_OK);
    assert_true(clock_mono_ms() - begun_ms < SOURCE_WAIT_MS);
    assert_int_equal(puppet_requests(&x->nodes[0]), 1);
}

/* It is not worth more waiting: the next question comes soon, and goes to the other one. */
static void a_position_is_asked_of_one_address_at_a_time(void **state)
{
    struct fixture *x = *state;
    puppet_act(&x->nodes[0], PUPPET_SILENT);
    answer(&x->nodes[1], PAGE("", "null"));
    bool last = false;
    struct err_note note = {""};
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(source_position(x->source, 1, &x->page, &last, &note), ERR_IO);
    assert_true(clock_mono_ms() - begun_ms >= SOURCE_POSITION_MS / 2);
    assert_int_equal(puppet_requests(&x->nodes[1]), 0);
    assert_int_equal(source_position(x->source, 1, &x->page, &last, &note), ERR_OK);
    assert_true(last);
    assert_int_equal(x->page.position.seq, 3);
    assert_int_equal(puppet_requests(&x->nodes[0]), 1);
}

static void *ask_movements(void *arg)
{
    struct fixture *x = arg;
    struct err_note note = {""};
    assert_int_equal(source_movements(x->source, 0, &x->page, &note), ERR_IO);
    assert_non_null(strstr(note.text, "abort")); /* not a timeout */
    return NULL;
}

static void a_question_ends_when_the_node_stops(void **state)
{
    pthread_t asker;
    struct fixture *x = *state;
    puppet_act(&x->nodes[0], PUPPET_SILENT);
    assert_int_equal(pthread_create(&asker, NULL, ask_movements, x), 0);
    puppet_await(&x->nodes[0], 1);
    source_end(x->source);
    assert_int_equal(pthread_join(asker, NULL), 0);
    assert_int_equal(puppet_requests(&x->nodes[1]), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_does_not_answer_as_inventory_does_is_passed_over),
        TEST(an_address_may_end_with_slashes),
        TEST(a_page_that_leads_nowhere_is_no_answer),
        TEST(a_version_that_cannot_be_is_no_answer),
        TEST(one_that_stands_still_is_passed_over_soon),
        TEST(a_position_is_asked_of_one_address_at_a_time),
        TEST(a_question_ends_when_the_node_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
