/*
 * What the demo shows while it runs and at the end.
 */
#ifndef APP_DEMO_PROGRESS_H
#define APP_DEMO_PROGRESS_H

#include "app/demo/replay.h"

#include <stdio.h>

/* A progress bar on one line of a terminal, or a plain line every two seconds elsewhere. */
struct progress {
    FILE *out;
    bool is_terminal;
    uint64_t lines_total;
    int64_t window_us; /* when the present window of rates began */
    uint64_t window_orders;
    uint64_t window_lines;
    double orders_per_s;
    double lines_per_s;
    int64_t p50_us;
    int64_t p99_us;
    bool has_rates;
};

void progress_init(struct progress *p, FILE *out, const struct trade_log *log);
/* Clears `stats->recent` at the end of each window of a second (terminal) or two. */
void progress_show(struct progress *p, struct replay_stats *stats, const struct trade_event *now, int64_t elapsed_us);
/* Ends the line of the bar. */
void progress_end(struct progress *p);

/* `elapsed_us`: how long orders were placed. */
void summary_print(
    FILE *out,
    const struct trade_log *log,
    const struct book *book,
    const struct replay_stats *stats,
    struct load_counts requests,
    int64_t elapsed_us);

/* 527791 -> "527,791". `out` has room for COUNT_TEXT_MAX bytes; returns it. */
#define COUNT_TEXT_MAX 32
char *count_text(uint64_t count, char *out);

#endif
