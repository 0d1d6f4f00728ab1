/*
 * What the handlers of all resources share: the services behind them, and what each HTTP thread has of its own.
 */
#ifndef API_SERVICE_H
#define API_SERVICE_H

#include "api/api.h"
#include "api/decode.h"
#include "api/fingerprint.h"
#include "api/operations.h"
#include "push/push.h"

#include <stdatomic.h>

/* Exchanges of one thread that wait for the view to reach a seq. */
#define WAITERS_MAX 1024
#define WAIT_MS_MAX 1000

struct waiter;

struct api_thread {
    struct api *api;
    unsigned index;
    struct hub *hub;
    struct fingerprinter *fingerprinter;
    struct waiter *waiters; /* on this thread only */
    unsigned waiters_len;
    atomic_uint waiting; /* 1: there are waiters. Read by the projector thread */
};

struct api {
    struct api_options options;
    _Atomic(struct http_server *) server;
    atomic_bool ready;
    int64_t started_ms; /* wall clock */
    struct api_thread *threads;
};

/* The thread that runs `x`. */
struct api_thread *api_thread_of(struct api *api, const struct exchange *x);

/* Answers with a problem; `detail` may be NULL or empty. */
void api_refuse(struct exchange *x, enum err e, const char *detail);
/* ERR_INVALID with everything that was found wrong. */
void api_refuse_invalid(struct exchange *x, const struct decode_errors *errors);

/* Sets Onhand-Seq. */
void api_set_seq(struct exchange *x, uint64_t seq);

/*
 * Decodes the query arguments by their table. False: it has answered, because one is unknown, repeated or out of
 * range.
 */
bool api_arguments(struct exchange *x, const struct message *query, struct arguments *out);
/* The same where there are none. */
bool api_no_arguments(struct exchange *x);

/* Checks a path parameter. False: it has answered 404, because nothing can have such an id. */
bool api_path_sku(struct exchange *x, unsigned n, struct str *out);
bool api_path_location(struct exchange *x, unsigned n, struct str *out);
bool api_path_uuid(struct exchange *x, unsigned n, struct uuid *out);

#endif
