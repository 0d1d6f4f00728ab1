/*
 * The follower on a bus that loses, repeats and reorders, beside a model of what inventory has: whatever happens, what it
 * calls complete is complete, and once the faults end it has everything.
 */
#include "test.h"

#include "availability/follower.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/collect.h"

#include <stdio.h>

#define SKUS 40
#define LOCATIONS 4
#define MOVEMENTS_MAX 6000
#define PAGE 50
#define NOW_MS 1800000000000LL

struct world {
    struct random random;
    uint64_t epoch;
    /* What inventory has. */
    struct level_row movements[MOVEMENTS_MAX]; /* index: seq - 1 */
    uint64_t seq;
    uint64_t items;
    uint64_t versions[SKUS][LOCATIONS];
    /* What the follower has given on. */
    struct follower follower;
    uint64_t seen[SKUS][LOCATIONS];
    int64_t shown[SKUS][LOCATIONS];
    bool known[SKUS];
    uint64_t complete;
    uint64_t applied;
    int64_t now_ms;
};

static char sku_texts[SKUS][8];
static char location_texts[LOCATIONS][8];

static void name_all(void)
{
    for (int i = 0; i < SKUS; i++) {
        (void)snprintf(sku_texts[i], sizeof(sku_texts[i]), "S%d", i);
    }
    for (int i = 0; i < LOCATIONS; i++) {
        (void)snprintf(location_texts[i], sizeof(location_texts[i]), "l%d", i);
    }
}

static int index_of(struct str name)
{
    uint64_t number;
    assert_true(str_to_u64((struct str){name.ptr + 1, name.len - 1}, 1000, &number));
    return (int)number;
}

/* What is called complete was given before. */
static void check_complete(const struct world *w, uint64_t seq)
{
    for (uint64_t i = w->complete; i < seq; i++) {
        const struct level_row *row = &w->movements[i];
        assert_true(w->seen[index_of(row->sku)][index_of(row->location_id)] >= row->version);
    }
}

static void apply_cb(void *ctx, struct bus_message *m)
{
    struct world *w = ctx;
    for (size_t i = 0; i < m->items_len; i++) {
        assert_in_range(m->items[i].item, 1, SKUS);
        w->known[index_of(m->items[i].sku)] = true;
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        const struct level_row *row = &m->levels[i];
        assert_true(row->seq <= m->reach);
        assert_in_range(row->item, 1, SKUS);
        assert_in_range(row->location, 1, LOCATIONS);
        uint64_t *seen = &w->seen[index_of(row->sku)][index_of(row->location_id)];
        if (row->version > *seen) {
            *seen = row->version;
            w->shown[index_of(row->sku)][index_of(row->location_id)] = row->quantities.of[QUANTITY_ON_HAND];
        }
    }
    assert_true(m->seq == 0 || m->seq >= w->complete);
    check_complete(w, m->seq);
    w->complete = m->seq > w->complete ? m->seq : w->complete;
    w->applied++;
}

static struct world *world_new(uint64_t seed)
{
    struct world *w = mem_new(sizeof(*w));
    random_init(&w->random, seed);
    w->epoch = 1;
    w->now_ms = NOW_MS;
    follower_init(&w->follower, 0, apply_cb, w);
    return w;
}

static void world_free(struct world *w)
{
    follower_release(&w->follower);
    mem_free(w);
}

static void define_item(struct world *w)
{
    w->items += w->items < SKUS;
}

static void move(struct world *w)
{
    if (w->items == 0 || w->seq == MOVEMENTS_MAX) {
        return;
    }
    uint64_t sku = random_below(&w->random, w->items);
    uint64_t location = random_below(&w->random, LOCATIONS);
    struct level_row *row = &w->movements[w->seq++];
    *row = (struct level_row){
        .sku = str_from(sku_texts[sku]),
        .location_id = str_from(location_texts[location]),
        .version = ++w->versions[sku][location],
        .seq = w->seq,
        .time_ms = w->now_ms,
    };
    row->quantities.of[QUANTITY_ON_HAND] = (int64_t)random_below(&w->random, 1000);
}

static struct bus_item item_at(uint64_t number)
{
    return (struct bus_item){.item = (uint32_t)number, .sku = str_from(sku_texts[number - 1]), .time_ms = NOW_MS};
}

static struct bus_position position(const struct world *w)
{
    return (struct bus_position){w->epoch, w->seq, w->items, w->now_ms};
}

