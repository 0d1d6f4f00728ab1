/*
 * Which route serves a path and method: a tree of segments built from the route rows.
 *
 * A literal segment goes before a parameter, wherever the rows stand. Matching allocates nothing.
 */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/http.h"
#include "http/target.h"

struct router;

/* `routes` is borrowed. Two rows with the same method and path are a bug. */
struct router *router_new(const struct route *routes, size_t routes_len);
void router_free(struct router *r); /* accepts NULL */

struct router_match {
    bool found;                                         /* the path has a route, for some method */
    const struct route *route;                          /* NULL: not for this method */
    unsigned params[HTTP_PATH_PARAMS_MAX];              /* indexes of segments */
    char allow[sizeof("GET, HEAD, PUT, POST, DELETE")]; /* the methods of the path, when `route` is NULL */
};

/* `method` may be HTTP_METHOD_COUNT for one that no route can have. */
void router_find(
    const struct router *r, enum http_method method, const struct target *target, struct router_match *out);

#endif
