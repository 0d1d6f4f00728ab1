#include "push/hub.h"

#include "base/mem.h"

static void lock(struct hub *h)
{
    int failed = pthread_mutex_lock(&h->lock);
    check(failed == 0);
}

static void unlock(struct hub *h)
{
    int failed = pthread_mutex_unlock(&h->lock);
    check(failed == 0);
}

struct hub *hub_new(void (*wake)(void *ctx), void *wake_ctx)
{
    struct hub *h = mem_new(sizeof(*h));
    h->wake = wake;
    h->wake_ctx = wake_ctx;
    int failed = pthread_mutex_init(&h->lock, NULL);
    check(failed == 0);
    map_init(&h->by_entry);
    link_init(&h->quiet);
    link_init(&h->unread);
    link_init(&h->waking);
    buf_init(&h->line, ID_LINE_BYTES_MAX);
    return h;
}

void hub_free(struct hub *h)
{
    if (h == NULL) {
        return;
    }
    check(atomic_load_explicit(&h->streams, memory_order_relaxed) == 0 && h->by_entry.used == 0);
    map_release(&h->by_entry);
    mem_free(h->marks.at);
    mem_free(h->spread.at);
    buf_release(&h->line);
    int failed = pthread_mutex_destroy(&h->lock);
    check(failed == 0);
    mem_free(h);
}

/* --- following ---------------------------------------------------------------------------------------------- */

static struct watch *watch_of(const struct hub *h, const struct shelf_entry *e)
{
    struct map_cursor at;
    return (struct watch *)(uintptr_t)map_first(&h->by_entry, (uintptr_t)e, &at);
}

static struct watch *watch_new(struct hub *h, struct shelf_entry *e)
{
    struct watch *w = mem_new(sizeof(*w));
    w->entry = e;
    link_init(&w->follows);
    lock(h);
    map_add(&h->by_entry, (uintptr_t)e, (uintptr_t)w);
    unlock(h);
    return w;
}

static void watch_free(struct hub *h, struct watch *w)
{
    lock(h);
    bool removed = map_remove(&h->by_entry, (uintptr_t)w->entry, (uintptr_t)w);
    if (w->marked_at > 0) {
        h->marks.at[w->marked_at - 1].watch = NULL;
    }
    unlock(h);
    check(removed);
    mem_free(w);
}

static struct follow *follow_of(struct link *in_watch)
{
    return CONTAINER_OF(in_watch, struct follow, in_watch);
}

void hub_follow(struct hub *h, struct shelf_entry *e, struct follow *f)
{
    struct watch *w = watch_of(h, e);
    if (w == NULL) {
        w = watch_new(h, e);
    }
    check(link_is_alone(&w->follows) || follow_of(w->follows.prev)->stream != f->stream); /* entries are distinct */
    f->watch = w;
    link_init(&f->in_watch);
    link_append(&w->follows, &f->in_watch);
}

void hub_unfollow(struct hub *h, struct follow *f)
{
    link_remove(&f->in_watch);
    if (link_is_alone(&f->watch->follows)) {
        watch_free(h, f->watch);
    }
    f->watch = NULL;
}

/* --- marking (projector thread) ----------------------------------------------------------------------------- */

