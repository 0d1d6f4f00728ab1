/* Reading what is committed, on a connection of its own, which is made again when it broke. */
#include "store/postgres/rows.h"
#include "store/postgres/state.h"

#include "base/clock.h"
#include "base/mem.h"

#define REFUSED_MS 500

#define LEVEL_FROM                                                          \
    "SELECT " LEVEL_COLUMNS " FROM item i JOIN level v ON v.item = i.item " \
    "JOIN location l ON l.location = v.location "
#define RESERVATIONS_FROM(where) \
    "SELECT " RESERVATION_COLUMNS " FROM (SELECT r.* FROM reservation r " where ") r" RESERVATION_LINES

static const struct link_statement statements[] = {
    {"seq", "SELECT seq FROM partition"},
    {"head", "SELECT epoch, seq, time_ms, (SELECT max(item) FROM item) FROM partition"},
    {"page", "SELECT " ITEM_COLUMNS " FROM item WHERE item > $1 ORDER BY item LIMIT $2"},
    /* A row for each item, and behind it one for each of its levels, without what the item's says already. */
    {"page_levels",
     "WITH page AS MATERIALIZED (SELECT " ITEM_COLUMNS " FROM item WHERE item > $1 ORDER BY item LIMIT $2) "
     "SELECT v.item, v.location, NULL::text, l.id, " QUANTITY_COLUMNS(
         "v.") ", v.version, v.seq, v.time_ms, NULL::text, NULL::text, NULL::bigint "
               "FROM level v JOIN location l ON l.location = v.location "
               "WHERE v.item > $1 AND v.item <= (SELECT max(item) FROM page) "
               "UNION ALL SELECT item, 0, sku, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, name, attributes, defined_ms FROM page "
               "ORDER BY 1, 2"},
    {"item", "SELECT " ITEM_COLUMNS " FROM item WHERE sku = $1"},
    {"items", "SELECT " ITEM_COLUMNS " FROM item WHERE sku > $1 ORDER BY sku LIMIT $2"},
    {"location", "SELECT " LOCATION_COLUMNS " FROM location WHERE id = $1"},
    {"locations", "SELECT " LOCATION_COLUMNS " FROM location ORDER BY id"},
    {"levels", LEVEL_FROM "WHERE i.sku = $1 ORDER BY l.id"},
    {"level", LEVEL_FROM "WHERE i.sku = $1 AND l.id = $2"},
    {"reservation", RESERVATIONS_FROM("WHERE r.id = $1")},
    /* $1 after, $2 state or 0, $3 reference or NULL, $4 limit */
    {"reservations",
     RESERVATIONS_FROM("WHERE r.seq > $1 AND ($2 = 0::bigint OR r.state = $2) AND ($3::text IS NULL OR "
                       "r.reference = $3) ORDER BY r.seq LIMIT $4")},
    {"reservations_open",
     RESERVATIONS_FROM("WHERE r.state IN (1, 2) AND r.state = $2::bigint AND r.seq > $1 AND ($3::text IS NULL OR "
                       "r.reference = $3) ORDER BY r.seq LIMIT $4")},
    /* $5 run */
    {"reservations_run",
     RESERVATIONS_FROM("JOIN reference_run u ON u.seq = r.seq WHERE u.run = $5 AND u.reference = $3::text AND "
                       "u.seq > $1 AND ($2 = 0::bigint OR r.state = $2) ORDER BY u.seq LIMIT $4")},
    /* $1 after, $2 item or 0, $3 location or 0, $4 limit */
    {"movements",
     "SELECT " MOVEMENT_COLUMNS " FROM movement m" MOVEMENT_NAMES
     "WHERE m.seq > $1 AND ($2 = 0::bigint OR m.item = $2) AND ($3 = 0::bigint OR m.location = $3) "
     "ORDER BY m.seq LIMIT $4"},
    /* $5 run */
    {"movements_run",
     "SELECT " MOVEMENT_COLUMNS " FROM movement_run u JOIN movement m ON m.seq = u.seq" MOVEMENT_NAMES
     "WHERE u.run = $5 AND u.item = $2 AND ($3 = 0::bigint OR u.location = $3) AND u.seq > $1 "
     "ORDER BY u.seq LIMIT $4"},
    {"key", "SELECT " KEY_COLUMNS ", " KEY_ANSWER_COLUMNS " FROM idempotency WHERE \"row\" = $1"},
    {"oldest_keys", "SELECT " KEY_COLUMNS " FROM idempotency ORDER BY \"row\" LIMIT $1"},
};

