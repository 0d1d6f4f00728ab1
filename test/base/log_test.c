#include "test.h"

#include "base/log.h"
#include "base/str.h"
#include "child.h"

#include <pthread.h>

static void logs_one_line(void)
{
    log_line(LOG_INFO, "ready", "host=%s port=%d", "127.0.0.1", 8080);
}

static void logs_without_pairs(void)
{
    log_line(LOG_ERROR, "stopping", "");
}

static void logs_every_level(void)
{
    log_line(LOG_ERROR, "a", "");
    log_line(LOG_WARN, "b", "");
    log_line(LOG_INFO, "c", "");
    log_line(LOG_DEBUG, "d", "");
}

static void logs_every_level_at_debug(void)
{
    log_level_set(LOG_DEBUG);
    logs_every_level();
}

static void logs_every_level_at_error(void)
{
    log_level_set(LOG_ERROR);
    logs_every_level();
}

static void logs_control_bytes(void)
{
    log_line(LOG_WARN, "odd", "a=%s", "x\ny\r\tz\x01\x7f");
}

static void logs_too_much(void)
{
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_line(LOG_WARN, "long", "a=%s", text);
}

static void logs_a_long_event(void)
{
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_line(LOG_WARN, text, "a=%d", 1);
}

static void *log_20_lines(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 20; i++) {
        log_line(LOG_INFO, "tick", "i=%d", i);
    }
    return NULL;
}

static void logs_from_threads(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        int failed = pthread_create(&threads[i], NULL, log_20_lines, NULL);
        check(failed == 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}

static size_t lines_of(const struct child_end *end)
{
    size_t lines = 0;
    for (size_t i = 0; i < end->len; i++) {
        lines += end->text[i] == '\n';
    }
    return lines;
}

/* time=YYYY-MM-DDTHH:MM:SS.mmmZ and a space */
static void assert_begins_with_time(const char *line)
{
    const char *pattern = "time=0000-00-00T00:00:00.000Z ";
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        if (pattern[i] == '0') {
            assert_in_range(line[i], '0', '9');
        } else {
            assert_int_equal(line[i], pattern[i]);
        }
    }
}

#define TIME_PREFIX_LEN 30

static void a_line_has_time_level_event_and_pairs(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_one_line, &end);
    assert_begins_with_time(end.text);
    assert_string_equal(end.text + TIME_PREFIX_LEN, "level=info event=ready host=127.0.0.1 port=8080\n");
}

static void a_line_without_pairs_has_no_space_at_its_end(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_without_pairs, &end);
    assert_string_equal(end.text + TIME_PREFIX_LEN, "level=error event=stopping\n");
}

static void the_default_level_leaves_debug_out(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_every_level, &end);
    assert_int_equal(lines_of(&end), 3);
    assert_non_null(strstr(end.text, "level=error event=a\n"));
    assert_non_null(strstr(end.text, "level=warn event=b\n"));
    assert_non_null(strstr(end.text, "level=info event=c\n"));
}

static void the_level_decides_what_is_written(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_every_level_at_debug, &end);
    assert_int_equal(lines_of(&end), 4);
    assert_non_null(strstr(end.text, "level=debug event=d\n"));
    child_run(logs_every_level_at_error, &end);
    assert_int_equal(lines_of(&end), 1);
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_control_bytes, &end);
    assert_string_equal(end.text + TIME_PREFIX_LEN, "level=warn event=odd a=x?y??z??\n");
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
    (void)state;
    static void (*const writers[])(void) = {logs_too_much, logs_a_long_event};
    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        struct child_end end;
        child_run(writers[i], &end);
        assert_int_equal(end.signal, 0);
        assert_int_equal(lines_of(&end), 1);
        assert_int_equal(end.text[end.len - 1], '\n');
        assert_in_range(end.len, 2000, 2100);
    }
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    struct child_end end;
    child_run(logs_from_threads, &end);
    assert_int_equal(lines_of(&end), 80);
    char *rest = end.text;
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0'; line = strsep(&rest, "\n")) {
        assert_begins_with_time(line);
        assert_ptr_equal(strstr(line, "level=info event=tick i="), line + TIME_PREFIX_LEN);
    }
}

static void values_are_quoted_when_they_must(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"plain", "plain"},
        {"a-b_c/d:e", "a-b_c/d:e"},
        {"", "\"\""},
        {NULL, "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"line\nend", "\"line\\nend\""},
        {"\t\x01\x7f", "\"\\x09\\x01\\x7f\""},
        {"gr\xc3\xbc\xc3\x9f"
         "e",
         "gr\xc3\xbc\xc3\x9f"
         "e"},
        {"gr\xc3\xbc\xc3\x9f"
         "e dich",
         "\"gr\xc3\xbc\xc3\x9f"
         "e dich\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[100];
        assert_ptr_equal(log_quote(rows[i].in, out, sizeof(out)), out);
        assert_string_equal(out, rows[i].out);
    }
}

static void assert_quoted_within(const char *text, int size)
{
    char out[64];
    memset(out, 'X', sizeof(out));
    log_quote(text, out, size);
    size_t len = strlen(out);
    assert_true(len < (size_t)size);
    assert_int_equal(out[size], 'X');
    assert_true(str_is_utf8(str_from(out)));
    if (out[0] == '"') {
        assert_true(len >= 2 && out[len - 1] == '"');
        size_t slashes = 0;
        while (out[len - 2 - slashes] == '\\') {
            slashes++;
        }
        assert_int_equal(slashes % 2, 0); /* the closing quote is not escaped */
    }
}

static void a_value_is_cut_to_fit_and_stays_well_formed(void **state)
{
    (void)state;
    for (int size = 3; size < 40; size++) {
        assert_quoted_within("plain-text-of-some-length-without-a-space", size);
        assert_quoted_within("a text with spaces and \"quotes\" \\ \n \x01 in it", size);
        assert_quoted_within("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", size);
        assert_quoted_within("\xf0\x9f\x9a\x80\xe2\x82\xac\xc3\xa4\xf0\x9f\x9a\x80\xe2\x82\xac\xc3\xa4\xc3\xa4", size);
        assert_quoted_within("= \xf0\x9f\x9a\x80\xe2\x82\xac\xc3\xa4\xf0\x9f\x9a\x80\xe2\x82\xac\xc3\xa4", size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_event_and_pairs),
        cmocka_unit_test(a_line_without_pairs_has_no_space_at_its_end),
        cmocka_unit_test(the_default_level_leaves_debug_out),
        cmocka_unit_test(the_level_decides_what_is_written),
        cmocka_unit_test(a_line_stays_one_line),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_still_ends),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
        cmocka_unit_test(values_are_quoted_when_they_must),
        cmocka_unit_test(a_value_is_cut_to_fit_and_stays_well_formed),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
