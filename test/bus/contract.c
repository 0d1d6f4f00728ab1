#include "contract.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define ROWS_MAX 1500
#define TRIES 600 /* of 100 ms and more: what does not come in a minute does not come */

/* The suite that runs, and the partition of the test: each has its own, so that none sees what another left. */
static const struct bus_contract *suite;
static uint32_t partition;

static struct bus *open_publisher(void)
{
    return suite->open(suite->broker, BUS_PUBLISHES, partition, NULL);
}

static struct bus *open_follower(const char *node)
{
    return suite->open(suite->broker, BUS_FOLLOWS, partition, node);
}

/* What is published: rows that tell by their seq what is in them. */

struct rows {
    struct level_row levels[ROWS_MAX];
    struct bus_item items[ROWS_MAX];
    char level_skus[ROWS_MAX][SKU_BYTES_MAX];
    char item_skus[ROWS_MAX][SKU_BYTES_MAX];
};

static struct str sku_of(const char *prefix, uint64_t number, char room[SKU_BYTES_MAX])
{
    int len = snprintf(room, SKU_BYTES_MAX, "%s \"%d\" \xe2\x82\xac", prefix, (int)number);
    return (struct str){room, (size_t)len};
}

static struct level_row level_of(uint64_t seq, char room[SKU_BYTES_MAX])
{
    return (struct level_row){
        .item = 5,
        .location = 6,
        .sku = sku_of("level", seq, room),
        .location_id = seq % 2 == 0 ? STR("berlin") : STR("Ulm_1.a-b"),
        .quantities.of = {(int64_t)seq, 1, 2, 3, 4, 5, (int64_t)seq * 1000000},
        .version = seq * 3,
        .seq = seq,
        .time_ms = 1795704843000 + (int64_t)seq,
    };
}

static struct bus_item item_of(uint32_t number, char room[SKU_BYTES_MAX])
{
    return (struct bus_item){.item = number, .sku = sku_of("item", number, room), .time_ms = 1795704843000 + number};
}

/* Levels and items with the numbers from `first` on; true when the bus confirmed. */
static bool publish_rows(struct bus *b, uint64_t first, size_t levels, size_t items)
{
    struct rows *rows = mem_new(sizeof(*rows));
    struct err_note note = {""};
    for (size_t i = 0; i < levels; i++) {
        rows->levels[i] = level_of(first + i, rows->level_skus[i]);
    }
    for (size_t i = 0; i < items; i++) {
        rows->items[i] = item_of((uint32_t)(first + i), rows->item_skus[i]);
    }
    struct bus_message m = {
        .partition = partition,
        .seq = first,
        .time_ms = 1,
        .committed_ns = 1,
        .levels = rows->levels,
        .levels_len = levels,
        .items = rows->items,
        .items_len = items,
    };
    enum err e = bus_publish(b, &m, &note);
    assert_true(e == ERR_OK || e == ERR_IO);
    assert_int_equal(e == ERR_OK, note.text[0] == '\0');
    mem_free(rows);
    return e == ERR_OK;
}

static bool publish_position(struct bus *b, uint64_t seq)
{
    struct err_note note = {""};
    struct bus_message m = {
        .partition = partition,
        .position = {.epoch = 3, .seq = seq, .items = 9, .time_ms = 1795704843000 + (int64_t)seq},
    };
    return bus_publish(b, &m, &note) == ERR_OK;
}

/* What a follower has got. */
struct got {
    size_t levels;
    size_t items;
    uint64_t first; /* number of the first level and the first item that are wanted, and all after it */
    uint64_t position;
};

static void take_level(struct got *g, const struct level_row *l)
{
    char room[SKU_BYTES_MAX];
    struct level_row expected = level_of(g->first + g->levels++, room);
    assert_int_equal(l->seq, expected.seq);
    assert_int_equal(l->item, 0);
    assert_int_equal(l->location, 0);
    assert_true(str_equal(l->sku, expected.sku));
    assert_true(str_equal(l->location_id, expected.location_id));
    assert_memory_equal(&l->quantities, &expected.quantities, sizeof(l->quantities));
    assert_int_equal(l->version, expected.version);
    assert_int_equal(l->time_ms, expected.time_ms);
}

