/* The words of the domain and the table of states. */
#include "core/command.h"
#include "core/movement.h"
#include "core/reservation.h"
#include "core/result.h"
#include "test.h"

static void every_name_reads_back(void **state)
{
    (void)state;
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        enum quantity read;
        assert_true(quantity_parse(quantity_name(q), &read));
        assert_int_equal(read, q);
    }
    for (unsigned kind = 1; kind < MOVEMENT_KIND_END; kind++) {
        enum movement_kind read;
        assert_true(movement_kind_parse(movement_kind_name(kind), &read));
        assert_int_equal(read, kind);
    }
    for (unsigned s = 1; s < RESERVATION_STATE_END; s++) {
        enum reservation_state read;
        assert_true(reservation_state_parse(reservation_state_name(s), &read));
        assert_int_equal(read, s);
    }
    for (unsigned kind = 1; kind < COMMAND_KIND_END; kind++) {
        assert_true(command_kind_name(kind).len > 0);
    }
    for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        assert_true(outcome_name(outcome).len > 0);
    }
}

static void unknown_names_are_not_read(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"", "on hand", "ON_HAND", "hel", "heldd", "reserved "};
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        enum quantity q;
        enum movement_kind kind;
        enum reservation_state s;
        assert_false(quantity_parse(str_from(WRONG[i]), &q));
        assert_false(movement_kind_parse(str_from(WRONG[i]), &kind));
        assert_false(reservation_state_parse(str_from(WRONG[i]), &s));
    }
}

static void the_states_have_these_arrows_and_no_others(void **state)
{
    (void)state;
    static const char ARROWS[RESERVATION_STATE_END][RESERVATION_STATE_END] = {
        [RESERVATION_HELD] = {[RESERVATION_COMMITTED] = 1, [RESERVATION_RELEASED] = 1, [RESERVATION_EXPIRED] = 1},
        [RESERVATION_COMMITTED] = {[RESERVATION_FULFILLED] = 1, [RESERVATION_CANCELLED] = 1},
        [RESERVATION_FULFILLED] = {[RESERVATION_RETURNED] = 1},
    };
    for (unsigned from = 1; from < RESERVATION_STATE_END; from++) {
        for (unsigned to = 1; to < RESERVATION_STATE_END; to++) {
            assert_int_equal(reservation_state_may_become(from, to), ARROWS[from][to]);
        }
        assert_int_equal(reservation_state_is_open(from), from == RESERVATION_HELD || from == RESERVATION_COMMITTED);
    }
}

static void available_is_what_is_on_hand_and_not_spoken_for(void **state)
{
    (void)state;
    struct quantities q = {.of = {100, 1, 2, 4, 8, 16, 1000}};
    assert_int_equal(quantities_available(&q), 69);
    assert_false(quantity_is_adjustable(QUANTITY_RESERVED));
    assert_false(quantity_is_adjustable(QUANTITY_COMMITTED));
    assert_true(quantity_is_adjustable(QUANTITY_INCOMING));
}

static void a_command_names_a_reservation_when_it_changes_an_existing_one(void **state)
{
    (void)state;
    static const bool HAS[COMMAND_KIND_END] = {
        [COMMAND_EXTEND] = true,  [COMMAND_COMMIT] = true, [COMMAND_RELEASE] = true, [COMMAND_CANCEL] = true,
        [COMMAND_FULFILL] = true, [COMMAND_RETURN] = true, [COMMAND_EXPIRE] = true,
    };
    for (unsigned kind = 1; kind < COMMAND_KIND_END; kind++) {
        assert_int_equal(command_kind_has_reservation(kind), HAS[kind]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_reads_back),
        cmocka_unit_test(unknown_names_are_not_read),
        cmocka_unit_test(the_states_have_these_arrows_and_no_others),
        cmocka_unit_test(a_command_names_a_reservation_when_it_changes_an_existing_one),
        cmocka_unit_test(available_is_what_is_on_hand_and_not_spoken_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
