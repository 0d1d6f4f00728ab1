#include "api/forward_line.h"

#include "base/clock.h"
#include "base/log.h"

#include <strings.h>

#define IDLE_S 30 /* a connection is not used again after so long; the servers close theirs after 60 */

#define SET(l, option, value)                                                \
    do {                                                                     \
        CURLcode set = curl_easy_setopt((l)->easy, CURLOPT_##option, value); \
        check(set == CURLE_OK);                                              \
    } while (0)

static size_t body_cb(char *bytes, size_t one, size_t len, void *ctx)
{
    struct forward_line *l = ctx;
    check(one == 1);
    buf_put(&l->work->body_back, bytes, len);
    return l->work->body_back.overflowed ? 0 : len;
}

/* For libcurl a head that is cut off is as good as a whole one. The last line of a head is empty. */
static size_t head_cb(char *line, size_t one, size_t len, void *ctx)
{
    struct forward_line *l = ctx;
    check(one == 1);
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* another head: the one before was a 1xx */
        l->has_head = false;
    }
    l->has_head = l->has_head || (len <= 2 && (line[0] == '\r' || line[0] == '\n'));
    return len;
}

/* Before the request is sent, and again before libcurl repeats it. */
static int send_cb(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
    struct forward_line *l = ctx;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    l->sends++;
    return CURL_PREREQFUNC_OK;
}

/* What is the same for all tries. */
static void line_open(struct forward_line *l, const struct forwarder_limits *limits)
{
    l->easy = curl_easy_init();
    check(l->easy != NULL);
    SET(l, PRIVATE, l);
    SET(l, WRITEFUNCTION, body_cb);
    SET(l, WRITEDATA, l);
    SET(l, HEADERFUNCTION, head_cb);
    SET(l, HEADERDATA, l);
    SET(l, PREREQFUNCTION, send_cb);
    SET(l, PREREQDATA, l);
    SET(l, NOSIGNAL, 1L);
    SET(l, PROXY, "");
    SET(l, PROTOCOLS_STR, "http,https");
    SET(l, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(l, CONNECTTIMEOUT_MS, (long)limits->connect_ms);
    SET(l, TIMEOUT_MS, (long)limits->answer_ms);
    SET(l, MAXAGE_CONN, (long)IDLE_S);
}

static void set_method(struct forward_line *l, const struct forward_work *w)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_GET] = NULL, [HTTP_PUT] = "PUT", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
    if (w->method == HTTP_GET) {
        SET(l, HTTPGET, 1L);
    } else {
        SET(l, POST, 1L);
        SET(l, POSTFIELDSIZE_LARGE, (curl_off_t)w->body.len);
        SET(l, POSTFIELDS, w->body.len > 0 ? w->body.ptr : ""); /* not copied */
    }
    SET(l, CUSTOMREQUEST, names[w->method]);
}

void forward_line_begin(
    struct forward_line *l, CURLM *multi, struct forward_work *w, const struct forwarder_limits *limits)
{
    check(l->work == NULL && w->at != NULL);
    if (l->easy == NULL) {
        line_open(l, limits);
    }
    l->work = w;
    l->has_head = false;
    l->sends = 0;
    buf_clear(&w->body_back);
    set_method(l, w);
    SET(l, URL, w->at->url);
    SET(l, REQUEST_TARGET, w->target);
    SET(l, HTTPHEADER, w->headers);
    /* libcurl repeats by itself what it lost on a connection that it had used before. */
    SET(l, FRESH_CONNECT, w->repeatable ? 0L : 1L);
    CURLMcode added = curl_multi_add_handle(multi, l->easy);
    check(added == CURLM_OK);
}

/* The answer. */

static bool is_passed_back(const char *name)
{
    static const char *const names[] = {
        "ETag", "Location", "Link", "Idempotent-Replayed", "Retry-After", "Allow", "Content-Security-Policy", "Vary",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncasecmp(name, "Onhand-", 7) == 0;
}

static bool is_no_store(const struct curl_header *h)
{
    return strcasecmp(h->value, "no-store") == 0; /* what the front says when nothing else is */
}

static void take_header(struct forward_work *w, const struct curl_header *h)
{
    struct str value = str_from(h->value);
    if (value.len == 0 || str_has_control(value)) {
        return;
    }
    if (strcasecmp(h->name, "Content-Type") == 0) {
        buf_clear(&w->content_type);
        buf_put(&w->content_type, value.ptr, value.len + 1);
    } else if (is_passed_back(h->name) || (strcasecmp(h->name, "Cache-Control") == 0 && !is_no_store(h))) {
        buf_put(&w->headers_back, h->name, strlen(h->name) + 1);
        buf_put(&w->headers_back, value.ptr, value.len + 1);
    }
}

static void take_headers(const struct forward_line *l)
{
    struct forward_work *w = l->work;
    struct curl_header *h = NULL;
    buf_clear(&w->content_type);
    buf_clear(&w->headers_back);
    while ((h = curl_easy_nextheader(l->easy, CURLH_HEADER, -1, h)) != NULL) {
        take_header(w, h);
    }
}

static void refuse_answer(struct forward_work *w, const char *why)
{
    struct str id = exchange_request_id(w->exchange);
    w->err = ERR_INTERNAL;
    log_line(LOG_WARN, "forward_unfit", "request=%.*s node=%s why=%s", STR_ARG(id), w->at->url, why);
}

static void take_answer(struct forward_line *l)
{
    struct forward_work *w = l->work;
    long status = 0;
    curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &status);
    take_headers(l);
    w->status = (int)status;
    if (status < 200 || status >= HTTP_CODES) {
        refuse_answer(w, "status");
    } else if (w->content_type.overflowed || w->headers_back.overflowed) {
        refuse_answer(w, "headers_too_long");
    }
}

static bool has_header(const struct forward_line *l, const char *name)
{
    struct curl_header *h;
    return curl_easy_header(l->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK;
}

/* Nothing of it can be missing: its end is not just where the connection ended. */
static bool is_complete(const struct forward_line *l)
{
    long status = 0;
    curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &status);
    bool has_end =
        status == 204 || status == 304 || has_header(l, "Content-Length") || has_header(l, "Transfer-Encoding");
    return l->has_head && has_end;
}

static bool has_left(const struct forward_line *l)
{
    long sent = 0;
    curl_easy_getinfo(l->easy, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0;
}

enum try_end forward_line_end(struct forward_line *l, CURLM *multi, CURLcode result)
{
    struct forward_work *w = l->work;
    check(w != NULL);
    w->uncertain = w->uncertain || l->sends > 1;
    enum try_end end = TRY_ANSWERED;
    if (result == CURLE_OK && is_complete(l)) {
        take_answer(l);
    } else if (w->body_back.overflowed) {
        refuse_answer(w, "body_too_long");
    } else {
        end = has_left(l) ? TRY_LOST : TRY_UNSENT;
    }
    bool unreached = end == TRY_UNSENT && (result == CURLE_OPERATION_TIMEDOUT || result == CURLE_COULDNT_RESOLVE_HOST);
    if (unreached || end == TRY_ANSWERED) { /* a connection alone says nothing: a stopped process has them too */
        forward_target_judge(w->at, !unreached, clock_mono_ms());
    }
    CURLMcode removed = curl_multi_remove_handle(multi, l->easy);
    check(removed == CURLM_OK);
    l->work = NULL;
    return end;
}

void forward_line_close(struct forward_line *l)
{
    check(l->work == NULL);
    curl_easy_cleanup(l->easy); /* accepts NULL */
    l->easy = NULL;
}
