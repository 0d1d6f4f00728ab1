#include "http/exchange.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "http/thread.h"

#define ALLOW_ALL "GET, HEAD, PUT, POST, DELETE"

static void memory_init(struct exchange_memory *m)
{
    buf_init(&m->target, 2 * TARGET_BYTES_MAX + 1);
    buf_init(&m->query, 2 * TARGET_BYTES_MAX);
    buf_init(&m->body, SIZE_MAX); /* its limit is the route's */
    buf_init(&m->headers, TARGET_BYTES_MAX);
    buf_init(&m->answer, SIZE_MAX);
}

static void memory_release(struct exchange_memory *m)
{
    buf_release(&m->target);
    buf_release(&m->query);
    buf_release(&m->body);
    buf_release(&m->headers);
    buf_release(&m->answer);
}

static void buf_reuse(struct buf *b)
{
    buf_clear(b);
    if (b->size > EXCHANGE_BUF_KEPT_BYTES) {
        buf_release(b);
    }
}

static struct exchange *exchange_new(struct http_thread *t)
{
    struct exchange *x = t->unused;
    if (x == NULL) {
        x = mem_new(sizeof(*x));
        memory_init(&x->memory);
    } else {
        t->unused = x->next;
        /* All but what is kept, and the id, whose length says how much of it counts. */
        memset(x, 0, offsetof(struct exchange, request_id));
    }
    x->thread = t;
    return x;
}

static void exchange_recycle(struct exchange *x)
{
    buf_reuse(&x->memory.target);
    buf_reuse(&x->memory.query);
    buf_reuse(&x->memory.body);
    buf_reuse(&x->memory.headers);
    buf_reuse(&x->memory.answer);
    x->next = x->thread->unused;
    x->thread->unused = x;
}

void exchange_free(struct exchange *x)
{
    memory_release(&x->memory);
    mem_free(x);
}

void exchange_link(struct exchange **list, struct exchange *x)
{
    x->previous = NULL;
    x->next = *list;
    if (*list != NULL) {
        (*list)->previous = x;
    }
    *list = x;
}

void exchange_unlink(struct exchange **list, struct exchange *x)
{
    if (x->previous != NULL) {
        x->previous->next = x->next;
    } else {
        check(*list == x);
        *list = x->next;
    }
    if (x->next != NULL) {
        x->next->previous = x->previous;
    }
}

int exchange_socket(const struct exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    check(info != NULL);
    return info->connect_fd;
}

/*
 * libmicrohttpd would parse the arguments next, at a cost of 64 bytes each of the connection's memory: a stream of many
 * SKUs would not fit. It does so in the buffer that `target` points into, so an end mark there leaves it none.
 */
static void hide_arguments(const char *target)
{
    char *mark = strchr((char *)(uintptr_t)target, '?');
    if (mark != NULL) {
        mark[1] = '\0';
    }
}

void *exchange_named_cb(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct exchange *x = exchange_new(cls);
    x->connection = connection;
    x->state = EXCHANGE_NAMED;
    exchange_link(&x->thread->named, x);
    if (target != NULL) {
        x->target_len = strlen(target);
        if (x->target_len <= TARGET_BYTES_MAX) {
            buf_put(&x->memory.target, target, x->target_len);
            buf_put(&x->memory.target, target, x->target_len);
        }
        hide_arguments(target);
    }
    return x;
}

static enum http_method method_from(const char *name)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_GET] = "GET", [HTTP_PUT] = "PUT", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
    for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
        if (strcmp(name, names[m]) == 0) {
            return (enum http_method)m;
        }
    }
    return strcmp(name, "HEAD") == 0 ? HTTP_GET : HTTP_METHOD_COUNT;
}

static struct refusal refusal_of(enum err e, const char *detail)
{
    return (struct refusal){.err = e, .detail = detail};
}

/* Finds the route; the refusal when there is none. */
static struct refusal find_route(struct exchange *x)
{
    struct router_match match = {.found = false};
    router_find(x->thread->server->router, x->method, &x->target, &match);
    x->route = match.route;
    memcpy(x->params, match.params, sizeof(x->params));
    if (match.route != NULL) {
        return refusal_of(ERR_OK, NULL);
    }
    if (match.found || x->method == HTTP_METHOD_COUNT) {
        exchange_set_header(x, "Allow", match.found ? str_from(match.allow) : STR(ALLOW_ALL));
        return refusal_of(ERR_METHOD_NOT_ALLOWED, NULL);
    }
    return refusal_of(ERR_NOT_FOUND, NULL);
}

/* What can be said of the body before and while it comes. */
static struct refusal judge_body(const struct exchange *x, uint64_t len)
{
    if (x->screening.refusal.err != ERR_OK) {
        return x->screening.refusal;
    }
    if (len > x->route->body_bytes_max) {
        return refusal_of(ERR_TOO_LARGE, x->route->body_bytes_max == 0 ? "This operation takes no body." : NULL);
    }
    if (len > 0 && !screen_is_json(x->screening.content_type)) {
        return refusal_of(ERR_UNSUPPORTED_MEDIA, NULL);
    }
    return refusal_of(ERR_OK, NULL);
}

