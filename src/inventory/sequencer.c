#include "inventory/sequencer.h"

#include "base/map.h"
#include "base/mem.h"

/* How long writes are refused after the store was full before it is tried again. */
#define PAUSE_MS 1000

/* One batch in the making, and the requests that get their answer with it. */
struct pack {
    struct changes changes;
    struct batch batch;
    struct key_row *keys;
    size_t keys_len, keys_cap;
    struct request *requests;
    struct request **requests_end;
    uint32_t requests_len;
    uint64_t seq_before;
    uint64_t purge_keys_to;
};

struct sequencer {
    struct sequencer_options options;
    struct ledger *ledger;
    struct uuid7 ids;
    struct pack packs[2];
    struct pack *open;
    struct pack *committing; /* NULL: the store is idle */
    bool is_away;            /* what is in memory fell with a commit; until it is restored, everything is refused */
    uint64_t epoch;
    int64_t now_ms;
    int64_t paused_until_ms;

    /* Idempotency keys: hash -> row of the store. Rows above `key_row_committed` are still being decided. */
    struct map keys;
    uint64_t key_row;
    uint64_t key_row_committed;
    int64_t keys_oldest_ms; /* 0: not known, look */
    bool purging;

    struct map recalls; /* reservation id -> the lookup that fetches it */
    size_t lookups;     /* outstanding */
    size_t waiting;     /* requests that wait on them */

    uint64_t published_seq;   /* followers know of all up to here */
    uint64_t published_items; /* and of so many items */

    struct inventory_metrics metrics;
    struct inventory_metrics last_metrics; /* while it is away: those from before */
    struct bus_message message;            /* arrays are kept */
    size_t message_levels_cap, message_items_cap;
};

static void pack_begin(struct sequencer *s, struct pack *p)
{
    ledger_begin(s->ledger, &p->changes);
    p->keys_len = 0;
    p->requests = NULL;
    p->requests_end = &p->requests;
    p->requests_len = 0;
    p->seq_before = ledger_seq(s->ledger);
    p->purge_keys_to = 0;
}

struct sequencer *sequencer_new(const struct sequencer_options *options)
{
    struct sequencer *s = mem_new(sizeof(*s));
    s->options = *options;
    uuid7_init(&s->ids, options->random_seed);
    map_init(&s->keys);
    map_init(&s->recalls);
    for (size_t i = 0; i < ARRAY_LEN(s->packs); i++) {
        changes_init(&s->packs[i].changes);
    }
    return s;
}

void sequencer_free(struct sequencer *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(s->packs); i++) {
        check(s->packs[i].requests == NULL);
        changes_release(&s->packs[i].changes);
        mem_free(s->packs[i].keys);
    }
    ledger_free(s->ledger);
    map_release(&s->keys);
    map_release(&s->recalls);
    mem_free(s->message.levels);
    mem_free(s->message.items);
    mem_free(s);
}

struct sequencer_image {
    struct ledger *ledger;
    struct map keys;
    uint64_t keys_len;
    uint64_t key_row;
    int64_t keys_oldest_ms;
    struct sequencer_patience patience; /* while it is read */
};

static void key_loaded(void *ctx, const struct key_row *row)
{
    struct sequencer_image *i = ctx;
    map_add(&i->keys, key_hash(row->operation, row->key), row->row);
    i->keys_oldest_ms = i->keys_len == 0 ? row->time_ms : i->keys_oldest_ms;
    i->keys_len++;
    check(row->row > i->key_row);
    i->key_row = row->row;
}

static bool image_goes_on(void *ctx)
{
    const struct sequencer_patience *p = &((struct sequencer_image *)ctx)->patience;
    return p->goes_on == NULL || p->goes_on(p->ctx);
}

enum err sequencer_image_read(
    struct store *store, const struct sequencer_patience *patience, struct sequencer_image **out, struct err_note *note)
{
    struct sequencer_image *i = mem_new(sizeof(*i));
    const struct store_key_sink sink = {.ctx = i, .key = key_loaded, .goes_on = image_goes_on};
    i->ledger = ledger_new();
    i->patience = *patience;
    map_init(&i->keys);
    enum err e = store_load(store, i->ledger, &sink, note);
    if (e != ERR_OK) {
        sequencer_image_free(i);
        return e;
    }
    *out = i;
    return ERR_OK;
}

