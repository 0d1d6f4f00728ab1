/* The threads around the sequencer, with a store whose commits the test can hold up or make fail. */
#include "ask.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bus/local/local.h"
#include "inventory/inventory.h"
#include "store/memory/memory.h"
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

/* A store in front of the memory store. */
struct gate {
    struct store base;
    struct store *behind;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool shut;
    enum err fail_as; /* the next commit fails so, once */
    bool lands;       /* although it is stored */
    bool is_away;     /* it cannot be loaded */
};

static enum err gate_claim(struct store *s, const char *leader, struct store_head *out, struct err_note *note)
{
    return store_claim(((struct gate *)s)->behind, leader, out, note);
}

static enum err gate_load(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    struct gate *g = (struct gate *)s;
    pthread_mutex_lock(&g->lock);
    bool is_away = g->is_away;
    pthread_mutex_unlock(&g->lock);
    return is_away ? ERR_STORE_AWAY : store_load(g->behind, l, keys, note);
}

static enum err gate_commit(struct store *s, const struct batch *b, struct err_note *note)
{
    struct gate *g = (struct gate *)s;
    pthread_mutex_lock(&g->lock);
    while (g->shut) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    enum err fail_as = g->fail_as;
    bool lands = fail_as == ERR_OK || g->lands;
    g->fail_as = ERR_OK;
    pthread_mutex_unlock(&g->lock);
    enum err e = lands ? store_commit(g->behind, b, note) : ERR_OK;
    return fail_as == ERR_OK ? e : err_note_set(note, fail_as, "as the test wants");
}

static enum err gate_reader_open(struct store *s, struct store_reader **out, struct err_note *note)
{
    return store_reader_open(((struct gate *)s)->behind, out, note);
}

static void gate_free(struct store *s)
{
    (void)s;
}

static const struct store_ops GATE_OPS = {
    .name = "gate",
    .claim = gate_claim,
    .load = gate_load,
    .commit = gate_commit,
    .reader_open = gate_reader_open,
    .free = gate_free};

struct shop {
    struct gate gate;
    struct bus *bus;
    struct inventory *inv;
    pthread_t follower;
    atomic_ullong followed_seq;
    atomic_int failed;
};

static void gate_set(struct shop *s, bool shut, enum err fail_as)
{
    pthread_mutex_lock(&s->gate.lock);
    s->gate.shut = shut;
    s->gate.fail_as = fail_as;
    pthread_cond_broadcast(&s->gate.changed);
    pthread_mutex_unlock(&s->gate.lock);
}

static void *follow(void *arg)
{
    struct shop *s = arg;
    const struct bus_message *m;
    while ((m = bus_receive(s->bus, -1)) != NULL) {
        atomic_store(&s->followed_seq, m->seq);
        bus_done(s->bus, m);
    }
    return NULL;
}

static void on_failed(void *ctx, enum err e, const struct err_note *note)
{
    (void)note;
    atomic_store(&((struct shop *)ctx)->failed, (int)e);
}

static struct shop *shop_open(void)
{
    struct shop *s = mem_new(sizeof(*s));
    struct err_note note;
    s->gate.base.ops = &GATE_OPS;
    s->gate.behind = store_memory_new(0);
    pthread_mutex_init(&s->gate.lock, NULL);
    pthread_cond_init(&s->gate.changed, NULL);
    s->bus = bus_local_new(16);
    assert_int_equal(
        inventory_open(
            &(struct inventory_options){
                .store = &s->gate.base,
                .bus = s->bus,
                .idempotency_keys_max = 1000000,
                .random_seed = 5,
                .failed = on_failed,
                .failed_ctx = s},
            &s->inv, &note),
        ERR_OK);
    assert_int_equal(inventory_start(s->inv, &note), ERR_OK);
    assert_int_equal(pthread_create(&s->follower, NULL, follow, s), 0);
    return s;
}

static void shop_close(struct shop *s)
{
    inventory_stop(s->inv);
    bus_close(s->bus);
    pthread_join(s->follower, NULL);
    inventory_free(s->inv);
    bus_free(s->bus);
    store_free(s->gate.behind);
    mem_free(s);
}

static void wait_done(struct ask *a)
{
    while (!atomic_load(&a->is_done)) {
        usleep(100);
    }
}

static bool submit(struct inventory *inv, struct request *r)
{
    bool taken = inventory_submit(inv, r);
    inventory_wake(inv);
    return taken;
}

