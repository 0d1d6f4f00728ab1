/* What the checks found: violations, each with the id of the invariant that does not hold. */
#ifndef HISTORY_REPORT_H
#define HISTORY_REPORT_H

#include <stdbool.h>
#include <stddef.h>

struct violation {
    const char *id; /* "I6" */
    char *text;
};

struct report {
    struct violation *violations;
    size_t len, cap;
};

/* A report of zeroes is empty. */
void report_release(struct report *r);

/* `id` is borrowed. */
__attribute__((format(printf, 3, 4))) void report_add(struct report *r, const char *id, const char *format, ...);

bool report_has(const struct report *r, const char *id);

#endif
