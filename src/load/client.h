/*
 * HTTP/1.1 load client: many keep-alive connections on one thread, one request at a time on each. It knows nothing
 * of any server's code; what it reports is what came over the wire.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct load_client;

struct load_request {
    const char *method; /* "GET" */
    struct str path;    /* percent-encoded, with the query; copied */
    struct str key;     /* Idempotency-Key; absent: none; copied */
    struct str body;    /* application/json; absent: none. Borrowed until the answer */
};

struct load_answer {
    int status;      /* 0: the connection failed, and whether the request was carried out is not known */
    struct str body; /* borrowed for the call */
    bool replayed;
    uint32_t retry_after_s; /* 0: not given */
    int64_t latency_us;     /* from the call of load_send to the last byte of the answer */
    const char *failure;    /* with status 0: why */
};

struct load_options {
    const char *host; /* IPv4 or IPv6 address, or a name */
    uint16_t port;
    unsigned connections; /* 1.. */
    int64_t timeout_ms;   /* a request without a whole answer for this long has failed; 0: no limit */
    /* An answer came on `connection`, which is idle again: load_send may be called from here. */
    void (*answered)(void *ctx, unsigned connection, const struct load_answer *answer);
    void *ctx;
};

/* Opens no connection yet: each is opened by its first request, and again after it was closed. */
MUST_CHECK enum err
load_client_new(const struct load_options *options, struct load_client **out, struct err_note *note);
void load_client_free(struct load_client *c); /* accepts NULL */

/* `connection` is 0..connections-1 and idle. Failures are reported as an answer too, from load_poll. */
void load_send(struct load_client *c, unsigned connection, const struct load_request *request);
bool load_is_idle(const struct load_client *c, unsigned connection);
/* Requests without an answer yet. */
unsigned load_open_requests(const struct load_client *c);

/* Readable when load_poll has something to handle, for who waits for other things too. */
int load_client_fd(const struct load_client *c);
/* Waits up to `timeout_ms` (0: not at all) for events and handles them. */
void load_poll(struct load_client *c, int timeout_ms);

struct load_counts {
    uint64_t requests;
    uint64_t answers;
    uint64_t failures;
    uint64_t connects;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};
struct load_counts load_counts(const struct load_client *c);

#endif
