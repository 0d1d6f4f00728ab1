/* The store, the ledger and the view hold what the model says, no more and no less. */
#include "world.h"

#include "app/audit.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a commit without an answer -------------------------------------------------------------------------------------- */

/* What the store says about the batch. All that is said has to agree: a batch is there as a whole or not at all. */
struct evidence {
    unsigned is_there;
    unsigned is_not;
};

static void witness(struct evidence *e, bool there)
{
    e->is_there += there;
    e->is_not += !there;
}

static bool key_is_there(void *ctx, const struct key_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return true;
}

static struct evidence gather(struct life *l, const struct commit *c)
{
    struct evidence e = {0};
    struct world *w = l->world;
    const struct ledger *ledger = sequencer_ledger(l->sequencer);
    if (c->facts_len > 0) {
        promise(
            ledger_seq(ledger) == c->seq_before || ledger_seq(ledger) == c->seq_after, "I7",
            "a batch from seq %llu to %llu left the store at %llu", (unsigned long long)c->seq_before,
            (unsigned long long)c->seq_after, (unsigned long long)ledger_seq(ledger));
        witness(&e, ledger_seq(ledger) == c->seq_after);
    }
    if (c->items_created > 0) {
        witness(&e, ledger_counts(ledger).items == w->model.items_len + c->items_created);
    }
    for (size_t i = 0; i < c->keys_len; i++) {
        bool there = false;
        enum err found = l->query_reader->ops->key(l->query_reader, c->key_rows[i], key_is_there, &there);
        promise(found == ERR_OK || found == ERR_NOT_FOUND || disk_is_dead(w->disk), "I20", "a key cannot be read");
        witness(&e, there);
    }
    return e;
}

/* Places are made without a movement, and by one command at a time or many. */
static uint32_t places_made(const struct commit *c)
{
    uint32_t made = 0;
    for (size_t i = 0; i < c->decided_len; i++) {
        made += c->decided[i].created && intent_command(c->decided[i].intent)->kind == COMMAND_DEFINE_LOCATION;
    }
    return made;
}

bool verify_doubt(struct life *l)
{
    struct world *w = l->world;
    struct commit *c = w->doubt;
    if (c == NULL) {
        return true;
    }
    struct disk_faults faults = *disk_faults(w->disk);
    disk_clear_faults(w->disk);
    struct evidence e = gather(l, c);
    *disk_faults(w->disk) = faults;
    if (disk_is_dead(w->disk)) {
        return false;
    }
    uint32_t places = places_made(c);
    if (places > 0) {
        uint64_t now = ledger_counts(sequencer_ledger(l->sequencer)).locations;
        witness(&e, now == w->model.locations_len + places);
    }
    promise(
        e.is_there == 0 || e.is_not == 0, "I7", "half of a batch is stored: %u signs say so and %u do not", e.is_there,
        e.is_not);
    bool stored = e.is_there > 0;
    mark(stored ? MARK_DOUBT_WAS_STORED : MARK_DOUBT_WAS_NOT_STORED);
    if (stored) {
        model_apply(&w->model, c);
    }
    for (size_t i = 0; i < c->decided_len; i++) {
        const struct decided *d = &c->decided[i];
        d->intent->was_in_doubt = true;
        if (stored) {
            intent_stored(w, d->intent, d, (struct str){d->answer, d->answer_len}, 0);
        }
    }
    commit_free(c);
    w->doubt = NULL;
    return true;
}

/* --- the ledger ------------------------------------------------------------------------------------------------------------ */

struct comparison {
    const struct world *world;
    const struct model *model;
    size_t seen;
};

static void compare_quantities(const struct model_level *m, const struct level_row *row, const char *where)
{
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        promise(
            row->quantities.of[q] == m->of[q], "I6", "%s: item %u at %u has %lld of quantity %u and not %lld", where,
            row->item, row->location, (long long)row->quantities.of[q], q, (long long)m->of[q]);
    }
    promise(
        row->version == m->version && row->seq == m->seq, "I9", "%s: item %u at %u is at version %llu, not %llu", where,
        row->item, row->location, (unsigned long long)row->version, (unsigned long long)m->version);
}

static void compare_level(void *ctx, const struct level_row *row)
{
    struct comparison *c = ctx;
    promise(row->item <= c->model->items_len && row->location <= c->model->locations_len, "I6", "a level of nothing");
    compare_quantities(&c->model->levels[row->item][row->location], row, "the ledger");
    c->seen++;
}

