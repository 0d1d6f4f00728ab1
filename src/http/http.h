/*
 * HTTP/1.1 server: libmicrohttpd in external epoll mode behind a small face. Knows nothing of stock.
 *
 * Each HTTP thread owns a daemon with its own SO_REUSEPORT listen socket and runs everything that belongs to its
 * connections. An exchange is one request and its answer. A handler answers at once, or keeps the exchange and lets
 * another thread complete it; meanwhile the connection is suspended.
 *
 * A handler sees only requests that are well framed, have a route, and carry a body of the right type and size; all
 * others are answered here with a problem. Every answer carries X-Request-Id, Cache-Control (no-store unless the
 * handler set one) and X-Content-Type-Options.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"
#include "base/err.h"

enum http_method { HTTP_GET, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_METHOD_COUNT };

#define HTTP_PATH_PARAMS_MAX 2
#define HTTP_CODES 600

struct exchange;
struct http_thread;
struct http_server;

/* One row per operation; the router is built from these. HEAD is served by the GET row. */
struct route {
    enum http_method method;
    const char *path;  /* "/v1/levels/{sku}/{location}": a segment in braces matches one percent-decoded segment */
    const char *label; /* metric label, operation name */
    void (*handler)(struct exchange *x, void *app);
    size_t body_bytes_max; /* 0: a body of 1 byte or more is refused (413); else it must be application/json (415) */
};

struct http_options {
    const char *host; /* address or name to listen on */
    uint16_t port;    /* 0: any free one */
    unsigned threads;
    unsigned connections_max;   /* over all threads; more wait in the listen queue */
    const struct route *routes; /* borrowed until http_free, as `app` */
    size_t routes_len;
    void *app;
    /* Per-thread hooks, on that thread; any may be NULL. */
    void (*thread_start)(void *app, struct http_thread *t);
    void (*thread_turn)(void *app, struct http_thread *t, int64_t mono_ms); /* every turn, at least every 250 ms */
    void (*thread_wait)(void *app, struct http_thread *t);                  /* before waiting for events */
    void (*thread_woken)(void *app, struct http_thread *t);                 /* after waiting */
    void (*thread_stop)(void *app, struct http_thread *t);
};

/* ERR_CONFIG with a note when it cannot listen there. The port is refused when any other process listens on it. */
MUST_CHECK enum err http_start(const struct http_options *options, struct http_server **out, struct err_note *note);
uint16_t http_port(const struct http_server *s);
unsigned http_threads(const struct http_server *s);
/*
 * Stops accepting, waits up to `grace_ms` for open exchanges to finish (streams are ended at once), ends threads.
 * After the grace connections are cut, but for kept exchanges: a thread that has some lives on, with its hooks, until
 * each was resumed.
 */
void http_stop(struct http_server *s, int grace_ms);
/*
 * After http_stop. Accepts NULL. Waits until every kept exchange was resumed. Those who resume and wake must have ended
 * before the call, `app` after it.
 */
void http_free(struct http_server *s);

/* Index 0..threads-1. */
unsigned http_thread_index(const struct http_thread *t);
/* Any thread: makes `t` take another turn soon. Cheap when it is already awake. */
void http_thread_wake(struct http_server *s, unsigned index);

/* The request. Strings live as long as the exchange; all but exchange_header are valid UTF-8 without NUL. */
enum http_method exchange_method(const struct exchange *x);           /* of its route: HEAD is HTTP_GET */
struct str exchange_target(const struct exchange *x);                 /* path and query as sent: any bytes above ' ' */
struct str exchange_body(const struct exchange *x);                   /* as sent: any bytes */
struct str exchange_path_param(const struct exchange *x, unsigned n); /* percent-decoded, never empty */
struct str exchange_header(const struct exchange *x, const char *name); /* absent when not sent; the first if several */
/* Query arguments, percent-decoded, in order; absent past the end. `i` counts from 0 over those with this name. */
struct str exchange_query(const struct exchange *x, const char *name, unsigned i);
/* The name of a query argument that is not in `known` (NULL-terminated); absent when there is none. */
struct str exchange_query_unknown(const struct exchange *x, const char *const *known);
/* The client's X-Request-Id when it is a token of up to 128 characters, else a UUIDv7. */
struct str exchange_request_id(const struct exchange *x);
struct http_thread *exchange_thread(const struct exchange *x);
/* For the maker of a handler: one pointer and its destructor (runs when the exchange ends, on its thread). */
void exchange_attach(struct exchange *x, void *ptr, void (*free)(void *ptr));
void *exchange_attached(const struct exchange *x);

