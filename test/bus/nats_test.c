/* The bus over a real nats-server: the contract, and what this backend promises besides. */
#include "bus/nats/nats.h"

#include "contract.h"

#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>

static struct broker server;
static bool locked; /* when it is started the next time, it asks for a password that nobody has */

static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    const char *const of[] = {"-a",   "127.0.0.1", "-p",     room,     "-js",   "-sd",
                              "data", "--user",    "nobody", "--pass", "secret"};
    memcpy(out, of, (ARRAY_LEN(of) - (locked ? 0 : 4)) * sizeof(of[0]));
}

static void url_of(const struct broker *b, char out[128])
{
    snprintf(out, 128, "nats://127.0.0.1:%u", (unsigned)b->port);
}

static struct bus *open_bus(const struct broker *b, enum bus_end end, uint32_t partition, const char *node)
{
    char url[128];
    struct bus *bus = NULL;
    struct err_note note = {""};
    url_of(b, url);
    struct bus_options o = {.url = url, .partition = partition, .end = end, .node = node};
    if (bus_nats_open(&o, &bus, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    return bus;
}

static natsConnection *connect_to(const struct broker *b)
{
    char url[128];
    natsConnection *c = NULL;
    url_of(b, url);
    assert_int_equal(natsConnection_ConnectTo(&c, url), NATS_OK);
    return c;
}

static jsStreamInfo *stream_info(natsConnection *c)
{
    jsCtx *js = NULL;
    jsStreamInfo *info = NULL;
    assert_int_equal(natsConnection_JetStream(&js, c, NULL), NATS_OK);
    assert_int_equal(js_GetStreamInfo(&info, js, "ONHAND", NULL, NULL), NATS_OK);
    jsCtx_Destroy(js);
    return info;
}

static uint64_t stored(const struct broker *b, uint32_t partition)
{
    (void)partition;
    natsConnection *c = connect_to(b);
    jsStreamInfo *info = stream_info(c);
    uint64_t messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    natsConnection_Destroy(c);
    return messages;
}

static void put(const struct broker *b, uint32_t partition, struct str bytes)
{
    natsConnection *c = connect_to(b);
    char subject[64];
    snprintf(subject, sizeof(subject), "onhand.%u.stock.changed", (unsigned)partition);
    assert_int_equal(natsConnection_Publish(c, subject, bytes.ptr, (int)bytes.len), NATS_OK);
    assert_int_equal(natsConnection_Flush(c), NATS_OK);
    natsConnection_Destroy(c);
}

/* Besides the contract. */

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        ",",
        "localhost:4222",
        "nats://",
        "nats://:4222",
        "nats://h:0",
        "nats://h:65536",
        "nats://h:",
        "nats://h:x",
        "nats://h/x",
        "nats://a b",
        "redis://h:1",
        "nats://a,redis://h:1",
        "nats://[::1",
        "nats://[::1]4222",
        "nats://::1",
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct err_note note = {""};
        struct bus_options o = {.url = urls[i], .end = BUS_PUBLISHES};
        if (bus_nats_open(&o, &b, &note) != ERR_CONFIG) {
            fail_msg("\"%s\" was taken", urls[i]);
        }
        assert_null(b);
        assert_true(note.text[0] != '\0');
    }
}

static void urls_of_several_servers_are_taken(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "nats://a", "nats://user:p@ss@a:4222", "nats://a:1,nats://b:2,nats://user@c", "nats://[::1]",
        "nats://[::1]:4222"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct bus_options o = {.url = urls[i], .end = BUS_FOLLOWS, .node = "n"};
        assert_int_equal(bus_nats_open(&o, &b, NULL), ERR_OK);
        bus_free(b);
    }
}

static struct bus_message one_row(struct level_row *level)
{
    *level =
        (struct level_row){.sku = STR("a"), .location_id = STR("x"), .version = 1, .seq = 9, .time_ms = 1795704843045};
    return (struct bus_message){.partition = 900, .levels = level, .levels_len = 1};
}

