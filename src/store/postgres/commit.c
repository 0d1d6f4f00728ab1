/*
 * Writing: one batch, one transaction, one exchange with the server. Each call gives a table its rows as arrays, a column
 * each; what must not happen is refused by the functions of sql/postgres/.
 */
#include "store/postgres/postgres.h"
#include "store/postgres/state.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_US 50000

static const struct link_statement statements[] = {
    {"begin", "BEGIN"},
    {"commit", "COMMIT"},
    {"claim",
     "SELECT c.claimed, (c.holds).epoch, (c.holds).session, (c.holds).commits, (c.holds).seq, (c.holds).time_ms, "
     "(SELECT max(item) FROM item), (c.holds).leader FROM claim($1, $2, $3, $4) c"},
    /* Waits for what an earlier connection has not finished. */
    {"take_over",
     "UPDATE partition SET session = session + 1 WHERE partition = $1 AND epoch = $2 RETURNING session, commits"},
    {"end_stuck", "SELECT end_stuck_owners() FROM partition WHERE partition = $1 AND epoch = $2"},
    {"advance", "SELECT advance($1, $2, $3, $4, $5, $6, $7)"},
    {"add_items", "SELECT add_items($1, $2, $3, $4, $5, $6)"},
    {"change_items", "SELECT change_items($1, $2, $3, $4, $5)"},
    {"add_locations", "SELECT add_locations($1, $2, $3, $4, $5)"},
    {"change_locations", "SELECT change_locations($1, $2, $3, $4, $5)"},
    {"add_levels", "SELECT add_levels($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"},
    {"change_levels", "SELECT change_levels($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"},
    {"add_movements",
     "SELECT add_movements($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, "
     "$21, $22, $23, $24, $25)"},
    {"add_reservations", "SELECT add_reservations($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    {"change_reservations", "SELECT change_reservations($1, $2, $3, $4, $5, $6)"},
    {"add_lines", "SELECT add_lines($1, $2, $3, $4, $5, $6, $7)"},
    {"change_lines", "SELECT change_lines($1, $2, $3, $4, $5, $6)"},
    {"add_keys", "SELECT add_keys($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    {"purge_keys", "SELECT purge_keys($1)"},
    {"add_run", "SELECT add_run($1)"},
};

/* Should the network die, the server gives up its end, and with it the row, about as soon as we do. */
const struct link_kind store_postgres_writer = {
    .setup = LINK_SETUP LINK_BY_INDEX
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
    .silence_ms = STORE_POSTGRES_WAIT_MS,
    .statements = statements,
    .statements_len = ARRAY_LEN(statements)};

/* From here on nothing is written any more. Returns `e`. */
static enum err distrust(struct store_postgres *s, enum err e)
{
    s->failed = e;
    return e;
}

/*
 * The calls of one transaction, in the pipeline. After one that could not be sent the others do nothing.
 */

struct transaction {
    struct store_postgres *store;
    const struct batch *batch;
    int sent;
    bool broken;
};

static struct call *begin_call(struct transaction *t)
{
    struct call *c = &t->store->call;
    call_begin(c);
    call_i64(c, t->store->partition);
    return c;
}

static void end_call(struct transaction *t, const char *statement)
{
    t->broken = t->broken || !call_send(&t->store->call, &t->store->link, statement);
    t->sent += !t->broken;
}

static void send_plain(struct transaction *t, const char *statement)
{
    call_begin(&t->store->call);
    end_call(t, statement);
}

/* A column of an array of rows: `expr` of each that `wanted` says, `row` being the row. */
#define COLUMN(c, type, rows, len, row, wanted, put)    \
    do {                                                \
        call_array(c, type);                            \
        for (size_t at = 0; at < (len); at++) {         \
            const typeof((rows)[0]) *row = &(rows)[at]; \
            if (wanted) {                               \
                put;                                    \
            }                                           \
        }                                               \
        call_array_end(c);                              \
    } while (0)

static void send_advance(struct transaction *t)
{
    struct call *c = begin_call(t);
    call_i64(c, (int64_t)t->batch->epoch);
    call_i64(c, (int64_t)t->store->session);
    call_i64(c, (int64_t)t->store->commits);
    call_i64(c, (int64_t)t->batch->seq_before);
    call_i64(c, (int64_t)t->batch->seq_after);
    call_i64(c, t->batch->time_ms);
    end_call(t, "advance");
}

static void send_items(struct transaction *t, bool created)
{
    const struct changes *g = t->batch->changes;
    struct call *c = begin_call(t);
    COLUMN(c, CALL_I64, g->items, g->items_len, i, i->created == created, call_element_i64(c, i->item));
    if (c->array_len == 0) {
        return;
    }
    COLUMN(c, CALL_TEXT, g->items, g->items_len, i, i->created == created, call_element_str(c, i->sku));
    COLUMN(c, CALL_TEXT, g->items, g->items_len, i, i->created == created, call_element_str(c, i->name));
    COLUMN(c, CALL_TEXT, g->items, g->items_len, i, i->created == created, call_element_str(c, i->attributes));
    if (created) {
        COLUMN(c, CALL_I64, g->items, g->items_len, i, i->created, call_element_i64(c, i->time_ms));
    }
    end_call(t, created ? "add_items" : "change_items");
}

static void send_locations(struct transaction *t, bool created)
{
    const struct changes *g = t->batch->changes;
    struct call *c = begin_call(t);
    COLUMN(c, CALL_I64, g->locations, g->locations_len, l, l->created == created, call_element_i64(c, l->location));
    if (c->array_len == 0) {
        return;
    }
    COLUMN(c, CALL_TEXT, g->locations, g->locations_len, l, l->created == created, call_element_str(c, l->id));
    COLUMN(c, CALL_TEXT, g->locations, g->locations_len, l, l->created == created, call_element_str(c, l->name));
    COLUMN(c, CALL_I64, g->locations, g->locations_len, l, l->created == created, call_element_i64(c, l->priority));
    end_call(t, created ? "add_locations" : "change_locations");
}

static void send_levels(struct transaction *t, bool created)
{
    const struct changes *g = t->batch->changes;
    const struct movement *m = g->movements;
    struct call *c = begin_call(t);
#define LEVEL_COLUMN(expr)                                               \
    COLUMN(                                                              \
        c, CALL_I64, g->levels, g->levels_len, v, v->created == created, \
        call_element_i64(c, (int64_t)m[v->movement].expr))
    LEVEL_COLUMN(item);
    if (c->array_len == 0) {
        return;
    }
    LEVEL_COLUMN(location);
    LEVEL_COLUMN(version);
    LEVEL_COLUMN(seq);
    LEVEL_COLUMN(time_ms);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        LEVEL_COLUMN(after.of[q]);
    }
#undef LEVEL_COLUMN
    end_call(t, created ? "add_levels" : "change_levels");
}

static void element_or_null(struct call *c, uint64_t v)
{
    if (v == 0) {
        call_element_null(c);
    } else {
        call_element_i64(c, (int64_t)v);
    }
}

static void send_movements(struct transaction *t)
{
    const struct changes *g = t->batch->changes;
    struct call *c = begin_call(t);
    if (g->movements_len == 0) {
        return;
    }
#define NUMBERS(expr) \
    COLUMN(c, CALL_I64, g->movements, g->movements_len, m, true, call_element_i64(c, (int64_t)m->expr))
#define TEXTS(expr) COLUMN(c, CALL_TEXT, g->movements, g->movements_len, m, true, call_element_str(c, m->expr))
    NUMBERS(seq);
    NUMBERS(time_ms);
    NUMBERS(kind);
    NUMBERS(item);
    NUMBERS(location);
    NUMBERS(version);
    COLUMN(c, CALL_I64, g->movements, g->movements_len, m, true, element_or_null(c, m->reservation));
    TEXTS(reason);
    TEXTS(reference);
    TEXTS(actor);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        NUMBERS(delta.of[q]);
    }
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        NUMBERS(after.of[q]);
    }
