#include "availability/view.h"

#include "base/mem.h"

#define BUCKETS_FIRST 1024

void view_init(struct view *v, struct policy policy)
{
    *v = (struct view){.policy = policy, .buckets = BUCKETS_FIRST};
    v->by_sku = cds_lfht_new(BUCKETS_FIRST, 1, 0, 0, NULL);
    check(v->by_sku != NULL);
    buf_init(&v->text, SHOWN_FRAME_BYTES_MAX);
}

static struct rendered *rendered_of(struct shown *shown)
{
    return CONTAINER_OF(shown, struct rendered, shown);
}

static void entry_free(struct view *v, struct shelf_entry *e)
{
    int failed = cds_lfht_del(v->by_sku, &e->node);
    check(failed == 0);
    mem_free(rendered_of(atomic_load_explicit(&e->shown, memory_order_acquire)));
    mem_free(e->levels);
    mem_free(e);
}

void view_release(struct view *v)
{
    for (size_t i = 0; i < v->by_item_cap; i++) {
        if (v->by_item[i] != NULL) {
            entry_free(v, v->by_item[i]);
        }
    }
    int failed = cds_lfht_destroy(v->by_sku, NULL);
    check(failed == 0);
    rendered_free_all(v->replaced);
    mem_free(v->by_item);
    mem_free(v->touched);
    mem_free(v->fresh);
    buf_release(&v->text);
}

/* --- finding ------------------------------------------------------------------------------------------------ */

static int entry_matches(struct cds_lfht_node *node, const void *key)
{
    const struct shelf_entry *e = CONTAINER_OF(node, struct shelf_entry, node);
    /* Pairs with the release that showed the entry for the first time: its SKU was written before. */
    check(atomic_load_explicit(&e->shown, memory_order_acquire) != NULL);
    return str_equal(shelf_entry_sku(e), *(const struct str *)key);
}

struct shelf_entry *view_find(struct view *v, struct str sku)
{
    struct cds_lfht_iter at;
    rcu_read_lock();
    cds_lfht_lookup(v->by_sku, str_hash(sku), entry_matches, &sku, &at);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&at);
    rcu_read_unlock();
    return node == NULL ? NULL : CONTAINER_OF(node, struct shelf_entry, node);
}

struct str shelf_entry_sku(const struct shelf_entry *e)
{
    return (struct str){e->sku, e->sku_len};
}

const struct shown *shelf_entry_shown(const struct shelf_entry *e)
{
    return atomic_load_explicit(&e->shown, memory_order_acquire);
}

uint64_t shelf_entry_stream_reach(const struct shelf_entry *e)
{
    return atomic_load_explicit(&e->view->reach, memory_order_acquire);
}

uint64_t shelf_entry_stream_seq(const struct shelf_entry *e)
{
    return atomic_load_explicit(&e->view->seq, memory_order_acquire);
}

/* --- applying ----------------------------------------------------------------------------------------------- */

static void touch(struct view *v, struct shelf_entry *e)
{
    if (e->touched) {
        return;
    }
    e->touched = true;
    mem_grow((void **)&v->touched, &v->touched_cap, v->touched_len + 1, sizeof(struct shelf_entry *));
    v->touched[v->touched_len++] = e;
}

static void by_item_grow(struct view *v, size_t need)
{
    size_t had = v->by_item_cap;
    mem_grow((void **)&v->by_item, &v->by_item_cap, need, sizeof(struct shelf_entry *));
    if (v->by_item_cap > had) {
        memset(v->by_item + had, 0, (v->by_item_cap - had) * sizeof(struct shelf_entry *));
    }
}

/* A new entry, touched, which readers do not see yet. */
static struct shelf_entry *entry_new(struct view *v, struct str sku, int64_t as_of_ms)
{
    check(sku.len > 0 && sku.len <= SKU_BYTES_MAX);
    struct shelf_entry *e = mem_new(sizeof(*e) + sku.len);
    e->view = v;
    e->as_of_ms = as_of_ms;
    e->sku_len = (uint8_t)sku.len;
    memcpy(e->sku, sku.ptr, sku.len);
    touch(v, e);
    return e;
}

/* The entry of the item; made when this is the first that is heard of it. */
static struct shelf_entry *entry_of(struct view *v, uint32_t item, struct str sku, int64_t time_ms)
{
    check(item > 0 && item <= ITEMS_MAX);
    by_item_grow(v, item);
    struct shelf_entry **at = &v->by_item[item - 1];
    if (*at == NULL) {
        *at = entry_new(v, sku, time_ms);
    }
    check(str_equal(shelf_entry_sku(*at), sku));
    return *at;
}

