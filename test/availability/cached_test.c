/* The thread between a view and a cache, over a cache in memory that can fail, and stop in the middle of a call. */
#include "test.h"

#include "availability/availability.h"
#include "availability/cached.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "bus/local/local.h"
#include "feed.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ITEMS 300
#define VALUES_MAX 2000
#define KEY "onhand:availability:default:"
#define TRIES 3000 /* of 10 ms */

/* --- the cache ---------------------------------------------------------------------------------------------- */

struct fake {
    struct cache base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool away;
    bool full;    /* connects, and refuses what is put */
    bool stopped; /* calls do not return */
    bool inside;  /* one is in such a call */
    struct {
        char *key, *value;
        uint64_t puts, gets;
    } at[VALUES_MAX];
    size_t len;
    uint64_t puts;
};

static struct fake *fake_of(struct cache *c)
{
    return (struct fake *)c;
}

static size_t fake_find(struct fake *f, struct str key)
{
    size_t i = 0;
    while (i < f->len && !str_equal(str_from(f->at[i].key), key)) {
        i++;
    }
    if (i == f->len) {
        check(f->len < VALUES_MAX);
        f->at[f->len++].key = mem_copy_str(key);
    }
    return i;
}

/* Under the lock. */
static enum err fake_enter(struct fake *f)
{
    f->inside = true;
    pthread_cond_broadcast(&f->changed);
    while (f->stopped) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    f->inside = false;
    return f->away ? ERR_IO : ERR_OK;
}

static enum err fake_connect(struct cache *c, struct err_note *note)
{
    struct fake *f = fake_of(c);
    pthread_mutex_lock(&f->lock);
    enum err e = f->away ? err_note_set(note, ERR_IO, "away") : ERR_OK;
    pthread_mutex_unlock(&f->lock);
    return e;
}

static enum err
fake_put(struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note)
{
    struct fake *f = fake_of(c);
    (void)note;
    pthread_mutex_lock(&f->lock);
    enum err e = fake_enter(f);
    e = f->full ? ERR_IO : e;
    for (size_t i = 0; e == ERR_OK && i < len; i++) {
        size_t at = fake_find(f, entries[i].key);
        bool hot = str_equal(entries[i].key, STR("onhand:hot:default"));
        check(ttl_s == (hot ? CACHED_HOT_TTL_S : CACHED_TTL_S)); /* not on the test's thread */
        mem_free(f->at[at].value);
        f->at[at].value = mem_copy_str(entries[i].value);
        f->at[at].puts++;
        f->puts++;
    }
    pthread_mutex_unlock(&f->lock);
    return e;
}

static enum err
fake_get(struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note)
{
    struct fake *f = fake_of(c);
    (void)note;
    pthread_mutex_lock(&f->lock);
    enum err e = fake_enter(f);
    for (size_t i = 0; e == ERR_OK && i < len; i++) {
        size_t at = fake_find(f, keys[i]);
        f->at[at].gets++;
        if (f->at[at].value != NULL) {
            got(ctx, i, str_from(f->at[at].value));
        }
    }
    pthread_mutex_unlock(&f->lock);
    return e;
}

static void fake_free(struct cache *c)
{
    struct fake *f = fake_of(c);
    for (size_t i = 0; i < f->len; i++) {
        mem_free(f->at[i].key);
        mem_free(f->at[i].value);
    }
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    mem_free(f);
}

static const struct cache_ops fake_ops = {
    .name = "fake", .connect = fake_connect, .put = fake_put, .get = fake_get, .free = fake_free};

