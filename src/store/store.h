/*
 * Port: durable storage of one partition.
 *
 * Backends live in store/<name>/ and are interchangeable; test/store/contract.c runs against each. Callers never
 * include a backend's header; only src/app does.
 *
 * A store has one writer (claimed by an epoch) and any number of readers. `struct store` is used by one thread at a
 * time; each reader by one thread at a time; store and readers together by several.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include "core/ledger.h"

/* The lease of whoever writes (decision 008), of stores that several processes share. */
#define STORE_LEASE_MS 3000  /* from a claim, and from each renewal */
#define STORE_RENEW_MS 1000  /* it is renewed so often */
#define STORE_CLAIM_MS 500   /* who waits for it tries so often */
#define STORE_LEADER_MAX 255 /* bytes of the URL of who has it */

/* One idempotency record: a key, what it was used for, and the answer that was given, byte for byte. */
struct key_row {
    uint64_t row; /* 1.., rises by 1 with each record; may begin anew at a start that finds none */
    int64_t time_ms;
    struct str operation; /* the scope of the key: command kind name */
    struct str key;
    uint8_t fingerprint[32]; /* SHA-256 of the decoded command */
    uint16_t status;         /* HTTP status of the answer */
    struct str location;     /* Location header of the answer; absent: none */
    struct str answer;       /* body */
};

/* What one commit makes durable, all or nothing. Borrowed for the call. */
struct batch {
    uint32_t partition;
    uint64_t epoch;                /* must be the stored epoch, else ERR_FENCED */
    uint64_t seq_before;           /* must be the stored seq, else ERR_FENCED */
    uint64_t seq_after;            /* seq_before + number of movements */
    int64_t time_ms;               /* ledger time of the batch */
    const struct changes *changes; /* sealed */
    const struct key_row *keys;
    size_t keys_len;
    uint64_t purge_keys_to; /* delete the key rows up to this one; 0: none */
};

struct store_head {
    uint64_t epoch;
    uint64_t seq;
    int64_t time_ms;                   /* of the last batch; 0: none */
    uint64_t items;                    /* number of the newest item; 0: none */
    char leader[STORE_LEADER_MAX + 1]; /* by store_claim alone: the URL of who has the lease; may be "" */
};

/*
 * Receives every key row there is, oldest first (answers are not given): also those that are due to be purged, for the
 * numbers of new rows go on behind them. Purging keeps them bounded.
 */
struct store_key_sink {
    void *ctx;
    void (*key)(void *ctx, const struct key_row *row);
    /* False: nobody wants the rest, and the load may end with ERR_SHUTTING_DOWN. Asked now and then. NULL: go on. */
    bool (*goes_on)(void *ctx);
};

struct store;
struct store_reader;

