/*
 * The bus over a real RabbitMQ: the contract, and what this backend promises besides. With a number as argument, only the
 * tests of a broker that is killed, and it is killed so often.
 */
#include "bus/amqp/amqp.h"

#include "contract.h"

#include "base/clock.h"
#include "base/mem.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "/usr/lib/rabbitmq/bin/rabbitmq-server"
#define TRIES 600 /* of 100 ms and more */

static struct broker server;
static struct broker names;        /* epmd: without it the server would leave one behind */
static struct broker distribution; /* never started: its port is what the server needs besides */

static void names_arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    snprintf(room, 8, "%u", (unsigned)b->port);
    const char *const of[] = {"-address", "127.0.0.1", "-port", room};
    memcpy(out, of, sizeof(of));
}

/* An environment of its own: no files of the machine, one process (no shell that waits for it), and it sleeps when idle. */
static void arguments(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024])
{
    static char of[16][256];
    unsigned len = 0;
    (void)room;
    snprintf(of[len++], 256, "-i");
    snprintf(of[len++], 256, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    snprintf(of[len++], 256, "HOME=%s", b->dir);
    snprintf(of[len++], 256, "ERL_EPMD_PORT=%u", (unsigned)names.port);
    snprintf(of[len++], 256, "RABBITMQ_NODENAME=onhand%u@localhost", (unsigned)b->port);
    snprintf(of[len++], 256, "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1");
    snprintf(of[len++], 256, "RABBITMQ_NODE_PORT=%u", (unsigned)b->port);
    snprintf(of[len++], 256, "RABBITMQ_DIST_PORT=%u", (unsigned)distribution.port);
    snprintf(of[len++], 256, "RABBITMQ_MNESIA_BASE=%s/data", b->dir);
    snprintf(of[len++], 256, "RABBITMQ_LOGS=-");
    snprintf(of[len++], 256, "RABBITMQ_CONF_ENV_FILE=/dev/null");
    snprintf(of[len++], 256, "RABBITMQ_CONFIG_FILE=%s/none", b->dir);
    snprintf(of[len++], 256, "RABBITMQ_ENABLED_PLUGINS_FILE=%s/none", b->dir);
    snprintf(of[len++], 256, "RABBITMQ_ALLOW_INPUT=true");
    snprintf(of[len++], 256, "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +sbwt none +sbwtdcpu none +sbwtdio none");
    snprintf(of[len++], 256, PROGRAM);
    for (unsigned i = 0; i < len; i++) {
        out[i] = of[i];
    }
}

/* What the test itself asks of the broker. */

static amqp_connection_state_t connect_to(const struct broker *b)
{
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(c);
    assert_int_equal(amqp_socket_open(socket, "127.0.0.1", b->port), AMQP_STATUS_OK);
    amqp_rpc_reply_t r = amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    assert_non_null(amqp_channel_open(c, 1));
    return c;
}

static void disconnect(amqp_connection_state_t c)
{
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
}

/* A queue that keeps what is published in the partition. */
static const char *keeper_of(uint32_t partition)
{
    static char name[32];
    snprintf(name, sizeof(name), "keeper.%u", (unsigned)partition);
    return name;
}

static void declare_keeper(const struct broker *b, uint32_t partition)
{
    char pattern[32];
    amqp_connection_state_t c = connect_to(b);
    amqp_bytes_t queue = amqp_cstring_bytes(keeper_of(partition));
    snprintf(pattern, sizeof(pattern), "onhand.%u.#", (unsigned)partition);
    assert_non_null(amqp_exchange_declare(
        c, 1, amqp_cstring_bytes("onhand"), amqp_cstring_bytes("topic"), false, true, false, false, amqp_empty_table));
    assert_non_null(amqp_queue_declare(c, 1, queue, false, true, false, false, amqp_empty_table));
    assert_non_null(
        amqp_queue_bind(c, 1, queue, amqp_cstring_bytes("onhand"), amqp_cstring_bytes(pattern), amqp_empty_table));
    disconnect(c);
}

static uint64_t stored(const struct broker *b, uint32_t partition)
{
    amqp_connection_state_t c = connect_to(b);
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(c, 1, amqp_cstring_bytes(keeper_of(partition)), true, true, false, false, amqp_empty_table);
    assert_non_null(ok);
    uint64_t count = ok->message_count;
    disconnect(c);
    return count;
}

static void put(const struct broker *b, uint32_t partition, struct str bytes)
{
    char key[64];
    amqp_connection_state_t c = connect_to(b);
    amqp_bytes_t body = {bytes.len, (void *)(uintptr_t)bytes.ptr};
    snprintf(key, sizeof(key), "onhand.%u.stock.changed", (unsigned)partition);
    assert_int_equal(
        amqp_basic_publish(c, 1, amqp_cstring_bytes("onhand"), amqp_cstring_bytes(key), false, false, NULL, body),
        AMQP_STATUS_OK);
    disconnect(c);
}

static struct bus *open_at(const char *url, enum bus_end end, uint32_t partition, const char *node)
{
    struct bus *bus = NULL;
    struct err_note note = {""};
    struct bus_options o = {.url = url, .partition = partition, .end = end, .node = node};
    if (bus_amqp_open(&o, &bus, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    return bus;
}

static struct bus *open_bus(const struct broker *b, enum bus_end end, uint32_t partition, const char *node)
{
    char url[128];
    snprintf(url, sizeof(url), "amqp://127.0.0.1:%u", (unsigned)b->port);
    if (end == BUS_PUBLISHES && b->pid != 0) {
        declare_keeper(b, partition);
    }
    return open_at(url, end, partition, node);
}

/* Besides the contract. */

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

static struct bus_message one_row(struct level_row *level, uint32_t partition, uint64_t seq)
{
    *level = (struct level_row){
        .sku = STR("a"), .location_id = STR("x"), .version = seq, .seq = seq, .time_ms = 1795704843045};
    return (struct bus_message){.partition = partition, .levels = level, .levels_len = 1};
}

static enum err publish_one(struct bus *b, uint32_t partition, uint64_t seq, struct err_note *note)
{
    struct level_row level;
    struct bus_message m = one_row(&level, partition, seq);
    return bus_publish(b, &m, note);
}

/* Publishes rows from `*seq` on until the follower has one of them; what it got before is let go. */
static void meet(struct bus *publisher, struct bus *follower, uint32_t partition, uint64_t *seq)
{
    uint64_t first = *seq;
    for (int i = 0; i < TRIES; i++) {
        assert_int_equal(publish_one(publisher, partition, (*seq)++, NULL), ERR_OK);
        const struct bus_message *m = bus_receive(follower, 100);
        bool met = m != NULL && m->levels[m->levels_len - 1].seq >= first;
        if (m != NULL) {
            bus_done(follower, m);
        }
        if (met) {
            return;
        }
    }
    fail_msg("the follower hears nothing");
}

/* The rows from `first` to `last`, in however many messages; older ones may come before. */
static void expect(struct bus *follower, uint64_t first, uint64_t last)
{
    for (int i = 0; i < TRIES && first <= last; i++) {
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

static void events_are_persistent_and_have_their_id_and_the_key_of_their_kind(void **state)
{
    (void)state;
    struct bus *b = open_bus(&server, BUS_PUBLISHES, 900, NULL);
    assert_int_equal(publish_one(b, 900, 9, NULL), ERR_OK);
    amqp_connection_state_t c = connect_to(&server);
    amqp_rpc_reply_t r = amqp_basic_get(c, 1, amqp_cstring_bytes(keeper_of(900)), true);
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
    disconnect(c);
    bus_free(b);
}

/* What the broker's own tool says; lives until the next call. */
static const char *control(const char *command)
{
    static char out[16384];
    char line[1024];
    snprintf(
        line, sizeof(line),
        "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=%s ERL_EPMD_PORT=%u RABBITMQ_CONF_ENV_FILE=/dev/null "
        "/usr/lib/rabbitmq/bin/rabbitmqctl -q -n onhand%u@localhost %s 2>&1",
        server.dir, (unsigned)names.port, (unsigned)server.port, command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    out[fread(out, 1, sizeof(out) - 1, f)] = '\0';
    if (pclose(f) != 0) {
        fail_msg("%s: %s", command, out);
    }
    return out;
}

/* Does the broker's list of queues have a line with all of that? */
static bool has_queue(const char *name, const char *more, const char *and_more)
{
    char wanted[128];
    const char *line = control("list_queues name type durable arguments");
    snprintf(wanted, sizeof(wanted), "%s\t", name);
    for (; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, wanted, strlen(wanted)) == 0) {
            char copy[1024];
            snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "\n"), line);
            return strstr(copy, more) != NULL && strstr(copy, and_more) != NULL;
        }
    }
    return false;
}

static void the_queue_of_a_follower_is_a_bounded_quorum_queue_that_outlives_it(void **state)
{
    (void)state;
    static const char *const arguments_of_it[] = {
        "{\"x-max-length\",1000000}", "{\"x-overflow\",\"drop-head\"}", "{\"x-message-ttl\",60000}",
        "{\"x-expires\",3600000}", "{\"x-single-active-consumer\",true}"};
    uint64_t seq = 1;
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 901, NULL);
    struct bus *f = open_bus(&server, BUS_FOLLOWS, 901, "shop-1");
    meet(p, f, 901, &seq);
    for (size_t i = 0; i < ARRAY_LEN(arguments_of_it); i++) {
        assert_true(has_queue("onhand.901.node.shop-1", "\tquorum\ttrue\t", arguments_of_it[i]));
    }
    bus_free(f);
    uint64_t first = seq;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(publish_one(p, 901, seq++, NULL), ERR_OK);
    }
    f = open_bus(&server, BUS_FOLLOWS, 901, "shop-1");
    expect(f, first, seq - 1);
    bus_free(f);
    bus_free(p);
}

