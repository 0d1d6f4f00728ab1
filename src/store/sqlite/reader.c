/*
 * Reading what is committed, on a read-only connection of its own. A call that needs several statements runs them in
 * one read transaction, so that it sees one state.
 */
#include "base/mem.h"
#include "store/sqlite/row.h"
#include "store/sqlite/state.h"

#include <unistd.h>

/* The writer says what it has committed as soon as it knows; what it commits next takes longer. */
#define STATE_WAIT_US 50

enum read_statement {
    READ_BEGIN,
    READ_END,
    READ_SEQ,
    READ_HEAD,
    READ_PAGE_END,
    READ_PAGE,
    READ_PAGE_LEVELS,
    READ_ITEM,
    READ_ITEMS,
    READ_LOCATION,
    READ_LOCATIONS,
    READ_LEVELS,
    READ_LEVEL,
    READ_RESERVATION,
    READ_RESERVATIONS,
    READ_RESERVATIONS_OPEN,
    READ_RESERVATIONS_RUN,
    READ_MOVEMENTS,
    READ_MOVEMENTS_RUN,
    READ_KEY,
    READ_OLDEST_KEYS,
    READ_LINES,
    READ_AFTER,
    READ_COUNT
};

#define MOVEMENT_NAMES " CROSS JOIN item i ON i.item = m.item CROSS JOIN location l ON l.location = m.location "
#define LEVEL_FROM                                                                \
    "SELECT " LEVEL_COLUMNS " FROM item i CROSS JOIN level v ON v.item = i.item " \
    "CROSS JOIN location l ON l.location = v.location "

static const char *const texts[READ_COUNT] = {
    [READ_BEGIN] = "BEGIN",
    [READ_END] = "COMMIT",
    [READ_SEQ] = "SELECT seq FROM partition",
    [READ_HEAD] = "SELECT epoch, seq, time_ms, (SELECT max(item) FROM item) FROM partition",
    /* ?1 after, ?2 limit; the number of the last item */
    [READ_PAGE_END] = "SELECT max(item) FROM (SELECT item FROM item WHERE item > ?1 ORDER BY item LIMIT ?2)",
    [READ_PAGE] = "SELECT " ITEM_COLUMNS " FROM item WHERE item > ?1 ORDER BY item LIMIT ?2",
    [READ_PAGE_LEVELS] = LEVEL_FROM "WHERE i.item = ?1 ORDER BY v.location",
    [READ_ITEM] = "SELECT " ITEM_COLUMNS " FROM item WHERE sku = ?1",
    [READ_ITEMS] = "SELECT " ITEM_COLUMNS " FROM item WHERE sku > ?1 ORDER BY sku LIMIT ?2",
    [READ_LOCATION] = "SELECT " LOCATION_COLUMNS " FROM location WHERE id = ?1",
    [READ_LOCATIONS] = "SELECT " LOCATION_COLUMNS " FROM location ORDER BY id",
    [READ_LEVELS] = LEVEL_FROM "WHERE i.item = ?1 ORDER BY l.id",
    [READ_LEVEL] = LEVEL_FROM "WHERE i.item = ?1 AND l.id = ?2",
    [READ_RESERVATION] = "SELECT " RESERVATION_COLUMNS " FROM reservation r WHERE r.id = ?1",
    /* ?1 after, ?2 state or 0, ?3 reference or NULL, ?4 limit */
    [READ_RESERVATIONS] = "SELECT " RESERVATION_COLUMNS " FROM reservation r WHERE r.seq > ?1 "
                          "AND (?2 = 0 OR r.state = ?2) AND (?3 IS NULL OR r.reference = ?3) ORDER BY r.seq LIMIT ?4",
    [READ_RESERVATIONS_OPEN] = "SELECT " RESERVATION_COLUMNS " FROM reservation r INDEXED BY reservation_open "
                               "WHERE r.state IN (1, 2) AND r.state = ?2 AND r.seq > ?1 "
                               "AND (?3 IS NULL OR r.reference = ?3) ORDER BY r.seq LIMIT ?4",
    /* ?5 run */
    [READ_RESERVATIONS_RUN] = "SELECT " RESERVATION_COLUMNS " FROM reference_run n CROSS JOIN reservation r "
                              "ON r.seq = n.seq WHERE n.run = ?5 AND n.reference = ?3 AND n.seq > ?1 "
                              "AND (?2 = 0 OR r.state = ?2) ORDER BY n.seq LIMIT ?4",
    /* ?1 after, ?2 item or 0, ?3 location or 0, ?4 limit, ?5 run */
    [READ_MOVEMENTS] = "SELECT " MOVEMENT_COLUMNS " FROM movement m" MOVEMENT_NAMES
                       "WHERE m.seq > ?1 AND (?2 = 0 OR m.item = ?2) AND (?3 = 0 OR m.location = ?3) "
                       "ORDER BY m.seq LIMIT ?4",
    [READ_MOVEMENTS_RUN] =
        "SELECT " MOVEMENT_COLUMNS " FROM movement_run n CROSS JOIN movement m ON m.seq = n.seq" MOVEMENT_NAMES
        "WHERE n.run = ?5 AND n.item = ?2 AND (?3 = 0 OR n.location = ?3) "
        "AND n.seq > ?1 ORDER BY n.seq LIMIT ?4",
    [READ_KEY] = "SELECT " KEY_COLUMNS ", " KEY_ANSWER_COLUMNS " FROM idempotency WHERE row = ?1",
    [READ_OLDEST_KEYS] = "SELECT " KEY_COLUMNS " FROM idempotency ORDER BY row LIMIT ?1",
    [READ_LINES] = ROW_LINES_SQL,
    [READ_AFTER] = ROW_AFTER_SQL,
};

