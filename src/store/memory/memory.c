/* Writing and loading. */
#include "store/memory/memory.h"

#include "base/mem.h"
#include "store/memory/state.h"

#include <stdio.h>
#include <stdlib.h>

static const struct store_ops ops;

struct store_memory *store_memory_from(struct store *s)
{
    check(s->ops == &ops);
    return (struct store_memory *)s;
}

static struct str copy(struct str s)
{
    return str_is_absent(s) ? STR_NONE : (struct str){mem_copy_str(s), s.len};
}

static void drop(struct str s)
{
    mem_free((void *)(uintptr_t)s.ptr); /* made by copy() */
}

static void replace(struct str *kept, struct str s)
{
    drop(*kept);
    *kept = copy(s);
}

static uint64_t place_hash(uint32_t item, uint32_t location)
{
    return ((uint64_t)item << 32 | location) * 0x9e3779b97f4a7c15u;
}

uint32_t memory_find_item(const struct store_memory *s, struct str sku)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&s->item_by_sku, str_hash(sku), &cursor);
    while (at != 0 && !str_equal(s->items[at - 1].sku, sku)) {
        at = map_next(&s->item_by_sku, &cursor);
    }
    return (uint32_t)at;
}

uint32_t memory_find_location(const struct store_memory *s, struct str id)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&s->location_by_id, str_hash(id), &cursor);
    while (at != 0 && !str_equal(s->locations[at - 1].id, id)) {
        at = map_next(&s->location_by_id, &cursor);
    }
    return (uint32_t)at;
}

struct level_row *memory_find_level(const struct store_memory *s, uint32_t item, uint32_t location)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&s->level_by_place, place_hash(item, location), &cursor);
    while (at != 0 && (s->levels[at - 1].item != item || s->levels[at - 1].location != location)) {
        at = map_next(&s->level_by_place, &cursor);
    }
    return at == 0 ? NULL : &s->levels[at - 1];
}

struct reservation *memory_find_reservation(const struct store_memory *s, struct uuid id)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&s->reservation_by_id, uuid_hash(id), &cursor);
    while (at != 0 && !uuid_equal(s->reservations[at - 1].id, id)) {
        at = map_next(&s->reservation_by_id, &cursor);
    }
    return at == 0 ? NULL : &s->reservations[at - 1];
}