static int64_t older(int64_t a_ns, int64_t b_ns)
{
    if (a_ns == 0 || b_ns == 0) {
        return a_ns + b_ns;
    }
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Under the lock. */
static void mark_entry(struct hub *h, const struct shelf_entry *e, int64_t committed_ns)
{
    struct watch *w = watch_of(h, e);
    if (w == NULL) {
        return;
    }
    if (w->marked_at > 0) {
        struct mark *m = &h->marks.at[w->marked_at - 1];
        m->committed_ns = older(m->committed_ns, committed_ns);
        return;
    }
    mem_grow((void **)&h->marks.at, &h->marks.cap, h->marks.len + 1, sizeof(struct mark));
    h->marks.at[h->marks.len++] = (struct mark){.watch = w, .committed_ns = committed_ns};
    w->marked_at = h->marks.len;
}

void hub_mark(struct hub *h, struct shelf_entry *const *entries, size_t len, int64_t committed_ns)
{
    if (len == 0) {
        return;
    }
    lock(h);
    bool was_idle = h->marks.len == 0;
    for (size_t i = 0; i < len && h->by_entry.used > 0; i++) {
        mark_entry(h, entries[i], committed_ns);
    }
    h->marked_seq = shelf_entry_stream_seq(entries[0]);
    bool wake = was_idle && h->marks.len > 0;
    unlock(h);
    if (wake) {
        h->wake(h->wake_ctx);
    }
}

/* --- the turn (HTTP thread) --------------------------------------------------------------------------------- */

/* Exchanges the filled marks for the empty ones; returns the seq that they reach. */
static uint64_t marks_take(struct hub *h)
{
    check(h->spread.len == 0);
    lock(h);
    struct marks empty = h->spread;
    h->spread = h->marks;
    h->marks = empty;
    for (size_t i = 0; i < h->spread.len; i++) {
        if (h->spread.at[i].watch != NULL) {
            h->spread.at[i].watch->marked_at = 0;
        }
    }
    uint64_t seq = h->marked_seq;
    unlock(h);
    return seq;
}

static void mark_spread(struct hub *h, const struct mark *m, int64_t mono_ms)
{
    const struct shown *now = shelf_entry_shown(m->watch->entry);
    struct link *ring = &m->watch->follows;
    for (struct link *l = ring->next; l != ring; l = l->next) {
        struct follow *f = follow_of(l);
        if (stream_mark(f, now, m->committed_ns, mono_ms) && f->stream->asleep) {
            link_append(&h->waking, &f->stream->waking);
        }
    }
}

static void marks_spread(struct hub *h, int64_t mono_ms)
{
    uint64_t seq = marks_take(h);
    for (size_t i = 0; i < h->spread.len; i++) {
        if (h->spread.at[i].watch != NULL) {
            mark_spread(h, &h->spread.at[i], mono_ms);
        }
    }
    h->spread.len = 0;
    h->spread_seq = seq;
}

static void heartbeats(struct hub *h, int64_t mono_ms)
{
    while (!link_is_alone(&h->quiet)) {
        struct stream *s = CONTAINER_OF(h->quiet.next, struct stream, quiet);
        if (mono_ms - s->quiet_since_ms < STREAM_HEARTBEAT_MS) {
            return;
        }
        stream_heartbeat(s, mono_ms);
        if (s->asleep) {
            link_append(&h->waking, &s->waking);
        }
    }
}

/* The streams are taken one by one, because a call may close any of them. */
static void wake_streams(struct hub *h)
{
    while (!link_is_alone(&h->waking)) {
        struct stream *s = CONTAINER_OF(h->waking.next, struct stream, waking);
        link_remove(&s->waking);
        s->asleep = false;
        s->io.wake(s->io.ctx);
    }
}

static void cut_unread(struct hub *h, int64_t mono_ms)
{
    while (!link_is_alone(&h->unread)) {
        struct stream *s = CONTAINER_OF(h->unread.next, struct stream, unread);
        if (mono_ms - s->unread_since_ms < STREAM_UNREAD_MS_MAX) {
            return;
        }
        s->cut = true;
        link_remove(&s->unread);
        link_remove(&s->quiet);
        link_remove(&s->waking);
        hub_count(&h->cut, 1);
        s->io.cut(s->io.ctx);
    }
}

void hub_turn(struct hub *h, int64_t mono_ms, int64_t mono_ns)
{
    h->turn_ns = mono_ns;
    marks_spread(h, mono_ms);
    cut_unread(h, mono_ms);
    heartbeats(h, mono_ms);
    wake_streams(h);
}

/* --- metrics ------------------------------------------------------------------------------------------------ */

/* One thread writes, so no locked instruction is needed. */
void hub_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static unsigned bucket_of(uint64_t us)
{
    return us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);
}

void hub_count_frame(struct hub *h, int64_t committed_ns, int64_t mono_ms)
{
    hub_count(&h->frames, 1);
    if (committed_ns == 0) {
        return;
    }
    int64_t now_ns = mono_ms * 1000000 > h->turn_ns ? mono_ms * 1000000 : h->turn_ns;
    uint64_t us = now_ns > committed_ns ? (uint64_t)(now_ns - committed_ns) / 1000 : 0;
    if (bucket_of(us) < PROPAGATION_BUCKETS) {
        hub_count(&h->propagation_us_bucket[bucket_of(us)], 1);
    }
    hub_count(&h->propagation_us_sum, us);
    hub_count(&h->propagation_count, 1);
}

void hub_metrics(const struct hub *h, struct push_metrics *out)
{
    *out = (struct push_metrics){
        .streams = atomic_load_explicit(&h->streams, memory_order_relaxed),
        .frames = atomic_load_explicit(&h->frames, memory_order_relaxed),
        .bytes = atomic_load_explicit(&h->bytes, memory_order_relaxed),
        .cut = atomic_load_explicit(&h->cut, memory_order_relaxed),
        .propagation_us_sum = atomic_load_explicit(&h->propagation_us_sum, memory_order_relaxed),
        .propagation_count = atomic_load_explicit(&h->propagation_count, memory_order_relaxed),
    };
    for (size_t i = 0; i < PROPAGATION_BUCKETS; i++) {
        out->propagation_us_bucket[i] = atomic_load_explicit(&h->propagation_us_bucket[i], memory_order_relaxed);
    }
}
