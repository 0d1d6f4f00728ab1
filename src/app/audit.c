/*
 * How it works: the movements are folded from zero in one pass, which rebuilds every level and every line of every
 * reservation in memory. Then the stored rows are read in order and held against what was rebuilt; a row that nothing
 * accounts for is a difference, and so is something rebuilt that has no row.
 */
#include "app/audit.h"

#include "app/audit_state.h"
#include "app/data_dir.h"
#include "base/mem.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"

#include <limits.h>
#include <stdarg.h>

#define PRINTED_MAX 100
#define LINES_IN_RESERVATION_MAX 1000

const char *const audit_bucket_names[BUCKETS] = {"on_hand",         "reserved",     "committed", "damaged",
                                                 "quality_control", "safety_stock", "incoming"};
static const char *const state_names[] = {"torn",     "held",    "committed", "fulfilled",
                                          "released", "expired", "cancelled", "returned"};

static const char *const difference_names[D_COUNT] = {
    "store", "movement", "level", "reservation", "reservation_line", "idempotency", "run"};

void audit_differs(struct audit *a, enum difference d, const char *format, ...)
{
    if (a->differences[d]++ >= PRINTED_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    fprintf(a->out, "%s: ", difference_names[d]);
    vfprintf(a->out, format, args);
    fputc('\n', a->out);
    va_end(args);
}

/* Says that a stored number is not what it must be. */
void audit_compare(
    struct audit *a,
    enum difference d,
    const char *what,
    int64_t seq,
    const char *name,
    int64_t stored,
    int64_t expected)
{
    if (stored != expected) {
        audit_differs(
            a, d, "%s %" PRId64 ": %s is %" PRId64 ", the movements give %" PRId64, what, seq, name, stored, expected);
    }
}

/* Every row of `sql`; false when the database could not be read. */
bool audit_each(struct audit *a, const char *sql, void (*row)(struct audit *a, sqlite3_stmt *s))
{
    sqlite3_stmt *s = NULL;
    bool more = false;
    if (database_prepare(a->db, &sql, 1, &s, &a->note) != ERR_OK) {
        return false;
    }
    enum err e = database_step(s, &more, &a->note);
    while (e == ERR_OK && more) {
        row(a, s);
        e = database_step(s, &more, &a->note);
    }
    database_finalize(&s, 1);
    return e == ERR_OK;
}

/* Position of the element with this seq in an array by rising seq (which begins each element); -1: none. */
ptrdiff_t audit_find_seq(const void *array, size_t len, size_t size, int64_t seq)
{
    size_t from = 0;
    size_t to = len;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int64_t at = *(const int64_t *)((const char *)array + middle * size);
        if (at == seq) {
            return (ptrdiff_t)middle;
        }
        *(at < seq ? &from : &to) = at < seq ? middle + 1 : middle;
    }
    return -1;
}

struct audit_reservation *audit_find_reservation(const struct audit *a, int64_t seq)
{
    ptrdiff_t at = audit_find_seq(a->reservations, a->reservations_len, sizeof(*a->reservations), seq);
    return at < 0 ? NULL : &a->reservations[at];
}

/*
 * What is there: the partition and the names of items and locations.
 */

static void read_partition(struct audit *a, sqlite3_stmt *s)
{
    if (a->epoch >= 0) {
        audit_differs(a, D_STORE, "there is more than one partition row");
        return;
    }
    a->partition = number(s, 0);
    a->epoch = number(s, 1);
    a->seq = number(s, 2);
    a->time_ms = number(s, 3);
    a->levels_seq = number(s, 4);
}

static void read_name(struct audit *a, struct audit_names *names, const char *what, sqlite3_stmt *s)
{
    struct str text = column_str(s, 1);
    if (number(s, 0) != (int64_t)names->len + 1 || str_is_absent(text)) {
        audit_differs(a, D_STORE, "%s %" PRId64 " follows %s %zu", what, number(s, 0), what, names->len);
        return;
    }
    mem_grow((void **)&names->text, &names->cap, names->len + 1, sizeof(*names->text));
    names->text[names->len++] = mem_copy_str(text);
}

static void read_item(struct audit *a, sqlite3_stmt *s)
{
    read_name(a, &a->items, "item", s);
    if (number(s, 2) != 1) {
        audit_differs(a, D_STORE, "item %" PRId64 ": its attributes are not JSON", number(s, 0));
    }
}

static void read_location(struct audit *a, sqlite3_stmt *s)
{
    read_name(a, &a->locations, "location", s);
}

