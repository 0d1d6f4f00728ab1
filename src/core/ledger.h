/*
 * The ledger: every item, location, level and open reservation of one partition, and the one function that changes
 * them. Pure: no I/O, no clock, no randomness; the same commands and times give the same bytes. After warm-up a
 * decision allocates nothing.
 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include "core/changes.h"
#include "core/command.h"
#include "core/result.h"

struct ledger;

struct ledger *ledger_new(void);
/* Accepts NULL. */
void ledger_free(struct ledger *l);

/* Starts an empty run of changes; forgets what `c` held before. */
void ledger_begin(struct ledger *l, struct changes *c);

/*
 * Decides one command at time `now_ms` (never earlier than before) and appends what it changes to `c`. All or
 * nothing. Returns result->outcome. The caller applies due expiries first (ledger_next_expiry).
 */
enum outcome
ledger_apply(struct ledger *l, const struct command *command, int64_t now_ms, struct changes *c, struct result *result);

/* Freezes the rows of `c`. The ledger may go on at once, with another `struct changes`. */
void ledger_seal(struct ledger *l, struct changes *c);

/* Time of the next hold to expire and its id; false when none is held. */
bool ledger_next_expiry(const struct ledger *l, int64_t *out_ms, struct uuid *out_id);

/* The batch with this sealed run is durable: closed reservations that no later run touched leave memory. */
void ledger_committed(struct ledger *l, const struct changes *c);

/* Last movement's seq; 0: none yet. */
uint64_t ledger_seq(const struct ledger *l);

/* Is the reservation in memory? NULL when not; valid until the next call that changes the ledger. */
const struct reservation *ledger_reservation(const struct ledger *l, struct uuid id);

/*
 * Rebuilding from a store, in this order: items and locations by rising index without gaps, levels, open
 * reservations, then ledger_restore_seq. Strings are copied.
 */
void ledger_restore_item(struct ledger *l, uint32_t item, struct str sku, int64_t defined_ms);
void ledger_restore_location(struct ledger *l, uint32_t location, struct str id, uint32_t priority);
struct level_row;
void ledger_restore_level(struct ledger *l, const struct level_row *row);
/* Also brings a closed reservation back for a command on it; it must not be in memory. */
void ledger_restore_reservation(struct ledger *l, const struct reservation *r);
void ledger_restore_seq(struct ledger *l, uint64_t seq);

/* One level as the outside and the store see it. */
struct level_row {
    uint32_t item;
    uint32_t location;
    struct str sku;
    struct str location_id;
    struct quantities quantities;
    uint64_t version;
    uint64_t seq;    /* of its last movement */
    int64_t time_ms; /* of its last movement */
};

/* Every item (index order) and every level (items in index order, then locations in index order). */
void ledger_each_item(
    const struct ledger *l, void (*fn)(void *ctx, uint32_t item, struct str sku, int64_t defined_ms), void *ctx);
void ledger_each_level(const struct ledger *l, void (*fn)(void *ctx, const struct level_row *row), void *ctx);
/* Both in one pass: each item, followed by its levels. */
void ledger_each(
    const struct ledger *l,
    void (*item)(void *ctx, uint32_t item, struct str sku, int64_t defined_ms),
    void (*level)(void *ctx, const struct level_row *row),
    void *ctx);

struct ledger_counts {
    uint64_t items, locations, levels, held, committed, in_memory;
};
struct ledger_counts ledger_counts(const struct ledger *l);

#endif
