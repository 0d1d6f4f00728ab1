/* The inventory service: leaders that follow one another, each with the product's ledger and relay, on the memory store. */
#include "base/mem.h"
#include "store/memory/memory.h"
#include "stream.h"

#define COMMANDS_MAX 7
#define RETRY_MS 250
/* A hold outlives the world. */
#define HOLD_S 86400

/* --- a reader in the way ------------------------------------------------------------------------------------------ */

static struct lane *lane_of(struct store_reader *r)
{
    return CONTAINER_OF(r, struct lane, base);
}

/* Rows may have been given already. */
static enum err fail_now_and_then(struct lane *l, enum err e)
{
    if (stream_fault(l->world, l->world->plan.store_fails, 20)) {
        mark(MARK_STORE_FAILS);
        return ERR_STORE_AWAY;
    }
    return e;
}

static enum err lane_head(struct store_reader *base, struct store_head *out)
{
    struct lane *l = lane_of(base);
    enum err e = fail_now_and_then(l, l->inner->ops->head(l->inner, out));
    stream_meanwhile(l->world);
    return e;
}

static enum err
lane_catalogue(struct store_reader *base, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx)
{
    struct lane *l = lane_of(base);
    return fail_now_and_then(l, l->inner->ops->catalogue(l->inner, after_item, limit, item, level, ctx));
}

static enum err
lane_movements(struct store_reader *base, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    struct lane *l = lane_of(base);
    return fail_now_and_then(l, l->inner->ops->movements(l->inner, filter, fn, ctx));
}

static const struct store_reader_ops lane_ops = {
    .head = lane_head, .catalogue = lane_catalogue, .movements = lane_movements};

static void lane_open(struct stream *w, struct lane *l)
{
    *l = (struct lane){.base = {.ops = &lane_ops}, .world = w};
    enum err e = store_reader_open(w->shop.store, &l->inner, NULL);
    check(e == ERR_OK);
}

/* --- deeds -------------------------------------------------------------------------------------------------------- */

static void note_deed(struct past *p, const struct deed *d)
{
    mem_grow((void **)&p->deeds, &p->deeds_cap, p->deeds_len + 1, sizeof(*p->deeds));
    p->deeds[p->deeds_len++] = *d;
}

static void note_facts(struct past *p, const struct changes *c, int64_t committed_ms)
{
    for (size_t i = 0; i < c->items_len; i++) {
        const struct item_change *item = &c->items[i];
        check(item->created && p->items_len < SKUS && item->item == p->items_len + 1);
        p->items[p->items_len++] = (struct definition){stream_sku_of(item->sku), item->time_ms, committed_ms};
    }
    for (size_t i = 0; i < c->movements_len; i++) {
        const struct movement *m = &c->movements[i];
        mem_grow((void **)&p->facts, &p->facts_cap, p->facts_len + 1, sizeof(*p->facts));
        check(m->seq == p->facts_len + 1);
        p->facts[p->facts_len++] = (struct fact){
            .sku = stream_sku_of(m->sku),
            .location = stream_location_of(m->location_id),
            .after = m->after,
            .version = m->version,
            .time_ms = m->time_ms,
            .committed_ms = committed_ms,
        };
    }
}

/* Whether it is refused is the ledger's business, and the same each time. */
static void apply_deed(struct leader *l, const struct deed *d)
{
    struct command_line line = {.sku = stream_sku(d->sku), .location = stream_location(d->location)};
    line.quantity = d->quantity;
    line.bucket = d->bucket;
    struct command c = {.kind = d->command, .name = STR("A name"), .lines = &line, .lines_len = 1, .id = d->id};
    c.ttl_s = HOLD_S;
    c.sku = stream_sku(d->sku);
    c.location = stream_location(d->location);
    c.to = stream_location(d->to);
    if (d->command == COMMAND_TRANSFER) {
        line.location = STR_NONE;
    }
    struct result result;
    (void)ledger_apply(l->ledger, &c, d->now_ms, &l->changes, &result);
}

/* What is committed is true from here on. */
static enum err commit_deeds(struct stream *w, struct leader *l, const struct deed *d, struct err_note *note)
{
    ledger_seal(l->ledger, &l->changes);
    const struct batch b = {
        .epoch = l->epoch,
        .seq_before = l->seq,
        .seq_after = ledger_seq(l->ledger),
        .time_ms = d->now_ms,
        .changes = &l->changes,
    };
    TRY(store_commit(w->shop.store, &b, note));
    note_facts(stream_past(w), &l->changes, d->committed_ms);
    ledger_committed(l->ledger, &l->changes);
    ledger_begin(l->ledger, &l->changes);
    l->seq = b.seq_after;
    return ERR_OK;
}