static void give(struct world *w, struct collect *c)
{
    follower_take(&w->follower, collect_message(c), w->now_ms);
    collect_clear(c);
}

/* A few of the newest events, some lost, some of them old, perhaps in the wrong order. */
static void send_some(struct world *w, uint64_t seq_before, uint64_t items_before, bool faulty)
{
    struct collect c = {0};
    struct random *r = &w->random;
    for (uint64_t n = items_before + 1; n <= w->items; n++) {
        struct bus_item item = item_at(n);
        if (!faulty || random_below(r, 4) != 0) {
            collect_item(&c, &item);
        }
    }
    for (uint64_t n = seq_before; n < w->seq; n++) {
        if (!faulty || random_below(r, 8) != 0) {
            collect_level(&c, &w->movements[n]);
        }
        if (faulty && random_below(r, 8) == 0) {
            collect_level(&c, &w->movements[random_below(r, w->seq)]);
        }
        if (faulty && random_below(r, 10) == 0) {
            give(w, &c);
        }
    }
    if (!faulty || random_below(r, 3) == 0) {
        c.position = position(w);
    }
    give(w, &c);
    collect_release(&c);
}

static uint64_t newest_at(const struct world *w, uint64_t sku, uint64_t location)
{
    for (uint64_t n = w->seq; n > 0; n--) {
        const struct level_row *row = &w->movements[n - 1];
        if ((uint64_t)index_of(row->sku) == sku && (uint64_t)index_of(row->location_id) == location) {
            return n;
        }
    }
    return 0;
}

static void answer_catalogue(struct world *w, uint64_t after)
{
    struct collect c = {.position = position(w)};
    uint64_t end = after + 7 < w->items ? after + 7 : w->items;
    for (uint64_t n = after + 1; n <= end; n++) {
        struct bus_item item = item_at(n);
        collect_item(&c, &item);
        for (uint64_t location = 0; location < LOCATIONS; location++) {
            uint64_t seq = newest_at(w, n - 1, location);
            if (seq != 0) {
                collect_level(&c, &w->movements[seq - 1]);
            }
        }
    }
    follower_take_catalogue(&w->follower, collect_message(&c), end == w->items, w->now_ms);
    collect_release(&c);
}

static void answer_movements(struct world *w, uint64_t after)
{
    struct collect c = {0};
    for (uint64_t n = after; n < w->seq && n < after + PAGE; n++) {
        collect_level(&c, &w->movements[n]);
    }
    follower_take_movements(&w->follower, after, collect_message(&c));
    collect_release(&c);
}

/* One question and its answer; false when nothing is missing. */
static bool answer_one(struct world *w)
{
    uint64_t after;
    switch (follower_wants(&w->follower, w->now_ms, w->now_ms, &after)) {
    case FOLLOWER_WANTS_NOTHING:
        return false;
    case FOLLOWER_WANTS_POSITION:
    case FOLLOWER_WANTS_CATALOGUE:
        answer_catalogue(w, after);
        return true;
    case FOLLOWER_WANTS_MOVEMENTS:
        answer_movements(w, after);
        return true;
    }
    return false;
}

static void answer_all(struct world *w)
{
    int rounds = 0;
    while (answer_one(w)) {
        assert_true(++rounds < 10000);
    }
}

static void assert_equal_to_inventory(struct world *w)
{
    assert_int_equal(w->follower.seq, w->seq);
    assert_int_equal(w->follower.items, w->items);
    assert_int_equal(w->complete, w->seq);
    for (uint64_t sku = 0; sku < SKUS; sku++) {
        assert_int_equal(w->known[sku] || w->versions[sku][0] > 0, sku < w->items);
        for (uint64_t location = 0; location < LOCATIONS; location++) {
            assert_int_equal(w->seen[sku][location], w->versions[sku][location]);
            uint64_t seq = newest_at(w, sku, location);
            int64_t on_hand = seq == 0 ? 0 : w->movements[seq - 1].quantities.of[QUANTITY_ON_HAND];
            assert_int_equal(w->shown[sku][location], on_hand);
        }
    }
}

static void change_some(struct world *w)
{
    for (uint64_t n = random_below(&w->random, 3); n > 0; n--) {
        define_item(w);
    }
    for (uint64_t n = random_below(&w->random, 30); n > 0; n--) {
        move(w);
    }
    w->now_ms += (int64_t)random_below(&w->random, 1000);
    w->epoch += random_below(&w->random, 20) == 0;
}

