#include "app/bench/settings.h"

#include "test.h"

#define READ(s, note, ...) \
    settings_read((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__}, (s), (note))

static void a_work_alone_has_the_defaults(void **state)
{
    (void)state;
    struct bench_settings s;
    struct err_note note;
    assert_int_equal(READ(&s, &note, "reserve"), ERR_OK);
    assert_int_equal(s.work, BENCH_RESERVE);
    assert_int_equal(s.connections, 64);
    assert_int_equal(s.rate, 0);
    assert_false(s.is_remote);
    assert_false(s.hot);
}

struct url_case {
    char *url;
    const char *host; /* NULL: refused */
    uint64_t port;
};

static void urls_are_read(void **state)
{
    (void)state;
    static const struct url_case cases[] = {
        {"http://127.0.0.1:8080", "127.0.0.1", 8080},
        {"http://127.0.0.1:8080/", "127.0.0.1", 8080},
        {"http://shop", "shop", 80},
        {"http://[::1]:81/", "::1", 81},
        {"http://[::1]", "::1", 80},
        {"https://shop", NULL, 0},
        {"http://", NULL, 0},
        {"http:///", NULL, 0},
        {"http://:80", NULL, 0},
        {"http://shop:", NULL, 0},
        {"http://shop:0", NULL, 0},
        {"http://shop:65536", NULL, 0},
        {"http://shop/path", NULL, 0},
        {"http://shop:80/path", NULL, 0},
        {"shop:80", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench_settings s;
        struct err_note note;
        enum err e = READ(&s, &note, "read", "--url", cases[i].url);
        if (e != (cases[i].host == NULL ? ERR_CONFIG : ERR_OK)) {
            fail_msg("row %zu: %s", i, cases[i].url);
        }
        if (e == ERR_OK) {
            assert_true(s.is_remote);
            assert_string_equal(s.host, cases[i].host);
            assert_int_equal(s.port, cases[i].port);
        }
    }
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    struct bench_settings s;
    struct err_note note;
    assert_int_equal(READ(&s, &note, "--seconds", "1"), ERR_INVALID);
    assert_int_equal(READ(&s, &note, "nonsense"), ERR_INVALID);
    assert_int_equal(READ(&s, &note, "read", "--path", "/"), ERR_CONFIG); /* of which server? */
    assert_int_equal(READ(&s, &note, "reserve", "--url", "http://a", "--path", "/"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "stream", "--url", "http://a", "--publish", "/"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "read", "--url", "http://a", "--path", "no path"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "recover", "--url", "http://a"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "read", "--url", "http://a", "--data", "d"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "stream", "--skus", "3", "--follow", "4"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "stream", "--hot", "--skus", "3", "--follow", "4"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "read", "--connections", "0"), ERR_CONFIG);
    assert_int_equal(READ(&s, &note, "stream", "--url", "http://a", "--subscribe", "/a", "--publish", "/b"), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_work_alone_has_the_defaults),
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
