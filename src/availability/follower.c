#include "availability/follower.h"

#include "base/limits.h"
#include "base/mem.h"

void follower_init(struct follower *f, uint32_t partition, void (*apply)(void *ctx, struct bus_message *m), void *ctx)
{
    *f = (struct follower){.partition = partition, .apply = apply, .ctx = ctx, .whole = true};
    names_init(&f->skus);
    names_init(&f->locations);
}

void follower_release(struct follower *f)
{
    names_release(&f->skus);
    names_release(&f->locations);
    mem_free(f->defined_ms);
    mem_free(f->own);
}

/*
 * Rows.
 */

/* What is known here of an item, by both of its numbers; 0: not known. */
static uint32_t own_number(const struct follower *f, uint32_t number)
{
    return number > 0 && number <= f->own_cap ? f->own[number - 1] : 0;
}

static int64_t defined_at(const struct follower *f, uint32_t own)
{
    return own > 0 && own <= f->defined_cap ? f->defined_ms[own - 1] : 0;
}

/* Whether inventory has what is shown here has to be asked: the newest of it. */
static void doubt_witness(struct follower *f)
{
    f->unproved = f->witness.seq != 0;
}

static void doubt_newest(struct follower *f)
{
    f->unproved_item = f->unproved_item == 0 ? f->items : f->unproved_item;
    doubt_witness(f);
}

static void doubt(struct follower *f)
{
    f->unsure = true;
    doubt_newest(f);
}

static bool contradicts(const struct follower *f, const struct bus_item *item, uint32_t own)
{
    uint32_t known = own_number(f, item->item);
    int64_t defined_ms = defined_at(f, own);
    return (known != 0 && known != own) || (defined_ms != 0 && defined_ms != item->time_ms);
}

/* As mem_grow, zeroed. */
static void grow(void **ptr, size_t *cap, size_t need, size_t size)
{
    size_t before = *cap;
    mem_grow(ptr, cap, need, size);
    memset((char *)*ptr + before * size, 0, (*cap - before) * size);
}

/* Of what is complete here, this is another item under that number, or one that was defined at another time. */
static bool is_foreign(const struct follower *f, const struct bus_item *item)
{
    uint32_t own = names_find(&f->skus, item->sku);
    bool is_missing = item->item != 0 && item->item <= f->items && defined_at(f, own) == 0;
    return is_missing || contradicts(f, item, own);
}

static void note_item(struct follower *f, const struct bus_item *item, uint32_t own)
{
    grow((void **)&f->defined_ms, &f->defined_cap, own, sizeof(*f->defined_ms));
    if (f->defined_ms[own - 1] == 0) {
        f->defined_ms[own - 1] = item->time_ms;
    }
    if (item->item != 0) {
        grow((void **)&f->own, &f->own_cap, item->item, sizeof(*f->own));
        f->own[item->item - 1] = own;
    }
}

/*
 * Before the items are counted. The first that is heard counts, as in the kept file: what is foreign is not noted, so that
 * inventory's answer is held against what was known before.
 */
static void note_items(struct follower *f, const struct bus_message *m)
{
    for (size_t i = 0; i < m->items_len; i++) {
        const struct bus_item *item = &m->items[i];
        bool foreign = is_foreign(f, item);
        uint32_t own = names_number(&f->skus, item->sku, ITEMS_MAX);
        if (foreign) {
            doubt(f);
        }
        if (own != 0 && !foreign) {
            note_item(f, item, own);
        }
    }
}

/* Numbers of this node's own. A row too many for them is left out: the ledger has the same limits. */
static void number_rows(struct follower *f, struct bus_message *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->items_len; i++) {
        struct bus_item *item = &m->items[kept];
        *item = m->items[i];
        uint32_t own = names_number(&f->skus, item->sku, ITEMS_MAX);
        if (own != 0) {
            item->item = own;
            kept++;
        }
    }
    m->items_len = kept;
    kept = 0;
    for (size_t i = 0; i < m->levels_len; i++) {
        struct level_row *row = &m->levels[kept];
        *row = m->levels[i];
        row->item = names_number(&f->skus, row->sku, ITEMS_MAX);
        row->location = names_number(&f->locations, row->location_id, LOCATIONS_MAX);
        kept += row->item != 0 && row->location != 0;
    }
    m->levels_len = kept;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of a row that has the seq of the witness, and no numbers of this node. */
