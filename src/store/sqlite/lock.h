/*
 * The lock of a data directory: one process at a time, also across hosts that crashed (the kernel lets go).
 */
#ifndef STORE_SQLITE_LOCK_H
#define STORE_SQLITE_LOCK_H

#include "base/err.h"

/* Makes `dir` (0700) when missing, takes its lock and writes the pid into it. ERR_LOCKED names the holder. */
MUST_CHECK enum err lock_take(const char *dir, int *out_fd, struct err_note *note);
void lock_give(int fd);

#endif
