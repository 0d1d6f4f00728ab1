/*
 * The log as it was exported, replayed: what each level and each hold was after every movement. The replay believes the
 * differences of the log and checks the rest of it (I1, I2, I4, I7, I9, I19).
 */
#ifndef HISTORY_LEDGER_H
#define HISTORY_LEDGER_H

#include "record.h"
#include "report.h"

/* A reservation as the log has it. */
struct hold {
    uint64_t first_seq, last_seq; /* the movements that made it, one a line */
    uint64_t end_first, end_last; /* the movements that ended it; 0: it is held */
    enum hold_state state;
    int64_t ttl_ms;     /* -1: of no operation that we know */
    int64_t expires_ms; /* known with ttl_ms */
    uint32_t made_by;   /* number of the op, 1..; 0: not known */
};

/* The movements of one level, by seq. */
struct track {
    uint64_t *seqs;
    size_t len, cap;
};

struct ledger {
    struct history *history; /* borrowed */
    uint64_t last_seq;
    uint32_t *movement_at;    /* by seq: number of the movement, 1..; 0: there is none */
    struct amounts *state_at; /* by seq: the level that it moved, after it */
    struct hold *holds;
    size_t holds_len, holds_cap;
    uint32_t *hold_at;    /* by seq of its first movement: number of the hold, 1..; 0: none */
    struct track *tracks; /* by number of the SKU */
};

/* Replays. The history must outlive it. */
void ledger_init(struct ledger *l, struct history *h, struct report *report);
void ledger_release(struct ledger *l);

/* The movement with this seq; NULL: there is none. */
struct movement *ledger_movement(const struct ledger *l, uint64_t seq);

/* The hold whose first movement this is; NULL: there is none. */
struct hold *ledger_hold(const struct ledger *l, uint64_t first_seq);

/* How many movements of the level have a seq of at most `seq`. It is the version of the level then. */
size_t ledger_version(const struct ledger *l, uint32_t sku, uint64_t seq);

/* The level when `seq` was the last movement. */
struct amounts ledger_level(const struct ledger *l, uint32_t sku, uint64_t seq);

/* The seq of the movement that gave the level this version; 0: version 0; UINT64_MAX: there was no such version. */
uint64_t ledger_seq_of(const struct ledger *l, uint32_t sku, uint64_t version);

int64_t amounts_available(struct amounts a);
bool amounts_equal(struct amounts a, struct amounts b);

#endif
