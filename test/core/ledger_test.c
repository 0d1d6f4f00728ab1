/* What the ledger decides, as tables. See script.h for how to read a row. */
#include "core/ledger_state.h"
#include "script.h"
#include "test.h"

#include <stdio.h>

/* Ids that differ in their last bit alone have one hash here (see meson.build): real ones cannot be made to. */
uint64_t __real_uuid_hash(struct uuid id);
uint64_t __wrap_uuid_hash(struct uuid id);

uint64_t __wrap_uuid_hash(struct uuid id)
{
    id.bytes[15] &= 0xfe;
    return __real_uuid_hash(id);
}

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
        "adjust a 1 @main on_hand, c 1 @main on_hand   => unknown_item line 1",
        "adjust a 1 @moon on_hand                      => unknown_location line 0",
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
        "reserve r1 a 1 => ok a@z:1", "reserve r2 a 1 => ok a@b:1", "reserve r3 a 1 => ok a@a:1",
        "release r1     => ok", "release r2     => ok", "release r3     => ok",
        "location z 2   => ok", "location b 1   => ok", "reserve r4 a 2 => ok a@b:1 a@a:1",
        "release r4     => ok",
        "location z 1   => ok", "reserve r5 a 2 => ok a@z:1 a@b:1");
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

/* Many holds may end at once; those that were not expired yet are over all the same. */
static void a_hold_whose_time_is_over_is_over_before_it_is_expired(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 3 @main", "at 1000 =>",
        "reserve r1 ttl=10 a 1   => ok a@main:1",
        "later 10999             =>",
        "extend r1 10            => ok",
        "later 20999             =>",
        "commit r1               => hold_expired",
        "release r1              => hold_expired",
        "extend r1 60            => hold_expired",
        "fulfill r1              => wrong_state",
        "state r1                => held 1-0-0",
        "level a main            => on_hand 3 reserved 1 v2",
        "at 20999                => ok",
        "state r1                => expired 1-0-0",
        "fulfill r1              => hold_expired",
        "level a main            => on_hand 3 v3");
}

