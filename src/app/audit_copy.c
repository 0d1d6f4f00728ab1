/*
 * The books of a PostgreSQL, copied into a database like that of the embedded store, so that they are audited by the same
 * code. One state, read only. What the copy refuses is damage that the database itself should have refused: a difference.
 */
#include "app/audit_state.h"
#include "store/postgres/link.h"
#include "store/postgres/schema.h"
#include "store/sqlite/schema.h"

#include <stdlib.h>

#define PIECE "5000"
#define COLUMNS_MAX 32
/* The longest value with a type of bytes: a fingerprint. */
#define BYTES_MAX 64

/* The server's OIDs of the types that are not text. */
enum { TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_UUID = 2950 };

static const struct link_kind kind = {.setup = LINK_SETUP, .silence_ms = 60000};

#define QUANTITIES "on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming"
#define DELTAS                                                                                                   \
    "on_hand_delta, reserved_delta, committed_delta, damaged_delta, quality_control_delta, safety_stock_delta, " \
    "incoming_delta"

/* Rows of levels are never behind there. */
static const struct {
    const char *table;
    const char *to;
    const char *from; /* NULL: the same columns */
} copies[] = {
    {"partition", "partition, epoch, seq, time_ms, levels_seq", "partition, epoch, seq, time_ms, seq"},
    {"item", "item, partition, sku, name, attributes, defined_ms", NULL},
    {"location", "location, partition, id, name, priority", NULL},
    {"level", "item, location, partition, " QUANTITIES ", version, seq, time_ms", NULL},
    {"movement",
     "seq, partition, time_ms, kind, item, location, " DELTAS ", " QUANTITIES
     ", version, reservation, reason, reference, actor",
     NULL},
    {"reservation", "seq, partition, id, state, created_ms, expires_ms, updated_ms, reference, lines", NULL},
    {"reservation_line", "seq, partition, item, location, quantity, fulfilled, returned", NULL},
    {"idempotency", "\"row\", partition, time_ms, operation, key, fingerprint, status, location, answer", NULL},
    {"movement_run", "run, item, location, seq", NULL},
    {"reference_run", "run, reference, seq", NULL},
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of "\x0102" or of a UUID. Longer values are cut: no row with one is sound. */
static size_t bytes_of(const char *text, uint8_t out[BYTES_MAX])
{
    size_t len = 0;
    int high = -1;
    for (const char *c = text[0] == '\\' ? text + 2 : text; *c != '\0' && len < BYTES_MAX; c++) {
        int digit = hex_digit(*c);
        if (digit >= 0 && high >= 0) {
            out[len++] = (uint8_t)(high << 4 | digit);
            high = -1;
        } else if (digit >= 0) {
            high = digit;
        }
    }
    return len;
}

static void bind_value(sqlite3_stmt *s, const PGresult *r, int row, int column)
{
    const char *text = PQgetvalue(r, row, column);
    uint8_t bytes[BYTES_MAX];
    int rc;
    if (PQgetisnull(r, row, column)) {
        rc = sqlite3_bind_null(s, column + 1);
    } else {
        switch (PQftype(r, column)) {
        case TYPE_INT8:
        case TYPE_INT4:
        case TYPE_INT2:
            rc = sqlite3_bind_int64(s, column + 1, strtoll(text, NULL, 10));
            break;
        case TYPE_BYTEA:
        case TYPE_UUID:
            rc = sqlite3_bind_blob(s, column + 1, bytes, (int)bytes_of(text, bytes), SQLITE_TRANSIENT);
            break;
        default:
            rc = sqlite3_bind_text(s, column + 1, text, PQgetlength(r, row, column), SQLITE_STATIC);
        }
    }
    check(rc == SQLITE_OK);
}

static enum err copy_row(struct audit *a, sqlite3_stmt *s, const char *table, const PGresult *r, int row)
{
    for (int column = 0; column < PQnfields(r); column++) {
        bind_value(s, r, row, column);
    }
    int rc = sqlite3_step(s);
    enum err e = ERR_OK;
    if (rc != SQLITE_DONE && (sqlite3_errcode(a->db) & 0xff) == SQLITE_CONSTRAINT) {
        audit_differs(
            a, D_STORE, "table %s, the row that begins with %s: %s", table, PQgetvalue(r, row, 0),
            sqlite3_errmsg(a->db));
    } else if (rc != SQLITE_DONE) {
        e = err_note_set(&a->note, ERR_IO, "cannot write a copy: %s", sqlite3_errmsg(a->db));
    }
    sqlite3_reset(s);
    return e;
}

static enum err copy_pieces(struct audit *a, struct link *l, sqlite3_stmt *s, const char *table)
{
    int rows = 1;
    enum err e = ERR_OK;
    while (rows > 0 && e == ERR_OK) {
        PGresult *r = NULL;
        TRY(link_query(l, "FETCH " PIECE " FROM rows", &r, &a->note));
        rows = PQntuples(r);
        for (int row = 0; row < rows && e == ERR_OK; row++) {
            e = copy_row(a, s, table, r, row);
        }
        PQclear(r);
    }
    return e;
}

static enum err copy_table(struct audit *a, struct link *l, size_t i)
{
    char sql[600];
    char places[3 * COLUMNS_MAX] = "?";
    size_t len = 1;
    for (const char *c = copies[i].to; *c != '\0'; c++) {
        if (*c == ',') {
            check(len + 3 < sizeof(places));
            memcpy(places + len, ", ?", 4);
            len += 3;
        }
    }
    snprintf(
        sql, sizeof(sql), "DECLARE rows NO SCROLL CURSOR FOR SELECT %s FROM %s",
        copies[i].from == NULL ? copies[i].to : copies[i].from, copies[i].table);
    TRY(link_exec(l, sql, &a->note));
    sqlite3_stmt *s = NULL;
    snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (%s)", copies[i].table, copies[i].to, places);
    const char *text = sql;
    TRY(database_prepare(a->db, &text, 1, &s, &a->note));
    enum err e = copy_pieces(a, l, s, copies[i].table);
    database_finalize(&s, 1);
    TRY(e);
    return link_exec(l, "CLOSE rows", &a->note);
}

static enum err check_version(struct audit *a, struct link *l)
{
    char version[32];
    TRY(link_read_text(l, "SELECT max(number) FROM migration", version, sizeof(version), &a->note));
    return strtol(version, NULL, 10) <= postgres_migrations_len
        ? ERR_OK
        : err_note_set(&a->note, ERR_SCHEMA, "the store was written by a newer version of onhand");
}

static enum err copy_all(struct audit *a, struct link *l)
{
    TRY(link_connect(l, &a->note));
    TRY(link_exec(l, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &a->note));
    TRY(check_version(a, l));
    TRY(database_exec(a->db, "BEGIN", &a->note));
    for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
        TRY(copy_table(a, l, i));
    }
    TRY(database_exec(a->db, "COMMIT", &a->note));
    return link_exec(l, "COMMIT", &a->note);
}

bool audit_copy(struct audit *a, const char *url, const char *path)
{
    struct link l;
    if (sqlite3_open(path, &a->db) != SQLITE_OK) {
        (void)err_note_set(&a->note, ERR_IO, "cannot make a copy: %s", sqlite3_errmsg(a->db));
        return false;
    }
    /* Nobody needs it after a crash. */
    if (database_exec(a->db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", &a->note) != ERR_OK ||
        schema_migrate(a->db, &a->note) != ERR_OK) {
        return false;
    }
    link_init(&l, url, &kind);
    enum err e = copy_all(a, &l);
    link_release(&l);
    return e == ERR_OK;
}
