/* One life of the process: the product's parts, and what its threads do around them, one thing at a time. */
#include "world.h"

#include "base/mem.h"
#include "bus/local/local.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/state.h"

#define BUS_MESSAGES_MAX 16
#define SHADOW_ROWS_MAX 32
/* After a full disk writes pause, and with them the end of holds. */
#define FULL_PAUSE_MS 1000

/* --- what the sequencer asks for -------------------------------------------------------------------------------- */

static void decided_copy_answer(struct decided *d, const struct attempt *a)
{
    struct str answer = buf_str(&a->request.answer);
    d->answer = mem_copy_str(answer);
    d->answer_len = answer.len;
    d->status = a->request.status;
}

static void copy_facts(struct commit *c, const struct changes *changes)
{
    c->facts_len = changes->movements_len;
    c->facts = mem_new_array(c->facts_len + 1, sizeof(*c->facts));
    for (size_t i = 0; i < c->facts_len; i++) {
        c->facts[i] = fact_of(&changes->movements[i]);
    }
    for (size_t i = 0; i < changes->items_len; i++) {
        c->items_created += changes->items[i].created;
    }
}

static void copy_keys(struct commit *c, const struct batch *b)
{
    c->keys_len = b->keys_len;
    c->key_rows = mem_new_array(b->keys_len + 1, sizeof(*c->key_rows));
    for (size_t i = 0; i < b->keys_len; i++) {
        c->key_rows[i] = b->keys[i].row;
    }
}

/* The log so far is this batch's. */
static void take_log(struct life *l, struct commit *c)
{
    struct decision_log *log = &l->log;
    promise(log->done == 0, "I6", "%zu requests of a batch were answered before it was handed over", log->done);
    c->decided_len = log->len;
    c->decided = mem_new_array(log->len + 1, sizeof(*c->decided));
    l->committing = mem_new_array(log->len + 1, sizeof(struct attempt *));
    l->committing_len = log->len;
    for (size_t i = 0; i < log->len; i++) {
        c->decided[i] = log->decided[i];
        decided_copy_answer(&c->decided[i], log->attempts[i]);
        l->committing[i] = log->attempts[i];
        log->attempts[i]->logged = false;
        log->attempts[i]->handed_over = true;
    }
    log->len = 0;
}

static void io_commit(void *ctx, const struct batch *batch)
{
    struct life *l = ctx;
    check(l->batch == NULL && l->commit == NULL && !l->committed);
    l->batch = batch;
    if (l->over) {
        return;
    }
    l->commit = mem_new(sizeof(*l->commit));
    l->commit->epoch = batch->epoch;
    l->commit->seq_before = batch->seq_before;
    l->commit->seq_after = batch->seq_after;
    l->commit->time_ms = batch->time_ms;
    copy_facts(l->commit, batch->changes);
    copy_keys(l->commit, batch);
    take_log(l, l->commit);
    if (batch->purge_keys_to != 0) {
        mark(MARK_KEYS_PURGED);
    }
    if (batch->seq_before / 4096 != batch->seq_after / 4096) {
        mark(MARK_RUN_WRITTEN);
    }
}

static void io_lookup(void *ctx, struct lookup *lookup)
{
    struct life *l = ctx;
    struct lookup **end = &l->asked;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    lookup->next = NULL;
    *end = lookup;
}