static void compare_item(void *ctx, uint32_t item, struct str sku, int64_t defined_ms)
{
    struct comparison *c = ctx;
    (void)defined_ms;
    promise(
        item <= c->model->items_len && str_equal(sku, str_from(c->model->items[item].sku)), "I6", "item %u is %.*s",
        item, STR_ARG(sku));
    c->seen++;
}

static size_t levels_of(const struct model *m)
{
    size_t levels = 0;
    for (uint32_t i = 1; i <= m->items_len; i++) {
        for (uint32_t l = 1; l <= m->locations_len; l++) {
            levels += m->levels[i][l].version > 0;
        }
    }
    return levels;
}

static void compare_reservation(const struct world *w, const struct model_reservation *m, const struct reservation *r)
{
    promise(r->state == m->state, "I4", "a reservation is in state %d and not %d", r->state, m->state);
    promise(r->expires_ms == m->expires_ms && r->seq == m->seq, "I4", "a reservation ends at another time");
    promise(r->lines_len == m->lines_len, "I7", "a reservation has %u lines and not %u", r->lines_len, m->lines_len);
    for (uint32_t i = 0; i < r->lines_len; i++) {
        const struct model_line *l = &w->model.lines[m->lines_at + i];
        const struct reservation_line *line = &r->lines[i];
        promise(
            line->item == l->item && line->location == l->location && line->quantity == l->quantity &&
                line->fulfilled == l->fulfilled && line->returned == l->returned,
            "I7", "line %u of a reservation differs", i);
    }
}

static void verify_open(struct life *l)
{
    const struct world *w = l->world;
    const struct ledger *ledger = sequencer_ledger(l->sequencer);
    struct ledger_counts counts = ledger_counts(ledger);
    uint64_t held = 0;
    uint64_t committed = 0;
    for (size_t i = 0; i < w->model.reservations_len; i++) {
        const struct model_reservation *m = &w->model.reservations[i];
        if (!reservation_state_is_open(m->state)) {
            continue;
        }
        const struct reservation *r = ledger_reservation(ledger, m->id);
        promise(r != NULL, "I6", "an open reservation is lost");
        compare_reservation(w, m, r);
        held += m->state == RESERVATION_HELD;
        committed += m->state == RESERVATION_COMMITTED;
    }
    promise(
        counts.held == held && counts.committed == committed, "I4", "%llu held and %llu committed, not %llu and %llu",
        (unsigned long long)counts.held, (unsigned long long)counts.committed, (unsigned long long)held,
        (unsigned long long)committed);
}

void verify_ledger(struct life *l)
{
    struct world *w = l->world;
    const struct ledger *ledger = sequencer_ledger(l->sequencer);
    promise(
        ledger_seq(ledger) == model_seq(&w->model), "I6", "the store is at seq %llu, %zu were answered",
        (unsigned long long)ledger_seq(ledger), w->model.facts_len);
    struct comparison levels = {.world = w, .model = &w->model};
    ledger_each_level(ledger, compare_level, &levels);
    promise(levels.seen == levels_of(&w->model), "I6", "%zu levels, not %zu", levels.seen, levels_of(&w->model));
    struct comparison items = {.world = w, .model = &w->model};
    ledger_each_item(ledger, compare_item, &items);
    promise(items.seen == w->model.items_len, "I6", "%zu items, not %u", items.seen, w->model.items_len);
    verify_open(l);
}

/* --- after a lie ------------------------------------------------------------------------------------------------------------- */

void verify_prefix(struct life *l)
{
    struct world *w = l->world;
    const struct ledger *ledger = sequencer_ledger(l->sequencer);
    size_t seq = ledger_seq(ledger);
    struct commit *c = w->doubt;
    for (size_t i = 0; c != NULL && i < c->facts_len && seq > model_seq(&w->model); i++) {
        seq--; /* the batch in doubt may be there too; the audit looks at it */
    }
    promise(seq <= model_seq(&w->model), "I6", "the store is at seq %zu, %zu were answered", seq, w->model.facts_len);
    mark(seq < model_seq(&w->model) ? MARK_LIE_LOST_COMMITS : MARK_LIE_LOST_NOTHING);
    if (seq != ledger_seq(ledger)) {
        return;
    }
    static struct model_level levels[MODEL_ITEMS_MAX + 1][MODEL_LOCATIONS_MAX + 1];
    memset(levels, 0, sizeof(levels));
    for (size_t i = 0; i < seq; i++) {
        const struct fact *f = &w->model.facts[i];
        struct model_level *level = &levels[f->item][f->location];
        memcpy(level->of, f->after.of, sizeof(level->of));
        level->version = f->version;
        level->seq = f->seq;
    }
    struct model older = {.items_len = w->model.items_len, .locations_len = w->model.locations_len};
    memcpy(older.levels, levels, sizeof(levels));
    struct comparison comparison = {.world = w, .model = &older};
    ledger_each_level(ledger, compare_level, &comparison);
    promise(comparison.seen == levels_of(&older), "I7", "an older state with other levels");
}