static void followers_may_have_the_same_name(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 903, NULL);
    struct bus *one = open_bus(&server, BUS_FOLLOWS, 903, "shop-1");
    struct bus *other = open_bus(&server, BUS_FOLLOWS, 903, "shop-1");
    meet(p, one, 903, &seq);
    meet(p, other, 903, &seq);
    uint64_t first = seq;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(publish_one(p, 903, seq++, NULL), ERR_OK);
    }
    expect(other, first, seq - 1);
    expect(one, first, seq - 1);
    assert_non_null(strstr(control("list_queues name"), "onhand.903.node.shop-1."));
    bus_free(other);
    assert_null(strstr(control("list_queues name"), "onhand.903.node.shop-1."));
    bus_free(one);
    bus_free(p);
}

static void a_connection_that_is_closed_by_the_broker_is_made_again(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct err_note note = {""};
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 904, NULL);
    struct bus *f = open_bus(&server, BUS_FOLLOWS, 904, "shop-1");
    meet(p, f, 904, &seq);
    control("close_all_connections maintenance");
    assert_int_equal(publish_one(p, 904, seq, &note), ERR_IO); /* it finds out before it sends, and says so once */
    meet(p, f, 904, &seq);
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
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 905, NULL);
    struct bus *f = open_bus(&server, BUS_FOLLOWS, 905, "shop-1");
    meet(p, f, 905, &seq);
    amqp_connection_state_t c = connect_to(&server);
    assert_non_null(amqp_exchange_delete(c, 1, amqp_cstring_bytes("onhand"), false));
    disconnect(c);
    assert_int_equal(publish_one(p, 905, seq, &note), ERR_IO);
    assert_non_null(strstr(note.text, "NOT_FOUND"));
    meet(p, f, 905, &seq);
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
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 906, NULL);
    amqp_connection_state_t c = connect_to(&server);
    amqp_bytes_t queue = amqp_cstring_bytes("full");
    assert_non_null(amqp_queue_declare(c, 1, queue, false, true, false, false, table));
    assert_non_null(amqp_queue_bind(
        c, 1, queue, amqp_cstring_bytes("onhand"), amqp_cstring_bytes("onhand.906.#"), amqp_empty_table));
    struct err_note note = {""};
    enum err e = ERR_OK;
    for (uint64_t seq = 1; seq < 10 && e == ERR_OK; seq++) {
        e = publish_one(p, 906, seq, &note);
    }
    assert_int_equal(e, ERR_IO);
    assert_non_null(strstr(note.text, "not confirmed"));
    assert_non_null(amqp_queue_delete(c, 1, queue, false, false));
    disconnect(c);
    usleep(600000);
    assert_int_equal(publish_one(p, 906, 20, NULL), ERR_OK);
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
        snprintf(url, sizeof(url), "amqp://%s@127.0.0.1:%u%s", rows[i].user, (unsigned)server.port, rows[i].vhost);
        struct bus *p = open_at(url, BUS_PUBLISHES, 907, NULL);
        struct bus *f = open_at(url, BUS_FOLLOWS, 907, "shop-1");
        assert_int_equal(publish_one(p, 907, 1, &note), ERR_IO);
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
        url, sizeof(url), "amqp://127.0.0.1:%u,amqp://guest:guest@127.0.0.1:%u/%%2f", (unsigned)distribution.port + 1,
        (unsigned)server.port);
    struct bus *p = open_at(url, BUS_PUBLISHES, 908, NULL);
    struct bus *f = open_at(url, BUS_FOLLOWS, 908, "shop-1");
    meet(p, f, 908, &seq);
    bus_free(p);
    bus_free(f);
}

