#include "store/sqlite/database.h"

#include "store/sqlite/log_file.h"

#include <stdio.h>
#include <string.h>

#define BUSY_MS 10000

/*
 * Pages of 4 KiB: a commit writes whole pages to the WAL, and the levels that it changes lie scattered. When a batch
 * changes more than the cache holds, it grows until the commit, which then writes all pages in order.
 */
static const char write_settings[] = "PRAGMA page_size = 4096;"
                                     "PRAGMA journal_mode = WAL;"
                                     "PRAGMA synchronous = FULL;"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA journal_size_limit = 268435456;"
                                     "PRAGMA cache_spill = OFF;"
                                     "PRAGMA temp_store = MEMORY;"
                                     "PRAGMA cell_size_check = ON;"
                                     "PRAGMA trusted_schema = OFF;";

static const char read_settings[] = "PRAGMA query_only = ON;"
                                    "PRAGMA wal_autocheckpoint = 0;"
                                    "PRAGMA cache_size = -16384;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA cell_size_check = ON;"
                                    "PRAGMA trusted_schema = OFF;";

static enum err make_ready_to_write(sqlite3 *db, struct err_note *note);
static enum err read_is_wal(sqlite3 *db, bool *out, struct err_note *note);

enum err database_open(const char *path, enum database_mode mode, sqlite3 **out, struct err_note *note)
{
    int flags = SQLITE_OPEN_NOMUTEX |
        (mode == DATABASE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    sqlite3 *db = NULL;
    enum err e = ERR_OK;
    int rc = sqlite3_open_v2(path, &db, flags, mode == DATABASE_WRITE ? log_file_vfs() : NULL);
    check(db != NULL); /* out of memory otherwise */
    if (rc != SQLITE_OK) {
        e = database_error(db, "open the database", note);
    } else {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, BUSY_MS);
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        e = database_exec(db, mode == DATABASE_WRITE ? write_settings : read_settings, note);
    }
    if (e == ERR_OK && mode == DATABASE_WRITE) {
        e = make_ready_to_write(db, note);
    }
    if (e != ERR_OK) {
        sqlite3_close(db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

/* A setting that the file system or the build of the library did not take would lose acknowledged sales. */
static enum err check_durable(sqlite3 *db, struct err_note *note)
{
    int64_t synchronous = 0;
    bool is_wal = false;
    TRY(database_read_i64(db, "PRAGMA synchronous", &synchronous, note));
    TRY(read_is_wal(db, &is_wal, note));
    if (synchronous != 2 || !is_wal) {
        return err_note_set(
            note, ERR_IO, "the database cannot be made durable here (it needs WAL and synchronous=FULL)");
    }
    return ERR_OK;
}

static enum err make_ready_to_write(sqlite3 *db, struct err_note *note)
{
    TRY(database_cache(db, WRITE_CACHE_KIB, note));
    return check_durable(db, note);
}

static enum err read_is_wal(sqlite3 *db, bool *out, struct err_note *note)
{
    const char *sql = "PRAGMA journal_mode";
    sqlite3_stmt *s = NULL;
    bool row = false;
    TRY(database_prepare(db, &sql, 1, &s, note));
    enum err e = database_step(s, &row, note);
    *out = e == ERR_OK && row && str_equal(column_str(s, 0), STR("wal"));
    database_finalize(&s, 1);
    return e;
}

/* In blocks, so that a large log needs no memory of its size. */
#define REWRITE_BYTES 65536

static int rewrite(sqlite3_file *file)
{
    sqlite3_int64 size = 0;
    char *block = sqlite3_malloc(REWRITE_BYTES);
    check(block != NULL);
    int rc = file->pMethods->xFileSize(file, &size);
    for (sqlite3_int64 at = 0; rc == SQLITE_OK && at < size; at += REWRITE_BYTES) {
        int len = size - at < REWRITE_BYTES ? (int)(size - at) : REWRITE_BYTES;
        rc = file->pMethods->xRead(file, block, len, at);
        if (rc == SQLITE_OK) {
            rc = file->pMethods->xWrite(file, block, len, at);
        }
    }
    sqlite3_free(block);
    return rc == SQLITE_OK && size > 0 ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

sqlite3_file *database_log(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    check(log != NULL);
    return log;
}

enum err database_make_durable(sqlite3 *db, struct err_note *note)
{
    int64_t pages = 0;
    TRY(database_read_i64(db, "PRAGMA page_count", &pages, note)); /* opens the log */
    sqlite3_file *log = database_log(db);
    int rc = log->pMethods == NULL ? SQLITE_OK : rewrite(log);
    if (rc == SQLITE_FULL) {
        return err_note_set(note, ERR_STORE_FULL, "cannot write the log again: the disk is full");
    }
    return rc == SQLITE_OK ? ERR_OK : err_note_set(note, ERR_IO, "cannot write the log again (SQLite %d)", rc);
}

enum err database_error(sqlite3 *db, const char *doing, struct err_note *note)
{
    int code = sqlite3_extended_errcode(db);
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        check_failed(sqlite3_errmsg(db), __FILE__, __LINE__);
    case SQLITE_NOMEM:
        check_failed("out of memory in SQLite", __FILE__, __LINE__);
    case SQLITE_FULL:
        return err_note_set(note, ERR_STORE_FULL, "cannot %s: the disk is full", doing);
    case SQLITE_NOTADB:
        return err_note_set(note, ERR_SCHEMA, "cannot %s: the file is not a database", doing);
    default:
        return err_note_set(
            note, ERR_IO, "cannot %s: %s (SQLite %d, errno %d)", doing, sqlite3_errmsg(db), code,
            sqlite3_system_errno(db));
    }
}

enum err database_exec(sqlite3 *db, const char *sql, struct err_note *note)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : database_error(db, "run a statement", note);
}

enum err database_cache(sqlite3 *db, int kib, struct err_note *note)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%d", kib);
    return database_exec(db, sql, note);
}

enum err database_read_i64(sqlite3 *db, const char *sql, int64_t *out, struct err_note *note)
{
    sqlite3_stmt *s = NULL;
    bool row = false;
    TRY(database_prepare(db, &sql, 1, &s, note));
    enum err e = database_step(s, &row, note);
    if (e == ERR_OK) {
        check(row);
        *out = sqlite3_column_int64(s, 0);
    }
    database_finalize(&s, 1);
    return e;
}

enum err
database_prepare(sqlite3 *db, const char *const *texts, size_t count, sqlite3_stmt **out, struct err_note *note)
{
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i], NULL) != SQLITE_OK) {
            enum err e = database_error(db, "prepare a statement", note);
            database_finalize(out, i);
            return e;
        }
    }
    return ERR_OK;
}