struct reader_sqlite {
    struct store_reader base;
    sqlite3 *db;
    sqlite3_stmt *read[READ_COUNT];
    struct row_lines lines;
    struct recent *recent;       /* the writer's */
    struct recent_levels behind; /* levels of the items that are being read */
};

/* The caller's function for one kind of row, and how many rows it still takes. */
struct visitor {
    union {
        item_fn item;
        location_fn location;
        level_fn level;
        reservation_fn reservation;
        movement_fn movement;
        key_fn key;
    } fn;
    void *ctx;
    bool stopped; /* by the caller */
    uint64_t visited;
};

/* Gives the row that `s` stands on to the visitor; *out_more is false when it wants no more. */
typedef enum err (*visit_fn)(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more);

static enum err visit_item(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    (void)r;
    struct item_row row;
    row_item(s, &row);
    *out_more = v->fn.item(v->ctx, &row);
    return ERR_OK;
}

static enum err visit_location(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    (void)r;
    struct location_row row;
    row_location(s, &row);
    *out_more = v->fn.location(v->ctx, &row);
    return ERR_OK;
}

static enum err visit_level(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    struct level_row row;
    row_level(s, &row);
    uint64_t seq = recent_find(&r->behind, row.item, row.location);
    if (seq != 0) {
        TRY(row_catch_up(r->read[READ_AFTER], seq, &row));
    }
    *out_more = v->fn.level(v->ctx, &row);
    return ERR_OK;
}

static enum err visit_reservation(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    struct reservation row;
    TRY(row_reservation(s, &r->lines, &row));
    *out_more = v->fn.reservation(v->ctx, &row);
    return ERR_OK;
}

static enum err visit_movement(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    (void)r;
    struct movement row;
    TRY(row_movement(s, &row));
    *out_more = v->fn.movement(v->ctx, &row);
    return ERR_OK;
}

static enum err visit_key(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    struct key_row row;
    TRY(row_key(s, s == r->read[READ_KEY], &row));
    *out_more = v->fn.key(v->ctx, &row);
    return ERR_OK;
}

static struct reader_sqlite *reader_from(struct store_reader *base);

/* Walks the rows of a bound statement, and resets it. */
static enum err walk(struct reader_sqlite *r, sqlite3_stmt *s, visit_fn visit, struct visitor *v)
{
    bool row = false;
    bool more = true;
    enum err e = database_step(s, &row, NULL);
    while (e == ERR_OK && row && more) {
        e = visit(r, s, v, &more);
        v->visited++;
        if (e == ERR_OK && more) {
            e = database_step(s, &row, NULL);
        }
    }
    v->stopped = !more;
    sqlite3_reset(s);
    return e;
}

/* The same for something that may not exist. */
static enum err walk_one(struct reader_sqlite *r, sqlite3_stmt *s, visit_fn visit, struct visitor *v)
{
    TRY(walk(r, s, visit, v));
    return v->visited == 0 ? ERR_NOT_FOUND : ERR_OK;
}

static enum err begin(struct reader_sqlite *r)
{
    return database_run(r->read[READ_BEGIN], NULL);
}

/* Ends what begin() began; the error of the reads in between comes first. */
static enum err end(struct reader_sqlite *r, enum err e)
{
    enum err ended = database_run(r->read[READ_END], NULL);
    return e != ERR_OK ? e : ended;
}

