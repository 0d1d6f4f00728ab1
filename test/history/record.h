/*
 * A recorded history: what clients asked and were told, and what the server's log said in the end.
 *
 * A line is a record, its parts are separated by single spaces. Empty lines and lines that begin with # are skipped.
 * Times of clients are nanoseconds of a monotonic clock, times of the server (`at`, `expires`) are milliseconds of its
 * own clock; the two are never compared.
 *
 *   bounds LATE_MS SLACK_MS             how late a hold may expire; how far the clocks may differ. Default 1000 100
 *   op CLIENT KEY WHAT... INVOKE RETURN RESULT...
 *       one operation: from the first try to the last answer of the same key. KEY is - for reads. A KEY that came
 *       before is the same request asked again. RETURN is - when there was never an answer; then RESULT is `unknown`.
 *   movement SEQ KIND SKU DELTA AFTER VERSION RESERVATION AT REFERENCE
 *       a row of the log as it was exported at the end. DELTA and AFTER are `ON_HAND RESERVED COMMITTED` each.
 *       RESERVATION is the seq of its reservation's first movement or -; REFERENCE the KEY that asked for it or -.
 *   final SKU VERSION ON_HAND RESERVED COMMITTED
 *       a level as it was read when all was over.
 *
 *   WHAT                                RESULT
 *   receive SKU UNITS                   ok SEQ VERSION ON_HAND RESERVED COMMITTED
 *   adjust SKU UNITS                    the same, or `refused negative ON_HAND`
 *   reserve TTL_MS SKU:UNITS,...        ok SEQ ID EXPIRES, or `refused short SKU:AVAILABLE,...`
 *   commit ID, release ID               ok SEQ STATE, or `refused expired STATE`, or `refused state STATE`
 *   level SKU                           ok VERSION ON_HAND RESERVED COMMITTED
 *   availability SKU MIN_SEQ            ok SEQ VERSION UNITS
 *
 * An item has one level, so a SKU stands for its level. A SKU comes once in an order.
 */
#ifndef HISTORY_RECORD_H
#define HISTORY_RECORD_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ORDER_LINES_MAX 8
#define TIME_NEVER INT64_MAX

enum op_kind { OP_RECEIVE, OP_ADJUST, OP_RESERVE, OP_COMMIT, OP_RELEASE, OP_LEVEL, OP_AVAILABILITY, OP_KIND_END };

enum op_result { RESULT_OK, RESULT_NEGATIVE, RESULT_SHORT, RESULT_EXPIRED, RESULT_STATE, RESULT_UNKNOWN };

enum hold_state { HOLD_NONE, HOLD_HELD, HOLD_COMMITTED, HOLD_RELEASED, HOLD_EXPIRED, HOLD_STATE_END };

struct amounts {
    int64_t on_hand, reserved, committed;
};

struct op_line {
    uint32_t sku;
    int64_t units;     /* asked; adjust: the difference */
    int64_t available; /* RESULT_SHORT: what the refusal said of this line; -1: it was not named */
};

struct op {
    uint32_t text_line; /* of the file */
    uint32_t client;
    uint32_t key; /* 0: a read */
    enum op_kind kind;
    enum op_result result;
    struct op_line lines[ORDER_LINES_MAX]; /* all but commit and release */
    uint32_t lines_len;
    uint32_t hold; /* number of the id: commit, release, a reserve that is ok */
    int64_t ttl_ms;
    int64_t invoke_ns;
    int64_t return_ns; /* TIME_NEVER: unknown */
    uint64_t seq;      /* answered */
    uint64_t version;
    struct amounts after; /* RESULT_NEGATIVE: on_hand only; availability: the units are `on_hand` */
    int64_t expires_ms;
    enum hold_state state;
    uint64_t min_seq;
    uint32_t repeats; /* number of the first op with this key, 1..; 0: this is the first */

    /* What the witness check finds out: the movements of its effect. 0: it has none. */
    uint64_t first_seq, last_seq;
};

enum movement_kind {
    MOVEMENT_RECEIVE,
    MOVEMENT_ADJUST,
    MOVEMENT_RESERVE,
    MOVEMENT_COMMIT,
    MOVEMENT_RELEASE,
    MOVEMENT_EXPIRE,
    MOVEMENT_OTHER
};

struct movement {
    uint32_t text_line;
    enum movement_kind kind;
    uint32_t sku;
    uint32_t reference; /* number of a key; 0: none */
    uint64_t seq;
    uint64_t version;
    uint64_t reservation; /* 0: none */
    int64_t at_ms;
    struct amounts delta, after;
    uint32_t owner; /* number of the op, 1..; 0: none so far */
};

struct final {
    uint32_t text_line;
    uint32_t sku;
    uint64_t version;
    struct amounts amounts;
};

struct history {
    struct op *ops;
    size_t ops_len, ops_cap;
    struct movement *movements;
    size_t movements_len, movements_cap;
    struct final *finals;
    size_t finals_len, finals_cap;
    struct table skus, keys, holds;
    uint32_t *first_of_key; /* number of the first op, by key */
    size_t first_of_key_cap;
    int64_t late_ns, slack_ns;
};

void history_init(struct history *h);
void history_release(struct history *h);

/* Takes one line, without its end, into the history; changes the text. False: it is not a record, `why` says more. */
bool history_take(struct history *h, uint32_t text_line, char *line, const char **why);

/* Reads to the end of `in`. False: a line was no record, which is said on stderr. */
bool history_read(struct history *h, FILE *in);

/* For what is said of an operation: `reserve of client 3, key x, line 17`. Borrowed until the second next call. */
const char *op_name(const struct history *h, const struct op *op);

const char *hold_state_name(enum hold_state state);

#endif
