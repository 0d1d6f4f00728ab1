/*
 * One request and its answer, from the request line to the last byte sent. Owned by its HTTP thread.
 *
 *   NAMED       the request line was read, the headers are coming
 *   RECEIVING   the headers were looked at, the body is coming
 *   RUNNING     the handler or `resumed` is being called: the only state in which it can be answered
 *   KEPT        suspended, or about to be when the handler returns; somebody will call exchange_resume
 *   ANSWERED    libmicrohttpd is sending the answer
 *   STREAMING   likewise, and asks for more
 *
 *   NAMED -> RECEIVING -> RUNNING -> ANSWERED or STREAMING
 *                           | ^
 *                           v |
 *                          KEPT
 *
 * It ends, whatever the state but RUNNING and KEPT, when libmicrohttpd reports the request completed; then it is used
 * again. The only thing that another thread does to it is to push it into the inbox of its thread. The thread looks
 * there between handlers only, so a resume that overtakes the end of the handler waits in the inbox until the
 * connection is suspended. `resumed` is called while the connection is still suspended, because libmicrohttpd does not
 * look at such a connection: it cannot end under us. That the client is gone is noticed after the answer. A client that
 * closed its sending side counts as gone: the first thing libmicrohttpd does with a resumed connection is to read.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "http/reply.h"
#include "http/router.h"
#include "http/screen.h"

#define EXCHANGE_BUF_KEPT_BYTES (16 * 1024) /* a recycled exchange keeps buffers up to this size */
#define DRAIN_BYTES_MAX (64 * 1024)         /* of the body of a refused request, to save the connection */

enum exchange_state {
    EXCHANGE_NAMED,
    EXCHANGE_RECEIVING,
    EXCHANGE_RUNNING,
    EXCHANGE_KEPT,
    EXCHANGE_ANSWERED,
    EXCHANGE_STREAMING
};

/* What is kept when an exchange is used again. */
struct exchange_memory {
    struct buf target; /* twice: decoded in place, and as sent */
    struct buf query;
    struct buf body;
    struct buf headers; /* of the answer: name, NUL, value, NUL, ... */
    struct buf answer;
};

struct exchange_stream {
    const struct stream_ops *ops;
    void *ctx;
    bool suspended;
    bool given_back; /* the memory that an idle stream does not need */
    bool woken;      /* since `fill` was called */
    bool ending;
    bool cut;
};

/* Where exchange_query found its last answer, so that asking for 0, 1, 2, ... reads the arguments once. */
struct query_cursor {
    const char *name;
    unsigned next; /* number of the argument that comes next */
    size_t at;
};

struct exchange {
    struct http_thread *thread;
    struct MHD_Connection *connection;
    struct exchange *next;     /* in the one list or inbox that it is in */
    struct exchange *previous; /* in a list that it can leave anywhere: named, streams */
    enum exchange_state state;
    bool preempted; /* refused behind the back of libmicrohttpd */

    enum http_method method; /* HTTP_METHOD_COUNT: none of ours */
    size_t target_len;       /* as sent */
    struct target target;
    struct query_cursor cursor;
    struct screening screening;
    struct refusal refusal;
    const struct route *route; /* NULL: none */
    unsigned params[HTTP_PATH_PARAMS_MAX];
    size_t received; /* bytes of the body */
    int64_t started_us;
    void (*resumed)(struct exchange *x, void *app);
    void *attached;
    void (*attached_free)(void *ptr);
    struct reply *reply; /* the answer, when it is of the kept kind */
    bool has_cache_control;
    bool has_retry_after;
    struct exchange_stream stream;
    unsigned request_id_len;
    char request_id[REQUEST_ID_BYTES_MAX + 1]; /* terminated, for libmicrohttpd */
    struct exchange_memory memory;
};

/* For libmicrohttpd; `cls` is the thread. */
void *exchange_named_cb(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_access_cb(
    void *cls,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *data,
    size_t *data_len,
    void **context);
void exchange_completed_cb(
    void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code);

/* For an exchange that came out of the inbox: calls `resumed`, then lets libmicrohttpd go on. */
void exchange_continue(struct exchange *x);
void exchange_free(struct exchange *x);
int exchange_socket(const struct exchange *x);

void exchange_link(struct exchange **list, struct exchange *x);
void exchange_unlink(struct exchange **list, struct exchange *x);

/* Answers with the refusal of `x`. */
void answer_refusal(struct exchange *x);
/* Adds the headers of this answer to `response`, which has the fixed ones, and hands it to libmicrohttpd; counts. */
void answer_send(struct exchange *x, int status, struct MHD_Response *response);
/* The answer was sent, or never will be. */
void answer_finish(struct exchange *x);

/* The end of a streaming exchange. */
void stream_closed(struct exchange *x);
/* The client closed its side. */
void stream_hung_up(struct exchange *x);
void stream_end_all(struct http_thread *t);

#endif