/* A life of faults with answers now and then, then one position without a fault. */
static void live(uint64_t seed)
{
    struct world *w = world_new(seed);
    for (int turn = 0; turn < 100; turn++) {
        uint64_t seq = w->seq;
        uint64_t items = w->items;
        change_some(w);
        if (random_below(&w->random, 10) != 0) {
            send_some(w, seq, items, true);
        }
        if (random_below(&w->random, 3) == 0) {
            (void)answer_one(w);
        }
    }
    send_some(w, w->seq, w->items, false);
    answer_all(w);
    assert_equal_to_inventory(w);
    assert_false(follower_is_cut(&w->follower));
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    world_free(w);
}

static void nothing_is_missing_in_the_end_and_nothing_was_called_complete_too_early(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        live(seed);
    }
}

static void in_order_without_faults_nothing_is_asked_for_but_the_first_catalogue(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    change_some(w);
    answer_all(w);
    for (int turn = 0; turn < 50; turn++) {
        uint64_t seq = w->seq;
        uint64_t items = w->items;
        change_some(w);
        uint64_t epoch = w->follower.epoch;
        send_some(w, seq, items, false);
        int questions = 0;
        while (answer_one(w)) {
            questions++;
        }
        /* A new leader: is it still the same store? First items, newest item, newest movement. */
        assert_in_range(questions, w->epoch != epoch, w->epoch != epoch ? 3 : 0);
        assert_equal_to_inventory(w);
    }
    assert_int_equal(w->follower.gaps, 0);
    world_free(w);
}

static void a_long_gap_is_closed_by_the_catalogue(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    define_item(w);
    answer_all(w);
    struct collect c = {.position = {1, FOLLOWER_GAP_SHORT + 1, 1, NOW_MS}};
    give(w, &c);
    uint64_t after;
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    assert_int_equal(after, 0);
    collect_release(&c);
    world_free(w);
}

static enum follower_want wants(struct world *w)
{
    uint64_t after;
    return follower_wants(&w->follower, w->now_ms, w->now_ms, &after);
}

/* Behind more movements than a catalogue of its size has rows. */
static void what_is_less_to_ask_for_is_asked_for(void **state)
{
    (void)state;
    struct world *w = world_new(2);
    w->follower.items = FOLLOWER_GAP_SHORT;
    w->follower.items_known = FOLLOWER_GAP_SHORT;
    w->follower.begun = true;
    w->follower.whole = false;
    w->follower.claim = position(w);
    w->follower.claim_mono_ms = NOW_MS;
    w->follower.seq_known = FOLLOWER_GAP_SHORT * FOLLOWER_ITEM_MOVEMENTS;
    assert_int_equal(wants(w), FOLLOWER_WANTS_MOVEMENTS);
    w->follower.seq_known++;
    assert_int_equal(wants(w), FOLLOWER_WANTS_CATALOGUE);
    world_free(w);
}

/* The broker is away; inventory tells of what comes meanwhile. */
static void where_the_stream_is_silent_inventory_is_asked(void **state)
{
    (void)state;
    struct world *w = world_new(17);
    define_item(w);
    answer_all(w);
    for (int second = 0; second < 5; second++) {
        w->now_ms += FOLLOWER_SILENCE_MS - 1;
        assert_int_equal(wants(w), FOLLOWER_WANTS_NOTHING);
        w->now_ms++;
        move(w);
        define_item(w);
        assert_int_equal(wants(w), FOLLOWER_WANTS_POSITION);
        assert_true(answer_one(w));
        assert_int_equal(w->follower.fresh_wall_ms, w->now_ms - FOLLOWER_SILENCE_MS);
        assert_int_equal(wants(w), FOLLOWER_WANTS_MOVEMENTS);
        answer_all(w);
        assert_equal_to_inventory(w);
        assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
        assert_int_equal(w->follower.fresh_mono_ms, w->now_ms);
    }
    assert_int_equal(w->follower.heard_mono_ms, 0);
    world_free(w);
}

