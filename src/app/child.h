/*
 * A server for the demo and the benchmarks: this program again, as `onhand serve` in a process of its own.
 */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none, or it has ended */
    int out;   /* read end of its stdout; -1: none */
    uint16_t port;
};

/*
 * Starts it, on SQLite and with these settings alone, and waits until it is ready. What it has to say goes to stderr.
 * ERR_IO: it did not become ready.
 */
MUST_CHECK enum err
child_start(const char *host, uint16_t port, const char *data_dir, struct child *out, struct err_note *note);
/* False once it has ended. */
bool child_runs(struct child *c);
/* SIGTERM, then waits; after half a minute it is killed. True: it ran until now and ended in good order. */
bool child_stop(struct child *c);

#endif