static bool is_witness(const struct follower *f, const struct level_row *row)
{
    const struct level_row *w = &f->witness;
    return names_find(&f->skus, row->sku) == w->item && names_find(&f->locations, row->location_id) == w->location &&
        row->version == w->version && row->time_ms == w->time_ms &&
        memcmp(&row->quantities, &w->quantities, sizeof(w->quantities)) == 0;
}

/* NULL: none. */
static const struct level_row *row_of_witness(const struct follower *f, const struct bus_message *m)
{
    const struct level_row *found = NULL;
    for (size_t i = 0; i < m->levels_len && found == NULL; i++) {
        found = m->levels[i].seq == f->witness.seq ? &m->levels[i] : NULL;
    }
    return f->witness.seq == 0 ? NULL : found;
}

/* By an answer. False: there is another movement in its place. */
static bool prove(struct follower *f, const struct bus_message *page)
{
    const struct level_row *row = row_of_witness(f, page);
    while (row != NULL && is_witness(f, row) && f->next.seq > f->witness.seq) {
        f->witness = f->next;
        row = row_of_witness(f, page);
    }
    if (row == NULL) {
        return true;
    }
    f->unproved = false;
    f->next.seq = 0;
    return is_witness(f, row);
}

static void note_given(struct follower *f, const struct level_row *row)
{
    struct level_row *newest = f->unproved ? &f->next : &f->witness;
    if (row->seq > newest->seq) {
        *newest = *row;
        newest->sku = STR_NONE; /* borrowed */
        newest->location_id = STR_NONE;
    }
}

/* The highest of rows that were given on. */
static uint64_t seq_given(const struct follower *f)
{
    return greater(f->witness.seq, f->next.seq);
}

static void give_rows(struct follower *f, struct bus_message *m)
{
    number_rows(f, m);
    m->partition = f->partition;
    m->seq = f->begun ? f->seq : 0;
    m->reach = 0;
    for (size_t i = 0; i < m->levels_len; i++) {
        m->reach = greater(m->reach, m->levels[i].seq);
        note_given(f, &m->levels[i]);
    }
    f->apply(f->ctx, m);
}

/* The run that waited behind the gap joins when the gap is closed. */
static void join_run(struct follower *f)
{
    if (f->run_from != 0 && f->seq + 1 >= f->run_from) {
        f->seq = greater(f->seq, f->run_to);
        f->run_from = 0;
        f->run_to = 0;
    }
}

static void count_movement(struct follower *f, uint64_t seq)
{
    f->seq_known = greater(f->seq_known, seq);
    if (seq <= f->seq) {
        return;
    }
    if (seq == f->seq + 1) {
        f->seq = seq;
        join_run(f);
    } else if (f->run_from != 0 && seq == f->run_to + 1) {
        f->run_to = seq;
    } else if (f->run_from == 0 || seq < f->run_from || seq > f->run_to) {
        f->gaps += f->begun && f->run_from == 0;
        f->run_from = seq;
        f->run_to = seq;
    }
}

static void count_item(struct follower *f, uint64_t number)
{
    f->items_known = greater(f->items_known, number);
    if (number == f->items + 1) {
        f->items = number;
    }
}

/*
 * Positions.
 */

static bool is_behind(const struct bus_position *p, uint64_t epoch, uint64_t seq, uint64_t items)
{
    return p->epoch < epoch || p->seq < seq || p->items < items;
}

/*
 * Of another epoch, or later than the last one and yet behind what that one named or what is shown here: overtaken by an
 * answer, or the store was set back. One that comes again is neither.
 */
static bool is_odd(const struct follower *f, const struct bus_position *p)
{
    uint64_t seq = greater(f->claim.seq, greater(f->seq, seq_given(f)));
    uint64_t items = greater(f->claim.items, f->items);
    return p->epoch != f->epoch || (p->time_ms > f->claim.time_ms && is_behind(p, 0, seq, items));
}

static void claim(struct follower *f, const struct bus_position *p, int64_t mono_ms)
{
    f->claim = *p;
    f->claim_mono_ms = mono_ms;
}

/* By an answer, which needs not be fulfilled yet. */
static bool is_overtaken(const struct follower *f, const struct bus_position *p)
{
    return p->epoch == f->claim.epoch && p->time_ms < f->claim.time_ms;
}

/*
 * One of a deposed leader says nothing: it may not know of what came after it. But a store that was set back by more than
 * one leader looks the same, one that was set back by one leader has the epoch that was there before, and another store may
 * have any. Inventory knows.
 */