static void read_foreign_rows(struct audit *a, sqlite3_stmt *s)
{
    if (number(s, 1) != 0) {
        audit_differs(
            a, D_STORE, "table %s has %" PRId64 " rows of another partition", (const char *)sqlite3_column_text(s, 0),
            number(s, 1));
    }
}

static bool read_store(struct audit *a)
{
    a->epoch = -1;
    if (!audit_each(a, "SELECT partition, epoch, seq, time_ms, levels_seq FROM partition", read_partition)) {
        return false;
    }
    if (a->epoch < 0) {
        audit_differs(a, D_STORE, "there is no partition row");
    }
    return audit_each(a, "SELECT item, sku, json_valid(attributes) FROM item ORDER BY item", read_item) &&
        audit_each(a, "SELECT location, id FROM location ORDER BY location", read_location) &&
        audit_each(
               a,
               "WITH p(n) AS (SELECT min(partition) FROM partition) "
               "SELECT 'item', count(*) FROM item, p WHERE partition <> n UNION ALL "
               "SELECT 'location', count(*) FROM location, p WHERE partition <> n UNION ALL "
               "SELECT 'level', count(*) FROM level, p WHERE partition <> n UNION ALL "
               "SELECT 'movement', count(*) FROM movement, p WHERE partition <> n UNION ALL "
               "SELECT 'reservation', count(*) FROM reservation, p WHERE partition <> n UNION ALL "
               "SELECT 'reservation_line', count(*) FROM reservation_line, p WHERE partition <> n UNION ALL "
               "SELECT 'idempotency', count(*) FROM idempotency, p WHERE partition <> n",
               read_foreign_rows);
}

/*
 * Levels.
 */

static void sum_promises(struct audit *a)
{
    for (size_t i = 0; i < a->lines_len; i++) {
        struct audit_level *level = audit_find_level(a, a->lines[i].item, a->lines[i].location);
        check(level != NULL); /* its movement was folded into it */
        level->held += a->lines[i].held;
        level->committed += a->lines[i].committed;
    }
}

/* Column after those of the row: is there such a movement of this level, and its columns. */
#define MOVED (5 + BUCKETS)

static void read_level(struct audit *a, sqlite3_stmt *s)
{
    struct audit_level *level = audit_find_level(a, number(s, 0), number(s, 1));
    if (level == NULL) {
        audit_differs(
            a, D_LEVEL, "item %" PRId64 ", location %" PRId64 ": a row without movements", number(s, 0), number(s, 1));
        return;
    }
    level->stored = true;
    /* A row that is behind shows the level after an earlier movement, which was folded with the others. */
    bool is_behind = number(s, 3) < level->seq && number(s, 3) >= level->due_seq && number(s, MOVED) != 0;
    const int64_t expected[] = {level->version, level->seq, level->time_ms};
    static const char *const names[] = {"version", "seq", "time_ms"};
    char what[64];
    snprintf(what, sizeof(what), "location %" PRId64 " of item", level->location);
    for (int i = 0; i < 3; i++) {
        audit_compare(
            a, D_LEVEL, what, level->item, names[i], number(s, 2 + i),
            is_behind ? number(s, MOVED + 1 + i) : expected[i]);
    }
    for (int q = 0; q < BUCKETS; q++) {
        audit_compare(
            a, D_LEVEL, what, level->item, audit_bucket_names[q], number(s, 5 + q),
            is_behind ? number(s, MOVED + 4 + q) : level->of[q]);
    }
}

static bool check_levels(struct audit *a)
{
    sum_promises(a);
    if (!audit_each(
            a,
            "SELECT v.item, v.location, v.version, v.seq, v.time_ms, v.on_hand, v.reserved, v.committed, v.damaged, "
            "v.quality_control, v.safety_stock, v.incoming, m.seq IS NOT NULL, m.version, m.seq, m.time_ms, m.on_hand, "
            "m.reserved, m.committed, m.damaged, m.quality_control, m.safety_stock, m.incoming FROM level v "
            "LEFT JOIN movement m ON m.seq = v.seq AND m.item = v.item AND m.location = v.location",
            read_level)) {
        return false;
    }
    for (size_t i = 0; i < a->levels_len; i++) {
        const struct audit_level *v = &a->levels[i];
        if (!v->stored) {
            audit_differs(
                a, D_LEVEL, "item %" PRId64 ", location %" PRId64 ": has movements but no row", v->item, v->location);
        }
        if (v->of[RESERVED] != v->held || v->of[COMMITTED] != v->committed) {
            audit_differs(
                a, D_LEVEL,
                "item %" PRId64 ", location %" PRId64 ": reserved %" PRId64 " and committed %" PRId64
                ", its open reservations hold %" PRId64 " and %" PRId64,
                v->item, v->location, v->of[RESERVED], v->of[COMMITTED], v->held, v->committed);
        }
    }
    return true;
}

