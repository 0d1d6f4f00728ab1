/*
 * Marks: states that a run reached. A generator that never gets somewhere proves nothing about that place, so a quick
 * run has to reach every one of them.
 */
#ifndef TEST_SIM_MARKS_H
#define TEST_SIM_MARKS_H

#include <stdint.h>

/* Each world has its own. */
#ifndef MARKS_DEF
#define MARKS_DEF "marks.def"
#endif

enum mark {
#define MARK(name, what) MARK_##name,
#include MARKS_DEF
#undef MARK
    MARK_COUNT
};

void mark(enum mark m);
uint64_t mark_count(enum mark m);
/* Prints each with its count; returns how many were never reached. */
unsigned marks_print(void);

#endif
