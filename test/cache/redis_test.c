/* The cache in a real redis-server: the contract, and what this backend promises besides. */
#include "cache/redis/redis.h"

#include "contract.h"

#include "base/mem.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>

static struct broker server;
static bool locked; /* when it is started the next time, it asks for a password */

static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    const char *const of[] = {"--port", room,   "--bind",       "127.0.0.1", "--save",        "",
                              "--dir",  "data", "--appendonly", "no",        "--requirepass", "secret"};
    memcpy(out, of, (ARRAY_LEN(of) - (locked ? 0 : 2)) * sizeof(of[0]));
}

static const struct cache_contract contract = {
    .name = "cache contract: redis", .server = &server, .make = cache_redis_new};

/* What the server says itself, as another program sees it. */
static void tell(const char *command, char out[256])
{
    redisContext *c = redisConnect("127.0.0.1", server.port);
    assert_int_equal(c->err, 0);
    redisReply *reply = redisCommand(c, command); // NOLINT(clang-diagnostic-format-security)
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_INTEGER) {
        snprintf(out, 256, "%lld", reply->integer);
    } else {
        snprintf(out, 256, "%s", reply->str == NULL ? "" : reply->str);
    }
    freeReplyObject(reply);
    redisFree(c);
}

static void others_read_the_key_as_it_is(void **state)
{
    (void)state;
    char said[256];
    struct cache *c = contract_cache(&contract);
    contract_connect(c);
    contract_put(c, STR("others:a"), 3, "seen", 3600);
    tell("GET others:a", said);
    assert_string_equal(said, "{\"is\":\"seen\",\"version\":3}");
    tell("TTL others:a", said);
    assert_in_range(strtoull(said, NULL, 10), 3000, 3600);
    contract_put(c, STR("others:a"), 2, "older", 9000);
    tell("TTL others:a", said);
    assert_in_range(strtoull(said, NULL, 10), 1, 3600);
    cache_free(c);
}

static void what_is_no_string_is_replaced(void **state)
{
    (void)state;
    char said[256];
    struct cache *c = contract_cache(&contract);
    contract_connect(c);
    tell("HSET foreign:a field value", said);
    assert_null(contract_get(c, STR("foreign:a")));
    contract_put(c, STR("foreign:a"), 1, "ours", 100);
    tell("GET foreign:a", said);
    assert_string_equal(said, "{\"is\":\"ours\",\"version\":1}");
    cache_free(c);
}

static void a_server_that_forgot_the_script_is_told_again(void **state)
{
    (void)state;
    char said[256];
    struct cache *c = contract_cache(&contract);
    const struct cache_entry e = {STR("script:a"), STR("{\"version\":1}"), 1};
    contract_connect(c);
    tell("SCRIPT FLUSH", said);
    assert_int_equal(cache_put(c, &e, 1, 100, NULL), ERR_IO);
    contract_connect(c);
    assert_int_equal(cache_put(c, &e, 1, 100, NULL), ERR_OK);
    cache_free(c);
}

static struct cache *with(const char *user, const char *password, unsigned database)
{
    const struct cache_options options = {STR("127.0.0.1"), server.port, str_from(user), str_from(password), database};
    return cache_redis_new(&options);
}

static void the_database_is_chosen(void **state)
{
    (void)state;
    char said[256];
    struct cache *c = with("", "", 3);
    contract_connect(c);
    contract_put(c, STR("database:a"), 1, "three", 100);
    tell("GET database:a", said);
    assert_string_equal(said, "");
    cache_free(c);
}

static void a_password_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password;
        enum err e;
    } rows[] = {
        {"", "", ERR_IO},
        {"", "wrong", ERR_IO},
        {"", "secret", ERR_OK},
        {"default", "secret", ERR_OK},
        {"nobody", "secret", ERR_IO},
    };
    broker_stop(&server, SIGTERM);
    locked = true;
    broker_start(&server);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err_note note = {""};
        struct cache *c = with(rows[i].user, rows[i].password, 0);
        assert_int_equal(cache_connect(c, &note), rows[i].e);
        assert_null(strstr(note.text, "secret"));
        cache_free(c);
    }
    broker_stop(&server, SIGTERM);
    locked = false;
    broker_start(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_read_the_key_as_it_is),
        cmocka_unit_test(what_is_no_string_is_replaced),
        cmocka_unit_test(a_server_that_forgot_the_script_is_told_again),
        cmocka_unit_test(the_database_is_chosen),
        cmocka_unit_test(a_password_is_said),
    };
    broker_make(&server, "/usr/bin/redis-server", arguments);
    broker_start(&server);
    int failed = cache_contract_run(&contract);
    failed += cmocka_run_group_tests_name("cache: redis", tests, NULL, NULL);
    broker_remove(&server);
    return failed;
}
