/*
 * What other threads have for an HTTP thread: resumed exchanges, and the wish that it takes a turn.
 *
 * A stack that any thread pushes to and the owner empties at once, and an eventfd that is written only when the owner
 * sleeps. Pusher: put it in, then look whether the owner sleeps. Owner: say that it sleeps, then look whether something
 * is in. Both in sequentially consistent order, so at least one of them sees the other.
 */
#ifndef HTTP_INBOX_H
#define HTTP_INBOX_H

#include "base/err.h"

#include <stdatomic.h>

struct exchange;

struct inbox {
    _Atomic(struct exchange *) head;
    atomic_bool asleep;
    atomic_bool wanted; /* a turn was asked for and not yet begun */
    int event_fd;       /* for edge-triggered epoll: it is never read */
};

MUST_CHECK enum err inbox_open(struct inbox *b, struct err_note *note);
void inbox_close(struct inbox *b);

/* Any thread. `x` is in no inbox; it belongs to the owner from now on. */
void inbox_push(struct inbox *b, struct exchange *x);
void inbox_wake(struct inbox *b);

/* Owner: true when it may block on the eventfd; it must call inbox_rise afterwards. */
bool inbox_sleep(struct inbox *b);
void inbox_rise(struct inbox *b);
/* Owner, at the start of a turn: forgets the wish for one, and takes all pushed exchanges, first pushed first. */
struct exchange *inbox_take(struct inbox *b);

#endif