static struct fake *fake_new(void)
{
    struct fake *f = mem_new(sizeof(*f));
    f->base.ops = &fake_ops;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

static void fake_set(struct fake *f, bool *what, bool value)
{
    pthread_mutex_lock(&f->lock);
    *what = value;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* Stops it, and returns when a call is stopped. */
static void fake_stop(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopped = true;
    while (!f->inside) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

static void fake_fill(struct fake *f, const char *key, const char *value)
{
    pthread_mutex_lock(&f->lock);
    size_t at = fake_find(f, str_from(key));
    mem_free(f->at[at].value);
    f->at[at].value = mem_copy_str(str_from(value));
    pthread_mutex_unlock(&f->lock);
}

static uint64_t puts_of(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    uint64_t puts = f->puts;
    pthread_mutex_unlock(&f->lock);
    return puts;
}

static uint64_t gets_of(struct fake *f, const char *key)
{
    pthread_mutex_lock(&f->lock);
    uint64_t gets = f->at[fake_find(f, str_from(key))].gets;
    pthread_mutex_unlock(&f->lock);
    return gets;
}

static bool fake_has(struct fake *f, struct str sku, struct str json)
{
    char key[128];
    int len = snprintf(key, sizeof(key), KEY "%.*s", STR_ARG(sku));
    pthread_mutex_lock(&f->lock);
    size_t at = fake_find(f, (struct str){key, (size_t)len});
    bool has = f->at[at].value != NULL && str_equal(str_from(f->at[at].value), json);
    pthread_mutex_unlock(&f->lock);
    return has;
}

/* --- the service -------------------------------------------------------------------------------------------- */

struct fixture {
    struct fake *fake;
    struct bus *bus;
    struct availability *service;
    struct feed feed;
    char dir[64];
};

static void begin(struct fixture *x, bool follows)
{
    const struct availability_follow follow = {.inventory = "http://127.0.0.1:1", .dir = x->dir};
    struct availability_options options = {
        .bus = x->bus, .cache = &x->fake->base, .follow = follows ? &follow : NULL, .policy = POLICY_DEFAULT};
    x->service = availability_new(&options);
}

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    x->fake = fake_new();
    x->bus = bus_local_new(64);
    snprintf(x->dir, sizeof(x->dir), "/tmp/onhand-cached-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    feed_init(&x->feed, ITEMS, 1);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    char command[128];
    bus_close(x->bus);
    availability_stop(x->service);
    availability_free(x->service);
    cache_free(&x->fake->base);
    bus_free(x->bus);
    feed_release(&x->feed);
    snprintf(command, sizeof(command), "rm -rf %s", x->dir);
    assert_int_equal(system(command), 0);
    mem_free(x);
    return 0;
}

static void publish(struct fixture *x)
{
    struct bus_message *m = feed_take(&x->feed);
    m->committed_ns = 1;
    assert_int_equal(bus_publish(x->bus, m, NULL), ERR_OK);
}

static struct availability_metrics metrics_of(struct fixture *x)
{
    struct availability_metrics m;
    availability_metrics(x->service, &m);
    return m;
}

static bool cache_has_all(struct fixture *x)
{
    bool all = true;
    availability_reader_register();
    for (uint32_t item = 1; all && item <= ITEMS; item++) {
        struct shelf_entry *e = availability_find(x->service, feed_sku(&x->feed, item));
        all = e != NULL && fake_has(x->fake, shelf_entry_sku(e), shelf_entry_shown(e)->json);
    }
    availability_reader_unregister();
    return all;
}

#define UNTIL(condition)                                        \
    for (int tries = 0; !(condition); tries++, usleep(10000)) { \
        assert_true(tries < TRIES);                             \
    }

static void stock_all(struct fixture *x, int64_t available)
{
    for (uint32_t item = 1; item <= ITEMS; item++) {
        feed_level(&x->feed, item, 1, available);
    }
}

static void what_was_there_before_the_start_and_what_changes_is_written(void **state)
{
    struct fixture *x = *state;
    begin(x, false);
    stock_all(x, 5);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    UNTIL(cache_has_all(x));
    feed_level(&x->feed, 7, 1, 6);
    publish(x);
    UNTIL(availability_seq(x->service) == ITEMS + 1 && cache_has_all(x));
    UNTIL(metrics_of(x).cache_dirty == 0);
    assert_int_equal(metrics_of(x).cache_writes, ITEMS + 1); /* exactly what changed */
    assert_true(metrics_of(x).cache_is_up);
}

/* The projector goes on, each SKU is marked once, and the newest state alone is written. */
static void a_cache_that_stops_holds_up_nobody(void **state)
{
    struct fixture *x = *state;
    begin(x, false);
    stock_all(x, 1);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    UNTIL(cache_has_all(x));
    fake_set(x->fake, &x->fake->stopped, true);
    feed_level(&x->feed, 1, 1, 2);
    publish(x);
    fake_stop(x->fake);
    for (int64_t i = 0; i < 20; i++) {
        stock_all(x, 10 + i);
        publish(x);
    }
    UNTIL(availability_seq(x->service) == ITEMS * 21 + 1);
    assert_true(metrics_of(x).cache_dirty >= ITEMS && metrics_of(x).cache_dirty <= ITEMS + 1);
    uint64_t before = puts_of(x->fake);
    fake_set(x->fake, &x->fake->stopped, false);
    UNTIL(cache_has_all(x) && metrics_of(x).cache_dirty == 0);
    assert_true(puts_of(x->fake) <= before + ITEMS + 2);
}

static void a_cache_that_was_away_has_everything_again(void **state)
{
    struct fixture *x = *state;
    begin(x, false);
    x->fake->away = true;
    stock_all(x, 1);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    for (uint32_t item = 1; item <= 10; item++) {
        feed_level(&x->feed, item, 1, 2);
        publish(x);
    }
    UNTIL(availability_seq(x->service) == ITEMS + 10 && metrics_of(x).cache_failures > 1);
    assert_int_equal(metrics_of(x).cache_dirty, 10);
    assert_false(metrics_of(x).cache_is_up);
    assert_int_equal(puts_of(x->fake), 0);
    fake_set(x->fake, &x->fake->away, false);
    UNTIL(cache_has_all(x) && metrics_of(x).cache_dirty == 0);
}

static size_t lines_with(const char *path, const char *event)
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, event) != NULL;
    }
    (void)fclose(file);
    return count;
}

