/*
 * A reservation: a promise of one or more lines, all or nothing. Its states and transitions are one table
 * (reservation.c), and nothing else decides whether a transition exists.
 *
 *   held ──► committed ──► fulfilled ──► returned
 *    ├─► released    └───► cancelled
 *    └─► expired
 */
#ifndef CORE_RESERVATION_H
#define CORE_RESERVATION_H

#include "base/random.h"
#include "core/quantity.h"

enum reservation_state {
    RESERVATION_HELD = 1, /* numbers are stored: never renumber */
    RESERVATION_COMMITTED = 2,
    RESERVATION_FULFILLED = 3,
    RESERVATION_RELEASED = 4,
    RESERVATION_EXPIRED = 5,
    RESERVATION_CANCELLED = 6,
    RESERVATION_RETURNED = 7,
    RESERVATION_STATE_END
};

struct reservation_line {
    uint32_t item;
    uint32_t location;
    struct str sku; /* borrowed from the ledger or the row */
    struct str location_id;
    int64_t quantity;  /* promised, 1.. */
    int64_t fulfilled; /* 0..quantity */
    int64_t returned;  /* 0..fulfilled */
};

struct reservation {
    struct uuid id;
    uint64_t seq; /* of its first movement: its integer key. Line n was made by movement seq + n */
    enum reservation_state state;
    int64_t created_ms;
    int64_t expires_ms; /* of the hold; kept when the hold has ended */
    int64_t updated_ms;
    struct str reference;
    struct reservation_line *lines; /* at most one line per level, in the order of the request */
    uint32_t lines_len;             /* 1..RESERVATION_PARTS_MAX */
};

/* "held", "committed", ... */
struct str reservation_state_name(enum reservation_state state);
bool reservation_state_parse(struct str name, enum reservation_state *out);

/* Is there an arrow from `from` to `to` in the table? */
bool reservation_state_may_become(enum reservation_state from, enum reservation_state to);

/* Held or committed: units are promised. Closed reservations leave memory once their batch is committed. */
bool reservation_state_is_open(enum reservation_state state);

#endif
