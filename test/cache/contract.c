#include "contract.h"

#include "base/clock.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define VALUE_BYTES 256
#define CONNECT_TRIES 600
/* A server on a busy machine may be late now and then, which is a failure like any other. */
#define CALL_TRIES 10
/* A call is bounded when it returns; this much more than it may take says that the bound is not another one. */
#define BOUND_MS 20000

static const struct cache_contract *suite;

struct cache *contract_cache(const struct cache_contract *c)
{
    const struct cache_options options = {.host = STR("127.0.0.1"), .port = c->server->port};
    return c->make(&options);
}

void contract_connect(struct cache *c)
{
    struct err_note note = {""};
    for (int i = 0; i < CONNECT_TRIES; i++) {
        if (cache_connect(c, &note) == ERR_OK) {
            assert_true(cache_is_up(c));
            return;
        }
        assert_false(cache_is_up(c));
        usleep(50000);
    }
    fail_msg("no connection: %s", note.text);
}

static void take_text(void *ctx, size_t index, struct str value)
{
    char **out = ctx;
    assert_int_equal(index, 0);
    assert_null(*out);
    *out = mem_copy_str(value);
}

char *contract_get(struct cache *c, struct str key)
{
    char *text = NULL;
    for (int i = 0; cache_get(c, &key, 1, take_text, &text, NULL) != ERR_OK; i++) {
        assert_true(i < CALL_TRIES);
        mem_free(text);
        text = NULL;
        contract_connect(c);
    }
    return text;
}

static struct str value_of(uint64_t version, const char *text, char room[VALUE_BYTES])
{
    int len = snprintf(room, VALUE_BYTES, "{\"is\":\"%s\",\"version\":%llu}", text, (unsigned long long)version);
    return (struct str){room, (size_t)len};
}

void contract_put(struct cache *c, struct str key, uint64_t version, const char *text, uint32_t ttl_s)
{
    char room[VALUE_BYTES];
    struct err_note note = {""};
    const struct cache_entry e = {key, value_of(version, text, room), version};
    for (int i = 0; cache_put(c, &e, 1, ttl_s, &note) != ERR_OK; i++) {
        if (i == CALL_TRIES) {
            fail_msg("%s", note.text);
        }
        contract_connect(c);
    }
}

static void expect(struct cache *c, struct str key, uint64_t version, const char *text)
{
    char room[VALUE_BYTES];
    char *got = contract_get(c, key);
    struct str wanted = value_of(version, text, room);
    assert_non_null(got);
    assert_string_equal(got, wanted.ptr);
    mem_free(got);
}

static struct cache *open_cache(void)
{
    struct cache *c = contract_cache(suite);
    contract_connect(c);
    return c;
}

static void what_is_put_is_got(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    assert_null(contract_get(c, STR("put:nothing")));
    contract_put(c, STR("put:a"), 1, "one", 100);
    expect(c, STR("put:a"), 1, "one");
    contract_put(c, STR("put:a"), 2, "two", 100);
    expect(c, STR("put:a"), 2, "two");
    cache_free(c);
}

static void an_older_value_does_not_replace_a_newer_one(void **state)
{
    (void)state;
    static const uint64_t rising[] = {0, 1, 9, 10, 99, 100, (1ULL << 53) + 1, (1ULL << 53) + 2, UINT64_MAX};
    struct cache *c = open_cache();
    struct cache *other = open_cache();
    for (size_t i = 0; i < ARRAY_LEN(rising); i++) {
        contract_put(i % 2 == 0 ? c : other, STR("old:a"), rising[i], "new", 100);
        for (size_t k = 0; k < i; k++) {
            contract_put(c, STR("old:a"), rising[k], "old", 100);
        }
        expect(c, STR("old:a"), rising[i], "new");
    }
    contract_put(c, STR("old:a"), UINT64_MAX, "same", 100);
    expect(c, STR("old:a"), UINT64_MAX, "same");
    cache_free(c);
    cache_free(other);
}

static void the_name_of_the_version_within_a_text_is_no_version(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    contract_put(c, STR("text:a"), 5, "\\\"version\\\":900", 100);
    contract_put(c, STR("text:a"), 6, "later", 100);
    expect(c, STR("text:a"), 6, "later");
    cache_free(c);
}

