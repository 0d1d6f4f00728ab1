/*
 * What the ledger can be told to do. A command is decoded and range-checked before it gets here (src/api): the
 * ledger asserts the ranges and decides only what depends on the stock.
 */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/reservation.h"

enum command_kind {
    COMMAND_DEFINE_ITEM = 1,
    COMMAND_DEFINE_LOCATION,
    COMMAND_RECEIVE,
    COMMAND_ADJUST,
    COMMAND_SET,
    COMMAND_TRANSFER,
    COMMAND_RESERVE,
    COMMAND_EXTEND,
    COMMAND_COMMIT,
    COMMAND_RELEASE,
    COMMAND_CANCEL,
    COMMAND_FULFILL,
    COMMAND_RETURN,
    COMMAND_EXPIRE, /* internal: made by the sequencer, never by a client */
    COMMAND_KIND_END
};

struct command_line {
    struct str sku;
    struct str location;  /* absent: any (reserve), every location of the reservation (fulfill, return) */
    int64_t quantity;     /* 1..LINE_QUANTITY_MAX; adjust: delta, -LINE_QUANTITY_MAX..LINE_QUANTITY_MAX, not 0 */
    enum quantity bucket; /* adjust only; adjustable ones only */
};

enum return_to { RETURN_RESTOCKED, RETURN_DAMAGED };

/* All strings are borrowed from the request and outlive its answer. */
struct command {
    enum command_kind kind;
    struct str reason;    /* adjust, set */
    struct str reference; /* any */
    struct str actor;     /* any */

    /* receive, adjust, transfer, reserve: 1..LINES_MAX. fulfill, return: 0 means the whole rest. */
    const struct command_line *lines;
    uint32_t lines_len;

    struct str sku;        /* define item, set */
    struct str location;   /* define location, set; transfer: from */
    struct str to;         /* transfer: to, other than from */
    struct str name;       /* define item, define location */
    struct str attributes; /* define item: JSON object as text; absent: {} */
    uint32_t priority;     /* define location: 0..PRIORITY_MAX, lower is taken first */

    struct quantities set;          /* set: the new values, 0..QUANTITY_MAX */
    bool set_given[QUANTITY_COUNT]; /* set: which; at least one, adjustable ones only */
    bool set_any_version;           /* set: If-Match: * */
    uint64_t expected_version;      /* set: the level's version; 0: the level must not exist yet */

    struct uuid id;           /* reserve: the id to give it; extend..expire: which */
    uint32_t ttl_s;           /* reserve, extend: TTL_S_MIN..TTL_S_MAX */
    enum return_to return_to; /* return */
};

/* "reserve", "adjust", ...: also the `op` of a batch and the label of metrics. */
struct str command_kind_name(enum command_kind kind);

/* Commands on an existing reservation: extend, commit, release, cancel, fulfill, return, expire. */
bool command_kind_has_reservation(enum command_kind kind);

#endif