/* --- the view ------------------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of(struct str bytes)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ (uint8_t)bytes.ptr[i]) * 1099511628211u;
    }
    return hash | 1;
}

/* The same version is the same bytes, in whatever life. */
static void same_bytes(struct world *w, uint32_t item, const struct shown *s)
{
    struct map_cursor at;
    uint64_t where = (s->version << 8 | item) * 0x9e3779b97f4a7c15u;
    uint64_t before = map_first(&w->shown, where, &at);
    if (before == 0) {
        map_add(&w->shown, where, hash_of(s->json));
    } else {
        promise(
            before == hash_of(s->json), "I11", "item %u is shown otherwise at version %llu: %.*s", item,
            (unsigned long long)s->version, STR_ARG(s->json));
    }
}

void verify_shown(struct world *w, uint32_t item, const struct shown *s)
{
    const struct model_shown *m = model_shown(&w->model, item, s->version);
    promise(
        m != NULL, "I10", "item %u is shown at version %llu, which never was", item, (unsigned long long)s->version);
    promise(
        s->available == m->available && s->seq == m->seq, "I10",
        "item %u at version %llu: %lld shown, %lld are available", item, (unsigned long long)s->version,
        (long long)s->available, (long long)m->available);
    enum availability_status status = m->available == 0 ? AVAILABILITY_OUT_OF_STOCK
        : m->available <= 5                             ? AVAILABILITY_LOW_STOCK
                                                        : AVAILABILITY_IN_STOCK;
    promise(s->status == status, "I10", "item %u with %lld units is %d", item, (long long)m->available, s->status);
    same_bytes(w, item, s);
}

void verify_view(struct life *l)
{
    struct world *w = l->world;
    promise(atomic_load(&l->view.seq) == model_seq(&w->model), "I11", "the view stays behind");
    life_settle_shadow(l);
    for (uint32_t item = 1; item <= w->model.items_len; item++) {
        struct str sku = str_from(w->model.items[item].sku);
        const struct shelf_entry *e = view_find(&l->view, sku);
        const struct shelf_entry *shadow = view_find(&l->shadow, sku);
        promise(e != NULL && shadow != NULL, "I11", "item %u is nowhere to be seen", item);
        const struct shown *s = shelf_entry_shown(e);
        verify_shown(w, item, s);
        promise(
            s->version == w->model.items[item].shown[w->model.items[item].shown_len - 1].version, "I11",
            "item %u is shown at an older version", item);
        promise(str_equal(s->json, shelf_entry_shown(shadow)->json), "I11", "order and repetition change a view");
    }
}

/* --- the rows -------------------------------------------------------------------------------------------------------------------- */

static bool row_is_level(void *ctx, const struct level_row *row)
{
    const struct world *w = ctx;
    compare_quantities(&w->model.levels[row->item][row->location], row, "the store");
    return true;
}

static bool row_is_movement(void *ctx, const struct movement *row)
{
    struct comparison *c = ctx;
    const struct model *m = c->model;
    promise(row->seq >= 1 && row->seq <= m->facts_len, "I6", "movement %llu never was", (unsigned long long)row->seq);
    const struct fact *f = &m->facts[row->seq - 1];
    promise(
        f->kind == row->kind && f->item == row->item && f->location == row->location && f->version == row->version &&
            f->time_ms == row->time_ms && f->reservation == row->reservation &&
            memcmp(&f->after, &row->after, sizeof(f->after)) == 0 &&
            memcmp(&f->delta, &row->delta, sizeof(f->delta)) == 0,
        "I6", "movement %llu is another one", (unsigned long long)row->seq);
    c->seen++;
    return true;
}

static bool row_is_reservation(void *ctx, const struct reservation *row)
{
    struct comparison *c = ctx;
    const struct model_reservation *m = model_reservation(c->model, row->id);
    promise(m != NULL, "I6", "a reservation that never was is stored");
    compare_reservation(c->world, m, row);
    c->seen++;
    return true;
}

/* A read may fail only while reads are made to fail. */
static bool read_went_well(const struct life *l, enum err e)
{
    const struct world *w = l->world;
    promise(
        e == ERR_OK || (w->faults_on && w->plan.read_errors) || disk_is_dead(w->disk), "I20",
        "a sound disk cannot be read: %s", err_info(e)->slug);
    return e == ERR_OK;
}