/* Else it would always be on its way to a newer one. */
static void what_was_named_is_reached_before_more_is_asked_for(void **state)
{
    (void)state;
    struct world *w = world_new(18);
    define_item(w);
    answer_all(w);
    for (int i = 0; i < 3 * PAGE; i++) {
        move(w);
    }
    w->now_ms += FOLLOWER_SILENCE_MS;
    int64_t named_ms = w->now_ms;
    assert_int_equal(wants(w), FOLLOWER_WANTS_POSITION);
    assert_true(answer_one(w));
    for (int page = 0; page < 3; page++) {
        w->now_ms += FOLLOWER_SILENCE_MS;
        move(w);
        assert_int_equal(wants(w), FOLLOWER_WANTS_MOVEMENTS);
        assert_true(answer_one(w));
    }
    assert_int_equal(w->follower.fresh_wall_ms, named_ms);
    assert_int_equal(wants(w), FOLLOWER_WANTS_POSITION);
    world_free(w);
}

/* The relay is behind, and what it says then was true some time ago. */
static void a_position_that_an_answer_has_overtaken_makes_nobody_older(void **state)
{
    (void)state;
    struct world *w = world_new(19);
    define_item(w);
    move(w);
    struct collect c = {.position = position(w)};
    w->now_ms += 700;
    move(w);
    answer_all(w);
    give(w, &c);
    assert_false(answer_one(w));
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    collect_release(&c);
    world_free(w);
}

/* Whose clock was ahead, or who is no relay at all. */
static void a_position_of_the_future_keeps_nobody_stale(void **state)
{
    (void)state;
    static const uint64_t distances[] = {0, 2, FOLLOWER_GAP_SHORT * 2};
    for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
        struct world *w = world_new(20);
        define_item(w);
        move(w);
        answer_all(w);
        struct collect c = {.position = position(w)};
        c.position.seq += distances[i];
        c.position.time_ms += 3600000;
        give(w, &c);
        answer_all(w);
        for (int turn = 0; turn < 4; turn++) {
            w->now_ms += FOLLOWER_SILENCE_MS / 2;
            c.position = position(w);
            give(w, &c);
            answer_all(w);
        }
        assert_equal_to_inventory(w);
        assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
        assert_false(follower_is_cut(&w->follower));
        collect_release(&c);
        world_free(w);
    }
}

static void a_position_of_a_deposed_leader_says_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    w->epoch = 7;
    define_item(w);
    move(w);
    answer_all(w);
    struct collect c = {.position = {6, 0, 0, NOW_MS + 5000}};
    give(w, &c);
    assert_false(follower_is_cut(&w->follower));
    assert_true(answer_one(w)); /* is it of the past, or of another store? */
    assert_false(answer_one(w));
    assert_int_equal(w->follower.fresh_wall_ms, NOW_MS);
    assert_int_equal(w->follower.claim.epoch, 7);
    collect_release(&c);
    world_free(w);
}

static void it_is_fresh_only_when_it_has_what_the_position_names(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    define_item(w);
    answer_all(w);
    move(w);
    w->now_ms += 10;
    struct collect c = {.position = position(w)};
    give(w, &c);
    assert_int_equal(w->follower.fresh_wall_ms, NOW_MS);
    answer_all(w);
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    collect_release(&c);
    world_free(w);
}

/* Its position is fulfilled here, but may be that of another store: inventory has to be asked first. */
static void a_new_leader_makes_nobody_fresh_before_inventory_was_asked(void **state)
{
    (void)state;
    struct world *w = world_new(16);
    define_item(w);
    move(w);
    answer_all(w);
    w->epoch++;
    w->now_ms += 10;
    struct collect c = {.position = position(w)};
    give(w, &c);
    assert_int_equal(w->follower.fresh_wall_ms, NOW_MS);
    answer_all(w);
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    collect_release(&c);
    world_free(w);
}

static void a_stream_that_became_shorter_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_new(5);
    define_item(w);
    move(w);
    move(w);
    answer_all(w);
    send_some(w, 0, 0, false);
    w->epoch = 2;
    w->seq = 1;
    struct collect c = {.position = position(w)};
    give(w, &c);
    assert_false(follower_is_cut(&w->follower)); /* an event may have overtaken it */
    answer_all(w);
    assert_true(follower_is_cut(&w->follower));
    collect_release(&c);
    world_free(w);
}

