/*
 * Sends requests over many connections for a time and measures the answers.
 *
 * Closed loop: each connection sends its next request when it has its answer; that finds the peak. Open loop: requests
 * are due at fixed times, whether or not earlier ones are answered, and their latency counts from when they were due;
 * so a server that stalls is charged with all who would have waited (no coordinated omission).
 */
#ifndef APP_BENCH_DRIVE_H
#define APP_BENCH_DRIVE_H

#include "load/client.h"
#include "load/histogram.h"

/* What is sent. All calls come from drive_run. */
struct drive_work {
    void *ctx;
    /* Before the first request: which part of the time is measured. NULL: of no interest. */
    void (*begin)(void *ctx, int64_t from_us, int64_t to_us);
    /*
     * The next request on `connection`, which was due at `due_us` of the monotonic clock. What it borrows stays until
     * its answer. False: there is nothing left to send, the run ends when all answers are there.
     */
    bool (*next)(void *ctx, unsigned connection, int64_t due_us, struct load_request *out);
    /* Operations that the answer stands for; 0: it is not the one wanted, an error. */
    uint64_t (*done)(void *ctx, unsigned connection, const struct load_answer *answer);
    /* Something else to read beside the answers, when `fd` is readable; -1: nothing. */
    int fd;
    void (*turn)(void *ctx);
};

struct drive_options {
    const char *host;
    uint16_t port;
    unsigned connections;
    int64_t warmup_us;
    int64_t measure_us; /* INT64_MAX: until there is nothing left to send */
    uint64_t rate;      /* 0: closed loop */
    bool spin;          /* never sleeps, while it is measured */
    const struct drive_work *work;
    bool (*go_on)(void); /* false: end early */
};

struct drive_result {
    /* Of the time measured: what began (or was due) in it. */
    uint64_t requests;
    uint64_t operations;
    uint64_t errors;
    int64_t elapsed_us;
    struct histogram latency;
    /* Open loop: due, but never sent, because no connection was free. The latencies are those of the others. */
    uint64_t unsent;
    char first_error[256]; /* of the whole run; "": none */
};

MUST_CHECK enum err drive_run(const struct drive_options *options, struct drive_result *out, struct err_note *note);

#endif