void sequencer_image_free(struct sequencer_image *i)
{
    if (i == NULL) {
        return;
    }
    ledger_free(i->ledger);
    map_release(&i->keys);
    mem_free(i);
}

/* Takes over what is in the image. */
static void take_image(struct sequencer *s, struct sequencer_image *i)
{
    ledger_free(s->ledger);
    s->ledger = i->ledger;
    i->ledger = NULL;
    map_release(&s->keys);
    s->keys = i->keys;
    map_init(&i->keys);
    s->metrics.keys = i->keys_len;
    s->keys_oldest_ms = i->keys_oldest_ms;
    s->key_row = i->key_row;
    sequencer_image_free(i);
}

static void publish_missed(struct sequencer *s);

void sequencer_restore(struct sequencer *s, struct sequencer_image *image)
{
    bool is_first = s->ledger == NULL;
    check(s->committing == NULL && (s->open == NULL || s->open->requests == NULL));
    take_image(s, image);
    /* Also when all were purged: waiting requests know the rows that were there before. */
    s->key_row = s->key_row > s->key_row_committed ? s->key_row : s->key_row_committed;
    s->key_row_committed = s->key_row;
    s->open = &s->packs[0];
    pack_begin(s, s->open);
    s->is_away = false;
    if (is_first) { /* followers begin with a snapshot of this */
        s->published_seq = ledger_seq(s->ledger);
        s->published_items = ledger_counts(s->ledger).items;
    }
    publish_missed(s);
}

enum err sequencer_load(struct sequencer *s, struct store *store, const struct store_head *head, struct err_note *note)
{
    struct sequencer_image *image = NULL;
    s->epoch = head->epoch;
    s->now_ms = head->time_ms > s->now_ms ? head->time_ms : s->now_ms;
    TRY(sequencer_image_read(store, &s->options.patience, &image, note));
    sequencer_restore(s, image);
    return ERR_OK;
}

static void finish(struct request *r, enum err e)
{
    r->err = e;
    r->ops->done(r);
}

void inventory_histogram_add(struct inventory_histogram *h, uint64_t value)
{
    unsigned bucket = value <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(value - 1);
    h->bucket[bucket < INVENTORY_HISTOGRAM_BUCKETS ? bucket : INVENTORY_HISTOGRAM_BUCKETS - 1]++;
    h->count++;
    h->sum += value;
}

static bool is_paused(const struct sequencer *s)
{
    return s->is_away || s->now_ms < s->paused_until_ms;
}

bool sequencer_has_room(const struct sequencer *s)
{
    return s->open->requests_len < BATCH_REQUESTS_MAX && s->open->changes.movements_len < BATCH_MOVEMENTS_MAX &&
        s->waiting < REQUEST_QUEUE_MAX;
}

/*
 * Deciding.
 */

static void key_keep(struct sequencer *s, struct request *r)
{
    struct pack *p = s->open;
    s->key_row++;
    map_add(&s->keys, r->key_hash, s->key_row);
    s->keys_oldest_ms = s->metrics.keys == 0 ? s->now_ms : s->keys_oldest_ms;
    s->metrics.keys++;
    mem_grow((void **)&p->keys, &p->keys_cap, p->keys_len + 1, sizeof(*p->keys));
    struct key_row *row = &p->keys[p->keys_len++];
    *row = (struct key_row){
        .row = s->key_row,
        .time_ms = s->now_ms,
        .operation = command_kind_name(r->command.kind),
        .key = r->key,
        .status = r->status,
        .location = r->location[0] == '\0' ? STR_NONE : str_from(r->location),
        .answer = buf_str(&r->answer),
    };
    memcpy(row->fingerprint, r->fingerprint, sizeof(row->fingerprint));
}

static void decide(struct sequencer *s, struct request *r)
{
    struct pack *p = s->open;
    struct result result;
    if (r->command.kind == COMMAND_RESERVE) {
        r->command.id = uuid7_next(&s->ids, s->now_ms);
    }
    r->outcome = ledger_apply(s->ledger, &r->command, s->now_ms, &p->changes, &result);
    s->metrics.outcomes[r->command.kind][r->outcome]++;
    r->err = ERR_OK;
    r->ops->render(r, &result, &p->changes);
    check(r->status != 0 && !r->answer.overflowed);
    if (!str_is_absent(r->key)) {
        key_keep(s, r);
    }
    r->next = NULL;
    *p->requests_end = r;
    p->requests_end = &r->next;
    p->requests_len++;
}