/* A search may take the server long before it gives its first row. */
static const struct link_kind kind = {
    .setup = LINK_SETUP LINK_BY_INDEX,
    .silence_ms = 10000,
    .statements = statements,
    .statements_len = ARRAY_LEN(statements)};

struct reader_postgres {
    struct store_reader base;
    struct link link;
    int64_t refused_until_ms; /* no new connection is tried before */
    char *url;
    struct call call;
    struct reservation_line lines[RESERVATION_PARTS_MAX];
};

/* The caller's function for one kind of row, and how many rows it was given. */
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

/* Gives what begins in `row` to the visitor: *out_rows is of how many rows it is, *out_more false when it wants no more. */
typedef enum err (*visit_fn)(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more);

static enum err visit_item(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    (void)r;
    struct item_row item;
    pg_row_item(result, row, &item);
    *out_rows = 1;
    *out_more = v->fn.item(v->ctx, &item);
    return ERR_OK;
}

static enum err visit_location(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    (void)r;
    struct location_row location;
    pg_row_location(result, row, &location);
    *out_rows = 1;
    *out_more = v->fn.location(v->ctx, &location);
    return ERR_OK;
}

static enum err visit_level(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    (void)r;
    struct level_row level;
    pg_row_level(result, row, &level);
    *out_rows = 1;
    *out_more = v->fn.level(v->ctx, &level);
    return ERR_OK;
}

static enum err visit_reservation(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    struct reservation reservation;
    TRY(pg_row_reservation(result, row, r->lines, &reservation));
    *out_rows = (int)reservation.lines_len;
    *out_more = v->fn.reservation(v->ctx, &reservation);
    return ERR_OK;
}

static enum err visit_movement(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    (void)r;
    struct movement movement;
    TRY(pg_row_movement(result, row, &movement));
    *out_rows = 1;
    *out_more = v->fn.movement(v->ctx, &movement);
    return ERR_OK;
}

/* With its answer where the statement gives one. */
static enum err visit_key(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    (void)r;
    struct key_row key;
    TRY(pg_row_key(result, row, PQnfields(result) > 6, &key));
    *out_rows = 1;
    *out_more = v->fn.key(v->ctx, &key);
    return ERR_OK;
}

/* The caller's functions for a page of the catalogue, and the item whose levels follow. */
struct page {
    item_fn item;
    level_fn level;
    void *ctx;
    struct str sku;
};

static enum err visit_page(
    struct reader_postgres *r, const PGresult *result, int row, const struct visitor *v, int *out_rows, bool *out_more)
{
    enum { NAME = 7 + QUANTITY_COUNT };
    (void)r;
    struct page *page = v->ctx;
    struct level_row level;
    *out_rows = 1;
    pg_row_level(result, row, &level);
    if (level.location > 0) {
        level.sku = page->sku;
        *out_more = page->level(page->ctx, &level);
        return ERR_OK;
    }
    struct item_row item = {
        .item = level.item,
        .sku = level.sku,
        .name = pg_text(result, row, NAME),
        .attributes = pg_text(result, row, NAME + 1),
        .defined_ms = pg_i64(result, row, NAME + 2),
    };
    page->sku = item.sku;
    *out_more = page->item(page->ctx, &item);
    return ERR_OK;
}

static struct reader_postgres *reader_from(struct store_reader *base);

/* Who cannot connect does not try again at once: others wait behind this call for answers just like it. */
static enum err connect_again(struct reader_postgres *r)
{
    if (clock_mono_ms() < r->refused_until_ms) {
        return ERR_STORE_AWAY;
    }
    enum err e = link_connect(&r->link, NULL);
    r->refused_until_ms = e == ERR_OK ? 0 : clock_mono_ms() + REFUSED_MS;
    return e;
}

/* The connection may have broken since the last call. A statement is then asked once more on a new one. */
static enum err run(struct reader_postgres *r, const char *statement, PGresult **out)
{
    if (!link_is_up(&r->link)) {
        TRY(connect_again(r));
    }
    enum err e = call_run(&r->call, &r->link, statement, out, NULL);
    if (e != ERR_OK && !link_is_up(&r->link)) {
        TRY(connect_again(r));
        e = call_run(&r->call, &r->link, statement, out, NULL);
    }
    return e;
}

/* Runs the statement with the parameters of `r->call` and walks its rows. */
static enum err walk(struct reader_postgres *r, const char *statement, visit_fn visit, struct visitor *v)
{
    PGresult *result = NULL;
    TRY(run(r, statement, &result));
    enum err e = ERR_OK;
    int rows = 1;
    for (int row = 0; row < PQntuples(result) && e == ERR_OK && !v->stopped; row += rows) {
        bool more = true;
        e = visit(r, result, row, v, &rows, &more);
        v->visited++;
        v->stopped = !more;
    }
    PQclear(result);
    return e;
}

