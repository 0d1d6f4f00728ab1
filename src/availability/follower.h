/*
 * The follower: makes one complete stream of what a bus brings, which may be lost, repeated or out of order, and of what
 * has to be asked for. A step object: no threads, clocks or I/O.
 *
 * Rows hold full states, so each is applied at once, whatever is missing before it; the view keeps the newest by version.
 * What the follower counts is how far the stream is *complete*: `seq` and the number of items. A number that comes too
 * early, or a position that names more, means that something is missing; follower_wants() says what to ask inventory for.
 * A bus that names no position for a while may be away, or behind: then inventory is asked for one, which counts as well.
 */
#ifndef AVAILABILITY_FOLLOWER_H
#define AVAILABILITY_FOLLOWER_H

#include "availability/names.h"
#include "bus/bus.h"

/*
 * A gap is closed by the whole catalogue when that is less than its movements: an item and its levels are as much as so many
 * of them, and a short gap is closed by movements in any case. Less in a simulated world.
 */
#define FOLLOWER_ITEM_MOVEMENTS 4
#ifndef FOLLOWER_GAP_SHORT
#define FOLLOWER_GAP_SHORT 2000
#endif

/* How long it waits for a position. The relay names one twice a second, unless it has much to publish before. */
#define FOLLOWER_SILENCE_MS 1000

enum follower_want {
    FOLLOWER_WANTS_NOTHING,
    FOLLOWER_WANTS_POSITION, /* as a page of the catalogue, from behind item number `after`; the position is what counts */
    FOLLOWER_WANTS_CATALOGUE, /* a page of items and their levels from behind item number `after` */
    FOLLOWER_WANTS_MOVEMENTS, /* a page of movements from behind seq `after` */
};

struct follower {
    uint32_t partition;
    void (*apply)(void *ctx, struct bus_message *m);
    void *ctx;
    struct names skus, locations;
    int64_t *defined_ms; /* of each SKU, index: its number - 1; 0: not known yet */
    size_t defined_cap;
    /* Number of each item here, index: that of inventory - 1; 0: not known, as those of an earlier life. */
    uint32_t *own;
    size_t own_cap;

    /* Complete up to here. */
    bool begun; /* a whole catalogue was taken in, here or in an earlier life */
    uint64_t epoch;
    uint64_t seq;
    uint64_t items;
    /* Known to exist. */
    uint64_t seq_known;
    uint64_t items_known;
    /* The newest row that was given on, by this node's numbers: inventory has the same under that seq. seq 0: none. */
    struct level_row witness;
    struct level_row next; /* the newest one since the witness is unproved; it is to be proved as well */
    /* A run of movements behind the first gap that is there already; 0: none. */
    uint64_t run_from, run_to;

    /* A whole catalogue that is being taken in: `whole` until its last page. */
    bool whole;
    uint64_t whole_after;
    struct bus_position whole_from; /* of its first page */

    struct bus_position claim; /* the latest position, heard or answered */
    int64_t claim_mono_ms;     /* when it came, or was asked for */
    int64_t asked_mono_ms;     /* when inventory was asked for an answer that has one */
    int64_t heard_mono_ms;     /* when the bus named one that counts; 0: it did not yet */
    int64_t fresh_mono_ms;     /* when the last claim came that is fulfilled; 0: none yet */
    int64_t fresh_wall_ms;     /* and when it was made */
    bool unsure;               /* whether inventory still has what is known here: the head of the catalogue tells */
    bool unproved;             /* whether it still has the witness, which stays as it is until then */
    uint64_t unproved_item;    /* whether it still has this item, the newest then, under its number; 0: it has */
    bool cut;
    uint64_t gaps;
};

/* `apply` gets rows with this node's numbers; the message is borrowed for the call. */
void follower_init(struct follower *f, uint32_t partition, void (*apply)(void *ctx, struct bus_message *m), void *ctx);
void follower_release(struct follower *f);

/* The rows of an earlier life, then where they end. Before anything else. */
void follower_restore_rows(struct follower *f, struct bus_message *m);
void follower_restore_end(struct follower *f, const struct bus_position *at);

/* What the bus brought. The rows of `m` get their numbers here. */
void follower_take(struct follower *f, struct bus_message *m, int64_t mono_ms);

/* Has inventory yet to say whether it still has what is known here? Nothing makes it fresh until then. */
bool follower_doubts(const struct follower *f);
/* What is missing; `*after` is set unless it is nothing. */
enum follower_want follower_wants(struct follower *f, int64_t mono_ms, int64_t wall_ms, uint64_t *after);
/*
 * A page of the catalogue as asked for, its position the stream's before it was read. `last`: no page follows it. What
 * it says is true: numbers beyond its position that were heard of before are forgotten, and a page that cannot be of the
 * stream that is known here is not applied, and cuts it. `asked_mono_ms`: just before it was asked for.
 */
void follower_take_catalogue(struct follower *f, struct bus_message *page, bool last, int64_t asked_mono_ms);
/* A page of movements as asked for: the first ones behind `after`, by seq. */
void follower_take_movements(struct follower *f, uint64_t after, struct bus_message *page);

/*
 * What is known is not true, begin from nothing: the stream has become shorter, as after a restore from a backup, or it is
 * that of another store. Noticed when inventory does not have what is known here: by a page of the catalogue, or by movements
 * that are not there, or are others. The head of the catalogue and the newest movement that is shown are asked for after a
 * restart, after silence, and where an event or a position hints at it. That movement stands for all before it: a store
 * that was set back to before it has another one under its number by now, or none.
 */
bool follower_is_cut(const struct follower *f);

#endif
