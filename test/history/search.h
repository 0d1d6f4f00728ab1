/*
 * The witness-free check: is there any order of the operations on one level that explains all answers and agrees with
 * real time? A search after Wing and Gong, with Lowe's memory of what was tried (the set of operations that have been
 * put in order, and the state they lead to). It does not believe the server's `seq`; a seq is only the hint which of
 * several candidates to try first, so that the way through a sound history is straight.
 *
 * Levels are independent objects, so each is searched alone. Operations on several levels (orders of several lines,
 * their commits and releases, their expiry) take part with their line on this level: if the whole is linearizable, so is
 * each of these projections; that the lines belong together is for the witness check.
 *
 *   - A hold that runs out is an operation of nobody: it happens between the earliest moment that the hold can run out
 *     and the latest, plus the bound, and does nothing if the hold was ended before.
 *   - An operation without an answer may happen at any time after it began, or never.
 *   - Availability takes no part: it may lag behind by contract.
 *
 * Something that changes nothing and is right as soon as it may happen is put there and nowhere else: that is never
 * worse. The memory keeps 128 bits of hash for what was tried. If two different things had the same, a sound history
 * could be refused, never a bad one accepted.
 */
#ifndef HISTORY_SEARCH_H
#define HISTORY_SEARCH_H

#include "ledger.h"

enum search_end { SEARCH_FOUND, SEARCH_NONE, SEARCH_GAVE_UP };

/* Searches the level. `l` gives hints for what the clients were not told (expiry); NULL: no hints. */
enum search_end
search_level(const struct history *h, const struct ledger *l, uint32_t sku, int64_t limit_ms, struct report *report);

/* Searches all levels. Gave up on more than one in a hundred: a violation. Returns how many it gave up on. */
size_t search_check(const struct history *h, const struct ledger *l, int64_t limit_ms, struct report *report);

#endif
