#include "http/router.h"

#include "test.h"

static void handler(struct exchange *x, void *app)
{
    (void)x;
    (void)app;
}

/* clang-format off */
static const struct route routes[] = {
    {HTTP_GET,    "/",                            "root",     handler, 0},
    {HTTP_GET,    "/v1/items",                    "items",    handler, 0},
    {HTTP_GET,    "/v1/items/{sku}",              "item",     handler, 0},
    {HTTP_PUT,    "/v1/items/{sku}",              "put_item", handler, 1},
    {HTTP_GET,    "/v1/levels/{sku}/{location}",  "level",    handler, 0},
    {HTTP_PUT,    "/v1/levels/{sku}/{location}",  "set",      handler, 1},
    {HTTP_DELETE, "/v1/levels/{sku}/{location}",  "delete",   handler, 0},
    {HTTP_GET,    "/v1/levels/{sku}",             "levels",   handler, 0},
    {HTTP_GET,    "/v1/availability/{sku}",       "one",      handler, 0},
    {HTTP_GET,    "/v1/availability/stream",      "stream",   handler, 0},
    {HTTP_POST,   "/v1/availability/stream/now",  "now",      handler, 1},
    {HTTP_GET,    "/v1/availability/{sku}/later", "later",    handler, 0},
    {HTTP_POST,   "/v1/reservations/{id}/commit", "commit",   handler, 0},
};

struct row {
    enum http_method method;
    const char *path;
    const char *wanted; /* label; "404", or the Allow header of a 405 */
    const char *params; /* "first,second" */
};

static const struct row rows[] = {
    {HTTP_GET,    "/",                         "root",     NULL},
    {HTTP_POST,   "/",                         "GET, HEAD", NULL},
    {HTTP_GET,    "/v1",                       "404",      NULL},
    {HTTP_GET,    "/v1/items",                 "items",    NULL},
    {HTTP_GET,    "/v1/items/",                "404",      NULL},
    {HTTP_GET,    "/v1/items/A",               "item",     "A"},
    {HTTP_PUT,    "/v1/items/A%2FB",           "put_item", "A/B"},
    {HTTP_POST,   "/v1/items/A",               "GET, HEAD, PUT", NULL},
    {HTTP_GET,    "/V1/items",                 "404",      NULL},
    {HTTP_GET,    "/v1/items/A/B",             "404",      NULL},
    {HTTP_GET,    "/v1/levels/A",              "levels",   "A"},
    {HTTP_GET,    "/v1/levels/A/berlin",       "level",    "A,berlin"},
    {HTTP_PUT,    "/v1/levels/A/berlin",       "set",      "A,berlin"},
    {HTTP_DELETE, "/v1/levels/A/berlin",       "delete",   "A,berlin"},
    {HTTP_POST,   "/v1/levels/A/berlin",       "GET, HEAD, PUT, DELETE", NULL},
    {HTTP_GET,    "/v1/levels/A/",             "404",      NULL},
    {HTTP_GET,    "/v1/availability/stream",   "stream",   NULL},
    {HTTP_GET,    "/v1/availability/streams",  "one",      "streams"},
    {HTTP_GET,    "/v1/availability/str%65am", "stream",   NULL},
    {HTTP_POST,   "/v1/availability/stream",   "GET, HEAD", NULL},
    {HTTP_GET,    "/v1/availability/stream/later", "later", "stream"},
    {HTTP_POST,   "/v1/availability/stream/now", "now",    NULL},
    {HTTP_GET,    "/v1/availability/stream/never", "404",  NULL},
    {HTTP_POST,   "/v1/reservations/7/commit", "commit",   "7"},
    {HTTP_POST,   "/v1/reservations/7/commits", "404",     NULL},
    {HTTP_METHOD_COUNT, "/v1/items/A",         "GET, HEAD, PUT", NULL},
    {HTTP_METHOD_COUNT, "/nowhere",            "404",      NULL},
    {HTTP_GET,    "/1/2/3/4/5/6/7/8/9/10",     "404",      NULL},
};
/* clang-format on */

static void check_params(const struct row *row, const struct target *t, const struct router_match *m)
{
    if (row->params == NULL) {
        return;
    }
    const char *comma = strchr(row->params, ',');
    size_t first_len = comma != NULL ? (size_t)(comma - row->params) : strlen(row->params);
    assert_true(str_equal(t->segments[m->params[0]], (struct str){row->params, first_len}));
    if (comma != NULL) {
        assert_true(str_equal(t->segments[m->params[1]], str_from(comma + 1)));
    }
}

static void check_row(const struct router *r, const struct row *row)
{
    char path[128];
    struct buf query;
    buf_init(&query, 64);
    struct target t;
    size_t len = strlen(row->path);
    memcpy(path, row->path, len + 1);
    assert_null(target_parse(path, len, &query, &t));
    struct router_match m;
    router_find(r, row->method, &t, &m);
    const char *got = m.route != NULL ? m.route->label : m.found ? m.allow : "404";
    if (strcmp(got, row->wanted) != 0) {
        fail_msg("%s: got %s, wanted %s", row->path, got, row->wanted);
    }
    check_params(row, &t, &m);
    buf_release(&query);
}

static void each_request_finds_its_route(void **state)
{
    (void)state;
    struct router *r = router_new(routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(r, &rows[i]);
    }
    router_free(r);
}

static void the_order_of_the_rows_does_not_matter(void **state)
{
    (void)state;
    struct route turned[ARRAY_LEN(routes)];
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        turned[i] = routes[ARRAY_LEN(routes) - 1 - i];
    }
    struct router *r = router_new(turned, ARRAY_LEN(turned));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(r, &rows[i]);
    }
    router_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_finds_its_route),
        cmocka_unit_test(the_order_of_the_rows_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
