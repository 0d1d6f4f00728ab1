/* What the ledger decides, as tables. See script.h for how to read a row. */
#include "core/ledger_state.h"
#include "script.h"
#include "test.h"

/* A row is a line. */
/* clang-format off */

static void stock_arrives_and_is_counted(void **state)
{
    (void)state;
    SCRIPT("item a", "location main",
        "receive a 10 @main            => ok",
        "level a main                  => on_hand 10 v1",
        "receive a 5 @main, a 2 @main  => ok",
        "level a main                  => on_hand 17 v2",
        "receive b 1 @main             => unknown_item line 0",
        "receive a 1 @main, a 1 @moon  => unknown_location line 1",
        "level a main                  => on_hand 17 v2");
}

static void a_receipt_takes_from_what_was_announced(void **state)
{
    (void)state;
    SCRIPT("item a", "location main",
        "adjust a 8 @main incoming     => ok",
        "receive a 5 @main             => ok",
        "level a main                  => on_hand 5 incoming 3 v2",
        "receive a 5 @main             => ok",
        "level a main                  => on_hand 10 v3");
}

static void adjustments_are_all_or_nothing_and_never_below_zero(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "location main",
        "adjust a 5 @main on_hand, b 2 @main on_hand   => ok",
        "adjust a -2 @main on_hand, b -3 @main on_hand => negative_quantity b@main:3/2",
        "level a main                                  => on_hand 5 v1",
        "adjust a -6 @main on_hand, b -3 @main on_hand => negative_quantity a@main:6/5 b@main:3/2",
        "adjust a -4 @main on_hand, a -2 @main on_hand => negative_quantity a@main:6/5",
        "adjust a -6 @main on_hand, a 2 @main on_hand  => ok",
        "level a main                                  => on_hand 1 v2",
        "adjust a 1 @main damaged, b 1 @main quality_control, b 1 @main safety_stock => ok",
        "level b main                                  => on_hand 2 quality_control 1 safety_stock 1 v2",
        "reserve r1 a 1                                => insufficient_stock a:1/0",
        "reserve r1 b 1                                => insufficient_stock b:1/0");
}

static void a_quantity_stays_below_its_maximum(void **state)
{
    (void)state;
    SCRIPT("item a", "location main",
        "set a main new on_hand=1000000000000  => ok",
        "adjust a 1 @main on_hand              => quantity_overflow line 0",
        "receive a 1 @main                     => quantity_overflow line 0",
        "level a main                          => on_hand 1000000000000 v1",
        "reserve r1 a 1000000                  => ok a@main:1000000",
        "reserve r2 a 1000000, a 1000000       => ok a@main:2000000");
}

static void a_set_needs_the_version_it_read(void **state)
{
    (void)state;
    SCRIPT("item a", "location main",
        "set a main v1 on_hand=5             => version_mismatch v0",
        "set a main any on_hand=5            => version_mismatch v0",
        "set a main new on_hand=5 damaged=1  => ok",
        "set a main new on_hand=6            => version_mismatch v1",
        "set a main v2 on_hand=6             => version_mismatch v1",
        "set a main v1 on_hand=6             => ok",
        "level a main                        => on_hand 6 damaged 1 v2",
        "set a main any safety_stock=2       => ok",
        "level a main                        => on_hand 6 damaged 1 safety_stock 2 v3",
        "set b main new on_hand=1            => unknown_item line 0",
        "set a moon new on_hand=1            => unknown_location line 0");
}

static void a_transfer_moves_only_what_is_available(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "location main", "location shop",
        "receive a 10 @main, b 3 @main   => ok",
        "reserve r1 a 4 @main            => ok a@main:4",
        "transfer main shop a 7, b 4     => insufficient_stock a@main:7/6 b@main:4/3",
        "transfer main shop a 4, a 2     => ok",
        "level a main                    => on_hand 4 reserved 4 v3",
        "level a shop                    => on_hand 6 v1",
        "transfer main moon a 1          => unknown_location line 0",
        "transfer moon main a 1          => unknown_location line 0",
        "transfer main shop c 1          => unknown_item line 0");
}

static void the_last_unit_is_sold_once(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 1 @main",
        "reserve r1 a 1    => ok a@main:1",
        "reserve r2 a 1    => insufficient_stock a:1/0",
        "commit r1         => ok",
        "reserve r2 a 1    => insufficient_stock a:1/0",
        "fulfill r1        => ok",
        "reserve r2 a 1    => insufficient_stock a:1/0",
        "level a main      => v4");
}

static void an_order_is_all_or_nothing_and_names_every_short_line(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "item c", "location main", "receive a 5 @main, b 2 @main",
        "reserve r1 a 5, b 3, c 1          => insufficient_stock b:3/2 c:1/0",
        "reserve r1 c 1, a 9 @main, b 3    => insufficient_stock c:1/0 a@main:9/5 b:3/2",
        "level a main                      => on_hand 5 v1",
        "reserve r1 a 1, d 1               => unknown_item line 1",
        "reserve r1 a 1, b 1 @moon         => unknown_location line 1",
        "state r1                          => away",
        "reserve r1 a 5, b 2               => ok a@main:5 b@main:2");
}

