/* GET /v1/availability/stream: joins a push stream to the connection of a page. */
#include "api/service.h"
#include "base/clock.h"
#include "base/mem.h"

#define LIST_BYTES_MAX (1024 * 1024)

struct page {
    struct exchange *exchange;
    struct stream *stream;
    bool open; /* the exchange has become a stream: it may be woken */
};

static void page_wake(void *ctx)
{
    struct page *page = ctx;
    if (page->open) {
        exchange_stream_wake(page->exchange);
    }
}

static void page_cut(void *ctx)
{
    struct page *page = ctx;
    if (page->open) {
        exchange_stream_end(page->exchange, true);
    }
}

static size_t page_fill(void *ctx, char *out, size_t size)
{
    struct page *page = ctx;
    return stream_fill(page->stream, out, size, clock_mono_ms());
}

static void page_closed(void *ctx)
{
    struct page *page = ctx;
    stream_close(page->stream);
    mem_free(page);
}

static const struct stream_ops page_ops = {.fill = page_fill, .closed = page_closed};

/* The SKUs of the query as entries, each once. */
struct followed {
    struct shelf_entry *entries[STREAM_SKUS_MAX];
    size_t len;
    struct buf unknown; /* JSON strings */
    bool too_many;
    int64_t age_ms; /* of the view, before it was looked at: what was not found was not there at that age */
};

static void follow(struct followed *f, struct shelf_entry *entry)
{
    for (size_t i = 0; i < f->len; i++) {
        if (f->entries[i] == entry) {
            return;
        }
    }
    f->entries[f->len++] = entry;
}

static void follow_all(struct exchange *x, struct api *api, struct followed *f)
{
    struct str sku;
    f->age_ms = api_age_ms(api);
    for (unsigned i = 0; !str_is_absent(sku = exchange_query(x, "sku", i)); i++) {
        if (i == STREAM_SKUS_MAX) {
            f->too_many = true;
            return;
        }
        struct shelf_entry *entry = availability_find(api_availability(api), sku);
        if (entry != NULL) {
            follow(f, entry);
            continue;
        }
        if (f->unknown.len > 0) {
            buf_put_char(&f->unknown, ',');
        }
        buf_put_json(&f->unknown, sku);
    }
}

/* A view that was never complete cannot say that they were not defined. */
static void refuse_unknown(struct exchange *x, const struct followed *f)
{
    struct buf members;
    if (f->age_ms < 0) {
        api_refuse(x, ERR_STALE, "This node does not know all items yet.");
        return;
    }
    buf_init(&members, f->unknown.len + 64);
    buf_put_literal(&members, ",\"unknown\":[");
    buf_put_str(&members, buf_str(&f->unknown));
    buf_put_char(&members, ']');
    exchange_problem(x, ERR_NOT_FOUND, STR("The SKUs in `unknown` were never defined."), buf_str(&members));
    buf_release(&members);
}

/* The same on every node, so that a page may go on at another one. */
static uint64_t epoch_of(const struct api *api)
{
    uint64_t followed = availability_epoch(api_availability(api));
    return followed != 0 ? followed : api->options.stream_epoch;
}

static void open_page(struct exchange *x, struct api *api, const struct followed *f, struct stream_resume resume)
{
    struct page *page = mem_new(sizeof(*page));
    page->exchange = x;
    const struct stream_io io = {.ctx = page, .wake = page_wake, .cut = page_cut};
    page->stream =
        stream_open(api_thread_of(api, x)->hub, f->entries, f->len, resume, epoch_of(api), io, clock_mono_ms());
    exchange_set_header(x, "Cache-Control", STR("no-cache, no-transform"));
    exchange_set_header(x, "X-Accel-Buffering", STR("no"));
    page->open = true;
    exchange_stream(x, "text/event-stream", &page_ops, page);
}

/* From the header, else from the argument. False: it has answered. */
static bool take_resume(struct exchange *x, const struct arguments *arguments, struct stream_resume *out)
{
    struct str id = exchange_header(x, "Last-Event-ID");
    id = str_is_absent(id) ? arguments->last_event_id : id;
    *out = (struct stream_resume){0};
    if (str_is_absent(id) || (id.len <= 128 && stream_resume_parse(id, out))) {
        return true;
    }
    api_refuse(x, ERR_MALFORMED, "The Last-Event-ID is not an id of this stream.");
    return false;
}

/*
 * An id that cannot be one of ours is 400 wherever it stands; the table of arguments would say 422 for a long one.
 */
static bool last_event_id_fits(struct exchange *x)
{
    struct str id = exchange_query(x, "last_event_id", 0);
    if (str_is_absent(id) || (id.len >= 1 && id.len <= 128)) {
        return true;
    }
    api_refuse(x, ERR_MALFORMED, "The Last-Event-ID is not an id of this stream.");
    return false;
}

static void stream_followed(struct exchange *x, struct api *api, struct followed *f, struct stream_resume resume)
{
    follow_all(x, api, f);
    if (f->too_many) {
        api_refuse(x, ERR_INVALID, "At most 500 SKUs can be followed at once.");
    } else if (f->unknown.len > 0) {
        refuse_unknown(x, f);
    } else {
        open_page(x, api, f, resume);
    }
}

void api_stream_availability(struct exchange *x, void *app)
{
    struct arguments arguments;
    struct stream_resume resume;
    if (!last_event_id_fits(x) || !api_arguments(x, &stream_query, &arguments) ||
        !take_resume(x, &arguments, &resume)) {
        return;
    }
    if (!str_is_absent(arguments.channel) && !str_equal(arguments.channel, STR("default"))) {
        api_refuse(x, ERR_NOT_FOUND, "There is no such channel; there is only `default`.");
        return;
    }
    struct followed *f = mem_new(sizeof(*f));
    buf_init(&f->unknown, LIST_BYTES_MAX);
    stream_followed(x, app, f, resume);
    buf_release(&f->unknown);
    mem_free(f);
}