static void a_value_ends_after_its_time(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    char *got;
    contract_put(c, STR("ttl:a"), 1, "short", 1);
    contract_put(c, STR("ttl:b"), 1, "long", 1000);
    for (int i = 0; i < CONNECT_TRIES && (got = contract_get(c, STR("ttl:a"))) != NULL; i++) {
        mem_free(got);
        usleep(50000);
    }
    assert_null(contract_get(c, STR("ttl:a")));
    expect(c, STR("ttl:b"), 1, "long");
    contract_put(c, STR("ttl:a"), 1, "again", 1000);
    expect(c, STR("ttl:a"), 1, "again");
    cache_free(c);
}

/* Every byte that a SKU can have, and some that it cannot; none of these keys is another. */
static const struct str odd_keys[] = {
    {"odd:a b", 7},      {"odd:a%20b", 9},      {"odd:a\tb", 7}, {"odd:a\0b", 7},
    {"odd:a\r\nb", 8},   {"odd:%", 5},          {"odd:%25", 7},  {"odd:\xc3\xa4\xe2\x82\xac", 9},
    {"odd:\xff\xfe", 6}, {"odd:\"'\\{}$*", 11}, {"odd:\x7f", 5},
};

static void a_key_has_any_bytes(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    char text[32];
    for (size_t i = 0; i < ARRAY_LEN(odd_keys); i++) {
        snprintf(text, sizeof(text), "key %zu", i);
        contract_put(c, odd_keys[i], 1, text, 100);
    }
    for (size_t i = 0; i < ARRAY_LEN(odd_keys); i++) {
        snprintf(text, sizeof(text), "key %zu", i);
        expect(c, odd_keys[i], 1, text);
    }
    cache_free(c);
}

static void a_key_can_be_as_long_as_the_longest_sku_makes_it(void **state)
{
    (void)state;
    char key[CACHE_KEY_BYTES_MAX];
    struct cache *c = open_cache();
    memset(key, 'k', sizeof(key) - 64);
    memset(key + sizeof(key) - 64, 0xe2, 64);
    contract_put(c, (struct str){key, sizeof(key)}, 1, "long", 100);
    expect(c, (struct str){key, sizeof(key)}, 1, "long");
    cache_free(c);
}

struct many {
    struct cache_entry entries[CACHE_BATCH_MAX];
    struct str keys[CACHE_BATCH_MAX];
    char key_room[CACHE_BATCH_MAX][32], value_room[CACHE_BATCH_MAX][VALUE_BYTES];
    bool got[CACHE_BATCH_MAX];
    size_t got_len;
};

static void take_many(void *ctx, size_t index, struct str value)
{
    struct many *m = ctx;
    assert_true(index < CACHE_BATCH_MAX && !m->got[index]);
    assert_true(str_equal(value, m->entries[index].value));
    m->got[index] = true;
    m->got_len++;
}

static void a_full_batch_is_put_and_got(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    struct many *m = mem_new(sizeof(*m));
    for (size_t i = 0; i < CACHE_BATCH_MAX; i++) {
        int len = snprintf(m->key_room[i], sizeof(m->key_room[i]), "many: %zu", i);
        m->keys[i] = (struct str){m->key_room[i], (size_t)len};
        m->entries[i] = (struct cache_entry){m->keys[i], value_of(i, "of many", m->value_room[i]), i};
    }
    assert_int_equal(cache_put(c, m->entries + 1, CACHE_BATCH_MAX - 1, 100, NULL), ERR_OK);
    assert_int_equal(cache_get(c, m->keys, CACHE_BATCH_MAX, take_many, m, NULL), ERR_OK);
    assert_int_equal(m->got_len, CACHE_BATCH_MAX - 1);
    assert_false(m->got[0]);
    mem_free(m);
    cache_free(c);
}

static void take_length(void *ctx, size_t index, struct str value)
{
    (void)index;
    *(size_t *)ctx = value.len;
}

static void the_longest_value_is_put_and_got(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    char *value = mem_new(CACHE_VALUE_BYTES_MAX);
    size_t got = 0;
    struct str key = STR("long:a");
    memset(value, 'x', CACHE_VALUE_BYTES_MAX);
    memcpy(value, "{\"version\":7,", 13);
    const struct cache_entry e = {key, {value, CACHE_VALUE_BYTES_MAX}, 7};
    assert_int_equal(cache_put(c, &e, 1, 100, NULL), ERR_OK);
    assert_int_equal(cache_get(c, &key, 1, take_length, &got, NULL), ERR_OK);
    assert_int_equal(got, CACHE_VALUE_BYTES_MAX);
    mem_free(value);
    cache_free(c);
}