void database_finalize(sqlite3_stmt **statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_finalize(statements[i]);
        statements[i] = NULL;
    }
}

enum err database_run(sqlite3_stmt *s, struct err_note *note)
{
    int rc = sqlite3_step(s);
    check(rc != SQLITE_ROW);
    if (rc != SQLITE_DONE) {
        enum err e = database_error(sqlite3_db_handle(s), "write", note);
        sqlite3_reset(s);
        return e;
    }
    sqlite3_reset(s);
    return ERR_OK;
}

enum err database_step(sqlite3_stmt *s, bool *out_row, struct err_note *note)
{
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return database_error(sqlite3_db_handle(s), "read", note);
    }
    *out_row = rc == SQLITE_ROW;
    return ERR_OK;
}

void bind_i64(sqlite3_stmt *s, int at, int64_t v)
{
    int rc = sqlite3_bind_int64(s, at, v);
    check(rc == SQLITE_OK);
}

void bind_str(sqlite3_stmt *s, int at, struct str v)
{
    int rc = str_is_absent(v) ? sqlite3_bind_null(s, at)
                              : sqlite3_bind_text64(s, at, v.ptr, v.len, SQLITE_STATIC, SQLITE_UTF8);
    check(rc == SQLITE_OK);
}

void bind_blob(sqlite3_stmt *s, int at, const void *bytes, size_t len)
{
    int rc = sqlite3_bind_blob64(s, at, bytes, len, SQLITE_STATIC);
    check(rc == SQLITE_OK);
}

struct str column_str(sqlite3_stmt *s, int at)
{
    if (sqlite3_column_type(s, at) == SQLITE_NULL) {
        return STR_NONE;
    }
    const char *text = (const char *)sqlite3_column_text(s, at);
    check(text != NULL);
    return (struct str){text, (size_t)sqlite3_column_bytes(s, at)};
}

bool column_blob(sqlite3_stmt *s, int at, void *out, size_t len)
{
    if (sqlite3_column_type(s, at) != SQLITE_BLOB || (size_t)sqlite3_column_bytes(s, at) != len) {
        return false;
    }
    memcpy(out, sqlite3_column_blob(s, at), len);
    return true;
}
