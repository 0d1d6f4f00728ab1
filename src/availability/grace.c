#include "availability/grace.h"

#include "base/clock.h"

#include <errno.h>
#include <time.h>
#include <urcu-qsbr.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

/* One round of asking the readers serves all that was replaced meanwhile. */
#define ROUND_NS 10000000LL

/*
 * The library orders a reader's last use before the freeing of what it used. It is not compiled for the thread
 * sanitizer, which therefore has to be told.
 */
#ifdef __SANITIZE_THREAD__
static char quiescence;
#define TELL_READER_IS_THROUGH() __tsan_release(&quiescence)
#define TELL_FREEING_BEGINS() __tsan_acquire(&quiescence)
#else
#define TELL_READER_IS_THROUGH() ((void)0)
#define TELL_FREEING_BEGINS() ((void)0)
#endif

void grace_wait_and_free(struct rendered *list)
{
    TELL_READER_IS_THROUGH();
    synchronize_rcu();
    TELL_FREEING_BEGINS();
    rendered_free_all(list);
}

static void lock(struct grace *g)
{
    int failed = pthread_mutex_lock(&g->lock);
    check(failed == 0);
}

static void unlock(struct grace *g)
{
    int failed = pthread_mutex_unlock(&g->lock);
    check(failed == 0);
}

/* Under the lock: lets more gather, unless there is much already or the end has come. */
static void gather(struct grace *g)
{
    int64_t until_ns = clock_mono_ns() + ROUND_NS;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int failed = 0;
    while (failed == 0 && !g->ended && g->waiting_len < GRACE_WAITING_MAX / 2) {
        failed = pthread_cond_timedwait(&g->given, &g->lock, &until);
    }
    check(failed == 0 || failed == ETIMEDOUT);
}

/* Everything that was given; NULL at the end. */
static struct rendered *take(struct grace *g)
{
    lock(g);
    while (g->waiting == NULL && !g->ended) {
        pthread_cond_wait(&g->given, &g->lock);
    }
    gather(g);
    struct rendered *list = g->waiting;
    g->waiting = NULL;
    g->waiting_len = 0;
    pthread_cond_broadcast(&g->freed);
    unlock(g);
    return list;
}

static void *grace_run(void *arg)
{
    struct rendered *list;
    while ((list = take(arg)) != NULL) {
        grace_wait_and_free(list);
    }
    return NULL;
}

static void grace_release(struct grace *g)
{
    int failed = pthread_cond_destroy(&g->given) | pthread_cond_destroy(&g->freed) | pthread_mutex_destroy(&g->lock);
    check(failed == 0);
}

enum err grace_start(struct grace *g)
{
    *g = (struct grace){.waiting = NULL};
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
        pthread_mutex_init(&g->lock, NULL) | pthread_cond_init(&g->given, &monotonic) |
        pthread_cond_init(&g->freed, &monotonic) | pthread_condattr_destroy(&monotonic);
    check(failed == 0);
    if (pthread_create(&g->thread, NULL, grace_run, g) != 0) {
        grace_release(g);
        return ERR_IO;
    }
    return ERR_OK;
}

void grace_give(struct grace *g, struct rendered *list)
{
    if (list == NULL) {
        return;
    }
    size_t len = 1;
    struct rendered *last = list;
    for (; last->next != NULL; last = last->next) {
        len++;
    }
    lock(g);
    while (g->waiting_len >= GRACE_WAITING_MAX) {
        pthread_cond_wait(&g->freed, &g->lock);
    }
    bool first = g->waiting == NULL;
    last->next = g->waiting;
    g->waiting = list;
    g->waiting_len += len;
    if (first || g->waiting_len >= GRACE_WAITING_MAX / 2) {
        pthread_cond_signal(&g->given);
    }
    unlock(g);
}

void grace_stop(struct grace *g)
{
    lock(g);
    g->ended = true;
    pthread_cond_signal(&g->given);
    unlock(g);
    bool is_reader = rcu_read_ongoing() != 0;
    if (is_reader) {
        availability_reader_offline();
    }
    int failed = pthread_join(g->thread, NULL);
    check(failed == 0);
    if (is_reader) {
        availability_reader_online();
    }
    check(g->waiting == NULL);
    grace_release(g);
}

/* --- readers ------------------------------------------------------------------------------------------------ */

void availability_reader_register(void)
{
    rcu_register_thread();
}

void availability_reader_unregister(void)
{
    TELL_READER_IS_THROUGH();
    rcu_unregister_thread();
}

void availability_reader_quiescent(void)
{
    TELL_READER_IS_THROUGH();
    rcu_quiescent_state();
}

void availability_reader_offline(void)
{
    TELL_READER_IS_THROUGH();
    rcu_thread_offline();
}

void availability_reader_online(void)
{
    rcu_thread_online();
}
