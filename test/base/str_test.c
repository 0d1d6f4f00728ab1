#include "test.h"

#include "base/limits.h"
#include "base/random.h"
#include "base/str.h"

#include <pthread.h>

static void absent_and_empty_are_told_apart(void **state)
{
    (void)state;
    assert_true(str_is_absent(STR_NONE));
    assert_true(str_is_absent(str_from(NULL)));
    assert_false(str_is_absent(STR("")));
    assert_true(str_equal(STR_NONE, STR("")));
    assert_int_equal(str_from("abc").len, 3);
}

static void equality_is_by_bytes(void **state)
{
    (void)state;
    assert_true(str_equal(STR("abc"), str_from("abc")));
    assert_false(str_equal(STR("abc"), STR("abd")));
    assert_false(str_equal(STR("abc"), STR("ab")));
    assert_false(str_equal(STR("abc"), STR("ABC")));
    assert_true(str_equal(STR("a\0b"), STR("a\0b")));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));
}

static void order_is_by_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    static const struct str sorted[] = {{"", 0},    {"\0", 1}, {"A", 1},    {"AB", 2},       {"B", 1},   {"a", 1},
                                        {"a\0", 2}, {"aa", 2}, {"\x7f", 1}, {"\xc3\xa4", 2}, {"\xff", 1}};
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        for (size_t j = 0; j < ARRAY_LEN(sorted); j++) {
            int order = str_compare(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(str_compare(STR_NONE, STR("")), 0);
}

static void the_hash_depends_on_all_bytes_and_the_length(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof(text));
    uint64_t last = str_hash(STR_NONE);
    assert_int_equal(last, str_hash(STR("")));
    for (size_t len = 1; len <= sizeof(text); len++) {
        uint64_t h = str_hash((struct str){text, len});
        assert_int_equal(h, str_hash((struct str){text, len}));
        assert_true(h != last);
        text[len / 2] = 'b';
        assert_true(h != str_hash((struct str){text, len}));
        text[len / 2] = 'a';
        last = h;
    }
}

static void *hash_on_a_thread(void *out)
{
    *(uint64_t *)out = str_hash(STR("same everywhere"));
    return NULL;
}

static void all_threads_hash_with_one_seed(void **state)
{
    (void)state;
    pthread_t threads[8];
    uint64_t hashes[8];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_on_a_thread, &hashes[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(hashes[i], str_hash(STR("same everywhere")));
    }
}

static void digits_become_a_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"0", 0, true, 0},
        {"0", 10, true, 0},
        {"1", 10, true, 1},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"1", 0, false, 0},
        {"100", 10, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"18446744073709551620", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"184467440737095516150", UINT64_MAX, false, 0},
        {"9223372036854775807", INT64_MAX, true, INT64_MAX},
        {"9223372036854775808", INT64_MAX, false, 0},
        {"", 10, false, 0},
        {"00", 10, false, 0},
        {"01", 10, false, 0},
        {"+1", 10, false, 0},
        {"-1", 10, false, 0},
        {"-0", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"1.0", 10, false, 0},
        {"1e1", 10, false, 0},
        {"0x1", 10, false, 0},
        {"a", 10, false, 0},
        {"/", 10, false, 0},
        {":", 10, false, 0},
        {"\xd9\xa1", 10, false, 0}, /* ARABIC-INDIC DIGIT ONE */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 77;
        assert_int_equal(str_to_u64(str_from(rows[i].text), rows[i].max, &v), rows[i].ok);
        assert_int_equal(v, rows[i].ok ? rows[i].value : 77);
    }
    uint64_t v;
    assert_false(str_to_u64(STR_NONE, 10, &v));
    assert_false(str_to_u64(STR("1\0"), 1000, &v));
}

struct utf8_row {
    struct str s;
    bool ok;
};

#define GOOD(text)                       \
    {                                    \
        {(text), sizeof(text) - 1}, true \
    }
#define BAD(text)                         \
    {                                     \
        {(text), sizeof(text) - 1}, false \
    }

