/*
 * Writing: one batch, one transaction. Rows are appended by rising keys; reservations are updated in place, and some of
 * the levels that are behind (sweep.h).
 */
#include "store/sqlite/log_file.h"
#include "store/sqlite/row.h"
#include "store/sqlite/state.h"

#include <stdio.h>

/* https://www.sqlite.org/fileformat2.html#walformat */
#define LOG_HEAD_BYTES 32
#define LOG_FRAME_HEAD_BYTES 24

const char *const store_sqlite_writes[WRITE_COUNT] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_CLAIM] = "UPDATE partition SET epoch = epoch + 1 WHERE partition = ?1 RETURNING epoch, seq, time_ms, "
                    "(SELECT max(item) FROM item)",
    [WRITE_ADVANCE] = "UPDATE partition SET seq = ?4, time_ms = ?5 WHERE partition = ?1 AND epoch = ?2 AND seq = ?3",
    [WRITE_ITEM_INSERT] = "INSERT INTO item (item, partition, sku, name, attributes, defined_ms) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [WRITE_ITEM_UPDATE] = "UPDATE item SET name = ?4, attributes = ?5 WHERE item = ?1 AND partition = ?2 AND sku = ?3",
    [WRITE_LOCATION_INSERT] = "INSERT INTO location (location, partition, id, name, priority) "
                              "VALUES (?1, ?2, ?3, ?4, ?5)",
    [WRITE_LOCATION_UPDATE] = "UPDATE location SET name = ?4, priority = ?5 "
                              "WHERE location = ?1 AND partition = ?2 AND id = ?3",
    [WRITE_LEVEL_INSERT] = "INSERT INTO level (item, location, partition, version, seq, time_ms, " QUANTITY_COLUMNS(
        "") ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [WRITE_LEVEL_SWEEP] = "UPDATE level SET (version, seq, time_ms, " QUANTITY_COLUMNS(
        "") ") = "
            "(SELECT version, seq, time_ms, " QUANTITY_COLUMNS(
                "") " FROM movement "
                    "WHERE seq = ?4 AND item = ?1 AND location = ?2) "
                    "WHERE item = ?1 AND location = ?2 AND partition = ?3 AND seq < ?4",
    [WRITE_SWEPT] = "UPDATE partition SET levels_seq = ?2 WHERE partition = ?1",
    [WRITE_SWEPT_ALL] = "UPDATE partition SET levels_seq = seq WHERE partition = ?1 AND epoch = ?2 AND seq = ?3",
    [WRITE_MOVEMENT_INSERT] =
        "INSERT INTO movement (seq, partition, time_ms, kind, item, location, version, reservation, reason, reference, "
        "actor, " DELTA_COLUMNS("") ", " QUANTITY_COLUMNS(
            "") ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "
                "?21, ?22, ?23, ?24, ?25)",
    [WRITE_RESERVATION_INSERT] = "INSERT INTO reservation (seq, partition, id, state, expires_ms, updated_ms, "
                                 "created_ms, reference, lines) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_RESERVATION_UPDATE] = "UPDATE reservation SET state = ?4, expires_ms = ?5, updated_ms = ?6 "
                                 "WHERE seq = ?1 AND partition = ?2 AND id = ?3",
    [WRITE_LINE_INSERT] = "INSERT INTO reservation_line (seq, partition, item, location, fulfilled, returned, "
                          "quantity) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_LINE_UPDATE] = "UPDATE reservation_line SET fulfilled = ?5, returned = ?6 "
                          "WHERE seq = ?1 AND partition = ?2 AND item = ?3 AND location = ?4",
    [WRITE_KEY_INSERT] = "INSERT INTO idempotency (row, partition, time_ms, operation, key, fingerprint, status, "
                         "location, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_KEY_PURGE] = "DELETE FROM idempotency WHERE row <= ?1",
    [WRITE_MOVEMENT_RUN] = "INSERT INTO movement_run (run, item, location, seq) SELECT ?1, item, location, seq "
                           "FROM movement WHERE seq > ?2 AND seq <= ?3 ORDER BY item, location, seq",
    [WRITE_REFERENCE_RUN] = "INSERT INTO reference_run (run, reference, seq) SELECT ?1, reference, seq "
                            "FROM reservation WHERE seq > ?2 AND seq <= ?3 AND reference IS NOT NULL "
                            "ORDER BY reference, seq",
};