static void lines_for_the_same_item_share_its_stock(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "location shop", "receive a 5 @main, a 2 @shop",
        "reserve r1 a 4, a 4               => insufficient_stock a:8/7",
        "reserve r1 a 4 @main, a 4         => insufficient_stock a:4/3",
        "reserve r1 a 4, a 4 @main         => insufficient_stock a:4/3",
        "reserve r1 a 4 @main, a 2 @main   => insufficient_stock a@main:6/5",
        "reserve r1 a 3, a 4 @main         => ok a@main:5 a@shop:2",
        "level a main                      => on_hand 5 reserved 5 v2");
}

static void one_location_that_can_serve_the_whole_order_is_taken(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "location first 1", "location second 2", "location third 3",
        "receive a 5 @first, b 1 @first, a 5 @third, b 5 @third, a 9 @second",
        "reserve r1 a 2, b 1    => ok a@first:2 b@first:1",
        "reserve r2 a 2, b 1    => ok a@third:2 b@third:1",
        "reserve r3 a 3         => ok a@first:3",
        "reserve r4 a 3         => ok a@second:3");
}

static void otherwise_the_fewest_locations_and_ties_go_by_priority(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "location w3 30", "location w2 20", "location w1 10",
        "receive a 2 @w1, a 2 @w2, a 2 @w3, b 1 @w3",
        "reserve r1 a 3         => ok a@w1:2 a@w2:1",
        "release r1             => ok",
        "reserve r2 a 5         => ok a@w1:2 a@w2:2 a@w3:1",
        "release r2             => ok",
        "reserve r3 a 3, b 1    => ok a@w1:2 a@w3:1 b@w3:1",
        "reserve r4 a 4         => insufficient_stock a:4/3",
        "release r3             => ok",
        "location w2 5          => ok",
        "reserve r5 a 3         => ok a@w2:2 a@w1:1");
}

static void equal_priorities_go_by_the_order_of_definition(void **state)
{
    (void)state;
    SCRIPT("item a", "location z 1", "location b 1", "location a 1",
        "receive a 1 @a, a 1 @b, a 1 @z",
        "reserve r1 a 1 => ok a@z:1", "reserve r2 a 1 => ok a@b:1", "reserve r3 a 1 => ok a@a:1");
}

static void a_hold_goes_its_way_to_the_shopper_and_back(void **state)
{
    (void)state;
    SCRIPT("item a", "item b", "location main", "receive a 10 @main, b 10 @main",
        "reserve r1 a 3, b 2   => ok a@main:3 b@main:2",
        "level a main          => on_hand 10 reserved 3 v2",
        "commit r1             => ok",
        "commit r1             => unchanged",
        "level a main          => on_hand 10 committed 3 v3",
        "release r1            => wrong_state",
        "extend r1 60          => wrong_state",
        "return r1             => wrong_state",
        "fulfill r1            => ok",
        "fulfill r1            => unchanged",
        "commit r1             => wrong_state",
        "cancel r1             => wrong_state",
        "level a main          => on_hand 7 v4",
        "state r1              => fulfilled 3-3-0 2-2-0",
        "return r1 a 1         => ok",
        "return r1 a 3         => quantity_exceeded a:3/2",
        "return r1 c 1         => unknown_line line 0",
        "return r1 a 1 @moon   => unknown_line line 0",
        "return-damaged r1 a 1 @main => ok",
        "level a main          => on_hand 9 damaged 1 v6",
        "state r1              => fulfilled 3-3-2 2-2-0",
        "return r1             => ok",
        "return r1             => unchanged",
        "state r1              => returned 3-3-3 2-2-2",
        "level a main          => on_hand 10 damaged 1 v7",
        "return r1 a 1         => wrong_state");
}

static void a_reservation_is_fulfilled_in_parts(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "location shop", "receive a 2 @main, a 3 @shop",
        "reserve r1 a 4        => ok a@main:2 a@shop:2",
        "fulfill r1 a 1        => wrong_state",
        "commit r1             => ok",
        "fulfill r1 a 3        => ok",
        "state r1              => committed 2-2-0 2-1-0",
        "fulfill r1 a 2        => quantity_exceeded a:2/1",
        "fulfill r1 a 1 @main  => quantity_exceeded a@main:1/0",
        "fulfill r1 a 1, a 1   => quantity_exceeded a:1/0",
        "fulfill r1 a 1 @shop  => ok",
        "state r1              => fulfilled 2-2-0 2-2-0",
        "level a shop          => on_hand 1 v5");
}

static void cancelling_gives_back_what_was_not_fulfilled(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 10 @main",
        "reserve r1 a 4        => ok a@main:4",
        "cancel r1             => wrong_state",
        "commit r1             => ok",
        "cancel r1             => ok",
        "cancel r1             => unchanged",
        "level a main          => on_hand 10 v4",
        "reserve r2 a 4        => ok a@main:4",
        "commit r2", "fulfill r2 a 1",
        "cancel r2             => ok",
        "state r2              => fulfilled 4-1-0",
        "cancel r2             => unchanged",
        "level a main          => on_hand 9 v8",
        "return r2 a 2         => quantity_exceeded a:2/1",
        "return r2             => ok",
        "state r2              => returned 4-1-1");
}

