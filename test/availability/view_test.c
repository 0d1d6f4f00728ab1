#include "test.h"

#include "availability/view.h"
#include "base/mem.h"
#include "base/random.h"
#include "feed.h"

#define ITEMS 12
#define LOCATIONS 3

struct fixture {
    struct view view;
    struct feed feed;
};

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    view_init(&x->view, POLICY_DEFAULT);
    feed_init(&x->feed, ITEMS, LOCATIONS);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    view_release(&x->view);
    feed_release(&x->feed);
    mem_free(x);
    return 0;
}

static void apply(struct fixture *x)
{
    view_apply(&x->view, feed_take(&x->feed));
}

static const struct shown *shown_of(struct view *v, struct str sku)
{
    struct shelf_entry *e = view_find(v, sku);
    assert_non_null(e);
    assert_true(str_equal(shelf_entry_sku(e), sku));
    return shelf_entry_shown(e);
}

static void assert_text(struct str found, const char *expected)
{
    if (!str_equal(found, str_from(expected))) {
        print_error("found    %.*s\nexpected %s\n", STR_ARG(found), expected);
    }
    assert_true(str_equal(found, str_from(expected)));
}

static void assert_json(struct fixture *x, uint32_t item, const char *expected)
{
    assert_text(shown_of(&x->view, feed_sku(&x->feed, item))->json, expected);
}

/* --- what is shown ------------------------------------------------------------------------------------------ */

static void an_unknown_sku_is_not_found(void **state)
{
    struct fixture *x = *state;
    assert_null(view_find(&x->view, STR("SKU-1")));
    feed_item(&x->feed, 1);
    apply(x);
    assert_non_null(view_find(&x->view, STR("SKU-1")));
    assert_null(view_find(&x->view, STR("SKU-11")));
    assert_null(view_find(&x->view, STR("sku-1")));
    assert_null(view_find(&x->view, STR("")));
}

static void an_item_without_levels_is_out_of_stock_at_version_0(void **state)
{
    struct fixture *x = *state;
    feed_item(&x->feed, 1);
    apply(x);
    assert_json(
        x, 1,
        "{\"sku\":\"SKU-1\",\"channel\":\"default\",\"status\":\"out_of_stock\",\"quantity\":0,"
        "\"message\":\"Out of stock\",\"version\":0,\"seq\":0,\"as_of\":\"2023-11-14T22:13:20.000Z\"}");
}

static void a_level_is_shown_with_version_seq_and_time_of_its_change(void **state)
{
    struct fixture *x = *state;
    feed_item(&x->feed, 2);
    feed_level(&x->feed, 2, 1, 7);
    feed_level(&x->feed, 2, 1, 6);
    apply(x);
    const struct shown *shown = shown_of(&x->view, STR("SKU-2"));
    assert_int_equal(shown->available, 6);
    assert_int_equal(shown->status, AVAILABILITY_IN_STOCK);
    assert_int_equal(shown->version, 2);
    assert_int_equal(shown->seq, 2);
    assert_int_equal(shown->as_of_ms, FEED_TIME_MS + 2);
    assert_json(
        x, 2,
        "{\"sku\":\"SKU-2\",\"channel\":\"default\",\"status\":\"in_stock\",\"quantity\":6,"
        "\"message\":\"In stock\",\"version\":2,\"seq\":2,\"as_of\":\"2023-11-14T22:13:20.002Z\"}");
}

static void a_shortage_at_one_location_takes_nothing_from_another(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 3);
    feed_level(&x->feed, 1, 2, -10);
    feed_level(&x->feed, 1, 3, 1);
    apply(x);
    assert_json(
        x, 1,
        "{\"sku\":\"SKU-1\",\"channel\":\"default\",\"status\":\"low_stock\",\"quantity\":4,"
        "\"message\":\"Only 4 left\",\"version\":3,\"seq\":3,\"as_of\":\"2023-11-14T22:13:20.003Z\"}");
    feed_level(&x->feed, 1, 2, 2);
    apply(x);
    assert_int_equal(shown_of(&x->view, STR("SKU-1"))->available, 6);
    feed_level(&x->feed, 1, 1, -3);
    apply(x);
    assert_int_equal(shown_of(&x->view, STR("SKU-1"))->available, 3);
}

