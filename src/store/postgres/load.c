/*
 * Rebuilding the ledger, in the order that core/ledger.h asks for, from one state of the database, a piece of each table
 * at a time.
 */
#include "store/postgres/rows.h"
#include "store/postgres/state.h"

#include "base/mem.h"

#define PIECE_ROWS 10000

struct loading {
    struct store_postgres *store;
    struct ledger *ledger;
    const struct store_key_sink *keys;
    struct link link;
    int64_t after[2]; /* the key of the last row of the piece before */
    struct reservation_line lines[RESERVATION_PARTS_MAX];
};

/* Reads the row (of a reservation: rows) from `row` on; how many it were. */
typedef enum err (*load_fn)(struct loading *loading, const PGresult *r, int row, int *out_rows);

static enum err load_item(struct loading *loading, const PGresult *r, int row, int *out_rows)
{
    *out_rows = 1;
    ledger_restore_item(loading->ledger, (uint32_t)pg_i64(r, row, 0), pg_text(r, row, 1), pg_i64(r, row, 2));
    return ERR_OK;
}

static enum err load_location(struct loading *loading, const PGresult *r, int row, int *out_rows)
{
    struct location_row location;
    *out_rows = 1;
    pg_row_location(r, row, &location);
    ledger_restore_location(loading->ledger, location.location, location.id, location.priority);
    return ERR_OK;
}

static enum err load_level(struct loading *loading, const PGresult *r, int row, int *out_rows)
{
    struct level_row level;
    *out_rows = 1;
    pg_row_level(r, row, &level);
    ledger_restore_level(loading->ledger, &level);
    return ERR_OK;
}

static enum err load_reservation(struct loading *loading, const PGresult *r, int row, int *out_rows)
{
    struct reservation reservation;
    TRY(pg_row_reservation(r, row, loading->lines, &reservation));
    *out_rows = (int)reservation.lines_len;
    ledger_restore_reservation(loading->ledger, &reservation);
    return ERR_OK;
}

static enum err load_key(struct loading *loading, const PGresult *r, int row, int *out_rows)
{
    struct key_row key;
    *out_rows = 1;
    TRY(pg_row_key(r, row, false, &key));
    loading->keys->key(loading->keys->ctx, &key);
    return ERR_OK;
}

/* $1 partition, $2 how many, $3 and $4 the key of the last row before. */
static const struct link_statement statements[] = {
    {"items",
     "SELECT item, sku, defined_ms FROM item WHERE partition = $1 AND item > $3 AND $4::bigint = 0 "
     "ORDER BY item LIMIT $2"},
    {"locations",
     "SELECT " LOCATION_COLUMNS " FROM location WHERE partition = $1 AND location > $3 AND $4::bigint = 0 "
     "ORDER BY location LIMIT $2"},
    /* The ledger knows the names by then. A join would be planned as one over the whole table, for each piece. */
    {"levels",
     "SELECT v.item, v.location, NULL::text, NULL::text, " QUANTITY_COLUMNS(
         "v.") ", v.version, v.seq, v.time_ms "
               "FROM level v WHERE partition = $1 AND (item, location) > ($3, $4) ORDER BY item, location LIMIT $2"},
    {"reservations",
     "SELECT " RESERVATION_COLUMNS " FROM (SELECT * FROM reservation WHERE partition = $1 "
     "AND state IN (1, 2) AND seq > $3 AND $4::bigint = 0 ORDER BY seq LIMIT $2) r" RESERVATION_LINES},
    {"keys",
     "SELECT " KEY_COLUMNS " FROM idempotency WHERE partition = $1 AND \"row\" > $3 AND $4::bigint = 0 "
     "ORDER BY \"row\" LIMIT $2"},
};

static const struct link_kind kind = {
    .setup = LINK_SETUP, .silence_ms = 60000, .statements = statements, .statements_len = ARRAY_LEN(statements)};

static enum err load_piece(struct loading *loading, const PGresult *r, load_fn load, struct err_note *note)
{
    int rows = 1;
    for (int row = 0; row < PQntuples(r); row += rows) {
        enum err e = load(loading, r, row, &rows);
        if (e != ERR_OK) {
            return err_note_set(note, e, "the database holds a row that was never written: run the audit");
        }
    }
    return ERR_OK;
}

static enum err ask_for_piece(struct loading *loading, const char *statement, struct err_note *note)
{
    struct call *c = &loading->store->call;
    call_begin(c);
    call_i64(c, loading->store->partition);
    call_i64(c, PIECE_ROWS);
    call_i64(c, loading->after[0]);
    call_i64(c, loading->after[1]);
    return call_send(c, &loading->link, statement) ? ERR_OK : link_error(&loading->link, NULL, statement, note);
}

/* The key of a row is in its first columns. The server prepares the next piece while this one is taken in. */
static enum err
load_table(struct loading *loading, const char *statement, int key_columns, load_fn load, struct err_note *note)
{
    int rows = 0;
    loading->after[0] = 0;
    loading->after[1] = 0;
    TRY(ask_for_piece(loading, statement, note));
    do {
        PGresult *r = NULL;
        enum err e = call_take(&loading->link, statement, &r, note);
        rows = e == ERR_OK ? PQntuples(r) : 0;
        if (rows > 0) {
            for (int i = 0; i < key_columns; i++) {
                loading->after[i] = pg_i64(r, rows - 1, i);
            }
            e = ask_for_piece(loading, statement, note);
        }
        if (e == ERR_OK) {
            e = load_piece(loading, r, load, note);
        }
        PQclear(r);
        TRY(e);
    } while (rows > 0);
    return ERR_OK;
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
    TRY(load_table(loading, "items", 1, load_item, note));
    TRY(load_table(loading, "locations", 1, load_location, note));
    TRY(load_table(loading, "levels", 2, load_level, note));
    TRY(load_table(loading, "reservations", 1, load_reservation, note));
    TRY(load_seq(loading, note));
    TRY(load_table(loading, "keys", 1, load_key, note));
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
    enum err e = load_all(loading, note);
    link_release(&loading->link);
    mem_free(loading);
    return e;
}
