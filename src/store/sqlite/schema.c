#include "store/sqlite/schema.h"

#include <stdio.h>

static enum err read_version(sqlite3 *db, int64_t *out, struct err_note *note);
static enum err refuse_newer(int64_t version, struct err_note *note);
static enum err apply(sqlite3 *db, const struct schema_migration *m, struct err_note *note);

enum err schema_migrate(sqlite3 *db, struct err_note *note)
{
    int64_t version = 0;
    TRY(read_version(db, &version, note));
    TRY(refuse_newer(version, note));
    for (int i = (int)version; i < schema_migrations_len; i++) {
        check(schema_migrations[i].number == i + 1);
        TRY(apply(db, &schema_migrations[i], note));
    }
    return ERR_OK;
}

enum err schema_check(sqlite3 *db, struct err_note *note)
{
    int64_t version = 0;
    TRY(read_version(db, &version, note));
    TRY(refuse_newer(version, note));
    if (version < schema_migrations_len) {
        return err_note_set(
            note, ERR_SCHEMA, "the store has schema %lld, this program needs %d: start the server once",
            (long long)version, schema_migrations_len);
    }
    return ERR_OK;
}

/* 0: an empty file, new. */
static enum err read_version(sqlite3 *db, int64_t *out, struct err_note *note)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t objects = 0;
    TRY(database_read_i64(db, "PRAGMA application_id", &application, note));
    TRY(database_read_i64(db, "PRAGMA user_version", &version, note));
    TRY(database_read_i64(db, "SELECT count(*) FROM sqlite_schema", &objects, note));
    bool is_new = application == 0 && version == 0 && objects == 0;
    bool is_ours = application == SCHEMA_APPLICATION_ID && version >= 1;
    if (!is_new && !is_ours) {
        return err_note_set(note, ERR_SCHEMA, "the database was not made by onhand");
    }
    *out = version;
    return ERR_OK;
}

static enum err refuse_newer(int64_t version, struct err_note *note)
{
    if (version <= schema_migrations_len) {
        return ERR_OK;
    }
    return err_note_set(
        note, ERR_SCHEMA, "the store was written by a newer version of onhand (schema %lld; this one knows up to %d)",
        (long long)version, schema_migrations_len);
}

static enum err apply(sqlite3 *db, const struct schema_migration *m, struct err_note *note)
{
    char mark[128];
    snprintf(
        mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d;", SCHEMA_APPLICATION_ID, m->number);
    TRY(database_exec(db, "BEGIN IMMEDIATE", note));
    enum err e = database_exec(db, m->sql, note);
    if (e == ERR_OK) {
        e = database_exec(db, mark, note);
    }
    if (e == ERR_OK) {
        e = database_exec(db, "COMMIT", note);
    }
    if (e != ERR_OK && !sqlite3_get_autocommit(db)) {
        struct err_note ignored; /* the first error says why */
        e = database_exec(db, "ROLLBACK", &ignored) == ERR_OK ? e : ERR_IO;
    }
    return e;
}