static void the_policy_of_the_view_decides_what_is_low(void **state)
{
    (void)state;
    struct view v;
    struct feed f;
    view_init(&v, (struct policy){.low_max = 2});
    feed_init(&f, 3, 1);
    for (uint32_t item = 1; item <= 3; item++) {
        feed_level(&f, item, 1, item);
    }
    view_apply(&v, feed_take(&f));
    assert_int_equal(shown_of(&v, STR("SKU-1"))->status, AVAILABILITY_LOW_STOCK);
    assert_int_equal(shown_of(&v, STR("SKU-2"))->status, AVAILABILITY_LOW_STOCK);
    assert_int_equal(shown_of(&v, STR("SKU-3"))->status, AVAILABILITY_IN_STOCK);
    view_release(&v);
    feed_release(&f);
}

static void a_sku_is_escaped_and_the_frame_holds_the_body(void **state)
{
    struct fixture *x = *state;
    struct bus_item item = {.item = 1, .sku = STR("a\"b\\c \xc3\xa9"), .time_ms = 0};
    struct bus_message m = {.seq = 1, .items = &item, .items_len = 1};
    view_apply(&x->view, &m);
    const struct shown *shown = shown_of(&x->view, item.sku);
    assert_text(
        shown->json,
        "{\"sku\":\"a\\\"b\\\\c \xc3\xa9\",\"channel\":\"default\",\"status\":\"out_of_stock\",\"quantity\":0,"
        "\"message\":\"Out of stock\",\"version\":0,\"seq\":0,\"as_of\":\"1970-01-01T00:00:00.000Z\"}");
    assert_true(shown->json.ptr > shown->frame.ptr);
    assert_true(shown->json.ptr + shown->json.len + 2 == shown->frame.ptr + shown->frame.len);
    assert_memory_equal(shown->frame.ptr, "event: availability\ndata: {", 27);
    assert_memory_equal(shown->frame.ptr + shown->frame.len - 3, "}\n\n", 3);
}

static void the_longest_frame_keeps_to_its_limit(void **state)
{
    (void)state;
    char sku[SKU_BYTES_MAX];
    memset(sku, '"', sizeof(sku));
    struct policy policy = {.low_max = INT64_MAX};
    struct facts facts = {
        .sku = {sku, sizeof(sku)},
        .available = (int64_t)LOCATIONS_MAX * 5 * QUANTITY_MAX,
        .version = UINT64_MAX,
        .seq = UINT64_MAX,
        .as_of_ms = 253402300799999,
    };
    struct buf text;
    buf_init(&text, SHOWN_FRAME_BYTES_MAX);
    struct rendered *r = render(&facts, &policy, &text);
    assert_true(r->shown.frame.len <= SHOWN_FRAME_BYTES_MAX);
    assert_true(r->shown.frame.len > 360); /* it is the longest indeed */
    assert_int_equal(rendered_free_all(r), 1);
    buf_release(&text);
}

/* --- what a message touches --------------------------------------------------------------------------------- */

static void each_touched_sku_is_rendered_once_a_message(void **state)
{
    struct fixture *x = *state;
    feed_item(&x->feed, 1);
    for (int i = 0; i < 20; i++) {
        feed_level(&x->feed, 3, 1 + (uint32_t)i % LOCATIONS, i);
        feed_level(&x->feed, 5, 1, i);
    }
    apply(x);
    assert_int_equal(x->view.touched_len, 3);
    assert_true(str_equal(shelf_entry_sku(x->view.touched[0]), STR("SKU-1")));
    assert_true(str_equal(shelf_entry_sku(x->view.touched[1]), STR("SKU-3")));
    assert_true(str_equal(shelf_entry_sku(x->view.touched[2]), STR("SKU-5")));
    assert_int_equal(x->view.renders, 3);
    assert_null(view_take_replaced(&x->view));
    assert_int_equal(shown_of(&x->view, STR("SKU-3"))->version, 20);
}

