/*
 * The bus over the mock cluster of librdkafka, in a process of its own: the contract, and what this backend promises
 * besides. The path of that program is the first argument.
 */
#include "bus/kafka/kafka.h"

#include "contract.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ASK_MS 20000

static struct broker server;

static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    out[0] = room;
}

static struct bus *open_bus(const struct broker *b, enum bus_end end, uint32_t partition, const char *node)
{
    char url[128];
    struct bus *bus = NULL;
    struct err_note note = {""};
    snprintf(url, sizeof(url), "kafka://127.0.0.1:%u", (unsigned)b->port);
    struct bus_options o = {.url = url, .partition = partition, .end = end, .node = node};
    if (bus_kafka_open(&o, &bus, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    return bus;
}

/* What the test itself asks of the cluster. */

static rd_kafka_t *client_of(const struct broker *b, rd_kafka_type_t type)
{
    char servers[64];
    char why[256];
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", (unsigned)b->port);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", servers, why, sizeof(why)), RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));
    assert_non_null(client);
    return client;
}

static int64_t end_of(rd_kafka_t *client, uint32_t partition)
{
    int64_t low = 0;
    int64_t high = 0;
    assert_int_equal(
        rd_kafka_query_watermark_offsets(client, KAFKA_TOPIC, (int32_t)partition, &low, &high, ASK_MS),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    return high;
}

static uint64_t stored(const struct broker *b, uint32_t partition)
{
    rd_kafka_t *client = client_of(b, RD_KAFKA_CONSUMER);
    int64_t end = end_of(client, partition);
    rd_kafka_destroy(client);
    return (uint64_t)end;
}

static void put(const struct broker *b, uint32_t partition, struct str bytes)
{
    rd_kafka_t *client = client_of(b, RD_KAFKA_PRODUCER);
    assert_int_equal(
        rd_kafka_producev(
            client, RD_KAFKA_V_TOPIC(KAFKA_TOPIC), RD_KAFKA_V_PARTITION((int32_t)partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE((void *)(uintptr_t)bytes.ptr, bytes.len),
            RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(client, ASK_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(client);
}

/* Besides the contract. */

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "kafka://",
        "kafka://,",
        "localhost:9092",
        "nats://h",
        "kafka://h:0",
        "kafka:/",
        "kafka://h/t",
        "kafka://u@h",
        "kafka://u:p@h",
        "kafka://h:9092,",
        "kafka://a,,b",
        "kafka://a,kafka://b",
        "kafka://a b",
        "kafka://h:x",
        "kafka://@h",
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct err_note note = {""};
        struct bus_options o = {.url = urls[i], .end = BUS_PUBLISHES};
        if (bus_kafka_open(&o, &b, &note) != ERR_CONFIG) {
            fail_msg("\"%s\" was taken", urls[i]);
        }
        assert_null(b);
        assert_true(note.text[0] != '\0');
    }
}

static void urls_of_several_brokers_are_taken(void **state)
{
    (void)state;
    static const char *const urls[] = {"kafka://a", "kafka://a:1,b:2,c", "kafka://[::1]", "kafka://[::1]:9092,b"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct bus_options o = {.url = urls[i], .end = BUS_FOLLOWS, .node = "n"};
        assert_int_equal(bus_kafka_open(&o, &b, NULL), ERR_OK);
        bus_free(b);
    }
}

static struct bus_message one_row(struct level_row *level, uint32_t partition, uint64_t seq)
{
    *level = (struct level_row){
        .sku = STR("a \"b\""), .location_id = STR("x"), .version = seq, .seq = seq, .time_ms = 1795704843045};
    return (struct bus_message){.partition = partition, .levels = level, .levels_len = 1};
}

static void expect_header(const rd_kafka_message_t *m, const char *name, const char *value)
{
    rd_kafka_headers_t *headers = NULL;
    const void *found = NULL;
    size_t len = 0;
    assert_int_equal(rd_kafka_message_headers(m, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_header_get_last(headers, name, &found, &len), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(found, value, len);
}

static void events_have_their_key_their_id_and_the_partition_of_ours(void **state)
{
    (void)state;
    struct level_row level;
    struct bus_message message = one_row(&level, 900, 9);
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(bus_publish(b, &message, NULL), ERR_OK);
    rd_kafka_t *client = client_of(&server, RD_KAFKA_CONSUMER);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, "onhand.stock", NULL);
    assert_int_equal(rd_kafka_consume_start(topic, 900, RD_KAFKA_OFFSET_BEGINNING), 0);
    rd_kafka_message_t *m = rd_kafka_consume(topic, 900, ASK_MS);
    assert_non_null(m);
    assert_int_equal(m->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(m->key_len, strlen("a \"b\""));
    assert_memory_equal(m->key, "a \"b\"", m->key_len);
    expect_header(m, "ce_id", "900-9");
    expect_header(m, "content-type", "application/cloudevents+json");
    static const char begin[] = "{\"specversion\":\"1.0\",\"id\":\"900-9\",";
    assert_memory_equal(m->payload, begin, sizeof(begin) - 1);
    rd_kafka_message_destroy(m);
    rd_kafka_consume_stop(topic, 900);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    bus_free(b);
}

static void a_partition_that_the_topic_does_not_have_is_an_error(void **state)
{
    (void)state;
    struct level_row level;
    struct err_note note = {""};
    struct bus_message m = one_row(&level, 100000, 1);
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 100000, NULL);
    struct bus *f = open_bus(&server, BUS_FOLLOWS, 100000, "n");
    assert_int_equal(bus_publish(p, &m, &note), ERR_IO);
    assert_non_null(strstr(note.text, "partition"));
    assert_null(bus_receive(f, 300));
    bus_free(p);
    bus_free(f);
}

/* More than the library queues. */
static void a_large_message_is_confirmed_whole(void **state)
{
    (void)state;
    static struct level_row rows[30000];
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 901, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        one_row(&rows[i], 901, 1 + i);
    }
    struct bus_message m = {.partition = 901, .levels = rows, .levels_len = ARRAY_LEN(rows)};
    assert_int_equal(bus_publish(p, &m, NULL), ERR_OK);
    assert_int_equal(stored(&server, 901), ARRAY_LEN(rows));
    bus_free(p);
}

static void a_large_message_to_a_cluster_that_stands_still_fails(void **state)
{
    (void)state;
    static struct level_row rows[30000];
    struct err_note note = {""};
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 902, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        one_row(&rows[i], 902, 1 + i);
    }
    struct bus_message m = {.partition = 902, .levels = rows, .levels_len = 1};
    assert_int_equal(bus_publish(p, &m, NULL), ERR_OK);
    broker_freeze(&server);
    m.levels_len = ARRAY_LEN(rows);
    assert_int_equal(bus_publish(p, &m, &note), ERR_IO);
    assert_true(note.text[0] != '\0');
    broker_thaw(&server);
    m.levels_len = 1;
    assert_int_equal(bus_publish(p, &m, NULL), ERR_OK);
    bus_free(p);
}

static int own_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(urls_of_several_brokers_are_taken),
        cmocka_unit_test(events_have_their_key_their_id_and_the_partition_of_ours),
        cmocka_unit_test(a_partition_that_the_topic_does_not_have_is_an_error),
        cmocka_unit_test(a_large_message_is_confirmed_whole),
        cmocka_unit_test(a_large_message_to_a_cluster_that_stands_still_fails),
    };
    return cmocka_run_group_tests_name("bus: kafka", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    const struct bus_contract contract = {
        .name = "bus contract: kafka",
        .broker = &server,
        .open = open_bus,
        .stored = stored,
        .put = put,
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH-OF-BUS-KAFKA-MOCK\n", argv[0]);
        return 64;
    }
    broker_make(&server, argv[1], arguments);
    broker_start(&server);
    int failed = own_tests() + bus_contract_run(&contract);
    broker_remove(&server);
    return failed;
}
