#include "test.h"

#include "shop.h"

#include "base/mem.h"

struct fixture {
    struct shop shop;
    struct client client; /* not connected, follows items 1, 2, 3 */
    struct buf expected;
};

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    shop_init(&x->shop, 4, 1);
    client_init_range(&x->client, &x->shop, 1, 3);
    buf_init(&x->expected, 64 * 1024);
    /* Items 1, 2, 3 at seq 10, 11, 12; item 4, which is not followed, at 13. */
    x->shop.feed.seq = 9;
    for (uint32_t item = 1; item <= 4; item++) {
        shop_change(&x->shop, item, item * 10);
    }
    shop_publish(&x->shop);
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

static void resume_at(struct fixture *x, uint64_t epoch, uint64_t seq)
{
    client_connect_with(&x->client, (struct stream_resume){.given = true, .epoch = epoch, .seq = seq});
    client_read_all(&x->client, 13); /* retry; all retries of the first ten streams have four digits */
    client_read_all(&x->client, 4096);
}

static void expect_prologue(struct fixture *x)
{
    buf_printf(&x->expected, "retry: %llu\n\n", (unsigned long long)x->client.retry_ms);
}

static void assert_expected(struct fixture *x)
{
    client_assert_text(&x->client, buf_str(&x->expected));
    buf_clear(&x->expected);
}

static void assert_last_id(struct fixture *x, const char *expected)
{
    if (!str_equal(x->client.last_id, str_from(expected))) {
        print_error("last id %.*s, expected %s\n", STR_ARG(x->client.last_id), expected);
    }
    assert_true(str_equal(x->client.last_id, str_from(expected)));
}

static void who_has_seen_all_is_told_nothing(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH, 13);
    expect_prologue(x);
    assert_expected(x);
    client_break(&x->client);
    resume_at(x, SHOP_EPOCH, 12);
    expect_prologue(x);
    assert_expected(x);
}

static void only_what_changed_after_the_id_is_told(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH, 11);
    expect_prologue(x);
    expect_frame(&x->expected, &x->shop, 3, "7-13");
    assert_expected(x);
    client_break(&x->client);
    x->client.strict = false;
    resume_at(x, SHOP_EPOCH, 10);
    expect_prologue(x);
    expect_frame(&x->expected, &x->shop, 2, "7-11");
    expect_frame(&x->expected, &x->shop, 3, "7-13");
    assert_expected(x);
    assert_int_equal(x->client.resets, 0);
}

static void changes_after_a_resume_are_told(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH, 13);
    client_clear_text(&x->client);
    shop_change(&x->shop, 2, 1);
    shop_publish(&x->shop);
    client_read_all(&x->client, 4096);
    expect_frame(&x->expected, &x->shop, 2, "7-14");
    assert_expected(x);
}

static void expect_reset_and_all(struct fixture *x)
{
    expect_prologue(x);
    buf_put_literal(&x->expected, "event: reset\ndata: {}\n\n");
    expect_frame(&x->expected, &x->shop, 1, "7-10");
    expect_frame(&x->expected, &x->shop, 2, "7-11");
    expect_frame(&x->expected, &x->shop, 3, "7-13");
    assert_expected(x);
    assert_int_equal(x->client.resets, 1);
    client_assert_up_to_date(&x->client);
}

static void an_id_of_another_life_is_answered_with_reset_and_everything(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH - 1, 13);
    expect_reset_and_all(x);
    client_break(&x->client);
    resume_at(x, SHOP_EPOCH + 1, 5);
    expect_reset_and_all(x);
}

static void an_id_from_the_future_is_answered_with_reset_and_everything(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH, 14);
    expect_reset_and_all(x);
    client_break(&x->client);
    resume_at(x, SHOP_EPOCH, UINT64_MAX);
    expect_reset_and_all(x);
}

