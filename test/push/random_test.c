/*
 * Random schedules of changes, marks, turns, reads, breaks and resumes. The model is the client itself: it keeps the
 * newest state of each SKU across connections. Whatever happened, once all is read it has what the view has, and on the
 * way no version ever went back; while time stands still, none came twice.
 */
#include "test.h"

#include "shop.h"

#include "base/mem.h"
#include "base/random.h"

#define ITEMS 14
#define CLIENTS 5
#define STEPS 1500

struct schedule {
    struct shop shop;
    struct client clients[CLIENTS];
    struct random random;
    bool half; /* a message is being applied */
    bool time_runs;
};

static uint64_t below(struct schedule *s, uint64_t bound)
{
    return random_below(&s->random, bound);
}

static void some_items(struct schedule *s, uint32_t *items, size_t len)
{
    uint32_t first = (uint32_t)below(s, ITEMS);
    uint32_t step = (uint32_t[]){1, 3, 5, 9, 11, 13}[below(s, 6)]; /* coprime to ITEMS: no item twice */
    for (uint32_t i = 0; i < len; i++) {
        items[i] = 1 + (first + i * step) % ITEMS;
    }
}

static void schedule_init(struct schedule *s, uint64_t seed, bool time_runs)
{
    *s = (struct schedule){.time_runs = time_runs};
    random_init(&s->random, seed);
    shop_init(&s->shop, ITEMS, 1);
    for (int i = 0; i < CLIENTS; i++) {
        uint32_t items[ITEMS];
        size_t len = 1 + below(s, ITEMS);
        some_items(s, items, len);
        client_init(&s->clients[i], &s->shop, items, len);
        s->clients[i].strict = !time_runs;
    }
}

static void schedule_release(struct schedule *s)
{
    for (int i = 0; i < CLIENTS; i++) {
        client_release(&s->clients[i]);
    }
    shop_release(&s->shop);
}

static void step_change(struct schedule *s)
{
    for (uint64_t n = 1 + below(s, 4); n > 0; n--) {
        shop_change(&s->shop, 1 + (uint32_t)below(s, ITEMS), (int64_t)below(s, 12) - 2);
    }
    if (below(s, 3) > 0) {
        shop_apply(&s->shop);
    } else {
        shop_apply_half(&s->shop);
        s->half = true;
    }
}

static void step_finish(struct schedule *s)
{
    if (s->half) {
        shop_apply_rest(&s->shop);
        s->half = false;
    }
}

/* The projector goes on only when the message is applied and marked. */
static void step_projector(struct schedule *s)
{
    if (s->half) {
        step_finish(s);
    } else if (s->shop.unmarked_len > 0) {
        shop_mark(&s->shop);
    } else {
        step_change(s);
    }
}

/* A client that resumes has no id while it was told only items without changes: it begins with nothing. */
static void reconnect(struct client *c)
{
    if (str_is_absent(c->last_id)) {
        for (uint32_t i = 0; i < c->shop->feed.items_max; i++) {
            c->states[i].known = false;
        }
    }
    client_connect(c);
}

static void step_client(struct schedule *s)
{
    struct client *c = &s->clients[below(s, CLIENTS)];
    if (c->stream == NULL) {
        reconnect(c);
    } else if (below(s, 12) == 0) {
        client_break(c);
    } else if (c->awake) {
        client_fill(c, 1 + below(s, below(s, 2) == 0 ? 64 : 1200));
    }
}

static void step(struct schedule *s)
{
    if (s->time_runs) {
        s->shop.mono_ms += (int64_t)below(s, 900);
    }
    switch (below(s, 5)) {
    case 0:
    case 1:
        step_projector(s);
        break;
    case 2:
        shop_turn(&s->shop);
        break;
    default:
        step_client(s);
        break;
    }
}

static void read_all(struct schedule *s)
{
    step_finish(s);
    shop_mark(&s->shop);
    shop_turn(&s->shop);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &s->clients[i];
        if (c->stream == NULL) {
            reconnect(c);
        }
        if (c->awake) {
            client_read_all(c, 1 + below(s, 500));
        }
        client_assert_up_to_date(c); /* who was not awake has all already */
    }
}

static void run(uint64_t seed, bool time_runs)
{
    struct schedule s;
    schedule_init(&s, seed, time_runs);
    for (int i = 0; i < STEPS; i++) {
        step(&s);
        if (i % 300 == 299) {
            read_all(&s);
        }
    }
    read_all(&s);
    schedule_release(&s);
}

static void everyone_ends_with_the_view_and_no_version_comes_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        run(seed, false);
    }
}

static void everyone_ends_with_the_view_also_when_clients_are_cut_and_postponed(void **state)
{
    (void)state;
    for (uint64_t seed = 1001; seed <= 1300; seed++) {
        run(seed, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_ends_with_the_view_and_no_version_comes_twice),
        cmocka_unit_test(everyone_ends_with_the_view_also_when_clients_are_cut_and_postponed),
    };
    availability_reader_register();
    int failed = cmocka_run_group_tests_name("push/random", tests, NULL, NULL);
    availability_reader_unregister();
    return failed;
}
