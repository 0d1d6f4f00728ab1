#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/local/local.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define ROWS_MAX 40

static const struct bus_message *receive_now(struct bus *b)
{
    return bus_receive(b, 0);
}

/* A message that carries its seq in every row. */
struct sample {
    struct level_row levels[ROWS_MAX];
    struct bus_item items[ROWS_MAX];
    struct bus_message message;
};

static struct bus_message *sample_fill(struct sample *s, uint64_t seq, size_t levels, size_t items)
{
    for (size_t i = 0; i < levels; i++) {
        s->levels[i] = (struct level_row){.item = (uint32_t)i + 1, .sku = STR("sku"), .version = seq, .seq = seq};
    }
    for (size_t i = 0; i < items; i++) {
        s->items[i] = (struct bus_item){.item = (uint32_t)i + 1, .sku = STR("new"), .time_ms = (int64_t)seq};
    }
    s->message = (struct bus_message){
        .partition = 3,
        .seq = seq,
        .time_ms = (int64_t)seq * 10,
        .committed_ns = (int64_t)seq * 100,
        .levels = s->levels,
        .levels_len = levels,
        .items = s->items,
        .items_len = items,
    };
    return &s->message;
}

static void assert_sample(const struct bus_message *m, uint64_t seq, size_t levels, size_t items)
{
    assert_non_null(m);
    assert_int_equal(m->partition, 3);
    assert_int_equal(m->seq, seq);
    assert_int_equal(m->time_ms, seq * 10);
    assert_int_equal(m->committed_ns, seq * 100);
    assert_int_equal(m->levels_len, levels);
    assert_int_equal(m->items_len, items);
    for (size_t i = 0; i < levels; i++) {
        assert_int_equal(m->levels[i].item, i + 1);
        assert_int_equal(m->levels[i].version, seq);
        assert_true(str_equal(m->levels[i].sku, STR("sku")));
    }
    for (size_t i = 0; i < items; i++) {
        assert_int_equal(m->items[i].item, i + 1);
        assert_int_equal(m->items[i].time_ms, seq);
        assert_true(str_equal(m->items[i].sku, STR("new")));
    }
}

static void publish_sample(struct bus *b, uint64_t seq, size_t levels, size_t items)
{
    struct sample *s = mem_new(sizeof(*s));
    assert_int_equal(bus_publish(b, sample_fill(s, seq, levels, items), NULL), ERR_OK);
    memset(s, 0xee, sizeof(*s)); /* what the bus did not copy is lost */
    mem_free(s);
}

static void expect_sample(struct bus *b, uint64_t seq, size_t levels, size_t items)
{
    const struct bus_message *m = receive_now(b);
    assert_sample(m, seq, levels, items);
    bus_done(b, m);
}

static void messages_come_out_whole_and_in_order(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(8);
    publish_sample(b, 1, 3, 0);
    publish_sample(b, 2, 0, 2);
    publish_sample(b, 3, 0, 0);
    publish_sample(b, 4, ROWS_MAX, ROWS_MAX);
    expect_sample(b, 1, 3, 0);
    expect_sample(b, 2, 0, 2);
    expect_sample(b, 3, 0, 0);
    expect_sample(b, 4, ROWS_MAX, ROWS_MAX);
    assert_null(receive_now(b));
    bus_free(b);
}

static void an_empty_bus_gives_nothing_after_the_time(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(1);
    assert_null(receive_now(b));
    int64_t before_ms = clock_mono_ms();
    assert_null(bus_receive(b, 30));
    assert_true(clock_mono_ms() - before_ms >= 29); /* never early; the clock is cut to whole milliseconds */
    bus_free(b);
}

static void blocks_of_every_size_are_reused(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(16);
    struct random r;
    random_init(&r, 7);
    size_t levels[16];
    size_t items[16];
    for (uint64_t round = 0; round < 300; round++) {
        size_t len = 1 + random_below(&r, 16);
        for (size_t i = 0; i < len; i++) {
            levels[i] = random_below(&r, ROWS_MAX + 1);
            items[i] = random_below(&r, ROWS_MAX + 1);
            publish_sample(b, round * 16 + i, levels[i], items[i]);
        }
        for (size_t i = 0; i < len; i++) {
            expect_sample(b, round * 16 + i, levels[i], items[i]);
        }
    }
    bus_free(b);
}

static void a_closed_bus_is_drained_and_then_empty_for_ever(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(8);
    publish_sample(b, 1, 1, 0);
    publish_sample(b, 2, 2, 0);
    bus_close(b);
    bus_close(b);
    publish_sample(b, 3, 3, 0); /* nobody is there for it */
    const struct bus_message *m = bus_receive(b, -1);
    assert_sample(m, 1, 1, 0);
    bus_done(b, m);
    m = bus_receive(b, -1);
    assert_sample(m, 2, 2, 0);
    bus_done(b, m);
    assert_null(bus_receive(b, -1));
    assert_null(bus_receive(b, -1));
    bus_free(b);
}

static void undelivered_messages_are_freed_with_the_bus(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(8);
    publish_sample(b, 1, 1, 0);
    publish_sample(b, 2, 2, 2);
    bus_free(b); /* the address sanitizer sees what is left */
    bus_free(NULL);
}

