#include "app/demo/scan.h"

#include "test.h"

#include <stdlib.h>

static const char answer[] = "{\"id\":\"0190\",\"nested\":{\"state\":\"inner\",\"list\":[1,{\"x\":\"]\"}]},"
                             "\"state\" : \"held\", \"text\":\"a \\\"quoted\\\" } one\",\"count\":-12,\"half\":1.5,"
                             "\"lines\":[{\"sku\":\"A\",\"quantity\":1}, {\"sku\":\"B\",\"quantity\":22}],\"seq\":7}";

static void members_are_found_at_the_top_level_only(void **state)
{
    (void)state;
    struct str json = str_from(answer);
    assert_true(str_equal(scan_text(json, "id"), STR("0190")));
    assert_true(str_equal(scan_text(json, "state"), STR("held")));
    assert_true(str_is_absent(scan_member(json, "x")));
    assert_true(str_is_absent(scan_member(json, "sku")));
    assert_true(str_equal(scan_member(json, "seq"), STR("7")));
}

static void only_what_is_asked_for_is_taken(void **state)
{
    (void)state;
    struct str json = str_from(answer);
    int64_t value = 0;
    assert_true(str_is_absent(scan_text(json, "text"))); /* has escapes */
    assert_true(str_is_absent(scan_text(json, "count")));
    assert_true(scan_integer(json, "count", &value));
    assert_int_equal(value, -12);
    assert_false(scan_integer(json, "half", &value));
    assert_false(scan_integer(json, "id", &value));
    assert_false(scan_integer(json, "missing", &value));
}

static void the_elements_of_a_list_come_one_by_one(void **state)
{
    (void)state;
    struct str rest = scan_member(str_from(answer), "lines");
    struct str line;
    int64_t quantity;
    assert_true(scan_element(&rest, &line));
    assert_true(str_equal(scan_text(line, "sku"), STR("A")));
    assert_true(scan_element(&rest, &line));
    assert_true(scan_integer(line, "quantity", &quantity));
    assert_int_equal(quantity, 22);
    assert_false(scan_element(&rest, &line));
    rest = STR("[]");
    assert_false(scan_element(&rest, &line));
    rest = STR_NONE;
    assert_false(scan_element(&rest, &line));
}

/* Cut anywhere, or not JSON at all: an answer, and no read beyond the end (each copy is as long as it is). */
static void broken_text_is_never_read_past_its_end(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof(answer) - 1; len++) {
        char *copy = malloc(len + (len == 0));
        assert_non_null(copy);
        memcpy(copy, answer, len);
        struct str json = {copy, len};
        int64_t value;
        assert_true(str_is_absent(scan_member(json, "missing")));
        bool found = scan_integer(json, "seq", &value);
        assert_int_equal(found, len >= sizeof(answer) - 2);
        struct str rest = scan_member(json, "lines");
        struct str line;
        for (int i = 0; i < 5 && scan_element(&rest, &line); i++) {
            assert_true(line.ptr >= copy && line.ptr + line.len <= copy + len);
        }
        free(copy);
    }
    assert_true(str_is_absent(scan_member(STR("[1]"), "a")));
    assert_true(str_is_absent(scan_member(STR("{]"), "a")));
    assert_true(str_is_absent(scan_member(STR_NONE, "a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_at_the_top_level_only),
        cmocka_unit_test(only_what_is_asked_for_is_taken),
        cmocka_unit_test(the_elements_of_a_list_come_one_by_one),
        cmocka_unit_test(broken_text_is_never_read_past_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
