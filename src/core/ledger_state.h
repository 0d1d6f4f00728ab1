/*
 * What the ledger is made of. Private to src/core.
 *
 * Indexes of items and locations are dense from 1, so they are places in an array and small keys in a table. Levels
 * and kept reservations never move in memory while they exist.
 */
#ifndef CORE_LEDGER_STATE_H
#define CORE_LEDGER_STATE_H

#include "base/map.h"
#include "base/pool.h"
#include "core/ledger.h"

struct level {
    uint32_t item;
    uint32_t location;
    struct quantities q;
    uint64_t version; /* 0 only between its making and its first movement */
    uint64_t seq;
    int64_t time_ms;
    uint64_t touched_in; /* number of the last run of changes that touched it */
    uint32_t change;     /* its place in that run's `levels` */
};

struct item {
    struct str sku;
    int64_t defined_ms;
    struct level **levels; /* by rising location */
    uint32_t levels_len, levels_cap;
    uint32_t change; /* its place in the `items` of the last run that defined it */
};

struct location {
    struct str id;
    uint32_t priority;
    uint32_t change; /* as of an item */
};

/* A reservation in memory, in one pool block with its lines and reference. */
struct kept {
    struct reservation r;
    size_t block_size;
    size_t heap_at;      /* place in the expiry heap; only while held */
    uint64_t touched_in; /* number of the last run that touched it; 0: none since it was brought back */
    uint32_t change;     /* its place in that run's `reservations` */
    struct kept *recalled_next;
};

/* One planned change of one level; a command is planned whole, then checked whole, then done. */
struct step {
    uint32_t item;
    uint32_t location;
    struct level *level; /* NULL: the level does not exist yet */
    struct quantities delta;
    uint32_t line; /* of the command, the first that made it */
};

/* What an order wants of one item, from one location or (0) from any. */
struct demand {
    uint32_t item;
    uint32_t location;
    int64_t quantity;
    uint32_t line;
};

struct ledger {
    struct pool pool;
    struct item *items; /* [0] unused */
    size_t items_len, items_cap;
    struct location *locations; /* [0] unused */
    size_t locations_len, locations_cap;
    uint32_t *ranks; /* locations in the order in which sourcing takes them: priority, then index */
    size_t ranks_len, ranks_cap;
    struct map item_by_sku, location_by_id, kept_by_id;
    struct kept **heap; /* of held ones, by expires_ms, then seq */
    size_t heap_len, heap_cap;
    struct kept *recalled; /* closed ones brought back since the last commit */
    uint64_t seq;
    uint64_t runs;
    uint64_t levels_len, kept_len, committed_len;

    /* Scratch of the command at hand; memory is kept. */
    struct step *steps;
    size_t steps_len, steps_cap;
    struct demand *demands;
    size_t demands_len, demands_cap;
    struct shortfall *shortfalls;
    size_t shortfalls_len, shortfalls_cap;
    int64_t *supply; /* candidates x demands */
    size_t supply_cap;
    uint32_t *candidates;
    size_t candidates_len, candidates_cap;
    uint32_t *chosen;
    size_t chosen_len, chosen_cap;
    bool *taken; /* by candidate: one of those that the greedy rule chose */
    size_t taken_cap;
    int64_t *planned; /* units per line of the reservation at hand */
    size_t planned_cap;
};

/* One command being decided. */
struct decision {
    struct ledger *l;
    const struct command *command;
    int64_t now_ms;
    struct changes *changes;
    struct result *result;
};

/* ledger_levels.c: finding items, locations and levels. 0 or NULL when there is none. */
uint32_t ledger_item(const struct ledger *l, struct str sku);
uint32_t ledger_location(const struct ledger *l, struct str id);
struct level *ledger_level(const struct ledger *l, uint32_t item, uint32_t location);
struct level *ledger_level_add(struct ledger *l, uint32_t item, uint32_t location);
uint32_t ledger_item_add(struct ledger *l, struct str sku, int64_t defined_ms);
uint32_t ledger_location_add(struct ledger *l, struct str id, uint32_t priority);
void ledger_location_rank(struct ledger *l, uint32_t location, uint32_t priority);

/* stock.c: planning and doing steps. */
struct step *step_at(struct decision *d, uint32_t item, uint32_t location, uint32_t line);
int64_t step_value(const struct step *s, enum quantity q); /* what the level would have */
void steps_do(struct decision *d, enum movement_kind kind, uint64_t reservation);
void move(
    struct decision *d,
    struct level *level,
    const struct quantities *delta,
    enum movement_kind kind,
    uint64_t reservation);
void shortfall_add(struct decision *d, uint32_t line, bool any, int64_t requested, int64_t available);
enum outcome refuse(struct decision *d, enum outcome outcome, uint32_t line);
enum outcome refuse_short(struct decision *d, enum outcome outcome);

/* ledger_reservations.c: reservations in memory. */
struct kept *kept_find(const struct ledger *l, struct uuid id);
struct kept *kept_add(struct ledger *l, struct uuid id, struct str reference, uint32_t lines_len);
void kept_remove(struct ledger *l, struct kept *k);
void kept_become(struct decision *d, struct kept *k, enum reservation_state to);
struct reservation_change *kept_touch(struct decision *d, struct kept *k);
void kept_hold_add(struct ledger *l, struct kept *k);
void kept_hold_moved(struct ledger *l, struct kept *k);

/* The decisions. */
enum outcome decide_define_item(struct decision *d);
enum outcome decide_define_location(struct decision *d);
enum outcome decide_receive(struct decision *d);
enum outcome decide_adjust(struct decision *d);
enum outcome decide_set(struct decision *d);
enum outcome decide_transfer(struct decision *d);
enum outcome decide_reserve(struct decision *d);
enum outcome decide_extend(struct decision *d);
enum outcome decide_commit(struct decision *d);
enum outcome decide_release(struct decision *d);
enum outcome decide_cancel(struct decision *d);
enum outcome decide_fulfill(struct decision *d);
enum outcome decide_return(struct decision *d);
enum outcome decide_expire(struct decision *d);

#endif
