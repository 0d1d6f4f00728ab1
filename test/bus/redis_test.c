/* The bus over a real redis-server: the contract, and what this backend promises besides. */
#include "bus/redis/redis.h"

#include "contract.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct broker server;
static bool locked; /* when it is started the next time, it asks for a password */

static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    const char *const of[] = {"--bind",       "127.0.0.1", "--port", room, "--dir",         "data",
                              "--appendonly", "yes",       "--save", "",   "--requirepass", "p:a@ss"};
    memcpy(out, of, (ARRAY_LEN(of) - (locked ? 0 : 2)) * sizeof(of[0]));
}

static struct bus *
open_as(const struct broker *b, const char *user, const char *database, enum bus_end end, uint32_t partition)
{
    char url[128];
    struct bus *bus = NULL;
    struct err_note note = {""};
    snprintf(url, sizeof(url), "redis://%s127.0.0.1:%u%s", user, (unsigned)b->port, database);
    struct bus_options o = {.url = url, .partition = partition, .end = end, .node = "one"};
    if (bus_redis_open(&o, &bus, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    return bus;
}

static struct bus *open_bus(const struct broker *b, enum bus_end end, uint32_t partition, const char *node)
{
    (void)node;
    return open_as(b, "", "", end, partition);
}

/* A server that has just started reads its data first. */
static bool is_loading(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) == 0;
}

static redisReply *run_once(const struct broker *b, const char *format, va_list arguments_of)
{
    redisContext *c = redisConnect("127.0.0.1", b->port);
    assert_true(c != NULL && c->err == 0);
    redisReply *reply = redisvCommand(c, format, arguments_of);
    redisFree(c);
    assert_non_null(reply);
    return reply;
}

static redisReply *run(const struct broker *b, const char *format, ...)
{
    redisReply *reply = NULL;
    for (int i = 0; i < 6000 && (reply == NULL || is_loading(reply)); i++) {
        va_list arguments_of;
        if (reply != NULL) {
            freeReplyObject(reply);
            usleep(10000);
        }
        va_start(arguments_of, format);
        reply = run_once(b, format, arguments_of);
        va_end(arguments_of);
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s", reply->str);
    }
    return reply;
}

static uint64_t stored(const struct broker *b, uint32_t partition)
{
    redisReply *reply = run(b, "XLEN onhand:stream:%u", (unsigned)partition);
    uint64_t len = (uint64_t)reply->integer;
    freeReplyObject(reply);
    return len;
}

static void put(const struct broker *b, uint32_t partition, struct str bytes)
{
    freeReplyObject(run(b, "XADD onhand:stream:%u * event %b", (unsigned)partition, bytes.ptr, bytes.len));
    freeReplyObject(run(b, "XADD onhand:stream:%u * other %b", (unsigned)partition, bytes.ptr, bytes.len));
}

/* Besides the contract. */

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "localhost",
        "redis://",
        "redis://h:x",
        "nats://h",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/65536",
        "redis://h/1/2",
        "redis://a,b",
        "redis://user@h",
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct err_note note = {""};
        struct bus_options o = {.url = urls[i], .end = BUS_FOLLOWS, .node = "n"};
        if (bus_redis_open(&o, &b, &note) != ERR_CONFIG) {
            fail_msg("\"%s\" was taken", urls[i]);
        }
        assert_null(b);
        assert_true(note.text[0] != '\0');
    }
}

static struct bus_message one_row(struct level_row *level, uint32_t partition, uint64_t seq)
{
    *level = (struct level_row){
        .sku = STR("a"), .location_id = STR("x"), .version = 1, .seq = seq, .time_ms = 1795704843045};
    return (struct bus_message){.partition = partition, .levels = level, .levels_len = 1};
}

static enum err publish_one(struct bus *b, uint32_t partition, uint64_t seq, struct err_note *note)
{
    struct level_row level;
    struct bus_message m = one_row(&level, partition, seq);
    return bus_publish(b, &m, note);
}

/* Receives the one row that there is. */
static uint64_t receive_seq(struct bus *b)
{
    const struct bus_message *m = NULL;
    for (int i = 0; i < 600 && m == NULL; i++) {
        m = bus_receive(b, 100);
    }
    assert_non_null(m);
    assert_int_equal(m->levels_len, 1);
    uint64_t seq = m->levels[0].seq;
    bus_done(b, m);
    return seq;
}

static void an_entry_has_the_event_and_its_id(void **state)
{
    (void)state;
    static const char begin[] = "{\"specversion\":\"1.0\",\"id\":\"900-9\",";
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(publish_one(b, 900, 9, NULL), ERR_OK);
    redisReply *reply = run(&server, "XRANGE onhand:stream:900 - +");
    assert_int_equal(reply->elements, 1);
    redisReply *fields = reply->element[0]->element[1];
    assert_int_equal(fields->elements, 4);
    assert_string_equal(fields->element[0]->str, "event");
    assert_memory_equal(fields->element[1]->str, begin, sizeof(begin) - 1);
    assert_string_equal(fields->element[2]->str, "id");
    assert_string_equal(fields->element[3]->str, "900-9");
    freeReplyObject(reply);
    bus_free(b);
}

