#include "test.h"

#include "bus/endpoint.h"

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *user, *password, *host, *path;
        uint16_t port;
    } rows[] = {
        {"x://h", "", "", "h", "", 7},
        {"x://h/", "", "", "h", "", 7},
        {"x://h:1", "", "", "h", "", 1},
        {"x://h:65535/a/b", "", "", "h", "a/b", 65535},
        {"x://u@h", "u", "", "h", "", 7},
        {"x://u:p@h:2", "u", "p", "h", "", 2},
        {"x://:p@h", "", "p", "h", "", 7},
        {"x://u:p:q@r@h", "u", "p:q@r", "h", "", 7},
        {"x://127.0.0.1:8080", "", "", "127.0.0.1", "", 8080},
        {"x://[::1]", "", "", "::1", "", 7},
        {"x://u@[::1]:9/p", "u", "", "::1", "p", 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct endpoint e;
        assert_true(endpoint_parse(str_from(rows[i].url), "x", 7, &e));
        assert_true(str_equal(e.user, str_from(rows[i].user)));
        assert_true(str_equal(e.password, str_from(rows[i].password)));
        assert_true(str_equal(e.host, str_from(rows[i].host)));
        assert_true(str_equal(e.path, str_from(rows[i].path)));
        assert_int_equal(e.port, rows[i].port);
    }
}

static void what_is_no_such_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",         "x",        "x:",         "x:/h",       "x://",    "x:///p",    "X://h",    "y://h",
        "xx://h",   "x://:1",   "x://u@",     "x://u@:1",   "x://h:",  "x://h:0",   "x://h:01", "x://h:65536",
        "x://h:-1", "x://h:1x", "x://h: 1",   "x://a b",    "x://a,b", "x://a?b",   "x://a#b",  "x://::1",
        "x://[::1", "x://[]",   "x://[::1]1", "x://[::1]:", "x://a\n", "x://a\x7f",
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct endpoint e = {.port = 99};
        if (endpoint_parse(str_from(urls[i]), "x", 7, &e)) {
            fail_msg("\"%s\" was taken", urls[i]);
        }
        assert_int_equal(e.port, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(what_is_no_such_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
