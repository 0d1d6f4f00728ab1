/*
 * A node that does what a test tells it: it reads requests, keeps the last one, and answers, hangs up or stays silent. One
 * thread. Fails the test when something does not happen for ten seconds.
 */
#ifndef TEST_API_PUPPET_H
#define TEST_API_PUPPET_H

#include "base/buf.h"

#include <pthread.h>

#define PUPPET_CONNECTIONS_MAX 256
#define PUPPET_ACTS_MAX 4

enum puppet_act {
    PUPPET_ANSWER, /* `answer` */
    PUPPET_CLOSE,  /* closes when the request is read */
    PUPPET_RESET,  /* the same, with a reset */
    PUPPET_CUT,    /* the first `cut` bytes of `answer`, then closes */
    PUPPET_SILENT  /* until puppet_speak */
};

struct puppet_connection {
    int fd;
    bool owes; /* an answer */
    struct buf in;
};

struct puppet {
    int listen_fd;
    int wake_fds[2];
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum puppet_act acts[PUPPET_ACTS_MAX]; /* for the next requests; the last one stays */
    unsigned acts_len;
    struct buf answer;
    size_t cut;
    struct buf last;         /* the last request */
    unsigned requests;       /* read to the end */
    unsigned connections;    /* ever accepted */
    unsigned connected_most; /* at a time */
    bool speak;
    bool quit;
    struct puppet_connection at[PUPPET_CONNECTIONS_MAX];
    unsigned len;
};

/* `port` 0: any free one. It answers 200 and "{}". */
void puppet_start(struct puppet *p, uint16_t port);
/* Closes all its connections. */
void puppet_stop(struct puppet *p);
void puppet_act(struct puppet *p, enum puppet_act act);
/* First the one, then the other. */
void puppet_act_then(struct puppet *p, enum puppet_act first, enum puppet_act then);
/* All bytes of the answer. */
void puppet_answer(struct puppet *p, struct str answer);
/* Acts as PUPPET_CUT. */
void puppet_cut(struct puppet *p, size_t len);
/* Answers whom it owes an answer, and all that come. */
void puppet_speak(struct puppet *p);
/* Waits until it has read so many requests. */
void puppet_await(struct puppet *p, unsigned requests);
unsigned puppet_requests(struct puppet *p);

/* A port of 127.0.0.1 on which nobody listens. */
uint16_t puppet_dead_port(void);

#endif
