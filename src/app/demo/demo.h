/*
 * `onhand demo`: a server on an empty store, a year of real trade through its public API, and the proof that nothing
 * was oversold.
 */
#ifndef APP_DEMO_DEMO_H
#define APP_DEMO_DEMO_H

#include "app/options.h"

const struct option_row *demo_options(size_t *out_len);

/* Gets the arguments after the subcommand's name; returns the exit code. */
int demo_run(int argc, char **argv);

#endif