/*
 * Reservations.
 */

static enum state state_of(const struct audit *a, const struct audit_reservation *r)
{
    struct audit_line sum = {0};
    for (size_t n = 0; n < r->lines_len; n++) {
        const struct audit_line *line = &a->lines[r->lines_at + n];
        sum.quantity += line->quantity;
        sum.held += line->held;
        sum.committed += line->committed;
        sum.cancelled += line->cancelled;
        sum.fulfilled += line->fulfilled;
        sum.returned += line->returned;
    }
    int64_t after_hold = sum.committed + sum.cancelled + sum.fulfilled;
    if (sum.held > 0) {
        return sum.held == sum.quantity ? HELD_STATE : TORN;
    }
    if (r->released || r->expired_ms != 0) {
        return after_hold == 0 && r->released != (r->expired_ms != 0) ? (r->released ? RELEASED_STATE : EXPIRED_STATE)
                                                                      : TORN;
    }
    if (after_hold != sum.quantity || (sum.committed > 0 && sum.cancelled > 0)) {
        return TORN;
    }
    if (sum.committed > 0) {
        return COMMITTED_STATE;
    }
    if (sum.fulfilled == 0) {
        return CANCELLED_STATE;
    }
    return sum.returned == sum.fulfilled ? RETURNED_STATE : FULFILLED_STATE;
}

static void check_times(struct audit *a, const struct audit_reservation *r, sqlite3_stmt *s)
{
    int64_t expires_ms = number(s, 3);
    audit_compare(a, D_RESERVATION, "seq", r->seq, "created_ms", number(s, 2), r->created_ms);
    if (number(s, 4) < r->last_ms) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": updated_ms is before its last movement", r->seq);
    }
    if (expires_ms < r->created_ms) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": expires before it was made", r->seq);
    }
    if (r->expired_ms != 0 && r->expired_ms < expires_ms) {
        audit_differs(
            a, D_RESERVATION, "seq %" PRId64 ": expired %" PRId64 " ms early", r->seq, expires_ms - r->expired_ms);
    }
    if (r->held_until_ms != 0 && r->held_until_ms > expires_ms) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": the hold was used after it ran out", r->seq);
    }
}

static void read_reservation(struct audit *a, sqlite3_stmt *s)
{
    int64_t seq = number(s, 0);
    struct audit_reservation *r = audit_find_reservation(a, seq);
    if (r == NULL) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": a row without movements", seq);
        return;
    }
    r->stored = true;
    enum state state = state_of(a, r);
    if (number(s, 1) != (int64_t)state) {
        int64_t stored = number(s, 1) > 0 && number(s, 1) <= RETURNED_STATE ? number(s, 1) : TORN;
        audit_differs(
            a, D_RESERVATION, "seq %" PRId64 ": state is %s, the movements give %s", seq, state_names[stored],
            state_names[state]);
    }
    check_times(a, r, s);
    audit_compare(a, D_RESERVATION, "seq", seq, "lines", number(s, 5), (int64_t)r->lines_len);
    if (r->lines_len > LINES_IN_RESERVATION_MAX) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": has %zu lines", seq, r->lines_len);
    }
    if (!column_blob(s, 6, r->id.bytes, sizeof(r->id.bytes))) {
        audit_differs(a, D_RESERVATION, "seq %" PRId64 ": its id is not 16 bytes", seq);
        return;
    }
    map_add(&a->reservation_by_id, uuid_hash(r->id), (uint64_t)(r - a->reservations) + 1);
    a->references += number(s, 7) != 0 && seq <= a->seq / RUN * RUN;
}

static void read_line(struct audit *a, sqlite3_stmt *s)
{
    ptrdiff_t at = audit_find_seq(a->lines, a->lines_len, sizeof(*a->lines), number(s, 0));
    if (at < 0) {
        audit_differs(a, D_LINE, "seq %" PRId64 ": a row without a movement", number(s, 0));
        return;
    }
    struct audit_line *line = &a->lines[at];
    line->stored = true;
    audit_compare(a, D_LINE, "seq", line->seq, "item", number(s, 1), line->item);
    audit_compare(a, D_LINE, "seq", line->seq, "location", number(s, 2), line->location);
    audit_compare(a, D_LINE, "seq", line->seq, "quantity", number(s, 3), line->quantity);
    audit_compare(a, D_LINE, "seq", line->seq, "fulfilled", number(s, 4), line->fulfilled);
    audit_compare(a, D_LINE, "seq", line->seq, "returned", number(s, 5), line->returned);
}