/* Until inventory says that it is still the same store, what is known may be of another. */
static void it_is_not_fresh_while_it_is_unsure(void **state)
{
    (void)state;
    struct world *w = world_new(12);
    define_item(w);
    move(w);
    struct bus_position at = position(w);
    struct bus_item item = item_at(1);
    struct collect c = {0};
    collect_item(&c, &item);
    collect_level(&c, &w->movements[0]);
    follower_restore_rows(&w->follower, collect_message(&c));
    collect_clear(&c);
    follower_restore_end(&w->follower, &at);
    w->now_ms += 10;
    c.position = position(w);
    give(w, &c);
    assert_int_equal(w->follower.fresh_wall_ms, 0);
    assert_true(answer_one(w));
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    w->epoch++;
    w->now_ms += 10;
    c.position = position(w);
    give(w, &c);
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms - 10);
    assert_true(answer_one(w));
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    collect_release(&c);
    world_free(w);
}

/* The first position of a new leader, with what it committed since already here. */
static void a_position_that_was_overtaken_is_no_end(void **state)
{
    (void)state;
    for (uint64_t epoch = 1; epoch <= 2; epoch++) {
        struct world *w = world_new(12);
        define_item(w);
        move(w);
        move(w);
        answer_all(w);
        w->epoch = epoch;
        struct collect c = {.position = {epoch, 1, 1, NOW_MS + 1}};
        give(w, &c);
        uint64_t after;
        assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
        answer_all(w);
        assert_equal_to_inventory(w);
        assert_false(follower_is_cut(&w->follower));
        collect_release(&c);
        world_free(w);
    }
}

/* A follower that knows `items` items and `moves` movements of a world in which that is all. */
static struct world *world_known(uint64_t seed, int items, int moves)
{
    struct world *w = world_new(seed);
    w->epoch = 7;
    for (int i = 0; i < items; i++) {
        define_item(w);
    }
    for (int i = 0; i < moves; i++) {
        move(w);
    }
    send_some(w, w->seq, w->items, false);
    answer_all(w);
    assert_equal_to_inventory(w);
    return w;
}

/* Its first leader after that has an epoch that was there before. */
static void a_store_that_was_set_back_by_several_leaders_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_known(7, 3, 20);
    w->epoch = 4;
    w->seq = 10;
    send_some(w, w->seq, w->items, false);
    assert_false(follower_is_cut(&w->follower)); /* it may also be a leader of the past */
    answer_all(w);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

/* A backup of the epoch before: its first leader has the epoch that is known. */
static void a_store_that_was_set_back_by_one_leader_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_known(13, 3, 20);
    uint64_t after;
    w->now_ms += 500;
    send_some(w, w->seq, w->items, false);
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_NOTHING);
    w->seq = 10;
    w->now_ms += 500;
    send_some(w, w->seq, w->items, false);
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms - 500);
    answer_all(w);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

/* It closed a gap with what inventory had by then, while the new leader's first position was on its way. */
static void a_follower_ahead_of_a_new_leader_is_not_cut(void **state)
{
    (void)state;
    struct world *w = world_known(15, 3, 20);
    struct collect c = {0};
    uint64_t after;
    for (int i = 0; i < 30; i++) {
        move(w);
    }
    collect_level(&c, &w->movements[24]); /* those before are lost */
    give(w, &c);
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_MOVEMENTS);
    answer_all(w);
    assert_int_equal(w->follower.seq, 50);
    w->epoch++;
    w->now_ms += 500;
    c.position = (struct bus_position){w->epoch, 30, w->items, w->now_ms};
    give(w, &c);
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    answer_all(w);
    assert_false(follower_is_cut(&w->follower));
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    assert_equal_to_inventory(w);
    collect_release(&c);
    world_free(w);
}

/* What is collected from the bus may hold rows that were published behind the position. */
static void a_new_leader_that_goes_on_at_once_does_not_cut(void **state)
{
    (void)state;
    struct world *w = world_known(16, 3, 20);
    w->epoch++;
    w->now_ms += 500;
    struct collect c = {.position = position(w)};
    for (int i = 0; i < 5; i++) {
        move(w);
        collect_level(&c, &w->movements[w->seq - 1]);
    }
    give(w, &c);
    assert_false(follower_is_cut(&w->follower));
    answer_all(w);
    assert_equal_to_inventory(w);
    assert_int_equal(w->follower.fresh_wall_ms, w->now_ms);
    collect_release(&c);
    world_free(w);
}

/* It comes again, and inventory need not be asked. */
static void an_older_position_says_nothing(void **state)
{
    (void)state;
    struct world *w = world_known(14, 3, 20);
    uint64_t after;
    struct collect c = {.position = position(w)};
    c.position.seq -= 5;
    c.position.time_ms -= 500;
    give(w, &c);
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_NOTHING);
    collect_release(&c);
    world_free(w);
}

