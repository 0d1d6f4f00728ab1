#include "inventory/relay.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/collect.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define RETRY_MS 250

struct relay {
    struct relay_options options;
    struct collect rows;
    bool placed; /* seq and items say where to go on */
    uint64_t seq;
    uint64_t items;
    struct bus_position target; /* the store at an earlier time; it is said as soon as all of it is published */
    int64_t position_due_ms;    /* monotonic */
    _Atomic uint64_t published_seq, committed_seq, events, failures;

    bool runs;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wakes;
    bool woken;
    int64_t stop_by_ms; /* monotonic; 0: it goes on */
    bool away;          /* the thread's own: the last step failed */
};

struct relay *relay_new(const struct relay_options *options)
{
    struct relay *r = mem_new(sizeof(*r));
    r->options = *options;
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
        pthread_mutex_init(&r->lock, NULL) | pthread_cond_init(&r->wakes, &monotonic) |
        pthread_condattr_destroy(&monotonic);
    check(failed == 0);
    return r;
}

void relay_free(struct relay *r)
{
    if (r == NULL) {
        return;
    }
    check(!r->runs);
    collect_release(&r->rows);
    int failed = pthread_cond_destroy(&r->wakes) | pthread_mutex_destroy(&r->lock);
    check(failed == 0);
    mem_free(r);
}

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static void show(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/*
 * One step.
 */

static bool take_item(void *ctx, const struct item_row *row)
{
    struct relay *r = ctx;
    struct bus_item item = {.item = row->item, .sku = row->sku, .time_ms = row->defined_ms};
    collect_item(&r->rows, &item);
    return true;
}

static bool take_movement(void *ctx, const struct movement *m)
{
    struct relay *r = ctx;
    struct level_row row = {
        .item = m->item,
        .location = m->location,
        .sku = m->sku,
        .location_id = m->location_id,
        .quantities = m->after,
        .version = m->version,
        .seq = m->seq,
        .time_ms = m->time_ms,
    };
    collect_level(&r->rows, &row);
    return true;
}

static uint64_t less(uint64_t end, uint64_t again)
{
    return end > again ? end - again : 0;
}

/* Goes on behind what the bus has, however long ago that was. It has nothing, or another history: with the newest. */
static uint64_t place(uint64_t at, uint64_t end)
{
    return at == 0 || at > end ? less(end, RELAY_AGAIN) : at;
}

/* What a publish that failed has left at the bus may have holes: it does not count. 0: nothing was published so far. */
static uint64_t confirmed(uint64_t published, uint64_t last)
{
    return published != 0 && published < last ? published : last;
}

/*
 * Where the stream ends at the bus. What it missed while it was away is all published. What it has lost, or cannot tell
 * of, is published again as far as is reasonable: a follower that needs more notices a gap and asks for it.
 */
static enum err find_place(struct relay *r, const struct store_head *head, struct err_note *note)
{
    struct bus_position last = {.seq = r->seq, .items = r->items};
    enum err e = bus_last(r->options.bus, &last, note);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        return e;
    }
    r->seq = place(confirmed(r->seq, last.seq), head->seq);
    r->items = place(confirmed(r->items, last.items), head->items);
    r->placed = true;
    show(&r->published_seq, r->seq);
    return ERR_OK;
}

static uint32_t page_len(uint64_t from, uint64_t end)
{
    return end - from < RELAY_PAGE ? (uint32_t)(end - from) : RELAY_PAGE;
}

/*
 * The next page behind what was published, up to the head. Items come first: the movements may be theirs; so may those that
 * were committed after the head, which therefore wait for the next one.
 */
static enum err read_page(struct relay *r, const struct store_head *head)
{
    struct store_reader *reader = r->options.reader;
    collect_clear(&r->rows);
    if (r->items < head->items) {
        uint32_t len = page_len(r->items, head->items);
        return reader->ops->catalogue(reader, (uint32_t)r->items, len, take_item, NULL, r);
    }
    const struct movement_filter filter = {.after_seq = r->seq, .limit = page_len(r->seq, head->seq)};
    return r->seq < head->seq ? reader->ops->movements(reader, &filter, take_movement, r) : ERR_OK;
}

/* How far the stream is when this page is published; the store's numbers have no gaps. */
static void advance(const struct relay *r, uint64_t *seq, uint64_t *items)
{
    const struct collect *c = &r->rows;
    *seq = r->seq + c->levels_len;
    *items = r->items + c->items_len;
    check(c->levels_len == 0 || c->levels[c->levels_len - 1].seq == *seq);
    check(c->items_len == 0 || c->items[c->items_len - 1].item == *items);
}

static bool reaches(const struct bus_position *target, uint64_t seq, uint64_t items)
{
    return seq >= target->seq && items >= target->items;
}

/* Not before the last one is reached: under a load that never ends the end of what is committed is always further on. */
static void aim(struct relay *r, const struct store_head *head, int64_t wall_ms)
{
    if (reaches(&r->target, r->seq, r->items)) {
        r->target = (struct bus_position){head->epoch, head->seq, head->items, wall_ms};
    }
}

/*
 * The position is part of the page that reaches the target, and of its time. On the way there it would be less than what an
 * earlier leader has named, and look like a store that was set back.
 */