static void events_are_sent_with_their_id_to_the_subject_of_their_kind(void **state)
{
    (void)state;
    struct level_row level;
    struct bus_message m = one_row(&level);
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    natsConnection *c = connect_to(&server);
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    const char *header = NULL;
    assert_int_equal(natsConnection_SubscribeSync(&sub, c, "onhand.900.stock.changed"), NATS_OK);
    assert_int_equal(natsConnection_Flush(c), NATS_OK);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    assert_int_equal(natsSubscription_NextMsg(&msg, sub, 10000), NATS_OK);
    assert_int_equal(natsMsgHeader_Get(msg, "Nats-Msg-Id", &header), NATS_OK);
    assert_string_equal(header, "900-9");
    assert_int_equal(natsMsgHeader_Get(msg, "Content-Type", &header), NATS_OK);
    assert_string_equal(header, "application/cloudevents+json");
    static const char begin[] = "{\"specversion\":\"1.0\",\"id\":\"900-9\",";
    assert_memory_equal(natsMsg_GetData(msg), begin, sizeof(begin) - 1);
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(sub);
    natsConnection_Destroy(c);
    bus_free(b);
}

static void the_stream_has_limits_and_drops_what_is_published_again(void **state)
{
    (void)state;
    struct level_row level;
    struct bus_message m = one_row(&level);
    level.seq = 10;
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    uint64_t before = stored(&server, 900);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    assert_int_equal(stored(&server, 900), before);
    natsConnection *c = connect_to(&server);
    jsStreamInfo *info = stream_info(c);
    assert_int_equal(info->Config->MaxBytes, 1 << 30);
    assert_int_equal(info->Config->MaxAge, 86400LL * 1000000000);
    assert_int_equal(info->Config->Discard, js_DiscardOld);
    assert_int_equal(info->Config->Storage, js_FileStorage);
    jsStreamInfo_Destroy(info);
    natsConnection_Destroy(c);
    bus_free(b);
}

static void a_stream_that_is_deleted_is_made_again(void **state)
{
    (void)state;
    struct level_row level;
    struct bus_message m = one_row(&level);
    level.seq = 11;
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    natsConnection *c = connect_to(&server);
    jsCtx *js = NULL;
    assert_int_equal(natsConnection_JetStream(&js, c, NULL), NATS_OK);
    assert_int_equal(js_DeleteStream(js, "ONHAND", NULL, NULL), NATS_OK);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_IO);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    assert_int_equal(stored(&server, 900), 1);
    jsCtx_Destroy(js);
    natsConnection_Destroy(c);
    bus_free(b);
}

/* The library gives such a connection up. */
static void a_server_that_refused_us_is_asked_again(void **state)
{
    (void)state;
    struct level_row level;
    struct bus_message m = one_row(&level);
    level.seq = 12;
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_OK);
    broker_stop(&server, SIGTERM);
    locked = true;
    broker_start(&server);
    assert_int_equal(bus_publish(b, &m, NULL), ERR_IO);
    broker_stop(&server, SIGTERM);
    locked = false;
    broker_start(&server);
    enum err e = ERR_IO;
    for (int i = 0; i < 10 && e != ERR_OK; i++) {
        e = bus_publish(b, &m, NULL);
    }
    assert_int_equal(e, ERR_OK);
    bus_free(b);
}

static int own_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(urls_of_several_servers_are_taken),
        cmocka_unit_test(events_are_sent_with_their_id_to_the_subject_of_their_kind),
        cmocka_unit_test(the_stream_has_limits_and_drops_what_is_published_again),
        cmocka_unit_test(a_stream_that_is_deleted_is_made_again),
        cmocka_unit_test(a_server_that_refused_us_is_asked_again),
    };
    return cmocka_run_group_tests_name("bus: nats", tests, NULL, NULL);
}

int main(void)
{
    const struct bus_contract contract = {
        .name = "bus contract: nats",
        .broker = &server,
        .open = open_bus,
        .stored = stored,
        .put = put,
    };
    broker_make(&server, "/usr/sbin/nats-server", arguments);
    broker_start(&server);
    int failed = own_tests() + bus_contract_run(&contract);
    broker_remove(&server);
    nats_Close();
    return failed;
}
