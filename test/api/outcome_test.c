#include "api/outcome.h"

#include "test.h"

#include <jansson.h>

/* A result as the ledger would give it, for commands with one line. */
static json_t *render(enum outcome outcome, enum command_kind kind)
{
    static const struct command_line line = {.sku = STR("A \"quoted\""), .location = STR("leeds"), .quantity = 5};
    static const struct shortfall shortfalls[] = {
        {.line = 0, .sku = STR("A \"quoted\""), .location = STR_NONE, .requested = 5, .available = 2},
        {.line = 1, .sku = STR("B"), .location = STR("leeds"), .requested = 1, .available = 0},
    };
    static const struct reservation reservation = {.state = RESERVATION_RELEASED};
    const struct command command = {.kind = kind, .lines = &line, .lines_len = kind == COMMAND_SET ? 0 : 1};
    const struct result result = {
        .outcome = outcome,
        .version = 7,
        .reservation = &reservation,
        .shortfalls = shortfalls,
        .shortfalls_len = 2,
    };
    struct buf out;
    buf_init(&out, 1 << 16);
    outcome_render(&out, &command, &result);
    assert_false(out.overflowed);
    json_t *problem = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(problem);
    buf_release(&out);
    return problem;
}

static const char *text(json_t *problem, const char *name)
{
    return json_string_value(json_object_get(problem, name));
}

static void every_refusal_is_a_well_formed_problem_of_its_own_error(void **state)
{
    (void)state;
    for (int o = OUTCOME_UNCHANGED + 1; o < OUTCOME_COUNT; o++) {
        for (int kind = COMMAND_DEFINE_ITEM; kind < COMMAND_KIND_END; kind++) {
            enum err e = outcome_err((enum outcome)o, (enum command_kind)kind);
            assert_int_not_equal(e, ERR_OK);
            json_t *problem = render((enum outcome)o, (enum command_kind)kind);
            assert_string_equal(text(problem, "code"), err_info(e)->slug);
            assert_int_equal(json_integer_value(json_object_get(problem, "status")), err_info(e)->status);
            assert_true(err_info(e)->status >= 400 && err_info(e)->status < 500);
            json_decref(problem);
        }
    }
}

static void what_was_done_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(outcome_err(OUTCOME_OK, COMMAND_RESERVE), ERR_OK);
    assert_int_equal(outcome_err(OUTCOME_UNCHANGED, COMMAND_COMMIT), ERR_OK);
}

static void each_outcome_has_the_documented_error(void **state)
{
    (void)state;
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_ITEM, COMMAND_RESERVE), ERR_UNKNOWN_ITEM);
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_ITEM, COMMAND_SET), ERR_NOT_FOUND);
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_LOCATION, COMMAND_ADJUST), ERR_UNKNOWN_LOCATION);
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_LOCATION, COMMAND_SET), ERR_NOT_FOUND);
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_RESERVATION, COMMAND_COMMIT), ERR_NOT_FOUND);
    assert_int_equal(outcome_err(OUTCOME_LIMIT_REACHED, COMMAND_DEFINE_ITEM), ERR_LIMIT_REACHED);
    assert_int_equal(outcome_err(OUTCOME_VERSION_MISMATCH, COMMAND_SET), ERR_VERSION_MISMATCH);
    assert_int_equal(outcome_err(OUTCOME_HOLD_EXPIRED, COMMAND_COMMIT), ERR_HOLD_EXPIRED);
    assert_int_equal(outcome_err(OUTCOME_WRONG_STATE, COMMAND_COMMIT), ERR_WRONG_STATE);
    assert_int_equal(outcome_err(OUTCOME_UNKNOWN_LINE, COMMAND_FULFILL), ERR_INVALID);
    assert_int_equal(outcome_err(OUTCOME_QUANTITY_EXCEEDED, COMMAND_FULFILL), ERR_QUANTITY_EXCEEDED);
    assert_int_equal(outcome_err(OUTCOME_INSUFFICIENT_STOCK, COMMAND_RESERVE), ERR_INSUFFICIENT_STOCK);
    assert_int_equal(outcome_err(OUTCOME_NEGATIVE_QUANTITY, COMMAND_ADJUST), ERR_NEGATIVE_QUANTITY);
    assert_int_equal(outcome_err(OUTCOME_QUANTITY_OVERFLOW, COMMAND_RECEIVE), ERR_QUANTITY_OVERFLOW);
    assert_int_equal(outcome_err(OUTCOME_TOO_FRAGMENTED, COMMAND_RESERVE), ERR_TOO_FRAGMENTED);
}

static void shortfalls_name_every_short_line(void **state)
{
    (void)state;
    json_t *problem = render(OUTCOME_INSUFFICIENT_STOCK, COMMAND_RESERVE);
    json_t *shortfalls = json_object_get(problem, "shortfalls");
    assert_int_equal(json_array_size(shortfalls), 2);
    json_t *any = json_array_get(shortfalls, 0);
    assert_string_equal(text(any, "sku"), "A \"quoted\"");
    assert_null(json_object_get(any, "location"));
    assert_int_equal(json_integer_value(json_object_get(any, "requested")), 5);
    assert_int_equal(json_integer_value(json_object_get(any, "available")), 2);
    assert_string_equal(text(json_array_get(shortfalls, 1), "location"), "leeds");
    json_decref(problem);
}

static void state_version_and_line_are_named(void **state)
{
    (void)state;
    json_t *problem = render(OUTCOME_WRONG_STATE, COMMAND_COMMIT);
    assert_string_equal(text(problem, "state"), "released");
    json_decref(problem);
    problem = render(OUTCOME_VERSION_MISMATCH, COMMAND_SET);
    assert_int_equal(json_integer_value(json_object_get(problem, "version")), 7);
    json_decref(problem);
    problem = render(OUTCOME_UNKNOWN_ITEM, COMMAND_RESERVE);
    json_t *error = json_array_get(json_object_get(problem, "errors"), 0);
    assert_string_equal(text(error, "pointer"), "/lines/0/sku");
    json_decref(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_is_a_well_formed_problem_of_its_own_error),
        cmocka_unit_test(what_was_done_is_no_error),
        cmocka_unit_test(each_outcome_has_the_documented_error),
        cmocka_unit_test(shortfalls_name_every_short_line),
        cmocka_unit_test(state_version_and_line_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