/* --- leaders ------------------------------------------------------------------------------------------------------ */

static void ignore_key(void *ctx, const struct key_row *row)
{
    (void)ctx;
    (void)row;
}

static void claim(struct stream *w, struct leader *l)
{
    struct store_head head;
    enum err e = store_claim(w->shop.store, "", &head, NULL);
    check(e == ERR_OK);
    l->epoch = head.epoch;
    l->seq = head.seq;
    l->now_ms = head.time_ms > l->now_ms ? head.time_ms : l->now_ms;
    note_deed(stream_past(w), &(struct deed){.kind = DEED_CLAIM});
}

/* It leads, and has no relay yet. */
static struct leader *leader_new(struct stream *w)
{
    struct leader *l = mem_new(sizeof(*l));
    l->world = w;
    l->ledger = ledger_new();
    l->writes = true;
    claim(w, l);
    const struct store_key_sink sink = {.key = ignore_key};
    enum err e = store_load(w->shop.store, l->ledger, &sink, NULL);
    check(e == ERR_OK);
    changes_init(&l->changes);
    ledger_begin(l->ledger, &l->changes);
    lane_open(w, &l->lane);
    return l;
}

static void leader_free(struct leader *l)
{
    relay_free(l->relay);
    store_reader_free(l->lane.inner);
    changes_release(&l->changes);
    ledger_free(l->ledger);
    mem_free(l);
}

static struct leader *present_leader(struct stream *w)
{
    return w->shop.leaders[w->shop.leaders_len - 1];
}

/* A deposed one whose relay has ended has nothing more to do here. */
static void free_the_deposed(struct stream *w)
{
    struct shop *s = &w->shop;
    size_t kept = 0;
    for (size_t i = 0; i < s->leaders_len; i++) {
        struct leader *l = s->leaders[i];
        if (i + 1 < s->leaders_len && !l->stepping && (l->relay == NULL || s->leaders_len > 6)) {
            leader_free(l);
        } else {
            s->leaders[kept++] = l;
        }
    }
    s->leaders_len = kept;
}

static void lead(struct stream *w, struct leader *l)
{
    struct shop *s = &w->shop;
    l->relay = relay_new(
        &(struct relay_options){.reader = &l->lane.base, .bus = &w->broker.base, .partition = 0, .epoch = l->epoch});
    l->relay_due_ms = stream_mono_ms(w);
    mem_grow((void **)&s->leaders, &s->leaders_cap, s->leaders_len + 1, sizeof(struct leader *));
    s->leaders[s->leaders_len++] = l;
    stream_say(w, "epoch %llu begins at seq %llu", (unsigned long long)l->epoch, (unsigned long long)l->seq);
}

void shop_take_over(struct stream *w)
{
    lead(w, leader_new(w));
    mark(MARK_TAKE_OVER);
}

/* --- trade -------------------------------------------------------------------------------------------------------- */

static uint32_t undefined_sku(struct stream *w)
{
    const struct past *p = stream_past(w);
    uint32_t sku = (uint32_t)stream_below(w, SKUS);
    for (size_t i = 0; i < p->items_len; i++) {
        if (p->items[i].sku == sku) {
            return SKUS;
        }
    }
    return sku;
}

static enum quantity draw_bucket(struct stream *w)
{
    enum quantity q;
    do {
        q = (enum quantity)stream_below(w, QUANTITY_COUNT);
    } while (!quantity_is_adjustable(q));
    return q;
}

static void draw_hold(struct stream *w, struct deed *d)
{
    struct shop *s = &w->shop;
    if (d->command == COMMAND_RESERVE) {
        d->id = uuid7_next(&s->ids, d->now_ms);
        s->holds[s->holds_len++ % ARRAY_LEN(s->holds)] = d->id;
    } else if (s->holds_len > 0) {
        uint64_t held = s->holds_len < ARRAY_LEN(s->holds) ? s->holds_len : ARRAY_LEN(s->holds);
        d->id = s->holds[stream_below(w, held)];
    }
}