#undef NUMBERS
#undef TEXTS
    end_call(t, "add_movements");
}

static void send_reservations(struct transaction *t, bool created)
{
    const struct changes *g = t->batch->changes;
    struct call *c = begin_call(t);
#define RESERVATION_COLUMN(type, put) \
    COLUMN(c, type, g->reservations, g->reservations_len, r, r->created == created, put)
    RESERVATION_COLUMN(CALL_I64, call_element_i64(c, (int64_t)r->row.seq));
    if (c->array_len == 0) {
        return;
    }
    RESERVATION_COLUMN(CALL_UUID, call_element_bytes(c, r->row.id.bytes, sizeof(r->row.id.bytes)));
    RESERVATION_COLUMN(CALL_I64, call_element_i64(c, r->row.state));
    if (created) {
        RESERVATION_COLUMN(CALL_I64, call_element_i64(c, r->row.created_ms));
    }
    RESERVATION_COLUMN(CALL_I64, call_element_i64(c, r->row.expires_ms));
    RESERVATION_COLUMN(CALL_I64, call_element_i64(c, r->row.updated_ms));
    if (created) {
        RESERVATION_COLUMN(CALL_TEXT, call_element_str(c, r->row.reference));
        RESERVATION_COLUMN(CALL_I64, call_element_i64(c, r->row.lines_len));
    }
#undef RESERVATION_COLUMN
    end_call(t, created ? "add_reservations" : "change_reservations");
}