/*
 * Idempotency keys.
 */

static struct lookup *lookup_begin(struct sequencer *s, enum lookup_kind kind)
{
    s->lookups++;
    return lookup_new(kind);
}

static void wait_on(struct sequencer *s, struct lookup *l, struct request *r)
{
    s->waiting++;
    lookup_wait(l, r);
}

/* The lowest row under the key's hash that was not compared yet; 0: the key is new. */
static uint64_t key_next_row(const struct sequencer *s, const struct request *r)
{
    struct map_cursor cursor;
    uint64_t lowest = 0;
    for (uint64_t row = map_first(&s->keys, r->key_hash, &cursor); row != 0; row = map_next(&s->keys, &cursor)) {
        if (row > r->key_checked_row && (lowest == 0 || row < lowest)) {
            lowest = row;
        }
    }
    return lowest;
}

/* True when the key is known and the request is taken care of. */
static bool key_is_known(struct sequencer *s, struct request *r)
{
    if (str_is_absent(r->key)) {
        return false;
    }
    r->key_hash = key_hash(command_kind_name(r->command.kind), r->key);
    uint64_t row = key_next_row(s, r);
    if (row == 0) {
        return false;
    }
    if (row > s->key_row_committed) {
        finish(r, ERR_KEY_IN_FLIGHT);
        return true;
    }
    struct lookup *l = lookup_begin(s, LOOKUP_KEY);
    l->row = row;
    wait_on(s, l, r);
    s->options.io.lookup(s->options.io.ctx, l);
    return true;
}

/* Gives the answer that was kept. */
static void replay(struct sequencer *s, struct request *r, const struct key_row *kept)
{
    if (memcmp(r->fingerprint, kept->fingerprint, sizeof(r->fingerprint)) != 0) {
        finish(r, ERR_KEY_REUSED);
        return;
    }
    r->status = kept->status;
    r->replayed = true;
    check(kept->location.len < sizeof(r->location));
    memcpy(r->location, kept->location.ptr == NULL ? "" : kept->location.ptr, kept->location.len);
    r->location[kept->location.len] = '\0';
    buf_clear(&r->answer);
    buf_put_str(&r->answer, kept->answer);
    check(!r->answer.overflowed);
    s->metrics.replays++;
    finish(r, ERR_OK);
}

/* Of a request whose lookup failed. */
static enum err lookup_failure(enum err e)
{
    return e == ERR_STORE_AWAY ? ERR_NOT_COMMITTED : ERR_INTERNAL;
}

static void key_looked_up(struct sequencer *s, struct lookup *l, struct request *r)
{
    if (l->err != ERR_OK && l->err != ERR_NOT_FOUND) {
        finish(r, lookup_failure(l->err));
        return;
    }
    bool same = l->err == ERR_OK && str_equal(l->key.key, r->key) &&
        str_equal(l->key.operation, command_kind_name(r->command.kind));
    if (same) {
        replay(s, r, &l->key);
        return;
    }
    /* Another key with the same hash, or a row that was purged meanwhile: look on behind it. */
    r->key_checked_row = l->row;
    sequencer_request(s, r);
}

/*
 * Closed reservations are not in memory.
 */

static struct lookup *recall_outstanding(const struct sequencer *s, struct uuid id)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&s->recalls, uuid_hash(id), &cursor);
    while (at != 0) {
        struct lookup *l = (struct lookup *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
        if (uuid_equal(l->id, id)) {
            return l;
        }
        at = map_next(&s->recalls, &cursor);
    }
    return NULL;
}

/*
 * True when the request waits for its reservation to be fetched. One lookup per id: while it is under way nobody can
 * change the reservation, so what it brings is never out of date.
 */
static bool reservation_is_away(struct sequencer *s, struct request *r)
{
    if (!command_kind_has_reservation(r->command.kind) || r->reservation_unknown ||
        ledger_reservation(s->ledger, r->command.id) != NULL) {
        return false;
    }
    struct lookup *l = recall_outstanding(s, r->command.id);
    if (l != NULL) {
        wait_on(s, l, r);
        return true;
    }
    l = lookup_begin(s, LOOKUP_RESERVATION);
    l->id = r->command.id;
    map_add(&s->recalls, uuid_hash(l->id), (uint64_t)(uintptr_t)l);
    wait_on(s, l, r);
    s->options.io.lookup(s->options.io.ctx, l);
    return true;
}