/* More than its sockets take. */
static void a_broker_that_stands_still_does_not_block_a_large_message(void **state)
{
    (void)state;
    static struct level_row rows[20000];
    struct err_note note = {""};
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 909, NULL);
    assert_int_equal(publish_one(p, 909, 1, NULL), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        one_row(&rows[i], 909, 2 + i);
    }
    struct bus_message m = {.partition = 909, .levels = rows, .levels_len = ARRAY_LEN(rows)};
    broker_freeze(&server);
    assert_int_equal(bus_publish(p, &m, &note), ERR_IO);
    broker_thaw(&server);
    usleep(600000);
    assert_int_equal(publish_one(p, 909, 1, NULL), ERR_OK);
    bus_free(p);
}

/* Killed in the first second of its queue, the broker has it without a leader afterwards. */
static void an_end_queue_without_a_leader_is_replaced(void **state)
{
    (void)state;
    struct bus_position end = {0};
    struct bus *p = open_bus(&server, BUS_PUBLISHES, 910, NULL);
    assert_int_equal(publish_one(p, 910, 7, NULL), ERR_OK);
    broker_stop(&server, SIGKILL);
    broker_start(&server);
    enum err e = ERR_IO;
    for (int i = 0; i < 10 && e != ERR_OK; i++) {
        e = bus_last(p, &end, NULL);
    }
    assert_int_equal(e, ERR_OK);
    assert_true(end.seq == 0 || end.seq == 7);
    e = ERR_IO;
    for (int i = 0; i < 10 && e != ERR_OK; i++) {
        e = publish_one(p, 910, 8, NULL);
    }
    assert_int_equal(e, ERR_OK);
    for (int i = 0; i < TRIES && end.seq != 8; i++) { /* the new queue is there when the old one is deleted */
        usleep(100000);
        e = bus_last(p, &end, NULL);
        if (end.seq == 0) {
            assert_int_equal(publish_one(p, 910, 8, NULL), ERR_OK);
        }
    }
    assert_int_equal(end.seq, 8);
    bus_free(p);
}

