/*
 * A server in this process with routes for the tests, and a second thread that resumes what was kept.
 */
#ifndef TEST_HTTP_FIXTURE_H
#define TEST_HTTP_FIXTURE_H

#include "client.h"
#include "http/http.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEPT_MAX 1024
#define ECHO_BYTES_MAX 65536

/* One stream at a time: what the test wants of it, and what it did. */
struct stream_state {
    struct exchange *exchange; /* HTTP thread only; NULL: none */
    unsigned told;             /* HTTP thread only: lines given to the socket */
    atomic_uint lines;         /* lines it may give */
    atomic_bool flood;         /* fills whatever it is offered */
    atomic_bool end;
    atomic_bool cut;
    atomic_uint opened;
    atomic_uint closed;
    atomic_uint fills;
};

struct app {
    struct http_server *server;
    uint16_t port;

    pthread_t resumer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct exchange *kept[KEPT_MAX];
    unsigned kept_len;
    unsigned hold_until; /* the resumer waits until so many are kept, then resumes all at once */
    bool quit;

    struct stream_state stream;
    atomic_uint smuggled; /* calls of a handler that no test asks for */
    atomic_uint resumed;  /* calls of `resumed` */
    atomic_uint freed;    /* attached things that were freed */
    atomic_uint turns;
    atomic_uint threads_started;
    atomic_uint threads_stopped;
    atomic_uint waits; /* wait minus woken: 0 or 1 for each thread */
};

void app_start(struct app *a, unsigned threads);
void app_start_with(struct app *a, unsigned threads, unsigned connections_max);
/* Stops what is still running. */
void app_end(struct app *a);

/* Index of a route by its label. */
size_t app_route(const char *label);
/* The resumer waits until `count` exchanges are kept; 0: it waits for app_release. */
void app_hold(struct app *a, unsigned count);
void app_release(struct app *a);
/* Waits until `count` exchanges are kept. */
void app_await_kept(struct app *a, unsigned count);
/* Waits until all connections are closed, and with them all exchanges ended. */
void app_await_idle(struct app *a);
/* Wakes the HTTP threads so that they look at the stream state. */
void app_poke(struct app *a);
/* Waits until `*value` is `wanted`, up to ten seconds; fails the test then. */
void await_uint(atomic_uint *value, unsigned wanted);

#endif
