/* What a handler asks an exchange about its request. */
#include "http/exchange.h"
#include "http/thread.h"

struct str exchange_body(const struct exchange *x)
{
    return buf_str(&x->memory.body);
}

enum http_method exchange_method(const struct exchange *x)
{
    return x->method;
}

struct str exchange_target(const struct exchange *x)
{
    const struct buf *b = &x->memory.target;
    check(b->len == 2 * x->target_len);
    const char *sent = b->ptr + x->target_len;
    size_t skip = target_origin_len(sent, x->target_len);
    return (struct str){sent + skip, x->target_len - skip};
}

struct str exchange_path_param(const struct exchange *x, unsigned n)
{
    check(n < HTTP_PATH_PARAMS_MAX && x->route != NULL);
    check(x->params[n] < x->target.segments_len);
    return x->target.segments[x->params[n]];
}

struct str exchange_header(const struct exchange *x, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    MHD_lookup_connection_value_n(x->connection, MHD_HEADER_KIND, name, strlen(name), &value, &len);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    return (struct str){value, len};
}

/* What an exchange remembers for speed changes nothing that its caller can see. */
static struct exchange *memo_of(const struct exchange *x)
{
    return (struct exchange *)(uintptr_t)x;
}

struct str exchange_query(const struct exchange *x, const char *name, unsigned i)
{
    struct query_cursor c = {.name = name};
    if (x->cursor.name == name && x->cursor.next <= i) {
        c = x->cursor;
    }
    struct str found;
    struct str value;
    while (target_argument_next(x->target.query, &c.at, &found, &value)) {
        if (str_equal(found, str_from(name)) && c.next++ == i) {
            memo_of(x)->cursor = c;
            return value;
        }
    }
    return STR_NONE;
}

static bool is_known(struct str name, const char *const *known)
{
    while (*known != NULL && !str_equal(name, str_from(*known))) {
        known++;
    }
    return *known != NULL;
}

struct str exchange_query_unknown(const struct exchange *x, const char *const *known)
{
    struct str name;
    struct str value;
    size_t at = 0;
    while (target_argument_next(x->target.query, &at, &name, &value)) {
        if (!is_known(name, known)) {
            return name;
        }
    }
    return STR_NONE;
}

static void make_request_id(struct exchange *x)
{
    struct http_thread *t = x->thread;
    struct str sent = x->screening.request_id;
    if (str_is_absent(sent)) {
        uuid_to_text(uuid7_next(&t->request_ids, t->wall_ms), x->request_id);
        x->request_id_len = UUID_TEXT_LEN;
    } else {
        memcpy(x->request_id, sent.ptr, sent.len);
        x->request_id_len = (unsigned)sent.len;
    }
    x->request_id[x->request_id_len] = '\0';
}

struct str exchange_request_id(const struct exchange *x)
{
    if (x->request_id_len == 0) {
        make_request_id(memo_of(x));
    }
    return (struct str){x->request_id, x->request_id_len};
}

struct http_thread *exchange_thread(const struct exchange *x)
{
    return x->thread;
}

void exchange_attach(struct exchange *x, void *ptr, void (*free)(void *ptr))
{
    check(x->attached == NULL);
    x->attached = ptr;
    x->attached_free = free;
}

void *exchange_attached(const struct exchange *x)
{
    return x->attached;
}
