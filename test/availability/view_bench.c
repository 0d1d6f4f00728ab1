/*
 * What one change costs in the view: rows applied one by one, and in batches as the sequencer makes them. Prints
 * figures and judges nothing.
 */
#include "availability/view.h"
#include "base/clock.h"
#include "feed.h"

#include <stdio.h>

#define SKUS 10000
#define LOCATIONS 10
#define ROWS 400000

static uint32_t next_item(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return 1 + (*state >> 8) % SKUS;
}

/* Builds the messages before the clock starts: only view_apply and the freeing are measured. */
static void bench(struct view *v, struct feed *f, uint32_t batch)
{
    uint32_t state = batch;
    int64_t ns = 0;
    uint64_t renders = atomic_load(&v->renders);
    for (uint32_t row = 0; row < ROWS; row += batch) {
        for (uint32_t i = 0; i < batch; i++) {
            uint32_t item = next_item(&state);
            feed_level(f, item, 1 + item % LOCATIONS, row % 50);
        }
        const struct bus_message *m = feed_take(f);
        int64_t before_ns = clock_mono_ns();
        view_apply(v, m);
        rendered_free_all(view_take_replaced(v));
        ns += clock_mono_ns() - before_ns;
    }
    renders = atomic_load(&v->renders) - renders;
    printf(
        "batch of %4u rows: %4lld ns a row, %4lld ns a render\n", (unsigned)batch, (long long)(ns / ROWS),
        (long long)(ns / (int64_t)renders));
}

int main(void)
{
    struct view v;
    struct feed f;
    view_init(&v, POLICY_DEFAULT);
    feed_init(&f, SKUS, LOCATIONS);
    for (uint32_t item = 1; item <= SKUS; item++) {
        for (uint32_t location = 1; location <= LOCATIONS; location++) {
            feed_level(&f, item, location, 1);
        }
    }
    view_apply(&v, feed_take(&f));
    bench(&v, &f, 1);
    bench(&v, &f, 100);
    bench(&v, &f, 1000);
    view_release(&v);
    feed_release(&f);
    return 0;
}
