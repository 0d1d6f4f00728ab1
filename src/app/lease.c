#include "app/lease.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct lease {
    struct lease_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    bool ending;
    bool fails; /* the thread's own: the last renewal failed */
};

/* False: it ends. */
static bool rest(struct lease *l, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&l->lock);
    while (!l->ending && clock_mono_ms() < until_ms) {
        pthread_cond_timedwait(&l->wakes, &l->lock, &until);
    }
    bool ending = l->ending;
    pthread_mutex_unlock(&l->lock);
    return !ending;
}

/* Once for each time that it begins or ends to fail. */
static void log_change(struct lease *l, bool fails, const struct err_note *note)
{
    char quoted[512];
    if (fails && !l->fails) {
        log_line(LOG_WARN, "lease_not_renewed", "detail=%s", log_quote(note->text, quoted, sizeof(quoted)));
    } else if (!fails && l->fails) {
        log_line(LOG_INFO, "lease_renewed", "after=failures");
    }
    l->fails = fails;
}

/* False: somebody else leads. */
static bool renew(struct lease *l, int64_t now_ms)
{
    struct err_note note = {""};
    enum err e = store_renew(l->options.store, &note);
    if (e == ERR_FENCED) {
        l->options.deposed(l->options.ctx, &note);
        return false;
    }
    log_change(l, e != ERR_OK, &note);
    if (e == ERR_OK) {
        l->options.renewed(l->options.ctx, now_ms);
    }
    return true;
}

static void *lease_main(void *arg)
{
    struct lease *l = arg;
    pthread_setname_np(pthread_self(), "lease");
    int64_t now_ms = clock_mono_ms();
    while (rest(l, now_ms + STORE_RENEW_MS)) {
        now_ms = clock_mono_ms();
        if (!renew(l, now_ms)) {
            return NULL;
        }
    }
    return NULL;
}

enum err lease_start(const struct lease_options *options, struct lease **out, struct err_note *note)
{
    struct lease *l = mem_new(sizeof(*l));
    l->options = *options;
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
        pthread_mutex_init(&l->lock, NULL) | pthread_cond_init(&l->wakes, &monotonic) |
        pthread_condattr_destroy(&monotonic);
    check(failed == 0);
    if (pthread_create(&l->thread, NULL, lease_main, l) != 0) {
        mem_free(l);
        return err_note_set(note, ERR_IO, "the lease's thread cannot be started");
    }
    *out = l;
    return ERR_OK;
}

void lease_stop(struct lease *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->ending = true;
    pthread_cond_signal(&l->wakes);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    int failed = pthread_cond_destroy(&l->wakes) | pthread_mutex_destroy(&l->lock);
    check(failed == 0);
    mem_free(l);
}
