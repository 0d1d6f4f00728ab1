#include "api/forward_work.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/target.h"

#include <stdio.h>
#include <strings.h>

#define HEADER_LINE_BYTES_MAX (16 * 1024) /* the head of a request is no longer */
#define CONTENT_TYPE_BYTES_MAX 256

/* The request. */

static void add_line(struct forward_work *w, const char *line)
{
    struct curl_slist *longer = curl_slist_append(w->headers, line);
    check(longer != NULL);
    w->headers = longer;
}

/* In the language of CURLOPT_HTTPHEADER: "name;" is a header without a value, "name:" one that must not be sent. */
static void add_header(struct forward_work *w, const char *name, struct str value)
{
    struct buf line;
    buf_init(&line, HEADER_LINE_BYTES_MAX);
    buf_put_str(&line, str_from(name));
    if (value.len == 0) {
        buf_put_char(&line, ';');
    } else {
        buf_put_literal(&line, ": ");
        buf_put_str(&line, value);
    }
    buf_put_char(&line, '\0');
    check(!line.overflowed);
    add_line(w, line.ptr);
    buf_release(&line);
}

static void pass_on(struct forward_work *w, const char *name)
{
    struct str value = exchange_header(w->exchange, name);
    if (!str_is_absent(value)) {
        add_header(w, name, value);
    }
}

/* libcurl would add one of its own. */
static void pass_on_or_leave_out(struct forward_work *w, const char *name, const char *left_out)
{
    if (str_is_absent(exchange_header(w->exchange, name))) {
        add_line(w, left_out);
    } else {
        pass_on(w, name);
    }
}

static void add_headers(struct forward_work *w, unsigned hops)
{
    static const char *const passed_on[] = {
        "Idempotency-Key", "If-Match", "If-None-Match", "Prefer", "Authorization", "traceparent", "tracestate",
    };
    char room[U64_DIGITS_MAX];
    pass_on_or_leave_out(w, "Content-Type", "Content-Type:");
    pass_on_or_leave_out(w, "Accept", "Accept:");
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
        pass_on(w, passed_on[i]);
    }
    add_header(w, "X-Request-Id", exchange_request_id(w->exchange));
    add_header(w, "Onhand-Hops", str_from_u64(hops + 1, room));
    add_line(w, "Expect:");
}

struct forward_work *forward_work_new(struct exchange *x, unsigned hops, size_t answer_bytes_max)
{
    struct forward_work *w = mem_new(sizeof(*w));
    w->exchange = x;
    w->since_ms = clock_mono_ms();
    w->method = exchange_method(x);
    w->target = mem_copy_str(exchange_target(x));
    w->body = exchange_body(x);
    w->repeatable =
        w->method == HTTP_GET || (w->method == HTTP_POST && !str_is_absent(exchange_header(x, "Idempotency-Key")));
    add_headers(w, hops);
    buf_init(&w->content_type, CONTENT_TYPE_BYTES_MAX);
    buf_init(&w->headers_back, FORWARD_HEADERS_BYTES_MAX);
    buf_init(&w->body_back, answer_bytes_max);
    return w;
}

void forward_work_free(void *ptr)
{
    struct forward_work *w = ptr;
    check(w->targets == NULL);
    curl_slist_free_all(w->headers);
    mem_free(w->target);
    buf_release(&w->content_type);
    buf_release(&w->headers_back);
    buf_release(&w->body_back);
    mem_free(w);
}

/* The rules. */

/* What the code of an error reads on the wire: the quotes cannot stand within a string. */
static bool says(const struct forward_work *w, enum err e)
{
    char code[64];
    const struct buf *b = &w->body_back;
    int len = snprintf(code, sizeof(code), "\"code\":\"%s\"", err_info(e)->slug);
    check(len > 0 && (size_t)len < sizeof(code));
    return b->len > 0 && memmem(b->ptr, b->len, code, (size_t)len) != NULL;
}

/*
 * Nothing was done there, and another node may be able to: it knows no leader, or it led, and has lost the database, which
 * another reaches and leads by now.
 */
static bool is_declined(const struct forward_work *w)
{
    static const enum err errors[] = {ERR_NO_LEADER, ERR_NOT_COMMITTED, ERR_STORE_AWAY, ERR_SHUTTING_DOWN};
    bool declined = false;
    for (size_t i = 0; i < ARRAY_LEN(errors) && w->status == 503; i++) {
        declined = declined || says(w, errors[i]);
    }
    return declined;
}

/* A problem that says that nothing was done speaks for its own node only. */
static void accept_answer(struct forward_work *w)
{
    bool is_write = w->method != HTTP_GET;
    w->err = is_write && w->uncertain && w->status >= 500 ? ERR_OUTCOME_UNKNOWN : ERR_OK;
}

bool forward_work_settle(struct forward_work *w, enum try_end end)
{
    if (w->err != ERR_OK) {
        return false;
    }
    w->declined = end == TRY_ANSWERED && is_declined(w);
    if (end == TRY_ANSWERED) {
        if (!w->declined) {
            accept_answer(w);
        }
        return w->declined;
    }
    if (end == TRY_UNSENT) {
        return true;
    }
    bool go_on = w->repeatable && !w->repeated;
    w->repeated = true;
    w->uncertain = true;
    if (!go_on) {
        forward_work_give_up(w);
    }
    return go_on;
}

void forward_work_give_up(struct forward_work *w)
{
    if (w->declined && !says(w, ERR_NO_LEADER)) {
        accept_answer(w); /* it says more than we could */
        return;
    }
    w->err = w->method != HTTP_GET && w->uncertain ? ERR_OUTCOME_UNKNOWN : ERR_NO_LEADER;
}

void forward_work_shut_down(struct forward_work *w)
{
    w->err = w->method != HTTP_GET && w->uncertain ? ERR_OUTCOME_UNKNOWN : ERR_SHUTTING_DOWN;
}

/* The answer. */

static void set_headers(struct exchange *x, struct str headers)
{
    struct str name;
    struct str value;
    size_t at = 0;
    while (target_argument_next(headers, &at, &name, &value)) {
        exchange_set_header(x, name.ptr, value);
    }
}

void forward_work_answer(struct exchange *x, void *app)
{
    (void)app;
    struct forward_work *w = exchange_attached(x);
    if (w->err != ERR_OK) {
        exchange_problem(x, w->err, STR_NONE, STR_NONE);
        return;
    }
    set_headers(x, buf_str(&w->headers_back));
    const char *type = w->content_type.len > 0 ? w->content_type.ptr : NULL;
    exchange_answer(x, w->status, type, buf_str(&w->body_back), false);
}