static void a_replaced_answer_stays_whole_until_its_owner_frees_it(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 4);
    apply(x);
    const struct shown *old = shown_of(&x->view, STR("SKU-1"));
    feed_level(&x->feed, 1, 1, 3);
    apply(x);
    assert_ptr_not_equal(old, shown_of(&x->view, STR("SKU-1")));
    assert_int_equal(old->available, 4);
    assert_non_null(strstr(old->json.ptr, "\"quantity\":4,"));
    struct rendered *replaced = view_take_replaced(&x->view);
    assert_ptr_equal(&replaced->shown, old);
    assert_int_equal(rendered_free_all(replaced), 1);
    assert_null(view_take_replaced(&x->view));
}

static void the_seq_of_the_view_is_that_of_its_last_message(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 4);
    apply(x);
    assert_int_equal(x->view.seq, 1);
    x->feed.seq = 9; /* movements of which nothing is to be shown */
    apply(x);
    assert_int_equal(x->view.touched_len, 0);
    assert_int_equal(x->view.seq, 9);
    assert_int_equal(shelf_entry_stream_seq(view_find(&x->view, STR("SKU-1"))), 9);
    x->feed.seq = 5;
    apply(x);
    assert_int_equal(x->view.seq, 9);
}

/* --- repeats and reordering --------------------------------------------------------------------------------- */

static void a_repeated_message_touches_nothing(void **state)
{
    struct fixture *x = *state;
    feed_item(&x->feed, 1);
    feed_item(&x->feed, 2);
    feed_level(&x->feed, 1, 1, 4);
    feed_level(&x->feed, 1, 2, 4);
    struct bus_message *m = feed_take(&x->feed);
    view_apply(&x->view, m);
    assert_int_equal(x->view.touched_len, 2);
    const struct shown *before = shown_of(&x->view, STR("SKU-1"));
    view_apply(&x->view, m);
    assert_int_equal(x->view.touched_len, 0);
    assert_ptr_equal(before, shown_of(&x->view, STR("SKU-1")));
}

static void an_older_row_is_ignored(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 1, 1, 4);
    struct level_row old = x->feed.last[0];
    feed_level(&x->feed, 1, 1, 3);
    feed_level(&x->feed, 1, 1, 2);
    apply(x);
    struct bus_message late = {.seq = 3, .levels = &old, .levels_len = 1};
    view_apply(&x->view, &late);
    assert_int_equal(x->view.touched_len, 0);
    assert_int_equal(shown_of(&x->view, STR("SKU-1"))->available, 2);
    assert_int_equal(shown_of(&x->view, STR("SKU-1"))->version, 3);
}

static void a_level_may_come_before_its_item(void **state)
{
    struct fixture *x = *state;
    feed_level(&x->feed, 4, 2, 8);
    apply(x);
    const struct shown *before = shown_of(&x->view, STR("SKU-4"));
    feed_item(&x->feed, 4);
    apply(x);
    assert_ptr_equal(before, shown_of(&x->view, STR("SKU-4")));
    assert_int_equal(x->view.skus, 1);
}

/* A history: some messages of random changes. */
#define HISTORY 40
struct history {
    struct feed feed;
    struct bus_message messages[HISTORY];
    struct bus_message snapshots[HISTORY]; /* after the message of the same number */
};

