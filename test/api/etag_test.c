#include "api/etag.h"

#include "test.h"

static void if_match_is_compared_strongly(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum etag_match match;
        uint64_t version;
    } rows[] = {
        {"\"7\"", ETAG_VERSION, 7},
        {"  \"7\" ", ETAG_VERSION, 7},
        {"\"7\", \"7\"", ETAG_VERSION, 7},
        {"W/\"6\", \"7\"", ETAG_VERSION, 7},
        {"\"x\",\"7\"", ETAG_VERSION, 7},
        {"*", ETAG_ANY, 0},
        {" * ", ETAG_ANY, 0},
        {"W/\"7\"", ETAG_NEVER, 0},
        {"\"0\"", ETAG_NEVER, 0},
        {"\"07\"", ETAG_NEVER, 0},
        {"\"-7\"", ETAG_NEVER, 0},
        {"\"\"", ETAG_NEVER, 0},
        {"\"abc\"", ETAG_NEVER, 0},
        {"\"18446744073709551616\"", ETAG_NEVER, 0},
        {"\"7\", \"8\"", ETAG_SEVERAL, 0},
        {"7", ETAG_BROKEN, 0},
        {"\"7", ETAG_BROKEN, 0},
        {"\"7\" \"8\"", ETAG_BROKEN, 0},
        {"w/\"7\"", ETAG_BROKEN, 0},
        {"\"7 8\"", ETAG_BROKEN, 0},
        {"", ETAG_BROKEN, 0},
        {",", ETAG_BROKEN, 0},
        {"*, \"7\"", ETAG_BROKEN, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t version = 0;
        enum etag_match match = etag_if_match(str_from(rows[i].header), &version);
        if (match != rows[i].match || version != rows[i].version) {
            fail_msg("%s: %d, version %llu", rows[i].header, match, (unsigned long long)version);
        }
    }
}

static void if_none_match_is_compared_weakly(void **state)
{
    (void)state;
    struct str tag = STR("\"7\"");
    assert_true(etag_is_listed(STR("\"7\""), tag));
    assert_true(etag_is_listed(STR("W/\"7\""), tag));
    assert_true(etag_is_listed(STR("\"6\", W/\"7\""), tag));
    assert_true(etag_is_listed(STR("*"), tag));
    assert_false(etag_is_listed(STR("\"77\""), tag));
    assert_false(etag_is_listed(STR("7"), tag));
    assert_false(etag_is_listed(STR("\"7\" broken"), tag));
    assert_false(etag_is_listed(STR(""), tag));
}

static void a_version_in_quotes_is_its_tag(void **state)
{
    (void)state;
    char room[ETAG_BYTES_MAX];
    uint64_t version = 0;
    assert_true(str_equal(etag_of(0, room), STR("\"0\"")));
    assert_int_equal(etag_if_match(etag_of(INT64_MAX, room), &version), ETAG_VERSION);
    assert_true(version == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_match_is_compared_strongly),
        cmocka_unit_test(if_none_match_is_compared_weakly),
        cmocka_unit_test(a_version_in_quotes_is_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