static void reservation_looked_up(struct sequencer *s, struct lookup *l)
{
    bool found = map_remove(&s->recalls, uuid_hash(l->id), (uint64_t)(uintptr_t)l);
    check(found);
    /* An open one was in memory all along unless the ledger was reloaded meanwhile; then it is there now. */
    if (l->err == ERR_OK && !s->is_away && ledger_reservation(s->ledger, l->id) == NULL) {
        check(!reservation_state_is_open(l->reservation.state));
        ledger_restore_reservation(s->ledger, &l->reservation);
    }
    struct request *next;
    for (struct request *r = l->waiting; r != NULL; r = next) {
        next = r->next;
        s->waiting--;
        r->reservation_unknown = l->err == ERR_NOT_FOUND;
        if (l->err != ERR_OK && l->err != ERR_NOT_FOUND) {
            finish(r, lookup_failure(l->err));
        } else {
            sequencer_request(s, r);
        }
    }
}

void sequencer_request(struct sequencer *s, struct request *r)
{
    if (is_paused(s)) {
        finish(r, ERR_NOT_COMMITTED);
        return;
    }
    if (!key_is_known(s, r) && !reservation_is_away(s, r)) {
        decide(s, r);
    }
}

/*
 * Keys that no longer count leave the index at once and the store with the next batch.
 */

static bool key_is_over(const struct sequencer *s, const struct lookup_key *k)
{
    return k->time_ms + IDEMPOTENCY_KEPT_MS <= s->now_ms || s->metrics.keys > s->options.idempotency_keys_max;
}

static void oldest_looked_up(struct sequencer *s, const struct lookup *l)
{
    s->purging = false;
    if (s->is_away) {
        return;
    }
    s->keys_oldest_ms = 0;
    for (size_t i = 0; l->err == ERR_OK && i < l->oldest_len; i++) {
        const struct lookup_key *k = &l->oldest[i];
        if (!key_is_over(s, k)) {
            s->keys_oldest_ms = k->time_ms;
            break;
        }
        if (map_remove(&s->keys, k->hash, k->row)) {
            s->metrics.keys--;
        }
        s->open->purge_keys_to = k->row;
    }
}

static void purge_when_due(struct sequencer *s)
{
    bool due = s->metrics.keys > s->options.idempotency_keys_max ||
        (s->metrics.keys > 0 && s->keys_oldest_ms + IDEMPOTENCY_KEPT_MS <= s->now_ms);
    /* A purge that was packed but not committed yet would be read again. */
    bool under_way =
        s->purging || s->open->purge_keys_to != 0 || (s->committing != NULL && s->committing->purge_keys_to != 0);
    if (due && !under_way) {
        s->purging = true;
        s->options.io.lookup(s->options.io.ctx, lookup_begin(s, LOOKUP_OLDEST_KEYS));
    }
}

void sequencer_looked_up(struct sequencer *s, struct lookup *l)
{
    check(s->lookups > 0);
    s->lookups--;
    switch (l->kind) {
    case LOOKUP_KEY:
        s->waiting--;
        key_looked_up(s, l, l->waiting);
        break;
    case LOOKUP_RESERVATION:
        reservation_looked_up(s, l);
        break;
    case LOOKUP_OLDEST_KEYS:
        oldest_looked_up(s, l);
        break;
    }
    l->waiting = NULL;
    lookup_free(l);
}

/*
 * Time.
 */

/* Half a pack at most, so that requests find room also while many holds end at once. */
static bool has_room_for_expiry(const struct sequencer *s)
{
    return s->open->changes.movements_len < BATCH_MOVEMENTS_MAX / 2;
}

static void expire_due(struct sequencer *s)
{
    struct pack *p = s->open;
    int64_t expires_ms;
    struct command expire = {.kind = COMMAND_EXPIRE};
    while (has_room_for_expiry(s) && ledger_next_expiry(s->ledger, &expires_ms, &expire.id) &&
           expires_ms <= s->now_ms) {
        struct result result;
        enum outcome outcome = ledger_apply(s->ledger, &expire, s->now_ms, &p->changes, &result);
        check(outcome == OUTCOME_OK);
        s->metrics.outcomes[COMMAND_EXPIRE][outcome]++;
        inventory_histogram_add(&s->metrics.expiry_lag_ms, (uint64_t)(s->now_ms - expires_ms));
    }
}