static enum err do_one(struct shop *s, struct ask *a)
{
    assert_true(submit(s->inv, &a->r));
    wait_done(a);
    enum err e = a->r.err;
    ask_free(a);
    return e;
}

static void stock_up(struct shop *s, int64_t units)
{
    assert_int_equal(do_one(s, ask_item("a")), ERR_OK);
    assert_int_equal(do_one(s, ask_location("main")), ERR_OK);
    assert_int_equal(do_one(s, ask_receive("a", "main", units)), ERR_OK);
}

#define BUYERS 4
#define TRIES 500

struct buyer {
    struct shop *shop;
    pthread_t thread;
    int64_t granted;
};

static void *buy(void *arg)
{
    struct buyer *b = arg;
    static const uint32_t WINDOW = 20;
    struct ask *asks[20];
    for (uint32_t n = 0; n < TRIES; n += WINDOW) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            asks[i] = ask_reserve("a", 1, 600);
            while (!submit(b->shop->inv, &asks[i]->r)) {
                usleep(100);
            }
        }
        for (uint32_t i = 0; i < WINDOW; i++) {
            wait_done(asks[i]);
            b->granted += asks[i]->r.outcome == OUTCOME_OK;
            ask_free(asks[i]);
        }
    }
    return NULL;
}

static void buyers_on_many_threads_get_exactly_what_is_there(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 777);
    struct buyer buyers[BUYERS];
    int64_t granted = 0;
    for (size_t i = 0; i < BUYERS; i++) {
        buyers[i] = (struct buyer){.shop = s};
        assert_int_equal(pthread_create(&buyers[i].thread, NULL, buy, &buyers[i]), 0);
    }
    for (size_t i = 0; i < BUYERS; i++) {
        pthread_join(buyers[i].thread, NULL);
        granted += buyers[i].granted;
    }
    assert_int_equal(granted, 777);
    shop_close(s);
}

static void a_full_queue_refuses_at_once(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    gate_set(s, true, ERR_OK);
    static struct ask *asks[REQUEST_QUEUE_MAX + 3 * BATCH_REQUESTS_MAX];
    size_t accepted = 0;
    for (;;) {
        struct ask *a = ask_receive("a", "main", 1);
        if (!submit(s->inv, &a->r)) {
            ask_free(a);
            /* The sequencer may still be taking its share: full is full only when it stays so. */
            usleep(100000);
            a = ask_receive("a", "main", 1);
            if (!submit(s->inv, &a->r)) {
                ask_free(a);
                break;
            }
        }
        assert_true(accepted < ARRAY_LEN(asks));
        asks[accepted++] = a;
    }
    struct inventory_metrics metrics;
    inventory_metrics(s->inv, &metrics);
    assert_true(metrics.overloads >= 2);
    assert_int_equal(metrics.queue_depth, REQUEST_QUEUE_MAX);
    gate_set(s, false, ERR_OK);
    for (size_t i = 0; i < accepted; i++) {
        wait_done(asks[i]);
        assert_int_equal(asks[i]->r.err, ERR_OK);
        ask_free(asks[i]);
    }
    shop_close(s);
}

static void stopping_finishes_what_was_accepted(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    gate_set(s, true, ERR_OK);
    static struct ask *asks[5000];
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        asks[i] = ask_receive("a", "main", 1);
        assert_true(submit(s->inv, &asks[i]->r));
    }
    gate_set(s, false, ERR_OK);
    inventory_stop(s->inv);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        assert_int_equal(asks[i]->done_count, 1);
        assert_int_equal(asks[i]->r.err, ERR_OK);
        ask_free(asks[i]);
    }
    struct ask *late = ask_receive("a", "main", 1);
    assert_false(submit(s->inv, &late->r));
    ask_free(late);
    bus_close(s->bus);
    pthread_join(s->follower, NULL);
    assert_int_equal(atomic_load(&s->followed_seq), 5001);
    inventory_free(s->inv);
    bus_free(s->bus);
    store_free(s->gate.behind);
    mem_free(s);
}

static void a_hold_expires_without_any_traffic(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    int64_t began_ms = clock_mono_ms(); /* before it is held: a busy machine may be slow to tell */
    assert_int_equal(do_one(s, ask_reserve("a", 1, 1)), ERR_OK);
    while (atomic_load(&s->followed_seq) < 3) {
        usleep(1000);
    }
    assert_true(clock_mono_ms() - began_ms >= 999); /* one for the rounding of two clocks */
    assert_int_equal(do_one(s, ask_reserve("a", 1, 600)), ERR_OK);
    shop_close(s);
}