/*
 * A broker that is killed again and again while events are published, as the relay does it. Two followers have been there
 * for long; the queue of a third, which is dead, is bound; and before each kill another one has just come.
 */

#define KILL_PARTITION 911
#define KILL_SEQS_MAX 4000000

static int rounds = 3;

struct load {
    struct bus *bus;
    pthread_t thread;
    atomic_bool ends;
    _Atomic uint64_t confirmed; /* everything up to it */
    unsigned failures, again;   /* calls that failed; rows that were published again */
};

static void find_place(struct load *l)
{
    struct bus_position end = {0};
    while (bus_last(l->bus, &end, NULL) != ERR_OK) {
        usleep(50000);
    }
    assert_true(end.seq <= l->confirmed + 1); /* a note may be there though the call for it failed */
    l->again += (unsigned)(l->confirmed - (end.seq < l->confirmed ? end.seq : l->confirmed));
    atomic_store(&l->confirmed, end.seq);
}

static void *publish_for_ever(void *arg)
{
    struct load *l = arg;
    while (!atomic_load(&l->ends)) {
        if (publish_one(l->bus, KILL_PARTITION, l->confirmed + 1, NULL) == ERR_OK) {
            atomic_fetch_add(&l->confirmed, 1);
        } else {
            l->failures++;
            find_place(l);
        }
    }
    return NULL;
}

struct listener {
    struct bus *bus;
    pthread_t thread;
    atomic_bool ends;
    _Atomic uint64_t highest;
    uint64_t first; /* of what it got */
    bool *got;      /* by seq */
};

static void *listen_for_ever(void *arg)
{
    struct listener *l = arg;
    while (!atomic_load(&l->ends)) {
        const struct bus_message *m = bus_receive(l->bus, 100);
        for (size_t i = 0; m != NULL && i < m->levels_len; i++) {
            uint64_t seq = m->levels[i].seq;
            assert_true(seq < KILL_SEQS_MAX);
            l->got[seq] = true;
            l->first = l->first == 0 ? seq : l->first;
            atomic_store(&l->highest, seq > l->highest ? seq : l->highest);
        }
        if (m != NULL) {
            bus_done(l->bus, m);
        }
    }
    return NULL;
}

static void start_listener(struct listener *l, const char *node)
{
    *l = (struct listener){.bus = open_bus(&server, BUS_FOLLOWS, KILL_PARTITION, node)};
    l->got = mem_new(KILL_SEQS_MAX);
    assert_int_equal(pthread_create(&l->thread, NULL, listen_for_ever, l), 0);
}

