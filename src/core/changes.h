/*
 * Everything that a run of commands changed: the body of one batch. Filled by ledger_apply(), frozen by
 * ledger_seal(), then read by the store and the bus while the ledger goes on. Memory is kept for the next run.
 */
#ifndef CORE_CHANGES_H
#define CORE_CHANGES_H

#include "core/movement.h"
#include "core/reservation.h"

/* A level that was touched: its row is what its last movement left behind. */
struct level_change {
    uint32_t movement; /* index of its last movement in `movements` */
    bool created;      /* no row yet */
};

struct reservation_change {
    struct reservation row; /* as at the seal; line arrays are owned by the changes */
    bool created;           /* insert the row and its lines, else update state, expires_ms, updated_ms */
    bool lines_touched;     /* update fulfilled and returned of its lines */
    void *live;             /* the ledger's own */
};

/* An item, or a location, is named once: as the last command of the run defined it. */
struct item_change {
    uint32_t item; /* index, 1.. */
    struct str sku;
    struct str name;
    struct str attributes; /* JSON object as text */
    int64_t time_ms;
    bool created;
};

struct location_change {
    uint32_t location; /* index, 1.. */
    struct str id;
    struct str name;
    uint32_t priority;
    bool created;
};

struct changes {
    uint64_t number; /* of this run, given by ledger_begin: tells which run touched a level last */
    bool sealed;

    struct movement *movements;
    size_t movements_len, movements_cap;
    struct level_change *levels;
    size_t levels_len, levels_cap;
    struct reservation_change *reservations;
    size_t reservations_len, reservations_cap;
    struct item_change *items;
    size_t items_len, items_cap;
    struct location_change *locations;
    size_t locations_len, locations_cap;

    struct reservation_line *lines; /* backing of the sealed reservations' lines */
    size_t lines_len, lines_cap;
};

void changes_init(struct changes *c);
void changes_release(struct changes *c);
/* Nothing to store? */
bool changes_is_empty(const struct changes *c);

#endif
