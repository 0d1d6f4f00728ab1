/*
 * Where the connection that writes keeps its files: a thin layer over those of SQLite's default VFS, to make few calls
 * of the system out of many.
 *
 * Writes: SQLite writes each page of a commit to the log with two calls, one for its head and one for the page, and each
 * page of a checkpoint to the database with another. Here writes that follow on each other are put together in memory,
 * and written at the latest when SQLite syncs the file, so before any of it counts. A frame of the log counts for others
 * only after the sync (the index of the log is in shared memory and is advanced behind it), and after a crash only with
 * the whole of the last frame, which is written last. A page of the database counts only when the checkpoint is over;
 * until then the log has it. Whatever else is asked of the bytes of a file writes first what is held back.
 *
 * Reads: a checkpoint reads the log page by page, from all over it. From file_layer_read_ahead() to file_layer_forget()
 * its first read takes the log in one piece, and the others are answered from there. By then SQLite has the locks that
 * keep everybody from writing over what it copies.
 *
 * All other files are the default VFS's own.
 */
#ifndef STORE_SQLITE_FILE_LAYER_H
#define STORE_SQLITE_FILE_LAYER_H

#include <sqlite3.h>

/* More is written and read in pieces of this size. The Unix VFS of SQLite takes less than 128 KiB at a time. */
#define FILE_LAYER_PIECE_BYTES_MAX (64 * 1024)

/* What lies behind is read as it is asked for: a log is that long only while a reader stands in the way. */
#define FILE_LAYER_AHEAD_BYTES_MAX (32 * 1024 * 1024)

/* The name of the VFS for sqlite3_open_v2, registered at the first call; over the VFS that is the default at an open. */
const char *file_layer_vfs(void);

/* A checkpoint comes that needs the log up to `len`. Nothing is written to the log until it is over. */
void file_layer_read_ahead(sqlite3_file *log, sqlite3_int64 len);

/* The checkpoint is over. */
void file_layer_forget(sqlite3_file *log);

#endif
