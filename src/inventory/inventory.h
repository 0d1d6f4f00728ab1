/*
 * The inventory service: decides every write in one order, makes it durable in batches, answers, publishes.
 *
 * This is the shell: threads and queues around the sequencer (sequencer.h), which holds all the logic.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include "bus/bus.h"
#include "inventory/relay.h"
#include "inventory/request.h"

struct inventory;

struct inventory_options {
    struct store *store; /* borrowed; claimed and loaded by inventory_open */
    const char *leader;  /* URL under which others reach this process; NULL: none */
    char *led_by;        /* NULL, or where inventory_open writes whose lease it met: STORE_LEADER_MAX + 1 bytes */
    /*
     * Called by inventory_open between the claim and the load, which may take longer than a lease runs: whoever renews
     * the lease begins here. An error ends the opening with it. NULL: nobody wants to know.
     */
    enum err (*claimed)(void *ctx, struct err_note *note);
    void *claimed_ctx;
    /*
     * Asked now and then while inventory_open loads the store, which can take minutes: false ends it with
     * ERR_SHUTTING_DOWN. NULL: it goes on.
     */
    bool (*goes_on)(void *ctx);
    void *goes_on_ctx;
    struct bus *bus;     /* borrowed: the local one, for followers in this process; NULL: there are none */
    struct bus *outside; /* borrowed: the relay publishes there; NULL: nobody outside follows */
    uint32_t partition;
    uint64_t idempotency_keys_max;
    uint64_t random_seed; /* other in each life of the process: it makes the ids */
    /*
     * Called once, on the sequencer thread, when the store can no longer be trusted: nothing is acknowledged any
     * more; the process must end with an error.
     */
    void (*failed)(void *ctx, enum err e, const struct err_note *note);
    void *failed_ctx;
};

/* Claims and loads the store, publishes nothing yet. ERR_LOCKED: another process leads. */
MUST_CHECK enum err
inventory_open(const struct inventory_options *options, struct inventory **out, struct err_note *note);

/* Every item and level as bus messages, for a new consumer. Before inventory_start only. */
void inventory_snapshot(struct inventory *inv, void (*fn)(void *ctx, const struct bus_message *m), void *ctx);

/* After an error it does not run, and can be freed. */
MUST_CHECK enum err inventory_start(struct inventory *inv, struct err_note *note);

/*
 * Any thread. False: the queue is full or the service is stopping, and the request stays with the caller. One that was
 * taken may wait until inventory_wake: a caller with several at a time wakes the sequencer once for all of them.
 */
MUST_CHECK bool inventory_submit(struct inventory *inv, struct request *r);
/* Any thread: what was submitted before is decided now. Costs next to nothing when there is nothing. */
void inventory_wake(struct inventory *inv);
MUST_CHECK bool inventory_query(struct inventory *inv, struct query *q);

/* Finishes what was accepted, then ends the threads. */
void inventory_stop(struct inventory *inv);
/* After inventory_stop. Accepts NULL. */
void inventory_free(struct inventory *inv);

/* Histogram bounds of the metrics are powers of two of `unit`. */
#define INVENTORY_HISTOGRAM_BUCKETS 24
struct inventory_histogram {
    uint64_t bucket[INVENTORY_HISTOGRAM_BUCKETS]; /* [i]: observations <= 2^i units and > 2^(i-1) */
    uint64_t count;
    uint64_t sum;
};

struct inventory_metrics {
    uint64_t outcomes[COMMAND_KIND_END][OUTCOME_COUNT]; /* decided commands */
    uint64_t replays;                                   /* answers given from idempotency records */
    uint64_t overloads;                                 /* refused because a queue was full */
    uint64_t batches;
    struct inventory_histogram batch_requests; /* unit: 1 */
    struct inventory_histogram commit_us;      /* unit: 1 microsecond */
    struct inventory_histogram expiry_lag_ms;  /* unit: 1 millisecond: expired at - expires_at */
    uint64_t queue_depth;
    uint64_t keys;
    uint64_t seq;
    uint64_t epoch;
    struct ledger_counts ledger;
    bool relays;                /* there is a bus outside */
    struct relay_metrics relay; /* zero without */
};

/* Any thread; a copy that is consistent enough for a graph. */
void inventory_metrics(struct inventory *inv, struct inventory_metrics *out);

#endif