static enum err publish_page(struct relay *r, int64_t mono_ms, struct err_note *note)
{
    uint64_t seq;
    uint64_t items;
    advance(r, &seq, &items);
    bool is_reached = reaches(&r->target, seq, items);
    if (is_reached) {
        r->rows.position = (struct bus_position){r->options.epoch, seq, items, r->target.time_ms};
    }
    struct bus_message *m = collect_message(&r->rows);
    m->partition = r->options.partition;
    TRY(bus_publish(r->options.bus, m, note));
    count(&r->events, collect_rows(&r->rows) + is_reached);
    r->seq = seq;
    r->items = items;
    r->position_due_ms = is_reached ? mono_ms + RELAY_POSITION_MS : r->position_due_ms;
    show(&r->published_seq, seq);
    return ERR_OK;
}

static enum err step(struct relay *r, struct store_head *head, int64_t mono_ms, int64_t wall_ms, struct err_note *note)
{
    enum err e = r->options.reader->ops->head(r->options.reader, head);
    if (e != ERR_OK) {
        return err_note_set(note, e, "the store cannot be read");
    }
    if (head->epoch != r->options.epoch) {
        return ERR_FENCED;
    }
    show(&r->committed_seq, head->seq);
    if (!r->placed) {
        TRY(find_place(r, head, note));
    }
    aim(r, head, wall_ms);
    e = read_page(r, head);
    if (e != ERR_OK) {
        return err_note_set(note, e, "the store cannot be read");
    }
    if (collect_rows(&r->rows) == 0 && mono_ms < r->position_due_ms) {
        return ERR_OK;
    }
    return publish_page(r, mono_ms, note);
}

enum relay_next relay_step(struct relay *r, int64_t mono_ms, int64_t wall_ms, struct err_note *note)
{
    struct store_head head;
    enum err e = step(r, &head, mono_ms, wall_ms, note);
    if (e == ERR_FENCED) {
        return RELAY_END;
    }
    if (e != ERR_OK) {
        count(&r->failures, 1);
        r->placed = false; /* the bus may have come back with less than it had */
        return RELAY_RETRY;
    }
    return r->seq < head.seq || r->items < head.items ? RELAY_GO_ON : RELAY_REST;
}

/*
 * The thread.
 */

static void wait_until(struct relay *r, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&r->lock);
    while (r->stop_by_ms == 0 && (!r->woken || r->away) && clock_mono_ms() < until_ms) {
        pthread_cond_timedwait(&r->wakes, &r->lock, &until);
    }
    r->woken = false;
    pthread_mutex_unlock(&r->lock);
}

/* 0: not at all. */
static int64_t stops_by(struct relay *r)
{
    pthread_mutex_lock(&r->lock);
    int64_t by_ms = r->stop_by_ms;
    pthread_mutex_unlock(&r->lock);
    return by_ms;
}

/* Once for each time that the bus goes away or comes back. */
static void log_change(struct relay *r, bool away, const struct err_note *note)
{
    char quoted[512];
    if (away && !r->away) {
        log_line(LOG_WARN, "relay_waits", "detail=%s", log_quote(note->text, quoted, sizeof(quoted)));
    } else if (!away && r->away) {
        log_line(LOG_INFO, "relay_goes_on", "seq=%" PRIu64, r->seq);
    }
    r->away = away;
}

/* False: that was the last one. */
static bool turn(struct relay *r)
{
    struct err_note note = {""};
    int64_t stop_by_ms = stops_by(r); /* first: what was committed before the stop is seen by the step */
    enum relay_next next = relay_step(r, clock_mono_ms(), clock_wall_ms(), &note);
    if (next == RELAY_END) {
        log_line(LOG_WARN, "relay_ends", "epoch=%" PRIu64, r->options.epoch);
        return false;
    }
    log_change(r, next == RELAY_RETRY, &note);
    if (stop_by_ms != 0) {
        return next == RELAY_GO_ON && clock_mono_ms() < stop_by_ms;
    }
    if (next != RELAY_GO_ON) {
        wait_until(r, next == RELAY_RETRY ? clock_mono_ms() + RETRY_MS : r->position_due_ms);
    }
    return true;
}

static void *relay_main(void *arg)
{
    struct relay *r = arg;
    pthread_setname_np(pthread_self(), "relay");
    while (turn(r)) {
    }
    return NULL;
}

enum err relay_start(struct relay *r, struct err_note *note)
{
    if (pthread_create(&r->thread, NULL, relay_main, r) != 0) {
        return err_note_set(note, ERR_IO, "the relay's thread cannot be started");
    }
    r->runs = true;
    return ERR_OK;
}

void relay_wake(struct relay *r)
{
    pthread_mutex_lock(&r->lock);
    r->woken = true;
    pthread_cond_signal(&r->wakes);
    pthread_mutex_unlock(&r->lock);
}

void relay_stop(struct relay *r)
{
    if (!r->runs) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->stop_by_ms = clock_mono_ms() + RELAY_STOP_MS;
    pthread_cond_signal(&r->wakes);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    r->runs = false;
}

void relay_metrics(const struct relay *r, struct relay_metrics *out)
{
    *out = (struct relay_metrics){
        .seq = atomic_load_explicit(&r->published_seq, memory_order_relaxed),
        .committed = atomic_load_explicit(&r->committed_seq, memory_order_relaxed),
        .events = atomic_load_explicit(&r->events, memory_order_relaxed),
        .failures = atomic_load_explicit(&r->failures, memory_order_relaxed),
    };
}