static void utf8_is_checked_to_the_letter(void **state)
{
    (void)state;
    static const struct utf8_row rows[] = {
        GOOD(""),
        GOOD("plain"),
        GOOD("\0"),
        GOOD("\x7f"),
        BAD("\x80"),
        BAD("\xbf"),
        BAD("\xc0\x80"), /* overlong NUL */
        BAD("\xc0\xaf"), /* overlong / */
        BAD("\xc1\xbf"),
        GOOD("\xc2\x80"),
        GOOD("\xdf\xbf"),
        BAD("\xc2"),
        BAD("\xc2x"),
        BAD("\xc2\xc2"),
        BAD("\xe0\x80\xaf"), /* overlong / */
        BAD("\xe0\x9f\xbf"),
        GOOD("\xe0\xa0\x80"),
        BAD("\xe0\xa0"),
        BAD("\xe2\x82"),
        BAD("\xe2\x82x"),
        BAD("\xe2(\xa1"),
        GOOD("\xe2\x82\xac"),
        GOOD("\xed\x9f\xbf"),
        BAD("\xed\xa0\x80"), /* U+D800 */
        BAD("\xed\xaf\xbf"),
        BAD("\xed\xb0\x80"),
        BAD("\xed\xbf\xbf"),             /* U+DFFF */
        BAD("\xed\xa0\xbd\xed\xb8\x80"), /* a surrogate pair is not UTF-8 */
        GOOD("\xee\x80\x80"),
        GOOD("\xef\xbf\xbd"),
        GOOD("\xef\xbf\xbf"), /* a noncharacter is well-formed */
        BAD("\xf0\x80\x80\xaf"),
        BAD("\xf0\x8f\xbf\xbf"),
        GOOD("\xf0\x90\x80\x80"),
        GOOD("\xf0\x9f\x9a\x80"),
        BAD("\xf0\x9f\x9a"),
        BAD("\xf0\x9f\x9ax"),
        GOOD("\xf4\x8f\xbf\xbf"), /* U+10FFFF */
        BAD("\xf4\x90\x80\x80"),
        BAD("\xf5\x80\x80\x80"),
        BAD("\xf8\x88\x80\x80\x80"),
        BAD("\xfc\x84\x80\x80\x80\x80"),
        BAD("\xfe"),
        BAD("\xff"),
        BAD("ok\xff"),
        BAD("\xffok"),
        GOOD("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80z"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(str_is_utf8(rows[i].s), rows[i].ok);
    }
    assert_true(str_is_utf8(STR_NONE));
}

static size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void every_scalar_value_is_utf8_and_no_surrogate_is(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char text[4];
        size_t len = utf8_encode(c, text);
        assert_int_equal(str_is_utf8((struct str){text, len}), c < 0xd800 || c > 0xdfff);
    }
}

/* All strings of three bytes: as many are well-formed as the definition allows. */
static void the_count_of_well_formed_three_byte_strings_is_right(void **state)
{
    (void)state;
    const uint64_t one = 128;
    const uint64_t two = 0x800 - 0x80;
    const uint64_t three = 0x10000 - 0x800 - 0x800;
    uint64_t count = 0;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        char text[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        count += str_is_utf8((struct str){text, 3});
    }
    assert_int_equal(count, one * one * one + 2 * one * two + three);
}

/* What no text may hold, by code point. */
static bool is_forbidden_in_text(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f}, {0x7f, 0x9f}, {0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static bool is_white_space(uint32_t c)
{
    static const uint32_t spaces[] = {0x20,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
                                      0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x202f, 0x205f, 0x3000};
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        if (c == spaces[i]) {
            return true;
        }
    }
    return false;
}

static void each_character_is_judged_in_the_middle_and_at_the_ends(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }
        char text[8] = {'a'};
        size_t len = utf8_encode(c, text + 1);
        text[1 + len] = 'b';
        bool text_ok = !is_forbidden_in_text(c);
        bool sku_ok = text_ok && c != 0x200b && c != 0xfeff;
        assert_int_equal(str_is_text((struct str){text, len + 2}), text_ok);
        assert_int_equal(str_is_sku((struct str){text, len + 2}), sku_ok);
        sku_ok = sku_ok && !is_white_space(c);
        assert_int_equal(str_is_sku((struct str){text, len + 1}), sku_ok);
        assert_int_equal(str_is_sku((struct str){text + 1, len + 1}), sku_ok);
        assert_int_equal(str_is_sku((struct str){text + 1, len}), sku_ok);
        assert_int_equal(str_is_text((struct str){text + 1, len}), text_ok);
    }
}