/* It is connected to twice a second; that is no news. */
static void a_cache_that_refuses_everything_is_logged_once(void **state)
{
    struct fixture *x = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/log", x->dir);
    int log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int before = dup(STDERR_FILENO);
    assert_true(log >= 0 && before >= 0);
    assert_int_equal(dup2(log, STDERR_FILENO), STDERR_FILENO);
    begin(x, false);
    x->fake->full = true;
    stock_all(x, 1);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    UNTIL(metrics_of(x).cache_failures >= 3);
    size_t away = lines_with(path, "event=cache_is_away");
    size_t back = lines_with(path, "event=cache_is_back");
    fake_set(x->fake, &x->fake->full, false);
    UNTIL(cache_has_all(x) && lines_with(path, "event=cache_is_back") == 1);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    close(log);
    assert_int_equal(away, 1);
    assert_int_equal(back, 0);
}

static void what_changed_last_is_written_at_the_end(void **state)
{
    struct fixture *x = *state;
    begin(x, false);
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    UNTIL(metrics_of(x).cache_is_up);
    stock_all(x, 3);
    publish(x);
    bus_close(x->bus);
    availability_stop(x->service);
    assert_true(cache_has_all(x));
}

static void what_is_read_most_is_listed(void **state)
{
    struct fixture *x = *state;
    begin(x, false);
    stock_all(x, 1);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    availability_reader_register();
    struct shelf_entry *e = availability_find(x->service, feed_sku(&x->feed, 9));
    availability_reader_unregister(); /* entries stay */
    bool listed = false;
    while (!listed) {
        for (int i = 0; i < 1000; i++) {
            availability_count_read(x->service, e);
        }
        pthread_mutex_lock(&x->fake->lock);
        const char *list = x->fake->at[fake_find(x->fake, STR("onhand:hot:default"))].value;
        listed = list != NULL && strstr(list, "\"SKU-9\"") != NULL && strstr(list, "\"SKU-8\"") == NULL;
        pthread_mutex_unlock(&x->fake->lock);
        usleep(1000);
    }
}

/* --- a node that does not know everything -------------------------------------------------------------------- */

#define ANSWER(sku, quantity)                                                                      \
    "{\"sku\":\"" sku "\",\"channel\":\"default\",\"status\":\"in_stock\",\"quantity\":" #quantity \
    ",\"message\":\"In stock\",\"version\":3,\"seq\":9,\"as_of\":\"2026-11-23T14:21:23.045Z\"}"

static void answered_cb(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static struct availability_question question(const char *sku, atomic_uint *answered)
{
    return (struct availability_question){.sku = str_from(sku), .answered = answered_cb, .ctx = answered};
}

static void ask(struct fixture *x, struct availability_question *q)
{
    for (int i = 0; !availability_ask(x->service, q); i++) { /* until there is a connection */
        assert_true(i < TRIES);
        usleep(10000);
    }
}

static void begin_unknowing(struct fixture *x)
{
    begin(x, true);
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    assert_int_equal(availability_age_ms(x->service), -1);
}

static void questions_are_answered_from_the_cache(void **state)
{
    struct fixture *x = *state;
    atomic_uint answered = 0;
    fake_fill(x->fake, KEY "a", ANSWER("a", 7));
    fake_fill(x->fake, KEY "b", ANSWER("c", 7)); /* of another SKU */
    fake_fill(x->fake, KEY "d", "{\"version\":1}");
    begin_unknowing(x);
    struct availability_question q[] = {
        question("a", &answered), question("b", &answered), question("d", &answered), question("e", &answered)};
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        ask(x, &q[i]);
    }
    UNTIL(atomic_load(&answered) == ARRAY_LEN(q));
    assert_true(str_equal((struct str){q[0].json, q[0].json_len}, STR(ANSWER("a", 7))));
    for (size_t i = 1; i < ARRAY_LEN(q); i++) {
        assert_int_equal(q[i].json_len, 0);
    }
    assert_int_equal(metrics_of(x).cache_hits, 1);
    assert_int_equal(metrics_of(x).cache_misses, 3);
}

