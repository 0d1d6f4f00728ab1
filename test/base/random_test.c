#include "test.h"

#include "base/random.h"

static void one_seed_gives_one_sequence(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    random_init(&a, 42);
    random_init(&b, 42);
    random_init(&c, 43);
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_u64(&a);
        assert_int_equal(v, random_u64(&b));
        differ += v != random_u64(&c);
    }
    assert_int_equal(differ, 1000);
}

/* The first values for the state 1, 2, 3, 4, which the definition fixes: rotl(s1 * 5, 7) * 9, then the state moves. */
static void the_generator_is_xoshiro256_starstar(void **state)
{
    (void)state;
    struct random r = {.s = {1, 2, 3, 4}};
    static const uint64_t expected[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(random_u64(&r), expected[i]);
    }
}

/* The published first output of SplitMix64 from zero. */
static void the_seed_is_spread_by_splitmix64(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 0);
    assert_int_equal(r.s[0], 0xe220a8397b1dcdafULL);
    assert_int_equal(r.s[1], 0x6e789e6aa1b965f4ULL);
}

static void every_bit_comes_up_about_half_the_time(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 5);
    int ones[64] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t v = random_u64(&r);
        for (int bit = 0; bit < 64; bit++) {
            ones[bit] += (int)(v >> bit & 1);
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        assert_in_range(ones[bit], 4700, 5300); /* six standard deviations */
    }
}

static void below_stays_below_and_reaches_every_value(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 6);
    for (uint64_t bound = 1; bound <= 20; bound++) {
        int seen[20] = {0};
        for (int i = 0; i < 20000; i++) {
            uint64_t v = random_below(&r, bound);
            assert_true(v < bound);
            seen[v]++;
        }
        for (uint64_t v = 0; v < bound; v++) {
            int expected = (int)(20000 / bound);
            assert_in_range(seen[v], expected - expected / 4 - 1, expected + expected / 4 + 1);
        }
    }
}

/* With 3/4 of the range, a plain remainder would give the lowest third twice as often. */
static void below_has_no_bias_for_huge_bounds(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 7);
    uint64_t bound = 3ULL << 62;
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t v = random_below(&r, bound);
        assert_true(v < bound);
        low += v < bound / 3;
    }
    assert_in_range(low, 9500, 10500);
    assert_true(random_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void seeds_of_the_kernel_differ(void **state)
{
    (void)state;
    uint64_t a = random_seed();
    uint64_t b = random_seed();
    assert_true(a != b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(the_seed_is_spread_by_splitmix64),
        cmocka_unit_test(every_bit_comes_up_about_half_the_time),
        cmocka_unit_test(below_stays_below_and_reaches_every_value),
        cmocka_unit_test(below_has_no_bias_for_huge_bounds),
        cmocka_unit_test(seeds_of_the_kernel_differ),
    };
    return cmocka_run_group_tests_name("base/random", tests, NULL, NULL);
}
