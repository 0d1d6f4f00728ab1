/* What a node shows, says of itself, and may not do; decided by what was committed alone. */
#include "base/mem.h"
#include "stream.h"

/* What a node says is not stale. */
#define FRESH_MS 2000

static int64_t at_least_zero(int64_t n)
{
    return n > 0 ? n : 0;
}

/* --- what it is given --------------------------------------------------------------------------------------------- */

static bool is_fact(const struct past *p, uint32_t sku, uint32_t location, const struct given *g)
{
    if (g->seq == 0 || g->seq > p->facts_len) {
        return false;
    }
    const struct fact *f = &p->facts[g->seq - 1];
    return f->sku == sku && f->location == location && f->version == g->version && f->time_ms == g->time_ms &&
        memcmp(&f->after, &g->quantities, sizeof(f->after)) == 0;
}

static bool is_definition(const struct past *p, uint32_t sku, int64_t time_ms)
{
    for (size_t i = 0; i < p->items_len; i++) {
        if (p->items[i].sku == sku && p->items[i].time_ms == time_ms) {
            return true;
        }
    }
    return false;
}

static void take_level(struct node *n, const struct level_row *row)
{
    const struct stream *w = n->world;
    uint32_t sku = stream_sku_of(row->sku);
    uint32_t location = stream_location_of(row->location_id);
    promise(sku < SKUS && location < LOCATIONS, "I11", "node %u has a level that never was", n->number);
    const struct given g = {row->version, row->seq, row->quantities, row->time_ms};
    bool was = false;
    for (size_t p = n->first_past; p <= w->past && !was; p++) {
        was = is_fact(&w->pasts[p], sku, location, &g);
    }
    promise(
        was, "I11", "node %u was given a state that level %u %u never had: version %llu, seq %llu", n->number, sku,
        location, (unsigned long long)g.version, (unsigned long long)g.seq);
    n->is_mixed = n->is_mixed || (n->past != w->past && !is_fact(&w->pasts[w->past], sku, location, &g));
    n->known[sku] = true;
    if (g.version > n->given[sku][location].version) {
        n->given[sku][location] = g;
    }
}

static void take_item(struct node *n, const struct bus_item *item)
{
    const struct stream *w = n->world;
    uint32_t sku = stream_sku_of(item->sku);
    bool was = false;
    for (size_t p = n->first_past; p <= w->past && !was; p++) {
        was = sku < SKUS && is_definition(&w->pasts[p], sku, item->time_ms);
    }
    promise(was, "I11", "node %u has an item that was never defined so", n->number);
    n->known[sku] = true;
    n->defined_ms[sku] = n->defined_ms[sku] == 0 ? item->time_ms : n->defined_ms[sku];
}

void prove_given(struct node *n, const struct bus_message *m)
{
    for (size_t i = 0; i < m->items_len; i++) {
        take_item(n, &m->items[i]);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        take_level(n, &m->levels[i]);
    }
    stream_trace(n->world, m->seq * 31 + m->levels_len * 7 + m->items_len);
}

/* --- what it shows ------------------------------------------------------------------------------------------------ */

static void prove_shown(struct node *n, uint32_t sku)
{
    const struct shelf_entry *e = view_find(&n->availability.view, stream_sku(sku));
    promise((e != NULL) == n->known[sku], "I11", "node %u does not show what it was given", n->number);
    if (e == NULL) {
        return;
    }
    uint64_t version = 0;
    int64_t available = 0;
    for (uint32_t i = 0; i < LOCATIONS; i++) {
        version += n->given[sku][i].version;
        available += at_least_zero(quantities_available(&n->given[sku][i].quantities));
    }
    const struct shown *s = shelf_entry_shown(e);
    promise(s->version >= n->shown_version[sku], "I9", "node %u shows an older version of item %u", n->number, sku);
    promise(
        s->version == version && s->available == available, "I11", "node %u shows item %u otherwise than it was given",
        n->number, sku);
    n->shown_version[sku] = s->version;
}

