#include "api/operations.h"

#include "api/service.h"

#define ERRORS(...) ((const enum err[]){__VA_ARGS__, ERR_OK})

#define OP(id, ...) static void enter_##id(struct exchange *x, void *app);
#include "api/operations.def"
#undef OP

const struct operation operations[OPERATION_COUNT] = {
#define OP(id, verb, at, group, right, body, in, out, code, type, flags, arguments, own, title, text) \
    {                                                                                                 \
        .name = #id,                                                                                  \
        .method = HTTP_##verb,                                                                        \
        .path = (at),                                                                                 \
        .tag = (group),                                                                               \
        .scope = (right),                                                                             \
        .body_bytes_max = (body),                                                                     \
        .request = (in),                                                                              \
        .response = (out),                                                                            \
        .status = (code),                                                                             \
        .media = (type),                                                                              \
        .traits = (flags),                                                                            \
        .query = (arguments),                                                                         \
        .errors = (own),                                                                              \
        .summary = (title),                                                                           \
        .description = (text),                                                                        \
        .handler = enter_##id,                                                                        \
    },
#include "api/operations.def"
#undef OP
};

static const struct route routes[OPERATION_COUNT] = {
#define OP(id, verb, at, group, right, body, ...) \
    {                                             \
        .method = HTTP_##verb,                    \
        .path = (at),                             \
        .label = #id,                             \
        .handler = enter_##id,                    \
        .body_bytes_max = (body),                 \
    },
#include "api/operations.def"
#undef OP
};

/* What the router calls: the handler, if this process can do what it is for. */
#define OP(id, ...)                                           \
    static void enter_##id(struct exchange *x, void *app)     \
    {                                                         \
        if (api_enter(app, x, &operations[OPERATION_##id])) { \
            api_##id(x, app);                                 \
        }                                                     \
    }
#include "api/operations.def"
#undef OP

const struct route *api_routes(size_t *out_len)
{
    *out_len = OPERATION_COUNT;
    return routes;
}
