/*
 * The real projector thread, two threads with a hub each, and a publisher: every stream ends with what the view has.
 */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bus/local/local.h"
#include "feed.h"
#include "push/push.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ITEMS 20
#define ROUNDS 4000
#define HUBS 2
#define STREAMS 6

struct page {
    struct stream *stream;
    bool awake;
    uint64_t versions[ITEMS];
    uint64_t wrong;
};

struct hall {
    struct availability *service;
    const struct feed *feed;
    struct hub *hub;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool wake;
    _Atomic bool *end;
    struct page pages[STREAMS];
    pthread_t thread;
};

static void hall_wake(void *ctx)
{
    struct hall *h = ctx;
    pthread_mutex_lock(&h->lock);
    h->wake = true;
    pthread_cond_signal(&h->woken);
    pthread_mutex_unlock(&h->lock);
}

static void page_wake(void *ctx)
{
    struct page *p = ctx;
    p->awake = true;
}

static void page_cut(void *ctx)
{
    struct page *p = ctx;
    p->wrong++; /* everyone reads here */
}

static void page_open(struct hall *h, struct page *p, size_t number)
{
    struct shelf_entry *entries[ITEMS];
    size_t len = 1 + (number * 7) % ITEMS;
    for (size_t i = 0; i < len; i++) {
        entries[i] = availability_find(h->service, feed_sku(h->feed, (uint32_t)(1 + (number + i) % ITEMS)));
        assert_non_null(entries[i]);
    }
    struct stream_io io = {.ctx = p, .wake = page_wake, .cut = page_cut};
    p->stream = stream_open(h->hub, entries, len, (struct stream_resume){0}, 1, io, clock_mono_ms());
    p->awake = true;
}

/* Whole frames come in buffers this large, so each is parsed by itself. */
static void page_read(struct page *p)
{
    char out[16384 + 1];
    size_t len;
    while ((len = stream_fill(p->stream, out, sizeof(out) - 1, clock_mono_ms())) > 0) {
        out[len] = '\0';
        for (char *at = out; (at = strstr(at, "\"SKU-")) != NULL;) {
            size_t item = strtoul(at + 5, NULL, 10) - 1;
            at = strstr(at, "\"version\":");
            uint64_t version = strtoull(at + 10, NULL, 10);
            p->wrong += version <= p->versions[item];
            p->versions[item] = version;
        }
    }
    p->awake = false;
}

static void hall_wait(struct hall *h)
{
    availability_reader_offline();
    pthread_mutex_lock(&h->lock);
    while (!h->wake) {
        pthread_cond_wait(&h->woken, &h->lock);
    }
    h->wake = false;
    pthread_mutex_unlock(&h->lock);
    availability_reader_online();
}

static void hall_turn(struct hall *h)
{
    hub_turn(h->hub, clock_mono_ms(), clock_mono_ns());
    for (size_t i = 0; i < STREAMS; i++) {
        if (h->pages[i].stream != NULL && h->pages[i].awake) {
            page_read(&h->pages[i]);
        }
    }
}

static void *hall_run(void *arg)
{
    struct hall *h = arg;
    availability_reader_register();
    for (uint64_t turn = 0; !atomic_load(h->end); turn++) {
        size_t next = turn / 50;
        if (turn % 50 == 0 && next < STREAMS) {
            page_open(h, &h->pages[next], next); /* while the projector is at work */
        }
        hall_turn(h);
        if (next >= STREAMS) {
            hall_wait(h);
        } else {
            availability_reader_quiescent();
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        if (h->pages[i].stream == NULL) {
            page_open(h, &h->pages[i], i);
        }
    }
    hall_turn(h);
    availability_reader_unregister();
    return NULL;
}

static void mark_all(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns)
{
    struct hall *halls = ctx;
    for (int i = 0; i < HUBS; i++) {
        hub_mark(halls[i].hub, entries, len, committed_ns);
    }
}

static void hall_start(struct hall *h, struct availability *service, const struct feed *feed, _Atomic bool *end)
{
    h->service = service;
    h->feed = feed;
    h->end = end;
    h->hub = hub_new(hall_wake, h);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->woken, NULL);
}

static void hall_end(struct hall *h)
{
    for (size_t i = 0; i < STREAMS; i++) {
        assert_int_equal(h->pages[i].wrong, 0);
        size_t len = 1 + (i * 7) % ITEMS;
        for (size_t n = 0; n < len; n++) {
            size_t item = (i + n) % ITEMS;
            assert_int_equal(h->pages[i].versions[item], h->feed->last[item].version);
        }
        stream_close(h->pages[i].stream);
    }
    hub_free(h->hub);
    pthread_cond_destroy(&h->woken);
    pthread_mutex_destroy(&h->lock);
}

static void publish(struct bus *bus, struct feed *feed)
{
    struct bus_message *m = feed_take(feed);
    m->committed_ns = clock_mono_ns();
    assert_int_equal(bus_publish(bus, m, NULL), ERR_OK);
}

static void streams_of_several_threads_end_with_the_view(void **state)
{
    (void)state;
    _Atomic bool end = false;
    struct feed feed;
    struct bus *bus = bus_local_new(16);
    struct hall *halls = mem_new_array(HUBS, sizeof(*halls));
    struct availability_options options = {
        .bus = bus, .policy = POLICY_DEFAULT, .changed = mark_all, .changed_ctx = halls};
    struct availability *service = availability_new(&options);
    feed_init(&feed, ITEMS, 1);
    for (uint32_t item = 1; item <= ITEMS; item++) {
        feed_level(&feed, item, 1, 100);
    }
    availability_apply(service, feed_take(&feed));
    for (int i = 0; i < HUBS; i++) {
        hall_start(&halls[i], service, &feed, &end);
    }
    assert_int_equal(availability_start(service, NULL), ERR_OK);
    for (int i = 0; i < HUBS; i++) {
        assert_int_equal(pthread_create(&halls[i].thread, NULL, hall_run, &halls[i]), 0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t n = 0; n <= round % 4; n++) {
            feed_level(&feed, 1 + (round * 3 + n) % ITEMS, 1, round);
        }
        publish(bus, &feed);
    }
    bus_close(bus);
    availability_stop(service);
    atomic_store(&end, true);
    for (int i = 0; i < HUBS; i++) {
        hall_wake(&halls[i]);
        pthread_join(halls[i].thread, NULL);
    }
    availability_reader_register();
    for (int i = 0; i < HUBS; i++) {
        hall_end(&halls[i]);
    }
    availability_reader_unregister();
    availability_free(service);
    bus_free(bus);
    feed_release(&feed);
    mem_free(halls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_several_threads_end_with_the_view),
    };
    return cmocka_run_group_tests_name("push/threads", tests, NULL, NULL);
}
