#include "availability/keep.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bus/collect.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the file's form: another one is a copy that this program cannot read. */
#define KEEP_VERSION 2
#define LOAD_ROWS 1000

enum keep_statement {
    KEEP_BEGIN,
    KEEP_END,
    KEEP_BACK,
    KEEP_ITEM,
    KEEP_LEVEL,
    KEEP_POSITION,
    KEEP_READ_POSITION,
    KEEP_READ_ITEMS,
    KEEP_READ_LEVELS,
    KEEP_COUNT
};

#define QUANTITIES "on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming"

static const char *const texts[KEEP_COUNT] = {
    [KEEP_BEGIN] = "BEGIN IMMEDIATE",
    [KEEP_END] = "COMMIT",
    [KEEP_BACK] = "ROLLBACK",
    [KEEP_ITEM] = "INSERT INTO item (sku, defined_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    [KEEP_LEVEL] = "INSERT INTO level (sku, location, version, seq, time_ms, " QUANTITIES ") "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO UPDATE SET "
                   "version = excluded.version, seq = excluded.seq, time_ms = excluded.time_ms, "
                   "on_hand = excluded.on_hand, reserved = excluded.reserved, committed = excluded.committed, "
                   "damaged = excluded.damaged, quality_control = excluded.quality_control, "
                   "safety_stock = excluded.safety_stock, incoming = excluded.incoming "
                   "WHERE excluded.version > version",
    [KEEP_POSITION] = "UPDATE position SET epoch = ?1, seq = ?2, items = ?3, time_ms = ?4",
    [KEEP_READ_POSITION] = "SELECT epoch, seq, items, time_ms FROM position",
    [KEEP_READ_ITEMS] = "SELECT sku, defined_ms FROM item",
    [KEEP_READ_LEVELS] = "SELECT sku, location, version, seq, time_ms, " QUANTITIES " FROM level",
};

/* What the view would not take is damage. SQLite looks at these constraints, too, when it checks a file. */
/* clang-format off */
#define BYTES(column) "length(CAST(" column " AS BLOB))"
#define SCHEMA \
    "CREATE TABLE position (" \
        "partition INTEGER NOT NULL, " \
        "epoch INTEGER NOT NULL CHECK (epoch >= 0), " \
        "seq INTEGER NOT NULL CHECK (seq >= 0), " \
        "items INTEGER NOT NULL CHECK (items BETWEEN 0 AND %d), " \
        "time_ms INTEGER NOT NULL CHECK (time_ms BETWEEN 0 AND %lld)) STRICT;" \
    "CREATE TABLE item (" \
        "sku TEXT PRIMARY KEY CHECK (" BYTES("sku") " BETWEEN 1 AND %d), " \
        "defined_ms INTEGER NOT NULL CHECK (defined_ms BETWEEN 0 AND %lld)) STRICT, WITHOUT ROWID;" \
    "CREATE TABLE level (" \
        "sku TEXT NOT NULL CHECK (" BYTES("sku") " BETWEEN 1 AND %d), " \
        "location TEXT NOT NULL CHECK (" BYTES("location") " BETWEEN 1 AND %d), " \
        "version INTEGER NOT NULL CHECK (version BETWEEN 1 AND %lld), " \
        "seq INTEGER NOT NULL CHECK (seq >= 0), " \
        "time_ms INTEGER NOT NULL CHECK (time_ms BETWEEN 0 AND %lld), " \
        "on_hand INTEGER NOT NULL, reserved INTEGER NOT NULL, committed INTEGER NOT NULL, damaged INTEGER NOT NULL, " \
        "quality_control INTEGER NOT NULL, safety_stock INTEGER NOT NULL, incoming INTEGER NOT NULL, " \
        "PRIMARY KEY (sku, location), " \
        "CHECK (min(" QUANTITIES ") >= 0 AND max(" QUANTITIES ") <= %lld)) STRICT, WITHOUT ROWID;"
/* clang-format on */

struct keep {
    sqlite3 *db;
    sqlite3_stmt *statements[KEEP_COUNT];
    char path[4096];
    uint32_t partition;
};

static enum err failed(const struct keep *k, struct err_note *note)
{
    return err_note_set(note, ERR_IO, "%s: %s", k->path, sqlite3_errmsg(k->db));
}

