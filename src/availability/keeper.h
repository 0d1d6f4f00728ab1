/*
 * Rows on their way into the kept file: many in one transaction. A file that cannot be written, as on a full disk, is tried
 * again after a while. Rows wait for it meanwhile; those that are too many are let go, and from then on the file does not
 * say that it is complete further than it was. It gets what comes later all the same, and the next start asks for what is
 * missing. A plain object: the time goes in.
 */
#ifndef AVAILABILITY_KEEPER_H
#define AVAILABILITY_KEEPER_H

#include "availability/keep.h"
#include "bus/collect.h"

/* Rows wait this long, and in this number at most, for their transaction. */
#define KEEPER_MS 200
#define KEEPER_ROWS 5000
/* After a failure it is tried again after this time; so many rows, about 10 MB, wait for it. */
#define KEEPER_RETRY_MS 10000
#define KEEPER_WAITING_MAX 50000

/* Zeroed at first. */
struct keeper {
    struct collect waiting;
    struct bus_position kept; /* what the file says; of one that was there before, its owner sets it */
    int64_t due_ms;           /* monotonic */
    bool fails;
    bool misses; /* rows were let go */
};

void keeper_release(struct keeper *k);
/* Copies the rows of `m`. */
void keeper_add(struct keeper *k, const struct bus_message *m);
/* Writes what waits when it is time, or when it `ends`. The stream is complete up to `complete` with what was added. */
void keeper_turn(struct keeper *k, struct keep *file, struct bus_position complete, int64_t mono_ms, bool ends);

#endif
