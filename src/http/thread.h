/*
 * An HTTP thread and the server that owns it.
 *
 * A turn: call `resumed` of what the inbox holds, call the turn hook, let libmicrohttpd run, then wait for its epoll
 * descriptor, the inbox, or the clock. libmicrohttpd has no thread of its own: its internal epoll loop (0.9.75) hangs
 * when exactly 128 events came back.
 */
#ifndef HTTP_THREAD_H
#define HTTP_THREAD_H

#include "base/random.h"
#include "http/counters.h"
#include "http/exchange.h"
#include "http/inbox.h"
#include "http/router.h"

#include <pthread.h>

/* Room for a head of 16 KiB in 100 lines. libmicrohttpd clears it twice a request, so more costs time (and cache). */
#define CONNECTION_MEMORY_BYTES (24 * 1024)
#define CONNECTION_IDLE_S 60
#define TURN_MS_MAX 250
#define STREAM_FAREWELL_MS 250 /* for the last chunks of streams when the server stops */

#define DATE_BYTES_MAX 32

struct http_thread {
    struct http_server *server;
    unsigned index;
    pthread_t handle;
    bool started; /* `handle` is to be joined */
    bool ended;   /* under the lock of the server: joining it will not take long */
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1: closed */
    int epoll_fd;  /* watches the daemon's epoll descriptor, the inbox and the sockets of streams */
    struct inbox inbox;
    struct thread_counters counters;
    struct uuid7 request_ids;
    int64_t wall_ms; /* of this turn */
    int64_t date_s;  /* of `date` */
    char date[DATE_BYTES_MAX];

    struct reply_cache replies;
    struct exchange *unused;  /* for reuse */
    struct exchange *named;   /* all whose headers are not complete */
    struct exchange *streams; /* all streams */
    unsigned open;            /* exchanges from the first look at their headers to their end */
    unsigned kept;            /* of these, waiting for exchange_resume */
    unsigned streams_len;     /* of these, streams */
    bool must_run;            /* a connection was resumed: libmicrohttpd has to run before the thread waits */
    int64_t stopping_ms;      /* when it saw that the server stops; 0: not yet */
};

struct http_server {
    struct http_options options;
    struct router *router;
    struct http_thread *threads;
    unsigned threads_len;
    uint16_t port;
    atomic_bool stopping; /* take no new connections, finish what is open */
    atomic_bool hurrying; /* the grace is over */
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a thread has ended; on the monotonic clock */
};

/* Owns t->listen_fd from now on, also on failure. */
MUST_CHECK enum err thread_open(struct http_thread *t, struct err_note *note);
MUST_CHECK enum err thread_start(struct http_thread *t, struct err_note *note);
/* The Date header of this turn (RFC 9110 section 5.6.7): made once a second, libmicrohttpd would for each answer. */
struct str thread_date(struct http_thread *t);
/* The thread has ended or was never started. */
void thread_close(struct http_thread *t);

#endif