static void a_hold_expires_when_its_time_is_over_and_not_before(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 3 @main", "at 1000 =>",
        "reserve r1 ttl=10 a 1   => ok a@main:1",
        "reserve r2 ttl=5 a 1    => ok a@main:1",
        "reserve r3 ttl=10 a 1   => ok a@main:1",
        "at 5999                 =>",
        "at 6000                 => ok",
        "state r2                => expired 1-0-0",
        "state r1                => held 1-0-0",
        "commit r2               => hold_expired",
        "release r2              => hold_expired",
        "extend r2 60            => hold_expired",
        "extend r1 3             => unchanged",
        "extend r1 60            => ok",
        "at 11000                => ok",
        "state r3                => expired 1-0-0",
        "commit r1               => ok",
        "at 99000                =>",
        "level a main            => on_hand 3 committed 1 v7");
}

static void released_units_can_be_sold_again(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 1 @main",
        "reserve r1 a 1   => ok a@main:1", "release r1 => ok", "release r1 => unchanged",
        "commit r1        => wrong_state",
        "reserve r2 a 1   => ok a@main:1");
}

static void a_correction_below_what_is_promised_stops_new_promises_and_shipping(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 5 @main",
        "reserve r1 a 4             => ok a@main:4", "commit r1",
        "adjust a -3 @main on_hand  => ok",
        "level a main               => on_hand 2 committed 4 v4",
        "reserve r2 a 1             => insufficient_stock a:1/0",
        "fulfill r1                 => insufficient_stock a@main:4/2",
        "fulfill r1 a 2             => ok",
        "cancel r1                  => ok",
        "level a main               => v6");
}

static void closed_reservations_leave_memory_when_they_are_durable(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 5 @main",
        "reserve r1 a 1 => ok a@main:1", "reserve r2 a 1 => ok a@main:1", "release r1",
        "state r1       => released 1-0-0",
        "commit-batch   =>",
        "state r1       => away",
        "release r1     => unknown_reservation",
        "state r2       => held 1-0-0",
        "commit r2", "fulfill r2",
        "state r2       => fulfilled 1-1-0",
        "commit-batch   =>",
        "state r2       => away");
}

/* clang-format on */

/* A busy service begins some thousands of runs a second: 32 bits would come round within days. */
static void a_run_is_never_taken_for_one_long_ago(void **state)
{
    (void)state;
    struct ledger *l = ledger_new();
    struct changes c;
    changes_init(&c);
    ledger_restore_item(l, 1, STR("a"), 1);
    ledger_restore_location(l, 1, STR("main"), 1);
    ledger_restore_level(l, &(struct level_row){.item = 1, .location = 1, .version = 1, .seq = 1});
    ledger_restore_seq(l, 1);
    l->runs = UINT32_MAX;
    ledger_begin(l, &c);
    struct command_line line = {.sku = STR("a"), .location = STR("main"), .quantity = 1};
    struct command receive = {.kind = COMMAND_RECEIVE, .lines = &line, .lines_len = 1};
    struct result result;
    assert_int_equal(ledger_apply(l, &receive, 1, &c, &result), OUTCOME_OK);
    assert_int_equal(c.levels_len, 1);
    changes_release(&c);
    ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stock_arrives_and_is_counted),
        cmocka_unit_test(a_receipt_takes_from_what_was_announced),
        cmocka_unit_test(adjustments_are_all_or_nothing_and_never_below_zero),
        cmocka_unit_test(a_quantity_stays_below_its_maximum),
        cmocka_unit_test(a_set_needs_the_version_it_read),
        cmocka_unit_test(a_transfer_moves_only_what_is_available),
        cmocka_unit_test(the_last_unit_is_sold_once),
        cmocka_unit_test(an_order_is_all_or_nothing_and_names_every_short_line),
        cmocka_unit_test(lines_for_the_same_item_share_its_stock),
        cmocka_unit_test(one_location_that_can_serve_the_whole_order_is_taken),
        cmocka_unit_test(otherwise_the_fewest_locations_and_ties_go_by_priority),
        cmocka_unit_test(equal_priorities_go_by_the_order_of_definition),
        cmocka_unit_test(a_hold_goes_its_way_to_the_shopper_and_back),
        cmocka_unit_test(a_reservation_is_fulfilled_in_parts),
        cmocka_unit_test(cancelling_gives_back_what_was_not_fulfilled),
        cmocka_unit_test(a_hold_expires_when_its_time_is_over_and_not_before),
        cmocka_unit_test(released_units_can_be_sold_again),
        cmocka_unit_test(a_correction_below_what_is_promised_stops_new_promises_and_shipping),
        cmocka_unit_test(closed_reservations_leave_memory_when_they_are_durable),
        cmocka_unit_test(a_run_is_never_taken_for_one_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
