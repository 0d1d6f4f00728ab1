#include "test.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "child.h"

#include <signal.h>

static void passes_checks(void)
{
    check(1 + 1 == 2);
    check(1 > 0 && "text");
}

static void fails_a_check(void)
{
    int on_hand = 3;
    check(on_hand < 0);
}

static void reaches_the_unreachable(void)
{
    unreachable("no such state");
}

static void asks_for_the_facts_of_ok(void)
{
    err_info(ERR_OK);
}

static void asks_for_the_facts_of_nothing(void)
{
    err_info(ERR_COUNT);
}

static void adds_zero_to_a_map(void)
{
    struct map m;
    map_init(&m);
    map_add(&m, 1, 0);
}

static void takes_nothing_from_a_pool(void)
{
    struct pool p;
    pool_init(&p);
    pool_take(&p, 0);
}

static void takes_too_much_from_a_pool(void)
{
    struct pool p;
    pool_init(&p);
    pool_take(&p, ((size_t)1 << 27) + 1);
}

static void writes_a_time_before_1970(void)
{
    struct buf b;
    buf_init(&b, 100);
    buf_put_time(&b, -1);
}

static void writes_a_time_after_9999(void)
{
    struct buf b;
    buf_init(&b, 100);
    buf_put_time(&b, 253402300800000);
}

static void asks_for_more_memory_than_there_are_numbers(void)
{
    mem_new_array(SIZE_MAX / 2, 3);
}

static void resizes_beyond_all_numbers(void)
{
    mem_resize(NULL, SIZE_MAX, SIZE_MAX);
}

static void a_true_check_says_nothing(void **state)
{
    (void)state;
    struct child_end end;
    child_run(passes_checks, &end);
    assert_int_equal(end.signal, 0);
    assert_int_equal(end.code, 0);
    assert_string_equal(end.text, "");
}

static void a_false_check_names_itself_and_aborts(void **state)
{
    (void)state;
    struct child_end end;
    child_run(fails_a_check, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.text, "check failed: on_hand < 0 at "));
    assert_non_null(strstr(end.text, "check_test.c:"));
    assert_int_equal(end.text[end.len - 1], '\n');
}

static void unreachable_says_why(void **state)
{
    (void)state;
    struct child_end end;
    child_run(reaches_the_unreachable, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.text, "unreachable: no such state"));
}

static void fails_with_a_long_text(void)
{
    static char what[3000];
    memset(what, 'w', sizeof(what) - 1);
    check_failed(what, "file.c", 7);
}

static void a_long_report_is_cut(void **state)
{
    (void)state;
    struct child_end end;
    child_run(fails_with_a_long_text, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_int_equal(end.len, 512);
}

static void fails_on_line_zero(void)
{
    check_failed("what", "file.c", 0);
}

static void fails_on_the_last_line(void)
{
    check_failed("what", "file.c", 2147483647);
}

static void the_line_number_is_written_in_full(void **state)
{
    (void)state;
    struct child_end end;
    child_run(fails_on_line_zero, &end);
    assert_string_equal(end.text, "check failed: what at file.c:0\n");
    child_run(fails_on_the_last_line, &end);
    assert_string_equal(end.text, "check failed: what at file.c:2147483647\n");
}

static void misuse_of_base_stops_the_process(void **state)
{
    (void)state;
    static void (*const misuses[])(void) = {
        asks_for_the_facts_of_ok,   asks_for_the_facts_of_nothing, adds_zero_to_a_map,       takes_nothing_from_a_pool,
        takes_too_much_from_a_pool, writes_a_time_before_1970,     writes_a_time_after_9999,
    };
    for (size_t i = 0; i < ARRAY_LEN(misuses); i++) {
        struct child_end end;
        child_run(misuses[i], &end);
        assert_int_equal(end.signal, SIGABRT);
        assert_non_null(strstr(end.text, "check failed: "));
    }
}

static void memory_that_cannot_be_had_stops_the_process(void **state)
{
    (void)state;
    static void (*const requests[])(void) = {asks_for_more_memory_than_there_are_numbers, resizes_beyond_all_numbers};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct child_end end;
        child_run(requests[i], &end);
        assert_int_equal(end.signal, SIGABRT);
        assert_string_equal(end.text, "out of memory\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_check_says_nothing),
        cmocka_unit_test(a_false_check_names_itself_and_aborts),
        cmocka_unit_test(unreachable_says_why),
        cmocka_unit_test(a_long_report_is_cut),
        cmocka_unit_test(the_line_number_is_written_in_full),
        cmocka_unit_test(misuse_of_base_stops_the_process),
        cmocka_unit_test(memory_that_cannot_be_had_stops_the_process),
    };
    return cmocka_run_group_tests_name("base/check", tests, NULL, NULL);
}
