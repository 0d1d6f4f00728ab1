#include "availability/cached_state.h"
#include "base/clock.h"

void cached_sweep_fast(struct cached *c)
{
    c->sweeps_fast = true;
    c->sweep_at = 0;
    c->sweep_due_ms = 0;
}

static void render_lines(struct cached *c, struct shelf_entry *const *entries, size_t len)
{
    c->lines_len = 0;
    availability_reader_online();
    for (size_t i = 0; i < len; i++) {
        const struct shown *shown = shelf_entry_shown(entries[i]);
        struct line *l = cached_add_line(c, shelf_entry_sku(entries[i]));
        memcpy(l->value, shown->json.ptr, shown->json.len);
        l->value_len = shown->json.len;
        l->version = shown->version;
    }
    availability_reader_offline();
}

static bool put_entries(struct cached *c, struct shelf_entry *const *entries, size_t len)
{
    struct err_note note = {""};
    struct cache_entry puts[CACHE_BATCH_MAX];
    render_lines(c, entries, len);
    for (size_t i = 0; i < len; i++) {
        const struct line *l = &c->lines[i];
        puts[i] = (struct cache_entry){{l->key, l->key_len}, {l->value, l->value_len}, l->version};
    }
    bool good = cached_went_well(c, cache_put(c->cache, puts, len, CACHED_TTL_S, &note), &note);
    if (good) {
        atomic_fetch_add_explicit(&c->written, len, memory_order_relaxed);
    }
    return good;
}

bool cached_write_marked(struct cached *c)
{
    struct shelf_entry *entries[CACHE_BATCH_MAX];
    cached_lock(c);
    size_t len = marks_take(&c->marks, entries, CACHE_BATCH_MAX);
    cached_unlock(c);
    if (len == 0 || put_entries(c, entries, len)) {
        return len > 0;
    }
    cached_lock(c);
    marks_give_back(&c->marks, len);
    cached_unlock(c);
    return false;
}

static size_t take_for_sweep(struct cached *c, struct shelf_entry **out, size_t *out_all)
{
    cached_lock(c);
    size_t left = c->marks.all_len - c->sweep_at;
    size_t len = left < CACHE_BATCH_MAX ? left : CACHE_BATCH_MAX;
    if (len > 0) {
        memcpy(out, c->marks.all + c->sweep_at, len * sizeof(*out));
    }
    *out_all = c->marks.all_len;
    cached_unlock(c);
    return len;
}

static void sweep_some(struct cached *c, int64_t now_ms)
{
    struct shelf_entry *entries[CACHE_BATCH_MAX];
    size_t all;
    if (now_ms < c->sweep_due_ms) {
        return;
    }
    size_t len = take_for_sweep(c, entries, &all);
    if (len > 0 && !put_entries(c, entries, len)) {
        return;
    }
    c->sweep_at += len;
    if (c->sweep_at == all) {
        c->sweep_at = 0;
        c->sweeps_fast = false;
    }
    int64_t batches = (int64_t)(all / CACHE_BATCH_MAX) + 1;
    c->sweep_due_ms =
        now_ms + (c->sweeps_fast ? CACHE_BATCH_MAX * 1000LL / CACHED_SWEEP_RATE : CACHED_SWEEP_MS / batches);
}

void cached_sweep(struct cached *c, int64_t now_ms, int64_t age_ms)
{
    bool vouches = age_ms <= CACHED_FRESH_MS;
    if (vouches && !c->vouches) {
        cached_sweep_fast(c);
    }
    c->vouches = vouches;
    if (vouches && cache_is_up(c->cache)) {
        sweep_some(c, now_ms);
    }
}