static enum err write_batch(struct store_sqlite *s, const struct batch *b, struct err_note *note);
static enum err sweep(struct store_sqlite *s, struct sweep_share share, struct err_note *note);
static enum err sweep_rows(struct store_sqlite *s, struct sweep_share share, struct err_note *note);
static enum err mark_all_swept(struct store_sqlite *s, struct err_note *note);
static enum err undo(struct store_sqlite *s, enum err e, struct err_note *note);
static void checkpoint(struct store_sqlite *s);

/* From here on nothing is written any more, not even when the store is closed. Returns `e`. */
static enum err distrust(struct store_sqlite *s, enum err e)
{
    s->failed = ERR_IO;
    recent_fail(&s->recent);
    (void)err_note_set(&s->failure, ERR_IO, "an earlier write failed");
    return e;
}

enum err store_sqlite_claim(struct store *base, const char *leader, struct store_head *out, struct err_note *note)
{
    struct store_sqlite *s = store_sqlite_from(base);
    sqlite3_stmt *claim = s->write[WRITE_CLAIM];
    bind_i64(claim, 1, s->partition);
    bool row = false;
    enum err e = database_step(claim, &row, note);
    if (e == ERR_OK) {
        check(row);
        s->epoch = (uint64_t)sqlite3_column_int64(claim, 0);
        *out = (struct store_head){
            .epoch = (uint64_t)sqlite3_column_int64(claim, 0),
            .seq = (uint64_t)sqlite3_column_int64(claim, 1),
            .time_ms = sqlite3_column_int64(claim, 2),
            .items = (uint64_t)sqlite3_column_int64(claim, 3), /* NULL reads as 0 */
        };
        snprintf(out->leader, sizeof(out->leader), "%s", leader);
        e = database_step(claim, &row, note); /* the end of the statement commits it */
    }
    sqlite3_reset(claim);
    return e == ERR_OK ? e : distrust(s, e);
}

enum err store_sqlite_commit(struct store *base, const struct batch *b, struct err_note *note)
{
    struct store_sqlite *s = store_sqlite_from(base);
    check(b->partition == s->partition);
    if (s->failed != ERR_OK) {
        return err_note_set(note, s->failed, "%s", s->failure.text);
    }
    struct sweep_share share = sweep_next(&s->sweep, &s->recent, b->seq_after);
    enum err e = database_run(s->write[WRITE_BEGIN], note);
    if (e == ERR_OK) {
        e = write_batch(s, b, note);
    }
    if (e == ERR_OK) {
        e = sweep(s, share, note);
    }
    if (e == ERR_OK) {
        e = database_run(s->write[WRITE_COMMIT], note);
    }
    if (e != ERR_OK) {
        return undo(s, e, note);
    }
    recent_advance(&s->recent, b, s->sweep.order.of + s->sweep.at, share.to - s->sweep.at);
    sweep_done(&s->sweep, share);
    if (s->wal_pages >= s->checkpoint_pages) {
        checkpoint(s);
    }
    return ERR_OK;
}

enum err store_sqlite_sweep_all(struct store_sqlite *s, struct err_note *note)
{
    struct sweep_share share = sweep_rest(&s->sweep, &s->recent);
    enum err e = database_run(s->write[WRITE_BEGIN], note);
    if (e == ERR_OK) {
        e = mark_all_swept(s, note);
    }
    if (e == ERR_OK) {
        e = sweep_rows(s, share, note);
    }
    if (e == ERR_OK) {
        e = database_run(s->write[WRITE_COMMIT], note);
    }
    return e == ERR_OK ? e : undo(s, e, note);
}

