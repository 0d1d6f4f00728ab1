/*
 * The witness check: the server's own order, its `seq`, is the witness, and everything that clients saw has to fit it.
 * O(n log n), complete for what was acknowledged.
 *
 *   effects   each acknowledged write is in the log as it was answered, each movement was asked for by one operation or
 *             is an expiry that was due, a refusal left nothing behind (I2 to I7)
 *   order     what returned before another began has the lower seq; refusals and reads were true at a moment between
 *             their beginning and their end (I5, I8, I9)
 *
 * Operations that never got an answer are resolved from the log: all of their effect is there, or nothing.
 */
#ifndef HISTORY_WITNESS_H
#define HISTORY_WITNESS_H

#include "ledger.h"

/* Both parts. Writes to the operations what their effect was. */
void witness_check(struct ledger *l, struct report *report);

/* The holds as clients knew them, by number of the id: what the operation that made it has in the log. */
struct hold **effects_check(struct ledger *l, struct report *report); /* free() gives the array back */
void order_check(struct ledger *l, struct hold *const *holds, struct report *report);

#endif