void sequencer_tick(struct sequencer *s, int64_t now_ms)
{
    s->now_ms = now_ms > s->now_ms ? now_ms : s->now_ms;
    if (!is_paused(s)) {
        expire_due(s);
        purge_when_due(s);
    }
}

int64_t sequencer_next_wake_ms(const struct sequencer *s)
{
    int64_t expires_ms;
    struct uuid id;
    int64_t wake = s->now_ms + 60 * 1000;
    /* Without room only a commit helps. */
    if (has_room_for_expiry(s) && ledger_next_expiry(s->ledger, &expires_ms, &id) && expires_ms < wake) {
        wake = expires_ms;
    }
    return wake < s->paused_until_ms ? s->paused_until_ms : wake;
}

/*
 * Packs.
 */

static bool pack_is_empty(const struct pack *p)
{
    return p->requests_len == 0 && changes_is_empty(&p->changes) && p->purge_keys_to == 0;
}

/* A pack of refusals without keys has nothing to store. */
static bool pack_has_rows(const struct pack *p)
{
    return !changes_is_empty(&p->changes) || p->keys_len > 0 || p->purge_keys_to != 0;
}

static void answer_all(struct pack *p, enum err e)
{
    struct request *next;
    for (struct request *r = p->requests; r != NULL; r = next) {
        next = r->next;
        finish(r, e);
    }
    p->requests = NULL;
    p->requests_end = &p->requests;
    p->requests_len = 0;
}

static void message_add_levels(struct sequencer *s, const struct changes *c)
{
    struct bus_message *m = &s->message;
    mem_grow((void **)&m->levels, &s->message_levels_cap, c->levels_len, sizeof(*m->levels));
    for (size_t i = 0; i < c->levels_len; i++) {
        const struct movement *last = &c->movements[c->levels[i].movement];
        m->levels[m->levels_len++] = (struct level_row){
            .item = last->item,
            .location = last->location,
            .sku = last->sku,
            .location_id = last->location_id,
            .quantities = last->after,
            .version = last->version,
            .seq = last->seq,
            .time_ms = last->time_ms,
        };
    }
}

static void message_begin(struct sequencer *s, uint64_t seq, int64_t time_ms, int64_t mono_ns)
{
    struct bus_message *m = &s->message;
    m->partition = s->options.partition;
    m->seq = seq;
    m->time_ms = time_ms;
    m->committed_ns = mono_ns;
    m->levels_len = 0;
    m->items_len = 0;
}

static void message_send(struct sequencer *s)
{
    const struct bus_message *m = &s->message;
    s->options.io.publish(s->options.io.ctx, &s->message);
    s->published_seq = m->seq;
    for (size_t i = 0; i < m->items_len; i++) { /* also some that were defined anew */
        s->published_items = m->items[i].item > s->published_items ? m->items[i].item : s->published_items;
    }
}

static void publish(struct sequencer *s, const struct pack *p, int64_t mono_ns)
{
    const struct changes *c = &p->changes;
    struct bus_message *m = &s->message;
    if (c->levels_len == 0 && c->items_len == 0) {
        return;
    }
    message_begin(s, p->batch.seq_after, p->batch.time_ms, mono_ns);
    message_add_levels(s, c);
    mem_grow((void **)&m->items, &s->message_items_cap, c->items_len, sizeof(*m->items));
    for (size_t i = 0; i < c->items_len; i++) {
        const struct item_change *item = &c->items[i];
        m->items[m->items_len++] = (struct bus_item){.item = item->item, .sku = item->sku, .time_ms = item->time_ms};
    }
    message_send(s);
}

static void missed_level(void *ctx, const struct level_row *row)
{
    struct sequencer *s = ctx;
    struct bus_message *m = &s->message;
    if (row->seq > s->published_seq) {
        mem_grow((void **)&m->levels, &s->message_levels_cap, m->levels_len + 1, sizeof(*m->levels));
        m->levels[m->levels_len++] = *row;
    }
}

