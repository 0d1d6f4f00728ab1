#include "broken.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place place;

static void report(const char *invariant, const char *what)
{
    if (place.tell != NULL) {
        place.tell();
    }
    printf(
        "FAILED seed %llu step %llu: %s: %s\nreplay: %s --seed %llu --steps %llu\n", (unsigned long long)place.seed,
        (unsigned long long)place.step, invariant, what, place.program, (unsigned long long)place.seed,
        (unsigned long long)place.steps);
    fflush(stdout);
}

/* The process is over whatever happens here, so calls that are not safe in a handler do no further harm. */
static void caught(int number)
{
    signal(SIGABRT, SIG_DFL);
    report("assertion", number == SIGABRT ? "the program found a bug in itself" : "the program broke down");
    _exit(1);
}

void broken_catch_signals(void)
{
    signal(SIGABRT, caught);
    signal(SIGSEGV, caught);
    signal(SIGBUS, caught);
    signal(SIGFPE, caught);
}

void broken(const char *invariant, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    report(invariant, what);
    exit(1);
}
