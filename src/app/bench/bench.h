/*
 * `onhand bench`: load on a server, and what it did under it. The load client shares no code with the server but
 * base/, runs on one thread, and says what came over the wire.
 */
#ifndef APP_BENCH_BENCH_H
#define APP_BENCH_BENCH_H

#include "app/options.h"

const struct option_row *bench_options(size_t *out_len);

/* Gets the arguments after "bench"; returns the exit code. */
int bench_run(int argc, char **argv);

#endif
