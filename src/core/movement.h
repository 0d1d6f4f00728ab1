/*
 * A movement: one immutable change to one level. Folding all movements of a partition from zero, in `seq` order,
 * gives exactly the levels.
 */
#ifndef CORE_MOVEMENT_H
#define CORE_MOVEMENT_H

#include "core/quantity.h"

enum movement_kind {
    MOVEMENT_RECEIVE = 1, /* numbers are stored: never renumber */
    MOVEMENT_ADJUST = 2,
    MOVEMENT_SET = 3,
    MOVEMENT_TRANSFER_OUT = 4,
    MOVEMENT_TRANSFER_IN = 5,
    MOVEMENT_RESERVE = 6,
    MOVEMENT_COMMIT = 7,
    MOVEMENT_RELEASE = 8,
    MOVEMENT_EXPIRE = 9,
    MOVEMENT_CANCEL = 10,
    MOVEMENT_FULFILL = 11,
    MOVEMENT_RETURN = 12,
    MOVEMENT_KIND_END
};

struct movement {
    uint64_t seq; /* 1.. without gaps in the partition */
    int64_t time_ms;
    enum movement_kind kind;
    uint32_t item;     /* index of the item, 1.. */
    uint32_t location; /* index of the location, 1.. */
    struct str sku;
    struct str location_id;
    struct quantities delta;
    struct quantities after;
    uint64_t version;     /* of the level after this movement, 1.. */
    uint64_t reservation; /* `seq` of the reservation that it belongs to; 0: none */
    struct str reason;    /* strings are borrowed: from the command until its batch is answered, or from a row */
    struct str reference;
    struct str actor;
};

/* "receive", "adjust", ... */
struct str movement_kind_name(enum movement_kind kind);
bool movement_kind_parse(struct str name, enum movement_kind *out);

#endif
