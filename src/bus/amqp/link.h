/*
 * One connection to a broker with one channel, on which the exchange is declared, and more channels for whom needs them.
 * All by one thread, but for amqp_link_close.
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

struct amqp_link {
    struct places places;
    unsigned next_place;
    amqp_connection_state_t connection; /* NULL: none */
    bool healthy;                       /* the broker can be told good-bye */
    bool timed_out;                     /* so did the last call that waits for an answer */
    bool refused;                       /* the broker closed the channel because of it */
    int64_t tried_ms;                   /* to connect, monotonic; 0: never */
    pthread_mutex_t lock;               /* guards `fd` between the thread and amqp_link_close */
    int fd;                             /* -1: none */
    atomic_bool closed;
};

/* Takes `places` over. */
void amqp_link_init(struct amqp_link *l, const struct places *places);
void amqp_link_release(struct amqp_link *l);

/*
 * Connects if that was not tried a moment ago. ERR_IO: there is no connection; the note says why if it was tried. Takes
 * seconds when the broker takes the connection and then says nothing.
 */
MUST_CHECK enum err amqp_link_connect(struct amqp_link *l, struct err_note *note);
/* Gives up the connection if there is one. */
void amqp_link_drop(struct amqp_link *l);
/* Any thread, also twice: no connection is made any more, and whoever waits on the one that there is comes back. */
void amqp_link_close(struct amqp_link *l);
bool amqp_link_is_closed(const struct amqp_link *l);

/* Another channel, ready for confirmations. */
MUST_CHECK enum err amqp_link_open_channel(struct amqp_link *l, amqp_channel_t channel, struct err_note *note);
/* How long calls wait for an answer from now on. */
#define LINK_ANSWER_MS 5000
void amqp_link_set_patience(struct amqp_link *l, int64_t ms);
/* The result of the last call that waits for an answer of the broker (amqp_queue_declare and so on): ERR_OK or ERR_IO. */
MUST_CHECK enum err amqp_link_result(struct amqp_link *l, const char *what, struct err_note *note);
MUST_CHECK enum err
amqp_link_judge(struct amqp_link *l, amqp_rpc_reply_t reply, const char *what, struct err_note *note);
MUST_CHECK enum err amqp_link_failed(struct err_note *note, const char *what, const char *why);

/*
 * Waits up to `wait_ms` for the next frame; `*out_some` says whether one came. It lives until the next call. ERR_IO: the
 * connection or the channel is over.
 */
MUST_CHECK enum err
amqp_link_next(struct amqp_link *l, int64_t wait_ms, amqp_frame_t *out, bool *out_some, struct err_note *note);

#endif