static void an_id_before_everything_is_no_reset(void **state)
{
    struct fixture *x = *state;
    resume_at(x, SHOP_EPOCH, 0);
    assert_int_equal(x->client.resets, 0);
    assert_int_equal(x->client.frames, 3);
    client_assert_up_to_date(&x->client);
}

/*
 * Two SKUs changed, one frame got through. Whichever it was, the other must come after the resume, and the one that
 * was told must not.
 */
static void a_break_between_two_frames_loses_nothing_and_repeats_nothing(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    assert_last_id(x, "7-13");
    shop_change(&x->shop, 1, 5); /* 14 */
    shop_change(&x->shop, 2, 6); /* 15 */
    shop_change(&x->shop, 4, 6); /* 16 */
    shop_publish(&x->shop);
    client_clear_text(&x->client);
    expect_frame(&x->expected, &x->shop, 1, "7-14");
    assert_int_equal(client_fill(&x->client, 250), x->expected.len);
    assert_expected(x);
    client_break(&x->client);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    expect_prologue(x);
    expect_frame(&x->expected, &x->shop, 2, "7-16");
    assert_expected(x);
    client_assert_up_to_date(&x->client);
}

static void a_break_within_a_frame_tells_it_again(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    shop_change(&x->shop, 1, 5);
    shop_change(&x->shop, 2, 6);
    shop_publish(&x->shop);
    client_fill(&x->client, 30); /* the id line is through, but not the event */
    assert_last_id(x, "7-13");
    client_break(&x->client);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    assert_int_equal(x->client.frames, 2);
    client_assert_up_to_date(&x->client);
}

static void a_break_in_the_snapshot_resumes_it(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    client_fill(&x->client, 13);
    client_fill(&x->client, 250);
    assert_int_equal(x->client.frames, 1);
    assert_last_id(x, "7-10");
    client_break(&x->client);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    assert_int_equal(x->client.frames, 2);
    client_assert_up_to_date(&x->client);
}

static void a_break_among_items_without_changes_begins_anew(void **state)
{
    (void)state;
    struct shop s;
    struct client c;
    shop_init(&s, 3, 1);
    client_init_range(&c, &s, 1, 3);
    client_connect(&c);
    client_fill(&c, 13);
    client_fill(&c, 250);
    assert_int_equal(c.frames, 1);
    assert_true(str_is_absent(c.last_id));
    client_break(&c);
    c.strict = false;
    client_connect(&c);
    client_read_all(&c, 4096);
    assert_int_equal(c.frames, 3);
    client_assert_up_to_date(&c);
    assert_true(str_equal(c.last_id, STR("7-0")));
    client_break(&c);
    client_connect(&c);
    client_read_all(&c, 4096);
    assert_int_equal(c.frames, 0);
    client_release(&c);
    shop_release(&s);
}

/* --- changes that the marks have not told yet ------------------------------------------------------------------ */

static void a_change_seen_before_its_mark_does_not_make_the_id_claim_the_others(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    shop_change(&x->shop, 2, 1); /* 14 */
    shop_publish(&x->shop);
    shop_change(&x->shop, 1, 2); /* 15 */
    shop_change(&x->shop, 2, 3); /* 16 */
    shop_apply(&x->shop);        /* both are in the view, neither is marked */
    client_clear_text(&x->client);
    expect_frame(&x->expected, &x->shop, 1, "7-15");
    assert_int_equal(client_fill(&x->client, 250), x->expected.len);
    assert_expected(x);
    client_break(&x->client);
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    expect_prologue(x);
    expect_frame(&x->expected, &x->shop, 2, "7-16");
    assert_expected(x);
    shop_mark(&x->shop);
    shop_turn(&x->shop);
    assert_int_equal(client_fill(&x->client, 4096), 0); /* the marks come too late to be news */
}

