#include "availability/follow.h"

#include "availability/follower.h"
#include "availability/keeper.h"
#include "availability/service.h"
#include "availability/source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>

/* How long the thread waits for the bus at a time. */
#define TURN_MS 50
/* What failed is tried again after this time. */
#define RETRY_MS 500
/* Pages asked for before the bus is looked at again. */
#define FILL_PAGES 16

struct follow {
    struct availability *availability;
    struct availability_follow options;
    char *dir;
    struct follower follower;
    struct source *source;
    struct keep *keep;
    struct keeper keeper;
    struct collect page;   /* what inventory answered */
    int64_t fill_retry_ms; /* monotonic */
    bool is_waiting;       /* the last question failed */
    atomic_bool ending;
    /* Written by the thread, read by anyone; 0: none yet. */
    _Atomic int64_t fresh_mono_ms, fresh_wall_ms, heard_mono_ms;
    atomic_bool doubts;
    _Atomic uint64_t epoch, seq_known, gaps, fills, fill_failures;
};

/*
 * Taking in.
 */

static void apply_cb(void *ctx, struct bus_message *m)
{
    struct follow *f = ctx;
    availability_project(f->availability, m);
    keeper_add(&f->keeper, m);
}

/* Before the thread runs: nobody listens yet. */
static void restore_cb(void *ctx, struct bus_message *m)
{
    struct follow *f = ctx;
    follower_restore_rows(&f->follower, m);
}

static void apply_restored_cb(void *ctx, struct bus_message *m)
{
    struct follow *f = ctx;
    availability_apply(f->availability, m);
}

struct follow *follow_new(const struct availability_follow *options, struct availability *a)
{
    struct follow *f = mem_new(sizeof(*f));
    f->availability = a;
    f->options = *options;
    f->dir = mem_copy_str(str_from(options->dir));
    f->source = source_new(options->inventory);
    follower_init(&f->follower, options->partition, apply_restored_cb, f);
    return f;
}

void follow_free(struct follow *f)
{
    if (f == NULL) {
        return;
    }
    keep_close(f->keep);
    source_free(f->source);
    follower_release(&f->follower);
    collect_release(&f->page);
    keeper_release(&f->keeper);
    mem_free(f->dir);
    mem_free(f);
}

static void show(struct follow *f)
{
    const struct follower *s = &f->follower;
    atomic_store(&f->fresh_wall_ms, s->fresh_wall_ms);
    atomic_store(&f->fresh_mono_ms, s->fresh_mono_ms);
    atomic_store(&f->epoch, s->epoch);
    atomic_store_explicit(&f->seq_known, s->seq_known, memory_order_relaxed);
    atomic_store_explicit(&f->heard_mono_ms, s->heard_mono_ms, memory_order_relaxed);
    atomic_store_explicit(&f->doubts, follower_doubts(s), memory_order_relaxed);
    atomic_store_explicit(&f->gaps, s->gaps, memory_order_relaxed);
}

