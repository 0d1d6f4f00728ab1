/*
 * The embedded store: one SQLite file in a data directory that one process owns.
 *
 * DIR/lock is locked (flock) while the store is open and names the process; DIR/onhand.db is the database (WAL,
 * synchronous=FULL). One connection writes and checkpoints; readers have read-only connections.
 */
#ifndef STORE_SQLITE_SQLITE_H
#define STORE_SQLITE_SQLITE_H

#include "store/store.h"

#define STORE_SQLITE_FILE "onhand.db"
#define STORE_SQLITE_LOCK_FILE "lock"

/*
 * Opens the store in `dir`, which is made (0700) when missing, and brings its schema up to date. ERR_LOCKED: another
 * process has it. ERR_SCHEMA: written by a newer program, or not a store. ERR_CONFIG: holds another partition.
 */
MUST_CHECK enum err store_sqlite_open(const char *dir, uint32_t partition, struct store **out, struct err_note *note);

#endif
