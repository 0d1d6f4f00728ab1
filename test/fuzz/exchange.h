/*
 * An exchange without a network: the face of src/http for the handlers of src/api, which are linked with exchange.c in
 * place of the HTTP server. What the face says of a handler is held against it: it answers exactly once, or keeps the
 * exchange and is resumed exactly once, and every problem is one that the operation is documented to have.
 */
#ifndef TEST_FUZZ_EXCHANGE_H
#define TEST_FUZZ_EXCHANGE_H

#include "api/operations.h"
#include "http/target.h"

#define EXCHANGE_HEADERS_MAX 4

struct sent_header {
    const char *name;
    struct str value;
};

/* A request as a handler sees it: borrowed, UTF-8 without NUL but for the body. */
struct sent {
    const struct operation *operation;
    struct str params[HTTP_PATH_PARAMS_MAX];
    struct str query; /* as target_parse makes it */
    struct sent_header headers[EXCHANGE_HEADERS_MAX];
    struct str body;
};

enum exchange_state { EXCHANGE_RUNNING, EXCHANGE_KEPT, EXCHANGE_ANSWERED, EXCHANGE_STREAMING };

struct exchange {
    const struct sent *sent;
    enum exchange_state state;
    void (*resumed)(struct exchange *x, void *app);
    unsigned resumes; /* since it was kept */
    void *attached;
    void (*attached_free)(void *ptr);
    const struct stream_ops *stream;
    void *stream_ctx;

    /* The answer. */
    int status;
    enum err problem; /* ERR_OK: none */
    struct buf text;  /* what had to be copied, and problems */
    struct str body;
    struct buf link; /* the header; empty: none */
};

/*
 * Calls the handler, and as long as the exchange is kept `turn`, which must bring it on: finish what the exchange waits
 * for. Then the exchange is answered or streams.
 */
void exchange_run(struct exchange *x, const struct sent *sent, void *app, void (*turn)(void *ctx), void *turn_ctx);
/* The exchange ends. */
void exchange_release(struct exchange *x);

#endif
