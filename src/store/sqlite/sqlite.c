/* Opening and closing. */
#include "store/sqlite/sqlite.h"

#include "base/mem.h"
#include "store/sqlite/lock.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/state.h"

#include <stdio.h>
#include <string.h>

static void store_sqlite_free(struct store *s);

static const struct store_ops ops = {
    .name = "sqlite",
    .claim = store_sqlite_claim,
    .load = store_sqlite_load,
    .commit = store_sqlite_commit,
    .reader_open = store_sqlite_reader_open,
    .free = store_sqlite_free,
};

struct store_sqlite *store_sqlite_from(struct store *s)
{
    check(s->ops == &ops);
    return (struct store_sqlite *)s;
}

static int note_wal_pages(void *ctx, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    ((struct store_sqlite *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

/* The row of the partition, made when the store is new. */
static enum err enter_partition(struct store_sqlite *s, struct err_note *note)
{
    char sql[128];
    int64_t others = 0;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM partition WHERE partition <> %u", s->partition);
    TRY(database_read_i64(s->db, sql, &others, note));
    if (others != 0) {
        return err_note_set(note, ERR_CONFIG, "the store does not hold partition %u but another one", s->partition);
    }
    snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO partition VALUES (%u, 0, 0, 0, 0)", s->partition);
    return database_exec(s->db, sql, note);
}

static enum err load_recent(struct store_sqlite *s, struct err_note *note)
{
    int64_t swept_seq = 0;
    TRY(database_read_i64(s->db, "SELECT levels_seq FROM partition", &swept_seq, note));
    sweep_init(&s->sweep, (uint64_t)swept_seq);
    return recent_load(&s->recent, s->db, note);
}

static enum err open_database(struct store_sqlite *s, struct err_note *note)
{
    TRY(database_open(s->path, DATABASE_WRITE, &s->db, note));
    TRY(database_make_durable(s->db, note));
    TRY(database_read_i64(s->db, "PRAGMA page_size", &s->page_bytes, note));
    sqlite3_wal_hook(s->db, note_wal_pages, s);
    TRY(schema_migrate(s->db, note));
    TRY(enter_partition(s, note));
    TRY(load_recent(s, note));
    return database_prepare(s->db, store_sqlite_writes, WRITE_COUNT, s->write, note);
}

static char *path_in(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_new(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

enum err store_sqlite_open(const char *dir, uint32_t partition, struct store **out, struct err_note *note)
{
    int lock_fd = -1;
    TRY(lock_take(dir, &lock_fd, note));
    struct store_sqlite *s = mem_new(sizeof(*s));
    s->base.ops = &ops;
    s->partition = partition;
    s->path = path_in(dir, STORE_SQLITE_FILE);
    s->lock_fd = lock_fd;
    s->checkpoint_pages = CHECKPOINT_PAGES;
    recent_init(&s->recent);
    s->failed = ERR_IO; /* until it is open: what fails on the way there leaves the log to the next start */
    enum err e = open_database(s, note);
    if (e != ERR_OK) {
        store_sqlite_free(&s->base);
        return e;
    }
    s->failed = ERR_OK;
    *out = &s->base;
    return ERR_OK;
}

/*
 * Leaves one file behind in which all rows are up to date, unless the disk cannot be trusted any more: then the WAL stays for the next start. A log that
 * is moved into the database although the disk lacks a part of it, and comes back after a power cut because its removal
 * was not synced, would bring older pages back among newer ones.
 */
static void close_database(struct store_sqlite *s)
{
    struct err_note ignored; /* what fails is done by the next process that has the store */
    if (s->failed == ERR_OK && s->sweep.swept_seq < s->recent.seq) {
        (void)store_sqlite_sweep_all(s, &ignored);
    }
    if (s->failed == ERR_OK &&
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK) {
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL); /* removes the empty log */
    }
    database_finalize(s->write, WRITE_COUNT);
    int rc = sqlite3_close(s->db);
    check(rc == SQLITE_OK);
}

static void store_sqlite_free(struct store *base)
{
    struct store_sqlite *s = store_sqlite_from(base);
    if (s->db != NULL) {
        close_database(s);
    }
    recent_release(&s->recent);
    sweep_release(&s->sweep);
    lock_give(s->lock_fd);
    mem_free(s->path);
    mem_free(s);
}