static struct deed draw_deed(struct stream *w, int64_t now_ms)
{
    static const enum command_kind kinds[] = {
        COMMAND_RECEIVE, COMMAND_RECEIVE, COMMAND_ADJUST, COMMAND_ADJUST,  COMMAND_TRANSFER,    COMMAND_RESERVE,
        COMMAND_RESERVE, COMMAND_COMMIT,  COMMAND_CANCEL, COMMAND_RELEASE, COMMAND_DEFINE_ITEM,
    };
    struct deed d = {.kind = DEED_COMMAND, .now_ms = now_ms};
    d.command = kinds[stream_below(w, ARRAY_LEN(kinds))];
    d.sku = d.command == COMMAND_DEFINE_ITEM ? undefined_sku(w) : (uint32_t)stream_below(w, SKUS);
    if (d.sku == SKUS) {
        d.command = COMMAND_RECEIVE;
        d.sku = (uint32_t)stream_below(w, SKUS);
    }
    d.location = (uint32_t)stream_below(w, LOCATIONS);
    d.to = (d.location + 1) % LOCATIONS;
    d.quantity = 1 + (int64_t)stream_below(w, 20);
    d.bucket = draw_bucket(w);
    if (d.command == COMMAND_ADJUST && stream_below(w, 3) == 0) {
        d.quantity = -d.quantity;
    }
    draw_hold(w, &d);
    return d;
}

static void keep_pending(struct past *p, const struct deed *pending, size_t len, const struct deed *end)
{
    for (size_t i = 0; i < len; i++) {
        note_deed(p, &pending[i]);
    }
    note_deed(p, end);
}

static bool is_in_run(const struct deed *run, size_t len, const struct deed *d)
{
    for (size_t i = 0; i < len && d->command == COMMAND_DEFINE_ITEM; i++) {
        if (run[i].command == COMMAND_DEFINE_ITEM && run[i].sku == d->sku) {
            return true;
        }
    }
    return false;
}

/* A batch of commands, at the present time. */
static enum err trade(struct stream *w, struct leader *l)
{
    struct deed run[COMMANDS_MAX];
    size_t len = 0;
    int64_t wall_ms = stream_wall_ms(w);
    l->now_ms = wall_ms > l->now_ms ? wall_ms : l->now_ms;
    for (uint64_t more = 1 + stream_below(w, COMMANDS_MAX); more > 0; more--) {
        struct deed d = draw_deed(w, l->now_ms);
        if (!is_in_run(run, len, &d)) {
            apply_deed(l, &d);
            run[len++] = d;
        }
    }
    const struct deed end = {.kind = DEED_COMMIT, .now_ms = l->now_ms, .committed_ms = wall_ms};
    struct err_note note;
    TRY(commit_deeds(w, l, &end, &note));
    keep_pending(stream_past(w), run, len, &end);
    w->commits++;
    return ERR_OK;
}

/* The places that there are. */
static void furnish(struct stream *w, struct leader *l)
{
    const struct deed end = {.kind = DEED_COMMIT, .now_ms = l->now_ms, .committed_ms = stream_wall_ms(w)};
    struct deed run[LOCATIONS];
    for (uint32_t i = 0; i < LOCATIONS; i++) {
        run[i] = (struct deed){.kind = DEED_COMMAND, .command = COMMAND_DEFINE_LOCATION, .location = i};
        run[i].now_ms = l->now_ms;
        apply_deed(l, &run[i]);
    }
    enum err e = commit_deeds(w, l, &end, NULL);
    check(e == ERR_OK);
    keep_pending(stream_past(w), run, LOCATIONS, &end);
}

/* Is of an older store what it shows, in part, or what it will be given? */
static bool may_mix(const struct stream *w, const struct node *n)
{
    uint64_t seq = atomic_load(&n->availability.view.seq);
    bool is_far_ahead = !w->plan.keeps && n->on && seq > w->pasts[w->past].facts_len + 4 * COMMANDS_MAX;
    return told_has_old(w, &n->queue) || (n->past != w->past && (n->on || n->is_mixed) && !is_far_ahead);
}

/*
 * What comes of an older store among what is of the present one is not noticed once the present one has grown past it: nodes
 * have to have the chance before.
 */
static bool may_grow(const struct stream *w)
{
    bool may = !told_has_old(w, &w->broker.late);
    for (uint32_t i = 0; i < w->nodes_len && may; i++) {
        may = !may_mix(w, &w->nodes[i]);
    }
    return may;
}

void shop_commit(struct stream *w)
{
    struct shop *s = &w->shop;
    if (!may_grow(w) || stream_mono_ms(w) < w->inventory_away_until_ms) {
        return;
    }
    struct leader *l = present_leader(w);
    struct leader *other = s->leaders[stream_below(w, s->leaders_len)];
    if (other != l && other->writes) {
        enum err e = trade(w, other);
        promise(e == ERR_FENCED, "I13", "a deposed leader committed");
        other->writes = false;
        mark(MARK_DEPOSED_FENCED);
    }
    enum err e = trade(w, l);
    check(e == ERR_OK);
    l->relay_due_ms = stream_mono_ms(w);
    stream_say(w, "committed up to seq %llu", (unsigned long long)l->seq);
}