static struct bus_message keep(const struct bus_message *m)
{
    struct bus_message kept = *m;
    kept.levels = mem_new_array(m->levels_len, sizeof(*m->levels));
    kept.items = mem_new_array(m->items_len, sizeof(*m->items));
    if (m->levels_len > 0) {
        memcpy(kept.levels, m->levels, m->levels_len * sizeof(*m->levels));
    }
    if (m->items_len > 0) {
        memcpy(kept.items, m->items, m->items_len * sizeof(*m->items));
    }
    return kept;
}

static void history_make(struct history *h, struct random *r)
{
    feed_init(&h->feed, ITEMS, LOCATIONS);
    for (int i = 0; i < HISTORY; i++) {
        for (uint64_t n = random_below(r, 6); n > 0; n--) {
            uint32_t item = 1 + (uint32_t)random_below(r, ITEMS);
            if (!h->feed.defined[item - 1]) {
                feed_item(&h->feed, item);
            }
            if (random_below(r, 5) > 0) {
                uint32_t location = 1 + (uint32_t)random_below(r, LOCATIONS);
                feed_level(&h->feed, item, location, (int64_t)random_below(r, 20) - 5);
            }
        }
        h->messages[i] = keep(feed_take(&h->feed));
        feed_snapshot(&h->feed);
        h->snapshots[i] = keep(feed_take(&h->feed));
    }
}

static void history_release(struct history *h)
{
    for (int i = 0; i < HISTORY; i++) {
        mem_free(h->messages[i].levels);
        mem_free(h->messages[i].items);
        mem_free(h->snapshots[i].levels);
        mem_free(h->snapshots[i].items);
    }
    feed_release(&h->feed);
}

static void assert_same_bytes(struct view *a, struct view *b, const struct feed *f)
{
    assert_int_equal(a->skus, b->skus);
    for (uint32_t item = 1; item <= f->items_max; item++) {
        struct str sku = feed_sku(f, item);
        if (view_find(a, sku) == NULL) {
            assert_null(view_find(b, sku));
            continue;
        }
        const struct shown *in_a = shown_of(a, sku);
        const struct shown *in_b = shown_of(b, sku);
        assert_int_equal(in_a->version, in_b->version);
        assert_true(str_equal(in_a->frame, in_b->frame));
    }
}

static void apply_all(struct view *v, const struct history *h, int from, int to)
{
    for (int i = from; i < to; i++) {
        view_apply(v, &h->messages[i]);
    }
}

static void a_snapshot_and_what_follows_give_the_same_bytes_as_all_from_zero(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random r;
        struct history h = {0};
        random_init(&r, seed);
        history_make(&h, &r);
        struct view whole;
        struct view rebuilt;
        view_init(&whole, POLICY_DEFAULT);
        view_init(&rebuilt, POLICY_DEFAULT);
        apply_all(&whole, &h, 0, HISTORY);
        int snapshot = (int)random_below(&r, HISTORY);
        int from = (int)random_below(&r, (uint64_t)snapshot + 2); /* the stream may begin before the snapshot's end */
        view_apply(&rebuilt, &h.snapshots[snapshot]);
        apply_all(&rebuilt, &h, from, HISTORY);
        assert_same_bytes(&whole, &rebuilt, &h.feed);
        assert_int_equal(whole.seq, rebuilt.seq);
        view_release(&whole);
        view_release(&rebuilt);
        history_release(&h);
    }
}

static void any_order_with_repeats_gives_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random r;
        struct history h = {0};
        random_init(&r, seed);
        history_make(&h, &r);
        struct view ordered;
        struct view mixed;
        view_init(&ordered, POLICY_DEFAULT);
        view_init(&mixed, POLICY_DEFAULT);
        apply_all(&ordered, &h, 0, HISTORY);
        for (int i = 0; i < 3 * HISTORY; i++) {
            view_apply(&mixed, &h.messages[random_below(&r, HISTORY)]);
        }
        for (int i = HISTORY - 1; i >= 0; i--) {
            view_apply(&mixed, &h.messages[i]);
        }
        assert_same_bytes(&ordered, &mixed, &h.feed);
        view_release(&ordered);
        view_release(&mixed);
        history_release(&h);
    }
}

