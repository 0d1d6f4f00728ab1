#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"

#include <stdio.h>

static void assert_holds(const struct buf *b, struct str expected)
{
    struct str got = buf_str(b);
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.ptr, expected.ptr, expected.len);
}

static void a_new_buffer_is_empty_and_holds_no_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_null(b.ptr);
    assert_int_equal(buf_str(&b).len, 0);
    assert_non_null(buf_str(&b).ptr);
    buf_release(&b);
}

static void what_is_put_stands_in_order(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put(&b, "ab", 2);
    buf_put_char(&b, 'c');
    buf_put_str(&b, STR("de"));
    buf_put_str(&b, STR_NONE);
    buf_put_literal(&b, "fg");
    buf_printf(&b, "%d-%s", 7, "x");
    assert_holds(&b, STR("abcdefg7-x"));
    assert_false(b.overflowed);
    buf_release(&b);
}

static void growing_keeps_the_content(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < 100000; i++) {
        buf_put_char(&b, (char)('a' + i % 26));
    }
    assert_int_equal(b.len, 100000);
    assert_true(b.size >= b.len && b.size <= b.size_max);
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(b.ptr[i], 'a' + i % 26);
    }
    buf_release(&b);
}

static void the_ceiling_itself_can_be_reached(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 300);
    for (int i = 0; i < 300; i++) {
        buf_put_char(&b, 'x');
    }
    assert_false(b.overflowed);
    assert_int_equal(b.len, 300);
    assert_int_equal(b.size, 300);
    buf_put_char(&b, 'y');
    assert_true(b.overflowed);
    assert_int_equal(b.len, 300);
    buf_release(&b);
}

static void above_the_ceiling_a_clean_prefix_stays(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_put_literal(&b, "12345");
    buf_put_literal(&b, "6789");
    assert_true(b.overflowed);
    buf_put_literal(&b, "a"); /* would fit, but something before it is missing */
    buf_printf(&b, "b");
    assert_holds(&b, STR("12345"));
    buf_release(&b);
}

static void clearing_forgets_the_overflow_and_keeps_the_memory(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_put_literal(&b, "12345678");
    buf_put_literal(&b, "9");
    const char *memory = b.ptr;
    buf_clear(&b);
    assert_false(b.overflowed);
    buf_put_literal(&b, "abc");
    assert_holds(&b, STR("abc"));
    assert_ptr_equal(b.ptr, memory);
    buf_release(&b);
}

static void reserve_refuses_sizes_that_would_wrap(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_literal(&b, "abc");
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(b.overflowed);
    assert_holds(&b, STR("abc"));
    buf_release(&b);
}

static void reserve_makes_room_that_can_be_written(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    assert_true(buf_reserve(&b, 5000));
    assert_int_equal(b.size, 5000);
    memset(b.ptr, 'z', 5000);
    b.len = 5000;
    assert_true(buf_reserve(&b, 0));
    assert_false(buf_reserve(&b, 1));
    buf_release(&b);
}

static void printf_fits_exactly_and_not_one_byte_more(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_printf(&b, "%s", "0123456789");
    assert_false(b.overflowed);
    assert_holds(&b, STR("0123456789"));
    buf_clear(&b);
    buf_printf(&b, "%s", "0123456789a");
    assert_true(b.overflowed);
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

static void printf_of_any_length_equals_put(void **state)
{
    (void)state;
    char text[1200];
    memset(text, 'q', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        struct buf b;
        buf_init(&b, 1200);
        buf_put_char(&b, '>');
        buf_printf(&b, "%.*s", (int)len, text);
        assert_false(b.overflowed);
        assert_int_equal(b.len, len + 1);
        assert_memory_equal(b.ptr + 1, text, len);
        buf_release(&b);
    }
}

static void integers_are_written_in_full(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {9, "9"},
        {10, "10"},
        {-10, "-10"},
        {99, "99"},
        {100, "100"},
        {1000000000000, "1000000000000"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 64);
        buf_put_i64(&b, rows[i].v);
        assert_holds(&b, str_from(rows[i].text));
        buf_release(&b);
    }
}

