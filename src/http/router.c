#include "http/router.h"

#include "base/mem.h"

#define NO_NODE 0 /* the root is nobody's child or sibling */

struct node {
    struct str text; /* the literal; absent: a parameter */
    uint16_t child;  /* first one; literals come before the parameter */
    uint16_t sibling;
    const struct route *routes[HTTP_METHOD_COUNT];
};

struct router {
    struct node *nodes; /* [0] is the root, above the first segment */
    size_t nodes_len;
    size_t nodes_cap;
};

static uint16_t add_node(struct router *r, struct str text)
{
    mem_grow((void **)&r->nodes, &r->nodes_cap, r->nodes_len + 1, sizeof(*r->nodes));
    check(r->nodes_len < UINT16_MAX);
    r->nodes[r->nodes_len] = (struct node){.text = text};
    return (uint16_t)r->nodes_len++;
}

static bool is_same_child(const struct node *n, struct str text)
{
    return str_is_absent(n->text) ? str_is_absent(text) : !str_is_absent(text) && str_equal(n->text, text);
}

/* The child of `parent` for `text` (absent: the parameter), made when it is not there. */
static uint16_t child_of(struct router *r, uint16_t parent, struct str text)
{
    uint16_t last = NO_NODE;
    for (uint16_t at = r->nodes[parent].child; at != NO_NODE; at = r->nodes[at].sibling) {
        if (is_same_child(&r->nodes[at], text)) {
            return at;
        }
        last = at;
    }
    uint16_t made = add_node(r, text);
    if (str_is_absent(text) && last != NO_NODE) {
        r->nodes[last].sibling = made;
    } else {
        r->nodes[made].sibling = r->nodes[parent].child;
        r->nodes[parent].child = made;
    }
    return made;
}

static struct str segment_from(const char *text, size_t len)
{
    bool is_param = len > 0 && text[0] == '{';
    check(!is_param || text[len - 1] == '}');
    return is_param ? STR_NONE : (struct str){text, len};
}

static void add_route(struct router *r, const struct route *route)
{
    check(route->path[0] == '/' && route->method < HTTP_METHOD_COUNT);
    uint16_t at = 0;
    unsigned params = 0;
    unsigned depth = 0;
    const char *text = route->path;
    while (*text == '/') {
        size_t len = strcspn(++text, "/");
        struct str segment = segment_from(text, len);
        params += str_is_absent(segment);
        depth++;
        at = child_of(r, at, segment);
        text += len;
    }
    check(params <= HTTP_PATH_PARAMS_MAX && depth <= TARGET_SEGMENTS_MAX);
    check(r->nodes[at].routes[route->method] == NULL);
    r->nodes[at].routes[route->method] = route;
}

struct router *router_new(const struct route *routes, size_t routes_len)
{
    struct router *r = mem_new(sizeof(*r));
    add_node(r, STR_NONE);
    for (size_t i = 0; i < routes_len; i++) {
        add_route(r, &routes[i]);
    }
    return r;
}

void router_free(struct router *r)
{
    if (r != NULL) {
        mem_free(r->nodes);
        mem_free(r);
    }
}

static bool has_routes(const struct node *n)
{
    for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
        if (n->routes[m] != NULL) {
            return true;
        }
    }
    return false;
}

/*
 * The node for the segments from `depth` on, below `parent`; NO_NODE when there is none. Tries the parameter when the
 * literal leads nowhere. The depth of the recursion is bounded by TARGET_SEGMENTS_MAX.
 */
static uint16_t find_node(
    const struct router *r,
    uint16_t parent,
    const struct target *target,
    unsigned depth,
    unsigned params_len,
    unsigned *out_params)
{
    if (depth == target->segments_len) {
        return has_routes(&r->nodes[parent]) ? parent : NO_NODE;
    }
    struct str segment = target->segments[depth];
    for (uint16_t at = r->nodes[parent].child; at != NO_NODE; at = r->nodes[at].sibling) {
        bool is_param = str_is_absent(r->nodes[at].text);
        if (is_param ? segment.len == 0 : !str_equal(r->nodes[at].text, segment)) {
            continue;
        }
        if (is_param) {
            out_params[params_len] = depth;
        }
        uint16_t found = find_node(r, at, target, depth + 1, params_len + is_param, out_params);
        if (found != NO_NODE) {
            return found;
        }
    }
    return NO_NODE;
}

static void put_allow(const struct node *n, char *out, size_t size)
{
    static const char *const names[HTTP_METHOD_COUNT] = {
        [HTTP_GET] = "GET, HEAD", [HTTP_PUT] = "PUT", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
    size_t len = 0;
    for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
        if (n->routes[m] == NULL) {
            continue;
        }
        const char *parts[] = {len > 0 ? ", " : "", names[m]};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            size_t part_len = strlen(parts[i]);
            check(len + part_len < size);
            memcpy(out + len, parts[i], part_len);
            len += part_len;
        }
    }
    out[len] = '\0';
}

void router_find(const struct router *r, enum http_method method, const struct target *target, struct router_match *out)
{
    out->found = false;
    out->route = NULL;
    out->allow[0] = '\0';
    if (target->segments_len > TARGET_SEGMENTS_MAX) {
        return;
    }
    uint16_t at = find_node(r, 0, target, 0, 0, out->params);
    if (at == NO_NODE) {
        return;
    }
    out->found = true;
    out->route = method < HTTP_METHOD_COUNT ? r->nodes[at].routes[method] : NULL;
    if (out->route == NULL) {
        put_allow(&r->nodes[at], out->allow, sizeof(out->allow));
    }
}
