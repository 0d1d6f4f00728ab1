#include "test.h"

#include "shop.h"

#include "base/mem.h"

struct fixture {
    struct shop shop;
    struct client client; /* not connected */
    struct buf expected;
};

#define ITEMS 3

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    shop_init(&x->shop, ITEMS, 2);
    client_init_range(&x->client, &x->shop, 1, ITEMS);
    buf_init(&x->expected, 1024 * 1024);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    client_release(&x->client);
    shop_release(&x->shop);
    buf_release(&x->expected);
    mem_free(x);
    return 0;
}

static void assert_expected(struct fixture *x)
{
    client_assert_text(&x->client, buf_str(&x->expected));
    buf_clear(&x->expected);
}

/* Items 1, 2, 3 changed last at seq 3, 1, 5; the stream is at 6. */
static void stock_up(struct shop *s)
{
    shop_change(s, 2, 20);
    shop_change(s, 1, 10);
    shop_change(s, 1, 11);
    shop_change(s, 3, 30);
    shop_change(s, 3, 31);
    s->feed.seq = 6;
    shop_publish(s);
}

static void connect_and_read(struct fixture *x)
{
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    client_clear_text(&x->client);
}

/* --- what is said ------------------------------------------------------------------------------------------- */

static void a_stream_begins_with_retry_and_all_entries_by_rising_seq(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    buf_put_literal(&x->expected, "retry: 2000\n\n");
    expect_frame(&x->expected, &x->shop, 2, "7-2");
    expect_frame(&x->expected, &x->shop, 1, "7-4");
    expect_frame(&x->expected, &x->shop, 3, "7-6");
    assert_expected(x);
    client_assert_up_to_date(&x->client);
    assert_int_equal(client_fill(&x->client, 4096), 0);
}

static void no_frame_has_an_id_while_an_item_without_changes_is_to_be_told(void **state)
{
    struct fixture *x = *state;
    shop_change(&x->shop, 2, 20);
    shop_publish(&x->shop);
    client_connect(&x->client);
    assert_int_equal(client_fill(&x->client, 20), 13); /* retry alone */
    client_clear_text(&x->client);
    client_read_all(&x->client, 4096);
    /* Items 1 and 3 have no seq; whichever comes first still waits for the other. */
    struct str text = buf_str(&x->client.text);
    uint32_t first = memmem(text.ptr, text.len, "SKU-1", 5) < memmem(text.ptr, text.len, "SKU-3", 5) ? 1 : 3;
    expect_frame(&x->expected, &x->shop, first, NULL);
    expect_frame(&x->expected, &x->shop, 4 - first, "7-0");
    expect_frame(&x->expected, &x->shop, 2, "7-1");
    assert_expected(x);
}

static void retry_is_spread_evenly_over_a_second(void **state)
{
    struct fixture *x = *state;
    uint64_t tenths[11] = {0};
    for (int i = 0; i < 1001; i++) {
        client_connect(&x->client);
        client_read_all(&x->client, 4096);
        assert_true(x->client.retry_ms >= 2000 && x->client.retry_ms <= 3000);
        tenths[(x->client.retry_ms - 2000) / 100]++;
        client_break(&x->client);
        x->client.strict = false;
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tenths[i], 100);
    }
}

static void a_change_is_told_to_who_follows_it_and_to_nobody_else(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    struct client other;
    client_init_range(&other, &x->shop, 2, 2);
    client_connect(&other);
    client_read_all(&other, 4096);
    client_clear_text(&other);
    connect_and_read(x);
    shop_change(&x->shop, 1, 9);
    shop_publish(&x->shop);
    assert_int_equal(x->client.wakes, 1);
    assert_int_equal(other.wakes, 0);
    client_read_all(&x->client, 4096);
    expect_frame(&x->expected, &x->shop, 1, "7-7");
    assert_expected(x);
    assert_int_equal(client_fill(&other, 4096), 0);
    client_release(&other);
}

static void changes_in_between_are_left_out_and_the_newest_is_told(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    for (int64_t i = 1; i <= 50; i++) {
        shop_change(&x->shop, 1, 100 - i);
        shop_change(&x->shop, 3, 200 - i);
        shop_publish(&x->shop);
    }
    assert_int_equal(x->client.wakes, 1); /* one wake is enough */
    client_read_all(&x->client, 4096);
    expect_frame(&x->expected, &x->shop, 1, "7-105"); /* changed last at 105, the other at 106 */
    expect_frame(&x->expected, &x->shop, 3, "7-106");
    assert_expected(x);
}

