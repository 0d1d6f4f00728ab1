#include "availability/cached_state.h"
#include "base/clock.h"
#include "base/mem.h"

#define KEY_HOT "onhand:hot:default"

/* --- questions ---------------------------------------------------------------------------------------------- */

static struct availability_question *take_questions(struct cached *c, bool takes_more)
{
    cached_lock(c);
    struct availability_question *list = c->questions;
    c->takes_questions = takes_more;
    c->questions = NULL;
    c->questions_end = &c->questions;
    c->questions_len = 0;
    cached_unlock(c);
    return list;
}

/* The asker may free the question at once. */
static void answer(struct cached *c, struct availability_question *q, const struct line *found)
{
    if (found != NULL && found->value_len > 0) {
        memcpy(q->json, found->value, found->value_len);
        q->json_len = found->value_len;
    }
    atomic_fetch_add_explicit(q->json_len > 0 ? &c->hits : &c->misses, 1, memory_order_relaxed);
    q->answered(q->ctx);
}

void cached_refuse_questions(struct cached *c)
{
    struct availability_question *q = take_questions(c, false);
    while (q != NULL) {
        struct availability_question *next = q->next;
        answer(c, q, NULL);
        q = next;
    }
}

static struct line *find_line(struct cached *c, struct str sku)
{
    for (size_t i = 0; i < c->lines_len; i++) {
        if (str_equal(cached_line_sku(&c->lines[i]), sku)) {
            return &c->lines[i];
        }
    }
    return NULL;
}

/* --- asking ------------------------------------------------------------------------------------------------- */

static void keep_value(void *ctx, size_t index, struct str value)
{
    struct cached *c = ctx;
    struct line *l = &c->lines[index];
    if (warm_is_answer(cached_line_sku(l), value)) {
        memcpy(l->value, value.ptr, value.len);
        l->value_len = value.len;
    }
}

/* Fills in the values of the lines; those that are not there, or are no answers, have none. */
static bool get_lines(struct cached *c)
{
    struct err_note note = {""};
    struct str keys[CACHE_BATCH_MAX];
    for (size_t i = 0; i < c->lines_len; i++) {
        keys[i] = (struct str){c->lines[i].key, c->lines[i].key_len};
    }
    return cached_went_well(c, cache_get(c->cache, keys, c->lines_len, keep_value, c, &note), &note);
}

/* Those who ask for the same SKU share one line. Returns the questions that found no room. */
static struct availability_question *answer_some(struct cached *c, struct availability_question *list)
{
    struct availability_question *left = NULL;
    c->lines_len = 0;
    for (struct availability_question *q = list; q != NULL && c->lines_len < CACHE_BATCH_MAX; q = q->next) {
        if (find_line(c, q->sku) == NULL) {
            cached_add_line(c, q->sku);
        }
    }
    (void)get_lines(c); /* a failure was logged, and nothing was found */
    for (struct availability_question *q = list; q != NULL;) {
        struct availability_question *next = q->next;
        const struct line *found = find_line(c, q->sku);
        if (found != NULL) {
            answer(c, q, found);
        } else {
            q->next = left;
            left = q;
        }
        q = next;
    }
    return left;
}

void cached_answer_questions(struct cached *c)
{
    struct availability_question *list = take_questions(c, true);
    while (list != NULL) {
        list = answer_some(c, list);
    }
}

/* --- what is read most -------------------------------------------------------------------------------------- */

void cached_take_reads(struct cached *c)
{
    struct shelf_entry *reads[READS_MAX];
    cached_lock(c);
    size_t len = c->reads_len;
    memcpy(reads, c->reads, len * sizeof(reads[0]));
    c->reads_len = 0;
    cached_unlock(c);
    for (size_t i = 0; i < len; i++) {
        heat_count(&c->heat, reads[i]);
    }
}

static void parse_hot(void *ctx, size_t index, struct str value)
{
    (void)index;
    (void)hot_list_parse(ctx, value); /* what is no list is an empty one */
}

static bool get_hot(struct cached *c, struct hot_list *out)
{
    struct err_note note = {""};
    const struct str key = STR(KEY_HOT);
    return cached_went_well(c, cache_get(c->cache, &key, 1, parse_hot, out, &note), &note);
}

static bool put_hot(struct cached *c, const struct hot_list *list)
{
    struct err_note note = {""};
    struct buf json;
    buf_init(&json, CACHE_VALUE_BYTES_MAX);
    hot_list_render(list, &json);
    check(!json.overflowed);
    const struct cache_entry entry = {STR(KEY_HOT), buf_str(&json), list->version};
    bool good = cached_went_well(c, cache_put(c->cache, &entry, 1, CACHED_HOT_TTL_S, &note), &note);
    buf_release(&json);
    return good;
}

/* Two nodes may do so at the same time; then the reads of one are lost, which changes little. */
void cached_publish_heat(struct cached *c, int64_t now_ms)
{
    if (c->heat.len == 0 || now_ms < c->hot_due_ms) {
        return;
    }
    struct hot_list *list = mem_new(sizeof(*list));
    if (get_hot(c, list)) {
        hot_list_add(list, &c->heat, clock_wall_ms());
        if (put_hot(c, list)) {
            heat_clear(&c->heat);
        }
    }
    mem_free(list);
    c->hot_due_ms = now_ms + CACHED_HOT_MS;
}

/* --- warming ------------------------------------------------------------------------------------------------ */

static bool warm_some(struct cached *c, struct warm *w, const struct hot_sku *skus, size_t len)
{
    c->lines_len = 0;
    for (size_t i = 0; i < len; i++) {
        cached_add_line(c, (struct str){skus[i].sku, skus[i].len});
    }
    if (!get_lines(c)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (c->lines[i].value_len > 0) {
            (void)warm_add(w, cached_line_sku(&c->lines[i]), (struct str){c->lines[i].value, c->lines[i].value_len});
        }
    }
    return true;
}

static bool warm_all(struct cached *c, struct warm *w, const struct hot_list *list)
{
    for (size_t i = 0; i < list->len; i += CACHE_BATCH_MAX) {
        size_t left = list->len - i;
        if (!warm_some(c, w, &list->skus[i], left < CACHE_BATCH_MAX ? left : CACHE_BATCH_MAX)) {
            return false;
        }
    }
    return true;
}

static void replace_warm(struct cached *c, struct warm with)
{
    cached_lock(c);
    struct warm old = c->warm;
    c->warm = with;
    cached_unlock(c);
    warm_release(&old);
}

/* Again and again, for other nodes may go on. */
void cached_warm_up(struct cached *c, int64_t now_ms)
{
    if (now_ms < c->hot_due_ms) {
        return;
    }
    struct warm fresh = {0};
    struct hot_list *list = mem_new(sizeof(*list));
    if (get_hot(c, list) && warm_all(c, &fresh, list)) {
        replace_warm(c, fresh);
    } else {
        warm_release(&fresh);
    }
    mem_free(list);
    c->hot_due_ms = now_ms + CACHED_HOT_MS;
}

void cached_cool_down(struct cached *c)
{
    if (c->warm.len > 0) { /* changed by this thread only */
        replace_warm(c, (struct warm){0});
    }
}