static void
put_lines(struct call *c, const struct reservation *r, int64_t (*of)(const struct reservation *r, uint32_t n))
{
    for (uint32_t n = 0; n < r->lines_len; n++) {
        call_element_i64(c, of(r, n));
    }
}

static int64_t line_seq(const struct reservation *r, uint32_t n)
{
    return (int64_t)(r->seq + n);
}

static int64_t line_item(const struct reservation *r, uint32_t n)
{
    return r->lines[n].item;
}

static int64_t line_location(const struct reservation *r, uint32_t n)
{
    return r->lines[n].location;
}

static int64_t line_fulfilled(const struct reservation *r, uint32_t n)
{
    return r->lines[n].fulfilled;
}

static int64_t line_returned(const struct reservation *r, uint32_t n)
{
    return r->lines[n].returned;
}

static int64_t line_quantity(const struct reservation *r, uint32_t n)
{
    return r->lines[n].quantity;
}

static void send_lines(struct transaction *t, bool created)
{
    static int64_t (*const columns[])(const struct reservation *r, uint32_t n) = {
        line_seq, line_item, line_location, line_fulfilled, line_returned, line_quantity};
    const struct changes *g = t->batch->changes;
    struct call *c = begin_call(t);
    size_t columns_len = created ? ARRAY_LEN(columns) : ARRAY_LEN(columns) - 1;
    for (size_t i = 0; i < columns_len; i++) {
        COLUMN(
            c, CALL_I64, g->reservations, g->reservations_len, r,
            r->created == created && (created || r->lines_touched), put_lines(c, &r->row, columns[i]));
        if (c->array_len == 0) {
            return;
        }
    }
    end_call(t, created ? "add_lines" : "change_lines");
}

static void send_keys(struct transaction *t)
{
    const struct batch *b = t->batch;
    struct call *c = begin_call(t);
    if (b->keys_len > 0) {
#define KEY_COLUMN(type, put) COLUMN(c, type, b->keys, b->keys_len, k, true, put)
        KEY_COLUMN(CALL_I64, call_element_i64(c, (int64_t)k->row));
        KEY_COLUMN(CALL_I64, call_element_i64(c, k->time_ms));
        KEY_COLUMN(CALL_TEXT, call_element_str(c, k->operation));
        KEY_COLUMN(CALL_TEXT, call_element_str(c, k->key));
        KEY_COLUMN(CALL_BYTES, call_element_bytes(c, k->fingerprint, sizeof(k->fingerprint)));
        KEY_COLUMN(CALL_I64, call_element_i64(c, k->status));
        KEY_COLUMN(CALL_TEXT, call_element_str(c, k->location));
        KEY_COLUMN(CALL_TEXT, call_element_str(c, k->answer));
#undef KEY_COLUMN
        end_call(t, "add_keys");
    }
    if (b->purge_keys_to > 0) {
        call_begin(c);
        call_i64(c, (int64_t)b->purge_keys_to);
        end_call(t, "purge_keys");
    }
}

/* The runs that this batch completes; mostly none. */
static void send_runs(struct transaction *t)
{
    for (uint64_t run = t->batch->seq_before / RUN_MOVEMENTS; run < t->batch->seq_after / RUN_MOVEMENTS; run++) {
        call_begin(&t->store->call);
        call_i64(&t->store->call, (int64_t)run);
        end_call(t, "add_run");
    }
}

static void send_batch(struct transaction *t)
{
    send_plain(t, "begin");
    send_advance(t);
    send_items(t, true);
    send_items(t, false);
    send_locations(t, true);
    send_locations(t, false);
    send_levels(t, true);
    send_levels(t, false);
    send_movements(t);
    send_reservations(t, true);
    send_reservations(t, false);
    send_lines(t, true);
    send_lines(t, false);
    send_keys(t);
    send_runs(t);
    send_plain(t, "commit");
    t->broken = t->broken || PQpipelineSync(t->store->link.conn) != 1;
}

/* The first error of all answers. ERR_STORE_AWAY: it is not known what became of it. */
static enum err receive_batch(struct transaction *t, struct err_note *note)
{
    struct link *l = &t->store->link;
    enum err e = ERR_OK;
    for (int i = 0; i < t->sent; i++) {
        PGresult *r = NULL;
        if (!link_result(l, &r) || r == NULL) {
            return e != ERR_OK ? e : link_error(l, NULL, "commit", note);
        }
        ExecStatusType status = PQresultStatus(r);
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!good && e == ERR_OK) {
            e = link_error(l, r, "commit", note);
        }
        PQclear(r);
        for (PGresult *end = NULL; link_result(l, &end) && end != NULL;) {
            PQclear(end); /* never more than the one that ends the command */
        }
    }
    PGresult *sync = NULL;
    bool synced = link_result(l, &sync) && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return e == ERR_OK && !synced ? link_error(l, NULL, "commit", note) : e;
}

