#include "describe/responses.h"

#include "describe/js.h"

#include <stdio.h>

static const struct {
    const char *name;
    const char *component;
    unsigned traits; /* any of them */
    const char *json;
} headers[] = {
    {"ETag", "ETag", TRAIT_ETAG, "{\"description\":\"The version, quoted.\",\"schema\":{\"type\":\"string\"}}"},
    {"Location", "Location", TRAIT_LOCATION,
     "{\"description\":\"Where the new resource is.\",\"schema\":{\"type\":\"string\",\"format\":\"uri-reference\"}}"},
    {"Onhand-Seq", "OnhandSeq", TRAIT_SEQ | TRAIT_VIEW,
     "{\"description\":\"The number of the last movement that the answer includes: the token for `min_seq`.\","
     "\"schema\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":0}}"},
    {"Idempotent-Replayed", "IdempotentReplayed", TRAIT_KEY,
     "{\"description\":\"`true` when this answer was given before for the same key.\","
     "\"schema\":{\"type\":\"string\",\"const\":\"true\"}}"},
    {"Link", "Link", TRAIT_PAGED,
     "{\"description\":\"The next page, as rel=\\\"next\\\".\",\"schema\":{\"type\":\"string\"}}"},
    {"Cache-Control", "CacheControl", TRAIT_VIEW,
     "{\"description\":\"For how long the answer may be kept.\",\"schema\":{\"type\":\"string\"}}"},
};
static const char retry_after[] =
    "{\"description\":\"Seconds until it is worth trying again.\",\"schema\":{\"type\":\"integer\",\"minimum\":0}}";

/* Which problems follow from which trait. */
static const struct {
    unsigned trait;
    enum err err;
} implied[] = {
    {TRAIT_KEY, ERR_KEY_MISSING},
    {TRAIT_KEY, ERR_KEY_INVALID},
    {TRAIT_KEY, ERR_KEY_IN_FLIGHT},
    {TRAIT_KEY, ERR_KEY_REUSED},
    {TRAIT_SEQ, ERR_OVERLOADED},
    {TRAIT_SEQ, ERR_OUTCOME_UNKNOWN},
    {TRAIT_SEQ, ERR_NOT_COMMITTED},
    {TRAIT_SEQ, ERR_SHUTTING_DOWN},
    {TRAIT_SEQ, ERR_STORE_FULL},
    {TRAIT_SEQ, ERR_NO_LEADER},
    {TRAIT_STORE, ERR_OVERLOADED},
    {TRAIT_STORE, ERR_SHUTTING_DOWN},
    {TRAIT_STORE, ERR_NO_LEADER},
    {TRAIT_STORE, ERR_STORE_AWAY},
    {TRAIT_VIEW, ERR_NO_LEADER},
    {TRAIT_VIEW, ERR_OVERLOADED},
    {TRAIT_VIEW, ERR_SHUTTING_DOWN},
    {TRAIT_RESUME, ERR_NO_LEADER},
    {TRAIT_PRECONDITION, ERR_VERSION_MISMATCH},
    {TRAIT_PRECONDITION, ERR_PRECONDITION_REQUIRED},
};

void responses_problems(const struct operation *op, bool out[ERR_COUNT])
{
    memset(out, 0, ERR_COUNT * sizeof(out[0]));
    out[ERR_MALFORMED] = true;
    out[ERR_INVALID] = true; /* unknown arguments, at least */
    if (op->body_bytes_max > 0) {
        out[ERR_TOO_LARGE] = true;
        out[ERR_UNSUPPORTED_MEDIA] = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(implied); i++) {
        if ((op->traits & implied[i].trait) != 0) {
            out[implied[i].err] = true;
        }
    }
    for (const enum err *e = op->errors; *e != ERR_OK; e++) {
        out[*e] = true;
    }
}

