/*
 * A promise that did not hold: says which, where, and how to see it again, and ends the program with exit code 1.
 */
#ifndef TEST_SIM_BROKEN_H
#define TEST_SIM_BROKEN_H

#include "base/check.h"

#include <stdint.h>

/* Where the run stands; named when something breaks, also by an assertion of the product. */
struct place {
    const char *program; /* as it was called */
    uint64_t seed;
    uint64_t step;
    uint64_t steps;
    void (*tell)(void); /* prints what happened last; NULL: nothing is told */
};
extern struct place place;

/* Assertions of the product (SIGABRT) and bad accesses end like a broken promise. */
void broken_catch_signals(void);

/* `invariant`: "I1".. as in docs/internals/proof.md. */
_Noreturn void broken(const char *invariant, const char *format, ...) PRINTF_LIKE(2, 3);

/* A promise. */
#define promise(holds, invariant, ...) ((holds) ? (void)0 : broken(invariant, __VA_ARGS__))

#endif
