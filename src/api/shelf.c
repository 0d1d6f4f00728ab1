/* The shelf page: `/` and its parts, from the program itself. */
#include "api/shelf.h"

#include "api/etag.h"
#include "api/service.h"

#include <stdio.h>

static const struct shelf_file *shelf_find(const char *name)
{
    for (const struct shelf_file *f = shelf_files; f->name != NULL; f++) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static void shelf_answer(struct exchange *x, const char *name, const char *content_type)
{
    const struct shelf_file *f = shelf_find(name);
    if (f == NULL) {
        api_refuse(x, ERR_NOT_FOUND, NULL);
        return;
    }
    char tag[64];
    int tag_len = snprintf(tag, sizeof(tag), "\"%s\"", f->hash);
    struct str etag = {tag, (size_t)tag_len};
    exchange_set_header(x, "ETag", etag);
    exchange_set_header(x, "Cache-Control", STR("no-cache"));
    exchange_set_header(x, "Content-Security-Policy", STR("default-src 'self'"));
    struct str listed = exchange_header(x, "If-None-Match");
    if (!str_is_absent(listed) && etag_is_listed(listed, etag)) {
        exchange_answer(x, 304, NULL, STR_NONE, false);
    } else {
        exchange_answer(x, 200, content_type, (struct str){(const char *)f->bytes, f->len}, false);
    }
}

/* Any query is allowed on the page: it is for people and their bookmarks. */

void api_shelf_page(struct exchange *x, void *app)
{
    (void)app;
    shelf_answer(x, "index.html", "text/html; charset=utf-8");
}

void api_shelf_css(struct exchange *x, void *app)
{
    (void)app;
    shelf_answer(x, "shelf.css", "text/css; charset=utf-8");
}

void api_shelf_js(struct exchange *x, void *app)
{
    (void)app;
    shelf_answer(x, "shelf.js", "text/javascript; charset=utf-8");
}

void api_shelf_svg(struct exchange *x, void *app)
{
    (void)app;
    shelf_answer(x, "shelf.svg", "image/svg+xml");
}
