#include "test.h"

#include "base/random.h"

#include <stdlib.h>

static int64_t ms_of(struct uuid id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | id.bytes[i];
    }
    return ms;
}

static bool rises(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) < 0;
}

static void an_id_carries_its_time_version_and_variant(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 1);
    static const int64_t times[] = {0, 1, 255, 256, 1795443683045, (1LL << 48) - 2};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct uuid id = uuid7_next(&g, times[i]);
        assert_int_equal(ms_of(id), times[i]);
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
    }
}

static void ids_rise_within_one_millisecond(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 2);
    struct uuid last = uuid7_next(&g, 1000);
    for (int i = 0; i < 100000; i++) {
        struct uuid id = uuid7_next(&g, 1000);
        assert_true(rises(last, id));
        last = id;
    }
    assert_true(ms_of(last) <= 1000 + 100000 / 2048 + 1);
}

static void ids_rise_when_the_clock_goes_back_and_forth(void **state)
{
    (void)state;
    struct uuid7 g;
    struct random r;
    uuid7_init(&g, 3);
    random_init(&r, 3);
    struct uuid last = uuid7_next(&g, 5000);
    for (int i = 0; i < 100000; i++) {
        struct uuid id = uuid7_next(&g, 5000 + i / 100 + (int64_t)random_below(&r, 50) - 25);
        assert_true(rises(last, id));
        last = id;
    }
}

static void a_later_clock_is_followed_again(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 4);
    for (int i = 0; i < 10000; i++) {
        uuid7_next(&g, 7);
    }
    assert_int_equal(ms_of(uuid7_next(&g, 9000)), 9000);
}

static void one_seed_gives_the_same_ids(void **state)
{
    (void)state;
    struct uuid7 a;
    struct uuid7 b;
    struct uuid7 c;
    uuid7_init(&a, 9);
    uuid7_init(&b, 9);
    uuid7_init(&c, 10);
    for (int64_t ms = 0; ms < 1000; ms++) {
        struct uuid id = uuid7_next(&a, ms / 3);
        assert_true(uuid_equal(id, uuid7_next(&b, ms / 3)));
        assert_false(uuid_equal(id, uuid7_next(&c, ms / 3)));
    }
}

static void the_random_part_uses_all_its_bits(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 11);
    uint8_t ones[16] = {0};
    uint8_t zeros[16] = {0};
    for (int i = 0; i < 200; i++) {
        struct uuid id = uuid7_next(&g, i);
        for (size_t at = 0; at < 16; at++) {
            ones[at] |= id.bytes[at];
            zeros[at] |= (uint8_t)~id.bytes[at];
        }
    }
    for (size_t at = 9; at < 16; at++) {
        assert_int_equal(ones[at], 0xff);
        assert_int_equal(zeros[at], 0xff);
    }
    assert_int_equal(ones[8], 0xbf);
}

static void text_is_canonical_and_parses_back(void **state)
{
    (void)state;
    struct uuid id = {{0x01, 0x9a, 0x0b, 0xcd, 0xef, 0x12, 0x7a, 0xbc, 0x8d, 0xef, 0, 1, 2, 0xfd, 0xfe, 0xff}};
    char text[UUID_TEXT_LEN + 1] = {0};
    uuid_to_text(id, text);
    assert_string_equal(text, "019a0bcd-ef12-7abc-8def-000102fdfeff");
    struct uuid back;
    assert_true(uuid_parse(str_from(text), &back));
    assert_true(uuid_equal(id, back));
}

static void every_id_survives_the_way_over_text(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 12);
    for (int i = 0; i < 10000; i++) {
        struct uuid id = uuid7_next(&g, (int64_t)i * 1000003);
        char text[UUID_TEXT_LEN];
        uuid_to_text(id, text);
        struct uuid back;
        assert_true(uuid_parse((struct str){text, sizeof(text)}, &back));
        assert_true(uuid_equal(id, back));
    }
}

