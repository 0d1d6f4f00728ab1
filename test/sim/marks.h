/*
 * Marks: states that a run reached. A generator that never gets somewhere proves nothing about that place, so a quick
 * run has to reach every one of them.
 */
#ifndef TEST_SIM_MARKS_H
#define TEST_SIM_MARKS_H

#include <stdint.h>

enum mark {
#define MARK(name, what) MARK_##name,
#include "marks.def"
#undef MARK
    MARK_COUNT
};

void mark(enum mark m);
uint64_t mark_count(enum mark m);
/* Prints each with its count; returns how many were never reached. */
unsigned marks_print(void);

#endif
