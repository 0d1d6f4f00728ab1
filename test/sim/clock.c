/* The product reads the machine's clock through clock_gettime, which is this one when it is linked into the world. */
#include "clock.h"

#include <stddef.h>
#include <time.h>

static const struct sim_clock *the_clock;

void clock_is(const struct sim_clock *c)
{
    the_clock = c;
}

int __wrap_clock_gettime(clockid_t which, struct timespec *out);
int __real_clock_gettime(clockid_t which, struct timespec *out);

int __wrap_clock_gettime(clockid_t which, struct timespec *out)
{
    if (the_clock == NULL) {
        return __real_clock_gettime(which, out);
    }
    int64_t ns = the_clock->mono_ns + (which == CLOCK_REALTIME ? the_clock->wall_ahead_ms * 1000000 : 0);
    *out = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}
