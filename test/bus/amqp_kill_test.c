/*
 * The bus over a RabbitMQ that is killed. The number of rounds may be given as an argument; each prints how long it took.
 */
#include "bus/amqp/amqp.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rabbit.h"
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Killed in the first second of its queue, the broker has it without a leader afterwards. */
static void an_end_queue_without_a_leader_is_replaced(void **state)
{
    (void)state;
    struct bus_position end = {0};
    struct bus *p = rabbit_open(&rabbit, BUS_PUBLISHES, 910, NULL);
    assert_int_equal(rabbit_publish(p, 910, 7, NULL), ERR_OK);
    broker_stop(&rabbit, SIGKILL);
    broker_start(&rabbit);
    enum err e = ERR_IO;
    for (int i = 0; i < 10 && e != ERR_OK; i++) {
        e = bus_last(p, &end, NULL);
    }
    assert_int_equal(e, ERR_OK);
    assert_true(end.seq == 0 || end.seq == 7);
    e = ERR_IO;
    for (int i = 0; i < 10 && e != ERR_OK; i++) {
        e = rabbit_publish(p, 910, 8, NULL);
    }
    assert_int_equal(e, ERR_OK);
    for (int i = 0; i < RABBIT_TRIES && end.seq != 8; i++) { /* the new queue is there when the old one is deleted */
        usleep(100000);
        e = bus_last(p, &end, NULL);
        if (end.seq == 0) {
            assert_int_equal(rabbit_publish(p, 910, 8, NULL), ERR_OK);
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
    bool wrong;                 /* the broker named an end that was never published */
    unsigned failures, again;   /* calls that failed; rows that were published again */
};

static void find_place(struct load *l)
{
    struct bus_position end = {0};
    while (bus_last(l->bus, &end, NULL) != ERR_OK && !atomic_load(&l->ends)) {
        usleep(50000);
    }
    l->wrong = l->wrong || end.seq > l->confirmed + 1; /* a note may be there though the call for it failed */
    l->again += (unsigned)(l->confirmed - (end.seq < l->confirmed ? end.seq : l->confirmed));
    atomic_store(&l->confirmed, end.seq);
}

static void *publish_for_ever(void *arg)
{
    struct load *l = arg;
    while (!atomic_load(&l->ends)) {
        if (rabbit_publish(l->bus, KILL_PARTITION, l->confirmed + 1, NULL) == ERR_OK) {
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
            l->got[seq % KILL_SEQS_MAX] = true;
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
    *l = (struct listener){.bus = rabbit_open(&rabbit, BUS_FOLLOWS, KILL_PARTITION, node)};
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
    for (int i = 0; i < RABBIT_TRIES * 10 && *number <= than; i++) {
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

/* A follower that has just come is not bound yet. It may die with the broker, so that nobody looks after its queue. */
static void kill_once(struct load *load, int round)
{
    char node[32];
    struct listener young;
    bool dies = round % 2 == 0;
    snprintf(node, sizeof(node), "young-%d", round);
    usleep(1000000);
    start_listener(&young, node);
    usleep((useconds_t)(300000 + round % 4 * 100000));
    uint64_t before = load->confirmed;
    broker_stop(&rabbit, SIGKILL);
    if (dies) {
        stop_listener(&young);
    }
    broker_start(&rabbit);
    int64_t confirmed_ms = await_more(&load->confirmed, before + 1);
    printf("# round %d: at %u, confirmed after %d ms", round, (unsigned)before, (int)confirmed_ms);
    if (!dies) {
        int64_t heard_ms = await_more(&young.highest, load->confirmed);
        printf(", the new follower hears after %d ms", (int)(confirmed_ms + heard_ms));
        stop_listener(&young);
    }
    printf("\n");
    mem_free(young.got);
}

static void a_broker_that_is_killed_again_and_again_loses_nothing(void **state)
{
    (void)state;
    uint64_t seq = 1;
    struct load load = {.bus = rabbit_open(&rabbit, BUS_PUBLISHES, KILL_PARTITION, NULL)};
    struct bus *dead = rabbit_open(&rabbit, BUS_FOLLOWS, KILL_PARTITION, "dead");
    struct listener one, two;
    rabbit_meet(load.bus, dead, KILL_PARTITION, &seq);
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
    assert_false(load.wrong);
    mem_free(one.got);
    mem_free(two.got);
    bus_free(load.bus);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_queue_without_a_leader_is_replaced),
        cmocka_unit_test(a_broker_that_is_killed_again_and_again_loses_nothing),
    };
    rounds = argc > 1 ? atoi(argv[1]) : rounds;
    rabbit_start();
    int failed = cmocka_run_group_tests_name("bus: amqp, killed", tests, NULL, NULL);
    rabbit_remove();
    return failed;
}