static void a_sku_has_1_to_64_bytes(void **state)
{
    (void)state;
    char text[70];
    memset(text, 'S', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        assert_int_equal(str_is_sku((struct str){text, len}), len >= 1 && len <= SKU_BYTES_MAX);
    }
    assert_false(str_is_sku(STR_NONE));
    assert_true(str_is_sku(STR("85123A")));
    assert_true(str_is_sku(STR("T-Shirt rot / Gr\xc3\xb6\xc3\x9f"
                               "e L")));
    assert_false(str_is_sku(STR("a\xff")));
    assert_false(str_is_sku(STR("a\xc3")));
}

static void text_may_have_any_length(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof(text));
    assert_true(str_is_text(STR("")));
    assert_true(str_is_text((struct str){text, sizeof(text)}));
    text[99999] = '\n';
    assert_false(str_is_text((struct str){text, sizeof(text)}));
}

static void a_location_is_made_of_plain_characters(void **state)
{
    (void)state;
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (int c = 0; c < 256; c++) {
        char text = (char)c;
        assert_int_equal(str_is_location((struct str){&text, 1}), c != 0 && strchr(allowed, c) != NULL);
    }
    char text[70];
    memset(text, 'L', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        assert_int_equal(str_is_location((struct str){text, len}), len >= 1 && len <= LOCATION_BYTES_MAX);
    }
    assert_false(str_is_location(STR_NONE));
    assert_false(str_is_location(STR("berlin ")));
    assert_true(str_is_location(STR("store-12.a_B")));
}

static void a_cut_never_splits_a_character(void **state)
{
    (void)state;
    struct str s = STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80z"); /* 1 + 2 + 3 + 4 + 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t len_max = 0; len_max < ARRAY_LEN(expected); len_max++) {
        assert_int_equal(str_utf8_cut(s, len_max), expected[len_max]);
    }
    assert_int_equal(str_utf8_cut(STR_NONE, 5), 0);
    assert_true(str_utf8_cut(STR("\x80\x80\x80\x80\x80\x80\x80\x80"), 7) <= 7);
}

static void blanks_at_the_ends_are_trimmed(void **state)
{
    (void)state;
    assert_true(str_equal(str_trim(STR(" \t a b\t ")), STR("a b")));
    assert_true(str_equal(str_trim(STR("a")), STR("a")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim(STR("")).len, 0);
    assert_true(str_is_absent(str_trim(STR_NONE)));
    assert_true(str_equal(str_trim(STR("\na")), STR("\na")));
}

/* Each byte at each place of texts that are shorter, as long and longer than what is looked at at once. */
static void control_characters_are_found_wherever_they_are(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 20; len++) {
        char text[20];
        for (size_t at = 0; at < len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(text, (int)(0x80 + byte % 0x7f), sizeof(text));
                text[at] = (char)byte;
                bool expected = byte < 0x20 || byte == 0x7f;
                if (str_has_control((struct str){text, len}) != expected) {
                    fail_msg("byte %u at %zu of %zu", byte, at, len);
                }
            }
        }
    }
    assert_false(str_has_control(STR("")));
    assert_false(str_has_control(STR_NONE));
    assert_true(str_has_control(STR("eight 8\tb")));
}

static void numbers_are_written_in_decimal(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *text;
    } rows[] = {{0, "0"}, {7, "7"}, {10, "10"}, {1234567890, "1234567890"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char room[U64_DIGITS_MAX];
        assert_true(str_equal(str_from_u64(rows[i].v, room), str_from(rows[i].text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_at_the_ends_are_trimmed),
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(absent_and_empty_are_told_apart),
        cmocka_unit_test(equality_is_by_bytes),
        cmocka_unit_test(order_is_by_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(the_hash_depends_on_all_bytes_and_the_length),
        cmocka_unit_test(all_threads_hash_with_one_seed),
        cmocka_unit_test(digits_become_a_number),
        cmocka_unit_test(utf8_is_checked_to_the_letter),
        cmocka_unit_test(every_scalar_value_is_utf8_and_no_surrogate_is),
        cmocka_unit_test(the_count_of_well_formed_three_byte_strings_is_right),
        cmocka_unit_test(each_character_is_judged_in_the_middle_and_at_the_ends),
        cmocka_unit_test(a_sku_has_1_to_64_bytes),
        cmocka_unit_test(text_may_have_any_length),
        cmocka_unit_test(a_location_is_made_of_plain_characters),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(control_characters_are_found_wherever_they_are),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
