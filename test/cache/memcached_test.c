/* The cache in a real memcached: the contract, and how its keys look to others. */
#include "cache/memcached/memcached.h"

#include "contract.h"

#include "base/mem.h"

#include <libmemcached/memcached.h>
#include <stdio.h>
#include <unistd.h>

static struct broker server;

static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    const char *const of[] = {"-l", "127.0.0.1", "-p", room, "-U", "0", "-m", "64"};
    memcpy(out, of, sizeof(of));
    if (getuid() == 0) { /* it refuses to be root */
        out[ARRAY_LEN(of)] = "-u";
        out[ARRAY_LEN(of) + 1] = "nobody";
    }
}

static void others_find_the_key_in_its_visible_form(void **state)
{
    const struct cache_contract *contract = *state;
    struct cache *c = contract_cache(contract);
    contract_connect(c);
    contract_put(c, STR("onhand:availability:default:Tea \xe2\x82\xac 50%"), 3, "seen", 3600);
    static const char key[] = "onhand:availability:default:Tea%20%E2%82%AC%2050%25";
    memcached_st *other = memcached_create(NULL);
    size_t len = 0;
    uint32_t flags;
    memcached_return_t done;
    assert_int_equal(memcached_server_add(other, "127.0.0.1", server.port), MEMCACHED_SUCCESS);
    char *value = memcached_get(other, key, sizeof(key) - 1, &len, &flags, &done);
    assert_int_equal(done, MEMCACHED_SUCCESS);
    assert_memory_equal(value, "{\"is\":\"seen\",\"version\":3}", len);
    free(value);
    memcached_free(other);
    cache_free(c);
}

int main(void)
{
    static struct cache_contract contract = {
        .name = "cache contract: memcached", .server = &server, .make = cache_memcached_new};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(others_find_the_key_in_its_visible_form, &contract),
    };
    broker_make(&server, "/usr/bin/memcached", arguments);
    broker_start(&server);
    int failed = cache_contract_run(&contract);
    failed += cmocka_run_group_tests_name("cache: memcached", tests, NULL, NULL);
    broker_remove(&server);
    return failed;
}