static void hear_position(struct follower *f, const struct bus_position *p, int64_t mono_ms)
{
    if (p->time_ms == 0) {
        return;
    }
    bool has_pages = f->begun || f->whole_after > 0;
    if (has_pages && is_odd(f, p)) {
        doubt(f);
    }
    if (p->epoch < f->epoch) {
        return;
    }
    f->epoch = p->epoch;
    f->seq_known = greater(f->seq_known, p->seq);
    f->items_known = greater(f->items_known, p->items);
    f->heard_mono_ms = mono_ms;
    if (!is_overtaken(f, p)) {
        claim(f, p, mono_ms);
    }
}

/* Also when there is no claim. */
static bool is_fulfilled(const struct follower *f)
{
    return f->seq >= f->claim.seq && f->items >= f->claim.items;
}

bool follower_doubts(const struct follower *f)
{
    return f->unsure || f->unproved || f->unproved_item != 0;
}

/* Not while it doubts: what is known may be of another store. */
static void note_freshness(struct follower *f)
{
    if (f->begun && !follower_doubts(f) && f->claim.time_ms != 0 && is_fulfilled(f)) {
        f->fresh_mono_ms = f->claim_mono_ms;
        f->fresh_wall_ms = f->claim.time_ms;
    }
}

/* The position first: some of the rows that came with it may have been published after it. */
void follower_take(struct follower *f, struct bus_message *m, int64_t mono_ms)
{
    const struct level_row *row = row_of_witness(f, m);
    if (row != NULL && !is_witness(f, row)) {
        doubt(f);
    }
    note_items(f, m);
    hear_position(f, &m->position, mono_ms);
    for (size_t i = 0; i < m->items_len; i++) {
        count_item(f, m->items[i].item);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        count_movement(f, m->levels[i].seq);
    }
    if (f->seq < f->seq_known) {
        doubt_witness(f); /* what was missed may be more than a few events */
    }
    give_rows(f, m);
    note_freshness(f);
}

bool follower_is_cut(const struct follower *f)
{
    return f->cut;
}

/*
 * What is missing.
 */

static void begin_whole(struct follower *f)
{
    f->whole = true;
    f->whole_after = 0;
    f->whole_from = (struct bus_position){0};
}

/*
 * What the last position named comes first: else there would be a newer one again and again, and none would be reached. One of
 * a relay that is behind is old when it comes.
 */
static bool is_silent(const struct follower *f, int64_t mono_ms, int64_t wall_ms)
{
    bool is_old =
        mono_ms - f->claim_mono_ms >= FOLLOWER_SILENCE_MS || wall_ms - f->claim.time_ms >= FOLLOWER_SILENCE_MS;
    return is_fulfilled(f) && is_old && mono_ms - f->asked_mono_ms >= FOLLOWER_SILENCE_MS;
}

static bool has_long_gap(const struct follower *f)
{
    uint64_t most = greater(f->items * FOLLOWER_ITEM_MOVEMENTS, FOLLOWER_GAP_SHORT);
    return f->seq_known > f->seq && f->seq_known - f->seq > most;
}

static uint64_t less_one(uint64_t n)
{
    return n == 0 ? 0 : n - 1;
}

enum follower_want follower_wants(struct follower *f, int64_t mono_ms, int64_t wall_ms, uint64_t *after)
{
    if (f->cut) {
        return FOLLOWER_WANTS_NOTHING;
    }
    if (!f->whole && has_long_gap(f)) {
        begin_whole(f);
    }
    if (f->whole) {
        *after = f->whole_after;
        return FOLLOWER_WANTS_CATALOGUE;
    }
    *after = f->unsure ? 0 : f->items;
    if (f->unsure || f->items < f->items_known) {
        return FOLLOWER_WANTS_CATALOGUE;
    }
    if (f->unproved_item != 0 || is_silent(f, mono_ms, wall_ms)) {
        doubt_newest(f);
        *after = less_one(f->unproved_item); /* it stands for all before it */
        return FOLLOWER_WANTS_POSITION;
    }
    *after = f->unproved && f->witness.seq <= f->seq ? less_one(f->witness.seq) : f->seq;
    return f->unproved || f->seq < f->seq_known ? FOLLOWER_WANTS_MOVEMENTS : FOLLOWER_WANTS_NOTHING;
}

static void end_whole(struct follower *f)
{
    f->whole = false;
    f->begun = true;
    f->unproved_item = 0;
    f->seq = greater(f->seq, f->whole_from.seq);
    f->seq_known = greater(f->seq_known, f->seq);
    join_run(f);
}

