/*
 * The operations of the interface, as declared in operations.def: handlers, and the table that the router, the metric
 * labels and the OpenAPI document are made from.
 */
#ifndef API_OPERATIONS_H
#define API_OPERATIONS_H

#include "api/messages.h"
#include "http/http.h"

enum operation_trait {
    TRAIT_KEY = 1 << 0,           /* needs Idempotency-Key */
    TRAIT_BODY_OPTIONAL = 1 << 1, /* an absent body counts as {} */
    TRAIT_SEQ = 1 << 2,           /* a write: its answer has Onhand-Seq */
    TRAIT_CREATES = 1 << 3,       /* 201 when it did not exist, 200 when it did */
    TRAIT_LOCATION = 1 << 4,      /* the answer has Location */
    TRAIT_ETAG = 1 << 5,          /* the answer has ETag */
    TRAIT_NOT_MODIFIED = 1 << 6,  /* If-None-Match is answered with 304 */
    TRAIT_PRECONDITION = 1 << 7,  /* needs If-Match, or If-None-Match: * */
    TRAIT_STORE = 1 << 8,         /* reads the store through a bounded queue */
    TRAIT_PAGED = 1 << 9,         /* the answer has Link with rel="next" */
    TRAIT_VIEW = 1 << 10,         /* reads the availability view: the answer has Onhand-Seq */
    TRAIT_RESUME = 1 << 11,       /* takes Last-Event-ID */
    TRAIT_HIDDEN = 1 << 12,       /* for people: not in the OpenAPI document */
};

struct operation {
    const char *name; /* snake_case: metric label; camelCase: operationId */
    enum http_method method;
    const char *path;
    const char *tag;
    const char *scope;
    size_t body_bytes_max;
    const struct message *request;  /* NULL: no body */
    const struct message *response; /* NULL: no JSON */
    int status;                     /* of success */
    const char *media;              /* of success */
    unsigned traits;
    const struct message *query;
    const enum err *errors; /* its own, ended by ERR_OK; others follow from the traits */
    const char *summary;
    const char *description;
    void (*handler)(struct exchange *x, void *app);
};

enum operation_index {
#define OP(name, ...) OPERATION_##name,
#include "api/operations.def"
#undef OP
    OPERATION_COUNT
};

extern const struct operation operations[OPERATION_COUNT];

/* About this process alone: never forwarded. */
static inline bool operation_is_of_process(const struct operation *op)
{
    return op->scope[0] == 'n'; /* "none" */
}

#define OP(name, ...) void api_##name(struct exchange *x, void *app);
#include "api/operations.def"
#undef OP

#endif