static void verify_levels(struct life *l, uint32_t item)
{
    struct store_reader *r = l->query_reader;
    struct world *w = l->world;
    (void)read_went_well(l, r->ops->levels(r, str_from(w->model.items[item].sku), row_is_level, w));
}

void verify_store(struct life *l)
{
    struct world *w = l->world;
    struct store_reader *r = l->query_reader;
    for (uint32_t item = 1; item <= w->model.items_len; item++) {
        verify_levels(l, item);
    }
    struct comparison c = {.world = w, .model = &w->model};
    struct movement_filter all = {.limit = (uint32_t)w->model.facts_len + 1};
    if (read_went_well(l, r->ops->movements(r, &all, row_is_movement, &c))) {
        promise(c.seen == w->model.facts_len, "I6", "%zu movements stored, not %zu", c.seen, w->model.facts_len);
    }
    c.seen = 0;
    struct reservation_filter any = {.limit = (uint32_t)w->model.reservations_len + 1};
    if (read_went_well(l, r->ops->reservations(r, &any, row_is_reservation, &c))) {
        promise(
            c.seen == w->model.reservations_len, "I6", "%zu reservations stored, not %zu", c.seen,
            w->model.reservations_len);
    }
}

static size_t movements_of(const struct model *m, uint32_t item, uint32_t location, uint64_t after, size_t limit)
{
    size_t found = 0;
    for (size_t i = after; i < m->facts_len && found < limit; i++) {
        found += m->facts[i].item == item && (location == 0 || m->facts[i].location == location);
    }
    return found;
}

static void query_movements(struct life *l, uint32_t item)
{
    struct world *w = l->world;
    struct store_reader *r = l->query_reader;
    uint32_t location = (uint32_t)world_below(w, w->model.locations_len + 1);
    struct movement_filter f = {
        .sku = str_from(w->model.items[item].sku),
        .location = location == 0 ? STR_NONE : str_from(w->model.locations[location]),
        .after_seq = world_below(w, model_seq(&w->model) + 1),
        .limit = 1 + (uint32_t)world_below(w, 200),
    };
    struct comparison c = {.world = w, .model = &w->model};
    size_t due = movements_of(&w->model, item, location, f.after_seq, f.limit);
    if (read_went_well(l, r->ops->movements(r, &f, row_is_movement, &c))) {
        promise(c.seen == due, "I8", "%zu movements of item %u at %u listed, not %zu", c.seen, item, location, due);
    }
}

static void query_reservations(struct life *l)
{
    struct world *w = l->world;
    struct store_reader *r = l->query_reader;
    struct reservation_filter f = {
        .state = (enum reservation_state)world_below(w, RESERVATION_STATE_END), .limit = UINT32_MAX};
    struct comparison c = {.world = w, .model = &w->model};
    size_t due = 0;
    for (size_t i = 0; i < w->model.reservations_len; i++) {
        due += f.state == 0 || w->model.reservations[i].state == f.state;
    }
    if (read_went_well(l, r->ops->reservations(r, &f, row_is_reservation, &c))) {
        promise(c.seen == due, "I8", "%zu reservations in state %d listed, not %zu", c.seen, f.state, due);
    }
}

void verify_queries(struct life *l)
{
    struct world *w = l->world;
    if (w->model.items_len == 0) {
        return;
    }
    uint32_t item = 1 + (uint32_t)world_below(w, w->model.items_len);
    switch (world_below(w, 3)) {
    case 0:
        verify_levels(l, item);
        return;
    case 1:
        query_movements(l, item);
        return;
    default:
        query_reservations(l);
        return;
    }
}

/* --- the product's own audit, and the library's ------------------------------------------------------------------------------------ */

static void verify_integrity(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_open_v2(WORLD_DATA "/" STORE_SQLITE_FILE, &db, SQLITE_OPEN_READONLY, NULL);
    promise(rc == SQLITE_OK, "I20", "the database cannot be opened: %d", rc);
    rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL);
    promise(rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW, "I20", "the database cannot be checked: %d", rc);
    const char *text = (const char *)sqlite3_column_text(s, 0);
    promise(strcmp(text, "ok") == 0, "I20", "the database is damaged: %s", text);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

void verify_audit(void)
{
    verify_integrity();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    check(out != NULL);
    int status = audit_run(WORLD_DATA, out);
    fclose(out);
    promise(status == 0, "I2", "the audit: %s", text);
    free(text); /* library memory */
}
