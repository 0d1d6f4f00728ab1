/*
 * The audit: `onhand audit`. Proves from the stored movements alone that levels, reservations and
 * idempotency records say what they must. Nothing here uses the ledger's or the store's arithmetic.
 */
#ifndef APP_AUDIT_H
#define APP_AUDIT_H

#include <stdio.h>

/*
 * Reads one state of the store in `data_dir`, whether or not a server runs on it, and writes the counts, every
 * difference (the first hundred of each kind) and a last line "audit: clean" or "audit: N differences" to `out`.
 * Returns the exit status: 0 clean, 1 differences, 2 the audit could not run.
 */
int audit_run(const char *data_dir, FILE *out);
/* The same of a PostgreSQL, by way of a copy in a temporary directory. */
int audit_run_postgres(const char *url, FILE *out);

#endif