/* Blanks end the target for some, as they do for us only at the last one. */
static bool has_blank(struct str s)
{
    return memchr(s.ptr, ' ', s.len) != NULL || memchr(s.ptr, '\t', s.len) != NULL;
}

static struct refusal judge(struct exchange *x)
{
    const struct screening *s = &x->screening;
    if (s->refusal.err != ERR_OK && s->refusal.close) {
        return s->refusal;
    }
    if (x->target_len > TARGET_BYTES_MAX) {
        return (struct refusal){
            .err = ERR_TARGET_TOO_LONG, .detail = "The target is longer than 8 KiB.", .close = true};
    }
    bool is_ambiguous = has_blank((struct str){x->memory.target.ptr, x->target_len});
    const char *fault = target_parse(x->memory.target.ptr, x->target_len, &x->memory.query, &x->target);
    if (fault != NULL && (is_ambiguous || x->method != HTTP_METHOD_COUNT)) {
        return (struct refusal){.err = ERR_MALFORMED, .detail = fault, .close = is_ambiguous};
    }
    struct refusal refusal = find_route(x);
    return refusal.err != ERR_OK ? refusal : judge_body(x, s->has_length ? s->content_length : 0);
}

/* True when the answer must not wait for the body: the rest of the connection is then thrown away. */
static bool is_answered_at_once(const struct exchange *x)
{
    const struct screening *s = &x->screening;
    return x->refusal.close || s->expects_continue || (s->has_length && s->content_length > DRAIN_BYTES_MAX);
}

/* The first call: the headers are complete. */
static void begin(struct exchange *x, const char *method, const char *url, const char *version)
{
    check(x->state == EXCHANGE_NAMED);
    exchange_unlink(&x->thread->named, x);
    struct request_head head = {x->connection, method, url, version, x->target_len};
    screen_head(&head, &x->screening);
    x->method = method_from(method);
    x->state = EXCHANGE_RECEIVING;
    x->thread->open++;
    x->refusal = judge(x);
    if (x->refusal.err != ERR_OK && is_answered_at_once(x)) {
        x->state = EXCHANGE_RUNNING;
        answer_refusal(x);
    }
}

/* A piece of the body. False: give up the connection, as libmicrohttpd takes no answer before the end of a body. */
static bool receive(struct exchange *x, const char *data, size_t len)
{
    check(x->state == EXCHANGE_RECEIVING);
    x->received += len;
    if (x->refusal.err == ERR_OK) {
        x->refusal = judge_body(x, x->received);
    }
    if (x->refusal.err == ERR_OK) {
        buf_put(&x->memory.body, data, len);
        return true;
    }
    size_t allowed = x->route != NULL ? x->route->body_bytes_max : 0;
    return x->received <= allowed + DRAIN_BYTES_MAX;
}

/* The last call: the request is complete. */
static void run(struct exchange *x)
{
    check(x->state == EXCHANGE_RECEIVING);
    x->state = EXCHANGE_RUNNING;
    if (x->refusal.err != ERR_OK) {
        answer_refusal(x);
        return;
    }
    x->started_us = clock_mono_us();
    x->route->handler(x, x->thread->server->options.app);
    check(x->state != EXCHANGE_RUNNING); /* a handler answers or keeps */
    if (x->state == EXCHANGE_KEPT) {
        MHD_suspend_connection(x->connection);
    }
}

enum MHD_Result exchange_access_cb(
    void *cls,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *data,
    size_t *data_len,
    void **context)
{
    (void)cls;
    struct exchange *x = *context;
    check(x->connection == connection);
    if (x->state == EXCHANGE_NAMED) {
        begin(x, method, url, version);
    } else if (*data_len > 0) {
        size_t len = *data_len;
        *data_len = 0;
        return receive(x, data, len) ? MHD_YES : MHD_NO;
    } else {
        run(x);
    }
    return MHD_YES;
}

void exchange_completed_cb(
    void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_thread *t = cls;
    struct exchange *x = *context;
    if (x == NULL) {
        return;
    }
    check(x->state != EXCHANGE_RUNNING && x->state != EXCHANGE_KEPT);
    if (x->state == EXCHANGE_STREAMING) {
        stream_closed(x);
    }
    answer_finish(x);
    if (x->attached_free != NULL) {
        x->attached_free(x->attached);
    }
    if (x->state == EXCHANGE_NAMED) {
        exchange_unlink(&t->named, x);
    } else {
        t->open--;
    }
    *context = NULL;
    exchange_recycle(x);
}

void exchange_keep(struct exchange *x, void (*resumed)(struct exchange *x, void *app))
{
    check(x->state == EXCHANGE_RUNNING && resumed != NULL);
    x->resumed = resumed;
    x->state = EXCHANGE_KEPT;
    x->thread->kept++;
}

void exchange_resume(struct exchange *x)
{
    inbox_push(&x->thread->inbox, x);
}

void exchange_continue(struct exchange *x)
{
    check(x->state == EXCHANGE_KEPT);
    x->state = EXCHANGE_RUNNING;
    x->thread->kept--;
    x->resumed(x, x->thread->server->options.app);
    check(x->state != EXCHANGE_RUNNING);
    if (x->state != EXCHANGE_KEPT) {
        x->thread->must_run = true;
        MHD_resume_connection(x->connection);
    }
}
