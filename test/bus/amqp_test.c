/* The bus over a real RabbitMQ: the contract, and what this backend promises besides. */
#include "bus/amqp/amqp.h"

#include "contract.h"
#include "rabbit.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        ",",
        "localhost:5672",
        "amqp://",
        "amqps://h",
        "amqp://h:0",
        "amqp://h/a/b",
        "amqp://h/%",
        "amqp://h/%2",
        "amqp://h/%zz",
        "amqp://h/%00",
        "amqp://us%er@h",
        "amqp://user:p%ss@h",
        "amqp://a,nats://b",
        "amqp://a,",
        "amqp://1,amqp://2,amqp://3,amqp://4,amqp://5,amqp://6,amqp://7,amqp://8,amqp://9",
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct bus *b = NULL;
        struct err_note note = {""};
        struct bus_options o = {.url = urls[i], .end = BUS_PUBLISHES};
        if (bus_amqp_open(&o, &b, &note) != ERR_CONFIG) {
            fail_msg("\"%s\" was taken", urls[i]);
        }
        assert_null(b);
        assert_true(note.text[0] != '\0');
    }
}

static void a_node_has_a_name_of_bounded_length(void **state)
{
    (void)state;
    char node[130];
    memset(node, 'n', sizeof(node) - 1);
    node[sizeof(node) - 1] = '\0';
    struct bus *b = NULL;
    struct bus_options o = {.url = "amqp://h", .end = BUS_FOLLOWS, .node = node};
    assert_int_equal(bus_amqp_open(&o, &b, NULL), ERR_CONFIG);
    node[128] = '\0';
    assert_int_equal(bus_amqp_open(&o, &b, NULL), ERR_OK);
    bus_free(b);
}

static void events_are_persistent_and_have_their_id_and_the_key_of_their_kind(void **state)
{
    (void)state;
    struct bus *b = rabbit_open(&rabbit, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(rabbit_publish(b, 900, 9, NULL), ERR_OK);
    amqp_connection_state_t c = rabbit_connect(&rabbit);
    amqp_rpc_reply_t r = amqp_basic_get(c, 1, amqp_cstring_bytes(rabbit_keeper(900)), true);
    assert_int_equal(r.reply.id, AMQP_BASIC_GET_OK_METHOD);
    const amqp_basic_get_ok_t *ok = r.reply.decoded;
    assert_int_equal(ok->routing_key.len, strlen("onhand.900.stock.changed"));
    assert_memory_equal(ok->routing_key.bytes, "onhand.900.stock.changed", ok->routing_key.len);
    amqp_message_t m;
    assert_int_equal(amqp_read_message(c, 1, &m, 0).reply_type, AMQP_RESPONSE_NORMAL);
    assert_int_equal(m.properties.delivery_mode, 2);
    assert_int_equal(m.properties.message_id.len, strlen("900-9"));
    assert_memory_equal(m.properties.message_id.bytes, "900-9", 5);
    assert_int_equal(m.properties.content_type.len, strlen("application/cloudevents+json"));
    assert_memory_equal(m.properties.content_type.bytes, "application/cloudevents+json", 28);
    static const char begin[] = "{\"specversion\":\"1.0\",\"id\":\"900-9\",";
    assert_memory_equal(m.body.bytes, begin, sizeof(begin) - 1);
    amqp_destroy_message(&m);
    rabbit_disconnect(c);
    bus_free(b);
}

/* The rows from `first` to `last`, in however many messages; older ones may come before. */
static void expect(struct bus *follower, uint64_t first, uint64_t last)
{
    for (int i = 0; i < RABBIT_TRIES && first <= last; i++) {
        const struct bus_message *m = bus_receive(follower, 100);
        for (size_t k = 0; m != NULL && k < m->levels_len; k++) {
            if (m->levels[k].seq >= first) {
                assert_int_equal(m->levels[k].seq, first++);
            }
        }
        if (m != NULL) {
            bus_done(follower, m);
        }
    }
    assert_int_equal(first, last + 1);
}

/* What the broker's list of queues says of one: type, durable, arguments. Lives until the next call. */
static const char *describe_queue(const char *name)
{
    static char copy[1024];
    char wanted[128];
    const char *line = rabbit_control("list_queues name type durable arguments");
    snprintf(wanted, sizeof(wanted), "\n%s\t", name);
    line = strstr(line, wanted); /* the first line is the heads of the columns */
    assert_non_null(line);
    snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
    return copy;
}

static void the_queue_of_a_follower_is_a_bounded_quorum_queue_that_outlives_it(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\tquorum\ttrue\t",          "{\"x-max-length\",1000000}", "{\"x-overflow\",\"drop-head\"}",
        "{\"x-message-ttl\",60000}", "{\"x-expires\",3600000}",    "{\"x-single-active-consumer\",true}"};
    uint64_t seq = 1;
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 901, NULL);
    struct bus *f = rabbit_open(&rabbit, BUS_FOLLOWS, 901, "shop-1");
    rabbit_meet(p, f, 901, &seq);
    bus_free(f);
    uint64_t first = seq;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rabbit_publish(p, 901, seq++, NULL), ERR_OK);
    }
    f = rabbit_open(&rabbit, BUS_FOLLOWS, 901, "shop-1");
    expect(f, first, seq - 1);
    bus_free(f);
    bus_free(p);
    const char *queue = describe_queue("onhand.901.node.shop-1");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        assert_non_null(strstr(queue, parts[i]));
    }
}

