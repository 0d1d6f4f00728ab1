/* Reservations in memory: the open ones, and closed ones until their batch is durable. */
#include "base/mem.h"
#include "core/ledger_state.h"

struct kept *kept_find(const struct ledger *l, struct uuid id)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&l->kept_by_id, uuid_hash(id), &cursor);
    while (at != 0) {
        struct kept *k = (struct kept *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr): maps hold 64-bit values
        if (uuid_equal(k->r.id, id)) {
            return k;
        }
        at = map_next(&l->kept_by_id, &cursor);
    }
    return NULL;
}

struct kept *kept_add(struct ledger *l, struct uuid id, struct str reference, uint32_t lines_len)
{
    check(kept_find(l, id) == NULL);
    check(lines_len >= 1 && lines_len <= RESERVATION_PARTS_MAX);
    size_t lines_size = lines_len * sizeof(struct reservation_line);
    size_t size = sizeof(struct kept) + lines_size + reference.len + 1;
    struct kept *k = pool_take(&l->pool, size);
    *k = (struct kept){.block_size = size};
    k->r.id = id;
    k->r.lines = (struct reservation_line *)(k + 1);
    k->r.lines_len = lines_len;
    if (!str_is_absent(reference)) {
        char *text = (char *)(k + 1) + lines_size;
        memcpy(text, reference.ptr, reference.len);
        k->r.reference = (struct str){text, reference.len};
    }
    map_add(&l->kept_by_id, uuid_hash(id), (uint64_t)(uintptr_t)k);
    l->kept_len++;
    return k;
}

void kept_remove(struct ledger *l, struct kept *k)
{
    check(!reservation_state_is_open(k->r.state));
    bool found = map_remove(&l->kept_by_id, uuid_hash(k->r.id), (uint64_t)(uintptr_t)k);
    check(found);
    l->kept_len--;
    pool_give(&l->pool, k, k->block_size);
}

/* The expiry heap: a binary min-heap, each hold knows its place. */

static bool hold_before(const struct kept *a, const struct kept *b)
{
    return a->r.expires_ms != b->r.expires_ms ? a->r.expires_ms < b->r.expires_ms : a->r.seq < b->r.seq;
}

static void heap_put(struct ledger *l, size_t at, struct kept *k)
{
    l->heap[at] = k;
    k->heap_at = at;
}

static void heap_up(struct ledger *l, size_t at, struct kept *k)
{
    while (at > 0 && hold_before(k, l->heap[(at - 1) / 2])) {
        heap_put(l, at, l->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(l, at, k);
}

static void heap_down(struct ledger *l, size_t at, struct kept *k)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= l->heap_len) {
            break;
        }
        if (child + 1 < l->heap_len && hold_before(l->heap[child + 1], l->heap[child])) {
            child++;
        }
        if (!hold_before(l->heap[child], k)) {
            break;
        }
        heap_put(l, at, l->heap[child]);
        at = child;
    }
    heap_put(l, at, k);
}

void kept_hold_add(struct ledger *l, struct kept *k)
{
    check(k->r.state == RESERVATION_HELD);
    mem_grow((void **)&l->heap, &l->heap_cap, l->heap_len + 1, sizeof(struct kept *));
    heap_up(l, l->heap_len++, k);
}

/* Its expiry was moved to later. */
void kept_hold_moved(struct ledger *l, struct kept *k)
{
    check(l->heap[k->heap_at] == k);
    heap_down(l, k->heap_at, k);
}

static void hold_remove(struct ledger *l, struct kept *k)
{
    size_t at = k->heap_at;
    check(l->heap[at] == k);
    struct kept *last = l->heap[--l->heap_len];
    if (last == k) {
        return;
    }
    if (at > 0 && hold_before(last, l->heap[(at - 1) / 2])) {
        heap_up(l, at, last);
    } else {
        heap_down(l, at, last);
    }
}

/* Notes in the run of changes that this reservation's row is no longer what the store has. */
struct reservation_change *kept_touch(struct decision *d, struct kept *k)
{
    struct changes *c = d->changes;
    if (k->touched_in != c->number) {
        mem_grow((void **)&c->reservations, &c->reservations_cap, c->reservations_len + 1, sizeof(*c->reservations));
        k->touched_in = c->number;
        k->change = (uint32_t)c->reservations_len++;
        c->reservations[k->change] = (struct reservation_change){.live = k};
    }
    k->r.updated_ms = d->now_ms;
    return &c->reservations[k->change];
}

void kept_become(struct decision *d, struct kept *k, enum reservation_state to)
{
    enum reservation_state from = k->r.state;
    check(reservation_state_may_become(from, to));
    if (from == RESERVATION_HELD) {
        hold_remove(d->l, k);
    }
    d->l->committed_len -= from == RESERVATION_COMMITTED;
    d->l->committed_len += to == RESERVATION_COMMITTED;
    k->r.state = to;
    (void)kept_touch(d, k);
}

bool ledger_next_expiry(const struct ledger *l, int64_t *out_ms, struct uuid *out_id)
{
    if (l->heap_len == 0) {
        return false;
    }
    *out_ms = l->heap[0]->r.expires_ms;
    *out_id = l->heap[0]->r.id;
    return true;
}

const struct reservation *ledger_reservation(const struct ledger *l, struct uuid id)
{
    const struct kept *k = kept_find(l, id);
    return k == NULL ? NULL : &k->r;
}
