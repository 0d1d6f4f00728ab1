/*
 * What the parts of the audit share: the rebuilt ledger, in words and numbers of its own.
 */
#ifndef APP_AUDIT_STATE_H
#define APP_AUDIT_STATE_H

#include "base/map.h"
#include "base/random.h"
#include "store/sqlite/database.h"

#include <inttypes.h>
#include <stdio.h>

#define BUCKETS 7
#define RUN 4096

/* The stored numbers, written down a second time on purpose. */
enum bucket { ON_HAND, RESERVED, COMMITTED, DAMAGED, QUALITY_CONTROL, SAFETY_STOCK, INCOMING };
enum kind { RECEIVE = 1, SET = 3, TRANSFER_IN = 5, RESERVE, COMMIT, RELEASE, EXPIRE, CANCEL, FULFILL, RETURN };
enum state {
    TORN,
    HELD_STATE,
    COMMITTED_STATE,
    FULFILLED_STATE,
    RELEASED_STATE,
    EXPIRED_STATE,
    CANCELLED_STATE,
    RETURNED_STATE
};

enum difference { D_STORE, D_MOVEMENT, D_LEVEL, D_RESERVATION, D_LINE, D_KEY, D_RUN, D_COUNT };

struct audit_level {
    int64_t item, location;
    int64_t of[BUCKETS];
    int64_t version, seq, time_ms;
    int64_t due_seq;         /* its row must show this movement at least */
    int64_t held, committed; /* units of open reservations on it */
    bool stored;
};

struct audit_line {
    int64_t seq, item, location;
    int64_t quantity, held, committed, cancelled, fulfilled, returned;
    bool stored;
};

struct audit_reservation {
    int64_t seq;
    size_t lines_at, lines_len;
    int64_t created_ms, last_ms;
    int64_t held_until_ms; /* time of the commit or release; 0: none */
    int64_t expired_ms;    /* 0: did not expire */
    bool released;
    struct uuid id;
    bool stored;
};

struct audit_place {
    int64_t seq, item, location;
};

struct audit_key {
    int64_t time_ms;
    char *text; /* operation, space, key */
};

struct audit_names {
    char **text; /* by index - 1 */
    size_t len, cap;
};

struct audit {
    FILE *out;
    sqlite3 *db;
    struct err_note note;
    uint64_t differences[D_COUNT];

    int64_t partition, epoch, seq, time_ms, levels_seq; /* as stored */
    int64_t last_seq, last_ms;                          /* of the movement before */
    struct audit_names items, locations;
    struct audit_place *places; /* of the movements */
    size_t places_len, places_cap;
    struct audit_level *levels;
    size_t levels_len, levels_cap;
    struct audit_reservation *reservations; /* by rising seq */
    size_t reservations_len, reservations_cap;
    struct audit_line *lines; /* by rising seq */
    size_t lines_len, lines_cap;
    struct audit_key *keys;
    size_t keys_len, keys_cap;
    int64_t last_row;
    uint64_t runs, reference_runs, references; /* rows; reservations with a reference in complete runs */

    struct map level_by_place, reservation_by_id, key_by_text; /* values: position + 1 */
};

extern const char *const audit_bucket_names[BUCKETS];

/* One difference, in words. */
void PRINTF_LIKE(3, 4) audit_differs(struct audit *a, enum difference d, const char *format, ...);
/* Says that a stored number is not what it must be. */
void audit_compare(
    struct audit *a,
    enum difference d,
    const char *what,
    int64_t seq,
    const char *name,
    int64_t stored,
    int64_t expected);
/* Every row of `sql`; false when the database could not be read. */
bool audit_each(struct audit *a, const char *sql, void (*row)(struct audit *a, sqlite3_stmt *s));
/* Position of the element with this seq in an array by rising seq (which begins each element); -1: none. */
ptrdiff_t audit_find_seq(const void *array, size_t len, size_t size, int64_t seq);
struct audit_level *audit_find_level(const struct audit *a, int64_t item, int64_t location);
struct audit_reservation *audit_find_reservation(const struct audit *a, int64_t seq);

/* Makes a->db, at `path`, a copy of the books in a PostgreSQL; false when it could not be made. */
bool audit_copy(struct audit *a, const char *url, const char *path);
/* Each is false when the database could not be read. */
bool audit_fold_movements(struct audit *a);
bool audit_check_runs(struct audit *a);
bool audit_check_keys(struct audit *a);

static inline int64_t number(sqlite3_stmt *s, int at)
{
    return sqlite3_column_int64(s, at);
}

#endif