/* First column of the statement's row; 0 when there is none. */
static enum err read_index(sqlite3_stmt *s, struct str name, int64_t *out)
{
    bool row = false;
    if (!str_is_absent(name)) {
        bind_str(s, 1, name);
    }
    enum err e = database_step(s, &row, NULL);
    *out = e == ERR_OK && row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return e;
}

static enum err reader_head(struct store_reader *base, struct store_head *out)
{
    sqlite3_stmt *s = reader_from(base)->read[READ_HEAD];
    bool row = false;
    enum err e = database_step(s, &row, NULL);
    if (e == ERR_OK && row) {
        *out = (struct store_head){
            .epoch = (uint64_t)sqlite3_column_int64(s, 0),
            .seq = (uint64_t)sqlite3_column_int64(s, 1),
            .time_ms = sqlite3_column_int64(s, 2),
            .items = (uint64_t)sqlite3_column_int64(s, 3), /* NULL reads as 0 */
        };
    }
    sqlite3_reset(s);
    return e == ERR_OK && !row ? ERR_IO : e;
}

static enum err reader_item(struct store_reader *base, struct str sku, item_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.item = fn, .ctx = ctx};
    bind_str(r->read[READ_ITEM], 1, sku);
    return walk_one(r, r->read[READ_ITEM], visit_item, &v);
}

static enum err reader_items(struct store_reader *base, struct str after_sku, uint32_t limit, item_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.item = fn, .ctx = ctx};
    bind_str(r->read[READ_ITEMS], 1, str_is_absent(after_sku) ? STR("") : after_sku);
    bind_i64(r->read[READ_ITEMS], 2, limit);
    return walk(r, r->read[READ_ITEMS], visit_item, &v);
}

static enum err reader_location(struct store_reader *base, struct str id, location_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.location = fn, .ctx = ctx};
    bind_str(r->read[READ_LOCATION], 1, id);
    return walk_one(r, r->read[READ_LOCATION], visit_location, &v);
}

static enum err reader_locations(struct store_reader *base, location_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.location = fn, .ctx = ctx};
    return walk(r, r->read[READ_LOCATIONS], visit_location, &v);
}

/* Which items a call reads the levels of: one by its SKU, or a page of the catalogue. */
struct span {
    struct str sku; /* absent: a page */
    uint32_t after;
    uint32_t limit;
    int64_t from, to; /* found: numbers of the first and the last item; `to` 0: there are none */
};

static enum err find_span(struct reader_sqlite *r, struct span *span)
{
    if (!str_is_absent(span->sku)) {
        TRY(read_index(r->read[READ_ITEM], span->sku, &span->to));
        span->from = span->to;
        return ERR_OK;
    }
    bind_i64(r->read[READ_PAGE_END], 1, span->after);
    bind_i64(r->read[READ_PAGE_END], 2, span->limit);
    span->from = (int64_t)span->after + 1;
    return read_index(r->read[READ_PAGE_END], STR_NONE, &span->to);
}

/* In the state that was begun: the items, and which of their levels are behind. */
static enum err find_behind(struct reader_sqlite *r, struct span *span, enum recent_copied *out)
{
    int64_t seq = 0;
    TRY(find_span(r, span));
    TRY(read_index(r->read[READ_SEQ], STR_NONE, &seq));
    *out = recent_copy(r->recent, (uint32_t)span->from, (uint32_t)span->to, (uint64_t)seq, &r->behind);
    return ERR_OK;
}

/* Begins a state of which it is known which levels of the items are behind. */
static enum err begin_levels(struct reader_sqlite *r, struct span *span)
{
    for (;;) {
        enum recent_copied copied = RECENT_FAILED;
        TRY(begin(r));
        enum err e = find_behind(r, span, &copied);
        if (e == ERR_OK && copied == RECENT_COPIED) {
            return ERR_OK;
        }
        e = end(r, e);
        if (e != ERR_OK || copied == RECENT_FAILED) {
            return e != ERR_OK ? e : ERR_IO;
        }
        usleep(STATE_WAIT_US);
    }
}

/* `s` takes ?1 item. */
static enum err levels_of(struct reader_sqlite *r, sqlite3_stmt *s, struct str sku, struct visitor *v)
{
    struct span span = {.sku = sku};
    TRY(begin_levels(r, &span));
    if (span.to == 0) {
        return end(r, ERR_NOT_FOUND);
    }
    bind_i64(s, 1, span.to);
    return end(r, walk(r, s, visit_level, v));
}

