/*
 * Rebuilding the ledger, in the order that core/ledger.h asks for, from one state of the database: each table is
 * a stream of rows, so that the server and this thread work at the same time and neither holds more than a row.
 */
#include "store/postgres/copy.h"
#include "store/postgres/rows.h"
#include "store/postgres/state.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Rows name items and locations by number alone, for the ledger knows the rest by then. */
struct loading {
    struct store_postgres *store;
    struct ledger *ledger;
    const struct store_key_sink *keys;
    struct link link;
    struct copy copy;
    uint64_t rows; /* so far */
    struct reservation_line lines[RESERVATION_PARTS_MAX];
    char reference[REFERENCE_BYTES_MAX];
};

/* Takes in what begins in the row that has come, and the rows behind it that belong to it. */
typedef enum err (*load_fn)(struct loading *loading, struct err_note *note);

static enum err refuse_row(struct err_note *note)
{
    return err_note_set(note, ERR_IO, "the database holds a row that was never written: run the audit");
}

static uint32_t column_u32(const struct copy *c, int column)
{
    int64_t v = copy_i64(c, column);
    return v < 0 || v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static enum err load_item(struct loading *loading, struct err_note *note)
{
    (void)note;
    const struct copy *c = &loading->copy;
    ledger_restore_item(loading->ledger, column_u32(c, 0), copy_text(c, 1), copy_i64(c, 2));
    return ERR_OK;
}

static enum err load_location(struct loading *loading, struct err_note *note)
{
    (void)note;
    const struct copy *c = &loading->copy;
    ledger_restore_location(loading->ledger, column_u32(c, 0), copy_text(c, 1), column_u32(c, 2));
    return ERR_OK;
}

static enum err load_level(struct loading *loading, struct err_note *note)
{
    (void)note;
    const struct copy *c = &loading->copy;
    struct level_row level = {
        .item = column_u32(c, 0),
        .location = column_u32(c, 1),
        .version = (uint64_t)copy_i64(c, 2),
        .seq = (uint64_t)copy_i64(c, 3),
        .time_ms = copy_i64(c, 4),
    };
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        level.quantities.of[q] = copy_i64(c, 5 + q);
    }
    ledger_restore_level(loading->ledger, &level);
    return ERR_OK;
}

/* Columns of the reservation's own, which each of its rows repeats; those of the line follow. */
enum { OF_LINE = 8 };

static void read_line(const struct copy *c, struct reservation_line *out)
{
    *out = (struct reservation_line){
        .item = column_u32(c, OF_LINE + 1),
        .location = column_u32(c, OF_LINE + 2),
        .quantity = copy_i64(c, OF_LINE + 3),
        .fulfilled = copy_i64(c, OF_LINE + 4),
        .returned = copy_i64(c, OF_LINE + 5),
    };
}

/* False: no commit wrote that. */
static bool read_head(struct loading *loading, struct reservation *out)
{
    const struct copy *c = &loading->copy;
    struct str reference = copy_text(c, 6);
    int64_t state = copy_i64(c, 2);
    int64_t count = copy_i64(c, 7);
    if (state < 1 || state >= RESERVATION_STATE_END || count < 1 || count > RESERVATION_PARTS_MAX ||
        reference.len > sizeof(loading->reference)) {
        return false;
    }
    *out = (struct reservation){
        .seq = (uint64_t)copy_i64(c, 0),
        .state = (enum reservation_state)state,
        .created_ms = copy_i64(c, 3),
        .expires_ms = copy_i64(c, 4),
        .updated_ms = copy_i64(c, 5),
        .lines = loading->lines,
        .lines_len = (uint32_t)count,
    };
    if (!str_is_absent(reference)) { /* the row goes before the last line has come */
        memcpy(loading->reference, reference.ptr, reference.len);
        out->reference = (struct str){loading->reference, reference.len};
    }
    return copy_bytes(c, 1, out->id.bytes, sizeof(out->id.bytes));
}

static enum err load_reservation(struct loading *loading, struct err_note *note)
{
    struct copy *c = &loading->copy;
    struct reservation reservation;
    bool more = true;
    if (!read_head(loading, &reservation)) {
        return refuse_row(note);
    }
    for (uint32_t n = 0; n < reservation.lines_len; n++) {
        if (n > 0) {
            TRY(copy_next(c, &more, note));
        }
        if (!more || (uint64_t)copy_i64(c, 0) != reservation.seq ||
            (uint64_t)copy_i64(c, OF_LINE) != reservation.seq + n) {
            return refuse_row(note);
        }
        read_line(c, &loading->lines[n]);
    }
    ledger_restore_reservation(loading->ledger, &reservation);
    return ERR_OK;
}

static enum err load_key(struct loading *loading, struct err_note *note)
{
    const struct copy *c = &loading->copy;
    struct key_row key = {
        .row = (uint64_t)copy_i64(c, 0),
        .time_ms = copy_i64(c, 1),
        .operation = copy_text(c, 2),
        .key = copy_text(c, 3),
        .status = (uint16_t)copy_i64(c, 5),
    };
    if (!copy_bytes(c, 4, key.fingerprint, sizeof(key.fingerprint))) {
        return refuse_row(note);
    }
    loading->keys->key(loading->keys->ctx, &key);
    return ERR_OK;
}

