/*
 * A client of many streams of Server-Sent Events on one thread, as so many open pages would be.
 */
#ifndef LOAD_EVENTS_H
#define LOAD_EVENTS_H

#include "base/err.h"
#include "load/event_reader.h"

#include <stdint.h>

struct event_client;

struct event_client_options {
    const char *host; /* IPv4 or IPv6 address, or a name */
    uint16_t port;
    unsigned streams; /* 1.. */
    /* The path of a stream, percent-encoded, with the query; borrowed until the next call. */
    struct str (*path)(void *ctx, unsigned stream);
    /* An event of `stream`, comments included; as event_fn. */
    void (*event)(void *ctx, unsigned stream, struct str event);
    void *ctx;
};

MUST_CHECK enum err
event_client_new(const struct event_client_options *options, struct event_client **out, struct err_note *note);
void event_client_free(struct event_client *c); /* accepts NULL */

/* Readable when event_client_poll has something to handle. */
int event_client_fd(const struct event_client *c);
/* Opens streams, a bounded number at a time, and reads them; waits up to `timeout_ms` (0: not at all) for events. */
void event_client_poll(struct event_client *c, int timeout_ms);

struct event_counts {
    unsigned open;       /* streams that have begun and not ended */
    unsigned lost;       /* streams that were refused or have ended; they are not opened again */
    const char *failure; /* why the first of them; NULL: none */
    uint64_t bytes;
};
struct event_counts event_client_counts(const struct event_client *c);

#endif