/*
 * A full disk and a lost ownership leave the file as it was: SQLite reports the first before the last page of the
 * transaction, the one that makes it count, is in the WAL. Any other failure is in doubt and final.
 */
static enum err undo(struct store_sqlite *s, enum err e, struct err_note *note)
{
    struct err_note local;
    bool undone = sqlite3_get_autocommit(s->db) || database_run(s->write[WRITE_ROLLBACK], &local) == ERR_OK;
    if ((e == ERR_STORE_FULL || e == ERR_FENCED) && undone) {
        return e;
    }
    (void)distrust(s, ERR_IO);
    return e == ERR_STORE_FULL ? err_note_set(note, ERR_IO, "cannot undo a commit that did not fit on the disk")
                               : ERR_IO;
}

/*
 * Runs on the connection that writes, never on another: libraries before 3.51.3 can damage the database when two
 * connections write and checkpoint at once. A reader in the way, or a full disk, only postpones it.
 */
static void checkpoint(struct store_sqlite *s)
{
    sqlite3_file *log = database_log(s->db);
    log_file_read_ahead(log, LOG_HEAD_BYTES + (int64_t)s->wal_pages * (s->page_bytes + LOG_FRAME_HEAD_BYTES));
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) & 0xff;
    log_file_forget(log);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED && rc != SQLITE_FULL) {
        s->failed = database_error(s->db, "move the log into the database", &s->failure);
    }
}

/* An update of the partition's row that must find it as we left it. */
static enum err
run_as_owner(struct store_sqlite *s, sqlite3_stmt *w, uint64_t epoch, uint64_t seq, struct err_note *note)
{
    TRY(database_run(w, note));
    if (sqlite3_changes(s->db) == 1) {
        return ERR_OK;
    }
    return err_note_set(
        note, ERR_FENCED, "the store is no longer at epoch %llu, seq %llu: another process owns it",
        (unsigned long long)epoch, (unsigned long long)seq);
}

static enum err advance(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    sqlite3_stmt *w = s->write[WRITE_ADVANCE];
    bind_i64(w, 1, b->partition);
    bind_i64(w, 2, (int64_t)b->epoch);
    bind_i64(w, 3, (int64_t)b->seq_before);
    bind_i64(w, 4, (int64_t)b->seq_after);
    bind_i64(w, 5, b->time_ms);
    return run_as_owner(s, w, b->epoch, b->seq_before, note);
}

/* An update that must hit exactly its row. */
static enum err run_on_one(struct store_sqlite *s, sqlite3_stmt *w, struct err_note *note)
{
    TRY(database_run(w, note));
    check(sqlite3_changes(s->db) == 1);
    return ERR_OK;
}

static void bind_quantities(sqlite3_stmt *w, int at, const struct quantities *v)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        bind_i64(w, at + q, v->of[q]);
    }
}

static enum err write_items(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    for (size_t i = 0; i < b->changes->items_len; i++) {
        const struct item_change *c = &b->changes->items[i];
        sqlite3_stmt *w = s->write[c->created ? WRITE_ITEM_INSERT : WRITE_ITEM_UPDATE];
        bind_i64(w, 1, c->item);
        bind_i64(w, 2, b->partition);
        bind_str(w, 3, c->sku);
        bind_str(w, 4, c->name);
        bind_str(w, 5, c->attributes);
        if (c->created) {
            bind_i64(w, 6, c->time_ms);
        }
        TRY(run_on_one(s, w, note));
    }
    return ERR_OK;
}

static enum err write_locations(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    for (size_t i = 0; i < b->changes->locations_len; i++) {
        const struct location_change *c = &b->changes->locations[i];
        sqlite3_stmt *w = s->write[c->created ? WRITE_LOCATION_INSERT : WRITE_LOCATION_UPDATE];
        bind_i64(w, 1, c->location);
        bind_i64(w, 2, b->partition);
        bind_str(w, 3, c->id);
        bind_str(w, 4, c->name);
        bind_i64(w, 5, c->priority);
        TRY(run_on_one(s, w, note));
    }
    return ERR_OK;
}