/* It has as many items and more movements: only the items tell. Nothing of it may be shown. */
static void another_store_is_noticed(void **state, bool restarted, int64_t defined_ms, const char *sku)
{
    (void)state;
    struct world *w = world_known(8, 1, 5);
    w->epoch += !restarted;
    struct bus_position at = {w->epoch, 5, 1, NOW_MS};
    struct collect c = {.position = at};
    if (restarted) {
        follower_restore_end(&w->follower, &at);
    } else {
        give(w, &c);
    }
    uint64_t after;
    uint64_t applied = w->applied;
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    assert_int_equal(after, 0);
    struct bus_item item = {.item = 1, .sku = str_from(sku), .time_ms = defined_ms};
    c.position = (struct bus_position){w->epoch, 50, 1, NOW_MS};
    collect_item(&c, &item);
    follower_take_catalogue(&w->follower, collect_message(&c), true, w->now_ms);
    bool same = defined_ms == NOW_MS && strcmp(sku, sku_texts[0]) == 0;
    assert_int_equal(follower_is_cut(&w->follower), !same);
    assert_int_equal(w->applied - applied, same);
    collect_release(&c);
    world_free(w);
}

static void another_store_with_more_in_it_is_noticed(void **state)
{
    for (int restarted = 0; restarted < 2; restarted++) {
        another_store_is_noticed(state, restarted, NOW_MS, sku_texts[0]);
        another_store_is_noticed(state, restarted, NOW_MS + 1, sku_texts[0]);
        another_store_is_noticed(state, restarted, NOW_MS, sku_texts[1]);
    }
}

/* All of it was heard of before inventory could be asked: only the numbers tell. */
static void a_store_that_took_over_within_an_epoch_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_known(11, 2, 5);
    struct collect c = {0};
    for (uint32_t n = 1; n <= 4; n++) {
        struct bus_item item = {.item = n, .sku = str_from(sku_texts[10 + n]), .time_ms = NOW_MS + 5};
        collect_item(&c, &item);
    }
    follower_take(&w->follower, collect_message(&c), w->now_ms);
    assert_int_equal(w->follower.items, 4);
    uint64_t after;
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    assert_int_equal(after, 0);
    for (uint32_t n = 1; n <= 4; n++) {
        c.items[n - 1].item = n;
    }
    c.position = (struct bus_position){w->epoch, 50, 4, NOW_MS};
    follower_take_catalogue(&w->follower, collect_message(&c), true, w->now_ms);
    assert_true(follower_is_cut(&w->follower));
    collect_release(&c);
    world_free(w);
}

static void a_store_that_is_set_back_during_the_first_catalogue_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_new(9);
    for (int i = 0; i < 20; i++) {
        define_item(w);
        move(w);
    }
    assert_true(answer_one(w));
    w->epoch++;
    w->seq = 15;
    answer_all(w);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

/* Some other publisher on the same subjects. */
static void what_was_heard_of_and_is_not_there_is_asked_for_once(void **state)
{
    (void)state;
    static const uint64_t distances[] = {FOLLOWER_GAP_SHORT * 2, 2};
    struct world *w = world_known(10, 3, 20);
    for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
        struct collect c = {.position = {w->epoch, w->seq + distances[i], w->items, NOW_MS}};
        give(w, &c);
        answer_all(w); /* comes to an end */
        assert_equal_to_inventory(w);
        collect_release(&c);
    }
    move(w);
    send_some(w, w->seq - 1, w->items, false);
    assert_equal_to_inventory(w);
    assert_false(follower_is_cut(&w->follower));
    world_free(w);
}

/* Events behind a gap were heard, then the store was set back to before them. */
static void what_is_shown_and_is_not_there_is_of_another_store(void **state)
{
    (void)state;
    for (int by_catalogue = 0; by_catalogue < 2; by_catalogue++) {
        struct world *w = world_known(10, 3, 20);
        struct collect c = {0};
        struct level_row row = w->movements[0];
        row.seq = w->seq + 2;
        row.version = 100;
        collect_level(&c, &row);
        w->epoch += by_catalogue != 0;
        c.position = by_catalogue != 0 ? position(w) : (struct bus_position){0};
        give(w, &c);
        answer_all(w);
        assert_true(follower_is_cut(&w->follower));
        collect_release(&c);
        world_free(w);
    }
}

