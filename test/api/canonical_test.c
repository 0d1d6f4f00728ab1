#include "api/canonical.h"

#include "test.h"

static void check_spelling(const char *json, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    canonical_put(&out, value);
    buf_put_char(&out, 0);
    assert_string_equal(out.ptr, expected);
    json_decref(value);
    buf_release(&out);
}

static void every_value_has_one_spelling(void **state)
{
    (void)state;
    check_spelling("{}", "{}");
    check_spelling(" [ 1 , -2 , 0 ] ", "[1,-2,0]");
    check_spelling("{\"b\":1,\"a\":{\"d\":[],\"c\":null}}", "{\"a\":{\"c\":null,\"d\":[]},\"b\":1}");
    check_spelling("[true,false]", "[true,false]");
    check_spelling("\"\\u0041\\n\"", "\"A\\n\"");
}

static void real_numbers_take_the_fewest_digits_that_read_back(void **state)
{
    (void)state;
    check_spelling("1.1", "1.1");
    check_spelling("1.0", "1.0");
    check_spelling("0.30000000000000004", "0.30000000000000004");
    check_spelling("1e300", "1e+300");
    check_spelling("-2.50", "-2.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_one_spelling),
        cmocka_unit_test(real_numbers_take_the_fewest_digits_that_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
