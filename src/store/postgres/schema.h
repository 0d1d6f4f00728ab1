/*
 * The schema `onhand` of a database: numbered migrations from sql/postgres/, each applied once. Who brings it up to date
 * holds an advisory lock, so that several processes may start at a time.
 */
#ifndef STORE_POSTGRES_SCHEMA_H
#define STORE_POSTGRES_SCHEMA_H

#include "store/postgres/link.h"

struct postgres_migration {
    int number; /* 1.., without gaps */
    const char *name;
    const char *sql;
};

/* Generated from the files; `postgres_migrations_len` is the newest version that this program knows. */
extern const struct postgres_migration postgres_migrations[];
extern const int postgres_migrations_len;

/* ERR_SCHEMA: of a newer program, or not ours. */
MUST_CHECK enum err postgres_migrate(struct link *l, struct err_note *note);

#endif