static void those_who_ask_for_the_same_share_one_question(void **state)
{
    struct fixture *x = *state;
    atomic_uint answered = 0;
    static struct availability_question q[200];
    fake_fill(x->fake, KEY "same", ANSWER("same", 7));
    begin_unknowing(x);
    UNTIL(metrics_of(x).cache_is_up);
    struct availability_question first = question("first", &answered);
    fake_set(x->fake, &x->fake->stopped, true);
    ask(x, &first);
    fake_stop(x->fake);
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        q[i] = question("same", &answered);
        assert_true(availability_ask(x->service, &q[i]));
    }
    fake_set(x->fake, &x->fake->stopped, false);
    UNTIL(atomic_load(&answered) == ARRAY_LEN(q) + 1);
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        assert_true(str_equal((struct str){q[i].json, q[i].json_len}, STR(ANSWER("same", 7))));
    }
    assert_int_equal(gets_of(x->fake, KEY "same"), 1);
}

static void more_questions_than_can_wait_are_refused(void **state)
{
    struct fixture *x = *state;
    atomic_uint answered = 0;
    static struct availability_question q[CACHED_QUESTIONS_MAX + 1];
    static char skus[CACHED_QUESTIONS_MAX + 1][16];
    unsigned taken = 0;
    begin_unknowing(x);
    UNTIL(metrics_of(x).cache_is_up);
    struct availability_question first = question("first", &answered);
    fake_set(x->fake, &x->fake->stopped, true);
    ask(x, &first);
    fake_stop(x->fake);
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        snprintf(skus[i], sizeof(skus[i]), "sku %zu", i);
        q[i] = question(skus[i], &answered);
        taken += availability_ask(x->service, &q[i]);
    }
    /* `first` waits too if the call that stopped was another one. */
    assert_true(taken == CACHED_QUESTIONS_MAX || taken == CACHED_QUESTIONS_MAX - 1);
    fake_set(x->fake, &x->fake->away, true);
    fake_set(x->fake, &x->fake->stopped, false);
    UNTIL(atomic_load(&answered) == taken + 1);
    UNTIL(!metrics_of(x).cache_is_up);
    assert_false(availability_ask(x->service, &first)); /* nobody waits for a connection */
}

static bool recalls(struct fixture *x, const char *sku, const char *json)
{
    char room[SHOWN_FRAME_BYTES_MAX];
    size_t len = availability_recall(x->service, str_from(sku), room);
    return len > 0 && str_equal((struct str){room, len}, str_from(json));
}

static void the_hot_ones_are_known_at_once_and_nothing_is_written(void **state)
{
    struct fixture *x = *state;
    fake_fill(
        x->fake, "onhand:hot:default",
        "{\"version\":5,\"skus\":[{\"sku\":\"h 1\",\"reads\":9},{\"sku\":\"gone\",\"reads\":8},{\"sku\":\"h2\","
        "\"reads\":7}]}");
    fake_fill(x->fake, KEY "h 1", ANSWER("h 1", 7));
    fake_fill(x->fake, KEY "h2", ANSWER("h2", 8));
    begin_unknowing(x);
    UNTIL(recalls(x, "h 1", ANSWER("h 1", 7)) && recalls(x, "h2", ANSWER("h2", 8)));
    assert_false(recalls(x, "gone", ANSWER("gone", 1)));
    fake_set(x->fake, &x->fake->away, true);
    stock_all(x, 4); /* of a view that is not complete */
    publish(x);
    fake_set(x->fake, &x->fake->away, false);
    UNTIL(metrics_of(x).cache_dirty == ITEMS);
    assert_true(recalls(x, "h2", ANSWER("h2", 8)));
    assert_int_equal(puts_of(x->fake), 0);
}

static void a_list_that_is_none_warms_nothing(void **state)
{
    struct fixture *x = *state;
    fake_fill(x->fake, "onhand:hot:default", "{\"version\":5,\"skus\":7}");
    begin_unknowing(x);
    UNTIL(gets_of(x->fake, "onhand:hot:default") > 0);
    assert_false(recalls(x, "a", ANSWER("a", 1)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_there_before_the_start_and_what_changes_is_written),
        TEST(a_cache_that_stops_holds_up_nobody),
        TEST(a_cache_that_was_away_has_everything_again),
        TEST(a_cache_that_refuses_everything_is_logged_once),
        TEST(what_changed_last_is_written_at_the_end),
        TEST(what_is_read_most_is_listed),
        TEST(questions_are_answered_from_the_cache),
        TEST(those_who_ask_for_the_same_share_one_question),
        TEST(more_questions_than_can_wait_are_refused),
        TEST(the_hot_ones_are_known_at_once_and_nothing_is_written),
        TEST(a_list_that_is_none_warms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
