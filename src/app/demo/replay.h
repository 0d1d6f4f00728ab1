/*
 * Replays the trade log through the public HTTP API, on one thread with many connections, and keeps the books.
 *
 * Orders run at the same time, each on one connection: reserve, commit, fulfill. A return waits until every order
 * before it in the log is over, so that it finds its sale. A week begins when its delivery has been confirmed.
 * 503 answers, those of a gateway that say nothing final (429, 502, 504) and broken connections are tried again with the
 * same idempotency key, for some three minutes; refusals for lack of stock are not. A unit counts as sold when its fulfill
 * was answered with 200, not before.
 */
#ifndef APP_DEMO_REPLAY_H
#define APP_DEMO_REPLAY_H

#include "app/demo/book.h"
#include "load/client.h"
#include "load/histogram.h"

enum replay_step {
    STEP_NONE,
    STEP_DEFINE,
    STEP_RECEIVE,
    STEP_RESERVE,
    STEP_COMMIT,
    STEP_FULFILL,
    STEP_CANCEL,
    STEP_RETURN,
    STEP_ADJUST_UNSOLD, /* what came back without a sale in the log */
    STEP_ADJUST,
    STEP_CHECK,
    STEP_COUNT
};

struct replay_stats {
    uint64_t events; /* over, of the log */
    uint64_t event_lines;
    uint64_t orders; /* fulfilled */
    uint64_t lines;  /* reserved, committed and fulfilled */
    uint64_t units;
    uint64_t refusals;  /* orders refused for lack of stock */
    uint64_t cancelled; /* committed, but the units were written off before they left */
    uint64_t return_lines;
    uint64_t return_units;
    uint64_t unsold_return_lines; /* units that came back without a sale, taken in as adjustments */
    uint64_t unsold_return_units;
    uint64_t adjustments;
    uint64_t adjustments_refused; /* would take away more than there is */
    uint64_t deliveries;          /* receipts; each up to 100 lines */
    uint64_t delivered_units;
    uint64_t retries_overload; /* answers that say nothing final */
    uint64_t retries_connection;
    uint64_t errors; /* answers that nobody expected */
    struct histogram latency[STEP_COUNT];
    struct histogram recent; /* orders' requests since it was cleared last */
};

struct replay_options {
    const char *host;
    uint16_t port;
    unsigned connections;
    uint64_t orders_per_s_max; /* 0: no limit */
    int64_t duration_ms;       /* orders begin for so long; 0: to the end of the log */
    const struct trade_log *log;
    const struct plan *plan;
    struct book *book;
    /* Called between events: false ends what is going on early. */
    bool (*go_on)(void *ctx);
    /* Called about ten times a second while the log is replayed. `now` is the event that began last. */
    void (*progress)(void *ctx, struct replay_stats *stats, const struct trade_event *now, int64_t elapsed_us);
    void *ctx;
};

struct replay;

MUST_CHECK enum err replay_new(const struct replay_options *options, struct replay **out, struct err_note *note);
void replay_free(struct replay *r); /* accepts NULL */

/* Defines the locations and items and receives the opening stock. False: an error, or it was told to end. */
MUST_CHECK bool replay_set_up(struct replay *r);
/* Replays the log. Returns how long orders were placed, in microseconds. */
int64_t replay_run(struct replay *r);

struct replay_check {
    uint64_t skus;
    uint64_t levels;
    uint64_t negative;    /* levels with a quantity or an available below zero */
    uint64_t promised;    /* levels with units reserved or committed, though no order is open */
    uint64_t differences; /* levels that differ from the books */
    uint64_t unbalanced;  /* SKUs: sold is not opening + deliveries + adjustments + returns - on hand */
};
/* Reads every level over the API and compares it with the books. False: not everything could be read. */
MUST_CHECK bool replay_check(struct replay *r, struct replay_check *out);

struct replay_stats *replay_stats(struct replay *r);
struct load_counts replay_load_counts(const struct replay *r);

#endif
