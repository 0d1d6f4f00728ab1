#include "test.h"

#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

static void every_error_has_its_facts(void **state)
{
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        assert_non_null(info->slug);
        assert_true(strlen(info->title) > 0 && strlen(info->meaning) > 0);
        assert_true(info->status >= 400 && info->status <= 599);
    }
}

static void slugs_are_snake_case_and_unique(void **state)
{
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const char *slug = err_info((enum err)e)->slug;
        assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz_"), strlen(slug));
        assert_true(slug[0] != '_' && strlen(slug) > 1);
        for (int other = e + 1; other < ERR_COUNT; other++) {
            assert_string_not_equal(slug, err_info((enum err)other)->slug);
        }
    }
}

static void a_row_says_what_the_table_says(void **state)
{
    (void)state;
    assert_string_equal(err_info(ERR_INSUFFICIENT_STOCK)->slug, "insufficient_stock");
    assert_int_equal(err_info(ERR_INSUFFICIENT_STOCK)->status, 409);
    assert_false(err_info(ERR_INSUFFICIENT_STOCK)->retryable);
    assert_int_equal(err_info(ERR_OVERLOADED)->status, 503);
    assert_true(err_info(ERR_OVERLOADED)->retryable);
    assert_string_equal(err_info(ERR_CONFIG)->title, "The configuration is not valid");
}

static void what_the_system_lacks_for_now_may_be_retried(void **state)
{
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        if (info->status == 503) {
            assert_true(info->retryable);
        }
        if (info->status == 400 || info->status == 422) {
            assert_false(info->retryable);
        }
    }
}

static void a_note_carries_its_text_and_the_error(void **state)
{
    (void)state;
    struct err_note note;
    assert_int_equal(err_note_set(&note, ERR_IO, "row %d of %s", 7, "levels"), ERR_IO);
    assert_string_equal(note.text, "row 7 of levels");
    assert_int_equal(err_note_set(&note, ERR_IO, "%s", ""), ERR_IO);
    assert_string_equal(note.text, "");
}

static void a_note_may_be_absent(void **state)
{
    (void)state;
    assert_int_equal(err_note_set(NULL, ERR_FENCED, "%s", "nobody reads this"), ERR_FENCED);
}

static void a_note_can_be_wrapped_in_itself(void **state)
{
    (void)state;
    struct err_note note;
    err_note_set(&note, ERR_IO, "disk gone");
    err_note_set(&note, ERR_IO, "commit of batch %d: %s", 12, note.text);
    assert_string_equal(note.text, "commit of batch 12: disk gone");
}

static void a_long_note_is_cut_at_its_size(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct err_note note;
    err_note_set(&note, ERR_IO, "%s", text);
    assert_int_equal(strlen(note.text), sizeof(note.text) - 1);
    text[255] = '\0';
    err_note_set(&note, ERR_IO, "%s", text);
    assert_string_equal(note.text, text);
}

static void a_note_is_never_cut_inside_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\x80"};
    for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
        for (int before = 245; before <= 260; before++) {
            char text[400];
            memset(text, 'x', (size_t)before);
            snprintf(text + before, 100, "%sxxxxxxxxxx", characters[i]);
            struct err_note note;
            err_note_set(&note, ERR_IO, "%s", text);
            size_t len = strlen(note.text);
            assert_true(str_is_utf8(str_from(note.text)));
            assert_memory_equal(note.text, text, len);
            assert_true(len == strlen(text) || (len <= 255 && len >= 252));
        }
    }
}

static enum err fails_with(enum err e, int *steps)
{
    TRY(ERR_OK);
    (*steps)++;
    TRY(e);
    (*steps)++;
    return ERR_OK;
}

static void try_returns_the_first_error(void **state)
{
    (void)state;
    int steps = 0;
    assert_int_equal(fails_with(ERR_STALE, &steps), ERR_STALE);
    assert_int_equal(steps, 1);
    assert_int_equal(fails_with(ERR_OK, &steps), ERR_OK);
    assert_int_equal(steps, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_facts),
        cmocka_unit_test(slugs_are_snake_case_and_unique),
        cmocka_unit_test(a_row_says_what_the_table_says),
        cmocka_unit_test(what_the_system_lacks_for_now_may_be_retried),
        cmocka_unit_test(a_note_carries_its_text_and_the_error),
        cmocka_unit_test(a_note_may_be_absent),
        cmocka_unit_test(a_note_can_be_wrapped_in_itself),
        cmocka_unit_test(a_long_note_is_cut_at_its_size),
        cmocka_unit_test(a_note_is_never_cut_inside_a_character),
        cmocka_unit_test(try_returns_the_first_error),
    };
    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
