/*
 * The availability service: what can be promised, per SKU, in memory, fed only by the bus.
 *
 * One writer (the projector thread) and any number of readers who never wait (RCU, QSBR flavour): a reader thread
 * registers, and says at each turn of its loop that it holds nothing.
 *
 * The state depends only on which rows were applied, not on how they were cut into messages, repeated or reordered:
 * a view rebuilt from zero has the same bytes.
 */
#ifndef AVAILABILITY_AVAILABILITY_H
#define AVAILABILITY_AVAILABILITY_H

#include "bus/bus.h"
#include "cache/cache.h"
#include "core/policy.h"

/* The longest `frame`: SKU_BYTES_MAX escaped bytes, all numbers at their longest. */
#define SHOWN_FRAME_BYTES_MAX 400

/* The shopper's answer for one SKU, immutable, rendered once per change. */
struct shown {
    int64_t available; /* over all locations, each counted as 0 when negative */
    enum availability_status status;
    uint64_t version; /* sum of the versions of its levels: rises with every change; 0: no level yet */
    uint64_t seq;     /* of the last change that is in it; 0: no level yet */
    int64_t as_of_ms; /* ledger time of that change; without a level, of the item's definition */
    struct str json;  /* the body of GET /v1/availability/{sku}; a part of `frame` */
    struct str frame; /* the same as an event of text/event-stream, without its id: "event: availability\ndata: ..." */
};

/* One SKU of the view. Entries are never freed while the view lives, so a stream may keep the pointer. */
struct shelf_entry;

struct availability;

/*
 * Following a broker, in a process apart from inventory (follower.h): what is missing is asked for over HTTP, and what
 * is known is kept in a file.
 */
struct availability_follow {
    uint32_t partition;
    const char *inventory; /* addresses with commas between them, for source_new; copied */
    const char *dir;       /* data directory, which exists; copied */
    /*
     * On the projector thread, once: the stream has become shorter, as after a restore from a backup. What was kept is
     * forgotten; the process must end and begin anew.
     */
    void (*cut)(void *ctx);
    void *cut_ctx;
};

struct availability_options {
    struct bus *bus;                          /* borrowed */
    struct cache *cache;                      /* borrowed; NULL: none (decision 009) */
    const struct availability_follow *follow; /* NULL: `bus` is the local one of this process */
    struct policy policy;
    /*
     * Called on the projector thread after the entries of one message were replaced, each named once: tells push which
     * entries changed. `len` is 0 for a message that changed nothing. `committed_ns` as in the message. NULL: nobody
     * wants to know.
     */
    void (*changed)(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns);
    void *changed_ctx;
};

struct availability *availability_new(const struct availability_options *options);
/*
 * Applies a message on the caller's thread: for the snapshot, before availability_start. `changed` is not called. It
 * waits for the readers, so if the caller is one of them the call is a quiescent state.
 */
void availability_apply(struct availability *a, const struct bus_message *m);
/*
 * Starts the projector thread, and one that frees behind it. A follower of a broker first takes in what it has kept. ERR_IO
 * when there is no thread to be had, or the kept file cannot be made; ERR_LOCKED when another process has it.
 */
MUST_CHECK enum err availability_start(struct availability *a, struct err_note *note);
/*
 * Waits for the projector, which ends when the bus is closed and drained, and for the readers; if the caller is one of
 * them, that is a quiescent state. Nothing to do when it was not started.
 */
void availability_stop(struct availability *a);
/* Accepts NULL. Stopped, and no reader holds anything of it. */
void availability_free(struct availability *a);

/* Reader threads. A registered thread is online until it says otherwise. */
void availability_reader_register(void);
void availability_reader_unregister(void);
void availability_reader_quiescent(void); /* nothing read before this call is used after it */
void availability_reader_offline(void);   /* before waiting: also quiescent, and no read until it is online again */
void availability_reader_online(void);    /* after waiting */

/* NULL when the SKU is not known. */
struct shelf_entry *availability_find(struct availability *a, struct str sku);
/* Lives as long as the entry. */
struct str shelf_entry_sku(const struct shelf_entry *e);
/* The present answer; valid until the reader's next quiescent state. Never NULL. */
const struct shown *shelf_entry_shown(const struct shelf_entry *e);
/* availability_seq() of the view that holds the entry. */
uint64_t shelf_entry_stream_seq(const struct shelf_entry *e);
/*
 * The highest seq of a change that was applied to that view. It is beyond the view's seq while a follower misses changes
 * before it. An entry that shows more is being applied at this moment.
 */
uint64_t shelf_entry_stream_reach(const struct shelf_entry *e);

/* The stream up to this seq is in the view: whatever is read after this call includes it. Any thread. */
uint64_t availability_seq(const struct availability *a);

/* Counts, now and then, that a reader thread read the entry: the most read ones are what a new node begins with. */
void availability_count_read(struct availability *a, struct shelf_entry *e);

/*
 * What other nodes showed, as the cache has it, for SKUs that a view does not have which was never complete.
 */

/* What is known already: its length, 0 when it is not. The bytes are those of `struct shown`'s json. Any thread. */
size_t availability_recall(struct availability *a, struct str sku, char out[SHOWN_FRAME_BYTES_MAX]);

/* A question to the cache; the asker's memory, which is the cache's thread's until `answered`. */
struct availability_question {
    struct availability_question *next;
    struct str sku; /* borrowed as long */
    void (*answered)(void *ctx);
    void *ctx;
    size_t json_len; /* 0: it is not known */
    char json[SHOWN_FRAME_BYTES_MAX];
};

/*
 * Any thread. True: `answered` will be called, once, on another thread, perhaps before this returns. False: there is no cache,
 * it is away, or too much is asked; it will not be called.
 */
bool availability_ask(struct availability *a, struct availability_question *q);

/*
 * How long ago the view surely held everything that was committed: 0 on the local bus, -1 when it never did. A position
 * comes twice a second, so the age of a healthy follower is below a second. Any thread.
 */
int64_t availability_age_ms(const struct availability *a);

/*
 * Names the life of the store that a follower shows: the epoch of the last leader that it has heard of, 0 before the first.
 * On the local bus always 0. Any thread.
 */
uint64_t availability_epoch(const struct availability *a);

struct availability_metrics {
    uint64_t skus;
    uint64_t seq;
    uint64_t messages; /* applied, the snapshot's included */
    uint64_t renders;
    /* Of a follower of a broker. */
    bool follows;
    uint64_t seq_known; /* the newest movement that it has heard of */
    int64_t silence_ms; /* since the broker said how far the stream is; -1: it never did */
    bool doubts;        /* inventory has yet to say whether its store is still the one that is shown */
    uint64_t gaps;      /* times that something was missing */
    uint64_t fills;     /* pages that were asked for */
    uint64_t fill_failures;
    /* Of one with a cache. */
    bool caches;
    bool cache_is_up;
    uint64_t cache_writes;   /* SKUs that were written */
    uint64_t cache_failures; /* connections and calls that failed */
    uint64_t cache_dirty;    /* SKUs that changed and are not written yet */
    uint64_t cache_hits;     /* answers out of the cache */
    uint64_t cache_misses;   /* SKUs that were looked for there in vain */
};
/* Any thread. */
void availability_metrics(const struct availability *a, struct availability_metrics *out);

#endif
