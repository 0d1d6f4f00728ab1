/*
 * Reads a stream of Server-Sent Events from the bytes of an HTTP/1.1 response, chunked or until the end of the
 * connection. Pure: bytes in, events out. Lines end with LF, as servers write them.
 */
#ifndef LOAD_EVENT_READER_H
#define LOAD_EVENT_READER_H

#include "base/buf.h"

#define EVENT_BYTES_MAX (1024 * 1024)

/* The lines of one event or comment, without the empty line at its end; borrowed for the call. */
typedef void (*event_fn)(void *ctx, struct str event);

enum event_reader_state { EVENTS_HEAD, EVENTS_CHUNK_SIZE, EVENTS_CHUNK_DATA, EVENTS_CHUNK_END, EVENTS_PLAIN };

struct event_reader {
    enum event_reader_state state;
    int status;          /* 0: the head has not ended */
    uint64_t chunk_left; /* of the chunk that is being read */
    unsigned digits;     /* of its size, so far */
    struct buf kept;     /* of the head, or of an event that has not ended */
};

void event_reader_init(struct event_reader *r);
void event_reader_release(struct event_reader *r);

/*
 * Takes the next bytes, which it overwrites, and calls `fn` for each event that ends in them. False: this is not a
 * stream of events of status 200, or the last chunk has come; the reader is of no more use.
 */
bool event_reader_take(struct event_reader *r, char *bytes, size_t len, event_fn fn, void *ctx);

/* The value of the first "data:" line; absent when there is none, as in a comment. */
struct str event_data(struct str event);

#endif