static enum err run_sql(struct keep *k, const char *sql, struct err_note *note)
{
    return sqlite3_exec(k->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : failed(k, note);
}

static void close_database(struct keep *k)
{
    for (int i = 0; i < KEEP_COUNT; i++) {
        sqlite3_finalize(k->statements[i]);
        k->statements[i] = NULL;
    }
    int closed = sqlite3_close(k->db);
    check(closed == SQLITE_OK);
    k->db = NULL;
}

static int64_t read_number(struct keep *k, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(k->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        number = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    return number;
}

static enum err open_database(struct keep *k, struct err_note *note)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(k->path, &k->db, flags, NULL) != SQLITE_OK) {
        return failed(k, note);
    }
    return run_sql(k, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", note);
}

/* True: what is there is ours, or there is nothing yet. */
static bool is_usable(struct keep *k)
{
    int64_t version = read_number(k, "PRAGMA user_version");
    if (version == 0) {
        return read_number(k, "SELECT count(*) FROM sqlite_schema") == 0;
    }
    return version == KEEP_VERSION && read_number(k, "SELECT partition FROM position") == k->partition &&
        read_number(k, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'") == 0;
}

static enum err make_schema(struct keep *k, struct err_note *note)
{
    if (read_number(k, "PRAGMA user_version") == KEEP_VERSION) {
        return ERR_OK;
    }
    char sql[sizeof(SCHEMA) + 512];
    int len = snprintf(
        sql, sizeof(sql),
        "BEGIN; " SCHEMA " INSERT INTO position VALUES (%u, 0, 0, 0, 0); PRAGMA user_version = %d; COMMIT", ITEMS_MAX,
        TIME_MS_MAX, SKU_BYTES_MAX, TIME_MS_MAX, SKU_BYTES_MAX, LOCATION_BYTES_MAX, LEVEL_VERSION_MAX, TIME_MS_MAX,
        QUANTITY_MAX, k->partition, KEEP_VERSION);
    check(len > 0 && (size_t)len < sizeof(sql));
    return run_sql(k, sql, note);
}

static enum err prepare(struct keep *k, struct err_note *note)
{
    for (int i = 0; i < KEEP_COUNT; i++) {
        if (sqlite3_prepare_v3(k->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &k->statements[i], NULL) != SQLITE_OK) {
            return failed(k, note);
        }
    }
    return ERR_OK;
}

static void remove_files(const struct keep *k)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[sizeof(k->path) + 8];
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", k->path, ends[i]);
        (void)unlink(path); /* what cannot be removed is found out by the next open */
    }
}

/* Another process has it: that is no damage. */
static bool is_busy(const struct keep *k)
{
    return k->db != NULL && (sqlite3_errcode(k->db) & 0xff) == SQLITE_BUSY;
}

static enum err open_usable(struct keep *k, struct err_note *note)
{
    enum err e = open_database(k, note);
    if (e == ERR_OK && is_usable(k)) {
        return ERR_OK;
    }
    if (is_busy(k)) {
        return err_note_set(note, ERR_LOCKED, "%s is in use by another process", k->path);
    }
    close_database(k);
    remove_files(k);
    return open_database(k, note);
}

enum err keep_open(const char *dir, uint32_t partition, struct keep **out, struct err_note *note)
{
    struct keep *k = mem_new(sizeof(*k));
    k->partition = partition;
    int len = snprintf(k->path, sizeof(k->path), "%s/availability.db", dir);
    enum err e = len > 0 && (size_t)len < sizeof(k->path)
        ? ERR_OK
        : err_note_set(note, ERR_CONFIG, "the name of the data directory is too long");
    e = e == ERR_OK ? open_usable(k, note) : e;
    e = e == ERR_OK ? make_schema(k, note) : e;
    e = e == ERR_OK ? prepare(k, note) : e;
    if (e != ERR_OK) {
        keep_close(k);
        return e;
    }
    *out = k;
    return ERR_OK;
}

void keep_close(struct keep *k)
{
    if (k != NULL) {
        close_database(k);
        mem_free(k);
    }
}

/*
 * Reading.
 */

static struct str column_text(sqlite3_stmt *s, int column)
{
    return (struct str){(const char *)sqlite3_column_text(s, column), (size_t)sqlite3_column_bytes(s, column)};
}

static void read_item(sqlite3_stmt *s, struct collect *c)
{
    struct bus_item item = {.sku = column_text(s, 0), .time_ms = sqlite3_column_int64(s, 1)};
    collect_item(c, &item);
}

static void read_level(sqlite3_stmt *s, struct collect *c)
{
    struct level_row row = {
        .sku = column_text(s, 0),
        .location_id = column_text(s, 1),
        .version = (uint64_t)sqlite3_column_int64(s, 2),
        .seq = (uint64_t)sqlite3_column_int64(s, 3),
        .time_ms = sqlite3_column_int64(s, 4),
    };
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        row.quantities.of[q] = sqlite3_column_int64(s, 5 + q);
    }
    collect_level(c, &row);
}

struct loading {
    struct keep *keep;
    struct collect rows;
    void (*fn)(void *ctx, struct bus_message *m);
    void *ctx;
};

static void load_flush(struct loading *l)
{
    if (collect_rows(&l->rows) > 0) {
        l->fn(l->ctx, collect_message(&l->rows));
        collect_clear(&l->rows);
    }
}

