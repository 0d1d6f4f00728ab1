/*
 * The shell of the view: the projector thread.
 */
#include "availability/grace.h"
#include "availability/view.h"

#include "base/mem.h"

#include <pthread.h>

struct availability {
    struct view view;
    struct bus *bus;
    void (*changed)(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns);
    void *changed_ctx;

    bool started;
    pthread_t projector;
    struct grace grace;
};

struct availability *availability_new(const struct availability_options *options)
{
    struct availability *a = mem_new(sizeof(*a));
    view_init(&a->view, options->policy);
    a->bus = options->bus;
    a->changed = options->changed;
    a->changed_ctx = options->changed_ctx;
    return a;
}

void availability_apply(struct availability *a, const struct bus_message *m)
{
    check(!a->started);
    view_apply(&a->view, m);
    struct rendered *replaced = view_take_replaced(&a->view);
    if (replaced != NULL) {
        grace_wait_and_free(replaced);
    }
}

/* The pages are told before anything else is tidied up. */
static void projector_step(struct availability *a, const struct bus_message *m)
{
    view_apply(&a->view, m);
    if (a->changed != NULL) {
        a->changed(a->changed_ctx, a->view.touched, a->view.touched_len, m->committed_ns);
    }
    grace_give(&a->grace, view_take_replaced(&a->view));
}

/* The projector is the writer: what it reads nobody else frees, so it is no reader and no grace period waits for it. */
static void *projector_run(void *arg)
{
    struct availability *a = arg;
    const struct bus_message *m;
    while ((m = bus_receive(a->bus, -1)) != NULL) {
        projector_step(a, m);
        bus_done(a->bus, m);
    }
    return NULL;
}

enum err availability_start(struct availability *a)
{
    check(!a->started);
    TRY(grace_start(&a->grace));
    if (pthread_create(&a->projector, NULL, projector_run, a) != 0) {
        grace_stop(&a->grace);
        return ERR_IO;
    }
    a->started = true;
    return ERR_OK;
}

void availability_stop(struct availability *a)
{
    if (!a->started) {
        return;
    }
    int failed = pthread_join(a->projector, NULL);
    check(failed == 0);
    grace_stop(&a->grace);
    a->started = false;
}

void availability_free(struct availability *a)
{
    if (a == NULL) {
        return;
    }
    check(!a->started);
    view_release(&a->view);
    mem_free(a);
}

struct shelf_entry *availability_find(struct availability *a, struct str sku)
{
    return view_find(&a->view, sku);
}

uint64_t availability_seq(const struct availability *a)
{
    return atomic_load_explicit(&a->view.seq, memory_order_acquire);
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
}