static void a_return_does_not_exceed_the_maximum(void **state)
{
    (void)state;
    SCRIPT("item a", "location main", "receive a 5 @main",
        "reserve r1 a 4 => ok a@main:4", "commit r1", "fulfill r1",
        "set a main any on_hand=999999999998 => ok",
        "return r1                           => quantity_overflow line 0",
        "return-damaged r1 a 3               => quantity_overflow line 0",
        "state r1                            => fulfilled 4-4-0",
        "return r1 a 2                       => ok",
        "level a main                        => on_hand 1000000000000 v6",
        "set a main any on_hand=1 damaged=999999999999 => ok",
        "return-damaged r1                   => quantity_overflow line 0",
        "return-damaged r1 a 1               => ok",
        "level a main                        => on_hand 2 damaged 1000000000000 v8");
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

/* A ledger with one item "a" and one location "main", and a run of changes begun. */
struct desk {
    struct ledger *l;
    struct changes changes;
    struct result result;
};

static enum outcome ask(struct desk *d, const struct command *c)
{
    return ledger_apply(d->l, c, 1, &d->changes, &d->result);
}

static void desk_open(struct desk *d)
{
    *d = (struct desk){.l = ledger_new()};
    changes_init(&d->changes);
    ledger_begin(d->l, &d->changes);
    const struct command item = {.kind = COMMAND_DEFINE_ITEM, .sku = STR("a"), .name = STR("n")};
    const struct command location = {.kind = COMMAND_DEFINE_LOCATION, .location = STR("main"), .name = STR("n")};
    assert_int_equal(ask(d, &item), OUTCOME_OK);
    assert_int_equal(ask(d, &location), OUTCOME_OK);
}

static void desk_close(struct desk *d)
{
    changes_release(&d->changes);
    ledger_free(d->l);
}

static void receive_and_reserve(struct desk *d, struct uuid id, struct str reference)
{
    struct command_line line = {.sku = STR("a"), .location = STR("main"), .quantity = 1};
    const struct command receive = {.kind = COMMAND_RECEIVE, .lines = &line, .lines_len = 1};
    const struct command reserve = {
        .kind = COMMAND_RESERVE, .id = id, .ttl_s = 60, .lines = &line, .lines_len = 1, .reference = reference};
    assert_int_equal(ask(d, &receive), OUTCOME_OK);
    assert_int_equal(ask(d, &reserve), OUTCOME_OK);
}

/* Hashes of strings have a seed of their own in each process, so the index is told of a collision. */
static void another_name_under_the_same_hash_is_another_thing(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    map_add(&d.l->item_by_sku, str_hash(STR("b")), ledger_item(d.l, STR("a")));
    map_add(&d.l->location_by_id, str_hash(STR("shop")), ledger_location(d.l, STR("main")));
    assert_int_equal(ledger_item(d.l, STR("b")), 0);
    assert_int_equal(ledger_location(d.l, STR("shop")), 0);
    const struct command item = {.kind = COMMAND_DEFINE_ITEM, .sku = STR("b"), .name = STR("n")};
    const struct command location = {.kind = COMMAND_DEFINE_LOCATION, .location = STR("shop"), .name = STR("n")};
    assert_int_equal(ask(&d, &item), OUTCOME_OK);
    assert_true(d.result.created);
    assert_int_equal(ask(&d, &location), OUTCOME_OK);
    assert_true(d.result.created);
    assert_int_equal(ledger_item(d.l, STR("b")), 2);
    assert_int_equal(ledger_location(d.l, STR("shop")), 2);
    desk_close(&d);
}

static void another_reservation_under_the_same_hash_is_another_reservation(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    const struct uuid one = {.bytes = {1, 2, 3}};
    const struct uuid other = {.bytes = {1, 2, 3, [15] = 1}};
    assert_int_equal(uuid_hash(one), uuid_hash(other));
    receive_and_reserve(&d, one, STR_NONE);
    assert_null(ledger_reservation(d.l, other));
    receive_and_reserve(&d, other, STR_NONE);
    const struct command release = {.kind = COMMAND_RELEASE, .id = other};
    assert_int_equal(ask(&d, &release), OUTCOME_OK);
    assert_int_equal(ledger_reservation(d.l, one)->state, RESERVATION_HELD);
    assert_int_equal(ledger_reservation(d.l, other)->state, RESERVATION_RELEASED);
    desk_close(&d);
}

static void a_reservation_keeps_its_reference_whether_given_empty_or_absent(void **state)
{
    (void)state;
    const struct str references[] = {STR("order 7"), STR(""), STR_NONE};
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        struct desk d;
        struct uuid id = {.bytes = {1}};
        char given[] = "order 7";
        desk_open(&d);
        receive_and_reserve(&d, id, references[i].len > 0 ? str_from(given) : references[i]);
        memset(given, 'x', sizeof(given) - 1);
        struct str kept = ledger_reservation(d.l, id)->reference;
        assert_int_equal(str_is_absent(kept), str_is_absent(references[i]));
        assert_true(str_is_absent(kept) || str_equal(kept, references[i]));
        desk_close(&d);
    }
}