/* The caller's functions for a page of the catalogue. */
struct page {
    item_fn item;
    level_fn level;
    void *ctx;
};

static enum err visit_page_item(struct reader_sqlite *r, sqlite3_stmt *s, const struct visitor *v, bool *out_more)
{
    const struct page *page = v->ctx;
    struct item_row row;
    row_item(s, &row);
    *out_more = page->item(page->ctx, &row);
    if (!*out_more || page->level == NULL) {
        return ERR_OK;
    }
    struct visitor levels = {.fn.level = page->level, .ctx = page->ctx};
    bind_i64(r->read[READ_PAGE_LEVELS], 1, row.item);
    TRY(walk(r, r->read[READ_PAGE_LEVELS], visit_level, &levels));
    *out_more = !levels.stopped;
    return ERR_OK;
}

static enum err reader_catalogue(
    struct store_reader *base, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct span span = {.after = after_item, .limit = limit};
    struct page page = {item, level, ctx};
    struct visitor v = {.ctx = &page};
    TRY(level == NULL ? begin(r) : begin_levels(r, &span));
    bind_i64(r->read[READ_PAGE], 1, after_item);
    bind_i64(r->read[READ_PAGE], 2, limit);
    return end(r, walk(r, r->read[READ_PAGE], visit_page_item, &v));
}

static enum err reader_levels(struct store_reader *base, struct str sku, level_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.level = fn, .ctx = ctx};
    return levels_of(r, r->read[READ_LEVELS], sku, &v);
}

static enum err reader_level(struct store_reader *base, struct str sku, struct str location, level_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.level = fn, .ctx = ctx};
    bind_str(r->read[READ_LEVEL], 2, location);
    TRY(levels_of(r, r->read[READ_LEVEL], sku, &v));
    return v.visited == 0 ? ERR_NOT_FOUND : ERR_OK;
}

static enum err reader_reservation(struct store_reader *base, struct uuid id, reservation_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.reservation = fn, .ctx = ctx};
    TRY(begin(r));
    bind_blob(r->read[READ_RESERVATION], 1, id.bytes, sizeof(id.bytes));
    return end(r, walk_one(r, r->read[READ_RESERVATION], visit_reservation, &v));
}

/* No stored seq is as large as a caller may ask for. */
static int64_t seq_bound(uint64_t seq)
{
    return seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
}

/*
 * Searching by run: asks each complete run from that of `after` on, then the rows behind the last run. `in_run` and
 * `behind` take the same parameters: ?1 after, ?4 limit, ?5 run; the rest is bound by the caller.
 */
struct run_search {
    sqlite3_stmt *in_run;
    sqlite3_stmt *behind;
    visit_fn visit;
    int64_t after;
    uint32_t limit;
};

static enum err search_runs(struct reader_sqlite *r, const struct run_search *search, struct visitor *v)
{
    int64_t seq = 0;
    TRY(read_index(r->read[READ_SEQ], STR_NONE, &seq));
    int64_t runs = seq / RUN_MOVEMENTS;
    for (int64_t run = search->after / RUN_MOVEMENTS; run < runs; run++) {
        bind_i64(search->in_run, 1, search->after);
        bind_i64(search->in_run, 4, (int64_t)(search->limit - v->visited));
        bind_i64(search->in_run, 5, run);
        TRY(walk(r, search->in_run, search->visit, v));
        if (v->stopped || v->visited >= search->limit) {
            return ERR_OK;
        }
    }
    int64_t last = runs * RUN_MOVEMENTS;
    bind_i64(search->behind, 1, search->after > last ? search->after : last);
    bind_i64(search->behind, 4, (int64_t)(search->limit - v->visited));
    return walk(r, search->behind, search->visit, v);
}

static enum err reservations_where(struct reader_sqlite *r, const struct reservation_filter *filter, struct visitor *v)
{
    sqlite3_stmt *s = r->read[READ_RESERVATIONS];
    sqlite3_stmt *in_run = r->read[READ_RESERVATIONS_RUN];
    bool is_open = filter->state == RESERVATION_HELD || filter->state == RESERVATION_COMMITTED;
    bool by_run = !is_open && !str_is_absent(filter->reference);
    if (is_open) {
        s = r->read[READ_RESERVATIONS_OPEN];
    }
    bind_i64(s, 1, seq_bound(filter->after_seq));
    bind_i64(s, 2, filter->state);
    bind_str(s, 3, filter->reference);
    bind_i64(s, 4, filter->limit);
    if (!by_run) {
        return walk(r, s, visit_reservation, v);
    }
    bind_i64(in_run, 2, filter->state);
    bind_str(in_run, 3, filter->reference);
    struct run_search search = {
        .in_run = in_run,
        .behind = s,
        .visit = visit_reservation,
        .after = seq_bound(filter->after_seq),
        .limit = filter->limit};
    return search_runs(r, &search, v);
}

