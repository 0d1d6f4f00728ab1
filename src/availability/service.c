/*
 * The shell of the view: the projector thread.
 */
#include "availability/service.h"

#include "availability/cached.h"
#include "availability/follow.h"
#include "base/mem.h"

struct availability *availability_new(const struct availability_options *options)
{
    struct availability *a = mem_new(sizeof(*a));
    view_init(&a->view, options->policy);
    a->bus = options->bus;
    a->changed = options->changed;
    a->changed_ctx = options->changed_ctx;
    if (options->follow != NULL) {
        a->follow = follow_new(options->follow, a);
    }
    if (options->cache != NULL) {
        a->cached = cached_new(options->cache, a);
    }
    return a;
}

static void tell_cache(struct availability *a, bool changed)
{
    if (a->cached != NULL) {
        cached_take(a->cached, a->view.touched, a->view.touched_len, changed);
    }
}

void availability_apply(struct availability *a, const struct bus_message *m)
{
    check(!a->started);
    view_apply(&a->view, m);
    tell_cache(a, false);
    struct rendered *replaced = view_take_replaced(&a->view);
    if (replaced != NULL) {
        grace_wait_and_free(replaced);
    }
}

/* The pages are told before anything else is tidied up. */
void availability_project(struct availability *a, const struct bus_message *m)
{
    view_apply(&a->view, m);
    if (a->changed != NULL) {
        a->changed(a->changed_ctx, a->view.touched, a->view.touched_len, m->committed_ns);
    }
    tell_cache(a, true);
    grace_give(&a->grace, view_take_replaced(&a->view));
}

/* The projector is the writer: what it reads nobody else frees, so it is no reader and no grace period waits for it. */
static void *projector_run(void *arg)
{
    struct availability *a = arg;
    const struct bus_message *m;
    while ((m = bus_receive(a->bus, -1)) != NULL) {
        availability_project(a, m);
        bus_done(a->bus, m);
    }
    return NULL;
}

static enum err start_projector(struct availability *a, struct err_note *note)
{
    if (grace_start(&a->grace) != ERR_OK) {
        return err_note_set(note, ERR_IO, "the availability thread cannot be started");
    }
    bool local = a->follow == NULL;
    if (pthread_create(&a->projector, NULL, local ? projector_run : follow_run, local ? (void *)a : a->follow) != 0) {
        grace_stop(&a->grace);
        return err_note_set(note, ERR_IO, "the availability thread cannot be started");
    }
    return ERR_OK;
}

enum err availability_start(struct availability *a, struct err_note *note)
{
    check(!a->started);
    if (a->follow != NULL) {
        TRY(follow_open(a->follow, note));
    }
    if (a->cached != NULL) {
        TRY(cached_start(a->cached, note));
    }
    enum err e = start_projector(a, note);
    if (e != ERR_OK && a->cached != NULL) {
        cached_stop(a->cached);
    }
    a->started = e == ERR_OK;
    return e;
}

void availability_stop(struct availability *a)
{
    if (!a->started) {
        return;
    }
    if (a->follow != NULL) {
        follow_end(a->follow);
    }
    int failed = pthread_join(a->projector, NULL);
    check(failed == 0);
    if (a->cached != NULL) {
        cached_stop(a->cached);
    }
    grace_stop(&a->grace);
    a->started = false;
}

void availability_free(struct availability *a)
{
    if (a == NULL) {
        return;
    }
    check(!a->started);
    follow_free(a->follow);
    cached_free(a->cached);
    view_release(&a->view);
    mem_free(a);
}

struct shelf_entry *availability_find(struct availability *a, struct str sku)
{
    return view_find(&a->view, sku);
}

void availability_count_read(struct availability *a, struct shelf_entry *e)
{
    if (a->cached != NULL) {
        cached_count_read(a->cached, e);
    }
}

size_t availability_recall(struct availability *a, struct str sku, char out[SHOWN_FRAME_BYTES_MAX])
{
    return a->cached == NULL ? 0 : cached_recall(a->cached, sku, out);
}

bool availability_ask(struct availability *a, struct availability_question *q)
{
    return a->cached != NULL && cached_ask(a->cached, q);
}

uint64_t availability_seq(const struct availability *a)
{
    return atomic_load_explicit(&a->view.seq, memory_order_acquire);
}

int64_t availability_age_ms(const struct availability *a)
{
    return a->follow == NULL ? 0 : follow_age_ms(a->follow);
}

uint64_t availability_epoch(const struct availability *a)
{
    return a->follow == NULL ? 0 : follow_epoch(a->follow);
}

void availability_metrics(const struct availability *a, struct availability_metrics *out)
{
    const struct view *v = &a->view;
    *out = (struct availability_metrics){
        .skus = atomic_load_explicit(&v->skus, memory_order_relaxed),
        .seq = atomic_load_explicit(&v->seq, memory_order_relaxed),
        .messages = atomic_load_explicit(&v->messages, memory_order_relaxed),
        .renders = atomic_load_explicit(&v->renders, memory_order_relaxed),
    };
    if (a->follow != NULL) {
        follow_metrics(a->follow, out);
    }
    if (a->cached != NULL) {
        cached_metrics(a->cached, out);
    }
}
