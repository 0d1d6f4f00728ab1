#include "http/listen.h"
#include "http/thread.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256
#define CUT_MS 100 /* for a thread to cut its connections after the grace */

static void close_threads(struct http_server *s, unsigned opened)
{
    for (unsigned i = 0; i < opened; i++) {
        struct http_thread *t = &s->threads[i];
        if (t->started) {
            int failed = pthread_join(t->handle, NULL);
            check(failed == 0);
        }
        thread_close(t);
    }
}

static enum err open_threads(struct http_server *s, const int *listen_fds, struct err_note *note)
{
    for (unsigned i = 0; i < s->threads_len; i++) {
        struct http_thread *t = &s->threads[i];
        t->server = s;
        t->index = i;
        t->listen_fd = listen_fds[i];
    }
    for (unsigned i = 0; i < s->threads_len; i++) {
        enum err e = thread_open(&s->threads[i], note);
        if (e != ERR_OK) {
            close_threads(s, i);
            for (unsigned k = i + 1; k < s->threads_len; k++) {
                close(listen_fds[k]);
            }
            return e;
        }
    }
    return ERR_OK;
}

static enum err start_threads(struct http_server *s, struct err_note *note)
{
    for (unsigned i = 0; i < s->threads_len; i++) {
        enum err e = thread_start(&s->threads[i], note);
        if (e != ERR_OK) {
            http_stop(s, 0);
            close_threads(s, s->threads_len);
            return e;
        }
    }
    return ERR_OK;
}

static struct http_server *server_new(const struct http_options *options)
{
    struct http_server *s = mem_new(sizeof(*s));
    s->options = *options;
    s->router = router_new(options->routes, options->routes_len);
    s->threads = mem_new_array(options->threads, sizeof(*s->threads));
    s->threads_len = options->threads;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return s;
}

static void server_release(struct http_server *s)
{
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    router_free(s->router);
    mem_free(s->threads);
    mem_free(s);
}

static enum err open_and_start(struct http_server *s, struct err_note *note)
{
    int listen_fds[THREADS_MAX];
    s->port = s->options.port;
    TRY(listen_open(s->options.host, &s->port, s->threads_len, listen_fds, note));
    TRY(open_threads(s, listen_fds, note));
    return start_threads(s, note);
}

enum err http_start(const struct http_options *options, struct http_server **out, struct err_note *note)
{
    check(options->threads > 0 && options->threads <= THREADS_MAX);
    check(options->connections_max >= options->threads);
    struct http_server *s = server_new(options);
    enum err e = open_and_start(s, note);
    if (e != ERR_OK) {
        server_release(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

unsigned http_threads(const struct http_server *s)
{
    return s->threads_len;
}

static void wake_all(struct http_server *s)
{
    for (unsigned i = 0; i < s->threads_len; i++) {
        http_thread_wake(s, i);
    }
}

/* Under the lock. */
static bool any_runs(const struct http_server *s)
{
    for (unsigned i = 0; i < s->threads_len; i++) {
        if (s->threads[i].started && !s->threads[i].ended) {
            return true;
        }
    }
    return false;
}

static void wait_until_ended(struct http_server *s, int64_t mono_ms)
{
    const struct timespec at = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    int failed = 0;
    pthread_mutex_lock(&s->lock);
    while (failed == 0 && any_runs(s)) {
        failed = pthread_cond_timedwait(&s->ended, &s->lock, &at);
    }
    pthread_mutex_unlock(&s->lock);
    check(failed == 0 || failed == ETIMEDOUT);
}

void http_stop(struct http_server *s, int grace_ms)
{
    atomic_store(&s->stopping, true);
    wake_all(s);
    wait_until_ended(s, clock_mono_ms() + grace_ms);
    atomic_store(&s->hurrying, true);
    wake_all(s);
    wait_until_ended(s, clock_mono_ms() + CUT_MS);
}

void http_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    check(atomic_load(&s->stopping));
    close_threads(s, s->threads_len);
    server_release(s);
}

unsigned http_thread_index(const struct http_thread *t)
{
    return t->index;
}

void http_thread_wake(struct http_server *s, unsigned index)
{
    check(index < s->threads_len);
    inbox_wake(&s->threads[index].inbox);
}
