#include "store/sqlite/recent.h"

#include "base/mem.h"

#include <stdlib.h>

void recent_init(struct recent *r)
{
    *r = (struct recent){.seq = 0};
    pthread_mutex_init(&r->lock, NULL);
    map_init(&r->by_item);
}

void recent_release(struct recent *r)
{
    map_release(&r->by_item);
    mem_free(r->levels.of);
    pthread_mutex_destroy(&r->lock);
}

static uint64_t item_hash(uint32_t item)
{
    return (item + 1ULL) * 0x9e3779b97f4a7c15ULL;
}

/* Position + 1; 0: none. */
static uint64_t find(const struct recent *r, uint32_t item, uint32_t location)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&r->by_item, item_hash(item), &cursor);
    while (at != 0 && (r->levels.of[at - 1].item != item || r->levels.of[at - 1].location != location)) {
        at = map_next(&r->by_item, &cursor);
    }
    return at;
}

static void put(struct recent *r, uint32_t item, uint32_t location, uint64_t seq)
{
    uint64_t at = find(r, item, location);
    if (at != 0) {
        check(r->levels.of[at - 1].seq < seq);
        r->levels.of[at - 1].seq = seq;
        return;
    }
    struct recent_levels *levels = &r->levels;
    mem_grow((void **)&levels->of, &levels->cap, levels->len + 1, sizeof(*levels->of));
    levels->of[levels->len++] = (struct recent_level){item, location, seq};
    map_add(&r->by_item, item_hash(item), levels->len);
}

/* The last one moves to its place. */
static void take(struct recent *r, uint32_t item, uint32_t location)
{
    uint64_t at = find(r, item, location);
    check(at != 0);
    bool removed = map_remove(&r->by_item, item_hash(item), at);
    check(removed);
    uint64_t last = r->levels.len--;
    if (last != at) {
        uint64_t hash = item_hash(r->levels.of[last - 1].item);
        removed = map_remove(&r->by_item, hash, last);
        check(removed);
        r->levels.of[at - 1] = r->levels.of[last - 1];
        map_add(&r->by_item, hash, at);
    }
}

static enum err load_rows(struct recent *r, sqlite3_stmt *s, struct err_note *note)
{
    bool row = false;
    TRY(database_step(s, &row, note));
    while (row) {
        put(r, (uint32_t)sqlite3_column_int64(s, 0), (uint32_t)sqlite3_column_int64(s, 1),
            (uint64_t)sqlite3_column_int64(s, 2));
        TRY(database_step(s, &row, note));
    }
    return ERR_OK;
}

enum err recent_load(struct recent *r, sqlite3 *db, struct err_note *note)
{
    static const char *const sql = "SELECT m.item, m.location, m.seq FROM (SELECT item, location, max(seq) AS seq FROM "
                                   "movement WHERE seq > (SELECT min(levels_seq) FROM partition) "
                                   "GROUP BY item, location) m CROSS JOIN level v "
                                   "ON v.item = m.item AND v.location = m.location WHERE m.seq > v.seq";
    int64_t seq = 0;
    sqlite3_stmt *s = NULL;
    TRY(database_read_i64(db, "SELECT seq FROM partition", &seq, note));
    TRY(database_prepare(db, &sql, 1, &s, note));
    enum err e = load_rows(r, s, note);
    database_finalize(&s, 1);
    r->seq = (uint64_t)seq;
    return e;
}

uint64_t recent_seq_of(const struct recent *r, uint32_t item, uint32_t location)
{
    uint64_t at = find(r, item, location);
    return at == 0 ? 0 : r->levels.of[at - 1].seq;
}

void recent_advance(struct recent *r, const struct batch *b, const struct recent_level *swept, size_t swept_len)
{
    pthread_mutex_lock(&r->lock);
    check(r->seq == b->seq_before);
    for (size_t i = 0; i < swept_len; i++) {
        take(r, swept[i].item, swept[i].location);
    }
    for (size_t i = 0; i < b->changes->levels_len; i++) {
        const struct level_change *c = &b->changes->levels[i];
        const struct movement *m = &b->changes->movements[c->movement];
        if (!c->created) { /* its row was just made */
            put(r, m->item, m->location, m->seq);
        }
    }
    r->seq = b->seq_after;
    pthread_mutex_unlock(&r->lock);
}

void recent_fail(struct recent *r)
{
    pthread_mutex_lock(&r->lock);
    r->failed = true;
    pthread_mutex_unlock(&r->lock);
}

static void copy_item(const struct recent *r, uint32_t item, struct recent_levels *out)
{
    struct map_cursor cursor;
    for (uint64_t at = map_first(&r->by_item, item_hash(item), &cursor); at != 0; at = map_next(&r->by_item, &cursor)) {
        if (r->levels.of[at - 1].item == item) {
            mem_grow((void **)&out->of, &out->cap, out->len + 1, sizeof(*out->of));
            out->of[out->len++] = r->levels.of[at - 1];
        }
    }
}

enum recent_copied recent_copy(struct recent *r, uint32_t from, uint32_t to, uint64_t seq, struct recent_levels *out)
{
    out->len = 0;
    pthread_mutex_lock(&r->lock);
    enum recent_copied copied = r->failed ? RECENT_FAILED : RECENT_OTHER_STATE;
    if (r->seq == seq) {
        for (uint64_t item = from; item <= to; item++) {
            copy_item(r, (uint32_t)item, out);
        }
        copied = RECENT_COPIED;
    }
    pthread_mutex_unlock(&r->lock);
    recent_sort(out);
    return copied;
}

static uint64_t place_of(const struct recent_level *level)
{
    return (uint64_t)level->item << 32 | level->location;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = place_of(a);
    uint64_t y = place_of(b);
    return x < y ? -1 : x > y;
}

void recent_sort(struct recent_levels *levels)
{
    if (levels->len > 1) {
        qsort(levels->of, levels->len, sizeof(*levels->of), compare);
    }
}

uint64_t recent_find(const struct recent_levels *levels, uint32_t item, uint32_t location)
{
    struct recent_level wanted = {.item = item, .location = location};
    const struct recent_level *found =
        levels->len == 0 ? NULL : bsearch(&wanted, levels->of, levels->len, sizeof(*levels->of), compare);
    return found == NULL ? 0 : found->seq;
}