/* After a restart the numbers of its items are not known, but that they were complete is. */
static void items_of_another_store_after_a_restart_are_noticed(void **state)
{
    (void)state;
    struct world *w = world_new(13);
    struct bus_item item = {.sku = str_from(sku_texts[0]), .time_ms = NOW_MS};
    struct bus_message kept = {.items = &item, .items_len = 1};
    follower_restore_rows(&w->follower, &kept);
    follower_restore_end(&w->follower, &(struct bus_position){w->epoch, 0, 1, NOW_MS});
    struct bus_item other = {.item = 1, .sku = str_from(sku_texts[7]), .time_ms = NOW_MS + 9};
    struct bus_item told = other;
    struct bus_message event = {.items = &told, .items_len = 1};
    follower_take(&w->follower, &event, w->now_ms);
    assert_true(w->follower.unsure);
    struct bus_message page = {.items = &other, .items_len = 1, .position = {w->epoch, 50, 1, NOW_MS}};
    follower_take_catalogue(&w->follower, &page, true, w->now_ms);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

/* Its event was kept, though not the one before; then the store was set back. */
static void a_kept_item_that_is_not_there_is_of_another_store(void **state)
{
    (void)state;
    struct world *w = world_new(15);
    struct bus_item items[] = {
        {.sku = str_from(sku_texts[0]), .time_ms = NOW_MS}, {.sku = str_from(sku_texts[9]), .time_ms = NOW_MS}};
    struct bus_message kept = {.items = items, .items_len = ARRAY_LEN(items)};
    follower_restore_rows(&w->follower, &kept);
    follower_restore_end(&w->follower, &(struct bus_position){w->epoch, 0, 1, NOW_MS});
    define_item(w);
    define_item(w);
    assert_true(answer_one(w)); /* as many as there are */
    answer_all(w);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

/* The question for its newest item was answered by another store, which has more: the first items would tell. */
static void a_later_page_of_another_epoch_makes_it_ask_for_the_first(void **state)
{
    (void)state;
    struct world *w = world_known(14, 3, 20);
    struct collect c = {.position = {w->epoch, w->seq, 4, NOW_MS}};
    give(w, &c);
    uint64_t after;
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    assert_int_equal(after, 3);
    define_item(w);
    w->epoch++;
    assert_true(answer_one(w));
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_CATALOGUE);
    assert_int_equal(after, 0);
    answer_all(w);
    assert_equal_to_inventory(w);
    collect_release(&c);
    world_free(w);
}

/* The store is set back by `back` movements; then it has as many and `more` others. */
static void set_back_and_grow(struct world *w, uint64_t back, uint64_t more)
{
    for (uint64_t n = w->seq; n > w->seq - back; n--) {
        const struct level_row *row = &w->movements[n - 1];
        w->versions[index_of(row->sku)][index_of(row->location_id)]--;
    }
    w->seq -= back;
    w->now_ms += 60000;
    for (uint64_t n = 0; n < back + more; n++) {
        move(w);
    }
}

/* By one leader while nobody could ask: its epoch is the one that was there before, and it has more than is known. */
static void a_store_that_has_grown_past_what_is_known_is_noticed(void **state)
{
    (void)state;
    static const uint64_t more[] = {0, 1, PAGE + 10};
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        for (int hears = 0; hears < 3; hears++) {
            struct world *w = world_known(21 + i, 3, 20);
            set_back_and_grow(w, 1, more[i]);
            assert_int_equal(wants(w), FOLLOWER_WANTS_POSITION); /* nobody answers */
            struct collect c = {0};
            if (hears == 1) {
                collect_level(&c, &w->movements[w->seq - 1]);
            } else if (hears == 2) {
                c.position = position(w);
            }
            give(w, &c);
            w->now_ms += FOLLOWER_SILENCE_MS;
            answer_all(w);
            assert_true(follower_is_cut(&w->follower));
            collect_release(&c);
            world_free(w);
        }
    }
}