static void take_item(struct got *g, const struct bus_item *i)
{
    char room[SKU_BYTES_MAX];
    struct bus_item expected = item_of((uint32_t)(g->first + g->items++), room);
    assert_int_equal(i->item, expected.item);
    assert_true(str_equal(i->sku, expected.sku));
    assert_int_equal(i->time_ms, expected.time_ms);
}

static void take_position(struct got *g, const struct bus_position *p)
{
    if (p->time_ms != 0) {
        assert_int_equal(p->epoch, 3);
        assert_int_equal(p->items, 9);
        assert_int_equal(p->time_ms, 1795704843000 + p->seq);
        g->position = p->seq;
    }
}

static void take_message(struct got *g, const struct bus_message *m)
{
    assert_int_equal(m->partition, partition);
    assert_int_equal(m->seq, 0);
    assert_int_equal(m->time_ms, 0);
    assert_int_equal(m->committed_ns, 0);
    for (size_t i = 0; i < m->levels_len; i++) {
        take_level(g, &m->levels[i]);
    }
    for (size_t i = 0; i < m->items_len; i++) {
        take_item(g, &m->items[i]);
    }
    take_position(g, &m->position);
}

/* Receives until a follower has so much, in order and without a gap. */
static void expect(struct bus *follower, struct got *g, size_t levels, size_t items)
{
    for (int i = 0; i < TRIES && (g->levels < levels || g->items < items); i++) {
        const struct bus_message *m = bus_receive(follower, 100);
        if (m != NULL) {
            take_message(g, m);
            bus_done(follower, m);
        }
    }
    assert_int_equal(g->levels, levels);
    assert_int_equal(g->items, items);
}

/* The seq of the position that a follower gets within the time; 0: none. Rows are let go. */
static uint64_t hear(struct bus *follower, int timeout_ms)
{
    const struct bus_message *m = bus_receive(follower, timeout_ms);
    uint64_t seq = m != NULL && m->position.time_ms != 0 ? m->position.seq : 0;
    if (m != NULL) {
        bus_done(follower, m);
    }
    return seq;
}

/*
 * Until what the publisher sends from now on reaches the follower: it gets positions until one arrives, and then those that
 * are still on their way. Rows that it gets meanwhile are let go.
 */
static void meet(struct bus *publisher, struct bus *follower)
{
    static uint64_t last;
    uint64_t first = last + 1;
    uint64_t sent = first;
    uint64_t heard = 0;
    for (int i = 0; i < TRIES && heard < first; i++) {
        bool published = publish_position(publisher, ++last);
        sent = published ? last : sent;
        heard = hear(follower, published ? 100 : 0);
    }
    for (int i = 0; i < TRIES && heard < sent; i++) {
        uint64_t more = hear(follower, 100);
        heard = more > heard ? more : heard;
    }
    if (heard < sent) {
        fail_msg("the follower does not hear the publisher");
    }
}

/* Both ends, and they hear each other. */
struct pair {
    struct bus *publisher;
    struct bus *follower;
};

static struct pair pair_open(void)
{
    struct pair p = {open_publisher(), open_follower("one")};
    meet(p.publisher, p.follower);
    return p;
}

static void pair_free(struct pair *p)
{
    bus_close(p->publisher);
    bus_close(p->follower);
    bus_free(p->publisher);
    bus_free(p->follower);
}

/* The tests. */

static void messages_arrive_in_order_and_complete(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct got g = {.first = 1};
    size_t levels = 0;
    for (size_t i = 0; i < 60; i++) {
        size_t more = 1 + i * 7 % 5;
        assert_true(publish_rows(p.publisher, 1 + levels, more, 0));
        levels += more;
    }
    assert_true(publish_position(p.publisher, 1000000));
    expect(p.follower, &g, levels, 0);
    for (int i = 0; i < TRIES && g.position != 1000000; i++) {
        const struct bus_message *m = bus_receive(p.follower, 100);
        if (m != NULL) {
            take_message(&g, m);
            bus_done(p.follower, m);
        }
    }
    assert_int_equal(g.position, 1000000);
    assert_int_equal(g.levels, levels);
    pair_free(&p);
}

