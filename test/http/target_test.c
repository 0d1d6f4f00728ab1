#include "http/target.h"

#include "test.h"

/* Segments and arguments joined: "seg|seg?name=value&name=value", or the fault with a '!' in front. */
static void render(const char *raw, size_t raw_len, struct buf *out)
{
    char *copy = test_malloc(raw_len + 1);
    memcpy(copy, raw, raw_len);
    struct buf query;
    buf_init(&query, 65536);
    struct target t;
    const char *fault = target_parse(copy, raw_len, &query, &t);
    if (fault != NULL) {
        buf_printf(out, "!%s", fault);
    }
    for (unsigned i = 0; fault == NULL && i < t.segments_len; i++) {
        buf_printf(out, "%s%.*s", i > 0 ? "|" : "", STR_ARG(t.segments[i]));
    }
    struct str name;
    struct str value;
    const char *mark = "?";
    for (size_t at = 0; fault == NULL && target_argument_next(t.query, &at, &name, &value); mark = "&") {
        buf_printf(out, "%s%.*s=%.*s", mark, STR_ARG(name), STR_ARG(value));
    }
    buf_put_char(out, '\0');
    buf_release(&query);
    test_free(copy);
}

struct row {
    const char *raw;
    const char *wanted;
};

static void check_rows(const struct row *rows, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct buf b;
        buf_init(&b, 65536);
        render(rows[i].raw, strlen(rows[i].raw), &b);
        if (strncmp(b.ptr, rows[i].wanted, strlen(rows[i].wanted)) != 0 ||
            (rows[i].wanted[0] != '!' && strlen(b.ptr) != strlen(rows[i].wanted))) {
            fail_msg("%s: got %s, wanted %s", rows[i].raw, b.ptr, rows[i].wanted);
        }
        buf_release(&b);
    }
}

static void a_path_is_split_before_it_is_decoded(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/", ""},
        {"/v1/items", "v1|items"},
        {"/v1/items/", "v1|items|"},
        {"/v1/items/A%2FB", "v1|items|A/B"},
        {"/v1/items/a%20b%C3%A9", "v1|items|a b\xC3\xA9"},
        {"/v1/items/caf\xC3\xA9", "v1|items|caf\xC3\xA9"},
        {"/v1/items/a+b", "v1|items|a+b"},
        {"/v1/items/%41%5a%5A", "v1|items|AZZ"},
        {"/v1/items/%25%32%46", "v1|items|%2F"},
        {"/a.b/..c/...", "a.b|..c|..."},
        {"http://shop.example/v1/items?a=1", "v1|items?a=1"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void a_broken_path_is_a_fault(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "!The target is empty"},
        {"*", "!The target is not a path"},
        {"v1/items", "!The target is not a path"},
        {"http://shop.example", "!The target is not a path"},
        {"//", "!The path contains an empty segment"},
        {"//v1", "!The path contains an empty segment"},
        {"/v1//items", "!The path contains an empty segment"},
        {"/v1/%", "!A percent sign"},
        {"/v1/%4", "!A percent sign"},
        {"/v1/%4/", "!A percent sign"},
        {"/v1/%zz", "!A percent sign"},
        {"/v1/%4g", "!A percent sign"},
        {"/v1/%00", "!The target contains an encoded NUL"},
        {"/v1/a%00b", "!The target contains an encoded NUL"},
        {"/v1/.", "!The path contains a dot segment"},
        {"/v1/../etc", "!The path contains a dot segment"},
        {"/v1/%2e%2e/etc", "!The path contains a dot segment"},
        {"/v1/%2e%2e%2f", "!The path contains a dot segment"},
        {"/v1/%2E%2E%2Fetc", "!The path contains a dot segment"},
        {"/v1/x%2f..%2fetc", "!The path contains a dot segment"},
        {"/v1/%2f.", "!The path contains a dot segment"},
        {"/v1/%ff", "!The target is not valid UTF-8"},
        {"/v1/%c0%af", "!The target is not valid UTF-8"},
        {"/v1/%e0%80%af", "!The target is not valid UTF-8"},
        {"/v1/%ed%a0%80", "!The target is not valid UTF-8"},
        {"/v1/\xC3", "!The target is not valid UTF-8"},
        {"/v1/a\tb", "!The target contains a character"},
        {"/v1/a\x7f", "!The target contains a character"},
        {"/v1/a#b", "!The target contains a character"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void a_query_is_decoded_in_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/?", ""},
        {"/?a=1", "?a=1"},
        {"/?sku=A&sku=B&sku=A", "?sku=A&sku=B&sku=A"},
        {"/?a", "?a="},
        {"/?a=", "?a="},
        {"/?=v", "?=v"},
        {"/?a=b=c", "?a=b=c"},
        {"/?&&a=1&&b=2&", "?a=1&b=2"},
        {"/?a=x+y%2Bz", "?a=x y+z"},
        {"/?a%26b=c%3Dd", "?a&b=c=d"},
        {"/?a=/../..//", "?a=/../..//"},
        {"/?a=?b", "?a=?b"},
        {"/?a&b&c", "?a=&b=&c="},
        {"/?a=%2", "!A percent sign"},
        {"/?a=%00", "!The target contains an encoded NUL"},
        {"/?%ff=1", "!The target is not valid UTF-8"},
        {"/?a=%c0%80", "!The target is not valid UTF-8"},
        {"/?a=b#c", "!The target contains a character"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void the_longest_query_fits(void **state)
{
    (void)state;
    char raw[TARGET_BYTES_MAX];
    memset(raw, '&', sizeof(raw));
    raw[0] = '/';
    raw[1] = '?';
    for (size_t i = 2; i < sizeof(raw); i += 2) {
        raw[i] = 'a';
    }
    struct buf query;
    buf_init(&query, 2 * TARGET_BYTES_MAX);
    struct target t;
    assert_null(target_parse(raw, sizeof(raw), &query, &t));
    size_t at = 0;
    size_t count = 0;
    struct str name;
    struct str value;
    while (target_argument_next(t.query, &at, &name, &value)) {
        assert_int_equal(name.len, 1);
        assert_int_equal(value.len, 0);
        count++;
    }
    assert_int_equal(count, (TARGET_BYTES_MAX - 2) / 2);
    buf_release(&query);
}

static void a_deep_path_is_counted_not_stored(void **state)
{
    (void)state;
    char raw[] = "/1/2/3/4/5/6/7/8/9/10";
    struct buf query;
    buf_init(&query, 64);
    struct target t;
    assert_null(target_parse(raw, strlen(raw), &query, &t));
    assert_int_equal(t.segments_len, 10);
    buf_release(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_split_before_it_is_decoded), cmocka_unit_test(a_broken_path_is_a_fault),
        cmocka_unit_test(a_query_is_decoded_in_order),          cmocka_unit_test(the_longest_query_fits),
        cmocka_unit_test(a_deep_path_is_counted_not_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