static enum err load_rows(
    struct loading *l,
    enum keep_statement which,
    void (*read)(sqlite3_stmt *s, struct collect *c),
    struct err_note *note)
{
    sqlite3_stmt *s = l->keep->statements[which];
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        read(s, &l->rows);
        if (collect_rows(&l->rows) >= LOAD_ROWS) {
            load_flush(l);
        }
    }
    load_flush(l);
    enum err e = code == SQLITE_DONE ? ERR_OK : failed(l->keep, note);
    sqlite3_reset(s);
    return e;
}

static enum err load_position(struct keep *k, struct bus_position *out, struct err_note *note)
{
    sqlite3_stmt *s = k->statements[KEEP_READ_POSITION];
    enum err e = sqlite3_step(s) == SQLITE_ROW ? ERR_OK : failed(k, note);
    if (e == ERR_OK) {
        *out = (struct bus_position){
            .epoch = (uint64_t)sqlite3_column_int64(s, 0),
            .seq = (uint64_t)sqlite3_column_int64(s, 1),
            .items = (uint64_t)sqlite3_column_int64(s, 2),
            .time_ms = sqlite3_column_int64(s, 3),
        };
    }
    sqlite3_reset(s);
    return e;
}

enum err keep_load(
    struct keep *k,
    struct bus_position *out,
    void (*fn)(void *ctx, struct bus_message *m),
    void *ctx,
    struct err_note *note)
{
    *out = (struct bus_position){0};
    TRY(load_position(k, out, note));
    if (out->epoch == 0) {
        enum err cleared = keep_clear(k, note);
        return cleared == ERR_OK ? ERR_NOT_FOUND : cleared;
    }
    struct loading l = {.keep = k, .fn = fn, .ctx = ctx};
    enum err e = load_rows(&l, KEEP_READ_ITEMS, read_item, note);
    e = e == ERR_OK ? load_rows(&l, KEEP_READ_LEVELS, read_level, note) : e;
    collect_release(&l.rows);
    return e;
}

/*
 * Writing.
 */

static enum err step(struct keep *k, enum keep_statement which, struct err_note *note)
{
    sqlite3_stmt *s = k->statements[which];
    enum err e = sqlite3_step(s) == SQLITE_DONE ? ERR_OK : failed(k, note);
    sqlite3_reset(s);
    return e;
}

static void bind_text(sqlite3_stmt *s, int at, struct str text)
{
    int code = sqlite3_bind_text(s, at, text.ptr, (int)text.len, SQLITE_STATIC);
    check(code == SQLITE_OK);
}

static void bind_number(sqlite3_stmt *s, int at, int64_t number)
{
    int code = sqlite3_bind_int64(s, at, number);
    check(code == SQLITE_OK);
}

static enum err write_item(struct keep *k, const struct bus_item *item, struct err_note *note)
{
    sqlite3_stmt *s = k->statements[KEEP_ITEM];
    bind_text(s, 1, item->sku);
    bind_number(s, 2, item->time_ms);
    return step(k, KEEP_ITEM, note);
}

static enum err write_level(struct keep *k, const struct level_row *row, struct err_note *note)
{
    sqlite3_stmt *s = k->statements[KEEP_LEVEL];
    bind_text(s, 1, row->sku);
    bind_text(s, 2, row->location_id);
    bind_number(s, 3, (int64_t)row->version);
    bind_number(s, 4, (int64_t)row->seq);
    bind_number(s, 5, row->time_ms);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        bind_number(s, 6 + q, row->quantities.of[q]);
    }
    return step(k, KEEP_LEVEL, note);
}

static enum err write_position(struct keep *k, const struct bus_position *p, struct err_note *note)
{
    sqlite3_stmt *s = k->statements[KEEP_POSITION];
    bind_number(s, 1, (int64_t)p->epoch);
    bind_number(s, 2, (int64_t)p->seq);
    bind_number(s, 3, (int64_t)p->items);
    bind_number(s, 4, p->time_ms);
    return step(k, KEEP_POSITION, note);
}

static enum err write_rows(struct keep *k, const struct bus_message *m, struct err_note *note)
{
    for (size_t i = 0; i < m->items_len; i++) {
        TRY(write_item(k, &m->items[i], note));
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        TRY(write_level(k, &m->levels[i], note));
    }
    TRY(write_position(k, &m->position, note));
    return step(k, KEEP_END, note);
}

enum err keep_write(struct keep *k, const struct bus_message *m, struct err_note *note)
{
    TRY(step(k, KEEP_BEGIN, note));
    enum err e = write_rows(k, m, note);
    if (e != ERR_OK && sqlite3_get_autocommit(k->db) == 0) {
        (void)step(k, KEEP_BACK, NULL);
    }
    return e;
}

enum err keep_clear(struct keep *k, struct err_note *note)
{
    enum err e = run_sql(
        k,
        "BEGIN IMMEDIATE; DELETE FROM item; DELETE FROM level; "
        "UPDATE position SET epoch = 0, seq = 0, items = 0, time_ms = 0; COMMIT",
        note);
    if (e != ERR_OK) {
        close_database(k);
        remove_files(k);
    }
    return e;
}
