/*
 * What the ledger answers. Anything but OUTCOME_OK leaves the ledger exactly as it was.
 */
#ifndef CORE_RESULT_H
#define CORE_RESULT_H

#include "core/reservation.h"

/* In order of precedence: the first that applies is given. */
enum outcome {
    OUTCOME_OK,
    OUTCOME_UNCHANGED,           /* already so: the transition was done before */
    OUTCOME_UNKNOWN_ITEM,        /* `line` says where */
    OUTCOME_UNKNOWN_LOCATION,    /* `line` says where */
    OUTCOME_UNKNOWN_RESERVATION, /* not in memory: the sequencer looks in the store before it believes it */
    OUTCOME_LIMIT_REACHED,
    OUTCOME_VERSION_MISMATCH, /* `version` is the present one, 0 when the level does not exist */
    OUTCOME_HOLD_EXPIRED,
    OUTCOME_WRONG_STATE,        /* `reservation->state` is the present one */
    OUTCOME_UNKNOWN_LINE,       /* fulfill, return: the reservation has no such line; `line` says which */
    OUTCOME_QUANTITY_EXCEEDED,  /* `shortfalls` */
    OUTCOME_INSUFFICIENT_STOCK, /* `shortfalls` */
    OUTCOME_NEGATIVE_QUANTITY,  /* `shortfalls` */
    OUTCOME_QUANTITY_OVERFLOW,  /* `line` says where */
    OUTCOME_TOO_FRAGMENTED,
    OUTCOME_COUNT
};

struct shortfall {
    uint32_t line; /* index in the command; with merged lines the first of them */
    struct str sku;
    struct str location; /* absent for an "any" line */
    int64_t requested;
    int64_t available; /* 0 or more */
};

struct result {
    enum outcome outcome;
    uint32_t line;
    bool created; /* define, set: it did not exist before */
    uint64_t version;
    uint64_t seq; /* of the ledger after the command: the read-your-writes token */

    /* Where the command's movements stand in the changes it was given. */
    uint32_t movements_at;
    uint32_t movements_len;

    /* The reservation that the command made or touched, NULL when none; valid until the next ledger call. */
    const struct reservation *reservation;

    /* Every short line, in the order of the request; valid until the next ledger call. */
    const struct shortfall *shortfalls;
    uint32_t shortfalls_len;
};

/* "ok", "insufficient_stock", ...: label of metrics. */
struct str outcome_name(enum outcome outcome);

#endif
