/* What the files of the cache's thread share. */
#ifndef AVAILABILITY_CACHED_STATE_H
#define AVAILABILITY_CACHED_STATE_H

#include "availability/cached.h"
#include "availability/heat.h"
#include "availability/marks.h"
#include "availability/warm.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEY_BEGIN "onhand:availability:default:"
#define KEY_BEGIN_LEN (sizeof(KEY_BEGIN) - 1)

_Static_assert(KEY_BEGIN_LEN + SKU_BYTES_MAX <= CACHE_KEY_BYTES_MAX, "every SKU has a key");

/* Counted and not yet taken; what comes too fast is not counted. */
#define READS_MAX 256

/* A SKU on its way to or from the cache. */
struct line {
    size_t key_len, value_len; /* of the value 0: none */
    uint64_t version;
    char key[CACHE_KEY_BYTES_MAX];
    char value[SHOWN_FRAME_BYTES_MAX];
};

struct cached {
    struct cache *cache;
    const struct availability *availability;

    pthread_mutex_t lock; /* guards these, down to the empty line */
    pthread_cond_t wakes;
    bool ending;
    bool takes_questions; /* there is a connection */
    struct availability_question *questions, **questions_end;
    size_t questions_len;
    struct marks marks;
    struct shelf_entry *reads[READS_MAX];
    size_t reads_len;
    struct warm warm;

    pthread_t thread; /* of which the rest is its own */
    struct heat heat;
    struct line lines[CACHE_BATCH_MAX];
    size_t lines_len;
    bool writes;  /* connected, and the view was complete once */
    bool vouches; /* and it is fresh */
    bool fails;
    bool sweeps_fast;
    size_t sweep_at;
    int64_t connect_due_ms, sweep_due_ms, hot_due_ms;

    _Atomic uint64_t written, failures, hits, misses;
};

void cached_lock(struct cached *c);
void cached_unlock(struct cached *c);

/*
 * On the cache's thread, all that follows.
 */

/* Each call to the cache ends here: counts and logs its failure. True: there was none. */
bool cached_went_well(struct cached *c, enum err e, const struct err_note *note);

/* The lines of one call to the cache. */
struct line *cached_add_line(struct cached *c, struct str sku);
struct str cached_line_sku(const struct line *l);

/* cached_ask.c: questions, and the list of what is read most. */
void cached_answer_questions(struct cached *c);
/* There is no connection, or it is about to be made: nobody waits for that. */
void cached_refuse_questions(struct cached *c);
void cached_take_reads(struct cached *c);
/* When it is time: adds the reads of this node to the list. */
void cached_publish_heat(struct cached *c, int64_t now_ms);
/* When it is time: reads the list and what it names. */
void cached_warm_up(struct cached *c, int64_t now_ms);
/* The view is complete: what others showed is forgotten. */
void cached_cool_down(struct cached *c);

/* cached_write.c */
/* A batch of what is marked. False: there is nothing, or it failed. */
bool cached_write_marked(struct cached *c);
/* All SKUs are due, as the cache may be empty. */
void cached_sweep_fast(struct cached *c);
/* When it is time, and the view is as fresh as `age_ms` says: a batch of all SKUs, changed or not. */
void cached_sweep(struct cached *c, int64_t now_ms, int64_t age_ms);

#endif