static void a_slow_client_does_not_hold_up_another(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    struct client slow;
    client_init_range(&slow, &x->shop, 1, ITEMS);
    client_connect(&slow);
    client_fill(&slow, 13);
    client_fill(&slow, 50); /* into the first frame, and then no more */
    connect_and_read(x);
    for (int64_t i = 1; i <= 100; i++) {
        shop_change(&x->shop, 1 + (uint32_t)i % ITEMS, i);
        shop_publish(&x->shop);
        client_read_all(&x->client, 4096);
        client_assert_up_to_date(&x->client);
    }
    assert_int_equal(x->client.frames, 3 + 100);
    client_read_all(&slow, 64);
    client_assert_up_to_date(&slow);
    assert_int_equal(slow.frames, 3 + 1); /* one was begun before; it is finished, and then told again as it is now */
    client_release(&slow);
}

static void a_stream_may_follow_500_skus(void **state)
{
    (void)state;
    struct shop s;
    struct client c;
    shop_init(&s, STREAM_SKUS_MAX, 1);
    for (uint32_t item = 1; item <= STREAM_SKUS_MAX; item++) {
        shop_change(&s, 1 + (item * 7) % STREAM_SKUS_MAX, item);
    }
    shop_publish(&s);
    client_init_range(&c, &s, 1, STREAM_SKUS_MAX);
    client_connect(&c);
    client_read_all(&c, 8192);
    assert_int_equal(c.frames, STREAM_SKUS_MAX);
    assert_true(c.text.len <= STREAM_UNREAD_BYTES_MAX);
    client_assert_up_to_date(&c);
    for (uint32_t item = 1; item <= STREAM_SKUS_MAX; item += 2) {
        shop_change(&s, item, 3);
    }
    shop_publish(&s);
    client_read_all(&c, 8192);
    assert_int_equal(c.frames, STREAM_SKUS_MAX + STREAM_SKUS_MAX / 2);
    client_assert_up_to_date(&c);
    client_release(&c);
    shop_release(&s);
}

/* A follower of a broker may miss a change for long. What it has of others is shown, and who resumes misses nothing. */
static void a_change_beyond_a_gap_is_told_and_its_id_is_from_before(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    x->shop.feed.seq++; /* 7 is lost */
    shop_change(&x->shop, 1, 9);
    shop_publish_beyond_gap(&x->shop);
    assert_int_equal(x->client.wakes, 1);
    client_read_all(&x->client, 4096);
    expect_frame(&x->expected, &x->shop, 1, "7-6");
    assert_expected(x);
    client_assert_up_to_date(&x->client);
    x->shop.mono_ms += STREAM_UNREAD_MS_MAX;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 0);
    client_break(&x->client);
    x->client.strict = false;
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    assert_int_equal(x->client.resets, 0);
    assert_int_equal(x->client.frames, 1); /* the same version once more */
    client_clear_text(&x->client);
    shop_apply_rest(&x->shop); /* 7 was of an item that nobody follows */
    shop_change(&x->shop, 2, 9);
    shop_publish(&x->shop);
    client_read_all(&x->client, 4096);
    expect_frame(&x->expected, &x->shop, 2, "7-9");
    assert_expected(x);
}

/* --- bytes -------------------------------------------------------------------------------------------------- */

static void any_size_of_fill_gives_the_same_bytes(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    for (size_t size = 1; size <= 700; size++) {
        struct client c;
        client_init_range(&c, &x->shop, 1, ITEMS);
        client_connect(&c);
        client_read_all(&c, size);
        buf_clear(&x->expected);
        buf_printf(&x->expected, "retry: %llu\n\n", (unsigned long long)c.retry_ms);
        expect_frame(&x->expected, &x->shop, 2, "7-2");
        expect_frame(&x->expected, &x->shop, 1, "7-4");
        expect_frame(&x->expected, &x->shop, 3, "7-6");
        client_assert_text(&c, buf_str(&x->expected));
        client_release(&c);
    }
}

static void a_begun_frame_is_finished_before_the_newer_one(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    shop_change(&x->shop, 1, 4);
    shop_publish(&x->shop);
    expect_frame(&x->expected, &x->shop, 1, "7-7");
    assert_int_equal(client_fill(&x->client, 60), 60);
    shop_change(&x->shop, 1, 3);
    shop_publish(&x->shop);
    expect_frame(&x->expected, &x->shop, 1, "7-8");
    client_read_all(&x->client, 60);
    assert_expected(x);
}

static void a_frame_that_does_not_fit_waits_whole(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    client_connect(&x->client);
    client_fill(&x->client, 13);
    client_clear_text(&x->client);
    expect_frame(&x->expected, &x->shop, 2, "7-2");
    size_t first = x->expected.len;
    assert_int_equal(client_fill(&x->client, first + 10), first);
    assert_expected(x);
}

