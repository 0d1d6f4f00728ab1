#include "rabbit.h"

#include "bus/amqp/amqp.h"
#include "test.h"

#include <amqp_tcp_socket.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "/usr/lib/rabbitmq/bin/rabbitmq-server"

struct broker rabbit;
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

amqp_connection_state_t rabbit_connect(const struct broker *b)
{
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(c);
    assert_int_equal(amqp_socket_open(socket, "127.0.0.1", b->port), AMQP_STATUS_OK);
    amqp_rpc_reply_t r = amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    assert_non_null(amqp_channel_open(c, 1));
    return c;
}

void rabbit_disconnect(amqp_connection_state_t c)
{
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
}

/* A queue that keeps what is published in the partition. */
const char *rabbit_keeper(uint32_t partition)
{
    static char name[32];
    snprintf(name, sizeof(name), "keeper.%u", (unsigned)partition);
    return name;
}

static void declare_keeper(const struct broker *b, uint32_t partition)
{
    char pattern[32];
    amqp_connection_state_t c = rabbit_connect(b);
    amqp_bytes_t queue = amqp_cstring_bytes(rabbit_keeper(partition));
    snprintf(pattern, sizeof(pattern), "onhand.%u.#", (unsigned)partition);
    assert_non_null(amqp_exchange_declare(
        c, 1, amqp_cstring_bytes("onhand"), amqp_cstring_bytes("topic"), false, true, false, false, amqp_empty_table));
    assert_non_null(amqp_queue_declare(c, 1, queue, false, true, false, false, amqp_empty_table));
    assert_non_null(
        amqp_queue_bind(c, 1, queue, amqp_cstring_bytes("onhand"), amqp_cstring_bytes(pattern), amqp_empty_table));
    rabbit_disconnect(c);
}

uint64_t rabbit_stored(const struct broker *b, uint32_t partition)
{
    amqp_connection_state_t c = rabbit_connect(b);
    const amqp_queue_declare_ok_t *ok = amqp_queue_declare(
        c, 1, amqp_cstring_bytes(rabbit_keeper(partition)), true, true, false, false, amqp_empty_table);
    assert_non_null(ok);
    uint64_t count = ok->message_count;
    rabbit_disconnect(c);
    return count;
}

void rabbit_put(const struct broker *b, uint32_t partition, struct str bytes)
{
    char key[64];
    amqp_connection_state_t c = rabbit_connect(b);
    amqp_bytes_t body = {bytes.len, (void *)(uintptr_t)bytes.ptr};
    snprintf(key, sizeof(key), "onhand.%u.stock.changed", (unsigned)partition);
    assert_int_equal(
        amqp_basic_publish(c, 1, amqp_cstring_bytes("onhand"), amqp_cstring_bytes(key), false, false, NULL, body),
        AMQP_STATUS_OK);
    rabbit_disconnect(c);
}

struct bus *rabbit_open_at(const char *url, enum bus_end end, uint32_t partition, const char *node)
{
    struct bus *bus = NULL;
    struct err_note note = {""};
    struct bus_options o = {.url = url, .partition = partition, .end = end, .node = node};
    if (bus_amqp_open(&o, &bus, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    return bus;
}

struct bus *rabbit_open(const struct broker *b, enum bus_end end, uint32_t partition, const char *node)
{
    char url[128];
    snprintf(url, sizeof(url), "amqp://127.0.0.1:%u", (unsigned)b->port);
    if (end == BUS_PUBLISHES && b->pid != 0) {
        declare_keeper(b, partition);
    }
    return rabbit_open_at(url, end, partition, node);
}

/* What the broker's own tool says; lives until the next call. */
const char *rabbit_control(const char *command)
{
    static char out[16384];
    char line[1024];
    snprintf(
        line, sizeof(line),
        "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=%s ERL_EPMD_PORT=%u RABBITMQ_CONF_ENV_FILE=/dev/null "
        "/usr/lib/rabbitmq/bin/rabbitmqctl -q -n onhand%u@localhost %s 2>&1",
        rabbit.dir, (unsigned)names.port, (unsigned)rabbit.port, command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    out[fread(out, 1, sizeof(out) - 1, f)] = '\0';
    if (pclose(f) != 0) {
        fail_msg("%s: %s", command, out);
    }
    return out;
}

struct bus_message rabbit_row(struct level_row *level, uint32_t partition, uint64_t seq)
{
    *level = (struct level_row){
        .sku = STR("a"), .location_id = STR("x"), .version = seq, .seq = seq, .time_ms = 1795704843045};
    return (struct bus_message){.partition = partition, .levels = level, .levels_len = 1};
}

enum err rabbit_publish(struct bus *b, uint32_t partition, uint64_t seq, struct err_note *note)
{
    struct level_row level;
    struct bus_message m = rabbit_row(&level, partition, seq);
    return bus_publish(b, &m, note);
}

/* Publishes rows from `*seq` on until the follower has one of them; what it got before is let go. */
void rabbit_meet(struct bus *publisher, struct bus *follower, uint32_t partition, uint64_t *seq)
{
    uint64_t first = *seq;
    for (int i = 0; i < RABBIT_TRIES; i++) {
        assert_int_equal(rabbit_publish(publisher, partition, (*seq)++, NULL), ERR_OK);
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

uint16_t rabbit_free_port(void)
{
    return (uint16_t)(distribution.port + 1);
}

void rabbit_start(void)
{
    if (access(PROGRAM, X_OK) != 0) {
        fprintf(stderr, "%s is not installed\n", PROGRAM);
        exit(1);
    }
    broker_make(&names, "/usr/bin/epmd", names_arguments);
    broker_start(&names);
    broker_make(&distribution, "/usr/bin/epmd", names_arguments);
    broker_make(&rabbit, "/usr/bin/env", arguments);
    broker_start(&rabbit);
}

void rabbit_remove(void)
{
    broker_remove(&rabbit);
    broker_remove(&distribution);
    broker_remove(&names);
}