static void upper_case_is_accepted(void **state)
{
    (void)state;
    struct uuid lower;
    struct uuid upper;
    assert_true(uuid_parse(STR("019a0bcd-ef12-7abc-8def-000102fdfeff"), &lower));
    assert_true(uuid_parse(STR("019A0BCD-EF12-7aBc-8DEF-000102FDFEFF"), &upper));
    assert_true(uuid_equal(lower, upper));
}

static void anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "019a0bcd-ef12-7abc-8def-000102fdfef",
        "019a0bcd-ef12-7abc-8def-000102fdfeff0",
        "019a0bcdef127abc8def000102fdfeff",
        "{019a0bcd-ef12-7abc-8def-000102fdfe}",
        "019a0bcd-ef12-7abc-8def-000102fdfefg",
        "g19a0bcd-ef12-7abc-8def-000102fdfeff",
        "019a0bcd-ef12-7abc-8def 000102fdfeff",
        "019a0bcd_ef12-7abc-8def-000102fdfeff",
        "019a0bc-def12-7abc-8def-000102fdfeff",
        "019a0bcd-ef12-7abc-8def-000102fdfe-f",
        " 19a0bcd-ef12-7abc-8def-000102fdfeff",
        "019a0bcd-ef12-7abc-8def-000102fdfe\xc3\xa4",
        "019a0bcd-ef12-7abc-8def-00010@fdfeff",
        "019a0bcd-ef12-7abc-8def-00010`fdfeff",
        "019a0bcd-ef12-7abc-8def-00010/fdfeff",
        "019a0bcd-ef12-7abc-8def-00010:fdfeff",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct uuid out = {{0xaa}};
        assert_false(uuid_parse(str_from(rows[i]), &out));
        assert_int_equal(out.bytes[0], 0xaa);
    }
    struct uuid out;
    assert_false(uuid_parse(STR_NONE, &out));
    assert_false(uuid_parse((struct str){"019a0bcd-ef12-7abc-8def-0001\0 2fdfeff", UUID_TEXT_LEN}, &out));
}

static void ids_that_differ_in_one_bit_have_other_hashes(void **state)
{
    (void)state;
    struct uuid7 g;
    uuid7_init(&g, 13);
    struct uuid id = uuid7_next(&g, 1795443683045);
    assert_int_equal(uuid_hash(id), uuid_hash(id));
    for (int bit = 0; bit < 128; bit++) {
        struct uuid other = id;
        other.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(uuid_equal(id, other));
        int differing = __builtin_popcountll(uuid_hash(id) ^ uuid_hash(other));
        assert_true(differing > 0);
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void hashes_of_many_ids_do_not_meet(void **state)
{
    (void)state;
    static uint64_t hashes[100000];
    struct uuid7 g;
    uuid7_init(&g, 14);
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        hashes[i] = uuid_hash(uuid7_next(&g, (int64_t)i / 50));
    }
    qsort(hashes, ARRAY_LEN(hashes), sizeof(hashes[0]), compare_u64);
    for (size_t i = 1; i < ARRAY_LEN(hashes); i++) {
        assert_true(hashes[i] != hashes[i - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_carries_its_time_version_and_variant),
        cmocka_unit_test(ids_rise_within_one_millisecond),
        cmocka_unit_test(ids_rise_when_the_clock_goes_back_and_forth),
        cmocka_unit_test(a_later_clock_is_followed_again),
        cmocka_unit_test(one_seed_gives_the_same_ids),
        cmocka_unit_test(the_random_part_uses_all_its_bits),
        cmocka_unit_test(text_is_canonical_and_parses_back),
        cmocka_unit_test(every_id_survives_the_way_over_text),
        cmocka_unit_test(upper_case_is_accepted),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(ids_that_differ_in_one_bit_have_other_hashes),
        cmocka_unit_test(hashes_of_many_ids_do_not_meet),
    };
    return cmocka_run_group_tests_name("base/uuid", tests, NULL, NULL);
}
