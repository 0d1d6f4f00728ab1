/*
 * Hands exchanges over to another node of Onhand, and its answers back: what an availability node does with all that is
 * inventory's business, and a standby of inventory with everything.
 *
 * One thread of its own runs libcurl. The front passes on the method (HEAD becomes GET: the HTTP server leaves the body
 * out of its answer), the target and the body as they were sent, and those headers that say something to an
 * operation; the answer comes back with its status, its body byte for byte, and the headers that operations set. Not for
 * streams: an answer is collected first.
 *
 * Where an exchange goes is a list of URLs in the order of preference. The next one is tried
 *   - when a node was surely sent nothing (refused, no such name, no connection within a second), and
 *   - when it answers that it did nothing and cannot now: it knows no leader (ERR_NO_LEADER), does not reach the database
 *     (ERR_NOT_COMMITTED, ERR_STORE_AWAY), or ends (ERR_SHUTTING_DOWN);
 *   - once, when the request may have arrived but no answer came, and it can be repeated without harm: GET, and POST with
 *     an Idempotency-Key. (Such a one is also repeated at the same node, by libcurl, when it was lost on a connection
 *     that had been used before. Others get a connection of their own.)
 * At the end of the list such an answer of the last node is passed on; else a read is ERR_NO_LEADER. So is a write that
 * surely arrived nowhere; one that may have arrived somewhere without an answer is ERR_OUTCOME_UNKNOWN, also when another
 * node then says that it did nothing.
 *
 * A node that cannot even be connected to in time is held back: for some seconds the others come first. So is one that
 * does not answer GET /livez, which all are asked twice a second; what it was sent and can be repeated is then sent to the
 * next one. So a leader that was stopped costs its clients a second or two, not the whole patience of each request.
 *
 * Each hop counts up `Onhand-Hops`; a request that made 3 is refused (ERR_NO_LEADER): nodes point at each other.
 */
#ifndef API_FORWARD_H
#define API_FORWARD_H

#include "base/err.h"

#include <stdint.h>

struct exchange;
struct forwarder;

#define FORWARDS_MAX 4096      /* at a time; more are ERR_OVERLOADED */
#define FORWARDS_ACTIVE_MAX 64 /* of these, with a connection; the others wait their turn */
#define FORWARD_TARGETS_MAX 8  /* of a list of URLs; what comes behind is left out */
#define FORWARD_HOPS_MAX 3
#define FORWARD_CONNECT_MS 1000
#define FORWARD_ANSWER_MS 10000      /* at one node, from connecting to the last byte */
#define FORWARD_PROBE_MS 500         /* each node is asked so often whether it is alive, */
#define FORWARD_PROBE_ANSWER_MS 1000 /* and has so long to say so */
#define FORWARD_WAIT_MS 10000        /* for a connection; longer is ERR_OVERLOADED */
/* A batch of 1,000 operations on large reservations; a longer answer is ERR_INTERNAL. */
#define FORWARD_ANSWER_BYTES_MAX (64u * 1024 * 1024)

struct forwarder_limits {
    unsigned forwards_max;
    int connect_ms;
    int answer_ms;
    int wait_ms;
    size_t answer_bytes_max;
    int probe_ms; /* 0: nodes are not asked */
    int probe_answer_ms;
};

/* Starts the thread. ERR_INTERNAL when the system has none. */
MUST_CHECK enum err forwarder_start(struct forwarder **out, struct err_note *note);
/* The same with other limits than those above, for tests. */
MUST_CHECK enum err
forwarder_start_with(const struct forwarder_limits *limits, struct forwarder **out, struct err_note *note);

/*
 * Any thread: where to, "http://a:8080,http://b:8080"; "" or NULL: nowhere (ERR_NO_LEADER). Copied. What is under way is
 * not disturbed.
 */
void forwarder_aim(struct forwarder *f, const char *urls);

/* HTTP thread, in a handler: keeps the exchange, or answers it. Never blocks. */
void forward(struct forwarder *f, struct exchange *x);

/*
 * Ends the thread; what is under way is answered with ERR_SHUTTING_DOWN, or ERR_OUTCOME_UNKNOWN when it is a write that
 * may have arrived. Any thread but the HTTP threads; forward() may be called before, meanwhile and afterwards, and refuses.
 * All exchanges were resumed when it returns: after http_stop it lets http_free end.
 */
void forwarder_close(struct forwarder *f);
/* Closes it if that was not done. No thread calls any more. Accepts NULL. */
void forwarder_free(struct forwarder *f);

struct forwarder_metrics {
    uint64_t forwarded; /* answered by another node */
    uint64_t failed;    /* answered with a problem from here */
    uint64_t in_flight; /* now */
};
void forwarder_metrics(struct forwarder *f, struct forwarder_metrics *out);

#endif