static enum err
reader_reservations(struct store_reader *base, const struct reservation_filter *filter, reservation_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.reservation = fn, .ctx = ctx};
    TRY(begin(r));
    return end(r, reservations_where(r, filter, &v));
}

/* Index of the item or location that the filter names; *out_none when it names one that does not exist. */
static enum err resolve(sqlite3_stmt *s, struct str name, int64_t *out, bool *out_none)
{
    *out = 0;
    if (!str_is_absent(name)) {
        TRY(read_index(s, name, out));
        *out_none = *out_none || *out == 0;
    }
    return ERR_OK;
}

static enum err movements_where(struct reader_sqlite *r, const struct movement_filter *filter, struct visitor *v)
{
    int64_t item = 0;
    int64_t location = 0;
    bool none = false;
    TRY(resolve(r->read[READ_ITEM], filter->sku, &item, &none));
    TRY(resolve(r->read[READ_LOCATION], filter->location, &location, &none));
    if (none) {
        return ERR_OK;
    }
    struct run_search search = {
        .in_run = r->read[READ_MOVEMENTS_RUN],
        .behind = r->read[READ_MOVEMENTS],
        .visit = visit_movement,
        .after = seq_bound(filter->after_seq),
        .limit = filter->limit};
    bind_i64(search.in_run, 2, item);
    bind_i64(search.in_run, 3, location);
    bind_i64(search.behind, 2, item);
    bind_i64(search.behind, 3, location);
    if (item != 0) {
        return search_runs(r, &search, v);
    }
    /* The log itself: one location has a good share of it. */
    bind_i64(search.behind, 1, search.after);
    bind_i64(search.behind, 4, search.limit);
    return walk(r, search.behind, visit_movement, v);
}

static enum err
reader_movements(struct store_reader *base, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.movement = fn, .ctx = ctx};
    TRY(begin(r));
    return end(r, movements_where(r, filter, &v));
}

static enum err reader_key(struct store_reader *base, uint64_t row, key_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.key = fn, .ctx = ctx};
    bind_i64(r->read[READ_KEY], 1, seq_bound(row));
    return walk_one(r, r->read[READ_KEY], visit_key, &v);
}

static enum err reader_oldest_keys(struct store_reader *base, uint32_t limit, key_fn fn, void *ctx)
{
    struct reader_sqlite *r = reader_from(base);
    struct visitor v = {.fn.key = fn, .ctx = ctx};
    bind_i64(r->read[READ_OLDEST_KEYS], 1, limit);
    return walk(r, r->read[READ_OLDEST_KEYS], visit_key, &v);
}

static void reader_free(struct store_reader *base)
{
    struct reader_sqlite *r = reader_from(base);
    database_finalize(r->read, READ_COUNT);
    mem_free(r->behind.of);
    int rc = sqlite3_close(r->db);
    check(rc == SQLITE_OK);
    mem_free(r);
}

static const struct store_reader_ops reader_ops = {
    .head = reader_head,
    .catalogue = reader_catalogue,
    .item = reader_item,
    .items = reader_items,
    .location = reader_location,
    .locations = reader_locations,
    .levels = reader_levels,
    .level = reader_level,
    .reservation = reader_reservation,
    .reservations = reader_reservations,
    .movements = reader_movements,
    .key = reader_key,
    .oldest_keys = reader_oldest_keys,
    .free = reader_free,
};

static struct reader_sqlite *reader_from(struct store_reader *base)
{
    check(base->ops == &reader_ops);
    return (struct reader_sqlite *)base;
}

enum err store_sqlite_reader_open(struct store *base, struct store_reader **out, struct err_note *note)
{
    struct store_sqlite *s = store_sqlite_from(base);
    struct reader_sqlite *r = mem_new(sizeof(*r));
    r->base.ops = &reader_ops;
    r->recent = &s->recent;
    enum err e = database_open(s->path, DATABASE_READ, &r->db, note);
    if (e == ERR_OK) {
        e = database_prepare(r->db, texts, READ_COUNT, r->read, note);
        r->lines.select = r->read[READ_LINES];
    }
    if (e != ERR_OK) {
        sqlite3_close(r->db);
        mem_free(r);
        return e;
    }
    *out = &r->base;
    return ERR_OK;
}