/* --- relays ------------------------------------------------------------------------------------------------------- */

void shop_step_relay(struct stream *w, struct leader *l)
{
    if (l->relay == NULL || l->stepping) {
        return;
    }
    struct err_note note = {""};
    l->stepping = true;
    enum relay_next next = relay_step(l->relay, stream_mono_ms(w), stream_wall_ms(w), &note);
    l->stepping = false;
    int64_t now_ms = stream_mono_ms(w);
    switch (next) {
    case RELAY_GO_ON:
        l->relay_due_ms = now_ms;
        break;
    case RELAY_REST:
        l->relay_due_ms = now_ms + RELAY_POSITION_MS;
        break;
    case RELAY_RETRY:
        l->relay_due_ms = now_ms + RETRY_MS;
        break;
    case RELAY_END:
        relay_free(l->relay);
        l->relay = NULL;
        mark(MARK_RELAY_ENDS);
    }
}

void shop_turn(struct stream *w)
{
    struct shop *s = &w->shop;
    for (size_t i = 0; i < s->leaders_len; i++) {
        if (s->leaders[i]->relay_due_ms <= stream_mono_ms(w)) {
            shop_step_relay(w, s->leaders[i]);
        }
    }
    free_the_deposed(w);
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

static void open_store(struct stream *w)
{
    w->shop.store = store_memory_new(0);
    w->shop.holds_len = 0;
    lane_open(w, &w->shop.answers);
}

static void close_store(struct stream *w)
{
    struct shop *s = &w->shop;
    for (size_t i = 0; i < s->leaders_len; i++) {
        leader_free(s->leaders[i]);
    }
    s->leaders_len = 0;
    store_reader_free(s->answers.inner);
    store_free(s->store);
}

void shop_open(struct stream *w)
{
    uuid7_init(&w->shop.ids, w->seed);
    open_store(w);
    struct leader *l = leader_new(w);
    furnish(w, l);
    lead(w, l);
}

void shop_close(struct stream *w)
{
    close_store(w);
    mem_free(w->shop.leaders);
}

/* The first deeds of the past before, done again: a backup of then. */
static void build_again(struct stream *w, const struct past *from, size_t deeds)
{
    struct leader *l = leader_new(w);
    for (size_t i = 1; i < deeds; i++) { /* the first is the claim of who began it */
        const struct deed *d = &from->deeds[i];
        if (d->kind == DEED_CLAIM) {
            claim(w, l);
            continue;
        }
        if (d->kind == DEED_COMMAND) {
            apply_deed(l, d);
        } else {
            enum err e = commit_deeds(w, l, d, NULL);
            check(e == ERR_OK);
        }
        note_deed(stream_past(w), d);
    }
    leader_free(l);
    struct past *p = stream_past(w);
    check(p->facts_len <= from->facts_len && p->items_len <= from->items_len);
    p->shared = p->facts_len;
    p->shared_items = p->items_len;
}

/* Another shop's store, whose owners were more than those of this one. */
static void build_another(struct stream *w, uint64_t epoch)
{
    struct leader *l = leader_new(w);
    furnish(w, l);
    for (uint64_t more = stream_below(w, 40); more > 0; more--) {
        enum err e = trade(w, l);
        check(e == ERR_OK);
    }
    while (l->epoch < epoch) {
        claim(w, l);
    }
    leader_free(l);
}

/* Not within a batch. */
static size_t draw_backup(struct stream *w, const struct past *p)
{
    size_t back = stream_below(w, 80);
    size_t deeds = p->deeds_len - (back < p->deeds_len ? back : p->deeds_len);
    while (deeds < p->deeds_len && (deeds == 0 || p->deeds[deeds - 1].kind == DEED_COMMAND)) {
        deeds++;
    }
    return deeds;
}

void shop_restore(struct stream *w, bool replaced)
{
    const struct past *before = stream_past(w);
    uint64_t epoch = present_leader(w)->epoch;
    check(w->past + 1 < PASTS_MAX);
    close_store(w);
    told_drop_all(&w->broker.late); /* of processes that are gone */
    w->past++;
    stream_past(w)->began_ms = stream_wall_ms(w);
    open_store(w);
    if (replaced) {
        build_another(w, epoch);
    } else {
        build_again(w, before, draw_backup(w, before));
    }
    mark(replaced ? MARK_STORE_REPLACED : MARK_STORE_SET_BACK);
    stream_say(
        w, "the store is %s: seq %zu after %zu", replaced ? "replaced" : "set back", stream_past(w)->facts_len,
        before->facts_len);
    lead(w, leader_new(w));
}
