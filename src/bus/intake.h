/*
 * What the following end of every broker does with the events that arrive: collects them into one message and lends that
 * out, and skips what is not an event. One thread.
 */
#ifndef BUS_INTAKE_H
#define BUS_INTAKE_H

#include "bus/event.h"

/* What is skipped is logged at most this often. */
#define INTAKE_LOG_MS 60000

struct intake {
    const char *bus; /* name of the backend, for the log */
    struct event_box *box;
    bool lent;
    bool connected;    /* as logged */
    uint64_t skipped;  /* since the last line in the log */
    int64_t logged_ms; /* monotonic; 0: never */
};

void intake_init(struct intake *in, const char *bus, uint32_t partition);
void intake_release(struct intake *in);

/* Logs when there is a connection that was not there before, or the other way round: a follower has nobody to tell. */
void intake_connection(struct intake *in, bool connected);
/* Is there no more room for events? */
bool intake_is_full(const struct intake *in);
/* Takes one event, borrowed for the call. Foreign kinds and partitions are skipped in silence, anything else is logged. */
void intake_take(struct intake *in, struct str json, int64_t mono_ms);
/* What was taken since intake_done(), lent out; NULL: nothing. */
const struct bus_message *intake_lend(struct intake *in);
void intake_done(struct intake *in, const struct bus_message *m);

#endif