enum err follow_open(struct follow *f, struct err_note *note)
{
    struct bus_position kept;
    TRY(keep_open(f->dir, f->options.partition, &f->keep, note));
    enum err e = keep_load(f->keep, &kept, restore_cb, f, note);
    if (e == ERR_OK) {
        follower_restore_end(&f->follower, &kept);
        f->keeper.kept = kept;
        log_line(LOG_INFO, "kept_loaded", "seq=%" PRIu64 " items=%" PRIu64, kept.seq, kept.items);
    }
    f->follower.apply = apply_cb;
    show(f);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/*
 * Asking for what is missing.
 */

static enum err ask(struct follow *f, enum follower_want want, uint64_t after, struct err_note *note)
{
    if (want == FOLLOWER_WANTS_MOVEMENTS) {
        TRY(source_movements(f->source, after, &f->page, note));
        follower_take_movements(&f->follower, after, collect_message(&f->page));
        return ERR_OK;
    }
    bool last = false;
    int64_t asked_ms = clock_mono_ms();
    if (want == FOLLOWER_WANTS_POSITION) {
        TRY(source_position(f->source, after, &f->page, &last, note));
    } else {
        TRY(source_catalogue(f->source, after, &f->page, &last, note));
    }
    follower_take_catalogue(&f->follower, collect_message(&f->page), last, asked_ms);
    return ERR_OK;
}

/* Once for each time that inventory goes away or comes back. */
static void log_answer(struct follow *f, enum err e, const struct err_note *note)
{
    char quoted[512];
    bool waits = e != ERR_OK;
    if (waits && !f->is_waiting) {
        log_line(LOG_WARN, "follower_waits", "detail=%s", log_quote(note->text, quoted, sizeof(quoted)));
    } else if (!waits && f->is_waiting) {
        log_line(LOG_INFO, "follower_goes_on", "seq=%" PRIu64, f->follower.seq);
    }
    f->is_waiting = waits;
}

static void fill(struct follow *f)
{
    uint64_t after;
    enum err e = ERR_OK;
    if (clock_mono_ms() < f->fill_retry_ms) {
        return;
    }
    for (int i = 0; i < FILL_PAGES && e == ERR_OK && !atomic_load(&f->ending); i++) {
        enum follower_want want = follower_wants(&f->follower, clock_mono_ms(), clock_wall_ms(), &after);
        if (want == FOLLOWER_WANTS_NOTHING) {
            return;
        }
        struct err_note note = {""};
        e = ask(f, want, after, &note);
        log_answer(f, e, &note);
        atomic_fetch_add(&f->fills, 1);
    }
    if (e != ERR_OK) {
        atomic_fetch_add(&f->fill_failures, 1);
        f->fill_retry_ms = clock_mono_ms() + RETRY_MS;
    }
}

static struct bus_position complete_to(const struct follower *f)
{
    if (!f->begun) {
        return (struct bus_position){0};
    }
    return (struct bus_position){f->epoch, f->seq, f->items, f->fresh_wall_ms};
}

static void keep_when_due(struct follow *f, bool ends)
{
    keeper_turn(&f->keeper, f->keep, complete_to(&f->follower), clock_mono_ms(), ends);
}

/*
 * The thread.
 */

static void hear(struct follow *f)
{
    const struct bus_message *m = bus_receive(f->availability->bus, TURN_MS);
    if (m != NULL) {
        struct bus_message own = *m;
        follower_take(&f->follower, &own, clock_mono_ms());
        bus_done(f->availability->bus, m);
    }
}

static void begin_anew(struct follow *f)
{
    struct err_note note = {""};
    log_line(LOG_ERROR, "stream_was_cut", "seq=%" PRIu64 " epoch=%" PRIu64, f->follower.seq, f->follower.epoch);
    enum err e = keep_clear(f->keep, &note);
    if (e != ERR_OK) {
        char quoted[512];
        log_line(LOG_ERROR, "keep_failed", "detail=%s", log_quote(note.text, quoted, sizeof(quoted)));
    }
    f->options.cut(f->options.cut_ctx);
}

bool follow_turn(struct follow *f)
{
    hear(f);
    fill(f);
    show(f);
    if (follower_is_cut(&f->follower)) {
        begin_anew(f);
        return false;
    }
    keep_when_due(f, false);
    return true;
}

void *follow_run(void *arg)
{
    struct follow *f = arg;
    pthread_setname_np(pthread_self(), "follower");
    while (!atomic_load(&f->ending)) {
        if (!follow_turn(f)) {
            return NULL;
        }
    }
    keep_when_due(f, true);
    return NULL;
}

void follow_end(struct follow *f)
{
    atomic_store(&f->ending, true);
    source_end(f->source);
}

int64_t follow_age_ms(const struct follow *f)
{
    int64_t heard_ms = atomic_load(&f->fresh_mono_ms);
    if (heard_ms == 0) {
        return -1;
    }
    int64_t heard = clock_mono_ms() - heard_ms;
    int64_t made = clock_wall_ms() - atomic_load(&f->fresh_wall_ms);
    int64_t age = heard > made ? heard : made;
    return age > 0 ? age : 0;
}

uint64_t follow_epoch(const struct follow *f)
{
    return atomic_load(&f->epoch);
}

void follow_metrics(const struct follow *f, struct availability_metrics *out)
{
    int64_t heard_ms = atomic_load_explicit(&f->heard_mono_ms, memory_order_relaxed);
    out->follows = true;
    out->silence_ms = heard_ms == 0 ? -1 : clock_mono_ms() - heard_ms;
    out->seq_known = atomic_load_explicit(&f->seq_known, memory_order_relaxed);
    out->doubts = atomic_load_explicit(&f->doubts, memory_order_relaxed);
    out->gaps = atomic_load_explicit(&f->gaps, memory_order_relaxed);
    out->fills = atomic_load_explicit(&f->fills, memory_order_relaxed);
    out->fill_failures = atomic_load_explicit(&f->fill_failures, memory_order_relaxed);
}
