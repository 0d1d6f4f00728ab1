#include "http/reply.h"

#include "base/mem.h"

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    enum MHD_Result added = MHD_add_response_header(response, name, value);
    check(added == MHD_YES);
}

void reply_add_fixed_headers(struct MHD_Response *response, const char *content_type, bool is_no_store)
{
    if (content_type != NULL && content_type[0] != '\0') {
        add(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    }
    if (is_no_store) {
        add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    add(response, "X-Content-Type-Options", "nosniff");
}

static struct reply *reply_new(const char *content_type, bool is_no_store, size_t len)
{
    struct reply *r = mem_new(sizeof(*r) + len);
    memcpy(r->content_type, content_type, strlen(content_type) + 1);
    r->is_no_store = is_no_store;
    r->len = len;
    r->response = MHD_create_response_from_buffer(len, r->bytes, MHD_RESPMEM_PERSISTENT);
    check(r->response != NULL);
    reply_add_fixed_headers(r->response, content_type, is_no_store);
    return r;
}

void reply_drop(struct reply *r)
{
    MHD_destroy_response(r->response);
    mem_free(r);
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