static void one_message_may_have_many_rows(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct got g = {.first = 7};
    assert_true(publish_rows(p.publisher, 7, ROWS_MAX, ROWS_MAX - 300));
    expect(p.follower, &g, ROWS_MAX, ROWS_MAX - 300);
    pair_free(&p);
}

static void an_empty_message_is_nothing(void **state)
{
    (void)state;
    struct pair p = pair_open();
    uint64_t before = suite->stored(suite->broker, partition);
    assert_true(publish_rows(p.publisher, 1, 0, 0));
    assert_int_equal(suite->stored(suite->broker, partition), before);
    pair_free(&p);
}

static void each_of_two_followers_gets_everything(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct bus *other = open_follower("two");
    meet(p.publisher, other);
    struct got one = {.first = 1};
    struct got two = {.first = 1};
    assert_true(publish_rows(p.publisher, 1, 300, 20));
    expect(p.follower, &one, 300, 20);
    expect(other, &two, 300, 20);
    bus_free(other);
    pair_free(&p);
}

static void a_later_follower_gets_what_is_published_from_then_on(void **state)
{
    (void)state;
    struct bus *publisher = open_publisher();
    assert_true(publish_rows(publisher, 1, 50, 50));
    struct bus *follower = open_follower("late");
    meet(publisher, follower);
    struct got g = {.first = 51};
    assert_true(publish_rows(publisher, 51, 50, 50));
    expect(follower, &g, 50, 50);
    bus_free(follower);
    bus_free(publisher);
}

static void what_was_confirmed_is_at_the_broker(void **state)
{
    (void)state;
    struct bus *publisher = open_publisher();
    assert_true(publish_position(publisher, 1));
    uint64_t before = suite->stored(suite->broker, partition);
    for (size_t i = 0; i < 20; i++) {
        assert_true(publish_rows(publisher, 1 + i * 40, 40, 0));
        assert_int_equal(suite->stored(suite->broker, partition), before + (i + 1) * 40);
    }
    bus_free(publisher);
}

static void a_follower_hears_its_partition_alone(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct got g = {.first = 1};
    partition++;
    struct bus *other = open_publisher();
    assert_true(publish_rows(other, 500, 10, 10));
    partition--;
    assert_true(publish_rows(p.publisher, 1, 10, 10));
    expect(p.follower, &g, 10, 10);
    bus_free(other);
    pair_free(&p);
    partition++;
}

static void garbage_is_skipped(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct got g = {.first = 1};
    for (size_t i = 0; i < 20; i++) {
        suite->put(suite->broker, partition, i % 2 == 0 ? STR("garbage") : STR("{\"specversion\":\"1.0\"}"));
        suite->put(suite->broker, partition, STR(""));
        assert_true(publish_rows(p.publisher, 1 + i, 1, 1));
    }
    expect(p.follower, &g, 20, 20);
    pair_free(&p);
}

static void an_empty_bus_gives_nothing_after_the_time(void **state)
{
    (void)state;
    struct pair p = pair_open();
    const struct bus_message *m = NULL;
    while ((m = bus_receive(p.follower, 500)) != NULL) { /* the positions of the meeting */
        bus_done(p.follower, m);
    }
    assert_null(bus_receive(p.follower, 0));
    int64_t before_ms = clock_mono_ms();
    assert_null(bus_receive(p.follower, 130));
    assert_true(clock_mono_ms() - before_ms >= 129);
    pair_free(&p);
}

/* Without the broker. */

static void assert_publish_fails(struct bus *publisher, uint64_t first)
{
    int64_t before_ms = clock_mono_ms();
    assert_false(publish_rows(publisher, first, 3, 3));
    assert_true(clock_mono_ms() - before_ms < 10 * BUS_CONFIRM_MS); /* on a busy machine too */
}

