/*
 * Request targets: what is taken can be written again and is the same, and the router and the handlers see what a plain
 * loop sees.
 */
#include "api/api.h"
#include "fuzz.h"
#include "http/exchange.h"
#include "http/router.h"

static void put_encoded(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (plain) {
            buf_put_char(out, (char)c);
        } else {
            buf_put_char(out, '%');
            buf_put_char(out, digits[c >> 4]);
            buf_put_char(out, digits[c & 15]);
        }
    }
}

static void put_target(struct buf *out, const struct target *target)
{
    struct str name;
    struct str value;
    char mark = '?';
    for (unsigned i = 0; i < target->segments_len; i++) {
        buf_put_char(out, '/');
        put_encoded(out, target->segments[i]);
    }
    for (size_t at = 0; target_argument_next(target->query, &at, &name, &value); mark = '&') {
        buf_put_char(out, mark);
        put_encoded(out, name);
        buf_put_char(out, '=');
        put_encoded(out, value);
    }
}

static void check_segment(struct str segment)
{
    check(str_is_utf8(segment) && memchr(segment.ptr, 0, segment.len) == NULL);
    check(!str_equal(segment, STR(".")) && !str_equal(segment, STR("..")));
}

static void check_written_again(const struct target *target)
{
    struct buf raw;
    struct buf query;
    struct target again;
    buf_init(&raw, SIZE_MAX);
    buf_init(&query, SIZE_MAX);
    put_target(&raw, target);
    check(target_parse(raw.ptr, raw.len, &query, &again) == NULL);
    check(again.segments_len == target->segments_len && str_equal(again.query, target->query));
    for (unsigned i = 0; i < target->segments_len; i++) {
        check_segment(target->segments[i]);
        check(str_equal(again.segments[i], target->segments[i]));
    }
    buf_release(&raw);
    buf_release(&query);
}

/* Does the path of the row match, segment by segment? */
static bool row_matches(const struct route *route, const struct target *target)
{
    const char *at = route->path;
    for (unsigned i = 0; i < target->segments_len; i++) {
        if (*at++ != '/') {
            return false;
        }
        size_t len = strcspn(at, "/");
        struct str wanted = {at, len};
        bool fits = at[0] == '{' ? target->segments[i].len > 0 : str_equal(wanted, target->segments[i]);
        if (!fits) {
            return false;
        }
        at += len;
    }
    return *at == '\0';
}

static void check_route(const struct router *router, enum http_method method, const struct target *target)
{
    size_t len;
    const struct route *routes = api_routes(&len);
    struct router_match match;
    bool any = false;
    router_find(router, method, target, &match);
    for (size_t i = 0; i < len && target->segments_len <= TARGET_SEGMENTS_MAX; i++) {
        any |= row_matches(&routes[i], target);
    }
    check(match.found == any);
    check(match.route == NULL || (match.route->method == method && row_matches(match.route, target)));
    check((match.allow[0] != '\0') == (match.found && match.route == NULL));
}

/* Argument `i` of this name. */
static struct str argument_at(struct str query, struct str name, unsigned i)
{
    struct str found;
    struct str value;
    for (size_t at = 0; target_argument_next(query, &at, &found, &value);) {
        if (str_equal(found, name) && i-- == 0) {
            return value;
        }
    }
    return STR_NONE;
}

/* A handler sees the arguments, in whatever order it asks: the exchange remembers where it was. */
static void check_arguments(const struct target *target)
{
    static const unsigned order[] = {0, 1, 2, 1, 0, 2};
    struct exchange x = {.target = *target};
    struct str name;
    struct str value;
    for (size_t at = 0; target_argument_next(target->query, &at, &name, &value);) {
        for (size_t i = 0; i < ARRAY_LEN(order); i++) {
            struct str wanted = argument_at(target->query, name, order[i]);
            struct str given = exchange_query(&x, name.ptr, order[i]); /* a NUL is behind it */
            check(given.ptr == wanted.ptr && given.len == wanted.len);
        }
    }
}

static const struct router *the_router(void)
{
    static struct router *router;
    if (router == NULL) {
        size_t len;
        const struct route *routes = api_routes(&len);
        router = router_new(routes, len);
    }
    return router;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum http_method method = size > 0 ? (enum http_method)(data[0] % (HTTP_METHOD_COUNT + 1)) : HTTP_GET;
    struct str text = fuzz_rest(data, size, 1);
    struct buf raw;
    struct buf query;
    struct target target;
    buf_init(&raw, SIZE_MAX);
    buf_init(&query, 2 * TARGET_BYTES_MAX);
    buf_put_str(&raw, text);
    if (text.len <= TARGET_BYTES_MAX && target_parse(raw.ptr, raw.len, &query, &target) == NULL) {
        check_route(the_router(), method, &target);
        check_arguments(&target);
        if (target.segments_len <= TARGET_SEGMENTS_MAX) {
            check_written_again(&target);
        }
    }
    buf_release(&raw);
    buf_release(&query);
    return 0;
}