static void followers_may_have_the_same_name(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 903, NULL);
    struct bus *one = rabbit_open(&rabbit, BUS_FOLLOWS, 903, "shop-1");
    struct bus *other = rabbit_open(&rabbit, BUS_FOLLOWS, 903, "shop-1");
    rabbit_meet(p, one, 903, &seq);
    rabbit_meet(p, other, 903, &seq);
    uint64_t first = seq;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rabbit_publish(p, 903, seq++, NULL), ERR_OK);
    }
    expect(other, first, seq - 1);
    expect(one, first, seq - 1);
    assert_non_null(strstr(rabbit_control("list_queues name"), "onhand.903.node.shop-1."));
    bus_free(other);
    assert_null(strstr(rabbit_control("list_queues name"), "onhand.903.node.shop-1."));
    bus_free(one);
    bus_free(p);
}

static void a_connection_that_is_closed_by_the_broker_is_made_again(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct err_note note = {""};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 904, NULL);
    struct bus *f = rabbit_open(&rabbit, BUS_FOLLOWS, 904, "shop-1");
    rabbit_meet(p, f, 904, &seq);
    rabbit_control("close_all_connections maintenance");
    assert_int_equal(rabbit_publish(p, 904, seq, &note), ERR_IO); /* it finds out before it sends, and says so once */
    rabbit_meet(p, f, 904, &seq);
    bus_free(f);
    bus_free(p);
}

/*
 * The publisher's channel is closed by the broker when its exchange is not there. The follower is told nothing, but that
 * its queue is not bound any more.
 */
static void an_exchange_that_is_deleted_is_made_again(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct err_note note = {""};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 905, NULL);
    struct bus *f = rabbit_open(&rabbit, BUS_FOLLOWS, 905, "shop-1");
    rabbit_meet(p, f, 905, &seq);
    amqp_connection_state_t c = rabbit_connect(&rabbit);
    assert_non_null(amqp_exchange_delete(c, 1, amqp_cstring_bytes("onhand"), false));
    rabbit_disconnect(c);
    assert_int_equal(rabbit_publish(p, 905, seq, &note), ERR_IO);
    assert_non_null(strstr(note.text, "NOT_FOUND"));
    rabbit_meet(p, f, 905, &seq);
    bus_free(f);
    bus_free(p);
}

static void the_queues_of_both_ends_may_be_deleted(void **state)
{
    (void)state;
    static const char *const queues[] = {"onhand.912.end", "onhand.912.node.shop-1"};
    uint64_t seq = 1;
    struct bus_position end = {.seq = 1};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 912, NULL);
    struct bus *f = rabbit_open(&rabbit, BUS_FOLLOWS, 912, "shop-1");
    rabbit_meet(p, f, 912, &seq);
    assert_int_equal(bus_last(p, &end, NULL), ERR_OK);
    assert_int_equal(end.seq, seq - 1);
    amqp_connection_state_t c = rabbit_connect(&rabbit);
    for (size_t i = 0; i < ARRAY_LEN(queues); i++) {
        assert_non_null(amqp_queue_delete(c, 1, amqp_cstring_bytes(queues[i]), false, false));
    }
    rabbit_disconnect(c);
    rabbit_meet(p, f, 912, &seq);
    assert_int_equal(bus_last(p, &end, NULL), ERR_IO);
    enum err e = ERR_IO;
    for (int i = 0; i < RABBIT_TRIES && e != ERR_OK; i++) {
        usleep(100000);
        e = bus_last(p, &end, NULL);
    }
    assert_int_equal(e, ERR_OK);
    assert_int_equal(end.seq, 0);
    rabbit_meet(p, f, 912, &seq);
    assert_int_equal(bus_last(p, &end, NULL), ERR_OK);
    assert_int_equal(end.seq, seq - 1);
    bus_free(f);
    bus_free(p);
}

