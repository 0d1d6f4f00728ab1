#include "test.h"

#include "../base/child.h"
#include "bus/intake.h"

static const char position[] = "{\"specversion\":\"1.0\",\"id\":\"7-4-99-1\",\"source\":\"/onhand/partitions/7\","
                               "\"type\":\"io.onhand.stream.position.v1\",\"time\":\"2026-11-26T14:54:04.000Z\","
                               "\"data\":{\"partition\":7,\"epoch\":4,\"seq\":99,\"items\":5}}";

static const char later[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/onhand/partitions/7\","
                            "\"type\":\"io.onhand.lot.changed.v1\"}";

static void what_was_taken_is_lent_and_then_gone(void **state)
{
    (void)state;
    struct intake in;
    intake_init(&in, "test", 7);
    assert_null(intake_lend(&in));
    intake_take(&in, STR(position), 1);
    const struct bus_message *m = intake_lend(&in);
    assert_non_null(m);
    assert_int_equal(m->partition, 7);
    assert_int_equal(m->position.seq, 99);
    intake_done(&in, m);
    assert_null(intake_lend(&in));
    intake_release(&in);
}

static void it_is_full_in_the_end(void **state)
{
    (void)state;
    struct intake in;
    intake_init(&in, "test", 7);
    for (size_t i = 0; i < EVENT_BOX_EVENTS_MAX; i++) {
        assert_false(intake_is_full(&in));
        intake_take(&in, STR(position), 1);
    }
    assert_true(intake_is_full(&in));
    intake_done(&in, intake_lend(&in));
    assert_false(intake_is_full(&in));
    intake_release(&in);
}

/* What is skipped, in a process whose log can be read. */

static void take_garbage(void)
{
    struct intake in;
    intake_init(&in, "test", 7);
    intake_take(&in, STR("garbage"), 5);
    intake_take(&in, STR("garbage"), 6);
    intake_take(&in, STR("{}"), 5 + INTAKE_LOG_MS - 1);
    intake_take(&in, STR("garbage"), 5 + INTAKE_LOG_MS);
    intake_take(&in, STR("garbage"), 5 + INTAKE_LOG_MS);
    intake_release(&in);
}

static void connect_and_lose(void)
{
    struct intake in;
    intake_init(&in, "test", 7);
    intake_connection(&in, false);
    intake_connection(&in, true);
    intake_connection(&in, true);
    intake_connection(&in, false);
    intake_connection(&in, false);
    intake_release(&in);
}

static void take_foreign(void)
{
    struct intake in;
    intake_init(&in, "test", 7);
    intake_take(&in, STR(later), 5);
    intake_release(&in);
    intake_init(&in, "test", 8);
    intake_take(&in, STR(position), 5);
    intake_release(&in);
}

static size_t lines_in(const struct child_end *end)
{
    size_t lines = 0;
    for (size_t i = 0; i < end->len; i++) {
        lines += end->text[i] == '\n';
    }
    return lines;
}

static void garbage_is_logged_once_in_a_while_with_its_count(void **state)
{
    (void)state;
    struct child_end end;
    child_run(take_garbage, &end);
    assert_int_equal(end.signal, 0);
    assert_int_equal(lines_in(&end), 2);
    assert_non_null(strstr(end.text, "level=warn event=bus_events_skipped bus=test count=1 last="));
    assert_non_null(strstr(end.text, "level=warn event=bus_events_skipped bus=test count=3 last="));
}

static void what_is_not_for_this_program_is_skipped_in_silence(void **state)
{
    (void)state;
    struct child_end end;
    child_run(take_foreign, &end);
    assert_int_equal(end.signal, 0);
    assert_int_equal(end.len, 0);
}

static void each_change_of_the_connection_is_logged(void **state)
{
    (void)state;
    struct child_end end;
    child_run(connect_and_lose, &end);
    assert_int_equal(end.signal, 0);
    assert_int_equal(lines_in(&end), 2);
    assert_non_null(strstr(end.text, "level=info event=bus_connected bus=test\n"));
    assert_non_null(strstr(end.text, "level=warn event=bus_disconnected bus=test\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_lent_and_then_gone),
        cmocka_unit_test(it_is_full_in_the_end),
        cmocka_unit_test(garbage_is_logged_once_in_a_while_with_its_count),
        cmocka_unit_test(each_change_of_the_connection_is_logged),
        cmocka_unit_test(what_is_not_for_this_program_is_skipped_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
