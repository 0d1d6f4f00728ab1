#include "availability/cached_state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <time.h>

/* One read in so many is counted: the highest bits of a number that is as good as random are all zero. */
#define READS_SHIFT 60
/* How long the thread rests at most, and while it has to notice soon that the view is complete. */
#define REST_MS 1000
#define REST_SHORT_MS 100
/* What changed last is written at the end, unless that takes longer. */
#define FLUSH_MS 1000

void cached_lock(struct cached *c)
{
    int failed = pthread_mutex_lock(&c->lock);
    check(failed == 0);
}

void cached_unlock(struct cached *c)
{
    int failed = pthread_mutex_unlock(&c->lock);
    check(failed == 0);
}

/* --- what other threads do ---------------------------------------------------------------------------------- */

void cached_take(struct cached *c, struct shelf_entry *const *entries, size_t len, bool changed)
{
    cached_lock(c);
    marks_list(&c->marks, entries, len);
    if (changed && len > 0) {
        marks_mark(&c->marks, entries, len);
        pthread_cond_signal(&c->wakes);
    }
    cached_unlock(c);
}

/* Whoever reads does not wait, and most of the time does no more than roll a die. */
void cached_count_read(struct cached *c, struct shelf_entry *e)
{
    static _Thread_local uint64_t die;
    die = die * 6364136223846793005ULL + 1442695040888963407ULL;
    if (die >> READS_SHIFT != 0 || pthread_mutex_trylock(&c->lock) != 0) {
        return;
    }
    if (c->reads_len < READS_MAX) {
        c->reads[c->reads_len++] = e;
    }
    cached_unlock(c);
}

size_t cached_recall(struct cached *c, struct str sku, char out[SHOWN_FRAME_BYTES_MAX])
{
    cached_lock(c);
    struct str json = warm_find(&c->warm, sku);
    memcpy(out, json.len == 0 ? "" : json.ptr, json.len);
    cached_unlock(c);
    if (json.len > 0) {
        atomic_fetch_add_explicit(&c->hits, 1, memory_order_relaxed);
    }
    return json.len;
}

bool cached_ask(struct cached *c, struct availability_question *q)
{
    q->next = NULL;
    q->json_len = 0;
    cached_lock(c);
    bool taken = c->takes_questions && c->questions_len < CACHED_QUESTIONS_MAX;
    if (taken) {
        *c->questions_end = q;
        c->questions_end = &q->next;
        c->questions_len++;
        pthread_cond_signal(&c->wakes);
    }
    cached_unlock(c);
    return taken;
}

void cached_metrics(struct cached *c, struct availability_metrics *out)
{
    cached_lock(c);
    out->cache_is_up = c->takes_questions;
    out->cache_dirty = marks_waiting(&c->marks);
    cached_unlock(c);
    out->caches = true;
    out->cache_writes = atomic_load_explicit(&c->written, memory_order_relaxed);
    out->cache_failures = atomic_load_explicit(&c->failures, memory_order_relaxed);
    out->cache_hits = atomic_load_explicit(&c->hits, memory_order_relaxed);
    out->cache_misses = atomic_load_explicit(&c->misses, memory_order_relaxed);
}

/* --- the lines of a call -------------------------------------------------------------------------------------- */

struct str cached_line_sku(const struct line *l)
{
    return (struct str){l->key + KEY_BEGIN_LEN, l->key_len - KEY_BEGIN_LEN};
}

struct line *cached_add_line(struct cached *c, struct str sku)
{
    check(c->lines_len < CACHE_BATCH_MAX && sku.len <= SKU_BYTES_MAX);
    struct line *l = &c->lines[c->lines_len++];
    memcpy(l->key, KEY_BEGIN, KEY_BEGIN_LEN);
    memcpy(l->key + KEY_BEGIN_LEN, sku.ptr, sku.len);
    l->key_len = KEY_BEGIN_LEN + sku.len;
    l->value_len = 0;
    return l;
}

/* --- the connection ----------------------------------------------------------------------------------------- */

/* Each change of the weather is worth one line in the log. */
bool cached_went_well(struct cached *c, enum err e, const struct err_note *note)
{
    char quoted[512];
    if (e == ERR_OK && c->fails) {
        log_line(LOG_INFO, "cache_is_back", "failures=%" PRIu64, atomic_load(&c->failures));
    } else if (e != ERR_OK && !c->fails) {
        log_line(LOG_WARN, "cache_is_away", "detail=%s", log_quote(note->text, quoted, sizeof(quoted)));
    }
    c->fails = e != ERR_OK;
    if (c->fails) {
        atomic_fetch_add_explicit(&c->failures, 1, memory_order_relaxed);
        c->connect_due_ms = clock_mono_ms() + CACHE_RETRY_MS;
    }
    return !c->fails;
}

