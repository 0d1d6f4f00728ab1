/*
 * A connection of SQLite with this store's settings, and the few ways in which its statements are used. Codes of the
 * library become `enum err` here and nowhere else.
 */
#ifndef STORE_SQLITE_DATABASE_H
#define STORE_SQLITE_DATABASE_H

#include "base/err.h"
#include "base/str.h"

#include <sqlite3.h>

enum database_mode { DATABASE_WRITE, DATABASE_READ };

/*
 * ERR_SCHEMA when the file is no database. The write mode refuses a disk that cannot give WAL with full syncs. Closing
 * the connection leaves the log where it is: who moves it into the database has to know that the disk has all of it.
 */
MUST_CHECK enum err database_open(const char *path, enum database_mode mode, sqlite3 **out, struct err_note *note);

/*
 * Makes what an earlier process left durable, before anything stands on it. When a sync fails, the kernel may take the
 * unwritten pages for clean: the next process reads them from its cache, syncs without a complaint, and a power cut
 * takes them all the same, with everything that was written behind them ("Can Applications Recover from fsync
 * Failures?", USENIX ATC 2020). So the log is written again and synced; the database itself is written from it anyway.
 * Nobody else has the database open.
 */
MUST_CHECK enum err database_make_durable(sqlite3 *db, struct err_note *note);

/* The log of a connection that has it open. */
sqlite3_file *database_log(sqlite3 *db);

/*
 * The error of the last call on `db`, with what was being done. ERR_STORE_FULL: the disk is full. A constraint that
 * failed is a broken invariant and stops the process.
 */
enum err database_error(sqlite3 *db, const char *doing, struct err_note *note);

MUST_CHECK enum err database_exec(sqlite3 *db, const char *sql, struct err_note *note);
/*
 * How much of the database the connection keeps in memory. A load reads everything once and would only fill it; the
 * writer keeps what it changes, so that it need not be read back from the kernel.
 */
#define LOAD_CACHE_KIB 1024
#define WRITE_CACHE_KIB 16384
MUST_CHECK enum err database_cache(sqlite3 *db, int kib, struct err_note *note);

/* First column of the first row of `sql`. */
MUST_CHECK enum err database_read_i64(sqlite3 *db, const char *sql, int64_t *out, struct err_note *note);

/* Prepares `count` statements, kept for long. On failure nothing is left behind. */
MUST_CHECK enum err
database_prepare(sqlite3 *db, const char *const *texts, size_t count, sqlite3_stmt **out, struct err_note *note);
void database_finalize(sqlite3_stmt **statements, size_t count);

/* Runs a bound statement that gives no rows, and resets it. */
MUST_CHECK enum err database_run(sqlite3_stmt *s, struct err_note *note);
/* One row of a bound statement: *out_row says whether there is one. The caller resets. */
MUST_CHECK enum err database_step(sqlite3_stmt *s, bool *out_row, struct err_note *note);

/* Parameters count from 1. Strings are borrowed until the statement is reset; an absent one is NULL. */
void bind_i64(sqlite3_stmt *s, int at, int64_t v);
void bind_str(sqlite3_stmt *s, int at, struct str v);
void bind_blob(sqlite3_stmt *s, int at, const void *bytes, size_t len);

/* Columns count from 0. Borrowed until the next step. */
struct str column_str(sqlite3_stmt *s, int at);
/* Exactly `len` bytes into `out`; anything else is a damaged row: false. */
bool column_blob(sqlite3_stmt *s, int at, void *out, size_t len);

#endif
