/*
 * Rebuilding the ledger, in the order that core/ledger.h asks for, from one state of the database.
 */
#include "base/mem.h"
#include "store/sqlite/row.h"
#include "store/sqlite/state.h"

struct loading {
    struct store_sqlite *store;
    struct ledger *ledger;
    const struct store_key_sink *keys;
    struct row_lines *lines;
    sqlite3_stmt *after; /* ROW_AFTER_SQL */
};

/* Reads the row that `s` stands on. */
typedef enum err (*load_fn)(struct loading *loading, sqlite3_stmt *s);

static enum err load_item(struct loading *loading, sqlite3_stmt *s)
{
    ledger_restore_item(
        loading->ledger, (uint32_t)sqlite3_column_int64(s, 0), column_str(s, 1), sqlite3_column_int64(s, 2));
    return ERR_OK;
}

static enum err load_location(struct loading *loading, sqlite3_stmt *s)
{
    struct location_row row;
    row_location(s, &row);
    ledger_restore_location(loading->ledger, row.location, row.id, row.priority);
    return ERR_OK;
}

static enum err load_level(struct loading *loading, sqlite3_stmt *s)
{
    struct level_row row;
    row_level(s, &row);
    uint64_t seq = recent_seq_of(&loading->store->recent, row.item, row.location);
    if (seq != 0) {
        TRY(row_catch_up(loading->after, seq, &row));
    }
    ledger_restore_level(loading->ledger, &row);
    return ERR_OK;
}

static enum err load_reservation(struct loading *loading, sqlite3_stmt *s)
{
    struct reservation row;
    TRY(row_reservation(s, loading->lines, &row));
    ledger_restore_reservation(loading->ledger, &row);
    return ERR_OK;
}

static enum err load_seq(struct loading *loading, sqlite3_stmt *s)
{
    ledger_restore_seq(loading->ledger, (uint64_t)sqlite3_column_int64(s, 0));
    return ERR_OK;
}

static enum err load_key(struct loading *loading, sqlite3_stmt *s)
{
    struct key_row row;
    TRY(row_key(s, false, &row));
    loading->keys->key(loading->keys->ctx, &row);
    return ERR_OK;
}

/* ?1 is the partition. */
static const struct {
    const char *sql;
    load_fn load;
} steps[] = {
    {"SELECT item, sku, defined_ms FROM item WHERE partition = ?1 ORDER BY item", load_item},
    {"SELECT " LOCATION_COLUMNS " FROM location WHERE partition = ?1 ORDER BY location", load_location},
    {"SELECT " LEVEL_COLUMNS " FROM level v CROSS JOIN item i ON i.item = v.item "
     "CROSS JOIN location l ON l.location = v.location WHERE v.partition = ?1 ORDER BY v.item, v.location",
     load_level},
    {"SELECT " RESERVATION_COLUMNS " FROM reservation r INDEXED BY reservation_open "
     "WHERE r.partition = ?1 AND r.state IN (1, 2) ORDER BY r.seq",
     load_reservation},
    {"SELECT seq FROM partition WHERE partition = ?1", load_seq},
    {"SELECT " KEY_COLUMNS " FROM idempotency WHERE partition = ?1 ORDER BY row", load_key},
};

static enum err load_rows(struct loading *loading, sqlite3_stmt *s, load_fn load, struct err_note *note)
{
    bool row = false;
    TRY(database_step(s, &row, note));
    while (row) {
        enum err e = load(loading, s);
        if (e != ERR_OK) {
            return err_note_set(note, e, "the database holds a row that was never written: run the audit");
        }
        TRY(database_step(s, &row, note));
    }
    return ERR_OK;
}

static enum err load_step(struct loading *loading, size_t i, struct err_note *note)
{
    sqlite3_stmt *s = NULL;
    TRY(database_prepare(loading->store->db, &steps[i].sql, 1, &s, note));
    bind_i64(s, 1, loading->store->partition);
    enum err e = load_rows(loading, s, steps[i].load, note);
    database_finalize(&s, 1);
    return e;
}

static enum err load_all(struct loading *loading, struct err_note *note)
{
    static const char *const sql[] = {ROW_LINES_SQL, ROW_AFTER_SQL};
    sqlite3_stmt *prepared[ARRAY_LEN(sql)];
    TRY(database_prepare(loading->store->db, sql, ARRAY_LEN(sql), prepared, note));
    loading->lines->select = prepared[0];
    loading->after = prepared[1];
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(steps) && e == ERR_OK; i++) {
        e = load_step(loading, i, note);
    }
    database_finalize(prepared, ARRAY_LEN(prepared));
    return e;
}

enum err
store_sqlite_load(struct store *base, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    struct loading loading = {.store = store_sqlite_from(base), .ledger = l, .keys = keys};
    sqlite3 *db = loading.store->db;
    TRY(database_cache(db, LOAD_CACHE_KIB, note));
    TRY(database_exec(db, "BEGIN", note));
    loading.lines = mem_new(sizeof(*loading.lines));
    enum err e = load_all(&loading, note);
    mem_free(loading.lines);
    enum err end = database_exec(db, "COMMIT", e == ERR_OK ? note : NULL);
    e = e == ERR_OK ? end : e;
    return e == ERR_OK ? database_cache(db, WRITE_CACHE_KIB, note) : e;
}
