/*
 * What one frame costs from mark to bytes, without sockets: a few SKUs change, many streams follow them. Prints figures
 * and judges nothing.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "feed.h"
#include "push/push.h"

#include <stdio.h>

#define SKUS 1000
#define STREAMS 10000
#define FOLLOWED 20
#define ROUNDS 400

struct page {
    struct stream *stream;
    bool awake;
};

struct hall {
    struct feed feed;
    struct availability *service;
    struct hub *hub;
    struct shelf_entry *entries[SKUS];
    struct page *pages;
};

static void ignore(void *ctx)
{
    (void)ctx;
}

static void page_wake(void *ctx)
{
    struct page *p = ctx;
    p->awake = true;
}

static void pages_open(struct hall *h)
{
    h->pages = mem_new_array(STREAMS, sizeof(*h->pages));
    for (size_t i = 0; i < STREAMS; i++) {
        struct shelf_entry *entries[FOLLOWED];
        for (size_t n = 0; n < FOLLOWED; n++) {
            entries[n] = h->entries[(i * FOLLOWED + n) % SKUS];
        }
        struct stream_io io = {.ctx = &h->pages[i], .wake = page_wake, .cut = ignore};
        h->pages[i].stream = stream_open(h->hub, entries, FOLLOWED, (struct stream_resume){0}, 1, io, 1000);
        h->pages[i].awake = true;
    }
}

static uint64_t pages_read(struct hall *h)
{
    static char out[16384];
    uint64_t bytes = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        size_t len;
        while (h->pages[i].awake && (len = stream_fill(h->pages[i].stream, out, sizeof(out), 1000)) > 0) {
            bytes += len;
        }
        h->pages[i].awake = false;
    }
    return bytes;
}

static void bench_frames(struct hall *h, uint32_t changes)
{
    int64_t ns = 0;
    struct push_metrics before;
    struct push_metrics after;
    hub_metrics(h->hub, &before);
    for (uint32_t round = 0; round < ROUNDS / changes; round++) {
        struct shelf_entry *changed[SKUS];
        for (uint32_t i = 0; i < changes; i++) {
            uint32_t item = (round * 37 + i * 53) % SKUS;
            feed_level(&h->feed, item + 1, 1, round % 20);
            changed[i] = h->entries[item];
        }
        availability_apply(h->service, feed_take(&h->feed));
        int64_t begin_ns = clock_mono_ns();
        hub_mark(h->hub, changed, changes, 1);
        hub_turn(h->hub, 1000, 1000000000);
        pages_read(h);
        ns += clock_mono_ns() - begin_ns;
    }
    hub_metrics(h->hub, &after);
    uint64_t frames = after.frames - before.frames;
    printf(
        "%3u changes a turn: %4lld ns a frame (%llu frames to %d streams)\n", (unsigned)changes,
        (long long)(ns / (int64_t)frames), (unsigned long long)frames, STREAMS);
}

static void bench_unwatched(struct hall *h)
{
    struct hub *idle = hub_new(ignore, NULL);
    int64_t begin_ns = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        hub_mark(idle, h->entries, SKUS, 1);
    }
    int64_t ns = clock_mono_ns() - begin_ns;
    printf("mark of %d entries that nobody follows: %lld ns\n", SKUS, (long long)(ns / 1000));
    struct shelf_entry *other = h->entries[0];
    struct stream_io io = {.wake = ignore, .cut = ignore};
    struct stream *s = stream_open(idle, &other, 1, (struct stream_resume){0}, 1, io, 1000);
    begin_ns = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        hub_mark(idle, h->entries + 1, SKUS - 1, 1);
    }
    ns = clock_mono_ns() - begin_ns;
    printf(
        "mark of an entry that nobody follows, beside a followed one: %lld ns\n", (long long)(ns / 1000 / (SKUS - 1)));
    stream_close(s);
    hub_free(idle);
}

int main(void)
{
    struct hall h = {0};
    struct availability_options options = {.policy = POLICY_DEFAULT};
    availability_reader_register();
    h.service = availability_new(&options);
    h.hub = hub_new(ignore, NULL);
    feed_init(&h.feed, SKUS, 1);
    for (uint32_t item = 1; item <= SKUS; item++) {
        feed_level(&h.feed, item, 1, 10);
    }
    availability_apply(h.service, feed_take(&h.feed));
    for (uint32_t item = 1; item <= SKUS; item++) {
        h.entries[item - 1] = availability_find(h.service, feed_sku(&h.feed, item));
    }
    pages_open(&h);
    int64_t begin_ns = clock_mono_ns();
    pages_read(&h);
    int64_t ns = clock_mono_ns() - begin_ns;
    printf("snapshots: %lld ns a frame\n", (long long)(ns / STREAMS / FOLLOWED));
    bench_frames(&h, 1);
    bench_frames(&h, 40);
    bench_unwatched(&h);
    for (size_t i = 0; i < STREAMS; i++) {
        stream_close(h.pages[i].stream);
    }
    mem_free(h.pages);
    hub_free(h.hub);
    availability_free(h.service);
    feed_release(&h.feed);
    availability_reader_unregister();
    return 0;
}
