#include "load/histogram.h"

#include "test.h"

static void an_empty_histogram_says_zero(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_percentile_us(&h, 50), 0);
    assert_int_equal(histogram_percentile_us(&h, 100), 0);
    assert_int_equal(h.max_us, 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    for (int64_t us = 1; us <= 60; us++) {
        histogram_add(&h, us);
    }
    assert_int_equal(h.count, 60);
    assert_int_equal(histogram_percentile_us(&h, 50), 30);
    assert_int_equal(histogram_percentile_us(&h, 90), 54);
    assert_int_equal(histogram_percentile_us(&h, 100), 60);
}

/* For every size of value: never below the truth, and at most 1/32 above it. */
static void a_percentile_is_near_the_true_value(void **state)
{
    (void)state;
    for (int64_t us = 1; us < ((int64_t)1 << 34); us = us * 3 / 2 + 1) {
        struct histogram h;
        histogram_init(&h);
        histogram_add(&h, us);
        histogram_add(&h, us * 2); /* else the greatest value would answer */
        int64_t found = histogram_percentile_us(&h, 50);
        assert_true(found >= us);
        assert_true(found <= us + us / 32);
    }
}

static void values_beyond_the_last_bucket_are_kept_as_the_maximum(void **state)
{
    (void)state;
    struct histogram h;
    histogram_init(&h);
    histogram_add(&h, -5);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(h.count, 2);
    assert_int_equal(histogram_percentile_us(&h, 50), 0);
    assert_true(histogram_percentile_us(&h, 100) == INT64_MAX);
}

static void merging_is_the_same_as_adding_all(void **state)
{
    (void)state;
    struct histogram all, left, right;
    histogram_init(&all);
    histogram_init(&left);
    histogram_init(&right);
    for (int64_t i = 0; i < 1000; i++) {
        int64_t us = (i * 7919) % 100000;
        histogram_add(&all, us);
        histogram_add(i % 3 == 0 ? &left : &right, us);
    }
    histogram_merge(&left, &right);
    assert_memory_equal(&left, &all, sizeof(all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_says_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(a_percentile_is_near_the_true_value),
        cmocka_unit_test(values_beyond_the_last_bucket_are_kept_as_the_maximum),
        cmocka_unit_test(merging_is_the_same_as_adding_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
