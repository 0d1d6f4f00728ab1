/*
 * One exchange on its way to another node and back, and the rules for its steps. Made on the HTTP thread, then it belongs
 * to the thread of the forwarder until the exchange is resumed.
 *
 * What it borrows of a kept exchange (the body) stays in its place until then.
 */
#ifndef API_FORWARD_WORK_H
#define API_FORWARD_WORK_H

#include "api/forward_targets.h"
#include "base/buf.h"
#include "http/http.h"

#include <curl/curl.h>

/* With Date, X-Request-Id and the like it must fit into what an exchange takes. */
#define FORWARD_HEADERS_BYTES_MAX (7 * 1024)

struct forward_work {
    struct exchange *exchange;
    struct forward_work *next; /* in the queue or the list that it is in */
    int64_t since_ms;          /* monotonic: forward() was called */

    /* The request. */
    enum http_method method;
    char *target; /* path and query */
    struct str body;
    struct curl_slist *headers;
    bool repeatable; /* twice does no harm */

    /* How far it is. */
    struct forward_targets *targets; /* holds a reference */
    unsigned tried;                  /* a bit for each */
    struct forward_target *at;       /* being tried */
    bool repeated;                   /* although it may have arrived before */
    bool uncertain;                  /* it may have arrived somewhere that gave no answer */
    bool declined;                   /* the last try was answered, by a node that did nothing and cannot now */

    /* The answer: `err`, or what the other node said. */
    enum err err;
    int status;
    struct buf content_type; /* terminated when not empty */
    struct buf headers_back; /* name, NUL, value, NUL, ... */
    struct buf body_back;
};

/* How a try ended. */
enum try_end {
    TRY_ANSWERED,
    TRY_UNSENT, /* nothing has left */
    TRY_LOST    /* it may have arrived; there is no answer, or not all of it */
};

/* `hops` that it made before this one. */
struct forward_work *forward_work_new(struct exchange *x, unsigned hops, size_t answer_bytes_max);
/* With a body that is not shared any more; `ptr` is a struct forward_work. */
void forward_work_free(void *ptr);
/* On the HTTP thread. */
void forward_work_answer(struct exchange *x, void *app);

/*
 * After a try: true when the next node is to be tried, if there is one (else forward_work_give_up); false when `work` has
 * its answer or its error.
 */
bool forward_work_settle(struct forward_work *w, enum try_end end);
void forward_work_give_up(struct forward_work *w);
/* The end of the process overtook it; `w->uncertain` is up to date. */
void forward_work_shut_down(struct forward_work *w);

#endif
