#include "exchange.h"

#include "describe/responses.h"

#include <jansson.h>

#define TEXT_BYTES_MAX ((size_t)1024 * 1024)

/* The request. */

struct str exchange_body(const struct exchange *x)
{
    return x->sent->body;
}

/* Only what is forwarded is asked for these, and here nothing is. */
struct str exchange_request_id(const struct exchange *x)
{
    (void)x;
    return STR("1");
}

enum http_method exchange_method(const struct exchange *x)
{
    return x->sent->operation->method;
}

struct str exchange_target(const struct exchange *x)
{
    return x->sent->query;
}

struct str exchange_path_param(const struct exchange *x, unsigned n)
{
    check(n < HTTP_PATH_PARAMS_MAX && !str_is_absent(x->sent->params[n]));
    return x->sent->params[n];
}

struct str exchange_header(const struct exchange *x, const char *name)
{
    for (unsigned i = 0; i < EXCHANGE_HEADERS_MAX && x->sent->headers[i].name != NULL; i++) {
        if (strcmp(x->sent->headers[i].name, name) == 0) {
            return x->sent->headers[i].value;
        }
    }
    return STR_NONE;
}

struct str exchange_query(const struct exchange *x, const char *name, unsigned i)
{
    struct str found;
    struct str value;
    for (size_t at = 0; target_argument_next(x->sent->query, &at, &found, &value);) {
        if (str_equal(found, str_from(name)) && i-- == 0) {
            return value;
        }
    }
    return STR_NONE;
}

struct str exchange_query_unknown(const struct exchange *x, const char *const *known)
{
    struct str name;
    struct str value;
    for (size_t at = 0; target_argument_next(x->sent->query, &at, &name, &value);) {
        const char *const *k = known;
        while (*k != NULL && !str_equal(name, str_from(*k))) {
            k++;
        }
        if (*k == NULL) {
            return name;
        }
    }
    return STR_NONE;
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

/* There is one thread, and no server: nobody looks into what these return. */

struct http_thread *exchange_thread(const struct exchange *x)
{
    (void)x;
    return NULL;
}

unsigned http_thread_index(const struct http_thread *t)
{
    (void)t;
    return 0;
}

void http_thread_wake(struct http_server *s, unsigned index)
{
    (void)s;
    (void)index;
    unreachable("there is no server to wake");
}

void http_metrics(const struct http_server *s, struct http_metrics *out)
{
    (void)s;
    *out = (struct http_metrics){0};
}

void http_route_metrics(const struct http_server *s, size_t route, struct route_metrics *out)
{
    (void)s;
    (void)route;
    *out = (struct route_metrics){0};
}

/* The answer. */

void exchange_set_header(struct exchange *x, const char *name, struct str value)
{
    check(x->state == EXCHANGE_RUNNING && name[0] != '\0');
    for (size_t i = 0; i < value.len; i++) {
        check((unsigned char)value.ptr[i] >= ' ' && value.ptr[i] != 0x7f);
    }
    if (strcmp(name, "Link") == 0) {
        check(x->link.len == 0);
        buf_put_str(&x->link, value);
    }
}

void exchange_answer(struct exchange *x, int status, const char *content_type, struct str body, bool copy)
{
    check(x->state == EXCHANGE_RUNNING && status >= 200 && status < 600);
    check(content_type != NULL || body.len == 0);
    x->state = EXCHANGE_ANSWERED;
    x->status = status;
    if (copy) {
        buf_put_str(&x->text, body);
        body = buf_str(&x->text);
    }
    x->body = body;
}

/* Is the problem in the document of the operation? */
static void check_documented(const struct exchange *x, enum err e)
{
    bool documented[ERR_COUNT];
    responses_problems(x->sent->operation, documented);
    check(documented[e]);
}

void exchange_problem(struct exchange *x, enum err e, struct str detail, struct str members)
{
    check(x->state == EXCHANGE_RUNNING);
    check(str_is_absent(detail) || (detail.len > 0 && str_is_utf8(detail)));
    check_documented(x, e);
    problem_render(&x->text, e, detail, members, STR("/"));
    check(!x->text.overflowed);
    x->state = EXCHANGE_ANSWERED;
    x->status = err_info(e)->status;
    x->problem = e;
    x->body = buf_str(&x->text);
}

void exchange_keep(struct exchange *x, void (*resumed)(struct exchange *x, void *app))
{
    check(x->state == EXCHANGE_RUNNING);
    x->state = EXCHANGE_KEPT;
    x->resumed = resumed;
    x->resumes = 0;
}

void exchange_resume(struct exchange *x)
{
    check(x->state == EXCHANGE_KEPT && x->resumes == 0);
    x->resumes++;
}

void exchange_stream(struct exchange *x, const char *content_type, const struct stream_ops *ops, void *ctx)
{
    check(x->state == EXCHANGE_RUNNING && content_type != NULL);
    x->state = EXCHANGE_STREAMING;
    x->status = 200;
    x->stream = ops;
    x->stream_ctx = ctx;
}

void exchange_stream_wake(struct exchange *x)
{
    check(x->state == EXCHANGE_STREAMING);
}

void exchange_stream_end(struct exchange *x, bool cut)
{
    (void)cut;
    check(x->state == EXCHANGE_STREAMING);
}

/* Its life. */

void exchange_run(struct exchange *x, const struct sent *sent, void *app, void (*turn)(void *ctx), void *turn_ctx)
{
    *x = (struct exchange){.sent = sent};
    buf_init(&x->text, TEXT_BYTES_MAX);
    buf_init(&x->link, TARGET_BYTES_MAX);
    sent->operation->handler(x, app);
    while (x->state == EXCHANGE_KEPT) {
        if (x->resumes == 0) {
            turn(turn_ctx);
        }
        check(x->resumes == 1);
        x->state = EXCHANGE_RUNNING;
        x->resumed(x, app);
    }
    check(x->state != EXCHANGE_RUNNING);
}

void exchange_release(struct exchange *x)
{
    if (x->stream != NULL) {
        x->stream->closed(x->stream_ctx);
    }
    if (x->attached_free != NULL) {
        x->attached_free(x->attached);
    }
    buf_release(&x->text);
    buf_release(&x->link);
}