static bool check_reservations(struct audit *a)
{
    if (!audit_each(
            a,
            "SELECT seq, state, created_ms, expires_ms, updated_ms, lines, id, reference IS NOT NULL "
            "FROM reservation ORDER BY seq",
            read_reservation) ||
        !audit_each(
            a, "SELECT seq, item, location, quantity, fulfilled, returned FROM reservation_line ORDER BY seq",
            read_line)) {
        return false;
    }
    for (size_t i = 0; i < a->reservations_len; i++) {
        if (!a->reservations[i].stored) {
            audit_differs(a, D_RESERVATION, "seq %" PRId64 ": has movements but no row", a->reservations[i].seq);
        }
    }
    for (size_t i = 0; i < a->lines_len; i++) {
        if (!a->lines[i].stored) {
            audit_differs(a, D_LINE, "seq %" PRId64 ": has a movement but no row", a->lines[i].seq);
        }
    }
    return true;
}

/*
 * The whole.
 */

static void free_names(struct audit_names *names)
{
    for (size_t i = 0; i < names->len; i++) {
        mem_free(names->text[i]);
    }
    mem_free(names->text);
}

static void release(struct audit *a)
{
    free_names(&a->items);
    free_names(&a->locations);
    for (size_t i = 0; i < a->keys_len; i++) {
        mem_free(a->keys[i].text);
    }
    mem_free(a->keys);
    mem_free(a->places);
    mem_free(a->levels);
    mem_free(a->reservations);
    mem_free(a->lines);
    map_release(&a->level_by_place);
    map_release(&a->reservation_by_id);
    map_release(&a->key_by_text);
    sqlite3_close(a->db);
}

static bool examine(struct audit *a)
{
    return schema_check(a->db, &a->note) == ERR_OK && database_exec(a->db, "BEGIN", &a->note) == ERR_OK &&
        read_store(a) && audit_fold_movements(a) && check_levels(a) && check_reservations(a) && audit_check_runs(a) &&
        audit_check_keys(a) && database_exec(a->db, "COMMIT", &a->note) == ERR_OK;
}

static int report(struct audit *a)
{
    uint64_t total = 0;
    for (int d = 0; d < D_COUNT; d++) {
        total += a->differences[d];
        if (a->differences[d] > 0) {
            fprintf(a->out, "audit: %" PRIu64 " differences in %s\n", a->differences[d], difference_names[d]);
        }
    }
    fprintf(
        a->out,
        "audit: epoch %" PRId64 ", seq %" PRId64 ": %zu movements, %zu levels, %zu reservations with %zu lines, "
        "%zu idempotency records, %zu items, %zu locations\n",
        a->epoch, a->seq, a->places_len, a->levels_len, a->reservations_len, a->lines_len, a->keys_len, a->items.len,
        a->locations.len);
    if (total == 0) {
        fprintf(a->out, "audit: clean\n");
        return 0;
    }
    fprintf(a->out, "audit: %" PRIu64 " differences\n", total);
    return 1;
}

static void init(struct audit *a, FILE *out)
{
    *a = (struct audit){.out = out};
    map_init(&a->level_by_place);
    map_init(&a->reservation_by_id);
    map_init(&a->key_by_text);
}

/* Ends an audit whose database could be opened or not. */
static int conclude(struct audit *a, bool opened, const char *what)
{
    int status = 2;
    if (opened && examine(a)) {
        status = report(a);
    } else {
        fprintf(a->out, "audit: cannot run on %s: %s\n", what, a->note.text);
    }
    release(a);
    return status;
}

int audit_run(const char *data_dir, FILE *out)
{
    char path[PATH_MAX];
    struct audit a;
    init(&a, out);
    snprintf(path, sizeof(path), "%s/%s", data_dir, STORE_SQLITE_FILE);
    return conclude(&a, database_open(path, DATABASE_READ, &a.db, &a.note) == ERR_OK, path);
}

/* The URL may hold a password: it is never part of a message. */
int audit_run_postgres(const char *url, FILE *out)
{
    static const char what[] = "the database";
    char path[PATH_MAX + 16];
    struct audit a;
    struct data_dir dir;
    init(&a, out);
    if (data_dir_open(NULL, "audit", &dir, &a.note) != ERR_OK) {
        return conclude(&a, false, what);
    }
    snprintf(path, sizeof(path), "%s/%s", dir.path, STORE_SQLITE_FILE);
    int status = conclude(&a, audit_copy(&a, url, path), what);
    data_dir_close(&dir);
    return status;
}
