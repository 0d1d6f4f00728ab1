/* Directories of tests, and running a piece of a test in a process of its own. */
#ifndef TEST_STORE_PLACE_H
#define TEST_STORE_PLACE_H

#include <limits.h>

struct place {
    char root[PATH_MAX / 4]; /* made for the test */
    char dir[PATH_MAX / 2];  /* the data directory in it, not made */
    char file[PATH_MAX];     /* its database */
};

void place_make(struct place *p);
/* With everything in it. */
void place_remove(struct place *p);
/* Runs SQL on the database, CHECK constraints off; returns the code of SQLite. */
int place_sql(const struct place *p, const char *sql);

#endif