/* The same for something that may not exist. */
static enum err walk_one(struct reader_postgres *r, const char *statement, visit_fn visit, struct visitor *v)
{
    TRY(walk(r, statement, visit, v));
    return v->visited == 0 ? ERR_NOT_FOUND : ERR_OK;
}

/* First column of the statement's row; 0 when there is none. */
static enum err read_index(struct reader_postgres *r, const char *statement, struct str name, int64_t *out)
{
    PGresult *result = NULL;
    call_begin(&r->call);
    if (!str_is_absent(name)) {
        call_str(&r->call, name);
    }
    TRY(run(r, statement, &result));
    *out = PQntuples(result) == 0 ? 0 : pg_i64(result, 0, 0);
    PQclear(result);
    return ERR_OK;
}

static enum err reader_head(struct store_reader *base, struct store_head *out)
{
    struct reader_postgres *r = reader_from(base);
    PGresult *result = NULL;
    call_begin(&r->call);
    TRY(run(r, "head", &result));
    bool found = PQntuples(result) == 1;
    if (found) {
        *out = (struct store_head){
            .epoch = (uint64_t)pg_i64(result, 0, 0),
            .seq = (uint64_t)pg_i64(result, 0, 1),
            .time_ms = pg_i64(result, 0, 2),
            .items = (uint64_t)pg_i64(result, 0, 3), /* NULL reads as 0 */
        };
    }
    PQclear(result);
    return found ? ERR_OK : ERR_IO;
}

static enum err reader_catalogue(
    struct store_reader *base, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct page page = {.item = item, .level = level, .ctx = ctx};
    struct visitor items = {.fn.item = item, .ctx = ctx};
    struct visitor both = {.ctx = &page};
    call_begin(&r->call);
    call_i64(&r->call, after_item);
    call_i64(&r->call, limit);
    return level == NULL ? walk(r, "page", visit_item, &items) : walk(r, "page_levels", visit_page, &both);
}

static enum err reader_item(struct store_reader *base, struct str sku, item_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.item = fn, .ctx = ctx};
    call_begin(&r->call);
    call_str(&r->call, sku);
    return walk_one(r, "item", visit_item, &v);
}

static enum err reader_items(struct store_reader *base, struct str after_sku, uint32_t limit, item_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.item = fn, .ctx = ctx};
    call_begin(&r->call);
    call_str(&r->call, str_is_absent(after_sku) ? STR("") : after_sku);
    call_i64(&r->call, limit);
    return walk(r, "items", visit_item, &v);
}

static enum err reader_location(struct store_reader *base, struct str id, location_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.location = fn, .ctx = ctx};
    call_begin(&r->call);
    call_str(&r->call, id);
    return walk_one(r, "location", visit_location, &v);
}

static enum err reader_locations(struct store_reader *base, location_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.location = fn, .ctx = ctx};
    call_begin(&r->call);
    return walk(r, "locations", visit_location, &v);
}

/* Items do not go away, so that one is there may be asked apart. */
static enum err reader_levels(struct store_reader *base, struct str sku, level_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.level = fn, .ctx = ctx};
    int64_t item = 0;
    TRY(read_index(r, "item", sku, &item));
    if (item == 0) {
        return ERR_NOT_FOUND;
    }
    call_begin(&r->call);
    call_str(&r->call, sku);
    return walk(r, "levels", visit_level, &v);
}

static enum err reader_level(struct store_reader *base, struct str sku, struct str location, level_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.level = fn, .ctx = ctx};
    call_begin(&r->call);
    call_str(&r->call, sku);
    call_str(&r->call, location);
    return walk_one(r, "level", visit_level, &v);
}

static enum err reader_reservation(struct store_reader *base, struct uuid id, reservation_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.reservation = fn, .ctx = ctx};
    call_begin(&r->call);
    call_uuid(&r->call, id);
    return walk_one(r, "reservation", visit_reservation, &v);
}

/* No stored seq is as large as a caller may ask for. */
static int64_t seq_bound(uint64_t seq)
{
    return seq > INT64_MAX ? INT64_MAX : (int64_t)seq;
}

/*
 * Searching by run: asks each complete run from that of `after` on, then the rows behind the last run. What is looked for
 * never changes its place, so the runs and what is behind them may be read one after the other.
 */
struct search {
    int64_t after;
    int64_t numbers[2]; /* $2, and $3 when it is a number */
    struct str text;    /* $3 when `by_text` */
    bool by_text;
    uint32_t limit;
    const char *in_run;
    const char *behind;
    visit_fn visit;
};

