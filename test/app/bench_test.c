/* `onhand bench` as a whole, each work for a second on a small catalogue. What it measures is of no interest here. */
#include "app/subcommand.h"
#include "base/str.h"
#include "process.h"
#include "test.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct process process;
static char temporary[64];

static int make_temporary(void **state)
{
    (void)state;
    strcpy(temporary, "/tmp/onhand-bench-test-XXXXXX");
    return mkdtemp(temporary) == NULL || setenv("TMPDIR", temporary, 1) != 0 ? -1 : 0;
}

/* Fails when a benchmark left something behind. */
static int remove_temporary(void **state)
{
    (void)state;
    return rmdir(temporary);
}

#define WORKS_ARGUMENTS_MAX 12

struct work_case {
    const char *arguments[WORKS_ARGUMENTS_MAX];
    bool has_requests;
    bool has_frames;
    bool has_push;
};

static json_t *run(const char *const *arguments)
{
    const char *all[WORKS_ARGUMENTS_MAX + 9] = {"bench"};
    size_t len = 1;
    while (arguments[len - 1] != NULL) {
        all[len] = arguments[len - 1];
        len++;
    }
    const char *const common[] = {"--seconds", "1", "--warmup", "0", "--connections", "4", "--json", "-"};
    memcpy(&all[len], common, sizeof(common));
    int code = process_run(&process, all);
    json_t *result = json_loads(process.output, 0, NULL);
    if (code != 0 || result == NULL) {
        fail_msg("exit %d: %s", code, process.output);
    }
    return result;
}

static json_int_t number(const json_t *object, const char *first, const char *second)
{
    const json_t *inner = json_object_get(object, first);
    const json_t *value = second == NULL ? inner : json_object_get(inner, second);
    if (!json_is_integer(value)) {
        fail_msg("%s %s is missing: %s", first, second == NULL ? "" : second, process.output);
    }
    return json_integer_value(value);
}

static void each_work_measures_something(void **state)
{
    (void)state;
    static const struct work_case cases[] = {
        {{"read", "--skus", "10"}, true, false, false},
        {{"reserve", "--skus", "10", "--locations", "3"}, true, false, false},
        {{"reserve", "--skus", "10", "--hot", "--rate", "50"}, true, false, false},
        {{"batch", "--skus", "10", "--operations", "7"}, true, false, false},
        {{"mixed", "--skus", "10", "--streams", "5", "--follow", "10"}, true, true, false},
        {{"stream", "--skus", "10", "--streams", "5", "--follow", "10", "--rate", "50"}, true, true, true},
        {{"stream", "--skus", "10", "--streams", "5", "--hot"}, true, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *result = run(cases[i].arguments);
        assert_int_equal(number(result, "errors", NULL), 0);
        assert_true(number(result, "operations", NULL) > 0);
        assert_true(number(result, "latency_us", "p99") > 0);
        if (cases[i].has_frames) {
            assert_true(number(result, "stream", "frames") > 0);
        }
        if (cases[i].has_push) {
            const json_t *push = json_object_get(json_object_get(result, "stream"), "push_us");
            assert_true(number(push, "count", NULL) > 0);
        }
        json_decref(result);
    }
}

static void a_store_is_recovered(void **state)
{
    (void)state;
    static const char *const arguments[] = {"recover", "--skus", "100", "--locations", "3", NULL};
    json_t *result = run(arguments);
    assert_int_equal(number(result, "recover", "levels"), 300);
    assert_true(number(result, "recover", "ready_ms") > 0);
    assert_true(number(result, "recover", "resident_bytes") > 1000000);
    json_decref(result);
}

static void settings_in_the_environment_are_not_for_its_server(void **state)
{
    (void)state;
    static const char *const arguments[] = {"read", "--skus", "10", NULL};
    process_spoil_settings(true);
    json_t *result = run(arguments);
    process_spoil_settings(false);
    assert_int_equal(number(result, "errors", NULL), 0);
    json_decref(result);
}

static void a_server_that_is_not_there_is_said(void **state)
{
    (void)state;
    const char *const arguments[] = {"bench", "read", "--url", "http://127.0.0.1:1", NULL};
    assert_int_equal(process_run(&process, arguments), 2);
    assert_non_null(strstr(process.output, "the catalogue cannot be made: Connection refused"));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return subcommand_main(argc, argv); /* the benchmark starts its server by running itself */
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_work_measures_something),
        cmocka_unit_test(a_store_is_recovered),
        cmocka_unit_test(settings_in_the_environment_are_not_for_its_server),
        cmocka_unit_test(a_server_that_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}