static void a_full_store_is_survived(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    gate_set(s, false, ERR_STORE_FULL);
    assert_int_equal(do_one(s, ask_reserve("a", 1, 600)), ERR_NOT_COMMITTED);
    enum err e = ERR_NOT_COMMITTED;
    for (int i = 0; i < 100 && e == ERR_NOT_COMMITTED; i++) {
        usleep(50000);
        e = do_one(s, ask_reserve("a", 1, 600));
    }
    assert_int_equal(e, ERR_OK);
    assert_int_equal(atomic_load(&s->failed), ERR_OK);
    shop_close(s);
}

static void gate_away(struct shop *s, bool away)
{
    pthread_mutex_lock(&s->gate.lock);
    s->gate.is_away = away;
    pthread_mutex_unlock(&s->gate.lock);
}

/* The same intention, sent again. */
static struct ask *reserve_one(void)
{
    return ask_keyed(ask_reserve("a", 1, 600), "intention", "reserve one");
}

static enum err until_it_is_back(struct shop *s, struct ask *(*again)(void), struct ask **out)
{
    for (int i = 0; i < 200; i++) {
        struct ask *a = again();
        assert_true(submit(s->inv, &a->r));
        wait_done(a);
        if (a->r.err != ERR_NOT_COMMITTED) {
            *out = a;
            return a->r.err;
        }
        ask_free(a);
        usleep(20000);
    }
    fail_msg("it does not come back");
    return ERR_IO;
}

static void an_outage_of_the_store_is_survived(bool lands)
{
    struct shop *s = shop_open();
    stock_up(s, 1);
    s->gate.lands = lands;
    gate_away(s, true);
    gate_set(s, false, ERR_STORE_AWAY);
    assert_int_equal(do_one(s, reserve_one()), ERR_OUTCOME_UNKNOWN);
    struct inventory_metrics metrics;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(do_one(s, reserve_one()), ERR_NOT_COMMITTED);
        assert_int_equal(do_one(s, ask_receive("a", "main", 1)), ERR_NOT_COMMITTED);
    }
    inventory_metrics(s->inv, &metrics);
    assert_true(metrics.seq >= 1);
    assert_int_equal(metrics.ledger.items, 1); /* a graph has no hole */
    gate_away(s, false);
    while (lands && atomic_load(&s->followed_seq) < 2) {
        usleep(1000); /* the view hears of what nobody was told of */
    }
    struct ask *a = NULL;
    assert_int_equal(until_it_is_back(s, reserve_one, &a), ERR_OK);
    assert_int_equal(a->r.replayed, lands);
    assert_int_equal(a->r.outcome == OUTCOME_OK || lands, 1);
    ask_free(a);
    a = ask_reserve("a", 1, 600); /* it was the last one, once */
    assert_true(submit(s->inv, &a->r));
    wait_done(a);
    assert_int_equal(a->r.outcome, OUTCOME_INSUFFICIENT_STOCK);
    ask_free(a);
    assert_int_equal(atomic_load(&s->failed), ERR_OK);
    shop_close(s);
}

static void an_outage_that_swallowed_the_answer_is_survived(void **state)
{
    (void)state;
    an_outage_of_the_store_is_survived(true);
}

static void an_outage_that_swallowed_the_commit_is_survived(void **state)
{
    (void)state;
    an_outage_of_the_store_is_survived(false);
}

static void a_service_stops_during_an_outage(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    gate_away(s, true);
    gate_set(s, false, ERR_STORE_AWAY);
    assert_int_equal(do_one(s, reserve_one()), ERR_OUTCOME_UNKNOWN);
    assert_int_equal(do_one(s, reserve_one()), ERR_NOT_COMMITTED);
    shop_close(s);
}

static void an_untrusted_store_ends_the_service(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    gate_set(s, false, ERR_IO);
    assert_int_equal(do_one(s, ask_reserve("a", 1, 600)), ERR_OUTCOME_UNKNOWN);
    while (atomic_load(&s->failed) == ERR_OK) {
        usleep(100);
    }
    assert_int_equal(atomic_load(&s->failed), ERR_IO);
    struct ask *late = ask_receive("a", "main", 1);
    assert_false(submit(s->inv, &late->r));
    ask_free(late);
    shop_close(s);
}

