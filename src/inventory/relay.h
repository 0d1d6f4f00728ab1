/*
 * The relay: tells the outside bus what was committed. A thread beside the leader reads items and movements from the
 * store in the order of their numbers and publishes an event for each; it goes on when the bus has confirmed. So an event
 * tells only what is durable, nothing is left out, and a bus that is away holds up nobody but its own followers.
 *
 * relay_step() is the relay without thread and clock; the rest of this header is the shell around it.
 */
#ifndef INVENTORY_RELAY_H
#define INVENTORY_RELAY_H

#include "bus/bus.h"
#include "store/store.h"

/* Movements that are published at a time. Simulated worlds are small, and so are their pages and distances. */
#ifndef RELAY_PAGE
#define RELAY_PAGE 1000
#endif
/* The position is published this often though nothing changes. */
#define RELAY_POSITION_MS 500
/* Movements and items that are published again at most to a bus that has none of them, or cannot say what it has. */
#ifndef RELAY_AGAIN
#define RELAY_AGAIN 100000
#endif
/* How long a stop waits for the bus to take what is committed. */
#define RELAY_STOP_MS 2000

struct relay;

struct relay_options {
    struct store_reader *reader; /* borrowed; the relay's own */
    struct bus *bus;             /* borrowed */
    uint32_t partition;
    uint64_t epoch; /* of this leader: with another one in the store it has nothing to say */
};

struct relay *relay_new(const struct relay_options *options);
/* Accepts NULL. Stopped. */
void relay_free(struct relay *r);

enum relay_next {
    RELAY_GO_ON, /* there is more to publish */
    RELAY_REST,  /* all is published */
    RELAY_RETRY, /* the store or the bus failed: try again later */
    RELAY_END,   /* another process leads */
};
/* One page, or the position when it is due. `note` says what failed. */
enum relay_next relay_step(struct relay *r, int64_t mono_ms, int64_t wall_ms, struct err_note *note);

MUST_CHECK enum err relay_start(struct relay *r, struct err_note *note);
/* Any thread: something was committed. */
void relay_wake(struct relay *r);
/* Publishes what is committed, for RELAY_STOP_MS at most, then ends the thread. Nothing to do when it does not run. */
void relay_stop(struct relay *r);

struct relay_metrics {
    uint64_t seq;       /* published up to here */
    uint64_t committed; /* seq of the store when it was looked at last */
    uint64_t events;    /* published, repeated ones too */
    uint64_t failures;  /* steps that have to be repeated */
};
/* Any thread. */
void relay_metrics(const struct relay *r, struct relay_metrics *out);

#endif