static enum err run_transaction(struct store_postgres *s, const struct batch *b, struct err_note *note)
{
    struct transaction t = {.store = s, .batch = b};
    if (!link_is_up(&s->link) || PQenterPipelineMode(s->link.conn) != 1) {
        return link_error(&s->link, NULL, "commit", note);
    }
    send_batch(&t);
    enum err e = t.broken ? link_error(&s->link, NULL, "commit", note) : receive_batch(&t, note);
    if (t.broken || PQexitPipelineMode(s->link.conn) != 1) {
        link_release(&s->link); /* nothing more is known of this connection */
        return e == ERR_OK ? ERR_STORE_AWAY : e;
    }
    struct err_note ignored;
    if (e != ERR_OK && link_exec(&s->link, "ROLLBACK", &ignored) != ERR_OK) {
        link_release(&s->link);
    }
    return e;
}

/* Runs a statement that takes the partition and our epoch. */
static enum err run_as_owner(struct store_postgres *s, const char *statement, PGresult **out, struct err_note *note)
{
    call_begin(&s->call);
    call_i64(&s->call, s->partition);
    call_i64(&s->call, (int64_t)s->epoch);
    return call_run(&s->call, &s->link, statement, out, note);
}

/* A new connection that holds the partition, when it is still ours. From then on nothing of an older one counts. */
static enum err take_over(struct store_postgres *s, uint64_t *out_commits, struct err_note *note)
{
    PGresult *r = NULL;
    s->was_silent = s->was_silent || s->link.is_silent;
    TRY(store_postgres_reconnect(s, note));
    if (s->was_silent) { /* perhaps we wait for an older connection of our own, of which only we know that it is dead */
        TRY(run_as_owner(s, "end_stuck", &r, note));
        PQclear(r);
        s->was_silent = false;
    }
    TRY(run_as_owner(s, "take_over", &r, note));
    enum err e = PQntuples(r) == 1 ? ERR_OK : err_note_set(note, ERR_FENCED, "another process owns the stock");
    if (e == ERR_OK) {
        s->session = (uint64_t)pg_i64(r, 0, 0);
        *out_commits = (uint64_t)pg_i64(r, 0, 1);
    }
    PQclear(r);
    return e;
}

enum err store_postgres_settle(struct store_postgres *s, bool *out_stored, struct err_note *note)
{
    uint64_t commits = 0;
    TRY(take_over(s, &commits, note));
    if (commits != s->commits && commits != s->commits + 1) {
        return err_note_set(note, ERR_IO, "the database is not the one that had all commits so far");
    }
    *out_stored = commits == s->commits + 1;
    return ERR_OK;
}

/* The connection broke: tries for a while. A full disk is no place to look either. */
static enum err find_out(struct store_postgres *s, int64_t until_ms, bool *out_stored, struct err_note *note)
{
    enum err e = store_postgres_settle(s, out_stored, note);
    while (e != ERR_OK && e != ERR_FENCED && e != ERR_CONFIG && clock_mono_ms() < until_ms) {
        usleep(RETRY_US);
        e = store_postgres_settle(s, out_stored, note);
    }
    return e;
}

/* ERR_OK: it is known whether the batch is stored. */
static enum err after_failure(struct store_postgres *s, int64_t until_ms, bool *out_stored, struct err_note *note)
{
    /* What the server refuses for any other reason, on a connection that is whole, it would refuse again. */
    enum err e = link_is_up(&s->link) ? ERR_IO : find_out(s, until_ms, out_stored, note);
    if (e == ERR_STORE_AWAY || e == ERR_STORE_FULL) {
        s->is_away = true;
        return ERR_STORE_AWAY;
    }
    if (e == ERR_OK) {
        return ERR_OK;
    }
    /* Another owner: whether the batch came before it cannot be told. */
    return distrust(s, e == ERR_FENCED ? ERR_DEPOSED : ERR_IO);
}

enum err store_postgres_commit(struct store *base, const struct batch *b, struct err_note *note)
{
    struct store_postgres *s = store_postgres_from(base);
    check(b->partition == s->partition);
    if (s->failed != ERR_OK) {
        return err_note_set(note, s->failed, "an earlier write failed");
    }
    if (s->is_away) {
        return err_note_set(note, ERR_STORE_AWAY, "an earlier write is in doubt");
    }
    bool stored = false;
    while (!stored) {
        int64_t until_ms = clock_mono_ms() + s->wait_ms;
        enum err e = run_transaction(s, b, note);
        stored = e == ERR_OK;
        if (e == ERR_STORE_FULL || e == ERR_FENCED) {
            return e;
        }
        if (e != ERR_OK) {
            TRY(after_failure(s, until_ms, &stored, note));
        }
    }
    s->commits++;
    return ERR_OK;
}
