#include "api/write.h"

#include "api/read.h"
#include "api/render.h"
#include "base/clock.h"
#include "base/mem.h"

static void write_done(struct request *r)
{
    struct write *w = CONTAINER_OF(r, struct write, request);
    exchange_resume(w->exchange);
}

static const struct request_ops write_ops = {.render = write_render, .done = write_done};

void write_init(struct write *w, struct api *api)
{
    w->api = api;
    w->request.ops = &write_ops;
    buf_init(&w->request.answer, ANSWER_BYTES_MAX);
}

void write_release(struct write *w)
{
    decoded_release(&w->decoded);
    buf_release(&w->request.answer);
}

static void write_free(void *ptr)
{
    write_release(ptr);
    mem_free(ptr);
}

struct write *write_new(struct exchange *x, struct api *api)
{
    struct write *w = mem_new(sizeof(*w));
    write_init(w, api);
    w->exchange = x;
    exchange_attach(x, w, write_free);
    return w;
}

bool write_decode(struct write *w, const struct message *m, enum command_kind kind, bool optional)
{
    struct decode_errors errors;
    struct err_note note = {{0}};
    decode_errors_init(&errors);
    struct str body = exchange_body(w->exchange);
    enum err e = decode_body(&w->decoded, m, body, optional, &w->request.command, &errors, &note);
    if (e == ERR_INVALID) {
        api_refuse_invalid(w->exchange, &errors);
    } else if (e != ERR_OK) {
        api_refuse(w->exchange, e, note.text);
    }
    w->request.command.kind = kind;
    decode_errors_release(&errors);
    return e == ERR_OK;
}

void write_fingerprint(struct write *w, struct api_thread *t)
{
    struct request *r = &w->request;
    if (!str_is_absent(r->key)) {
        fingerprint_of(t->fingerprinter, &r->command, r->fingerprint);
    }
}

/* The answer, on the HTTP thread. */

static void answer_headers(struct write *w)
{
    struct exchange *x = w->exchange;
    const struct request *r = &w->request;
    char room[ETAG_BYTES_MAX];
    uint64_t seq;
    if (r->status < 400 && encode_seq_of(buf_str(&r->answer), &seq)) {
        api_set_seq(x, seq);
    }
    if (r->location[0] != 0) {
        exchange_set_header(x, "Location", str_from(r->location));
    }
    if (w->version > 0 && r->status < 400) {
        exchange_set_header(x, "ETag", etag_of(w->version, room));
    }
    if (r->replayed) {
        exchange_set_header(x, "Idempotent-Replayed", STR("true"));
    }
}

static void write_answer(struct exchange *x, void *app)
{
    (void)app;
    struct write *w = exchange_attached(x);
    const struct request *r = &w->request;
    if (r->err != ERR_OK) {
        api_refuse(x, r->err, NULL);
        return;
    }
    answer_headers(w);
    const char *type = r->status < 400 ? "application/json" : "application/problem+json";
    exchange_answer(x, r->status, type, buf_str(&r->answer), false);
}

void write_submit(struct write *w)
{
    /* Kept first: the answer may be there before inventory_submit returns. */
    exchange_keep(w->exchange, write_answer);
    if (!inventory_submit(api_inventory(w->api), &w->request)) {
        w->request.err = ERR_OVERLOADED;
        exchange_resume(w->exchange);
    }
}

void write_post(
    struct exchange *x,
    struct api *api,
    enum command_kind kind,
    const struct message *m,
    bool optional,
    const struct uuid *id)
{
    if (!api_no_arguments(x)) {
        return;
    }
    struct write *w = write_new(x, api);
    if (!write_take_key(x, w->key, &w->request.key) || !write_decode(w, m, kind, optional)) {
        return;
    }
    if (id != NULL) {
        w->request.command.id = *id;
    }
    write_fingerprint(w, api_thread_of(api, x));
    write_submit(w);
}

/* The key. */

/* RFC 9651 section 4.2.5, without parameters. `quoted` begins with a quote. */
static bool unquote(struct str quoted, char room[IDEMPOTENCY_KEY_BYTES_MAX], struct str *out)
{
    size_t len = 0;
    for (size_t i = 1; i < quoted.len; i++) {
        char c = quoted.ptr[i];
        if (c == '"') {
            *out = (struct str){room, len};
            return i == quoted.len - 1;
        }
        if (c == '\\') {
            c = ++i < quoted.len ? quoted.ptr[i] : 0;
            if (c != '"' && c != '\\') {
                return false;
            }
        }
        if (len == IDEMPOTENCY_KEY_BYTES_MAX) {
            return false;
        }
        room[len++] = c;
    }
    return false;
}

enum err write_parse_key(struct str header, char room[IDEMPOTENCY_KEY_BYTES_MAX], struct str *out)
{
    if (str_is_absent(header)) {
        return ERR_KEY_MISSING;
    }
    *out = str_trim(header);
    if (out->len > 0 && out->ptr[0] == '"' && !unquote(*out, room, out)) {
        return ERR_KEY_INVALID;
    }
    return decode_is_key(*out) ? ERR_OK : ERR_KEY_INVALID;
}

bool write_take_key(struct exchange *x, char room[IDEMPOTENCY_KEY_BYTES_MAX], struct str *out)
{
    enum err e = write_parse_key(exchange_header(x, "Idempotency-Key"), room, out);
    if (e != ERR_OK) {
        api_refuse(x, e, NULL);
    }
    return e == ERR_OK;
}
