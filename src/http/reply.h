/*
 * Responses of libmicrohttpd, kept for reuse.
 *
 * Making one costs three allocations a header and as many on the way out, more than all else that we do for a request.
 * So small ones are kept, by length, with the headers of their last answer: the bytes of the body are changed, and the
 * values of those headers that are others this time. Used by one thread.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/buf.h"

#include <microhttpd.h>

#define REPLY_BYTES_MAX 4096 /* longer bodies are not kept */
#define REPLY_TYPE_BYTES_MAX 63
#define REPLY_BUCKETS 256
#define REPLIES_IDLE_MAX 512

struct reply {
    struct MHD_Response *response; /* has the fixed headers; its body is `bytes` */
    struct reply *next;
    char content_type[REPLY_TYPE_BYTES_MAX + 1]; /* empty: no such header */
    bool is_no_store;
    struct buf headers; /* of its last answer, beside the fixed ones: name, NUL, value, NUL, ... */
    size_t len;
    char bytes[];
};

struct reply_cache {
    struct reply *idle[REPLY_BUCKETS];
    unsigned idle_len;
    unsigned evict_at; /* bucket that gives one up next */
};

#define REPLY_HEADERS_BYTES_MAX (16 * 1024)

/* The headers of every answer: Content-Type, Cache-Control: no-store when wanted, X-Content-Type-Options. */
void reply_add_fixed_headers(struct MHD_Response *response, const char *content_type, bool is_no_store);
void reply_add_header(struct MHD_Response *response, const char *name, const char *value);

/* A reply with room for `len` bytes; NULL when its kind is not kept. `content_type` may be NULL. */
struct reply *reply_take(struct reply_cache *c, const char *content_type, bool is_no_store, size_t len);
/* Gives it `headers` (as in struct reply) beside the fixed ones, instead of those that it had. */
void reply_set_headers(struct reply *r, struct str headers);
/* libmicrohttpd may still hold it, if it looks at it no more. */
void reply_give(struct reply_cache *c, struct reply *r);
/* Instead of reply_give: it will not be used again. */
void reply_drop(struct reply *r);
void reply_cache_release(struct reply_cache *c);

#endif