static enum err search_part(
    struct reader_postgres *r,
    const struct search *q,
    const char *statement,
    int64_t after,
    int64_t run,
    struct visitor *v)
{
    call_begin(&r->call);
    call_i64(&r->call, after);
    call_i64(&r->call, q->numbers[0]);
    if (q->by_text) {
        call_str(&r->call, q->text);
    } else {
        call_i64(&r->call, q->numbers[1]);
    }
    call_i64(&r->call, (int64_t)(q->limit - v->visited));
    if (run >= 0) {
        call_i64(&r->call, run);
    }
    return walk(r, statement, q->visit, v);
}

static enum err search_runs(struct reader_postgres *r, const struct search *q, struct visitor *v)
{
    int64_t seq = 0;
    TRY(read_index(r, "seq", STR_NONE, &seq));
    int64_t runs = seq / RUN_MOVEMENTS;
    for (int64_t run = q->after / RUN_MOVEMENTS; run < runs; run++) {
        TRY(search_part(r, q, q->in_run, q->after, run, v));
        if (v->stopped || v->visited >= q->limit) {
            return ERR_OK;
        }
    }
    int64_t last = runs * RUN_MOVEMENTS;
    return search_part(r, q, q->behind, q->after > last ? q->after : last, -1, v);
}

static enum err
reader_reservations(struct store_reader *base, const struct reservation_filter *filter, reservation_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.reservation = fn, .ctx = ctx};
    bool is_open = filter->state == RESERVATION_HELD || filter->state == RESERVATION_COMMITTED;
    struct search q = {
        .after = seq_bound(filter->after_seq),
        .numbers = {filter->state},
        .text = filter->reference,
        .by_text = true,
        .limit = filter->limit,
        .in_run = "reservations_run",
        .behind = is_open ? "reservations_open" : "reservations",
        .visit = visit_reservation,
    };
    return is_open || str_is_absent(filter->reference) ? search_part(r, &q, q.behind, q.after, -1, &v)
                                                       : search_runs(r, &q, &v);
}

/* Index of the item or location that the filter names; *out_none when it names one that does not exist. */
static enum err resolve(struct reader_postgres *r, const char *statement, struct str name, int64_t *out, bool *out_none)
{
    *out = 0;
    if (!str_is_absent(name)) {
        TRY(read_index(r, statement, name, out));
        *out_none = *out_none || *out == 0;
    }
    return ERR_OK;
}

static enum err
reader_movements(struct store_reader *base, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.movement = fn, .ctx = ctx};
    struct search q = {
        .after = seq_bound(filter->after_seq),
        .limit = filter->limit,
        .in_run = "movements_run",
        .behind = "movements",
        .visit = visit_movement,
    };
    bool none = false;
    TRY(resolve(r, "item", filter->sku, &q.numbers[0], &none));
    TRY(resolve(r, "location", filter->location, &q.numbers[1], &none));
    if (none) {
        return ERR_OK;
    }
    /* The log itself when no item is named: one location has a good share of it. */
    return q.numbers[0] != 0 ? search_runs(r, &q, &v) : search_part(r, &q, q.behind, q.after, -1, &v);
}

static enum err reader_key(struct store_reader *base, uint64_t row, key_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.key = fn, .ctx = ctx};
    call_begin(&r->call);
    call_i64(&r->call, seq_bound(row));
    return walk_one(r, "key", visit_key, &v);
}

static enum err reader_oldest_keys(struct store_reader *base, uint32_t limit, key_fn fn, void *ctx)
{
    struct reader_postgres *r = reader_from(base);
    struct visitor v = {.fn.key = fn, .ctx = ctx};
    call_begin(&r->call);
    call_i64(&r->call, limit);
    return walk(r, "oldest_keys", visit_key, &v);
}

static void reader_free(struct store_reader *base)
{
    struct reader_postgres *r = reader_from(base);
    link_release(&r->link);
    call_release(&r->call);
    mem_free(r->url);
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

static struct reader_postgres *reader_from(struct store_reader *base)
{
    check(base->ops == &reader_ops);
    return (struct reader_postgres *)base;
}

enum err store_postgres_reader_open(struct store *base, struct store_reader **out, struct err_note *note)
{
    struct store_postgres *s = store_postgres_from(base);
    struct reader_postgres *r = mem_new(sizeof(*r));
    r->base.ops = &reader_ops;
    r->url = mem_copy_str(str_from(s->url));
    call_init(&r->call);
    link_init(&r->link, r->url, &kind);
    enum err e = link_connect(&r->link, note);
    if (e != ERR_OK) {
        reader_free(&r->base);
        return e;
    }
    *out = &r->base;
    return ERR_OK;
}