/* Without a movement since, and with an item more than the one that is known. */
static void a_catalogue_that_has_grown_past_what_is_known_is_noticed(void **state)
{
    (void)state;
    struct world *w = world_known(25, 10, 20);
    struct bus_item other = item_at(11);
    w->items++;
    follower_take(&w->follower, &(struct bus_message){.items = &other, .items_len = 1}, w->now_ms);
    w->now_ms += FOLLOWER_SILENCE_MS;
    assert_int_equal(wants(w), FOLLOWER_WANTS_POSITION);
    struct bus_item items[] = {item_at(11), item_at(12)};
    items[0].sku = str_from(sku_texts[30]);
    struct bus_message page = {.items = items, .items_len = 2, .position = {w->epoch, w->seq, 12, w->now_ms}};
    follower_take_catalogue(&w->follower, &page, true, w->now_ms);
    assert_true(follower_is_cut(&w->follower));
    world_free(w);
}

static void an_earlier_life_goes_on_where_it_ended(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    for (int i = 0; i < 3; i++) {
        define_item(w);
    }
    for (int i = 0; i < 20; i++) {
        move(w);
    }
    struct collect c = {0};
    for (uint64_t n = 1; n <= 3; n++) {
        struct bus_item item = item_at(n);
        collect_item(&c, &item);
    }
    for (uint64_t n = 0; n < 20; n++) {
        collect_level(&c, &w->movements[n]);
    }
    follower_restore_rows(&w->follower, collect_message(&c));
    struct bus_position end = position(w);
    follower_restore_end(&w->follower, &end);
    assert_int_equal(w->complete, 20);
    answer_all(w); /* is it still the same store? */
    assert_false(follower_is_cut(&w->follower));
    move(w);
    send_some(w, w->seq, w->items, false);
    uint64_t after;
    assert_int_equal(follower_wants(&w->follower, w->now_ms, w->now_ms, &after), FOLLOWER_WANTS_MOVEMENTS);
    assert_int_equal(after, 19); /* the one before what is missing, too */
    answer_all(w);
    assert_equal_to_inventory(w);
    collect_release(&c);
    world_free(w);
}

int main(void)
{
    name_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missing_in_the_end_and_nothing_was_called_complete_too_early),
        cmocka_unit_test(in_order_without_faults_nothing_is_asked_for_but_the_first_catalogue),
        cmocka_unit_test(a_long_gap_is_closed_by_the_catalogue),
        cmocka_unit_test(what_is_less_to_ask_for_is_asked_for),
        cmocka_unit_test(where_the_stream_is_silent_inventory_is_asked),
        cmocka_unit_test(what_was_named_is_reached_before_more_is_asked_for),
        cmocka_unit_test(a_position_that_an_answer_has_overtaken_makes_nobody_older),
        cmocka_unit_test(a_position_of_the_future_keeps_nobody_stale),
        cmocka_unit_test(a_position_of_a_deposed_leader_says_nothing),
        cmocka_unit_test(it_is_fresh_only_when_it_has_what_the_position_names),
        cmocka_unit_test(a_new_leader_makes_nobody_fresh_before_inventory_was_asked),
        cmocka_unit_test(a_stream_that_became_shorter_is_noticed),
        cmocka_unit_test(a_store_that_was_set_back_by_several_leaders_is_noticed),
        cmocka_unit_test(a_store_that_was_set_back_by_one_leader_is_noticed),
        cmocka_unit_test(an_older_position_says_nothing),
        cmocka_unit_test(a_new_leader_that_goes_on_at_once_does_not_cut),
        cmocka_unit_test(a_follower_ahead_of_a_new_leader_is_not_cut),
        cmocka_unit_test(it_is_not_fresh_while_it_is_unsure),
        cmocka_unit_test(another_store_with_more_in_it_is_noticed),
        cmocka_unit_test(a_store_that_took_over_within_an_epoch_is_noticed),
        cmocka_unit_test(a_store_that_is_set_back_during_the_first_catalogue_is_noticed),
        cmocka_unit_test(a_position_that_was_overtaken_is_no_end),
        cmocka_unit_test(what_was_heard_of_and_is_not_there_is_asked_for_once),
        cmocka_unit_test(what_is_shown_and_is_not_there_is_of_another_store),
        cmocka_unit_test(items_of_another_store_after_a_restart_are_noticed),
        cmocka_unit_test(a_later_page_of_another_epoch_makes_it_ask_for_the_first),
        cmocka_unit_test(a_kept_item_that_is_not_there_is_of_another_store),
        cmocka_unit_test(a_store_that_has_grown_past_what_is_known_is_noticed),
        cmocka_unit_test(a_catalogue_that_has_grown_past_what_is_known_is_noticed),
        cmocka_unit_test(an_earlier_life_goes_on_where_it_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
