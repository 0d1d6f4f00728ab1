#include "api/read.h"

#include "base/mem.h"

#define CURSOR_BYTES_MAX 128

static void read_run(struct query *q, struct store_reader *reader)
{
    struct read *r = CONTAINER_OF(q, struct read, query);
    r->err = r->run(r, reader);
}

static void read_done(struct query *q)
{
    struct read *r = CONTAINER_OF(q, struct read, query);
    exchange_resume(r->exchange);
}

struct read *read_new(struct exchange *x, struct api *api, enum err (*run)(struct read *, struct store_reader *))
{
    struct read *r = mem_new(sizeof(*r));
    r->query = (struct query){.run = read_run, .done = read_done};
    r->api = api;
    r->exchange = x;
    r->run = run;
    buf_init(&r->body, READ_BYTES_MAX);
    buf_init(&r->next, CURSOR_BYTES_MAX);
    return r;
}

void read_free(struct read *r)
{
    if (r == NULL) {
        return;
    }
    buf_release(&r->body);
    buf_release(&r->next);
    mem_free(r);
}

static void read_free_attached(void *ptr)
{
    read_free(ptr);
}

/* Everything but RFC 3986's unreserved characters as %XX. */
static void put_encoded(struct buf *out, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_put_char(out, (char)c);
        } else {
            const char escape[] = {'%', hex[c >> 4], hex[c & 15]};
            buf_put(out, escape, sizeof(escape));
        }
    }
}

/* The same request with the cursor of the next page. */
static void answer_link(struct exchange *x, const struct read *r)
{
    struct buf link;
    buf_init(&link, 2048);
    buf_put_literal(&link, "<?after=");
    buf_put_str(&link, buf_str(&r->next));
    for (size_t i = 0; i < r->query_message->fields_len; i++) {
        const char *name = r->query_message->fields[i].name;
        struct str value = exchange_query(x, name, 0);
        if (strcmp(name, "after") != 0 && !str_is_absent(value)) {
            buf_printf(&link, "&%s=", name);
            put_encoded(&link, value);
        }
    }
    buf_put_literal(&link, ">; rel=\"next\"");
    check(!link.overflowed);
    exchange_set_header(x, "Link", buf_str(&link));
    buf_release(&link);
}

static void answer_versioned(struct exchange *x, const struct read *r)
{
    char room[ETAG_BYTES_MAX];
    struct str tag = etag_of(r->version, room);
    exchange_set_header(x, "ETag", tag);
    struct str listed = exchange_header(x, "If-None-Match");
    if (!str_is_absent(listed) && etag_is_listed(listed, tag)) {
        exchange_answer(x, 304, NULL, STR_NONE, false);
    } else {
        exchange_answer(x, 200, "application/json", buf_str(&r->body), false);
    }
}

static void read_answer(struct exchange *x, void *app)
{
    struct read *r = exchange_attached(x);
    (void)app;
    if (r->err == ERR_OK && r->body.overflowed) {
        r->err = ERR_INTERNAL;
    }
    if (r->err != ERR_OK) {
        api_refuse(x, r->err, NULL);
    } else if (r->has_version) {
        answer_versioned(x, r);
    } else {
        if (r->next.len > 0) {
            answer_link(x, r);
        }
        exchange_answer(x, 200, "application/json", buf_str(&r->body), false);
    }
}

void read_submit(struct read *r, void (*resumed)(struct exchange *x, void *app))
{
    exchange_keep(r->exchange, resumed);
    if (!inventory_query(api_inventory(r->api), &r->query)) {
        r->err = ERR_OVERLOADED;
        exchange_resume(r->exchange);
    }
}

void read_start(struct read *r)
{
    exchange_attach(r->exchange, r, read_free_attached);
    read_submit(r, read_answer);
}

void read_open(struct read *r)
{
    buf_put_literal(&r->body, "{\"data\":[");
}

bool read_row(struct read *r, uint32_t limit)
{
    if (r->rows == limit) {
        r->more = true;
        return false;
    }
    if (r->rows++ > 0) {
        buf_put_char(&r->body, ',');
    }
    return true;
}

void read_close(struct read *r, uint32_t limit)
{
    if (!r->more) {
        buf_clear(&r->next);
    }
    buf_put_literal(&r->body, "],\"page\":{\"next\":");
    if (r->next.len == 0) {
        buf_put_literal(&r->body, "null");
    } else {
        buf_put_json(&r->body, buf_str(&r->next));
    }
    buf_put_literal(&r->body, ",\"limit\":");
    buf_put_u64(&r->body, limit);
    buf_put_literal(&r->body, "}}");
}

bool read_cursor_is_valid(struct read *r, bool valid)
{
    if (valid) {
        return true;
    }
    struct decode_errors errors;
    decode_errors_init(&errors);
    decode_argument_error(&errors, STR("after"), "out_of_range", "Must be a cursor from `page.next` of this list.");
    api_refuse_invalid(r->exchange, &errors);
    decode_errors_release(&errors);
    read_free(r);
    return false;
}

struct read *read_list(
    struct exchange *x,
    struct api *api,
    const struct message *query,
    enum err (*run)(struct read *, struct store_reader *))
{
    struct arguments arguments;
    if (!api_arguments(x, query, &arguments)) {
        return NULL;
    }
    struct read *r = read_new(x, api, run);
    r->arguments = arguments;
    r->query_message = query;
    return r;
}
