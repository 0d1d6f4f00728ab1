#include "marks.h"

#include <stdio.h>

static uint64_t counts[MARK_COUNT];

static const struct {
    const char *name;
    const char *what;
} rows[MARK_COUNT] = {
#define MARK(name, what) {#name, what},
#include MARKS_DEF
#undef MARK
};

void mark(enum mark m)
{
    counts[m]++;
}

uint64_t mark_count(enum mark m)
{
    return counts[m];
}

unsigned marks_print(void)
{
    unsigned missed = 0;
    for (int m = 0; m < MARK_COUNT; m++) {
        printf("%10llu  %-24s %s\n", (unsigned long long)counts[m], rows[m].name, rows[m].what);
        missed += counts[m] == 0;
    }
    printf("%u of %u marks reached\n", MARK_COUNT - missed, MARK_COUNT);
    return missed;
}
