/* The clock that the product reads in a simulated world. */
#ifndef TEST_SIM_CLOCK_H
#define TEST_SIM_CLOCK_H

#include <stdint.h>

struct sim_clock {
    int64_t mono_ns;
    int64_t wall_ahead_ms; /* wall clock = mono + this */
};

/* Borrowed; NULL: the machine's. */
void clock_is(const struct sim_clock *c);

#endif
