/*
 * Port: the stream of committed changes, from the inventory service to whoever follows it.
 *
 * A change carries the full state of its level, so a consumer that keeps the highest version is idempotent whatever
 * is repeated or reordered. A consumer starts with a snapshot (the same messages, made from the ledger). What is still
 * on a bus when the process ends is lost, and nothing is missed by it: the next life starts with a snapshot again.
 *
 * Any number of threads publish; one thread consumes.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/err.h"
#include "core/ledger.h"

/* A newly defined item. */
struct bus_item {
    uint32_t item;
    struct str sku;
    int64_t time_ms; /* of its definition */
};

/* `struct level_row` of the ledger is the state of one level; a message holds several, and newly defined items. */
struct bus_message {
    uint32_t partition;
    uint64_t seq;         /* the stream up to here is included */
    int64_t time_ms;      /* ledger time of the batch */
    int64_t committed_ns; /* monotonic clock at the commit, for the propagation metric; 0 in a snapshot */
    struct level_row *levels;
    size_t levels_len;
    struct bus_item *items;
    size_t items_len;
};

struct bus;

struct bus_ops {
    const char *name;
    /*
     * Copies the message; its strings are those of the ledger, which stay where they are while the process lives.
     * Blocks while the bus holds its maximum of undelivered messages. On a closed bus it does nothing.
     */
    void (*publish)(struct bus *b, const struct bus_message *m);
    /* The next message, borrowed until bus_done(); NULL after `timeout_ms` (-1: no limit) or when closed and empty. */
    const struct bus_message *(*receive)(struct bus *b, int timeout_ms);
    /* Gives the received message back, before the next receive. */
    void (*done)(struct bus *b, const struct bus_message *m);
    /* No more messages come; receive drains what is left. Any thread, also twice; a blocked publish returns. */
    void (*close)(struct bus *b);
    void (*free)(struct bus *b);
};

/* Base of every backend; backends embed it as their first member, named `base`. */
struct bus {
    const struct bus_ops *ops;
};

/* The wrappers assert the contract once, for all backends. */
void bus_publish(struct bus *b, const struct bus_message *m);
const struct bus_message *bus_receive(struct bus *b, int timeout_ms);
void bus_done(struct bus *b, const struct bus_message *m);
void bus_close(struct bus *b);
/* Accepts NULL. No thread is in a call on it, no message is borrowed. */
void bus_free(struct bus *b);

#endif