static void the_version_rises_with_every_change(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 5);
    struct history h = {0};
    history_make(&h, &r);
    struct view v;
    view_init(&v, POLICY_DEFAULT);
    uint64_t versions[ITEMS] = {0};
    for (int i = 0; i < HISTORY; i++) {
        view_apply(&v, &h.messages[i]);
        for (size_t t = 0; t < v.touched_len; t++) {
            const struct shown *now = shelf_entry_shown(v.touched[t]);
            size_t item = (size_t)atoi(shelf_entry_sku(v.touched[t]).ptr + 4) - 1;
            assert_true(now->version > versions[item] || (now->version == 0 && now->seq == 0));
            versions[item] = now->version;
        }
    }
    view_release(&v);
    history_release(&h);
}

/* --- size --------------------------------------------------------------------------------------------------- */

static void the_table_grows_and_finds_all(void **state)
{
    (void)state;
    struct view v;
    struct feed f;
    view_init(&v, POLICY_DEFAULT);
    feed_init(&f, 20000, 1);
    for (uint32_t item = 20000; item > 0; item--) {
        feed_level(&f, item, 1, item);
        if (item % 1000 == 1) {
            view_apply(&v, feed_take(&f));
        }
    }
    assert_int_equal(v.skus, 20000);
    assert_true(v.buckets >= 20000);
    for (uint32_t item = 1; item <= 20000; item++) {
        assert_int_equal(shown_of(&v, feed_sku(&f, item))->available, item);
    }
    assert_null(view_find(&v, STR("SKU-20001")));
    view_release(&v);
    feed_release(&f);
}

static void an_item_may_have_every_location_in_any_order(void **state)
{
    (void)state;
    struct view v;
    struct feed f;
    view_init(&v, POLICY_DEFAULT);
    feed_init(&f, 1, LOCATIONS_MAX);
    int64_t sum = 0;
    for (uint32_t i = 0; i < LOCATIONS_MAX; i++) {
        uint32_t location = 1 + i * 1789 % LOCATIONS_MAX; /* odd factor: every one once */
        feed_level(&f, 1, location, (int64_t)location - 100);
        sum += location > 100 ? (int64_t)location - 100 : 0;
    }
    view_apply(&v, feed_take(&f));
    assert_int_equal(shown_of(&v, STR("SKU-1"))->available, sum);
    assert_int_equal(shown_of(&v, STR("SKU-1"))->version, LOCATIONS_MAX);
    view_release(&v);
    feed_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_unknown_sku_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_item_without_levels_is_out_of_stock_at_version_0, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_level_is_shown_with_version_seq_and_time_of_its_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shortage_at_one_location_takes_nothing_from_another, set_up, tear_down),
        cmocka_unit_test(the_policy_of_the_view_decides_what_is_low),
        cmocka_unit_test_setup_teardown(a_sku_is_escaped_and_the_frame_holds_the_body, set_up, tear_down),
        cmocka_unit_test(the_longest_frame_keeps_to_its_limit),
        cmocka_unit_test_setup_teardown(each_touched_sku_is_rendered_once_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replaced_answer_stays_whole_until_its_owner_frees_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_seq_of_the_view_is_that_of_its_last_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeated_message_touches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_row_is_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_level_may_come_before_its_item, set_up, tear_down),
        cmocka_unit_test(a_snapshot_and_what_follows_give_the_same_bytes_as_all_from_zero),
        cmocka_unit_test(any_order_with_repeats_gives_the_same_bytes),
        cmocka_unit_test(the_version_rises_with_every_change),
        cmocka_unit_test(the_table_grows_and_finds_all),
        cmocka_unit_test(an_item_may_have_every_location_in_any_order),
    };
    rcu_register_thread();
    int failed = cmocka_run_group_tests_name("availability/view", tests, NULL, NULL);
    rcu_unregister_thread();
    return failed;
}
