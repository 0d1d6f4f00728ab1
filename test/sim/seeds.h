/*
 * Runs a simulated world for one seed or many, as the command line says:
 *
 *   --seed 17 [--steps 2000]     one seed, and what it did
 *   --seeds 1-1000               many; stops at the first that breaks a promise
 *   --seeds 1- --minutes 30      as many as fit
 *
 *   --twice   each seed runs twice and has to give the same trace
 *   --marks   shows which states were reached; fails when one was not
 *
 * Exit code 0: every promise held. 1: one did not, and the last lines say which and how to see it again. 2: usage.
 */
#ifndef TEST_SIM_SEEDS_H
#define TEST_SIM_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

struct suite {
    const char *name;
    uint64_t steps; /* of a run, unless the command line says so */
    /* One run; returns its trace. Adds to `operations` and `hours`. `one`: prints what it did. */
    uint64_t (*run)(struct suite *s, uint64_t seed, bool one);
    uint64_t operations;
    double hours;
};

/* The program's exit code. */
int seeds_main(struct suite *s, int argc, char **argv);

#endif