static void unsigned_integers_are_written_in_full(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    buf_put_u64(&b, 0);
    buf_put_char(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    assert_holds(&b, STR("0 18446744073709551615"));
    buf_release(&b);
}

static void integers_agree_with_printf(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 11);
    for (int i = 0; i < 20000; i++) {
        int64_t v = (int64_t)random_u64(&r) >> random_below(&r, 64);
        char expected[32];
        int len = snprintf(expected, sizeof(expected), "%lld", (long long)v);
        struct buf b;
        buf_init(&b, 64);
        buf_put_i64(&b, v);
        assert_holds(&b, (struct str){expected, (size_t)len});
        buf_release(&b);
    }
}

static void json_strings_escape_what_json_needs(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b", 3}, "\"a\\\"b\""},
        {{"a\\b", 3}, "\"a\\\\b\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0", 1}, "\"\\u0000\""},
        {{"\x01\x1f\x7f", 3}, "\"\\u0001\\u001f\x7f\""},
        {{"</script>&", 10}, "\"</script>&\""},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80", 9}, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80\""},
        {{"\xe2\x80\xa8\xe2\x80\xa9", 6}, "\"\xe2\x80\xa8\xe2\x80\xa9\""},
        {{"12345678\"", 9}, "\"12345678\\\"\""},
        {{"1234567\"8", 9}, "\"1234567\\\"8\""},
        {{"\"\"\"\"\"\"\"\"\"", 9}, "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 128);
        buf_put_json(&b, rows[i].in);
        assert_holds(&b, str_from(rows[i].out));
        buf_release(&b);
    }
}

/* One byte at a time, as the standard reads (RFC 8259 section 7). */
static void put_json_plainly(struct buf *b, struct str s)
{
    buf_put_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            buf_put_char(b, '\\');
            buf_put_char(b, s.ptr[i]);
        } else if (c >= 0x20) {
            buf_put_char(b, s.ptr[i]);
        } else if (c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t') {
            buf_put_char(b, '\\');
            buf_put_char(b, c == '\b' ? 'b' : c == '\f' ? 'f' : c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        } else {
            buf_printf(b, "\\u%04x", c);
        }
    }
    buf_put_char(b, '"');
}

static void json_strings_are_right_at_every_length_and_place(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 12);
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t len = random_below(&r, sizeof(text));
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(random_below(&r, 4) == 0 ? random_below(&r, 256) : 'a');
        }
        struct buf got;
        struct buf expected;
        buf_init(&got, 1000);
        buf_init(&expected, 1000);
        buf_put_json(&got, (struct str){text, len});
        put_json_plainly(&expected, (struct str){text, len});
        assert_holds(&got, buf_str(&expected));
        buf_release(&got);
        buf_release(&expected);
    }
}

static void a_json_string_that_does_not_fit_overflows(void **state)
{
    (void)state;
    for (size_t size_max = 0; size_max < 12; size_max++) {
        struct buf b;
        buf_init(&b, size_max);
        buf_put_json(&b, STR("abc\ndefg")); /* 11 bytes with quotes and escape */
        assert_int_equal(b.overflowed, size_max < 11);
        assert_true(b.len <= size_max);
        buf_release(&b);
    }
}

static void times_are_written_as_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    buf_put_time(&b, 1795443683045);
    assert_holds(&b, STR("2026-11-23T14:21:23.045Z"));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_is_empty_and_holds_no_memory),
        cmocka_unit_test(what_is_put_stands_in_order),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(the_ceiling_itself_can_be_reached),
        cmocka_unit_test(above_the_ceiling_a_clean_prefix_stays),
        cmocka_unit_test(clearing_forgets_the_overflow_and_keeps_the_memory),
        cmocka_unit_test(reserve_refuses_sizes_that_would_wrap),
        cmocka_unit_test(reserve_makes_room_that_can_be_written),
        cmocka_unit_test(printf_fits_exactly_and_not_one_byte_more),
        cmocka_unit_test(printf_of_any_length_equals_put),
        cmocka_unit_test(integers_are_written_in_full),
        cmocka_unit_test(unsigned_integers_are_written_in_full),
        cmocka_unit_test(integers_agree_with_printf),
        cmocka_unit_test(json_strings_escape_what_json_needs),
        cmocka_unit_test(json_strings_are_right_at_every_length_and_place),
        cmocka_unit_test(a_json_string_that_does_not_fit_overflows),
        cmocka_unit_test(times_are_written_as_text),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