static void what_a_queue_refuses_is_not_confirmed(void **state)
{
    (void)state;
    amqp_table_entry_t entries[] = {
        {amqp_cstring_bytes("x-max-length"), {AMQP_FIELD_KIND_I32, {.i32 = 1}}},
        {amqp_cstring_bytes("x-overflow"), {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes("reject-publish")}}},
    };
    amqp_table_t table = {ARRAY_LEN(entries), entries};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 906, NULL);
    amqp_connection_state_t c = rabbit_connect(&rabbit);
    amqp_bytes_t queue = amqp_cstring_bytes("full");
    assert_non_null(amqp_queue_declare(c, 1, queue, false, true, false, false, table));
    assert_non_null(amqp_queue_bind(
        c, 1, queue, amqp_cstring_bytes("onhand"), amqp_cstring_bytes("onhand.906.#"), amqp_empty_table));
    struct err_note note = {""};
    enum err e = ERR_OK;
    for (uint64_t seq = 1; seq < 10 && e == ERR_OK; seq++) {
        e = rabbit_publish(p, 906, seq, &note);
    }
    assert_int_equal(e, ERR_IO);
    assert_non_null(strstr(note.text, "not confirmed"));
    assert_non_null(amqp_queue_delete(c, 1, queue, false, false));
    rabbit_disconnect(c);
    usleep(600000);
    assert_int_equal(rabbit_publish(p, 906, 20, NULL), ERR_OK);
    bus_free(p);
}

static void a_broker_that_refuses_us_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        const char *vhost;
    } rows[] = {{"guest:wrong", "/%2F"}, {"guest:guest", "/no-such"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[128];
        struct err_note note = {""};
        snprintf(url, sizeof(url), "amqp://%s@127.0.0.1:%u%s", rows[i].user, (unsigned)rabbit.port, rows[i].vhost);
        struct bus *p = rabbit_open_at(url, BUS_PUBLISHES, 907, NULL);
        struct bus *f = rabbit_open_at(url, BUS_FOLLOWS, 907, "shop-1");
        assert_int_equal(rabbit_publish(p, 907, 1, &note), ERR_IO);
        assert_non_null(strstr(note.text, "cannot log in"));
        assert_null(bus_receive(f, 100));
        bus_free(p);
        bus_free(f);
    }
}

static void the_brokers_of_a_list_are_tried_in_turn(void **state)
{
    (void)state;
    char url[256];
    uint64_t seq = 1;
    snprintf(
        url, sizeof(url), "amqp://127.0.0.1:%u,amqp://guest:guest@127.0.0.1:%u/%%2f", (unsigned)rabbit_free_port(),
        (unsigned)rabbit.port);
    struct bus *p = rabbit_open_at(url, BUS_PUBLISHES, 908, NULL);
    struct bus *f = rabbit_open_at(url, BUS_FOLLOWS, 908, "shop-1");
    rabbit_meet(p, f, 908, &seq);
    bus_free(p);
    bus_free(f);
}

/* More than its sockets take. */
static void a_broker_that_stands_still_does_not_block_a_large_message(void **state)
{
    (void)state;
    static struct level_row rows[20000];
    struct err_note note = {""};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 909, NULL);
    assert_int_equal(rabbit_publish(p, 909, 1, NULL), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rabbit_row(&rows[i], 909, 2 + i);
    }
    struct bus_message m = {.partition = 909, .levels = rows, .levels_len = ARRAY_LEN(rows)};
    broker_freeze(&rabbit);
    assert_int_equal(bus_publish(p, &m, &note), ERR_IO);
    broker_thaw(&rabbit);
    usleep(600000);
    assert_int_equal(rabbit_publish(p, 909, 1, NULL), ERR_OK);
    bus_free(p);
}

static int own_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(a_node_has_a_name_of_bounded_length),
        cmocka_unit_test(events_are_persistent_and_have_their_id_and_the_key_of_their_kind),
        cmocka_unit_test(the_queue_of_a_follower_is_a_bounded_quorum_queue_that_outlives_it),
        cmocka_unit_test(followers_may_have_the_same_name),
        cmocka_unit_test(a_connection_that_is_closed_by_the_broker_is_made_again),
        cmocka_unit_test(an_exchange_that_is_deleted_is_made_again),
        cmocka_unit_test(the_queues_of_both_ends_may_be_deleted),
        cmocka_unit_test(what_a_queue_refuses_is_not_confirmed),
        cmocka_unit_test(a_broker_that_refuses_us_is_an_error),
        cmocka_unit_test(the_brokers_of_a_list_are_tried_in_turn),
        cmocka_unit_test(a_broker_that_stands_still_does_not_block_a_large_message),
    };
    return cmocka_run_group_tests_name("bus: amqp", tests, NULL, NULL);
}

int main(void)
{
    rabbit_start();
    const struct bus_contract contract = {
        .name = "bus contract: amqp",
        .broker = &rabbit,
        .open = rabbit_open,
        .stored = rabbit_stored,
        .put = rabbit_put,
    };
    int failed = own_tests() + bus_contract_run(&contract);
    rabbit_remove();
    return failed;
}