/* --- with threads ------------------------------------------------------------------------------------------- */

struct publisher {
    struct bus *bus;
    uint64_t first;
    uint64_t len;
    _Atomic uint64_t published;
    pthread_t thread;
};

static void *publisher_run(void *arg)
{
    struct publisher *p = arg;
    for (uint64_t i = 0; i < p->len; i++) {
        publish_sample(p->bus, p->first + i, (p->first + i) % ROWS_MAX, i % 3);
        atomic_fetch_add(&p->published, 1);
    }
    return NULL;
}

static void publisher_start(struct publisher *p)
{
    assert_int_equal(pthread_create(&p->thread, NULL, publisher_run, p), 0);
}

static void wait_published(struct publisher *p, uint64_t count)
{
    while (atomic_load(&p->published) < count) {
        sched_yield();
    }
}

static void a_full_bus_holds_its_publisher_until_a_message_is_done(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(3);
    struct publisher p = {.bus = b, .first = 0, .len = 6};
    publisher_start(&p);
    wait_published(&p, 3);
    for (uint64_t seq = 0; seq < 6; seq++) {
        const struct bus_message *m = bus_receive(b, -1);
        assert_sample(m, seq, seq % ROWS_MAX, seq % 3);
        /* A borrowed message counts: never more than 3 beyond those that are done. */
        for (int i = 0; i < 100; i++) {
            assert_true(atomic_load(&p.published) <= seq + 3);
            sched_yield();
        }
        bus_done(b, m);
        wait_published(&p, seq + 4 < 6 ? seq + 4 : 6);
    }
    pthread_join(p.thread, NULL);
    bus_free(b);
}

static void closing_frees_a_publisher_that_waits(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(2);
    struct publisher p = {.bus = b, .first = 0, .len = 5};
    publisher_start(&p);
    wait_published(&p, 2);
    usleep(20000); /* very likely it waits now; the result is the same when not */
    bus_close(b);
    pthread_join(p.thread, NULL);
    assert_int_equal(atomic_load(&p.published), 5);
    expect_sample(b, 0, 0, 0);
    expect_sample(b, 1, 1, 1);
    assert_null(receive_now(b)); /* the others came too late */
    bus_free(b);
}

static void *close_later(void *arg)
{
    bus_close(arg);
    return NULL;
}

static void closing_wakes_a_receiver_that_waits(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(2);
    pthread_t closer;
    assert_int_equal(pthread_create(&closer, NULL, close_later, b), 0);
    assert_null(bus_receive(b, -1)); /* or the test hangs */
    pthread_join(closer, NULL);
    bus_free(b);
}

static void several_publishers_lose_nothing_and_keep_their_own_order(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(4);
    struct publisher p[3];
    for (uint64_t i = 0; i < 3; i++) {
        p[i] = (struct publisher){.bus = b, .first = i * 1000000, .len = 2000};
        publisher_start(&p[i]);
    }
    uint64_t next[3] = {0};
    for (int n = 0; n < 6000; n++) {
        const struct bus_message *m = bus_receive(b, -1);
        uint64_t from = m->seq / 1000000;
        assert_sample(m, p[from].first + next[from], m->seq % ROWS_MAX, next[from] % 3);
        next[from]++;
        bus_done(b, m);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(p[i].thread, NULL);
        assert_int_equal(next[i], 2000);
    }
    assert_null(receive_now(b));
    bus_free(b);
}

static void a_message_outlives_the_strings_it_was_made_from(void **state)
{
    (void)state;
    struct bus *b = bus_local_new(2);
    char sku[] = "sku-1";
    char place[] = "main";
    struct level_row level = {.item = 1, .sku = str_from(sku), .location_id = str_from(place)};
    struct bus_item item = {.item = 1, .sku = str_from(sku)};
    assert_int_equal(
        bus_publish(b, &(struct bus_message){.levels = &level, .levels_len = 1, .items = &item, .items_len = 1}, NULL),
        ERR_OK);
    memset(sku, 'x', strlen(sku));
    memset(place, 'x', strlen(place));
    const struct bus_message *m = receive_now(b);
    assert_true(str_equal(m->levels[0].sku, STR("sku-1")));
    assert_true(str_equal(m->levels[0].location_id, STR("main")));
    assert_true(str_equal(m->items[0].sku, STR("sku-1")));
    bus_done(b, m);
    bus_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_whole_and_in_order),
        cmocka_unit_test(an_empty_bus_gives_nothing_after_the_time),
        cmocka_unit_test(a_message_outlives_the_strings_it_was_made_from),
        cmocka_unit_test(blocks_of_every_size_are_reused),
        cmocka_unit_test(a_closed_bus_is_drained_and_then_empty_for_ever),
        cmocka_unit_test(undelivered_messages_are_freed_with_the_bus),
        cmocka_unit_test(a_full_bus_holds_its_publisher_until_a_message_is_done),
        cmocka_unit_test(closing_frees_a_publisher_that_waits),
        cmocka_unit_test(closing_wakes_a_receiver_that_waits),
        cmocka_unit_test(several_publishers_lose_nothing_and_keep_their_own_order),
    };
    return cmocka_run_group_tests_name("bus/local", tests, NULL, NULL);
}