static void a_change_of_a_half_applied_message_waits_for_its_mark(void **state)
{
    struct fixture *x = *state;
    client_connect(&x->client);
    client_read_all(&x->client, 4096);
    shop_change(&x->shop, 2, 1); /* 14 */
    shop_change(&x->shop, 3, 1); /* 15 */
    shop_publish(&x->shop);
    shop_change(&x->shop, 2, 3); /* 16 */
    shop_apply_half(&x->shop);
    client_clear_text(&x->client);
    /* Item 2 is ahead of what is known; item 3 is not. But 14 is not told yet, so no id may claim it. */
    expect_frame(&x->expected, &x->shop, 3, "7-15");
    client_read_all(&x->client, 4096);
    assert_expected(x);
    assert_int_equal(x->client.wakes, 1);
    shop_apply_rest(&x->shop);
    shop_mark(&x->shop);
    shop_turn(&x->shop);
    assert_int_equal(x->client.wakes, 2);
    client_clear_text(&x->client);
    expect_frame(&x->expected, &x->shop, 2, "7-16");
    client_read_all(&x->client, 4096);
    assert_expected(x);
}

/* --- parsing ------------------------------------------------------------------------------------------------ */

static void assert_parses(const char *text, uint64_t epoch, uint64_t seq)
{
    struct stream_resume r = {.given = false};
    assert_true(stream_resume_parse(str_from(text), &r));
    assert_true(r.given);
    assert_true(r.epoch == epoch);
    assert_true(r.seq == seq);
}

static void an_id_is_two_decimal_numbers_with_a_dash(void **state)
{
    (void)state;
    assert_parses("0-0", 0, 0);
    assert_parses("7-13", 7, 13);
    assert_parses("1-18446744073709551615", 1, UINT64_MAX);
    assert_parses("18446744073709551615-0", UINT64_MAX, 0);
}

static void anything_else_is_garbage(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "",
        "-",
        "7",
        "7-",
        "-13",
        "--",
        "7--13",
        "7-13-",
        "7-13-1",
        "+7-13",
        "7-+13",
        " 7-13",
        "7-13 ",
        "7 -13",
        "07-13",
        "7-013",
        "00-0",
        "7-1.0",
        "7-1e3",
        "0x7-1",
        "7-18446744073709551616",
        "18446744073709551616-1",
        "99999999999999999999999999999999-1",
        "a-b",
        "7_13",
        "7-\xd9\xa1",
        "7-13\n",
        "null",
        "undefined"};
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        struct stream_resume r = {.given = false, .epoch = 42, .seq = 43};
        if (stream_resume_parse(str_from(garbage[i]), &r)) {
            print_error("taken for an id: \"%s\"\n", garbage[i]);
            fail();
        }
        assert_false(r.given);
        assert_int_equal(r.epoch, 42);
        assert_int_equal(r.seq, 43);
    }
    struct stream_resume r;
    assert_false(stream_resume_parse(STR_NONE, &r));
    assert_false(stream_resume_parse((struct str){"7-1\0003", 5}, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_seen_all_is_told_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_changed_after_the_id_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_after_a_resume_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_of_another_life_is_answered_with_reset_and_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_from_the_future_is_answered_with_reset_and_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_before_everything_is_no_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_break_between_two_frames_loses_nothing_and_repeats_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_break_within_a_frame_tells_it_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_break_in_the_snapshot_resumes_it, set_up, tear_down),
        cmocka_unit_test(a_break_among_items_without_changes_begins_anew),
        cmocka_unit_test_setup_teardown(
            a_change_seen_before_its_mark_does_not_make_the_id_claim_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_of_a_half_applied_message_waits_for_its_mark, set_up, tear_down),
        cmocka_unit_test(an_id_is_two_decimal_numbers_with_a_dash),
        cmocka_unit_test(anything_else_is_garbage),
    };
    availability_reader_register();
    int failed = cmocka_run_group_tests_name("push/resume", tests, NULL, NULL);
    availability_reader_unregister();
    return failed;
}
