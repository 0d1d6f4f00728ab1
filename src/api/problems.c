/* The pages for people about each problem: GET /problems and /problems/{slug}. */
#include "api/service.h"

#define PAGE_BYTES_MAX (128 * 1024)

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}"
    "code{background:#8882;padding:.1em .3em}dt{margin-top:1rem}</style>\n";

/* The texts come from errors.def, where nothing needs escaping but these. Code stands between backticks there. */
static void put_html(struct buf *out, const char *text)
{
    bool in_code = false;
    for (; *text != 0; text++) {
        switch (*text) {
        case '`':
            in_code = !in_code;
            buf_put_str(out, in_code ? STR("<code>") : STR("</code>"));
            break;
        case '&':
            buf_put_literal(out, "&amp;");
            break;
        case '<':
            buf_put_literal(out, "&lt;");
            break;
        case '>':
            buf_put_literal(out, "&gt;");
            break;
        default:
            buf_put_char(out, *text);
        }
    }
}

/* In addresses words are joined with '-'. */
static void put_address(struct buf *out, const char *slug)
{
    for (; *slug != 0; slug++) {
        buf_put_char(out, *slug == '_' ? '-' : *slug);
    }
}

static bool address_names(struct str address, const char *slug)
{
    struct buf own;
    buf_init(&own, 128);
    put_address(&own, slug);
    bool equal = str_equal(address, buf_str(&own));
    buf_release(&own);
    return equal;
}

static void answer_page(struct exchange *x, struct buf *page)
{
    check(!page->overflowed);
    exchange_set_header(
        x, "Content-Security-Policy", STR("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"));
    exchange_set_header(x, "Cache-Control", STR("public, max-age=3600"));
    exchange_answer(x, 200, "text/html; charset=utf-8", buf_str(page), true);
}

void api_list_problems(struct exchange *x, void *app)
{
    struct buf page;
    (void)app;
    if (!api_no_arguments(x)) {
        return;
    }
    buf_init(&page, PAGE_BYTES_MAX);
    buf_put_str(&page, STR(head));
    buf_put_literal(&page, "<title>Problems</title>\n<h1>Problems</h1>\n<dl>\n");
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        buf_put_literal(&page, "<dt><a href=\"/problems/");
        put_address(&page, info->slug);
        buf_printf(&page, "\"><code>%s</code></a> %d<dd>", info->slug, info->status);
        put_html(&page, info->title);
        buf_put_char(&page, '\n');
    }
    buf_put_literal(&page, "</dl>\n");
    answer_page(x, &page);
    buf_release(&page);
}

static void put_problem(struct buf *page, const struct err_info *info)
{
    buf_put_str(page, STR(head));
    buf_put_literal(page, "<title>");
    put_html(page, info->title);
    buf_put_literal(page, "</title>\n<h1>");
    put_html(page, info->title);
    buf_printf(page, "</h1>\n<p><code>%s</code>, HTTP status %d.\n<p>", info->slug, info->status);
    put_html(page, info->meaning);
    buf_put_str(
        page,
        info->retryable ? STR("\n<p>The same request may succeed later.\n")
                        : STR("\n<p>Sending the same request again will not help.\n"));
    buf_put_literal(page, "<p><a href=\"/problems\">All problems</a>\n");
}

void api_get_problem(struct exchange *x, void *app)
{
    (void)app;
    if (!api_no_arguments(x)) {
        return;
    }
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        if (address_names(exchange_path_param(x, 0), info->slug)) {
            struct buf page;
            buf_init(&page, PAGE_BYTES_MAX);
            put_problem(&page, info);
            answer_page(x, &page);
            buf_release(&page);
            return;
        }
    }
    api_refuse(x, ERR_NOT_FOUND, "No problem has this name.");
}
