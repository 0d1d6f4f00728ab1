/*
 * Port: the stream of committed changes, from the inventory service to whoever follows it.
 *
 * A change carries the full state of its level, so a consumer that keeps the highest version is idempotent whatever
 * is repeated or reordered. A consumer starts with a snapshot; what it missed since then it notices by `seq`, which
 * rises by one with each change, and by the position that the stream names again and again. So no bus has to keep
 * anything for it: a bus may lose, repeat and end, and only makes followers later.
 *
 * `local/` is the bus within one process: any number of threads publish, one consumes, whole batches with the numbers of
 * the ledger. The others go over a broker, one end in each process, an event for each row (event.h): `seq`, `item` and
 * `location` of their messages are 0, for the follower has numbers of its own. Backends live in bus/<name>/ and
 * pass the same suite (test/bus/contract.c). Callers never include a backend's header; only src/app does.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/err.h"
#include "core/ledger.h"

/* A newly defined item. */
struct bus_item {
    uint32_t item; /* 1.., rises by one with each definition in the partition */
    struct str sku;
    int64_t time_ms; /* of its definition */
};

/* Where the stream is: all that was committed up to here was published before. */
struct bus_position {
    uint64_t epoch;
    uint64_t seq;
    uint64_t items;  /* number of the newest item */
    int64_t time_ms; /* wall clock of the publisher when this was true; 0: no position */
};

/* `struct level_row` of the ledger is the state of one level; a message holds several, and newly defined items. */
struct bus_message {
    uint32_t partition;
    uint64_t seq;         /* the stream up to here is included; 0: see the rows */
    uint64_t reach;       /* the highest seq of the rows, where some before it may be missing; 0: `seq` */
    int64_t time_ms;      /* ledger time of the batch; 0: see the rows */
    int64_t committed_ns; /* monotonic clock at the commit, for the propagation metric; 0: not in this process */
    struct level_row *levels;
    size_t levels_len;
    struct bus_item *items;
    size_t items_len;
    struct bus_position position; /* after the rows */
};

/* How long a broker may take to confirm what is published. */
#define BUS_CONFIRM_MS 5000

struct bus;

struct bus_ops {
    const char *name;
    /*
     * ERR_OK: the bus has it, as durably as it can. ERR_IO: it may have some of it; publish it again. The message is
     * borrowed for the call, its strings too. Blocks while the bus is full or has not confirmed. On a closed bus it does
     * nothing.
     */
    enum err (*publish)(struct bus *b, const struct bus_message *m, struct err_note *note);
    /*
     * Where the stream ends at the broker: up to this seq and these items it has what was published, and perhaps more;
     * 0 when it has none (epoch and time need not be known). ERR_NOT_FOUND, also when the backend has no such function:
     * this kind of bus cannot tell, as none that stays within the process can.
     */
    enum err (*last)(struct bus *b, struct bus_position *out, struct err_note *note);
    /*
     * The next message, borrowed until bus_done(); NULL after `timeout_ms` (-1: no limit) or when closed and empty. A
     * bus over a broker makes its connection here, and anew after it broke; what was published meanwhile is missing.
     */
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
MUST_CHECK enum err bus_publish(struct bus *b, const struct bus_message *m, struct err_note *note);
MUST_CHECK enum err bus_last(struct bus *b, struct bus_position *out, struct err_note *note);
const struct bus_message *bus_receive(struct bus *b, int timeout_ms);
void bus_done(struct bus *b, const struct bus_message *m);
void bus_close(struct bus *b);
/* Accepts NULL. No thread is in a call on it, no message is borrowed. */
void bus_free(struct bus *b);

/* The highest seq and number of an item that a message names, for a backend's `last`. */
struct bus_position bus_message_end(const struct bus_message *m);

/* Which end of a broker's bus a process has. */
enum bus_end { BUS_PUBLISHES, BUS_FOLLOWS };

struct bus_options {
    const char *url;
    uint32_t partition;
    enum bus_end end;
    const char *node; /* BUS_FOLLOWS: names this follower at the broker; letters, digits, - and _ */
};

#endif
