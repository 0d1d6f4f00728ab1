/*
 * The sequencer: decides all writes of a partition one after the other and packs them into batches. A step object:
 * no threads, clocks or I/O; the shell (inventory.c) or a simulator feeds it messages and the time, and carries out
 * what it asks for.
 *
 * Two packs: while the store commits one, the other is filled. Nothing is answered before the commit of its pack. A
 * request that needs something from the store first (the answer kept for its key, a closed reservation) waits on a
 * lookup and comes back through the same door.
 */
#ifndef INVENTORY_SEQUENCER_H
#define INVENTORY_SEQUENCER_H

#include "inventory/inventory.h"
#include "inventory/lookup.h"

struct sequencer;

/* What the sequencer asks for. Each is carried out later; none calls back into the sequencer. */
struct sequencer_io {
    void *ctx;
    /* Commit this batch; then sequencer_committed(). One at a time. */
    void (*commit)(void *ctx, const struct batch *batch);
    /* Run lookup_run(); then sequencer_looked_up(). */
    void (*lookup)(void *ctx, struct lookup *l);
    /* Tell the followers; the message is borrowed for the call. */
    void (*publish)(void *ctx, struct bus_message *m);
};

/* May a read of the whole store, which can take minutes, go on? Asked now and then; false ends it (ERR_SHUTTING_DOWN). */
struct sequencer_patience {
    bool (*goes_on)(void *ctx); /* NULL: always */
    void *ctx;
};

struct sequencer_options {
    uint32_t partition;
    uint64_t idempotency_keys_max;
    uint64_t random_seed; /* other in each life of the process: it makes the ids */
    struct sequencer_io io;
    struct sequencer_patience patience; /* of sequencer_load */
};

struct sequencer *sequencer_new(const struct sequencer_options *options);
/* Nothing may be waiting in it. Accepts NULL. */
void sequencer_free(struct sequencer *s);

/* What a store holds: a ledger and the index of keys. */
struct sequencer_image;
/* Any thread, beside a sequencer that waits for it. */
MUST_CHECK enum err sequencer_image_read(
    struct store *store,
    const struct sequencer_patience *patience,
    struct sequencer_image **out,
    struct err_note *note);
void sequencer_image_free(struct sequencer_image *i); /* accepts NULL */
/*
 * Goes on from there, and takes the image over. Nothing may be packed. When it is not the first, followers are told what
 * they have not heard of yet.
 */
void sequencer_restore(struct sequencer *s, struct sequencer_image *image);
/* Both, for a new owner. */
MUST_CHECK enum err
sequencer_load(struct sequencer *s, struct store *store, const struct store_head *head, struct err_note *note);

/* One logical time for all that follows until the next tick; holds that are due expire. */
void sequencer_tick(struct sequencer *s, int64_t now_ms);

/* May another request be given? False: the open pack is full; wait for the commit. */
bool sequencer_has_room(const struct sequencer *s);
void sequencer_request(struct sequencer *s, struct request *r);
/* Takes the lookup over. */
void sequencer_looked_up(struct sequencer *s, struct lookup *l);

/* What the shell must do after a commit. */
enum sequencer_next {
    SEQUENCER_GO_ON,
    SEQUENCER_RELOAD, /* what is in memory is void, requests were told so; until sequencer_restore() all are refused */
    SEQUENCER_STOP,   /* outcome unknown or another owner: end the process */
};
enum sequencer_next sequencer_committed(struct sequencer *s, enum err e, int64_t mono_ns);

/* Seals and commits the open pack when the store is idle. */
void sequencer_flush(struct sequencer *s);

/* Nothing is packed and nothing waits on a lookup. */
bool sequencer_is_idle(const struct sequencer *s);
/* When sequencer_tick is next needed although nothing arrives. */
int64_t sequencer_next_wake_ms(const struct sequencer *s);

const struct ledger *sequencer_ledger(const struct sequencer *s);
/* All but queue_depth, overloads and commit_us, which only the shell knows. */
void sequencer_metrics(const struct sequencer *s, struct inventory_metrics *out);
void inventory_histogram_add(struct inventory_histogram *h, uint64_t value);

#endif
