/*
 * What the benchmarks sell: items bench-0000000 and on, each with a thousand million units at bench-0, bench-1, ...
 */
#ifndef APP_BENCH_CATALOGUE_H
#define APP_BENCH_CATALOGUE_H

#include "app/bench/settings.h"

#include <stdint.h>

/*
 * Defines them over the API of the server, and sets the levels that are not there yet; a work that reads the view begins
 * when it has them. ERR_IO: an answer was not as it should be, or `go_on` said false.
 */
MUST_CHECK enum err
catalogue_make(const struct bench_settings *s, uint16_t port, bool (*go_on)(void), struct err_note *note);

#endif