static void without_a_broker_publish_fails_and_receive_waits(void **state)
{
    (void)state;
    broker_stop(suite->broker, SIGTERM);
    struct bus *publisher = open_publisher();
    struct bus *follower = open_follower("early");
    assert_publish_fails(publisher, 1);
    assert_null(bus_receive(follower, 0));
    int64_t before_ms = clock_mono_ms();
    assert_null(bus_receive(follower, 130));
    assert_true(clock_mono_ms() - before_ms >= 129);
    broker_start(suite->broker);
    meet(publisher, follower);
    struct got g = {.first = 1};
    assert_true(publish_rows(publisher, 1, 30, 30));
    expect(follower, &g, 30, 30);
    bus_free(publisher);
    bus_free(follower);
}

static void goes_on_after(void (*trouble)(void))
{
    struct pair p = pair_open();
    struct got g = {.first = 1};
    assert_true(publish_rows(p.publisher, 1, 30, 30));
    expect(p.follower, &g, 30, 30);
    broker_stop(suite->broker, SIGKILL);
    assert_publish_fails(p.publisher, 31);
    assert_null(bus_receive(p.follower, 20));
    trouble();
    broker_start(suite->broker);
    meet(p.publisher, p.follower);
    g = (struct got){.first = 1000};
    assert_true(publish_rows(p.publisher, 1000, 400, 30));
    expect(p.follower, &g, 400, 30);
    pair_free(&p);
}

static void nothing(void)
{
}

static void wipe(void)
{
    broker_wipe(suite->broker);
}

static void both_ends_go_on_when_the_broker_is_back(void **state)
{
    (void)state;
    goes_on_after(nothing);
}

static void both_ends_go_on_when_the_broker_is_back_with_nothing(void **state)
{
    (void)state;
    goes_on_after(wipe);
}

static void assert_end(struct bus *publisher, uint64_t seq, uint64_t items)
{
    struct bus_position end = {0};
    enum err e;
    for (int i = 0; (e = bus_last(publisher, &end, NULL)) == ERR_IO && i < TRIES; i++) {
        usleep(100000);
    }
    assert_int_equal(e, ERR_OK);
    assert_int_equal(end.seq, seq);
    assert_int_equal(end.items, items);
}

static void the_end_of_the_stream_is_known_until_the_broker_is_wiped(void **state)
{
    (void)state;
    struct bus *publisher = open_publisher();
    assert_end(publisher, 0, 0);
    assert_true(publish_rows(publisher, 1, 30, 20));
    assert_end(publisher, 30, 20);
    broker_stop(suite->broker, SIGKILL);
    wipe();
    broker_start(suite->broker);
    assert_end(publisher, 0, 0);
    bus_free(publisher);
}

/* The broker was away without anybody noticing: no call was made meanwhile. */
static void a_broker_that_was_away_for_a_moment_is_no_trouble(void **state)
{
    (void)state;
    struct pair p = pair_open();
    for (int round = 0; round < 3; round++) {
        broker_stop(suite->broker, SIGTERM);
        if (round > 0) {
            wipe();
        }
        broker_start(suite->broker);
        meet(p.publisher, p.follower);
        struct got g = {.first = 1};
        assert_true(publish_rows(p.publisher, 1, 50, 50));
        expect(p.follower, &g, 50, 50);
    }
    pair_free(&p);
}

static void a_broker_that_stands_still_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    struct pair p = pair_open();
    broker_freeze(suite->broker);
    assert_publish_fails(p.publisher, 1);
    assert_null(bus_receive(p.follower, 20));
    broker_thaw(suite->broker);
    meet(p.publisher, p.follower);
    struct got g = {.first = 1};
    assert_true(publish_rows(p.publisher, 1, 50, 50));
    expect(p.follower, &g, 50, 50);
    pair_free(&p);
}

/* Closing. */

static void *receive_for_ever(void *arg)
{
    const struct bus_message *m;
    while ((m = bus_receive(arg, -1)) != NULL) {
        bus_done(arg, m);
    }
    return NULL;
}