/* Where the numbers of the page end; they have no gaps. */
static uint64_t page_end(const struct bus_message *page, uint64_t after)
{
    return page->items_len == 0 ? after : page->items[page->items_len - 1].item;
}

/* A page is read from the store after all that was heard before, so it cannot know less. Nor of what is shown already. */
static bool is_of_another(const struct follower *f, const struct bus_message *page)
{
    const struct bus_position *from = &f->whole_from;
    bool another = is_behind(&page->position, f->epoch, f->seq, f->items) || page->position.seq < seq_given(f) ||
        (f->whole && f->whole_after > 0 && is_behind(&page->position, from->epoch, from->seq, from->items));
    for (size_t i = 0; i < page->items_len && !another; i++) {
        another = is_foreign(f, &page->items[i]);
    }
    return another;
}

/*
 * Kept items have no numbers, and of others only levels were heard: one that inventory does not have shows only in how many
 * there are.
 */
static bool knows_too_many(const struct follower *f, const struct bus_message *page)
{
    return f->skus.len > greater(page->position.items, page_end(page, 0));
}

/* More than there is at `seq` was heard of, by a position, but it is not there. */
static void forget_beyond(struct follower *f, uint64_t seq)
{
    f->seq_known = greater(f->seq, seq);
    if (f->claim.seq > f->seq_known) {
        f->claim = (struct bus_position){0};
    }
    if (f->run_to > f->seq_known) {
        f->run_from = 0;
        f->run_to = 0;
    }
}

static bool has_item(const struct bus_message *page, uint64_t number)
{
    return page->items_len > 0 && page->items[0].item <= number && page_end(page, 0) >= number;
}

/* Only the head of the catalogue tells; another epoch on a later page is no less of a sign than in a position. */
static void end_doubt(struct follower *f, const struct bus_message *page)
{
    bool is_head = f->whole ? f->whole_after == 0 : f->unsure;
    f->unsure = f->unsure && !is_head;
    if (!is_head && page->position.epoch != f->epoch) {
        doubt(f);
    }
    if (has_item(page, f->unproved_item)) {
        f->unproved_item = has_item(page, f->items) ? 0 : f->items; /* what came meanwhile, too */
    }
}

void follower_take_catalogue(struct follower *f, struct bus_message *page, bool last, int64_t asked_mono_ms)
{
    f->asked_mono_ms = asked_mono_ms;
    if (f->whole && f->whole_after == 0) {
        doubt_witness(f);
    }
    f->cut = f->cut || is_of_another(f, page) || !prove(f, page);
    if (!f->cut) {
        note_items(f, page);
        f->cut = knows_too_many(f, page);
    }
    if (f->cut) {
        return;
    }
    end_doubt(f, page);
    f->epoch = greater(f->epoch, page->position.epoch);
    if (f->whole && f->whole_after == 0) {
        f->whole_from = page->position;
    }
    uint64_t end = page_end(page, f->whole ? f->whole_after : f->items);
    f->items = greater(f->items, end);
    f->whole_after = f->whole ? end : f->whole_after;
    /* What inventory does not have there is not. */
    f->items_known = last ? f->items : greater(f->items, page->position.items);
    forget_beyond(f, page->position.seq);
    claim(f, &page->position, asked_mono_ms);
    if (f->whole && last) {
        end_whole(f);
    }
    give_rows(f, page);
    note_freshness(f);
}

void follower_take_movements(struct follower *f, uint64_t after, struct bus_message *page)
{
    if (page->levels_len == 0) {
        f->cut = f->cut || seq_given(f) > after; /* there is nothing behind it, but something is shown */
        forget_beyond(f, f->seq);
        return;
    }
    f->cut = f->cut || !prove(f, page);
    if (f->cut) {
        return;
    }
    for (size_t i = 0; i < page->levels_len; i++) {
        count_movement(f, page->levels[i].seq);
    }
    give_rows(f, page);
    note_freshness(f);
}

void follower_restore_rows(struct follower *f, struct bus_message *m)
{
    note_items(f, m);
    give_rows(f, m);
}

void follower_restore_end(struct follower *f, const struct bus_position *at)
{
    f->begun = true;
    f->whole = false;
    f->epoch = at->epoch;
    f->seq = at->seq;
    f->seq_known = at->seq;
    f->items = at->items;
    f->items_known = at->items;
    doubt(f);
    struct bus_message end = {0};
    give_rows(f, &end);
}
