/*
 * One connection to a broker with one channel, on which the exchange is declared. All by one thread, but for link_close.
 */
#ifndef BUS_AMQP_LINK_H
#define BUS_AMQP_LINK_H

#include "bus/amqp/place.h"

#include <amqp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LINK_CHANNEL 1
#define LINK_SLICE_MS 50 /* how often a wait looks whether the link was closed */

struct link {
    struct places places;
    unsigned next_place;
    amqp_connection_state_t connection; /* NULL: none */
    bool healthy;                       /* the broker can be told good-bye */
    int64_t tried_ms;                   /* to connect, monotonic; 0: never */
    pthread_mutex_t lock;               /* guards `fd` between the thread and link_close */
    int fd;                             /* -1: none */
    atomic_bool closed;
};

/* Takes `places` over. */
void link_init(struct link *l, const struct places *places);
void link_release(struct link *l);

/*
 * Connects if that was not tried a moment ago. ERR_IO: there is no connection; the note says why if it was tried. Takes
 * seconds when the broker takes the connection and then says nothing.
 */
MUST_CHECK enum err link_connect(struct link *l, struct err_note *note);
/* Gives up the connection if there is one. */
void link_drop(struct link *l);
/* Any thread, also twice: no connection is made any more, and whoever waits on the one that there is comes back. */
void link_close(struct link *l);
bool link_is_closed(const struct link *l);

/* The result of the last call that waits for an answer of the broker (amqp_queue_declare and so on): ERR_OK or ERR_IO. */
MUST_CHECK enum err link_result(struct link *l, const char *what, struct err_note *note);
MUST_CHECK enum err link_failed(struct err_note *note, const char *what, const char *why);

/*
 * Waits up to `wait_ms` for the next frame; `*out_some` says whether one came. It lives until the next call. ERR_IO: the
 * connection or the channel is over.
 */
MUST_CHECK enum err
link_next(struct link *l, int64_t wait_ms, amqp_frame_t *out, bool *out_some, struct err_note *note);

#endif