static void io_publish(void *ctx, struct bus_message *m)
{
    struct life *l = ctx;
    if (l->over) {
        return;
    }
    promise(
        m->seq <= model_seq(&l->world->model), "I12", "a change at seq %llu is told before it is stored",
        (unsigned long long)m->seq);
    if (l->bus_len == BUS_MESSAGES_MAX) {
        (void)life_run_project(l); /* the real one would wait for it */
    }
    enum err e = bus_publish(l->bus, m, NULL);
    check(e == ERR_OK);
    l->bus_len++;
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

static void hub_wake(void *ctx)
{
    (void)ctx; /* the hub has its turns in any case, when the seed says so */
}

static enum err open_store(struct life *l, struct err_note *note)
{
    TRY(store_sqlite_open(WORLD_DATA, 0, &l->store, note));
    store_sqlite_from(l->store)->checkpoint_pages = 8 + (int)world_below(l->world, 120);
    store_sqlite_from(l->store)->sweep.length = 4 + world_below(l->world, 400);
    TRY(store_claim(l->store, "", &l->head, note));
    TRY(store_reader_open(l->store, &l->lookup_reader, note));
    TRY(store_reader_open(l->store, &l->query_reader, note));
    ledger_clock_init(&l->clock, l->head.time_ms);
    return sequencer_load(l->sequencer, l->store, &l->head, note);
}

static struct life *life_new(struct world *w)
{
    struct life *l = mem_new(sizeof(*l));
    l->world = w;
    l->number = ++w->lives;
    l->queue_end = &l->queue_head;
    l->bus = bus_local_new(BUS_MESSAGES_MAX);
    l->hub = hub_new(hub_wake, l);
    view_init(&l->view, POLICY_DEFAULT);
    view_init(&l->shadow, POLICY_DEFAULT);
    l->sequencer = sequencer_new(&(struct sequencer_options){
        .idempotency_keys_max = w->keys_max,
        .random_seed = random_u64(&w->random),
        .io = {.ctx = l, .commit = io_commit, .lookup = io_lookup, .publish = io_publish},
    });
    return l;
}

static void view_take(struct view *v, const struct bus_message *m)
{
    view_apply(v, m);
    rendered_free_all(view_take_replaced(v)); /* one thread: nobody holds an old answer from one call to the next */
}

struct snapshot {
    struct life *life;
    struct bus_message message;
};

static void snapshot_give(struct snapshot *s)
{
    view_take(&s->life->view, &s->message);
    view_take(&s->life->shadow, &s->message);
    s->message.levels_len = 0;
    s->message.items_len = 0;
}

static void snapshot_item(void *ctx, uint32_t item, struct str sku, int64_t defined_ms)
{
    struct snapshot *s = ctx;
    s->message.items = &(struct bus_item){.item = item, .sku = sku, .time_ms = defined_ms};
    s->message.items_len = 1;
    snapshot_give(s);
}

static void snapshot_level(void *ctx, const struct level_row *row)
{
    struct snapshot *s = ctx;
    struct level_row copy = *row;
    s->message.levels = &copy;
    s->message.levels_len = 1;
    snapshot_give(s);
}

static void feed_snapshot(struct life *l)
{
    const struct ledger *ledger = sequencer_ledger(l->sequencer);
    struct snapshot s = {.life = l, .message = {.seq = ledger_seq(ledger), .time_ms = ledger_clock_now_ms(&l->clock)}};
    ledger_each_item(ledger, snapshot_item, &s);
    ledger_each_level(ledger, snapshot_level, &s);
    mark(ledger_seq(ledger) > 0 ? MARK_VIEW_REBUILT : MARK_LIFE_FRESH);
}

static void begun(struct life *l)
{
    struct world *w = l->world;
    promise(
        l->head.epoch > w->epoch_seen, "I13", "epoch %llu follows %llu", (unsigned long long)l->head.epoch,
        (unsigned long long)w->epoch_seen);
    w->epoch_seen = l->head.epoch;
    l->tick_ms = ledger_clock_now_ms(&l->clock);
    w->model.healthy_since_ms = l->tick_ms;
    if (l->head.time_ms > world_mono_ms(w) + w->clock.wall_ahead_ms) {
        mark(MARK_CLOCK_BEHIND_STORE);
    }
    if (l->number > 1) {
        mark(MARK_LIFE_AGAIN);
    }
    feed_snapshot(l);
}

struct life *life_begin(struct world *w)
{
    struct err_note note = {""};
    struct life *l = life_new(w);
    enum err e = open_store(l, &note);
    world_trace(w, e);
    if (e != ERR_OK || disk_is_dead(w->disk)) {
        life_end(l);
        return NULL;
    }
    l->ledger_is_whole = true;
    begun(l);
    return l;
}

/* --- ending -------------------------------------------------------------------------------------------------------- */

static void drop_lookups(struct life *l)
{
    while (l->asked != NULL || l->answered != NULL) {
        struct lookup **from = l->answered != NULL ? &l->answered : &l->asked;
        struct lookup *lookup = *from;
        *from = lookup->next;
        lookup->err = ERR_IO;
        sequencer_looked_up(l->sequencer, lookup);
    }
}

static void commit_forget(struct life *l)
{
    commit_free(l->commit);
    l->commit = NULL;
    mem_free(l->committing);
    l->committing = NULL;
    l->committing_len = 0;
}

/* Nobody hears the answers. A batch that was handed over and not begun is surely not stored. */
static void drop_requests(struct life *l)
{
    drop_lookups(l);
    for (int pack = 0; pack < 2 && l->ledger_is_whole; pack++) {
        if (l->batch == NULL && !l->committed) {
            sequencer_flush(l->sequencer);
        }
        if (l->batch != NULL || l->committed) {
            l->batch = NULL;
            l->committed = false;
            (void)sequencer_committed(l->sequencer, ERR_IO, 0);
            commit_forget(l);
        }
    }
}

static void attempts_lose(struct life *l)
{
    while (l->attempts != NULL) {
        attempt_lost(l->attempts);
    }
}

static void life_free(struct life *l)
{
    sequencer_free(l->sequencer);
    store_reader_free(l->lookup_reader);
    store_reader_free(l->query_reader);
    if (l->store != NULL) {
        store_free(l->store);
    }
    bus_close(l->bus);
    const struct bus_message *m;
    while ((m = bus_receive(l->bus, 0)) != NULL) {
        bus_done(l->bus, m);
    }
    bus_free(l->bus);
    hub_free(l->hub);
    view_release(&l->view);
    view_release(&l->shadow);
    commit_free(l->commit);
    mem_free(l->committing);
    mem_free(l->log.decided);
    mem_free(l->log.attempts);
    mem_free(l->shadow_rows);
    mem_free(l);
}

void life_end(struct life *l)
{
    l->over = true;
    /* What was handed over is only forgotten when it was surely never begun. */
    drop_requests(l);
    attempts_lose(l);
    life_free(l);
}

/* --- the sequencer thread --------------------------------------------------------------------------------------------- */

static void commit_applied(struct life *l)
{
    for (size_t i = 0; i < l->committing_len; i++) {
        l->committing[i]->durable = true;
    }
}

/* Nothing of the batch is stored. */
static bool reload(struct life *l)
{
    struct err_note note = {""};
    struct inventory_metrics metrics;
    sequencer_metrics(l->sequencer, &metrics);
    mark(MARK_DISK_FULL_RELOAD);
    l->world->model.healthy_since_ms = l->tick_ms + FULL_PAUSE_MS;
    if (l->asked != NULL || l->answered != NULL) {
        mark(MARK_RELOAD_WITH_LOOKUPS);
    }
    struct store_head head = {.epoch = metrics.epoch};
    enum err e = sequencer_load(l->sequencer, l->store, &head, &note);
    if (e != ERR_OK) {
        l->ledger_is_whole = false;
        if (disk_is_dead(l->world->disk)) {
            mark(MARK_DIED_IN_RELOAD);
        }
        return false;
    }
    verify_ledger(l);
    return true;
}

/* False: the process must end. */
static bool take_commit(struct life *l)
{
    enum err e = l->commit_err;
    l->committed = false;
    if (e == ERR_OK) {
        commit_applied(l);
    }
    enum sequencer_next next = sequencer_committed(l->sequencer, e, l->world->clock.mono_ns);
    if (e == ERR_IO) {
        promise(next == SEQUENCER_STOP, "I20", "a process goes on after its store failed");
    }
    commit_forget(l);
    if (e != ERR_OK) {
        l->log.len = 0; /* what was decided since fell with it */
    }
    if (next == SEQUENCER_RELOAD) {
        return reload(l);
    }
    return next == SEQUENCER_GO_ON;
}

static void take_lookups(struct life *l)
{
    struct lookup *lookup = l->answered;
    l->answered = NULL;
    while (lookup != NULL) {
        struct lookup *next = lookup->next;
        sequencer_looked_up(l->sequencer, lookup);
        lookup = next;
    }
}

static void take_requests(struct life *l)
{
    while (l->queue_head != NULL && sequencer_has_room(l->sequencer)) {
        struct request *r = l->queue_head;
        l->queue_head = r->next;
        if (l->queue_head == NULL) {
            l->queue_end = &l->queue_head;
        }
        l->queue_len--;
        if (l->batch != NULL) {
            mark(MARK_PACK_WHILE_COMMITTING);
        }
        sequencer_request(l->sequencer, r);
    }
    if (l->queue_head != NULL) {
        mark(MARK_PACK_FULL);
    }
}

/* Refusals without a key are answered at once when the store is idle. */
static void flush(struct life *l)
{
    bool was_idle = l->batch == NULL;
    sequencer_flush(l->sequencer);
    if (was_idle && l->batch == NULL && l->log.len > 0) {
        promise(
            l->log.done == l->log.len, "I6", "%zu of %zu decisions were answered without a commit", l->log.done,
            l->log.len);
        mark(MARK_PACK_WITHOUT_ROWS);
        l->log.len = 0;
    }
    l->log.done = 0;
}

void life_submit(struct life *l, struct attempt *a)
{
    a->request.next = NULL;
    *l->queue_end = &a->request;
    l->queue_end = &a->request.next;
    l->queue_len++;
}

static void fail(struct life *l)
{
    mark(MARK_LIFE_ENDS_BY_ITSELF);
    l->over = true;
}

void life_turn(struct life *l)
{
    if (disk_is_dead(l->world->disk)) {
        return; /* the process died in the call before */
    }
    l->tick_ms = ledger_clock_now_ms(&l->clock);
    sequencer_tick(l->sequencer, l->tick_ms);
    if (l->committed && !take_commit(l)) {
        fail(l);
        return;
    }
    take_lookups(l);
    take_requests(l);
    flush(l);
}

/* --- the store thread --------------------------------------------------------------------------------------------------- */

static void stored(struct life *l)
{
    struct world *w = l->world;
    promise(w->zombie != l, "I13", "a deposed process commits");
    model_apply(&w->model, l->commit);
    for (size_t i = 0; i < l->commit->decided_len; i++) {
        const struct decided *d = &l->commit->decided[i];
        intent_stored(w, d->intent, d, (struct str){d->answer, d->answer_len}, l->number);
    }
    if (w->was_full) {
        mark(MARK_DISK_FULL_OVER);
        w->was_full = false;
    }
}

static void not_stored(struct life *l, enum err e)
{
    struct world *w = l->world;
    if (e == ERR_FENCED) {
        promise(w->zombie == l, "I13", "the owner is told that another one owns the stock");
        mark(MARK_ZOMBIE_FENCED);
    } else if (e == ERR_STORE_FULL) {
        w->was_full = true;
    } else if (w->zombie != l) { /* a deposed one is fenced before it writes anything */
        check(w->doubt == NULL);
        w->doubt = l->commit;
        l->commit = NULL;
    }
}

bool life_run_commit(struct life *l)
{
    if (l->batch == NULL || l->committed) {
        return false;
    }
    struct err_note note = {""};
    const struct store_sqlite *store = store_sqlite_from(l->store);
    enum err e = store_commit(l->store, l->batch, &note);
    world_trace(l->world, 100 + e);
    l->batch = NULL;
    l->committed = true;
    l->commit_err = e;
    if (e == ERR_OK && store->wal_pages >= store->checkpoint_pages) {
        mark(disk_is_dead(l->world->disk) ? MARK_DIED_IN_CHECKPOINT : MARK_CHECKPOINT);
    } else if (disk_is_dead(l->world->disk)) {
        mark(MARK_DIED_IN_COMMIT);
    }
    if (e == ERR_OK) {
        stored(l);
    } else {
        not_stored(l, e);
    }
    return true;
}

/* --- the other threads ---------------------------------------------------------------------------------------------------- */

bool life_run_lookup(struct life *l)
{
    struct lookup *lookup = l->asked;
    if (lookup == NULL) {
        return false;
    }
    l->asked = lookup->next;
    lookup_run(lookup, l->lookup_reader);
    if (l->committed) {
        mark(MARK_LOOKUP_DURING_COMMIT);
    }
    if (lookup->kind == LOOKUP_RESERVATION && lookup->waiting != NULL && lookup->waiting->next != NULL) {
        mark(MARK_RECALL_SHARED);
    }
    if (lookup->kind == LOOKUP_RESERVATION && lookup->err == ERR_OK) {
        mark(MARK_RECALLED);
    }
    struct lookup **end = &l->answered;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    lookup->next = NULL;
    *end = lookup;
    return true;
}

/* The shadow gets each row once, at times twice, and in any order within a window. */
static void shadow_take(struct life *l, size_t at)
{
    struct level_row row = l->shadow_rows[at];
    struct bus_message m = {.seq = row.seq, .time_ms = row.time_ms, .levels = &row, .levels_len = 1};
    view_take(&l->shadow, &m);
    if (world_below(l->world, 4) > 0) {
        l->shadow_rows[at] = l->shadow_rows[--l->shadow_len];
    }
    mark(MARK_VIEW_SHUFFLED);
}

static void shadow_add(struct life *l, const struct bus_message *m)
{
    struct bus_message items = {.seq = m->seq, .time_ms = m->time_ms, .items = m->items, .items_len = m->items_len};
    if (m->items_len > 0) {
        view_take(&l->shadow, &items);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        mem_grow((void **)&l->shadow_rows, &l->shadow_cap, l->shadow_len + 1, sizeof(*l->shadow_rows));
        struct level_row *row = &l->shadow_rows[l->shadow_len++];
        *row = m->levels[i];
        row->sku = str_from(l->world->model.items[row->item].sku);
        row->location_id = STR_NONE;
    }
    while (l->shadow_len > SHADOW_ROWS_MAX) {
        shadow_take(l, world_below(l->world, l->shadow_len));
    }
}

bool life_run_project(struct life *l)
{
    const struct bus_message *m = l->bus_len > 0 ? bus_receive(l->bus, 0) : NULL;
    if (m == NULL) {
        return false;
    }
    l->bus_len--;
    view_apply(&l->view, m);
    hub_mark(l->hub, l->view.touched, l->view.touched_len, m->committed_ns);
    rendered_free_all(view_take_replaced(&l->view));
    shadow_add(l, m);
    for (size_t i = 0; i < m->levels_len; i++) {
        struct shelf_entry *e = view_find(&l->view, str_from(l->world->model.items[m->levels[i].item].sku));
        promise(e != NULL, "I11", "item %u was told and is not there", m->levels[i].item);
        verify_shown(l->world, m->levels[i].item, shelf_entry_shown(e));
    }
    bus_done(l->bus, m);
    return true;
}

void life_run_hub(struct life *l)
{
    hub_turn(l->hub, world_mono_ms(l->world), l->world->clock.mono_ns);
    pages_check(l->world);
}

/* --- at rest ---------------------------------------------------------------------------------------------------------------- */

bool life_is_idle(const struct life *l)
{
    return l->queue_head == NULL && l->batch == NULL && !l->committed && l->asked == NULL && l->answered == NULL &&
        l->bus_len == 0 && sequencer_is_idle(l->sequencer);
}

int64_t life_next_wake_ms(const struct life *l)
{
    return sequencer_next_wake_ms(l->sequencer) - ledger_clock_now_ms(&l->clock);
}

void life_settle_shadow(struct life *l)
{
    while (l->shadow_len > 0) {
        shadow_take(l, world_below(l->world, l->shadow_len));
    }
}

bool life_stop(struct life *l)
{
    for (int i = 0; i < 10000 && !life_is_idle(l) && !l->over; i++) {
        (void)life_run_commit(l);
        (void)life_run_lookup(l);
        (void)life_run_project(l);
        life_turn(l);
    }
    return !l->over && life_is_idle(l);
}
