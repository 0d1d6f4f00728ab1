#include "store/postgres/schema.h"

#include <stdio.h>
#include <stdlib.h>

/* "OnHd" */
#define LOCK "SELECT pg_advisory_xact_lock(1332627556)"

static enum err read_version(struct link *l, long *out, struct err_note *note)
{
    char text[32];
    TRY(link_read_text(l, "SELECT max(number) FROM onhand.migration", text, sizeof(text), note));
    *out = strtol(text, NULL, 10);
    return ERR_OK;
}

/* Who may not make schemas can be given one that is there already. */
static enum err make_schema(struct link *l, struct err_note *note)
{
    char found[8];
    TRY(link_read_text(l, "SELECT 1 FROM pg_namespace WHERE nspname = 'onhand'", found, sizeof(found), note));
    if (found[0] == '\0') {
        TRY(link_exec(l, "CREATE SCHEMA onhand", note));
    }
    TRY(link_read_text(l, "SELECT to_regclass('onhand.migration')", found, sizeof(found), note));
    if (found[0] != '\0') {
        return ERR_OK;
    }
    return link_exec(
        l,
        "CREATE TABLE onhand.migration (number integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL "
        "DEFAULT now())",
        note);
}

static enum err apply(struct link *l, const struct postgres_migration *m, struct err_note *note)
{
    char mark[200];
    TRY(link_exec(l, m->sql, note));
    snprintf(mark, sizeof(mark), "INSERT INTO onhand.migration (number, name) VALUES (%d, '%s')", m->number, m->name);
    return link_exec(l, mark, note);
}

static enum err apply_missing(struct link *l, struct err_note *note)
{
    long version = 0;
    TRY(link_exec(l, LOCK, note));
    TRY(make_schema(l, note));
    TRY(read_version(l, &version, note));
    if (version > postgres_migrations_len) {
        return err_note_set(
            note, ERR_SCHEMA,
            "the store was written by a newer version of onhand (schema %ld; this one knows up to %d)", version,
            postgres_migrations_len);
    }
    for (int i = (int)version; i < postgres_migrations_len; i++) {
        check(postgres_migrations[i].number == i + 1);
        TRY(apply(l, &postgres_migrations[i], note));
    }
    return ERR_OK;
}

enum err postgres_migrate(struct link *l, struct err_note *note)
{
    TRY(link_exec(l, "BEGIN", note));
    enum err e = apply_missing(l, note);
    if (e == ERR_OK) {
        return link_exec(l, "COMMIT", note);
    }
    struct err_note ignored; /* the first error says why */
    (void)!link_exec(l, "ROLLBACK", &ignored);
    return e;
}
