/*
 * Which rows of levels the next commit brings up to date (why: recent.h). Plain memory; the writer's own.
 *
 * A sweep begins when SWEEP_MOVEMENTS movements are behind, with all levels that are behind then, in the order of their
 * keys, and takes as many movements again. When it is over, all rows are at least as far as when it began.
 */
#ifndef STORE_SQLITE_SWEEP_H
#define STORE_SQLITE_SWEEP_H

#include "store/sqlite/recent.h"

/* More saves more, and lets a start after a kill read more: at most twice as many, and two batches. */
#define SWEEP_MOVEMENTS 65536

struct sweep {
    uint64_t length;    /* SWEEP_MOVEMENTS */
    uint64_t swept_seq; /* partition.levels_seq */
    uint64_t began_seq; /* all that is behind then is in `order` */
    struct recent_levels order;
    size_t at; /* what is before it was swept */
    bool is_under_way;
};

/* The share of one commit: `order` from `at` to `to`. */
struct sweep_share {
    size_t to;
    bool is_last; /* then levels_seq becomes began_seq */
};

void sweep_init(struct sweep *w, uint64_t swept_seq);
void sweep_release(struct sweep *w);

/* What goes with a commit of the movements up to `seq_after`. Begins a sweep when one is due. */
struct sweep_share sweep_next(struct sweep *w, const struct recent *r, uint64_t seq_after);
/* All that is behind, whether or not a sweep is under way. */
struct sweep_share sweep_rest(struct sweep *w, const struct recent *r);
/* The commit with this share is durable. */
void sweep_done(struct sweep *w, struct sweep_share share);

#endif
