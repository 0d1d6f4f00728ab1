/*
 * Where the connection that writes keeps its log: a thin layer over the files of SQLite's default VFS, to make few calls
 * of the system out of many.
 *
 * Writes: SQLite writes each page of a commit to the log with two calls, one for its head and one for the page: a hundred
 * calls for a commit of forty reservations, all one behind the other. Here they are put together in memory and written at
 * once, at the latest when SQLite syncs the log, so before any part of the commit counts: a frame counts for others
 * only after the sync (the index of the log is in shared memory and is advanced behind it), and after a crash only with
 * the whole of the last frame, which is written last. Whatever else is asked of the log writes first what is held back.
 *
 * Reads: a checkpoint reads the log page by page, from all over it. From log_file_read_ahead() to log_file_forget() its
 * first read takes the log in one piece, and the others are answered from there. By then SQLite has the locks that keep
 * everybody from writing over what it copies.
 *
 * All other files are the default VFS's own. The database in particular: a checkpoint that a reader stops half way
 * counts as far as it came without a sync, so the writes of its pages must not be held back.
 */
#ifndef STORE_SQLITE_LOG_FILE_H
#define STORE_SQLITE_LOG_FILE_H

#include <sqlite3.h>

/* More is written and read in pieces of this size. The Unix VFS of SQLite takes less than 128 KiB at a time. */
#define LOG_FILE_PIECE_BYTES_MAX (64 * 1024)

/* What lies behind is read as it is asked for: a log is that long only while a reader stands in the way. */
#define LOG_FILE_AHEAD_BYTES_MAX (32 * 1024 * 1024)

/* The name of the VFS for sqlite3_open_v2, registered at the first call; over the VFS that is the default at an open. */
const char *log_file_vfs(void);

/* A checkpoint comes that needs the log up to `len`. Nothing is written to the log until it is over. */
void log_file_read_ahead(sqlite3_file *log, sqlite3_int64 len);

/* The checkpoint is over. */
void log_file_forget(sqlite3_file *log);

#endif
