/*
 * What a benchmark measured, as a table for people and as JSON.
 */
#ifndef APP_BENCH_REPORT_H
#define APP_BENCH_REPORT_H

#include "app/bench/watchers.h"
#include "base/buf.h"

#include <stdio.h>

struct bench_result {
    uint16_t port;
    struct drive_result drive;
    struct watchers_result streams; /* all zero without streams */
    struct {
        uint64_t levels; /* 0: nothing was recovered */
        int64_t ready_ms;
        uint64_t resident_bytes;
    } recover;
};

void report_print(const struct bench_settings *s, const struct bench_result *r, FILE *out);
void report_json(const struct bench_settings *s, const struct bench_result *r, struct buf *out);

#endif