static void a_stream_closed_in_mid_frame_leaves_nothing_behind(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    client_connect(&x->client);
    client_fill(&x->client, 50);
    shop_change(&x->shop, 1, 4);
    shop_apply(&x->shop);
    shop_mark(&x->shop);
    client_break(&x->client); /* while marked, and before the turn */
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 0);
    struct push_metrics m;
    hub_metrics(x->shop.hub, &m);
    assert_int_equal(m.streams, 0);
}

/* --- waking ------------------------------------------------------------------------------------------------- */

static void the_hub_is_woken_once_until_its_turn_and_only_for_what_is_followed(void **state)
{
    struct fixture *x = *state;
    shop_change(&x->shop, 1, 1);
    shop_apply(&x->shop);
    shop_mark(&x->shop);
    assert_int_equal(x->shop.wakes, 0); /* nobody follows anything */
    client_release(&x->client);
    client_init_range(&x->client, &x->shop, 1, 1);
    connect_and_read(x);
    shop_change(&x->shop, 2, 1);
    shop_apply(&x->shop);
    shop_mark(&x->shop);
    assert_int_equal(x->shop.wakes, 0);
    for (int i = 0; i < 3; i++) {
        shop_change(&x->shop, 1, i);
        shop_apply(&x->shop);
        shop_mark(&x->shop);
    }
    assert_int_equal(x->shop.wakes, 1);
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 1);
    shop_change(&x->shop, 1, 9);
    shop_apply(&x->shop);
    shop_mark(&x->shop);
    assert_int_equal(x->shop.wakes, 2);
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 1); /* still awake from the first */
    client_read_all(&x->client, 4096);
    client_assert_up_to_date(&x->client);
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 1); /* nothing new */
}

/* --- time --------------------------------------------------------------------------------------------------- */

static void a_comment_is_written_after_15_s_without_other_output(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    x->shop.mono_ms += 14999;
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 0);
    x->shop.mono_ms += 1;
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 1);
    client_read_all(&x->client, 1);
    client_assert_text(&x->client, STR(":\n\n"));
    assert_int_equal(x->client.comments, 1);
    client_clear_text(&x->client);
    x->shop.mono_ms += 10000;
    shop_change(&x->shop, 1, 1);
    shop_publish(&x->shop);
    client_read_all(&x->client, 4096);
    x->shop.mono_ms += 14999; /* counts from the frame */
    shop_turn(&x->shop);
    assert_int_equal(client_fill(&x->client, 4096), 0);
    x->shop.mono_ms += 1;
    shop_turn(&x->shop);
    assert_int_equal(client_fill(&x->client, 4096), 3);
}

static void a_frame_makes_a_due_comment_needless(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    x->shop.mono_ms += 15000;
    shop_change(&x->shop, 1, 1);
    shop_publish(&x->shop);
    client_read_all(&x->client, 4096);
    assert_int_equal(x->client.frames, 4);
    assert_int_equal(x->client.comments, 0);
}

static void who_does_not_read_for_10_s_is_cut(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    shop_change(&x->shop, 1, 1);
    shop_publish(&x->shop);
    x->shop.mono_ms += 9000;
    shop_change(&x->shop, 1, 2); /* the time runs from the first that waits */
    shop_publish(&x->shop);
    x->shop.mono_ms += 999;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 0);
    x->shop.mono_ms += 1;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 1);
    struct push_metrics m;
    hub_metrics(x->shop.hub, &m);
    assert_int_equal(m.cut, 1);
    assert_int_equal(m.streams, 0);
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 1);
}

static void who_never_begins_to_read_is_cut_too(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    x->shop.mono_ms += 10000;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 1);
}

static void who_leaves_a_comment_unread_is_cut_too(void **state)
{
    struct fixture *x = *state;
    connect_and_read(x);
    x->shop.mono_ms += 15000;
    shop_turn(&x->shop);
    x->shop.mono_ms += 9999;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 0);
    x->shop.mono_ms += 1;
    shop_turn(&x->shop);
    assert_int_equal(x->client.cuts, 1);
}

static void who_reads_slowly_but_reads_is_not_cut(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    client_connect(&x->client);
    while (client_fill(&x->client, 8) > 0) {
        x->shop.mono_ms += 9999;
        shop_turn(&x->shop);
    }
    assert_int_equal(x->client.cuts, 0);
    assert_int_equal(x->client.frames, 3);
    client_assert_up_to_date(&x->client);
}

