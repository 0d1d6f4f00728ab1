/*
 * Where the connection that writes keeps its log: a thin layer over the files of SQLite's default VFS.
 *
 * SQLite writes each page of a commit to the log with two calls, one for its head and one for the page: a hundred calls
 * for a commit of forty reservations, all one behind the other. Here they are put together in memory and written at
 * once, at the latest when SQLite syncs the log, so before any part of the commit counts: a frame counts for others
 * only after the sync (the index of the log is in shared memory and is advanced behind it), and after a crash only with
 * the whole of the last frame, which is written last. Whatever else is asked of the log writes first what is held back.
 *
 * All other files are the default VFS's own.
 */
#ifndef STORE_SQLITE_LOG_FILE_H
#define STORE_SQLITE_LOG_FILE_H

#include <sqlite3.h>

/* More of one commit is written in pieces of this size. The Unix VFS of SQLite takes less than 128 KiB at a time. */
#define LOG_FILE_HELD_BYTES_MAX (64 * 1024)

/* The name of the VFS for sqlite3_open_v2, registered at the first call; over the VFS that is the default at an open. */
const char *log_file_vfs(void);

#endif
