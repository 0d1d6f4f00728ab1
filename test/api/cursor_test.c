#include "api/cursor.h"

#include "test.h"

#include <string.h>

static void check_round_trip(struct str key, const char *expected)
{
    struct buf cursor;
    char room[CURSOR_KEY_BYTES_MAX];
    struct str back;
    buf_init(&cursor, 128);
    cursor_put(&cursor, key);
    if (expected != NULL) {
        assert_true(str_equal(buf_str(&cursor), str_from(expected)));
    }
    assert_true(cursor_parse(buf_str(&cursor), room, &back));
    assert_true(str_equal(back, key));
    buf_release(&cursor);
}

static void a_key_comes_back_from_its_cursor(void **state)
{
    (void)state;
    check_round_trip(STR("f"), "Zg");
    check_round_trip(STR("fo"), "Zm8");
    check_round_trip(STR("foo"), "Zm9v");
    check_round_trip(STR("foob"), "Zm9vYg");
    check_round_trip(STR("\xff\xfe\xfd"), "__79");
    char longest[CURSOR_KEY_BYTES_MAX];
    memset(longest, 'x', sizeof(longest));
    check_round_trip((struct str){longest, sizeof(longest)}, NULL);
}

static void what_no_cursor_says_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "Z", "Zh", "Zm9", "Zg==", "Z g", "Zm9v+", "Zm9v/", "!!", "Zm9vZ", "Zm9vA"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char room[CURSOR_KEY_BYTES_MAX];
        struct str key;
        if (cursor_parse(str_from(bad[i]), room, &key)) {
            fail_msg("%s was taken", bad[i]);
        }
    }
    char longer[2 * CURSOR_KEY_BYTES_MAX];
    memset(longer, 'A', sizeof(longer));
    char room[CURSOR_KEY_BYTES_MAX];
    struct str key;
    assert_false(cursor_parse((struct str){longer, sizeof(longer)}, room, &key));
}

static void a_seq_comes_back_and_other_text_is_no_seq(void **state)
{
    (void)state;
    static const uint64_t seqs[] = {0, 1, 10, 4711, INT64_MAX};
    struct buf cursor;
    uint64_t seq;
    buf_init(&cursor, 128);
    for (size_t i = 0; i < ARRAY_LEN(seqs); i++) {
        buf_clear(&cursor);
        cursor_put_seq(&cursor, seqs[i]);
        assert_true(cursor_parse_seq(buf_str(&cursor), &seq));
        assert_true(seq == seqs[i]);
    }
    static const char *const keys[] = {"x", "-1", "1 ", "01", "9223372036854775808"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        buf_clear(&cursor);
        cursor_put(&cursor, str_from(keys[i]));
        assert_false(cursor_parse_seq(buf_str(&cursor), &seq));
    }
    buf_release(&cursor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_back_from_its_cursor),
        cmocka_unit_test(what_no_cursor_says_is_refused),
        cmocka_unit_test(a_seq_comes_back_and_other_text_is_no_seq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