static enum err try_put(struct cache *c, struct err_note *note)
{
    const struct cache_entry e = {STR("try:a"), STR("{\"version\":1}"), 1};
    return cache_put(c, &e, 1, 100, note);
}

static enum err try_get(struct cache *c)
{
    char *text = NULL;
    struct str key = STR("try:a");
    enum err e = cache_get(c, &key, 1, take_text, &text, NULL);
    mem_free(text);
    return e;
}

static void without_a_server_everything_fails_and_it_is_left_alone(void **state)
{
    (void)state;
    struct err_note note = {""};
    broker_stop(suite->server, SIGKILL);
    struct cache *c = contract_cache(suite);
    assert_int_equal(try_put(c, &note), ERR_IO);
    assert_int_equal(cache_connect(c, &note), ERR_IO);
    assert_true(note.text[0] != '\0');
    assert_int_equal(try_put(c, NULL), ERR_IO);
    assert_int_equal(try_get(c), ERR_IO);
    broker_start(suite->server);
    contract_connect(c);
    assert_int_equal(try_put(c, NULL), ERR_OK);
    cache_free(c);
}

static void a_server_that_was_killed_and_is_back_is_used_again(void **state)
{
    (void)state;
    struct cache *c = open_cache();
    for (int i = 0; i < 3; i++) {
        struct err_note note = {""};
        assert_int_equal(try_put(c, NULL), ERR_OK);
        broker_stop(suite->server, SIGKILL);
        assert_int_equal(i % 2 == 0 ? try_put(c, &note) : try_get(c), ERR_IO);
        assert_false(cache_is_up(c));
        broker_start(suite->server);
        contract_connect(c);
        assert_int_equal(try_get(c), ERR_OK);
    }
    cache_free(c);
}

static void a_server_that_does_not_answer_costs_a_bounded_time(void **state)
{
    (void)state;
    struct cache *put = open_cache();
    struct cache *get = open_cache();
    struct cache *fresh = contract_cache(suite);
    int64_t begun_ms = clock_mono_ms();
    broker_freeze(suite->server);
    assert_int_equal(try_put(put, NULL), ERR_IO);
    assert_int_equal(try_get(get), ERR_IO);
    assert_int_equal(cache_connect(fresh, NULL), ERR_IO);
    assert_true(clock_mono_ms() - begun_ms < BOUND_MS);
    broker_thaw(suite->server);
    contract_connect(put);
    assert_int_equal(try_put(put, NULL), ERR_OK);
    contract_connect(fresh);
    assert_int_equal(try_get(fresh), ERR_OK);
    cache_free(put);
    cache_free(get);
    cache_free(fresh);
}

static void a_version_is_found_in_a_value(void **state)
{
    (void)state;
    uint64_t version = 0;
    assert_true(cache_version(STR("{\"a\":\"\\\"version\\\":7\",\"version\":18446744073709551615}"), &version));
    assert_true(version == UINT64_MAX);
    static const char *const none[] = {
        "",
        "{}",
        "{\"version\":}",
        "{\"version\":\"1\"}",
        "{\"version\":-1}",
        "{\"version\":18446744073709551616}",
        "{\"version\":01}",
        "{\"version\":"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        assert_false(cache_version(str_from(none[i]), &version));
    }
    assert_false(cache_version(STR_NONE, &version));
}

int cache_contract_run(const struct cache_contract *c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_found_in_a_value),
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(an_older_value_does_not_replace_a_newer_one),
        cmocka_unit_test(the_name_of_the_version_within_a_text_is_no_version),
        cmocka_unit_test(a_value_ends_after_its_time),
        cmocka_unit_test(a_key_has_any_bytes),
        cmocka_unit_test(a_key_can_be_as_long_as_the_longest_sku_makes_it),
        cmocka_unit_test(a_full_batch_is_put_and_got),
        cmocka_unit_test(the_longest_value_is_put_and_got),
        cmocka_unit_test(without_a_server_everything_fails_and_it_is_left_alone),
        cmocka_unit_test(a_server_that_was_killed_and_is_back_is_used_again),
        cmocka_unit_test(a_server_that_does_not_answer_costs_a_bounded_time),
    };
    suite = c;
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    return cmocka_run_group_tests_name(c->name, tests, NULL, NULL);
}
