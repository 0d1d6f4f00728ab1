/* The cache in a real memcached: the contract, and how its keys look to others. */
#include "cache/memcached/memcached.h"

#include "contract.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <libmemcached/memcached.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
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

/* --- a server that answers late each time -------------------------------------------------------------------- */

#define LATE_MS 100
#define CALL_MS_MAX 8000 /* of 128 answers in a row, which would take 12.8 s */

struct late {
    int listener;
    uint16_t port;
    pthread_t thread;
};

static bool say(int fd, const char *text)
{
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool answer_line(int fd, const char *line, FILE *in)
{
    char data[CACHE_VALUE_BYTES_MAX];
    if (strncmp(line, "version", 7) == 0) {
        return say(fd, "VERSION 1.6.0\r\n");
    }
    if (strncmp(line, "get", 3) == 0) {
        return say(fd, "END\r\n");
    }
    if (strncmp(line, "quit", 4) == 0 || fgets(data, sizeof(data), in) == NULL) {
        return false;
    }
    usleep(LATE_MS * 1000);
    return say(fd, "STORED\r\n");
}

static void *late_run(void *arg)
{
    struct late *s = arg;
    char line[32 * 1024];
    int fd = accept(s->listener, NULL, NULL);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL && answer_line(fd, line, in)) {
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return NULL;
}

static void late_start(struct late *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, late_run, s), 0);
}

static void a_call_ends_however_late_each_answer_is(void **state)
{
    (void)state;
    static char keys[CACHE_BATCH_MAX][16];
    struct cache_entry entries[CACHE_BATCH_MAX];
    struct late s;
    struct err_note note = {""};
    late_start(&s);
    const struct cache_options options = {.host = STR("127.0.0.1"), .port = s.port};
    struct cache *c = cache_memcached_new(&options);
    assert_int_equal(cache_connect(c, &note), ERR_OK);
    for (size_t i = 0; i < CACHE_BATCH_MAX; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        entries[i] = (struct cache_entry){str_from(keys[i]), STR("{\"version\":1}"), 1};
    }
    int64_t begun_ms = clock_mono_ms();
    assert_int_equal(cache_put(c, entries, 1, 60, &note), ERR_OK);
    assert_int_equal(cache_put(c, entries, CACHE_BATCH_MAX, 60, &note), ERR_IO);
    assert_true(clock_mono_ms() - begun_ms < CALL_MS_MAX);
    cache_free(c);
    assert_int_equal(pthread_join(s.thread, NULL), 0);
    close(s.listener);
}

int main(void)
{
    static struct cache_contract contract = {
        .name = "cache contract: memcached", .server = &server, .make = cache_memcached_new};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_ends_however_late_each_answer_is),
        cmocka_unit_test_prestate(others_find_the_key_in_its_visible_form, &contract),
    };
    signal(SIGPIPE, SIG_IGN); /* the late server is hung up on */
    broker_make(&server, "/usr/bin/memcached", arguments);
    broker_start(&server);
    int failed = cache_contract_run(&contract);
    failed += cmocka_run_group_tests_name("cache: memcached", tests, NULL, NULL);
    broker_remove(&server);
    return failed;
}
