#include "test.h"

#include "availability/availability.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/local/local.h"
#include "feed.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ITEMS 8
#define LOCATIONS 2

struct fixture {
    struct bus *bus;
    struct availability *service;
    struct feed feed;

    /* What `changed` was told; written by the projector, read once it has ended. */
    uint64_t calls;
    uint64_t entries;
    int64_t committed_ns_sum;
    bool seq_was_old;
};

static void changed(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns)
{
    struct fixture *x = ctx;
    x->calls++;
    x->entries += len;
    x->committed_ns_sum += committed_ns;
    for (size_t i = 0; i < len; i++) {
        /* The entries and the seq of the view were replaced before this call. */
        if (shelf_entry_shown(entries[i])->seq > shelf_entry_stream_seq(entries[i])) {
            x->seq_was_old = true;
        }
    }
}

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    x->bus = bus_local_new(64);
    struct availability_options options = {
        .bus = x->bus, .policy = POLICY_DEFAULT, .changed = changed, .changed_ctx = x};
    x->service = availability_new(&options);
    feed_init(&x->feed, ITEMS, LOCATIONS);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    availability_free(x->service);
    bus_free(x->bus);
    feed_release(&x->feed);
    mem_free(x);
    return 0;
}

static void publish(struct fixture *x, int64_t committed_ns)
{
    struct bus_message *m = feed_take(&x->feed);
    m->committed_ns = committed_ns;
    assert_int_equal(bus_publish(x->bus, m, NULL), ERR_OK);
}

static void wait_seq(struct fixture *x, uint64_t seq)
{
    while (availability_seq(x->service) < seq) {
        sched_yield();
    }
}

static const struct shown *shown_of(struct fixture *x, uint32_t item)
{
    struct shelf_entry *e = availability_find(x->service, feed_sku(&x->feed, item));
    assert_non_null(e);
    return shelf_entry_shown(e);
}

static void a_snapshot_is_there_before_the_start(void **state)
{
    struct fixture *x = *state;
    feed_item(&x->feed, 1);
    feed_level(&x->feed, 2, 1, 3);
    feed_level(&x->feed, 2, 2, 3);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(shown_of(x, 1)->available, 0);
    assert_int_equal(shown_of(x, 2)->available, 6);
    assert_int_equal(availability_seq(x->service), 2);
    feed_level(&x->feed, 2, 1, 9);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(shown_of(x, 2)->available, 12);
    assert_int_equal(x->calls, 0);
    availability_stop(x->service); /* never started */
}

static void what_is_published_is_shown_and_told(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 1);
    availability_apply(x->service, feed_take(&x->feed));
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    feed_level(&x->feed, 1, 1, 2);
    feed_level(&x->feed, 2, 1, 5);
    publish(x, 1000);
    feed_level(&x->feed, 1, 2, 7);
    publish(x, 234);
    publish(x, 5); /* changes nothing and is told all the same */
    wait_seq(x, 4);
    assert_int_equal(shown_of(x, 1)->available, 9);
    assert_int_equal(shown_of(x, 2)->available, 5);
    bus_close(x->bus);
    availability_stop(x->service);
    assert_int_equal(x->calls, 3);
    assert_int_equal(x->entries, 3);
    assert_int_equal(x->committed_ns_sum, 1239);
    assert_false(x->seq_was_old);
    struct availability_metrics metrics;
    availability_metrics(x->service, &metrics);
    assert_int_equal(metrics.skus, 2);
    assert_int_equal(metrics.seq, 4);
    assert_int_equal(metrics.messages, 4);
    assert_int_equal(metrics.renders, 4);
}

static void stopping_drains_the_bus(void **state)
{
    struct fixture *x = *state;
    for (int64_t i = 1; i <= 50; i++) {
        feed_level(&x->feed, 1, 1, i);
        publish(x, 1);
    }
    bus_close(x->bus);
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    availability_stop(x->service);
    assert_int_equal(x->calls, 50);
    assert_int_equal(shown_of(x, 1)->available, 50);
}

static void what_a_reader_holds_stays_while_the_writer_goes_on(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 77);
    availability_apply(x->service, feed_take(&x->feed));
    const struct shown *held = shown_of(x, 1);
    char *copy = mem_copy_str(held->frame);
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    for (int64_t i = 1; i <= 20000; i++) {
        feed_level(&x->feed, 1, 1, i);
        publish(x, 1);
    }
    wait_seq(x, 20001); /* the projector does not wait for this reader */
    assert_int_equal(held->available, 77);
    assert_memory_equal(held->frame.ptr, copy, held->frame.len);
    assert_int_equal(shown_of(x, 1)->available, 20000);
    availability_reader_quiescent();
    mem_free(copy);
    bus_close(x->bus);
    availability_stop(x->service);
}

/* --- readers beside the writer ------------------------------------------------------------------------------ */

struct reader {
    struct fixture *x;
    _Atomic bool *end;
    pthread_t thread;
    uint64_t reads;
    uint64_t wrong; /* reads that were not whole, or older than one before */
};

static uint64_t number_after(struct str json, const char *name)
{
    const char *at = memmem(json.ptr, json.len, name, strlen(name));
    return at == NULL ? UINT64_MAX : strtoull(at + strlen(name), NULL, 10);
}

