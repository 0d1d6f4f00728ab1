/* The answers of an exchange: headers, bodies, problems. */
#include "http/exchange.h"
#include "http/thread.h"

#include "base/clock.h"

#include <strings.h>

/* Five headers of an answer are asked for two names: the first letter is enough for most. */
static bool is_name(const char *name, const char *wanted)
{
    return (name[0] | 0x20) == (wanted[0] | 0x20) && strcasecmp(name, wanted) == 0;
}

void exchange_set_header(struct exchange *x, const char *name, struct str value)
{
    check(x->state <= EXCHANGE_RUNNING);
    check(value.len > 0 && !str_has_control(value));
    struct buf *b = &x->memory.headers;
    buf_put(b, name, strlen(name) + 1);
    buf_put_str(b, value);
    buf_put_char(b, '\0');
    check(!b->overflowed);
    x->has_cache_control = x->has_cache_control || is_name(name, "Cache-Control");
    x->has_retry_after = x->has_retry_after || is_name(name, "Retry-After");
}

static void complete_headers(struct exchange *x)
{
    exchange_set_header(x, MHD_HTTP_HEADER_DATE, thread_date(x->thread));
    exchange_set_header(x, "X-Request-Id", exchange_request_id(x));
    if (x->thread->stopping_ms != 0) {
        exchange_set_header(x, MHD_HTTP_HEADER_CONNECTION, STR("close"));
    }
}

static void add_headers(struct MHD_Response *response, struct str headers)
{
    struct str name;
    struct str value;
    size_t at = 0;
    while (target_argument_next(headers, &at, &name, &value)) {
        reply_add_header(response, name.ptr, value.ptr);
    }
}

static void count(struct exchange *x, int status)
{
    const struct http_server *s = x->thread->server;
    struct thread_counters *c = &x->thread->counters;
    size_t row = x->route != NULL ? (size_t)(x->route - s->options.routes) : s->options.routes_len;
    route_counters_status(&c->routes[row], status);
    if (x->started_us != 0) {
        route_counters_latency(&c->routes[row], clock_mono_us() - x->started_us);
    }
    if (x->route == NULL && x->method < HTTP_METHOD_COUNT) {
        counter_add(&c->requests[x->method], 1);
    }
}

static void queue(struct exchange *x, int status, struct MHD_Response *response)
{
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)status, response);
    check(queued == MHD_YES);
    x->state = EXCHANGE_ANSWERED;
    count(x, status);
}

void answer_send(struct exchange *x, int status, struct MHD_Response *response)
{
    check(x->state == EXCHANGE_RUNNING);
    complete_headers(x);
    add_headers(response, buf_str(&x->memory.headers));
    queue(x, status, response);
}

/* A body that is too long to be kept for reuse. */
static void answer_once(struct exchange *x, int status, const char *content_type, struct str body, bool copy)
{
    if (copy) {
        struct buf *b = &x->memory.answer;
        buf_clear(b);
        buf_put_str(b, body);
        body = buf_str(b);
    }
    /* The exchange and what is attached to it live until the last byte is sent. The library's buffer is not const. */
    void *bytes = (void *)(uintptr_t)body.ptr;
    struct MHD_Response *response = MHD_create_response_from_buffer(body.len, bytes, MHD_RESPMEM_PERSISTENT);
    check(response != NULL);
    reply_add_fixed_headers(response, content_type, !x->has_cache_control);
    answer_send(x, status, response);
    MHD_destroy_response(response); /* libmicrohttpd holds its own reference */
}

void exchange_answer(struct exchange *x, int status, const char *content_type, struct str body, bool copy)
{
    x->reply = reply_take(&x->thread->replies, content_type, !x->has_cache_control, body.len);
    if (x->reply == NULL) {
        answer_once(x, status, content_type, body, copy);
        return;
    }
    if (body.len > 0) { /* a body without bytes may be a NULL, as that of a 304 is */
        memcpy(x->reply->bytes, body.ptr, body.len);
    }
    check(x->state == EXCHANGE_RUNNING);
    complete_headers(x);
    reply_set_headers(x->reply, buf_str(&x->memory.headers));
    queue(x, status, x->reply->response);
}

void answer_finish(struct exchange *x)
{
    if (x->reply == NULL) {
        return;
    }
    if (x->thread->stopping_ms != 0) {
        reply_drop(x->reply);
    } else {
        reply_give(&x->thread->replies, x->reply);
    }
}

/* "urn:uuid:<request id>", absent when the client sent an id that is no UUID. */
static struct str instance_of(struct exchange *x, char *out, size_t size)
{
    static const char prefix[] = "urn:uuid:";
    struct str id = exchange_request_id(x);
    struct uuid uuid;
    if (!uuid_parse(id, &uuid)) {
        return STR_NONE;
    }
    check(sizeof(prefix) - 1 + id.len <= size);
    memcpy(out, prefix, sizeof(prefix) - 1);
    memcpy(out + sizeof(prefix) - 1, id.ptr, id.len);
    return (struct str){out, sizeof(prefix) - 1 + id.len};
}

void exchange_problem(struct exchange *x, enum err e, struct str detail, struct str members)
{
    const struct err_info *info = err_info(e);
    char instance[sizeof("urn:uuid:") + UUID_TEXT_LEN];
    struct buf *b = &x->memory.answer;
    buf_clear(b);
    problem_render(b, e, detail, members, instance_of(x, instance, sizeof(instance)));
    bool may_retry = info->retryable && (info->status == 409 || info->status == 503);
    if (may_retry && !x->has_retry_after) {
        exchange_set_header(x, "Retry-After", STR("1"));
    }
    exchange_answer(x, info->status, "application/problem+json", buf_str(b), false);
}

void answer_refusal(struct exchange *x)
{
    check(x->refusal.err != ERR_OK);
    exchange_problem(x, x->refusal.err, str_from(x->refusal.detail), STR_NONE);
}