static void a_run_of_any_one_change_is_not_empty(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    assert_false(changes_is_empty(&d.changes));
    receive_and_reserve(&d, (struct uuid){.bytes = {1}}, STR_NONE);
    struct command_line line = {.sku = STR("a"), .location = STR("main"), .quantity = 1};
    const struct {
        struct command command;
        enum outcome outcome;
        bool empty;
    } rows[] = {
        {{.kind = COMMAND_DEFINE_ITEM, .sku = STR("a"), .name = STR("m")}, OUTCOME_OK, false},
        {{.kind = COMMAND_DEFINE_LOCATION, .location = STR("main"), .name = STR("m")}, OUTCOME_OK, false},
        {{.kind = COMMAND_EXTEND, .id = {.bytes = {1}}, .ttl_s = 90}, OUTCOME_OK, false},
        {{.kind = COMMAND_EXTEND, .id = {.bytes = {1}}, .ttl_s = 30}, OUTCOME_UNCHANGED, true},
        {{.kind = COMMAND_EXTEND, .id = {.bytes = {2}}, .ttl_s = 90}, OUTCOME_UNKNOWN_RESERVATION, true},
        {{.kind = COMMAND_RECEIVE, .lines = &line, .lines_len = 1}, OUTCOME_OK, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ledger_begin(d.l, &d.changes);
        assert_true(changes_is_empty(&d.changes));
        assert_int_equal(ask(&d, &rows[i].command), rows[i].outcome);
        assert_int_equal(changes_is_empty(&d.changes), rows[i].empty);
    }
    desk_close(&d);
}

static void an_item_without_attributes_has_an_empty_object(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    const struct command item = {
        .kind = COMMAND_DEFINE_ITEM, .sku = STR("b"), .name = STR("n"), .attributes = STR("{\"colour\":1}")};
    assert_int_equal(ask(&d, &item), OUTCOME_OK);
    assert_int_equal(d.changes.items_len, 2);
    assert_true(str_equal(d.changes.items[0].attributes, STR("{}")));
    assert_true(str_equal(d.changes.items[1].attributes, STR("{\"colour\":1}")));
    desk_close(&d);
}

static void no_more_items_than_the_limit_are_defined_and_known_ones_still_change(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    struct command item = {.kind = COMMAND_DEFINE_ITEM, .sku = STR("b"), .name = STR("n")};
    size_t len = d.l->items_len;
    d.l->items_len = ITEMS_MAX + 1; /* as if there were so many */
    assert_int_equal(ask(&d, &item), OUTCOME_LIMIT_REACHED);
    d.l->items_len = len;
    assert_int_equal(ledger_item(d.l, STR("b")), 0);
    item.sku = STR("a");
    d.l->items_len = ITEMS_MAX + 1;
    assert_int_equal(ask(&d, &item), OUTCOME_OK);
    d.l->items_len = len;
    desk_close(&d);
}

static void no_more_locations_than_the_limit_are_defined_and_known_ones_still_change(void **state)
{
    (void)state;
    struct desk d;
    desk_open(&d);
    char name[16];
    for (unsigned i = 1; i <= LOCATIONS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        const struct command place = {.kind = COMMAND_DEFINE_LOCATION, .location = str_from(name), .name = STR("n")};
        assert_int_equal(ask(&d, &place), i < LOCATIONS_MAX ? OUTCOME_OK : OUTCOME_LIMIT_REACHED);
    }
    assert_int_equal(ledger_counts(d.l).locations, LOCATIONS_MAX);
    const struct command known = {.kind = COMMAND_DEFINE_LOCATION, .location = STR("main"), .priority = 1};
    assert_int_equal(ask(&d, &known), OUTCOME_OK);
    assert_false(d.result.created);
    desk_close(&d);
}

/* The service decides on while the store commits. */
static void a_reservation_that_changed_again_meanwhile_stays_when_its_batch_is_durable(void **state)
{
    (void)state;
    struct desk d;
    const struct uuid id = {.bytes = {1}};
    desk_open(&d);
    receive_and_reserve(&d, id, STR_NONE);
    const struct command commit = {.kind = COMMAND_COMMIT, .id = id};
    const struct command fulfill = {.kind = COMMAND_FULFILL, .id = id};
    const struct command back = {.kind = COMMAND_RETURN, .id = id};
    assert_int_equal(ask(&d, &commit), OUTCOME_OK);
    assert_int_equal(ask(&d, &fulfill), OUTCOME_OK);
    ledger_seal(d.l, &d.changes);
    struct changes first = d.changes;
    changes_init(&d.changes);
    ledger_begin(d.l, &d.changes);
    assert_int_equal(ask(&d, &back), OUTCOME_OK);
    assert_int_equal(first.reservations[0].row.state, RESERVATION_FULFILLED);
    ledger_committed(d.l, &first);
    assert_int_equal(ledger_reservation(d.l, id)->state, RESERVATION_RETURNED);
    ledger_seal(d.l, &d.changes);
    ledger_committed(d.l, &d.changes);
    assert_null(ledger_reservation(d.l, id));
    changes_release(&first);
    desk_close(&d);
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
        cmocka_unit_test(a_hold_whose_time_is_over_is_over_before_it_is_expired),
        cmocka_unit_test(a_return_does_not_exceed_the_maximum),
        cmocka_unit_test(released_units_can_be_sold_again),
        cmocka_unit_test(a_correction_below_what_is_promised_stops_new_promises_and_shipping),
        cmocka_unit_test(closed_reservations_leave_memory_when_they_are_durable),
        cmocka_unit_test(a_run_is_never_taken_for_one_long_ago),
        cmocka_unit_test(another_name_under_the_same_hash_is_another_thing),
        cmocka_unit_test(another_reservation_under_the_same_hash_is_another_reservation),
        cmocka_unit_test(a_reservation_keeps_its_reference_whether_given_empty_or_absent),
        cmocka_unit_test(a_run_of_any_one_change_is_not_empty),
        cmocka_unit_test(an_item_without_attributes_has_an_empty_object),
        cmocka_unit_test(no_more_items_than_the_limit_are_defined_and_known_ones_still_change),
        cmocka_unit_test(no_more_locations_than_the_limit_are_defined_and_known_ones_still_change),
        cmocka_unit_test(a_reservation_that_changed_again_meanwhile_stays_when_its_batch_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
