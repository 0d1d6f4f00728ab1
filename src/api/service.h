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
    _Atomic(struct inventory *) inventory;       /* NULL: somewhere else */
    _Atomic(struct availability *) availability; /* NULL: somewhere else */
    _Atomic int64_t renewed_ms;                  /* monotonic; 0: there is no lease */
    _Atomic(struct http_server *) server;
    atomic_bool ready;
    int64_t started_ms; /* wall clock */
    struct api_thread *threads;
};

/* In a handler that was let in by api_enter(), never NULL. */
static inline struct inventory *api_inventory(const struct api *api)
{
    return atomic_load_explicit(&api->inventory, memory_order_acquire);
}

static inline struct availability *api_availability(const struct api *api)
{
    return atomic_load_explicit(&api->availability, memory_order_acquire);
}

/*
 * Can the operation be done here? False: it was forwarded or refused. What runs here once runs here until the end, so a
 * handler may rely on it whenever it is called again.
 */
bool api_enter(struct api *api, struct exchange *x, const struct operation *op);

/* A view that surely was complete less than this ago is not called stale: twice as long as four positions take. */
#define STALE_MS 2000
/* A node whose view is older than this is not ready. */
#define UNREADY_MS 10000
/* How long ago the view surely held everything; -1: it never did. */
int64_t api_age_ms(const struct api *api);
/* Of a node that leads: has it a lease, or needs none? */
bool api_may_decide(const struct api *api);

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