static enum err memory_claim(struct store *base, const char *leader, struct store_head *out, struct err_note *note)
{
    (void)note;
    struct store_memory *s = store_memory_from(base);
    pthread_mutex_lock(&s->lock);
    s->head.epoch++;
    *out = s->head;
    snprintf(out->leader, sizeof(out->leader), "%s", leader);
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

static void put_item(struct store_memory *s, const struct item_change *c)
{
    if (c->created) {
        check(c->item == s->items_len + 1 && memory_find_item(s, c->sku) == 0);
        mem_grow((void **)&s->items, &s->items_cap, s->items_len + 1, sizeof(*s->items));
        s->items[s->items_len++] = (struct item_row){.item = c->item, .sku = copy(c->sku), .defined_ms = c->time_ms};
        map_add(&s->item_by_sku, str_hash(c->sku), c->item);
    }
    check(c->item >= 1 && c->item <= s->items_len);
    struct item_row *row = &s->items[c->item - 1];
    check(str_equal(row->sku, c->sku));
    replace(&row->name, c->name);
    replace(&row->attributes, c->attributes);
}

static void put_location(struct store_memory *s, const struct location_change *c)
{
    if (c->created) {
        check(c->location == s->locations_len + 1 && memory_find_location(s, c->id) == 0);
        mem_grow((void **)&s->locations, &s->locations_cap, s->locations_len + 1, sizeof(*s->locations));
        s->locations[s->locations_len++] = (struct location_row){.location = c->location, .id = copy(c->id)};
        map_add(&s->location_by_id, str_hash(c->id), c->location);
    }
    check(c->location >= 1 && c->location <= s->locations_len);
    struct location_row *row = &s->locations[c->location - 1];
    check(str_equal(row->id, c->id));
    row->priority = c->priority;
    replace(&row->name, c->name);
}

static void put_movement(struct store_memory *s, const struct movement *m)
{
    check(m->item <= s->items_len && m->location <= s->locations_len);
    mem_grow((void **)&s->movements, &s->movements_cap, s->movements_len + 1, sizeof(*s->movements));
    struct movement *row = &s->movements[s->movements_len++];
    *row = *m;
    row->sku = s->items[m->item - 1].sku;
    row->location_id = s->locations[m->location - 1].id;
    row->reason = copy(m->reason);
    row->reference = copy(m->reference);
    row->actor = copy(m->actor);
}

static void put_level(struct store_memory *s, const struct level_change *c, const struct movement *m)
{
    struct level_row *row = memory_find_level(s, m->item, m->location);
    check(c->created == (row == NULL));
    if (row == NULL) {
        mem_grow((void **)&s->levels, &s->levels_cap, s->levels_len + 1, sizeof(*s->levels));
        row = &s->levels[s->levels_len++];
        *row = (struct level_row){.item = m->item, .location = m->location};
        map_add(&s->level_by_place, place_hash(m->item, m->location), s->levels_len);
    }
    check(row->version < m->version && row->seq < m->seq);
    row->sku = s->items[m->item - 1].sku;
    row->location_id = s->locations[m->location - 1].id;
    row->quantities = m->after;
    row->version = m->version;
    row->seq = m->seq;
    row->time_ms = m->time_ms;
}

static struct reservation *add_reservation(struct store_memory *s, const struct reservation *r)
{
    check(memory_find_reservation(s, r->id) == NULL);
    check(s->reservations_len == 0 || s->reservations[s->reservations_len - 1].seq < r->seq);
    mem_grow((void **)&s->reservations, &s->reservations_cap, s->reservations_len + 1, sizeof(*s->reservations));
    struct reservation *row = &s->reservations[s->reservations_len++];
    *row = *r;
    row->reference = copy(r->reference);
    row->lines = mem_new_array(r->lines_len, sizeof(*row->lines));
    for (uint32_t n = 0; n < r->lines_len; n++) {
        row->lines[n] = r->lines[n];
        row->lines[n].sku = s->items[r->lines[n].item - 1].sku;
        row->lines[n].location_id = s->locations[r->lines[n].location - 1].id;
    }
    map_add(&s->reservation_by_id, uuid_hash(r->id), s->reservations_len);
    return row;
}

static void put_reservation(struct store_memory *s, const struct reservation_change *c)
{
    struct reservation *row = c->created ? add_reservation(s, &c->row) : memory_find_reservation(s, c->row.id);
    check(row != NULL && row->seq == c->row.seq && row->lines_len == c->row.lines_len);
    row->state = c->row.state;
    row->expires_ms = c->row.expires_ms;
    row->updated_ms = c->row.updated_ms;
    for (uint32_t n = 0; c->lines_touched && n < row->lines_len; n++) {
        row->lines[n].fulfilled = c->row.lines[n].fulfilled;
        row->lines[n].returned = c->row.lines[n].returned;
    }
}

static void put_key(struct store_memory *s, const struct key_row *k)
{
    check(s->keys_len == 0 || s->keys[s->keys_len - 1].row + 1 == k->row);
    mem_grow((void **)&s->keys, &s->keys_cap, s->keys_len + 1, sizeof(*s->keys));
    struct key_row *row = &s->keys[s->keys_len++];
    *row = *k;
    row->operation = copy(k->operation);
    row->key = copy(k->key);
    row->location = copy(k->location);
    row->answer = copy(k->answer);
}

static void drop_key(struct key_row *k)
{
    drop(k->operation);
    drop(k->key);
    drop(k->location);
    drop(k->answer);
}

static void purge_keys(struct store_memory *s, uint64_t to)
{
    while (s->keys_purged < s->keys_len && s->keys[s->keys_purged].row <= to) {
        drop_key(&s->keys[s->keys_purged++]);
    }
    if (s->keys_purged > s->keys_len / 2) {
        s->keys_len -= s->keys_purged;
        memmove(s->keys, s->keys + s->keys_purged, s->keys_len * sizeof(*s->keys));
        s->keys_purged = 0;
    }
}

static void put_batch(struct store_memory *s, const struct batch *b)
{
    const struct changes *c = b->changes;
    for (size_t i = 0; i < c->items_len; i++) {
        put_item(s, &c->items[i]);
    }
    for (size_t i = 0; i < c->locations_len; i++) {
        put_location(s, &c->locations[i]);
    }
    for (size_t i = 0; i < c->movements_len; i++) {
        put_movement(s, &c->movements[i]);
    }
    for (size_t i = 0; i < c->levels_len; i++) {
        put_level(s, &c->levels[i], &c->movements[c->levels[i].movement]);
    }
    for (size_t i = 0; i < c->reservations_len; i++) {
        put_reservation(s, &c->reservations[i]);
    }
    for (size_t i = 0; i < b->keys_len; i++) {
        put_key(s, &b->keys[i]);
    }
    purge_keys(s, b->purge_keys_to);
    s->head.seq = b->seq_after;
    s->head.time_ms = b->time_ms;
    s->head.items = s->items_len;
}

static enum err memory_commit(struct store *base, const struct batch *b, struct err_note *note)
{
    struct store_memory *s = store_memory_from(base);
    check(b->partition == s->partition);
    pthread_mutex_lock(&s->lock);
    enum err e = ERR_OK;
    if (b->epoch != s->head.epoch || b->seq_before != s->head.seq) {
        e = err_note_set(
            note, ERR_FENCED, "the store is no longer at epoch %llu, seq %llu: another process owns it",
            (unsigned long long)b->epoch, (unsigned long long)b->seq_before);
    } else {
        put_batch(s, b);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

static int compare_levels(const void *a, const void *b)
{
    const struct level_row *x = a;
    const struct level_row *y = b;
    uint64_t xk = (uint64_t)x->item << 32 | x->location;
    uint64_t yk = (uint64_t)y->item << 32 | y->location;
    return (xk > yk) - (xk < yk);
}

/* A copy: the map knows the levels by their position. */
static void load_levels(const struct store_memory *s, struct ledger *l)
{
    struct level_row *sorted = mem_new_array(s->levels_len + 1, sizeof(*sorted));
    for (size_t i = 0; i < s->levels_len; i++) {
        sorted[i] = s->levels[i];
    }
    qsort(sorted, s->levels_len, sizeof(*sorted), compare_levels);
    for (size_t i = 0; i < s->levels_len; i++) {
        ledger_restore_level(l, &sorted[i]);
    }
    mem_free(sorted);
}

static void load_keys(const struct store_memory *s, const struct store_key_sink *keys)
{
    for (size_t i = s->keys_purged; i < s->keys_len; i++) {
        struct key_row row = s->keys[i];
        row.location = STR_NONE;
        row.answer = STR_NONE;
        keys->key(keys->ctx, &row);
    }
}

static enum err
memory_load(struct store *base, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    (void)note;
    struct store_memory *s = store_memory_from(base);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->items_len; i++) {
        ledger_restore_item(l, s->items[i].item, s->items[i].sku, s->items[i].defined_ms);
    }
    for (size_t i = 0; i < s->locations_len; i++) {
        ledger_restore_location(l, s->locations[i].location, s->locations[i].id, s->locations[i].priority);
    }
    load_levels(s, l);
    for (size_t i = 0; i < s->reservations_len; i++) {
        if (reservation_state_is_open(s->reservations[i].state)) {
            ledger_restore_reservation(l, &s->reservations[i]);
        }
    }
    ledger_restore_seq(l, s->head.seq);
    load_keys(s, keys);
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

static void free_rows(struct store_memory *s)
{
    for (size_t i = 0; i < s->items_len; i++) {
        drop(s->items[i].sku);
        drop(s->items[i].name);
        drop(s->items[i].attributes);
    }
    for (size_t i = 0; i < s->locations_len; i++) {
        drop(s->locations[i].id);
        drop(s->locations[i].name);
    }
    for (size_t i = 0; i < s->movements_len; i++) {
        drop(s->movements[i].reason);
        drop(s->movements[i].reference);
        drop(s->movements[i].actor);
    }
    for (size_t i = 0; i < s->reservations_len; i++) {
        drop(s->reservations[i].reference);
        mem_free(s->reservations[i].lines);
    }
    for (size_t i = s->keys_purged; i < s->keys_len; i++) {
        drop_key(&s->keys[i]);
    }
}

static void memory_free(struct store *base)
{
    struct store_memory *s = store_memory_from(base);
    check(s->readers == 0);
    free_rows(s);
    mem_free(s->items);
    mem_free(s->locations);
    mem_free(s->levels);
    mem_free(s->movements);
    mem_free(s->reservations);
    mem_free(s->keys);
    map_release(&s->item_by_sku);
    map_release(&s->location_by_id);
    map_release(&s->level_by_place);
    map_release(&s->reservation_by_id);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static const struct store_ops ops = {
    .name = "memory",
    .claim = memory_claim,
    .load = memory_load,
    .commit = memory_commit,
    .reader_open = store_memory_reader_open,
    .free = memory_free,
};

struct store *store_memory_new(uint32_t partition)
{
    struct store_memory *s = mem_new(sizeof(*s));
    s->base.ops = &ops;
    s->partition = partition;
    int rc = pthread_mutex_init(&s->lock, NULL);
    check(rc == 0);
    map_init(&s->item_by_sku);
    map_init(&s->location_by_id);
    map_init(&s->level_by_place);
    map_init(&s->reservation_by_id);
    return &s->base;
}