/* Where the level of `location` stands in the entry, or would stand. */
static size_t level_at(const struct shelf_entry *e, uint32_t location)
{
    size_t low = 0;
    size_t high = e->levels_len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (e->levels[mid].location < location) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void levels_grow(struct shelf_entry *e)
{
    if (e->levels_len < e->levels_cap) {
        return;
    }
    /* By a quarter: a million levels shall not pay for another million. */
    size_t cap = (size_t)e->levels_cap + 2 + e->levels_cap / 4;
    e->levels = mem_resize(e->levels, cap, sizeof(*e->levels));
    e->levels_cap = (uint16_t)cap;
}

static struct level_state *level_of(struct shelf_entry *e, uint32_t location)
{
    check(location > 0 && location <= LOCATIONS_MAX);
    size_t at = level_at(e, location);
    if (at < e->levels_len && e->levels[at].location == location) {
        return &e->levels[at];
    }
    levels_grow(e);
    memmove(&e->levels[at + 1], &e->levels[at], (e->levels_len - at) * sizeof(*e->levels));
    e->levels[at] = (struct level_state){.location = location & UINT16_MAX};
    e->levels_len++;
    return &e->levels[at];
}

static int64_t at_least_zero(int64_t quantity)
{
    return quantity > 0 ? quantity : 0;
}

static void apply_level(struct view *v, const struct level_row *row)
{
    check(row->version > 0 && row->version <= LEVEL_VERSION_MAX);
    struct shelf_entry *e = entry_of(v, row->item, row->sku, row->time_ms);
    struct level_state *level = level_of(e, row->location);
    if (row->version <= level->version) {
        return; /* known already, or older than what is known */
    }
    int64_t available = quantities_available(&row->quantities);
    e->available += at_least_zero(available) - at_least_zero(level->available);
    e->version += row->version - level->version;
    level->available = available;
    level->version = row->version & LEVEL_VERSION_MAX;
    if (row->seq > e->seq) {
        e->seq = row->seq;
        e->as_of_ms = row->time_ms;
    }
    touch(v, e);
}

static void render_touched(struct view *v)
{
    mem_grow((void **)&v->fresh, &v->fresh_cap, v->touched_len, sizeof(struct rendered *));
    for (size_t i = 0; i < v->touched_len; i++) {
        const struct shelf_entry *e = v->touched[i];
        struct facts facts = {shelf_entry_sku(e), e->available, e->version, e->seq, e->as_of_ms};
        v->fresh[i] = render(&facts, &v->policy, &v->text);
    }
}

/* Makes a new entry visible. The table grows here, on the writer's thread, and never shrinks. */
static void list_entry(struct view *v, struct shelf_entry *e)
{
    uint64_t skus = atomic_load_explicit(&v->skus, memory_order_relaxed) + 1;
    if (skus > v->buckets) {
        v->buckets *= 2;
        cds_lfht_resize(v->by_sku, v->buckets);
    }
    cds_lfht_node_init(&e->node);
    rcu_read_lock();
    cds_lfht_add(v->by_sku, str_hash(shelf_entry_sku(e)), &e->node);
    rcu_read_unlock();
    atomic_store_explicit(&v->skus, skus, memory_order_relaxed);
}

/* All rendering was done before, so that a reader sees a half-replaced message only for a moment. */
static void show_touched(struct view *v)
{
    for (size_t i = 0; i < v->touched_len; i++) {
        struct shelf_entry *e = v->touched[i];
        struct shown *old = atomic_load_explicit(&e->shown, memory_order_relaxed);
        atomic_store_explicit(&e->shown, &v->fresh[i]->shown, memory_order_release);
        e->touched = false;
        if (old == NULL) {
            list_entry(v, e);
        } else {
            rendered_of(old)->next = v->replaced;
            v->replaced = rendered_of(old);
        }
    }
}

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static void rise_to(_Atomic uint64_t *seq, uint64_t to)
{
    if (to > atomic_load_explicit(seq, memory_order_relaxed)) {
        atomic_store_explicit(seq, to, memory_order_release);
    }
}

void view_apply(struct view *v, const struct bus_message *m)
{
    check(atomic_load_explicit(&v->messages, memory_order_relaxed) == 0 || m->partition == v->partition);
    v->partition = m->partition;
    v->touched_len = 0;
    for (size_t i = 0; i < m->items_len; i++) {
        entry_of(v, m->items[i].item, m->items[i].sku, m->items[i].time_ms);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        apply_level(v, &m->levels[i]);
    }
    render_touched(v);
    show_touched(v);
    rise_to(&v->reach, m->reach);
    rise_to(&v->reach, m->seq);
    rise_to(&v->seq, m->seq);
    count(&v->messages, 1);
    count(&v->renders, v->touched_len);
}

struct rendered *view_take_replaced(struct view *v)
{
    struct rendered *list = v->replaced;
    v->replaced = NULL;
    return list;
}
