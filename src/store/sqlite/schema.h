/*
 * The schema of a store: numbered migrations from sql/sqlite/, each applied once, in its own transaction.
 */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include "store/sqlite/database.h"

/* "OnHd": says in the file's header whose database it is. */
#define SCHEMA_APPLICATION_ID 0x4f6e4864

struct schema_migration {
    int number; /* 1.., without gaps */
    const char *name;
    const char *sql;
};

/* Generated from the files; `schema_migrations_len` is the newest version that this program knows. */
extern const struct schema_migration schema_migrations[];
extern const int schema_migrations_len;

/* ERR_SCHEMA: a database of something else, or of a newer program (or, when only looking, not yet up to date). */
MUST_CHECK enum err schema_migrate(sqlite3 *db, struct err_note *note);
MUST_CHECK enum err schema_check(sqlite3 *db, struct err_note *note);

#endif
