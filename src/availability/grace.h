/*
 * Grace periods: replaced answers are freed when no reader can hold them any more. A thread of its own waits for the
 * readers, so that the projector, and with it the pages, need not.
 */
#ifndef AVAILABILITY_GRACE_H
#define AVAILABILITY_GRACE_H

#include "availability/render.h"

#include <pthread.h>

/*
 * So many replaced answers may wait for slow readers, about 20 MB, and as many again in the round under way; beyond it
 * the projector waits too.
 */
#define GRACE_WAITING_MAX 65536

struct grace {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t given; /* something was given, or there is an end */
    pthread_cond_t freed;
    struct rendered *waiting; /* given and not freed */
    size_t waiting_len;
    bool ended;
    pthread_t thread;
};

/* ERR_IO when there is no thread to be had; then there is nothing to stop. */
MUST_CHECK enum err grace_start(struct grace *g);
/* Takes the list over. Blocks while too much waits for readers who do not go on. */
void grace_give(struct grace *g, struct rendered *list);
/* Frees everything that was given, once the readers are through; if the caller is one, that is a quiescent state. */
void grace_stop(struct grace *g);

/* Frees the list once the readers are through; if the caller is one of them, that is a quiescent state. */
void grace_wait_and_free(struct rendered *list);

#endif