static void cut_nothing(void *ctx)
{
    (*(int *)ctx)++;
}

static void a_cut_stream_says_nothing_until_it_is_closed(void **state)
{
    struct fixture *x = *state;
    int cuts = 0;
    struct shelf_entry *e = shop_entry(&x->shop, 1);
    struct stream_io io = {.ctx = &cuts, .wake = cut_nothing, .cut = cut_nothing};
    struct stream *s = stream_open(x->shop.hub, &e, 1, (struct stream_resume){0}, SHOP_EPOCH, io, x->shop.mono_ms);
    x->shop.mono_ms += 10000;
    shop_turn(&x->shop);
    assert_int_equal(cuts, 1);
    char out[100];
    assert_int_equal(stream_fill(s, out, sizeof(out), x->shop.mono_ms), 0);
    shop_change(&x->shop, 1, 1);
    shop_publish(&x->shop);
    x->shop.mono_ms += 50000;
    shop_turn(&x->shop);
    assert_int_equal(cuts, 1); /* neither woken nor cut again */
    stream_close(s);
}

static void a_sku_that_changes_all_the_time_is_told_all_the_same(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    connect_and_read(x);
    /* Item 1 changes ten times as often as the client reads one frame, and item 2 between any two frames. */
    x->client.strict = false;
    size_t told = 0;
    uint64_t version = x->client.states[0].version;
    for (int i = 0; i < 100; i++) {
        shop_change(&x->shop, 2, i);
        shop_publish(&x->shop);
        for (int j = 0; j < 10; j++) {
            shop_change(&x->shop, 1, i * 10 + j);
            shop_publish(&x->shop);
        }
        x->shop.mono_ms += 200;
        shop_turn(&x->shop);
        client_fill(&x->client, 250); /* room for one */
        told += x->client.states[0].version != version;
        version = x->client.states[0].version;
    }
    assert_true(told >= 10); /* at least once in two seconds */
}

/* --- metrics ------------------------------------------------------------------------------------------------ */

static void frames_bytes_and_the_way_from_commit_to_socket_are_counted(void **state)
{
    struct fixture *x = *state;
    stock_up(&x->shop);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    struct push_metrics m;
    hub_metrics(x->shop.hub, &m);
    assert_int_equal(m.streams, 1);
    assert_int_equal(m.frames, 3);
    assert_int_equal(m.bytes, x->client.text.len);
    assert_int_equal(m.propagation_count, 0); /* a snapshot was committed long ago */
    shop_change(&x->shop, 1, 1);
    shop_apply(&x->shop);
    shop_mark(&x->shop);
    x->shop.mono_ms += 3;
    shop_change(&x->shop, 1, 2);
    shop_publish(&x->shop);
    x->shop.mono_ms += 2;
    client_read_all(&x->client, 4096);
    hub_metrics(x->shop.hub, &m);
    assert_int_equal(m.frames, 4);
    assert_int_equal(m.propagation_count, 1);
    assert_int_equal(m.propagation_us_sum, 5000); /* from the older of the two */
    for (size_t i = 0; i < ARRAY_LEN(m.propagation_us_bucket); i++) {
        assert_int_equal(m.propagation_us_bucket[i], i == 13); /* 4096 < 5000 <= 8192 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_begins_with_retry_and_all_entries_by_rising_seq, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            no_frame_has_an_id_while_an_item_without_changes_is_to_be_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retry_is_spread_evenly_over_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_is_told_to_who_follows_it_and_to_nobody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_in_between_are_left_out_and_the_newest_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_client_does_not_hold_up_another, set_up, tear_down),
        cmocka_unit_test(a_stream_may_follow_500_skus),
        cmocka_unit_test_setup_teardown(a_change_beyond_a_gap_is_told_and_its_id_is_from_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_size_of_fill_gives_the_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_begun_frame_is_finished_before_the_newer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_that_does_not_fit_waits_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_closed_in_mid_frame_leaves_nothing_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_hub_is_woken_once_until_its_turn_and_only_for_what_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_comment_is_written_after_15_s_without_other_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_makes_a_due_comment_needless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_read_for_10_s_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_never_begins_to_read_is_cut_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_leaves_a_comment_unread_is_cut_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_reads_slowly_but_reads_is_not_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_stream_says_nothing_until_it_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sku_that_changes_all_the_time_is_told_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_bytes_and_the_way_from_commit_to_socket_are_counted, set_up, tear_down),
    };
    availability_reader_register();
    int failed = cmocka_run_group_tests_name("push/stream", tests, NULL, NULL);
    availability_reader_unregister();
    return failed;
}