static void a_closed_bus_lets_its_receiver_go(void **state)
{
    (void)state;
    struct pair p = pair_open();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, receive_for_ever, p.follower), 0);
    usleep(100000); /* so that it is likely to wait */
    bus_close(p.follower);
    bus_close(p.follower);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_null(bus_receive(p.follower, -1));
    pair_free(&p);
}

static void a_closed_bus_lets_its_receiver_go_without_a_broker_too(void **state)
{
    (void)state;
    broker_stop(suite->broker, SIGTERM);
    struct bus *follower = open_follower("alone");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, receive_for_ever, follower), 0);
    usleep(100000);
    bus_close(follower);
    assert_int_equal(pthread_join(thread, NULL), 0);
    bus_free(follower);
    broker_start(suite->broker);
}

struct blocked {
    struct bus *publisher;
    bool confirmed;
};

static void *publish_until_closed(void *arg)
{
    struct blocked *b = arg;
    b->confirmed = publish_rows(b->publisher, 1, 1, 1);
    return NULL;
}

static void a_closed_bus_lets_its_publisher_go(void **state)
{
    (void)state;
    struct pair p = pair_open();
    struct blocked blocked = {p.publisher, true};
    pthread_t thread;
    broker_freeze(suite->broker);
    assert_int_equal(pthread_create(&thread, NULL, publish_until_closed, &blocked), 0);
    usleep(100000);
    bus_close(p.publisher);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(blocked.confirmed);
    broker_thaw(suite->broker);
    uint64_t before = suite->stored(suite->broker, partition);
    assert_false(publish_rows(p.publisher, 1000, 5, 5));
    assert_true(suite->stored(suite->broker, partition) <= before + 2); /* the blocked ones may be late */
    pair_free(&p);
}

static void an_end_that_was_never_used_is_freed(void **state)
{
    (void)state;
    bus_free(open_publisher());
    bus_free(open_follower("idle"));
}

static const struct {
    const char *name;
    CMUnitTestFunction fn;
} tests_of_the_contract[] = {
#define ROW(fn) \
    {           \
#fn, fn \
    }
    ROW(messages_arrive_in_order_and_complete),
    ROW(one_message_may_have_many_rows),
    ROW(an_empty_message_is_nothing),
    ROW(each_of_two_followers_gets_everything),
    ROW(a_later_follower_gets_what_is_published_from_then_on),
    ROW(what_was_confirmed_is_at_the_broker),
    ROW(a_follower_hears_its_partition_alone),
    ROW(garbage_is_skipped),
    ROW(an_empty_bus_gives_nothing_after_the_time),
    ROW(without_a_broker_publish_fails_and_receive_waits),
    ROW(both_ends_go_on_when_the_broker_is_back),
    ROW(both_ends_go_on_when_the_broker_is_back_with_nothing),
    ROW(the_end_of_the_stream_is_known_until_the_broker_is_wiped),
    ROW(a_broker_that_was_away_for_a_moment_is_no_trouble),
    ROW(a_broker_that_stands_still_is_not_waited_for_for_ever),
    ROW(a_closed_bus_lets_its_receiver_go),
    ROW(a_closed_bus_lets_its_receiver_go_without_a_broker_too),
    ROW(a_closed_bus_lets_its_publisher_go),
    ROW(an_end_that_was_never_used_is_freed),
#undef ROW
};

static int next_partition(void **state)
{
    (void)state;
    partition++;
    if (suite->broker->pid == 0) { /* a test that failed left it so */
        broker_start(suite->broker);
    } else {
        broker_thaw(suite->broker);
    }
    return 0;
}

int bus_contract_run(const struct bus_contract *c)
{
    struct CMUnitTest tests[ARRAY_LEN(tests_of_the_contract)];
    suite = c;
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        tests[i] =
            (struct CMUnitTest){tests_of_the_contract[i].name, tests_of_the_contract[i].fn, next_partition, NULL, NULL};
    }
    return _cmocka_run_group_tests(c->name, tests, ARRAY_LEN(tests), NULL, NULL);
}