/* New ones only; the others wait for the sweep. */
static enum err write_levels(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    sqlite3_stmt *w = s->write[WRITE_LEVEL_INSERT];
    for (size_t i = 0; i < b->changes->levels_len; i++) {
        const struct level_change *c = &b->changes->levels[i];
        const struct movement *m = &b->changes->movements[c->movement];
        if (!c->created) {
            continue;
        }
        bind_i64(w, 1, m->item);
        bind_i64(w, 2, m->location);
        bind_i64(w, 3, b->partition);
        bind_i64(w, 4, (int64_t)m->version);
        bind_i64(w, 5, (int64_t)m->seq);
        bind_i64(w, 6, m->time_ms);
        bind_quantities(w, 7, &m->after);
        TRY(run_on_one(s, w, note));
    }
    return ERR_OK;
}

/* To what they were before the batch of this commit: what it moves is behind again at once. */
static enum err sweep_rows(struct store_sqlite *s, struct sweep_share share, struct err_note *note)
{
    for (size_t i = s->sweep.at; i < share.to; i++) {
        const struct recent_level *level = &s->sweep.order.of[i];
        sqlite3_stmt *w = s->write[WRITE_LEVEL_SWEEP];
        bind_i64(w, 1, level->item);
        bind_i64(w, 2, level->location);
        bind_i64(w, 3, s->partition);
        bind_i64(w, 4, (int64_t)recent_seq_of(&s->recent, level->item, level->location));
        TRY(run_on_one(s, w, note));
    }
    return ERR_OK;
}

static enum err sweep(struct store_sqlite *s, struct sweep_share share, struct err_note *note)
{
    TRY(sweep_rows(s, share, note));
    if (!share.is_last) {
        return ERR_OK;
    }
    bind_i64(s->write[WRITE_SWEPT], 1, s->partition);
    bind_i64(s->write[WRITE_SWEPT], 2, (int64_t)s->sweep.began_seq);
    return run_on_one(s, s->write[WRITE_SWEPT], note);
}

/* No batch comes with it that would find out who owns the store. */
static enum err mark_all_swept(struct store_sqlite *s, struct err_note *note)
{
    sqlite3_stmt *w = s->write[WRITE_SWEPT_ALL];
    bind_i64(w, 1, s->partition);
    bind_i64(w, 2, (int64_t)s->epoch);
    bind_i64(w, 3, (int64_t)s->recent.seq);
    return run_as_owner(s, w, s->epoch, s->recent.seq, note);
}

static enum err write_movement(sqlite3_stmt *w, const struct movement *m, struct err_note *note)
{
    bind_i64(w, 1, (int64_t)m->seq);
    bind_i64(w, 3, m->time_ms);
    bind_i64(w, 4, m->kind);
    bind_i64(w, 5, m->item);
    bind_i64(w, 6, m->location);
    bind_i64(w, 7, (int64_t)m->version);
    if (m->reservation == 0) {
        bind_str(w, 8, STR_NONE);
    } else {
        bind_i64(w, 8, (int64_t)m->reservation);
    }
    bind_str(w, 9, m->reason);
    bind_str(w, 10, m->reference);
    bind_str(w, 11, m->actor);
    bind_quantities(w, 12, &m->delta);
    bind_quantities(w, 12 + QUANTITY_COUNT, &m->after);
    return database_run(w, note);
}

static enum err write_movements(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    sqlite3_stmt *w = s->write[WRITE_MOVEMENT_INSERT];
    bind_i64(w, 2, b->partition);
    for (size_t i = 0; i < b->changes->movements_len; i++) {
        TRY(write_movement(w, &b->changes->movements[i], note));
    }
    return ERR_OK;
}

