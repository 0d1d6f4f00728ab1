/*
 * A sequencer over the memory store, where the test is the store thread, the query thread and the clock.
 */
#ifndef TEST_INVENTORY_BENCH_H
#define TEST_INVENTORY_BENCH_H

#include "ask.h"
#include "inventory/sequencer.h"
#include "store/memory/memory.h"

#define ASKS_MAX 64

struct bench {
    struct store *store;
    struct store_reader *reader;
    struct sequencer *s;
    int64_t now_ms;
    const struct batch *batch; /* handed over for commit */
    struct lookup *lookups;    /* handed over for reading, newest first */
    uint64_t lookups_made;
    struct ask *asks[ASKS_MAX];
    struct ask *holds[BATCH_MOVEMENTS_MAX];
    size_t asks_len;
    size_t published;
    struct level_row last_level;
    uint64_t done_when_published;
};

/* A sequencer on an empty store that keeps `keys_max` idempotency keys. */
struct bench *bench_new(uint64_t keys_max);
void bench_free(struct bench *b);
/* The end of one life of the process, and the begin of the next on the same store. */
void bench_close(struct bench *b);
void bench_open(struct bench *b, uint64_t keys_max);
/* The item "a", the location "main" and so many units there. */
void stock_up(struct bench *b, int64_t units);

/* Gives the request, which the bench frees from now on, and returns it. */
struct ask *give(struct bench *b, struct ask *a);
/* Gives it and carries out all that it needs. */
struct ask *run(struct bench *b, struct ask *a);
/* Decided and durable, while lookups are left unanswered. */
void give_and_commit(struct bench *b, struct ask *a);
/* Carries out lookups and commits until nothing is left; fails when something is. */
void settle(struct bench *b);
/* Time goes on, and what is due happens. */
void pass(struct bench *b, int64_t ms);

/* The store thread's turn: packs, then commits. */
void commit(struct bench *b);
/* The batch that was handed over ends with `e`; it is stored when that is ERR_OK. */
enum sequencer_next commit_as(struct bench *b, enum err e);

/* The query thread's turn: answers all lookups, oldest first. */
void read_lookups(struct bench *b);
/* The newest lookup, which the query thread is still busy with. */
struct lookup *hold_back(struct bench *b);
void answer(struct bench *b, struct lookup *l);
/* The store could not be read. */
void answer_failed(struct bench *b, struct lookup *l);

#endif