static void the_url_names_user_password_and_database(void **state)
{
    (void)state;
    struct err_note note = {""};
    broker_stop(&server, SIGTERM);
    locked = true;
    broker_start(&server);
    struct bus *none = open_as(&server, "", "", BUS_PUBLISHES, 901);
    struct bus *wrong = open_as(&server, ":other@", "", BUS_PUBLISHES, 901);
    struct bus *right = open_as(&server, ":p:a@ss@", "/3", BUS_PUBLISHES, 901);
    struct bus *named = open_as(&server, "default:p:a@ss@", "/3", BUS_FOLLOWS, 901);
    assert_int_equal(publish_one(none, 901, 1, &note), ERR_IO);
    assert_non_null(strstr(note.text, "NOAUTH"));
    assert_int_equal(publish_one(wrong, 901, 1, &note), ERR_IO);
    assert_non_null(strstr(note.text, "AUTH: "));
    assert_null(bus_receive(named, 0));
    assert_int_equal(publish_one(right, 901, 2, NULL), ERR_OK);
    assert_int_equal(receive_seq(named), 2);
    bus_free(none);
    bus_free(wrong);
    bus_free(right);
    bus_free(named);
    broker_stop(&server, SIGTERM);
    locked = false;
    broker_start(&server);
}

/* The server's clock was set back, and the stream was deleted: ids begin again below where the follower is. */
static void a_stream_that_begins_again_is_followed(void **state)
{
    (void)state;
    struct bus *publisher = open_bus(&server, BUS_PUBLISHES, 902, NULL);
    struct bus *follower = open_bus(&server, BUS_FOLLOWS, 902, NULL);
    freeReplyObject(run(&server, "XADD onhand:stream:902 99999999999999-5 event old"));
    assert_null(bus_receive(follower, 20));
    freeReplyObject(run(&server, "DEL onhand:stream:902"));
    uint64_t seq = 0;
    const struct bus_message *m = NULL;
    for (int i = 0; i < 600 && m == NULL; i++) {
        assert_int_equal(publish_one(publisher, 902, ++seq, NULL), ERR_OK);
        m = bus_receive(follower, 100);
    }
    assert_non_null(m);
    bus_done(follower, m);
    bus_free(publisher);
    bus_free(follower);
}

static void a_follower_goes_on_where_it_was(void **state)
{
    (void)state;
    struct bus *publisher = open_bus(&server, BUS_PUBLISHES, 903, NULL);
    struct bus *follower = open_bus(&server, BUS_FOLLOWS, 903, NULL);
    assert_null(bus_receive(follower, 0));
    assert_int_equal(publish_one(publisher, 903, 1, NULL), ERR_OK);
    assert_int_equal(receive_seq(follower), 1);
    freeReplyObject(run(&server, "CLIENT KILL TYPE normal"));
    enum err e = ERR_IO;
    for (int i = 0; i < 100 && e != ERR_OK; i++) {
        e = publish_one(publisher, 903, 2, NULL);
    }
    assert_int_equal(e, ERR_OK);
    assert_int_equal(receive_seq(follower), 2);
    bus_free(publisher);
    bus_free(follower);
}

static void what_redis_refuses_is_not_confirmed(void **state)
{
    (void)state;
    struct err_note note = {""};
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 904, NULL);
    freeReplyObject(run(&server, "SET onhand:stream:904 text"));
    assert_int_equal(publish_one(b, 904, 1, &note), ERR_IO);
    assert_non_null(strstr(note.text, "WRONGTYPE"));
    freeReplyObject(run(&server, "DEL onhand:stream:904"));
    assert_int_equal(publish_one(b, 904, 1, &note), ERR_OK);
    assert_int_equal(stored(&server, 904), 1);
    bus_free(b);
}

static int own_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(an_entry_has_the_event_and_its_id),
        cmocka_unit_test(the_url_names_user_password_and_database),
        cmocka_unit_test(a_stream_that_begins_again_is_followed),
        cmocka_unit_test(a_follower_goes_on_where_it_was),
        cmocka_unit_test(what_redis_refuses_is_not_confirmed),
    };
    return cmocka_run_group_tests_name("bus: redis", tests, NULL, NULL);
}

int main(void)
{
    const struct bus_contract contract = {
        .name = "bus contract: redis",
        .broker = &server,
        .open = open_bus,
        .stored = stored,
        .put = put,
    };
    signal(SIGPIPE, SIG_IGN);
    broker_make(&server, "/usr/bin/redis-server", arguments);
    broker_start(&server);
    int failed = own_tests() + bus_contract_run(&contract);
    broker_remove(&server);
    return failed;
}