/* What is connected to anew may be empty. */
static bool has_connection(struct cached *c)
{
    struct err_note note = {""};
    if (cache_is_up(c->cache)) {
        return true;
    }
    cached_refuse_questions(c);
    if (clock_mono_ms() < c->connect_due_ms) {
        return false;
    }
    /* That it connects is no sign that it is back: it may be full, and refuse every write. */
    enum err e = cache_connect(c->cache, &note);
    if (e != ERR_OK) {
        return cached_went_well(c, e, &note);
    }
    cached_lock(c);
    c->takes_questions = true;
    cached_unlock(c);
    cached_sweep_fast(c);
    c->hot_due_ms = 0;
    return true;
}

/* --- the thread --------------------------------------------------------------------------------------------- */

static void turn(struct cached *c)
{
    int64_t age_ms = availability_age_ms(c->availability);
    cached_take_reads(c);
    c->writes = false;
    if (!has_connection(c)) {
        return;
    }
    int64_t now_ms = clock_mono_ms();
    cached_answer_questions(c);
    if (age_ms < 0) {
        cached_warm_up(c, now_ms);
        return;
    }
    cached_cool_down(c);
    (void)cached_write_marked(c); /* the rest is work for the next turn */
    cached_sweep(c, now_ms, age_ms);
    cached_publish_heat(c, now_ms);
    c->writes = cache_is_up(c->cache);
}

static int64_t next_due(const struct cached *c)
{
    int64_t now_ms = clock_mono_ms();
    if (!cache_is_up(c->cache)) {
        return c->connect_due_ms;
    }
    if (!c->writes) {
        return now_ms + REST_SHORT_MS;
    }
    return c->vouches && c->sweep_due_ms < now_ms + REST_MS ? c->sweep_due_ms : now_ms + REST_MS;
}

/* False: it ends. */
static bool rest(struct cached *c)
{
    int64_t due_ms = next_due(c);
    struct timespec due = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
    cached_lock(c);
    while (!c->ending && c->questions == NULL && !(c->writes && marks_waiting(&c->marks) > 0) &&
           clock_mono_ms() < due_ms) {
        pthread_cond_timedwait(&c->wakes, &c->lock, &due);
    }
    bool ending = c->ending;
    cached_unlock(c);
    return !ending;
}

static void *cached_run(void *arg)
{
    struct cached *c = arg;
    pthread_setname_np(pthread_self(), "cache");
    availability_reader_register();
    availability_reader_offline();
    do {
        turn(c);
    } while (rest(c));
    int64_t until_ms = clock_mono_ms() + FLUSH_MS;
    while (c->writes && clock_mono_ms() < until_ms && cached_write_marked(c)) {
    }
    cached_refuse_questions(c);
    availability_reader_unregister();
    return NULL;
}

struct cached *cached_new(struct cache *cache, const struct availability *a)
{
    struct cached *c = mem_new(sizeof(*c));
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
        pthread_mutex_init(&c->lock, NULL) | pthread_cond_init(&c->wakes, &monotonic) |
        pthread_condattr_destroy(&monotonic);
    check(failed == 0);
    c->cache = cache;
    c->availability = a;
    c->questions_end = &c->questions;
    return c;
}

void cached_free(struct cached *c)
{
    if (c == NULL) {
        return;
    }
    check(c->questions == NULL);
    int failed = pthread_cond_destroy(&c->wakes) | pthread_mutex_destroy(&c->lock);
    check(failed == 0);
    marks_release(&c->marks);
    warm_release(&c->warm);
    heat_release(&c->heat);
    mem_free(c);
}

enum err cached_start(struct cached *c, struct err_note *note)
{
    c->ending = false;
    if (pthread_create(&c->thread, NULL, cached_run, c) != 0) {
        return err_note_set(note, ERR_IO, "the cache thread cannot be started");
    }
    return ERR_OK;
}

void cached_stop(struct cached *c)
{
    cached_lock(c);
    c->ending = true;
    pthread_cond_signal(&c->wakes);
    cached_unlock(c);
    int failed = pthread_join(c->thread, NULL);
    check(failed == 0);
}