/* How far what it knows can be judged: while it has not noticed that the store is another, what both have in common. */
static uint64_t judged_to(const struct node *n, uint64_t *items)
{
    const struct stream *w = n->world;
    uint64_t seq = w->pasts[n->past].facts_len;
    *items = w->pasts[n->past].items_len;
    for (size_t p = n->past + 1; p <= w->past; p++) {
        seq = w->pasts[p].shared < seq ? w->pasts[p].shared : seq;
        *items = w->pasts[p].shared_items < *items ? w->pasts[p].shared_items : *items;
    }
    return seq;
}

static bool has(const struct node *n, const struct fact *f)
{
    return n->given[f->sku][f->location].version >= f->version;
}

/* The token of a read: whoever asks for it is told that this much is in. */
static void prove_claim(struct node *n)
{
    const struct past *p = &n->world->pasts[n->past];
    uint64_t seq = atomic_load(&n->availability.view.seq);
    uint64_t items;
    uint64_t to = judged_to(n, &items);
    promise(
        n->past != n->world->past || seq <= p->facts_len, "I21", "node %u says seq %llu, which is not there", n->number,
        (unsigned long long)seq);
    for (; n->claimed < seq && n->claimed < to; n->claimed++) {
        promise(
            has(n, &p->facts[n->claimed]), "I21", "node %u says that it has seq %llu, but does not have %llu",
            n->number, (unsigned long long)seq, (unsigned long long)n->claimed + 1);
    }
}

static bool shows_only(const struct node *n, const struct past *p)
{
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        if (n->defined_ms[sku] != 0 && !is_definition(p, sku, n->defined_ms[sku])) {
            return false;
        }
        for (uint32_t i = 0; i < LOCATIONS; i++) {
            const struct given *g = &n->given[sku][i];
            if (g->version > 0 && !is_fact(p, sku, i, g)) {
                return false;
            }
        }
    }
    return true;
}

bool node_is_settled(const struct node *n)
{
    const struct stream *w = n->world;
    const struct past *p = &w->pasts[w->past];
    struct availability_metrics knows = {0};
    if (!n->opened || told_has_old(w, &n->queue) || !shows_only(n, p)) {
        return false;
    }
    follow_metrics(n->follow, &knows);
    return knows.seq_known <= p->facts_len && atomic_load(&n->availability.view.seq) <= p->facts_len;
}

/* From here on it is judged by the present store. */
static void settle(struct node *n)
{
    struct stream *w = n->world;
    if (n->past != w->past && node_is_settled(n)) {
        uint64_t items;
        uint64_t seq = judged_to(n, &items);
        n->claimed = n->claimed < seq ? n->claimed : seq;
        n->fresh = n->fresh < seq ? n->fresh : seq;
        n->fresh_items = n->fresh_items < items ? n->fresh_items : items;
        n->past = w->past;
        n->is_mixed = false;
    }
}

void prove_view(struct node *n)
{
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        prove_shown(n, sku);
    }
    prove_claim(n);
}

/* Not older than it says: what was committed before is in. */
void prove_age(struct node *n)
{
    const struct stream *w = n->world;
    settle(n);
    int64_t age_ms = follow_age_ms(n->follow);
    const struct past *p = &w->pasts[n->past];
    uint64_t items;
    uint64_t to = judged_to(n, &items);
    if (age_ms < 0) {
        return;
    }
    int64_t before_ms = stream_wall_ms(w) - age_ms;
    /* What comes late of a store that is no more is noticed at the first position that was made after it came. */
    bool may_show = before_ms <= w->pasts[w->past].began_ms || before_ms <= n->foreign_ms;
    promise(
        may_show || shows_only(n, &w->pasts[w->past]), "I22",
        "node %u says it is %lld ms old, but shows what another store had", n->number, (long long)age_ms);
    for (; n->fresh < to && p->facts[n->fresh].committed_ms < before_ms; n->fresh++) {
        promise(
            has(n, &p->facts[n->fresh]), "I21", "node %u says it is %lld ms old, but does not have seq %llu", n->number,
            (long long)age_ms, (unsigned long long)n->fresh + 1);
    }
    for (; n->fresh_items < items && p->items[n->fresh_items].committed_ms < before_ms; n->fresh_items++) {
        promise(
            n->known[p->items[n->fresh_items].sku], "I21", "node %u says it is %lld ms old, but does not know item %zu",
            n->number, (long long)age_ms, n->fresh_items + 1);
    }
    mark(age_ms <= FRESH_MS ? MARK_NODE_IS_FRESH : MARK_NODE_IS_STALE);
}

