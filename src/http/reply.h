/*
 * Responses of libmicrohttpd, kept for reuse.
 *
 * Making one costs three allocations a header and as many on the way out, more than all else that we do for a request.
 * So small ones are kept, by length: the bytes of the body and the headers of the single answer are changed, the
 * headers that never change stay. Used by one thread.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/str.h"

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
    size_t len;
    char bytes[];
};

struct reply_cache {
    struct reply *idle[REPLY_BUCKETS];
    unsigned idle_len;
    unsigned evict_at; /* bucket that gives one up next */
};

/* The headers of every answer: Content-Type, Cache-Control: no-store when wanted, X-Content-Type-Options. */
void reply_add_fixed_headers(struct MHD_Response *response, const char *content_type, bool is_no_store);

/* A reply with room for `len` bytes; NULL when its kind is not kept. `content_type` may be NULL. */
struct reply *reply_take(struct reply_cache *c, const char *content_type, bool is_no_store, size_t len);
/* Back with the fixed headers only. libmicrohttpd may still hold it, if it looks at it no more. */
void reply_give(struct reply_cache *c, struct reply *r);
/* Instead of reply_give: it will not be used again. */
void reply_drop(struct reply *r);
void reply_cache_release(struct reply_cache *c);

#endif