struct store_ops {
    const char *name;
    /*
     * Raises the epoch by one and makes this process the writer, with a lease where processes share the store. Durable when
     * it returns. ERR_LOCKED: somebody else's lease runs, *out says whose, and the rest as it is stored. Who has the lease
     * may claim again.
     */
    enum err (*claim)(struct store *s, const char *leader, struct store_head *out, struct err_note *note);
    /* See store_renew. NULL: there is no lease. */
    enum err (*renew)(struct store *s, struct err_note *note);
    /*
     * Rebuilds an empty ledger (items, locations, levels, open reservations, seq) and the keys. What was in doubt is
     * decided when it returns ERR_OK: it is in the ledger, or will never be stored. ERR_STORE_AWAY: try again, with an
     * empty ledger. ERR_SHUTTING_DOWN: the sink wants no more.
     */
    enum err (*load)(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note);
    /*
     * Durable when it returns ERR_OK. ERR_STORE_FULL and ERR_FENCED: surely nothing of it is stored.
     * ERR_STORE_AWAY: unknown, for the store cannot be reached; nothing else may be committed before it was loaded again.
     * ERR_DEPOSED, ERR_IO: unknown; the process must not acknowledge, and must not go on. With ERR_DEPOSED it is well, but
     * there is another owner.
     */
    enum err (*commit)(struct store *s, const struct batch *b, struct err_note *note);
    enum err (*reader_open)(struct store *s, struct store_reader **out, struct err_note *note);
    /* Gives the lease back when it is still ours; what fails of that is no loss but time for the next owner. */
    void (*free)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

struct item_row {
    uint32_t item;
    struct str sku;
    struct str name;
    struct str attributes; /* JSON object as text */
    int64_t defined_ms;    /* first time it was defined */
};

struct location_row {
    uint32_t location;
    struct str id;
    struct str name;
    uint32_t priority;
};

/* Rows are borrowed for the callback. Return false to stop. */
typedef bool (*item_fn)(void *ctx, const struct item_row *row);
typedef bool (*location_fn)(void *ctx, const struct location_row *row);
typedef bool (*level_fn)(void *ctx, const struct level_row *row);
typedef bool (*reservation_fn)(void *ctx, const struct reservation *row);
typedef bool (*movement_fn)(void *ctx, const struct movement *row);
typedef bool (*key_fn)(void *ctx, const struct key_row *row);

struct reservation_filter {
    enum reservation_state state; /* 0: any */
    struct str reference;         /* absent: any */
    uint64_t after_seq;           /* 0: from the start */
    uint32_t limit;
};

struct movement_filter {
    struct str sku;      /* absent: any */
    struct str location; /* absent: any */
    uint64_t after_seq;
    uint32_t limit;
};

/*
 * Reads of what is committed. Each call sees one state. Lookups of one thing return ERR_NOT_FOUND; lists just call
 * fewer times. ERR_STORE_AWAY: the store cannot be reached now, and some rows may have been given. Order: items by SKU bytes, locations by id bytes, levels by location id bytes, the rest by seq.
 */
struct store_reader_ops {
    /* What is committed now: whatever another call reads afterwards includes it. */
    enum err (*head)(struct store_reader *r, struct store_head *out);
    /*
     * The catalogue in the order of the items' numbers, from behind `after_item`: up to `limit` items, each followed by its
     * levels (by location number). `level` NULL: the items alone.
     */
    enum err (*catalogue)(
        struct store_reader *r, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx);
    enum err (*item)(struct store_reader *r, struct str sku, item_fn fn, void *ctx);
    enum err (*items)(struct store_reader *r, struct str after_sku, uint32_t limit, item_fn fn, void *ctx);
    enum err (*location)(struct store_reader *r, struct str id, location_fn fn, void *ctx);
    enum err (*locations)(struct store_reader *r, location_fn fn, void *ctx);
    /* ERR_NOT_FOUND when the item does not exist; an item without levels calls nothing. */
    enum err (*levels)(struct store_reader *r, struct str sku, level_fn fn, void *ctx);
    enum err (*level)(struct store_reader *r, struct str sku, struct str location, level_fn fn, void *ctx);
    enum err (*reservation)(struct store_reader *r, struct uuid id, reservation_fn fn, void *ctx);
    enum err (*reservations)(
        struct store_reader *r, const struct reservation_filter *filter, reservation_fn fn, void *ctx);
    enum err (*movements)(struct store_reader *r, const struct movement_filter *filter, movement_fn fn, void *ctx);
    enum err (*key)(struct store_reader *r, uint64_t row, key_fn fn, void *ctx);
    /* The oldest key rows, by row, without answers. */
    enum err (*oldest_keys)(struct store_reader *r, uint32_t limit, key_fn fn, void *ctx);
    void (*free)(struct store_reader *r);
};

struct store_reader {
    const struct store_reader_ops *ops;
};

/* The wrappers assert the contract once, for all backends. */

/* `leader`: the URL under which others reach this process, may be "". */
MUST_CHECK enum err store_claim(struct store *s, const char *leader, struct store_head *out, struct err_note *note);
/*
 * The lease that was claimed runs for STORE_LEASE_MS from now. For a thread of its own beside the one that writes,
 * between the claim and store_free. Takes 2 seconds at most, or 7 where it has to connect first. ERR_FENCED: there is
 * another owner. ERR_IO: it could not be renewed; try again. Always ERR_OK where there is no lease.
 */
MUST_CHECK enum err store_renew(struct store *s, struct err_note *note);
/* May several processes share it, one of them with the lease? */
bool store_has_lease(const struct store *s);
MUST_CHECK enum err
store_load(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note);
MUST_CHECK enum err store_commit(struct store *s, const struct batch *b, struct err_note *note);
MUST_CHECK enum err store_reader_open(struct store *s, struct store_reader **out, struct err_note *note);
void store_free(struct store *s);               /* accepts NULL */
void store_reader_free(struct store_reader *r); /* accepts NULL */

#endif