static void stop_listener(struct listener *l)
{
    atomic_store(&l->ends, true);
    assert_int_equal(pthread_join(l->thread, NULL), 0);
    bus_free(l->bus);
}

/* Milliseconds until the number is above `than`. */
static int64_t await_more(const _Atomic uint64_t *number, uint64_t than)
{
    int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < TRIES * 10 && *number <= than; i++) {
        usleep(10000);
    }
    if (*number <= than) {
        fail_msg("the stream stands");
    }
    return clock_mono_ms() - begin_ms;
}

static uint64_t count_missing(const struct listener *l, uint64_t last)
{
    uint64_t missing = 0;
    for (uint64_t seq = l->first; seq <= last; seq++) {
        missing += !l->got[seq];
    }
    return missing;
}

static void kill_once(struct load *load, int round)
{
    char node[32];
    struct listener young;
    snprintf(node, sizeof(node), "young-%d", round);
    usleep(1000000);
    start_listener(&young, node);
    usleep((useconds_t)(100000 + round % 8 * 100000));
    uint64_t before = load->confirmed;
    broker_stop(&server, SIGKILL);
    broker_start(&server);
    int64_t confirmed_ms = await_more(&load->confirmed, before + 1);
    int64_t heard_ms = await_more(&young.highest, load->confirmed);
    printf(
        "# round %d: at %u, confirmed after %d ms, a new follower hears after %d ms\n", round, (unsigned)before,
        (int)confirmed_ms, (int)(confirmed_ms + heard_ms));
    stop_listener(&young);
    mem_free(young.got);
}

static void a_broker_that_is_killed_again_and_again_loses_nothing(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct load load = {.bus = open_bus(&server, BUS_PUBLISHES, KILL_PARTITION, NULL)};
    struct bus *dead = open_bus(&server, BUS_FOLLOWS, KILL_PARTITION, "dead");
    struct listener one, two;
    meet(load.bus, dead, KILL_PARTITION, &seq);
    bus_free(dead);
    atomic_store(&load.confirmed, seq - 1);
    assert_int_equal(pthread_create(&load.thread, NULL, publish_for_ever, &load), 0);
    start_listener(&one, "one");
    start_listener(&two, "two");
    await_more(&one.highest, 0);
    await_more(&two.highest, 0);
    for (int i = 0; i < rounds; i++) {
        kill_once(&load, i);
    }
    atomic_store(&load.ends, true);
    assert_int_equal(pthread_join(load.thread, NULL), 0);
    await_more(&one.highest, load.confirmed - 1);
    await_more(&two.highest, load.confirmed - 1);
    stop_listener(&one);
    stop_listener(&two);
    uint64_t missing = count_missing(&one, load.confirmed) + count_missing(&two, load.confirmed);
    printf(
        "# %d rounds, %u events, %u calls failed, %u events published again, %u missing\n", rounds,
        (unsigned)load.confirmed, load.failures, load.again, (unsigned)missing);
    assert_int_equal(missing, 0);
    mem_free(one.got);
    mem_free(two.got);
    bus_free(load.bus);
}

static int kill_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_queue_without_a_leader_is_replaced),
        cmocka_unit_test(a_broker_that_is_killed_again_and_again_loses_nothing),
    };
    return cmocka_run_group_tests_name("bus: amqp, killed", tests, NULL, NULL);
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
        cmocka_unit_test(what_a_queue_refuses_is_not_confirmed),
        cmocka_unit_test(a_broker_that_refuses_us_is_an_error),
        cmocka_unit_test(the_brokers_of_a_list_are_tried_in_turn),
        cmocka_unit_test(a_broker_that_stands_still_does_not_block_a_large_message),
    };
    return cmocka_run_group_tests_name("bus: amqp", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    const struct bus_contract contract = {
        .name = "bus contract: amqp",
        .broker = &server,
        .open = open_bus,
        .stored = stored,
        .put = put,
    };
    rounds = argc > 1 ? atoi(argv[1]) : rounds;
    if (access(PROGRAM, X_OK) != 0) {
        fprintf(stderr, "%s is not installed\n", PROGRAM);
        return 1;
    }
    broker_make(&names, "/usr/bin/epmd", names_arguments);
    broker_start(&names);
    broker_make(&distribution, "/usr/bin/epmd", names_arguments);
    broker_make(&server, "/usr/bin/env", arguments);
    broker_start(&server);
    int failed = kill_tests();
    failed += argc > 1 ? 0 : own_tests() + bus_contract_run(&contract);
    broker_remove(&server);
    broker_remove(&distribution);
    broker_remove(&names);
    return failed;
}
