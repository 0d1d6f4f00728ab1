#include "api/wait.h"

#include "base/clock.h"
#include "base/mem.h"

struct waiter {
    struct waiter *next;
    struct exchange *exchange;
    uint64_t min_seq;
    int64_t until_ms; /* monotonic */
};

bool wait_for_seq(struct api *api, struct exchange *x, uint64_t min_seq, void (*resumed)(struct exchange *, void *))
{
    if (availability_seq(api_availability(api)) >= min_seq) {
        return true;
    }
    struct api_thread *t = api_thread_of(api, x);
    /*
     * First tell the projector thread, then look again. Of the two exchanges of `waiting`, here and in
     * api_availability_changed, one is first: either the projector sees us, or we see its seq.
     */
    atomic_exchange(&t->waiting, 1);
    if (availability_seq(api_availability(api)) >= min_seq) {
        return true;
    }
    if (t->waiters_len == WAITERS_MAX) {
        api_refuse(x, ERR_OVERLOADED, "Too many reads are waiting for the view.");
        return false;
    }
    struct waiter *w = mem_new(sizeof(*w));
    *w = (struct waiter){t->waiters, x, min_seq, clock_mono_ms() + WAIT_MS_MAX};
    t->waiters = w;
    t->waiters_len++;
    exchange_keep(x, resumed);
    return false;
}

bool wait_is_over(struct api *api, struct exchange *x, uint64_t min_seq)
{
    if (availability_seq(api_availability(api)) >= min_seq) {
        return true;
    }
    api_refuse(x, ERR_STALE, "The view did not reach min_seq within a second.");
    return false;
}

void wait_turn(struct api_thread *t, int64_t mono_ms)
{
    uint64_t seq = t->waiters == NULL ? 0 : availability_seq(api_availability(t->api));
    struct waiter **at = &t->waiters;
    while (*at != NULL) {
        struct waiter *w = *at;
        if (w->min_seq > seq && mono_ms < w->until_ms) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        t->waiters_len--;
        exchange_resume(w->exchange);
        mem_free(w);
    }
    if (t->waiters == NULL) {
        atomic_store(&t->waiting, 0);
    }
}