static bool is_whole(const struct shown *shown)
{
    struct str j = shown->json;
    return j.ptr[0] == '{' && j.ptr[j.len - 1] == '}' && number_after(j, "\"version\":") == shown->version &&
        number_after(j, "\"seq\":") == shown->seq && number_after(j, "\"quantity\":") == (uint64_t)shown->available;
}

static void reader_step(struct reader *r, uint32_t item, uint64_t *version)
{
    uint64_t seq = availability_seq(r->x->service);
    struct shelf_entry *e = availability_find(r->x->service, feed_sku(&r->x->feed, item));
    if (e == NULL) {
        r->wrong += *version > 0;
        return;
    }
    const struct shown *shown = shelf_entry_shown(e);
    /* All items change in each message, by as many levels. */
    bool too_old = shown->version < seq / ITEMS;
    r->wrong += shown->version < *version || too_old || !is_whole(shown);
    *version = shown->version;
    r->reads++;
}

static void *reader_run(void *arg)
{
    struct reader *r = arg;
    uint64_t versions[ITEMS] = {0};
    availability_reader_register();
    for (uint64_t turn = 0; !atomic_load(r->end); turn++) {
        for (uint32_t item = 1; item <= ITEMS; item++) {
            reader_step(r, item, &versions[item - 1]);
        }
        if (turn % 64 == 63) {
            availability_reader_offline();
            sched_yield();
            availability_reader_online();
        } else {
            availability_reader_quiescent();
        }
    }
    availability_reader_unregister();
    return NULL;
}

static void readers_see_whole_answers_that_never_go_back(void **state)
{
    struct fixture *x = *state;
    _Atomic bool end = false;
    struct reader readers[3];
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        readers[i] = (struct reader){.x = x, .end = &end};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]), 0);
    }
    assert_int_equal(availability_start(x->service, NULL), ERR_OK);
    availability_reader_offline();
    for (int64_t round = 0; round < 5000; round++) {
        for (uint32_t item = 1; item <= ITEMS; item++) {
            feed_level(&x->feed, item, 1 + (uint32_t)round % LOCATIONS, round);
        }
        publish(x, 1);
    }
    wait_seq(x, 5000 * ITEMS);
    atomic_store(&end, true);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
        assert_true(readers[i].reads > 0);
    }
    bus_close(x->bus);
    availability_stop(x->service);
    availability_reader_online();
}

static void readers_find_every_item_while_the_table_grows(void **state)
{
    (void)state;
    struct fixture x = {.bus = bus_local_new(16)};
    struct availability_options options = {.bus = x.bus, .policy = POLICY_DEFAULT};
    x.service = availability_new(&options);
    feed_init(&x.feed, 20000, 1);
    assert_int_equal(availability_start(x.service, NULL), ERR_OK);
    for (uint32_t item = 1; item <= 20000; item++) {
        feed_level(&x.feed, item, 1, item);
        publish(&x, 1);
        /* What the seq promises is found, whatever the writer is just doing to the table. */
        uint32_t there = (uint32_t)availability_seq(x.service);
        if (there > 0) {
            assert_true(shown_of(&x, there)->available == (int64_t)there);
            assert_true(shown_of(&x, (there + 1) / 2)->available == (int64_t)(there + 1) / 2);
        }
        availability_reader_quiescent();
    }
    bus_close(x.bus);
    availability_reader_offline();
    availability_stop(x.service);
    availability_reader_online();
    for (uint32_t item = 1; item <= 20000; item++) {
        assert_int_equal(shown_of(&x, item)->available, item);
    }
    availability_free(x.service);
    availability_free(NULL);
    bus_free(x.bus);
    feed_release(&x.feed);
}

/* --- memory ------------------------------------------------------------------------------------------------- */

static size_t allocated(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void a_million_levels_fit_into_80_megabytes(void **state)
{
    (void)state;
    if (allocated() == 0) {
        skip(); /* a sanitizer's allocator does not count */
    }
    struct feed f;
    feed_init(&f, 100000, 10);
    feed_level(&f, 1, 1, 1);
    size_t before = allocated();
    struct availability_options options = {.policy = POLICY_DEFAULT};
    struct availability *service = availability_new(&options);
    for (uint32_t item = 1; item <= 100000; item++) {
        for (uint32_t location = 1; location <= 10; location++) {
            feed_level(&f, item, location, item);
        }
        availability_apply(service, feed_take(&f));
    }
    size_t used = allocated() - before;
    print_message("[          ] 1,000,000 levels of 100,000 SKUs take %zu bytes\n", used);
    assert_true(used < 80 * 1000 * 1000);
    availability_free(service);
    feed_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_is_there_before_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_published_is_shown_and_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_drains_the_bus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_reader_holds_stays_while_the_writer_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_see_whole_answers_that_never_go_back, set_up, tear_down),
        cmocka_unit_test(readers_find_every_item_while_the_table_grows),
        cmocka_unit_test(a_million_levels_fit_into_80_megabytes),
    };
    availability_reader_register();
    int failed = cmocka_run_group_tests_name("availability/service", tests, NULL, NULL);
    availability_reader_unregister();
    return failed;
}
