/*
 * What the parts of the SQLite backend share: the store and its statements.
 */
#ifndef STORE_SQLITE_STATE_H
#define STORE_SQLITE_STATE_H

#include "store/sqlite/database.h"
#include "store/sqlite/recent.h"
#include "store/sqlite/sweep.h"
#include "store/store.h"

/*
 * Pages in the WAL (4 MiB) from which the writer moves them into the database. The commit that has to do it waits
 * longer then: about 4 ms, half of it for the sync of the database.
 */
#define CHECKPOINT_PAGES 1000

enum write_statement {
    WRITE_BEGIN,
    WRITE_COMMIT,
    WRITE_ROLLBACK,
    WRITE_CLAIM,
    WRITE_ADVANCE,
    WRITE_ITEM_INSERT,
    WRITE_ITEM_UPDATE,
    WRITE_LOCATION_INSERT,
    WRITE_LOCATION_UPDATE,
    WRITE_LEVEL_INSERT,
    WRITE_LEVEL_SWEEP,
    WRITE_SWEPT,
    WRITE_SWEPT_ALL,
    WRITE_MOVEMENT_INSERT,
    WRITE_RESERVATION_INSERT,
    WRITE_RESERVATION_UPDATE,
    WRITE_LINE_INSERT,
    WRITE_LINE_UPDATE,
    WRITE_KEY_INSERT,
    WRITE_KEY_PURGE,
    WRITE_MOVEMENT_RUN,
    WRITE_REFERENCE_RUN,
    WRITE_COUNT
};

struct store_sqlite {
    struct store base;
    uint32_t partition;
    uint64_t epoch; /* of the claim; 0: none yet */
    char *path;     /* of the database */
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *write[WRITE_COUNT];
    int64_t page_bytes;   /* of a page of the database */
    int wal_pages;        /* in the WAL after the last commit */
    int checkpoint_pages; /* from so many on the writer moves them into the database */
    struct recent recent; /* levels whose rows are behind */
    struct sweep sweep;
    /* The first failure that left the outcome or the file in doubt; after it nothing is written any more. */
    enum err failed;
    struct err_note failure;
};

/* Asserts that it is one. */
struct store_sqlite *store_sqlite_from(struct store *s);

enum err store_sqlite_claim(struct store *s, const char *leader, struct store_head *out, struct err_note *note);
enum err store_sqlite_load(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note);
enum err store_sqlite_commit(struct store *s, const struct batch *b, struct err_note *note);
/* Brings all rows of levels up to date. */
enum err store_sqlite_sweep_all(struct store_sqlite *s, struct err_note *note);
enum err store_sqlite_reader_open(struct store *s, struct store_reader **out, struct err_note *note);

extern const char *const store_sqlite_writes[WRITE_COUNT];

#endif