static void missed_item(void *ctx, uint32_t item, struct str sku, int64_t defined_ms)
{
    struct sequencer *s = ctx;
    struct bus_message *m = &s->message;
    if (item > s->published_items) {
        mem_grow((void **)&m->items, &s->message_items_cap, m->items_len + 1, sizeof(*m->items));
        m->items[m->items_len++] = (struct bus_item){.item = item, .sku = sku, .time_ms = defined_ms};
    }
}

/* A commit of which nobody knew whether it is stored, and was: one batch at most. */
static void publish_missed(struct sequencer *s)
{
    uint64_t seq = ledger_seq(s->ledger);
    if (seq == s->published_seq && ledger_counts(s->ledger).items == s->published_items) {
        return;
    }
    message_begin(s, seq, s->now_ms, 0);
    ledger_each_item(s->ledger, missed_item, s);
    ledger_each_level(s->ledger, missed_level, s);
    message_send(s);
}

/* The pack is durable (or had nothing to store). */
static void pack_done(struct sequencer *s, struct pack *p, int64_t mono_ns)
{
    if (p->keys_len > 0) {
        s->key_row_committed = p->keys[p->keys_len - 1].row;
    }
    ledger_committed(s->ledger, &p->changes);
    answer_all(p, ERR_OK);
    publish(s, p, mono_ns);
}

static void seal(struct sequencer *s, struct pack *p)
{
    ledger_seal(s->ledger, &p->changes);
    p->batch = (struct batch){
        .partition = s->options.partition,
        .epoch = s->epoch,
        .seq_before = p->seq_before,
        .seq_after = ledger_seq(s->ledger),
        .time_ms = s->now_ms,
        .changes = &p->changes,
        .keys = p->keys,
        .keys_len = p->keys_len,
        .purge_keys_to = p->purge_keys_to,
    };
    check(p->batch.seq_after - p->batch.seq_before == p->changes.movements_len);
}

void sequencer_flush(struct sequencer *s)
{
    struct pack *p = s->open;
    if (s->committing != NULL || pack_is_empty(p)) {
        return;
    }
    seal(s, p);
    s->metrics.batches++;
    inventory_histogram_add(&s->metrics.batch_requests, p->requests_len);
    s->open = p == &s->packs[0] ? &s->packs[1] : &s->packs[0];
    pack_begin(s, s->open);
    if (pack_has_rows(p)) {
        s->committing = p;
        s->options.io.commit(s->options.io.ctx, &p->batch);
    } else {
        pack_done(s, p, 0);
    }
}

/* Nothing in memory is true any more: an empty ledger until it is restored. */
static void drop_state(struct sequencer *s)
{
    sequencer_metrics(s, &s->last_metrics);
    ledger_free(s->ledger);
    s->ledger = ledger_new();
    s->open = &s->packs[0];
    pack_begin(s, s->open);
    s->is_away = true;
}

enum sequencer_next sequencer_committed(struct sequencer *s, enum err e, int64_t mono_ns)
{
    struct pack *p = s->committing;
    check(p != NULL);
    s->committing = NULL;
    if (e == ERR_OK) {
        pack_done(s, p, mono_ns);
        return SEQUENCER_GO_ON;
    }
    /* What was decided since stands on what was not stored: it falls too, and surely nothing of it is stored. */
    answer_all(p, e == ERR_STORE_FULL || e == ERR_FENCED ? ERR_NOT_COMMITTED : ERR_OUTCOME_UNKNOWN);
    answer_all(s->open, ERR_NOT_COMMITTED);
    if (e != ERR_STORE_FULL && e != ERR_STORE_AWAY) {
        return SEQUENCER_STOP;
    }
    s->paused_until_ms = e == ERR_STORE_FULL ? s->now_ms + PAUSE_MS : 0;
    drop_state(s);
    return SEQUENCER_RELOAD;
}

bool sequencer_is_idle(const struct sequencer *s)
{
    return s->committing == NULL && pack_is_empty(s->open) && s->lookups == 0;
}

const struct ledger *sequencer_ledger(const struct sequencer *s)
{
    return s->ledger;
}

void sequencer_metrics(const struct sequencer *s, struct inventory_metrics *out)
{
    *out = s->metrics;
    out->epoch = s->epoch;
    out->seq = s->is_away ? s->last_metrics.seq : ledger_seq(s->ledger);
    out->ledger = s->is_away ? s->last_metrics.ledger : ledger_counts(s->ledger);
}
