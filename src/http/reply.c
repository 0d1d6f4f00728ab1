#include "http/reply.h"

#include "base/mem.h"
#include "http/target.h"

void reply_add_header(struct MHD_Response *response, const char *name, const char *value)
{
    enum MHD_Result added = MHD_add_response_header(response, name, value);
    check(added == MHD_YES);
}

static void remove_header(struct MHD_Response *response, const char *name, const char *value)
{
    enum MHD_Result removed = MHD_del_response_header(response, name, value);
    check(removed == MHD_YES);
}

void reply_add_fixed_headers(struct MHD_Response *response, const char *content_type, bool is_no_store)
{
    if (content_type != NULL && content_type[0] != '\0') {
        reply_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    }
    if (is_no_store) {
        reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    reply_add_header(response, "X-Content-Type-Options", "nosniff");
}

static struct reply *reply_new(const char *content_type, bool is_no_store, size_t len)
{
    struct reply *r = mem_new(sizeof(*r) + len);
    memcpy(r->content_type, content_type, strlen(content_type) + 1);
    r->is_no_store = is_no_store;
    buf_init(&r->headers, REPLY_HEADERS_BYTES_MAX);
    r->len = len;
    r->response = MHD_create_response_from_buffer(len, r->bytes, MHD_RESPMEM_PERSISTENT);
    check(r->response != NULL);
    reply_add_fixed_headers(r->response, content_type, is_no_store);
    return r;
}

void reply_drop(struct reply *r)
{
    MHD_destroy_response(r->response);
    buf_release(&r->headers);
    mem_free(r);
}

/* Calls `fn` for each header that does not stand at the same place in `others`. */
static void each_missing(
    struct str headers,
    struct str others,
    struct MHD_Response *response,
    void (*fn)(struct MHD_Response *response, const char *name, const char *value))
{
    struct str name, value, other_name, other_value;
    size_t at = 0;
    size_t other_at = 0;
    while (target_argument_next(headers, &at, &name, &value)) {
        bool same = target_argument_next(others, &other_at, &other_name, &other_value) && str_equal(name, other_name) &&
            str_equal(value, other_value);
        if (!same) {
            fn(response, name.ptr, value.ptr);
        }
    }
}

/*
 * The library can only take a header away and make another one. What changes from answer to answer are ids and numbers
 * of one length, so they are written over those that the response holds: its memory is ours as long as nobody sends it.
 */
static bool overwrite(struct MHD_Response *response, const char *name, struct str old_value, struct str value)
{
    char *held = (char *)(uintptr_t)MHD_get_response_header(response, name);
    if (held == NULL || strcmp(held, old_value.ptr) != 0) { /* of several with this name another one is found */
        return false;
    }
    memcpy(held, value.ptr, value.len);
    return true;
}

/* False: there are other headers than last time, or longer or shorter ones; some may be overwritten by then. */
static bool overwrite_all(struct reply *r, struct str headers)
{
    struct str name, value, old_name, old_value;
    size_t at = 0;
    size_t old_at = 0;
    if (headers.len != r->headers.len) {
        return false;
    }
    while (target_argument_next(headers, &at, &name, &value)) {
        bool same_place = target_argument_next(buf_str(&r->headers), &old_at, &old_name, &old_value) &&
            str_equal(name, old_name) && value.len == old_value.len;
        if (!same_place) {
            return false;
        }
        if (memcmp(value.ptr, old_value.ptr, value.len) != 0) {
            if (!overwrite(r->response, name.ptr, old_value, value)) {
                return false;
            }
            memcpy(r->headers.ptr + (old_value.ptr - r->headers.ptr), value.ptr, value.len);
        }
    }
    return true;
}

void reply_set_headers(struct reply *r, struct str headers)
{
    if (overwrite_all(r, headers)) {
        return;
    }
    each_missing(buf_str(&r->headers), headers, r->response, remove_header);
    each_missing(headers, buf_str(&r->headers), r->response, reply_add_header);
    buf_clear(&r->headers);
    buf_put_str(&r->headers, headers);
    check(!r->headers.overflowed);
}

static struct reply **bucket_of(struct reply_cache *c, size_t len)
{
    return &c->idle[len % REPLY_BUCKETS];
}

struct reply *reply_take(struct reply_cache *c, const char *content_type, bool is_no_store, size_t len)
{
    const char *type = content_type != NULL ? content_type : "";
    if (len > REPLY_BYTES_MAX || strlen(type) > REPLY_TYPE_BYTES_MAX) {
        return NULL;
    }
    for (struct reply **at = bucket_of(c, len); *at != NULL; at = &(*at)->next) {
        struct reply *r = *at;
        if (r->len == len && r->is_no_store == is_no_store && strcmp(r->content_type, type) == 0) {
            *at = r->next;
            c->idle_len--;
            return r;
        }
    }
    return reply_new(type, is_no_store, len);
}

/* Lengths change with the traffic: each bucket in turn gives up one that was not used lately. */
static void evict_one(struct reply_cache *c)
{
    struct reply **at;
    do {
        at = &c->idle[c->evict_at++ % REPLY_BUCKETS];
    } while (*at == NULL);
    while ((*at)->next != NULL) {
        at = &(*at)->next;
    }
    reply_drop(*at);
    *at = NULL;
    c->idle_len--;
}

void reply_give(struct reply_cache *c, struct reply *r)
{
    if (c->idle_len == REPLIES_IDLE_MAX) {
        evict_one(c);
    }
    struct reply **first = bucket_of(c, r->len);
    r->next = *first;
    *first = r;
    c->idle_len++;
}

void reply_cache_release(struct reply_cache *c)
{
    while (c->idle_len > 0) {
        evict_one(c);
    }
}