/* What is selected, and what follows the condition on the partition. */
struct table {
    const char *doing;
    const char *select;
    const char *rest;
    load_fn load;
};

static const struct table tables[] = {
    {"load items", "item, sku, defined_ms FROM item", "ORDER BY item", load_item},
    {"load locations", "location, id, priority FROM location", "ORDER BY location", load_location},
    /* In the order in which they lie, mostly that of the items: to look each up by an index would cost more. */
    {"load levels", "item, location, version, seq, time_ms, " QUANTITY_COLUMNS("") " FROM level", "", load_level},
    {"load reservations",
     "r.seq, id, state::bigint, created_ms, expires_ms, updated_ms, reference, lines::bigint, "
     "n.seq, item, location, quantity, fulfilled, returned FROM (SELECT * FROM reservation WHERE state IN (1, 2)) r "
     "JOIN (SELECT seq, item, location, quantity, fulfilled, returned FROM reservation_line) n "
     "ON n.seq BETWEEN r.seq AND r.seq + r.lines - 1",
     "ORDER BY r.seq, n.seq", load_reservation},
    {"load keys", KEY_COLUMNS " FROM idempotency", "ORDER BY \"row\"", load_key},
};

/*
 * The silence is of a server that looks for its first row; how long all of it takes is for nobody to limit. Compiling the
 * few expressions there are costs more than they do.
 */
static const struct link_kind kind = {
    .setup = LINK_SETUP "SET jit TO off; SET statement_timeout TO 0", .silence_ms = 60000};

/* Asked between rows too: a server that sends without a pause is never waited for. */
#define ROWS_ASK 4096

static bool is_unwanted(const struct store_key_sink *keys)
{
    return keys->goes_on != NULL && !keys->goes_on(keys->ctx);
}

static enum err load_rows(struct loading *loading, const struct table *t, const char *sql, struct err_note *note)
{
    bool more = false;
    TRY(copy_begin(&loading->copy, &loading->link, sql, t->doing, note));
    TRY(copy_next(&loading->copy, &more, note));
    while (more) {
        TRY(t->load(loading, note));
        if (++loading->rows % ROWS_ASK == 0 && is_unwanted(loading->keys)) {
            return ERR_SHUTTING_DOWN;
        }
        TRY(copy_next(&loading->copy, &more, note));
    }
    return ERR_OK;
}

static enum err load_table(struct loading *loading, const struct table *t, struct err_note *note)
{
    char sql[640];
    int len =
        snprintf(sql, sizeof(sql), "SELECT %s WHERE partition = %u %s", t->select, loading->store->partition, t->rest);
    check(len > 0 && (size_t)len < sizeof(sql));
    enum err e = load_rows(loading, t, sql, note);
    copy_release(&loading->copy);
    return e;
}

static enum err load_seq(struct loading *loading, struct err_note *note)
{
    char text[32];
    uint64_t seq = 0;
    TRY(link_read_text(&loading->link, "SELECT seq FROM partition", text, sizeof(text), note));
    bool good = str_to_u64(str_from(text), UINT64_MAX, &seq);
    check(good);
    ledger_restore_seq(loading->ledger, seq);
    return ERR_OK;
}

static enum err load_all(struct loading *loading, struct err_note *note)
{
    TRY(link_connect(&loading->link, note));
    TRY(link_exec(&loading->link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", note));
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        TRY(load_table(loading, &tables[i], note));
    }
    TRY(load_seq(loading, note));
    return link_exec(&loading->link, "COMMIT", note);
}

/* A commit in doubt is found out about first, so that it cannot come after what is read here. */
static enum err settle(struct store_postgres *s, struct err_note *note)
{
    bool stored = false;
    if (!s->is_away) {
        return ERR_OK;
    }
    enum err e = store_postgres_settle(s, &stored, note);
    if (e != ERR_OK) {
        return e == ERR_STORE_FULL ? ERR_STORE_AWAY : e;
    }
    s->commits += stored;
    s->is_away = false;
    return ERR_OK;
}

enum err
store_postgres_load(struct store *base, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    struct store_postgres *s = store_postgres_from(base);
    TRY(settle(s, note));
    struct loading *loading = mem_new(sizeof(*loading));
    *loading = (struct loading){.store = s, .ledger = l, .keys = keys};
    link_init(&loading->link, s->url, &kind);
    loading->link.goes_on = keys->goes_on;
    loading->link.goes_on_ctx = keys->ctx;
    enum err e = load_all(loading, note);
    link_release(&loading->link);
    mem_free(loading);
    if (e != ERR_OK && is_unwanted(keys)) {
        return err_note_set(note, ERR_SHUTTING_DOWN, "the load was ended");
    }
    return e;
}