static void put_success_headers(struct buf *b, const struct operation *op)
{
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if ((op->traits & headers[i].traits) == 0) {
            continue;
        }
        if (!any) {
            js_object_member(b, "headers");
            any = true;
        }
        js_name(b, headers[i].name);
        js_ref(b, "headers", headers[i].component);
    }
    if (any) {
        js_close(b, '}');
    }
}

static void put_media(struct buf *b, const struct operation *op)
{
    js_object_member(b, "content");
    js_object_member(b, op->media);
    js_name(b, "schema");
    if (op->response != NULL) {
        js_ref(b, "schemas", op->response->name);
    } else if (strcmp(op->media, "application/json") == 0) {
        js_raw(b, "{\"type\":\"object\"}");
    } else {
        js_raw(b, "{\"type\":\"string\"}");
    }
    js_close(b, '}');
    js_close(b, '}');
}

static void put_success(struct buf *b, const struct operation *op, int status, const char *description)
{
    char code[16];
    snprintf(code, sizeof(code), "%d", status);
    js_object_member(b, code);
    js_text_member(b, "description", description);
    put_success_headers(b, op);
    put_media(b, op);
    js_close(b, '}');
}

static void put_successes(struct buf *b, const struct operation *op)
{
    if ((op->traits & TRAIT_CREATES) != 0) {
        put_success(b, op, 200, "It existed and was written.");
        put_success(b, op, 201, "It was created.");
    } else {
        put_success(b, op, op->status, op->status == 201 ? "It was done." : "The answer.");
    }
    if ((op->traits & TRAIT_NOT_MODIFIED) != 0) {
        js_object_member(b, "304");
        js_text_member(b, "description", "It is still what If-None-Match names.");
        put_success_headers(b, op);
        js_close(b, '}');
    }
}

static void put_problem_description(struct buf *b, const bool problems[ERR_COUNT], int status)
{
    struct buf text;
    buf_init(&text, 4096);
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        if (problems[e] && info->status == status) {
            buf_printf(&text, "%s`%s`: %s.", text.len == 0 ? "" : " ", info->slug, info->title);
        }
    }
    check(!text.overflowed);
    js_name(b, "description");
    buf_put_json(b, buf_str(&text));
    buf_release(&text);
}

static bool has_retry_after(const bool problems[ERR_COUNT], int status)
{
    return status == 503 || (status == 409 && problems[ERR_KEY_IN_FLIGHT]);
}

static void put_problem(struct buf *b, const bool problems[ERR_COUNT], int status)
{
    char code[16];
    snprintf(code, sizeof(code), "%d", status);
    js_object_member(b, code);
    put_problem_description(b, problems, status);
    if (has_retry_after(problems, status)) {
        js_object_member(b, "headers");
        js_name(b, "Retry-After");
        js_ref(b, "headers", "RetryAfter");
        js_close(b, '}');
    }
    js_object_member(b, "content");
    js_object_member(b, "application/problem+json");
    js_name(b, "schema");
    js_ref(b, "schemas", "Problem");
    js_close(b, '}');
    js_close(b, '}');
    js_close(b, '}');
}

static void put_problems(struct buf *b, const struct operation *op)
{
    bool problems[ERR_COUNT];
    responses_problems(op, problems);
    for (int status = 400; status < 600; status++) {
        for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
            if (problems[e] && err_info((enum err)e)->status == status) {
                put_problem(b, problems, status);
                break;
            }
        }
    }
}

void responses_render(struct buf *b, const struct operation *op)
{
    js_object_member(b, "responses");
    put_successes(b, op);
    if (strcmp(op->name, "readyz") == 0) {
        put_success(b, op, 503, "It does not take requests.");
    }
    put_problems(b, op);
    js_close(b, '}');
}

void responses_render_headers(struct buf *b)
{
    js_object_member(b, "headers");
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        js_name(b, headers[i].component);
        js_raw(b, headers[i].json);
    }
    js_name(b, "RetryAfter");
    js_raw(b, retry_after);
    js_close(b, '}');
}