void prove_cut(struct node *n)
{
    promise(
        n->first_past != n->world->past, "I22", "node %u throws away what it knows, but the store is the same",
        n->number);
    mark(MARK_NODE_CUT);
}

/* --- what relays say ---------------------------------------------------------------------------------------------- */

/* A position says that all up to there was published before. */
void prove_published(struct stream *w, const struct bus_position *p)
{
    const struct past *past = stream_past(w);
    promise(p->seq <= past->facts_len && p->items <= past->items_len, "I12", "a position is beyond what is committed");
    for (uint64_t n = past->excused; n < p->seq; n++) {
        promise(
            n < past->published_cap && past->published[n], "I12", "seq %llu was not published",
            (unsigned long long)n + 1);
    }
    for (uint64_t n = past->excused_items; n < p->items; n++) {
        promise(past->published_items[n], "I12", "item %llu was not published", (unsigned long long)n + 1);
    }
}

void prove_one_relay(struct stream *w)
{
    for (size_t i = 0; i + 1 < w->shop.leaders_len; i++) {
        promise(w->shop.leaders[i]->relay == NULL, "I13", "a deposed leader goes on publishing");
    }
}

/* --- in the end --------------------------------------------------------------------------------------------------- */

bool node_is_equal(struct node *n)
{
    const struct stream *w = n->world;
    const struct past *p = &w->pasts[w->past];
    if (!n->on || n->past != w->past || atomic_load(&n->availability.view.seq) != p->facts_len) {
        return false;
    }
    for (size_t i = 0; i < p->items_len; i++) {
        if (!n->known[p->items[i].sku]) {
            return false;
        }
    }
    for (size_t i = 0; i < p->facts_len; i++) {
        if (!has(n, &p->facts[i])) {
            return false;
        }
    }
    int64_t age_ms = follow_age_ms(n->follow);
    return age_ms >= 0 && age_ms <= FRESH_MS;
}

static bool show_item(void *ctx, const struct item_row *row)
{
    struct bus_item item = {.item = row->item, .sku = row->sku, .time_ms = row->defined_ms};
    const struct bus_message m = {.items = &item, .items_len = 1};
    view_apply(ctx, &m);
    return true;
}

static bool show_level(void *ctx, const struct level_row *row)
{
    struct level_row level = *row;
    const struct bus_message m = {.levels = &level, .levels_len = 1};
    view_apply(ctx, &m);
    return true;
}

static void prove_same(struct node *n, struct view *whole)
{
    struct view *v = &n->availability.view;
    promise(
        atomic_load(&v->skus) == atomic_load(&whole->skus), "I11", "node %u shows other items than there are",
        n->number);
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        const struct shelf_entry *a = view_find(v, stream_sku(sku));
        const struct shelf_entry *b = view_find(whole, stream_sku(sku));
        promise((a == NULL) == (b == NULL), "I11", "node %u shows other items than there are", n->number);
        promise(
            a == NULL || str_equal(shelf_entry_shown(a)->json, shelf_entry_shown(b)->json), "I11", "node %u shows %.*s",
            n->number, STR_ARG(shelf_entry_shown(a)->json));
    }
}

void prove_equal(struct stream *w)
{
    struct view whole;
    view_init(&whole, POLICY_DEFAULT);
    struct store_reader *r = w->shop.answers.inner;
    enum err e = r->ops->catalogue(r, 0, SKUS, show_item, show_level, &whole);
    check(e == ERR_OK);
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        prove_same(&w->nodes[i], &whole);
    }
    view_release(&whole);
}
