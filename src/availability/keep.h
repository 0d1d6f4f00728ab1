/*
 * What a node keeps on its disk of what it has heard, so that a restart asks inventory only for what came since. One SQLite
 * file that may be deleted at any time: it is a copy. Rows and the position that they reach are written in one
 * transaction, not synced: after a power cut an older state is there, never a torn one.
 */
#ifndef AVAILABILITY_KEEP_H
#define AVAILABILITY_KEEP_H

#include "bus/bus.h"

struct keep;

/* Makes `dir`/availability.db when it is missing, and anew when it is damaged or of another version or partition. */
MUST_CHECK enum err keep_open(const char *dir, uint32_t partition, struct keep **out, struct err_note *note);
void keep_close(struct keep *k); /* accepts NULL */

/*
 * Calls `fn` with messages of rows; the numbers in them are 0. ERR_NOT_FOUND: nothing is kept; then `out` is zero. Rows that
 * were kept before the first whole catalogue was there are forgotten: they may be of a store that was replaced since.
 */
MUST_CHECK enum err keep_load(
    struct keep *k,
    struct bus_position *out,
    void (*fn)(void *ctx, struct bus_message *m),
    void *ctx,
    struct err_note *note);

/* The rows of `m` where they are newer, and where the stream is complete now; all or nothing. */
MUST_CHECK enum err keep_write(struct keep *k, const struct bus_message *m, struct err_note *note);
/*
 * Forgets everything. What cannot be written anew, as on a full disk, is removed: then it is forgotten too, but the error
 * is returned and nothing but keep_close may follow.
 */
MUST_CHECK enum err keep_clear(struct keep *k, struct err_note *note);

#endif