/* The answer: headers first, then exactly one of answer, problem, stream. */
void exchange_set_header(struct exchange *x, const char *name, struct str value); /* copied; no control characters */
/*
 * The body is copied when `copy`, else it must live as long as the exchange. `content_type` NULL: none is sent, as for
 * 204 and 304.
 */
void exchange_answer(struct exchange *x, int status, const char *content_type, struct str body, bool copy);

/*
 * RFC 9457. `detail` is valid UTF-8 or absent; `members` is appended verbatim to the JSON object
 * (",\"shortfalls\":[...]"), absent: none. A retryable 409 or 503 gets `Retry-After: 1` unless the handler set one.
 */
void exchange_problem(struct exchange *x, enum err e, struct str detail, struct str members);
/* The body of a problem alone, for batches and idempotency records (`instance` is left out when absent). */
void problem_render(struct buf *out, enum err e, struct str detail, struct str members, struct str instance);

/*
 * Keeping an exchange: call exchange_keep() in the handler; from then on, also before the handler has returned, one
 * call of exchange_resume() from any thread makes the HTTP thread call `resumed`, which must answer (or keep again).
 * If the client is gone (one that has closed its sending side counts as gone), `resumed` is called all the same and its
 * answer is dropped. Whoever calls exchange_resume must not touch the exchange afterwards.
 */
void exchange_keep(struct exchange *x, void (*resumed)(struct exchange *x, void *app));
void exchange_resume(struct exchange *x);

/*
 * A body without end (Server-Sent Events). `fill` writes up to `size` bytes and returns how many; 0 means nothing to
 * say now: it is called again after exchange_stream_wake. All on the exchange's thread. `closed` runs once, when the
 * client is gone or the stream was ended; the exchange ends with it. A client that closes its sending side counts as
 * gone. A wake costs no system call; what `fill` returns leaves at once, without Nagle's delay.
 */
struct stream_ops {
    size_t (*fill)(void *ctx, char *out, size_t size);
    void (*closed)(void *ctx);
};
void exchange_stream(struct exchange *x, const char *content_type, const struct stream_ops *ops, void *ctx);
void exchange_stream_wake(struct exchange *x);
/* Ends the stream: in good order after what `fill` still has (cut: false), or at once (cut: true). */
void exchange_stream_end(struct exchange *x, bool cut);

struct http_metrics {
    uint64_t connections;                 /* open now */
    uint64_t requests[HTTP_METHOD_COUNT]; /* not matched by a route; HEAD counts as GET */
};

/*
 * Per route: requests by status code, and a histogram of the time from the call of the handler to its answer.
 * What libmicrohttpd refuses before a handler is found is in no count.
 */
#define HTTP_LATENCY_BUCKETS 24
struct route_metrics {
    uint64_t by_status[HTTP_CODES];
    uint64_t latency_us_bucket[HTTP_LATENCY_BUCKETS]; /* [i]: <= 2^i and > 2^(i-1) microseconds; longer: in none */
    uint64_t latency_us_sum;
    uint64_t count;
};
void http_metrics(const struct http_server *s, struct http_metrics *out);
/* Sums over the threads. `route` indexes options->routes; routes_len: requests that no route matched. */
void http_route_metrics(const struct http_server *s, size_t route, struct route_metrics *out);

#endif
