#include "test.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void assert_time_text(int64_t ms, const char *expected)
{
    char text[TIME_TEXT_LEN + 1];
    text[TIME_TEXT_LEN] = 'X';
    time_to_text(ms, text);
    assert_int_equal(text[TIME_TEXT_LEN], 'X');
    int64_t again;
    assert_true(time_from_text(text, &again));
    assert_int_equal(again, ms);
    text[TIME_TEXT_LEN] = '\0';
    assert_string_equal(text, expected);
}

static void only_the_text_of_a_time_is_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1969-12-31T23:59:59.999Z", "0000-00-00T00:00:00.000Z", "2025-02-29T00:00:00.000Z", "2025-13-01T00:00:00.000Z",
        "2025-00-01T00:00:00.000Z", "2025-04-31T00:00:00.000Z", "2025-04-00T00:00:00.000Z", "2025-04-01T24:00:00.000Z",
        "2025-04-01T00:60:00.000Z", "2025-04-01T00:00:60.000Z", "2025-04-01t00:00:00.000Z", "2025-04-01T00:00:00.000z",
        "2025-04-01 00:00:00.000Z", "2025-04-01T00:00:00,000Z", "2025-04-01T00:00:00.0 0Z", "2O25-04-01T00:00:00.000Z",
        "9999-12-32T00:00:00.000Z", "9999-12-99T99:99:99.999Z", "                        ",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t ms = -7;
        assert_int_equal(strlen(texts[i]), TIME_TEXT_LEN);
        assert_false(time_from_text(texts[i], &ms));
        assert_int_equal(ms, -7);
    }
}

static void time_text_knows_the_calendar(void **state)
{
    (void)state;
    assert_time_text(0, "1970-01-01T00:00:00.000Z");
    assert_time_text(1, "1970-01-01T00:00:00.001Z");
    assert_time_text(86399999, "1970-01-01T23:59:59.999Z");
    assert_time_text(86400000, "1970-01-02T00:00:00.000Z");
    assert_time_text(951782400000, "2000-02-29T00:00:00.000Z"); /* a leap year: divisible by 400 */
    assert_time_text(951868800000, "2000-03-01T00:00:00.000Z");
    assert_time_text(1709164800000, "2024-02-29T00:00:00.000Z");
    assert_time_text(1735689599999, "2024-12-31T23:59:59.999Z");
    assert_time_text(1735689600000, "2025-01-01T00:00:00.000Z");
    assert_time_text(4107542399999, "2100-02-28T23:59:59.999Z"); /* not a leap year */
    assert_time_text(4107542400000, "2100-03-01T00:00:00.000Z");
    assert_time_text(TIME_MS_MAX, "9999-12-31T23:59:59.999Z");
}

static void assert_agrees_with_libc(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    assert_non_null(gmtime_r(&seconds, &t));
    char expected[64];
    size_t len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(expected + len, sizeof(expected) - len, ".%03dZ", (int)(ms % 1000));
    assert_time_text(ms, expected);
}

static void time_text_agrees_with_libc_on_each_day_of_500_years(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 500 * 366; day++) {
        assert_agrees_with_libc(day * 86400000);
    }
}

static void time_text_agrees_with_libc_at_random_times(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 1);
    for (int i = 0; i < 50000; i++) {
        assert_agrees_with_libc((int64_t)random_below(&r, TIME_MS_MAX + 1));
    }
}

static void the_monotonic_clock_never_runs_backwards(void **state)
{
    (void)state;
    int64_t last_ns = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now_ns = clock_mono_ns();
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

static void the_units_of_the_monotonic_clock_agree(void **state)
{
    (void)state;
    int64_t before_ns = clock_mono_ns();
    int64_t us = clock_mono_us();
    int64_t ms = clock_mono_ms();
    int64_t after_ns = clock_mono_ns();
    assert_true(us >= before_ns / 1000 && us <= after_ns / 1000);
    assert_true(ms >= before_ns / 1000000 && ms <= after_ns / 1000000);
}

static void the_wall_clock_is_the_time_of_the_system(void **state)
{
    (void)state;
    int64_t before_s = (int64_t)time(NULL);
    int64_t wall_ms = clock_wall_ms();
    assert_true(wall_ms >= (before_s - 2) * 1000 && wall_ms <= (before_s + 3600) * 1000);
}

static void ledger_time_starts_at_the_wall_clock(void **state)
{
    (void)state;
    struct ledger_clock c;
    int64_t before_ms = clock_wall_ms();
    ledger_clock_init(&c, 0);
    assert_true(c.base_ms >= before_ms && c.base_ms <= clock_wall_ms());
}

static void ledger_time_starts_at_the_stored_time_when_that_is_later(void **state)
{
    (void)state;
    struct ledger_clock c;
    int64_t stored_ms = clock_wall_ms() + 365LL * 86400000;
    ledger_clock_init(&c, stored_ms);
    assert_int_equal(c.base_ms, stored_ms);
    assert_true(ledger_clock_now_ms(&c) >= stored_ms);
}

static void ledger_time_follows_the_monotonic_clock(void **state)
{
    (void)state;
    struct ledger_clock c = {.base_ms = 5000, .mono_base_ms = clock_mono_ms() - 70};
    int64_t now_ms = ledger_clock_now_ms(&c);
    assert_true(now_ms >= 5070);
    assert_true(now_ms <= 5000 + clock_mono_ms() - c.mono_base_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_text_knows_the_calendar),
        cmocka_unit_test(only_the_text_of_a_time_is_taken),
        cmocka_unit_test(time_text_agrees_with_libc_on_each_day_of_500_years),
        cmocka_unit_test(time_text_agrees_with_libc_at_random_times),
        cmocka_unit_test(the_monotonic_clock_never_runs_backwards),
        cmocka_unit_test(the_units_of_the_monotonic_clock_agree),
        cmocka_unit_test(the_wall_clock_is_the_time_of_the_system),
        cmocka_unit_test(ledger_time_starts_at_the_wall_clock),
        cmocka_unit_test(ledger_time_starts_at_the_stored_time_when_that_is_later),
        cmocka_unit_test(ledger_time_follows_the_monotonic_clock),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