static enum err
write_lines(struct store_sqlite *s, const struct batch *b, const struct reservation_change *c, struct err_note *note)
{
    sqlite3_stmt *w = s->write[c->created ? WRITE_LINE_INSERT : WRITE_LINE_UPDATE];
    bind_i64(w, 2, b->partition);
    for (uint32_t n = 0; n < c->row.lines_len; n++) {
        const struct reservation_line *line = &c->row.lines[n];
        bind_i64(w, 1, (int64_t)(c->row.seq + n));
        bind_i64(w, 3, line->item);
        bind_i64(w, 4, line->location);
        bind_i64(w, 5, line->fulfilled);
        bind_i64(w, 6, line->returned);
        if (c->created) {
            bind_i64(w, 7, line->quantity);
        }
        TRY(run_on_one(s, w, note));
    }
    return ERR_OK;
}

static enum err write_reservation(
    struct store_sqlite *s, const struct batch *b, const struct reservation_change *c, struct err_note *note)
{
    const struct reservation *r = &c->row;
    sqlite3_stmt *w = s->write[c->created ? WRITE_RESERVATION_INSERT : WRITE_RESERVATION_UPDATE];
    bind_i64(w, 1, (int64_t)r->seq);
    bind_i64(w, 2, b->partition);
    bind_blob(w, 3, r->id.bytes, sizeof(r->id.bytes));
    bind_i64(w, 4, r->state);
    bind_i64(w, 5, r->expires_ms);
    bind_i64(w, 6, r->updated_ms);
    if (c->created) {
        bind_i64(w, 7, r->created_ms);
        bind_str(w, 8, r->reference);
        bind_i64(w, 9, r->lines_len);
    }
    TRY(run_on_one(s, w, note));
    return c->created || c->lines_touched ? write_lines(s, b, c, note) : ERR_OK;
}

static enum err write_reservations(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    for (size_t i = 0; i < b->changes->reservations_len; i++) {
        TRY(write_reservation(s, b, &b->changes->reservations[i], note));
    }
    return ERR_OK;
}

static enum err write_keys(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    sqlite3_stmt *w = s->write[WRITE_KEY_INSERT];
    bind_i64(w, 2, b->partition);
    for (size_t i = 0; i < b->keys_len; i++) {
        const struct key_row *k = &b->keys[i];
        bind_i64(w, 1, (int64_t)k->row);
        bind_i64(w, 3, k->time_ms);
        bind_str(w, 4, k->operation);
        bind_str(w, 5, k->key);
        bind_blob(w, 6, k->fingerprint, sizeof(k->fingerprint));
        bind_i64(w, 7, k->status);
        bind_str(w, 8, k->location);
        bind_str(w, 9, k->answer);
        TRY(database_run(w, note));
    }
    if (b->purge_keys_to == 0) {
        return ERR_OK;
    }
    bind_i64(s->write[WRITE_KEY_PURGE], 1, (int64_t)b->purge_keys_to);
    return database_run(s->write[WRITE_KEY_PURGE], note);
}

/* The runs that this batch completes; mostly none. */
static enum err write_runs(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    static const enum write_statement kinds[] = {WRITE_MOVEMENT_RUN, WRITE_REFERENCE_RUN};
    for (uint64_t run = b->seq_before / RUN_MOVEMENTS; run < b->seq_after / RUN_MOVEMENTS; run++) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            sqlite3_stmt *w = s->write[kinds[i]];
            bind_i64(w, 1, (int64_t)run);
            bind_i64(w, 2, (int64_t)(run * RUN_MOVEMENTS));
            bind_i64(w, 3, (int64_t)((run + 1) * RUN_MOVEMENTS));
            TRY(database_run(w, note));
        }
    }
    return ERR_OK;
}

static enum err write_batch(struct store_sqlite *s, const struct batch *b, struct err_note *note)
{
    TRY(advance(s, b, note));
    TRY(write_items(s, b, note));
    TRY(write_locations(s, b, note));
    TRY(write_levels(s, b, note));
    TRY(write_movements(s, b, note));
    TRY(write_reservations(s, b, note));
    TRY(write_keys(s, b, note));
    return write_runs(s, b, note);
}