struct reading {
    struct query query;
    atomic_bool is_done;
    size_t levels;
};

static bool count_level(void *ctx, const struct level_row *row)
{
    (void)row;
    ((struct reading *)ctx)->levels++;
    return true;
}

static void read_levels(struct query *q, struct store_reader *reader)
{
    struct reading *r = CONTAINER_OF(q, struct reading, query);
    assert_int_equal(reader->ops->levels(reader, STR("a"), count_level, r), ERR_OK);
}

static void reading_done(struct query *q)
{
    atomic_store(&CONTAINER_OF(q, struct reading, query)->is_done, true);
}

static void a_read_sees_every_answered_write(void **state)
{
    (void)state;
    struct shop *s = shop_open();
    stock_up(s, 1);
    struct reading r = {.query = {.run = read_levels, .done = reading_done}};
    assert_true(inventory_query(s->inv, &r.query));
    while (!atomic_load(&r.is_done)) {
        usleep(100);
    }
    assert_int_equal(r.levels, 1);
    shop_close(s);
}

struct claim {
    struct gate *gate;
    int calls;
    enum err answer;
};

/* Nothing can be loaded before it was called. */
static enum err on_claimed(void *ctx, struct err_note *note)
{
    struct claim *c = ctx;
    c->calls++;
    c->gate->is_away = false;
    return c->answer == ERR_OK ? ERR_OK : err_note_set(note, c->answer, "as the test wants");
}

static enum err open_with_claim(struct claim *c, struct inventory **out)
{
    struct err_note note;
    const struct inventory_options options = {
        .store = &c->gate->base,
        .idempotency_keys_max = 1,
        .failed = on_failed,
        .claimed = on_claimed,
        .claimed_ctx = c};
    return inventory_open(&options, out, &note);
}

static void the_lease_is_known_before_what_may_take_longer_than_it_runs(void **state)
{
    (void)state;
    struct gate gate = {.base.ops = &GATE_OPS, .behind = store_memory_new(0), .is_away = true};
    struct claim c = {.gate = &gate, .answer = ERR_IO};
    struct inventory *inv = NULL;
    pthread_mutex_init(&gate.lock, NULL);
    assert_int_equal(open_with_claim(&c, &inv), ERR_IO);
    c.answer = ERR_OK;
    gate.is_away = true;
    assert_int_equal(open_with_claim(&c, &inv), ERR_OK);
    assert_int_equal(c.calls, 2);
    inventory_free(inv);
    store_free(gate.behind);
    pthread_mutex_destroy(&gate.lock);
}

/* The system has no thread when this has counted down (see meson.build). */
static int threads_left = INT_MAX;

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return threads_left-- > 0 ? __real_pthread_create(id, attr, fn, arg) : EAGAIN;
}

static void a_service_that_does_not_get_all_of_its_threads_is_gone(void **state)
{
    (void)state;
    for (int threads = 0; threads <= 4; threads++) {
        struct store *store = store_memory_new(0);
        struct inventory *inv = NULL;
        struct err_note note = {""};
        const struct inventory_options options = {.store = store, .idempotency_keys_max = 1, .failed = on_failed};
        assert_int_equal(inventory_open(&options, &inv, &note), ERR_OK);
        threads_left = threads;
        enum err e = inventory_start(inv, &note);
        threads_left = INT_MAX;
        assert_int_equal(e, threads < 4 ? ERR_IO : ERR_OK);
        if (e == ERR_OK) {
            inventory_stop(inv);
        }
        inventory_free(inv);
        store_free(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buyers_on_many_threads_get_exactly_what_is_there),
        cmocka_unit_test(a_full_queue_refuses_at_once),
        cmocka_unit_test(stopping_finishes_what_was_accepted),
        cmocka_unit_test(a_hold_expires_without_any_traffic),
        cmocka_unit_test(a_full_store_is_survived),
        cmocka_unit_test(an_outage_that_swallowed_the_answer_is_survived),
        cmocka_unit_test(an_outage_that_swallowed_the_commit_is_survived),
        cmocka_unit_test(a_service_stops_during_an_outage),
        cmocka_unit_test(an_untrusted_store_ends_the_service),
        cmocka_unit_test(a_read_sees_every_answered_write),
        cmocka_unit_test(the_lease_is_known_before_what_may_take_longer_than_it_runs),
        cmocka_unit_test(a_service_that_does_not_get_all_of_its_threads_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
