/*
 * The levels whose rows are behind their movements.
 *
 * A commit adds its movements, which hold the quantities after them, and leaves the rows of the levels alone: forty
 * reservations are on forty pages of a table of a million levels, and each page would go through the log. Instead a sweep
 * brings the rows up to date in the order of their keys, a little with each commit, so that one write of a page serves
 * all that happened on it since the last sweep. `partition.levels_seq` says how far all rows are.
 *
 * Here is, for each level that moved since its row was written, the movement that holds its state. The writer changes it
 * when a commit is over; readers take what they need of it under a lock, for exactly the state of the database that they
 * see. It can always be found out again from the database.
 */
#ifndef STORE_SQLITE_RECENT_H
#define STORE_SQLITE_RECENT_H

#include "base/map.h"
#include "store/sqlite/database.h"
#include "store/store.h"

#include <pthread.h>

struct recent_level {
    uint32_t item;
    uint32_t location;
    uint64_t seq; /* of its last movement */
};

struct recent_levels {
    struct recent_level *of;
    size_t len, cap;
};

struct recent {
    pthread_mutex_t lock; /* for whoever is not the writer, and for the writer's changes */
    struct recent_levels levels;
    struct map by_item; /* positions + 1 in `levels` */
    uint64_t seq;       /* of the last commit that it includes */
    bool failed;        /* the writer gave up: there will be no other state */
};

void recent_init(struct recent *r);
void recent_release(struct recent *r);

/* From the database, which nobody else writes. */
MUST_CHECK enum err recent_load(struct recent *r, sqlite3 *db, struct err_note *note);

/*
 * For the writer.
 */

/* 0: its row is up to date. */
uint64_t recent_seq_of(const struct recent *r, uint32_t item, uint32_t location);
/* A batch was committed, and with it the rows of the `swept` levels as they were before it. */
void recent_advance(struct recent *r, const struct batch *b, const struct recent_level *swept, size_t swept_len);
void recent_fail(struct recent *r);

/*
 * For readers.
 */

enum recent_copied { RECENT_COPIED, RECENT_OTHER_STATE, RECENT_FAILED };

/*
 * The levels of the items `from` to `to` that are behind in the state of the database at `seq`, sorted, into `out` (instead
 * of what is there). RECENT_OTHER_STATE: look at a newer state; the writer is about to say that it is there, or has.
 */
enum recent_copied recent_copy(struct recent *r, uint32_t from, uint32_t to, uint64_t seq, struct recent_levels *out);

/* Of sorted levels; 0: not there. */
uint64_t recent_find(const struct recent_levels *levels, uint32_t item, uint32_t location);

/* By item, then location. */
void recent_sort(struct recent_levels *levels);

#endif
