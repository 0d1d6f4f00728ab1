#include "describe/describe.h"

#include "api/operations.h"
#include "describe/js.h"
#include "describe/responses.h"
#include "describe/schema.h"

static const char about[] =
    "Onhand decides every sale of a unit of stock once, makes the decision durable, and shows it to every shopper.\n\n"
    "**Retries.** Every POST that changes stock needs an `Idempotency-Key`. The same key with the same content gets the "
    "same answer, byte for byte, for 24 hours or the newest 4 million keys, whichever is less.\n\n"
    "**Reading your own writes.** The answer of a write has `Onhand-Seq`; pass it as `min_seq` to a read of "
    "availability.\n\n"
    "**Errors** are problems (RFC 9457) with a stable `code` and a page under `/problems/`.\n\n"
    "**Scopes.** `x-onhand-scope` says which right an operation is meant to need. This version does not enforce it: run "
    "it behind a gateway that does, or on a private network.";

static const struct {
    const char *name;
    const char *description;
} tags[] = {
    {"items", "What can be sold."},
    {"locations", "Where stock is held."},
    {"levels", "The quantities of an item at a location."},
    {"stock", "Changes of stock, and batches of writes."},
    {"reservations", "Promises of stock, from the hold to the return."},
    {"movements", "The log of every change."},
    {"availability", "What a shopper may be promised right now."},
    {"system", "Health, metrics, and this document."},
};

static void put_info(struct buf *b)
{
    js_text_member(b, "openapi", "3.1.1");
    js_object_member(b, "info");
    js_text_member(b, "title", "Onhand");
    js_text_member(b, "version", ONHAND_VERSION);
    js_text_member(b, "summary", "Inventory that sells every unit exactly once.");
    js_text_member(b, "description", about);
    js_object_member(b, "contact");
    js_text_member(b, "name", "The Onhand project");
    js_close(b, '}');
    js_object_member(b, "license");
    js_text_member(b, "name", "Apache-2.0");
    js_text_member(b, "identifier", "Apache-2.0");
    js_close(b, '}');
    js_close(b, '}');
    js_array_member(b, "servers");
    js_raw(b, "{\"url\":\"/\",\"description\":\"The server that gave you this document.\"}");
    js_close(b, ']');
    js_array_member(b, "security");
    js_close(b, ']');
}

static void put_tags(struct buf *b)
{
    js_array_member(b, "tags");
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        js_open(b, '{');
        js_text_member(b, "name", tags[i].name);
        js_text_member(b, "description", tags[i].description);
        js_close(b, '}');
    }
    js_close(b, ']');
}

/* "list_items" -> "listItems" */
static void put_operation_id(struct buf *b, const char *name)
{
    js_name(b, "operationId");
    buf_put_char(b, '"');
    for (const char *c = name; *c != 0; c++) {
        bool upper = *c == '_';
        c += upper;
        buf_put_char(b, upper ? (char)(*c - 'a' + 'A') : *c);
    }
    buf_put_char(b, '"');
}

/* Parameters. */

static const struct field path_fields[] = {
    {"sku", FIELD_SKU, .description = "The item, percent-encoded."},
    {"location", FIELD_LOCATION, .description = "The location."},
    {"id", FIELD_UUID, .description = "The reservation."},
};

static void put_parameter(struct buf *b, const char *in, const struct field *f, bool required)
{
    js_open(b, '{');
    js_text_member(b, "name", f->name);
    js_text_member(b, "in", in);
    js_text_member(b, "description", f->description);
    js_name(b, "required");
    js_bool(b, required);
    js_name(b, "schema");
    schema_field(b, f);
    js_close(b, '}');
}

static void put_path_parameters(struct buf *b, const char *path)
{
    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        struct str name = {at + 1, strcspn(at + 1, "}")};
        for (size_t i = 0; i < ARRAY_LEN(path_fields); i++) {
            if (str_equal(name, str_from(path_fields[i].name))) {
                put_parameter(b, "path", &path_fields[i], true);
            }
        }
    }
}

static void put_parameters(struct buf *b, const struct operation *op)
{
    js_array_member(b, "parameters");
    put_path_parameters(b, op->path);
    for (size_t i = 0; i < op->query->fields_len; i++) {
        put_parameter(b, "query", &op->query->fields[i], op->query->fields[i].required);
    }
    if ((op->traits & TRAIT_KEY) != 0) {
        js_ref(b, "parameters", "IdempotencyKey");
    }
    if ((op->traits & TRAIT_PRECONDITION) != 0) {
        js_ref(b, "parameters", "IfMatch");
        js_ref(b, "parameters", "IfNoneMatchAny");
    }
    if ((op->traits & TRAIT_NOT_MODIFIED) != 0) {
        js_ref(b, "parameters", "IfNoneMatch");
    }
    if ((op->traits & TRAIT_RESUME) != 0) {
        js_ref(b, "parameters", "LastEventId");
    }
    js_close(b, ']');
}

static void put_request_body(struct buf *b, const struct operation *op)
{
    if (op->request == NULL) {
        return;
    }
    js_object_member(b, "requestBody");
    js_name(b, "required");
    js_bool(b, (op->traits & TRAIT_BODY_OPTIONAL) == 0);
    js_object_member(b, "content");
    js_object_member(b, "application/json");
    js_name(b, "schema");
    js_ref(b, "schemas", op->request->name);
    if (op->request->example != NULL) {
        js_name(b, "example");
        js_raw(b, op->request->example);
    }
    js_close(b, '}');
    js_close(b, '}');
    js_close(b, '}');
}

static void put_operation(struct buf *b, const struct operation *op)
{
    static const char *const methods[HTTP_METHOD_COUNT] = {"get", "put", "post", "delete"};
    js_object_member(b, methods[op->method]);
    put_operation_id(b, op->name);
    js_array_member(b, "tags");
    js_text(b, op->tag);
    js_close(b, ']');
    js_text_member(b, "summary", op->summary);
    js_text_member(b, "description", op->description);
    js_text_member(b, "x-onhand-scope", op->scope);
    put_parameters(b, op);
    put_request_body(b, op);
    responses_render(b, op);
    js_close(b, '}');
}

static bool is_shown(const struct operation *op)
{
    return (op->traits & TRAIT_HIDDEN) == 0;
}

static bool path_is_new(size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(operations[i].path, operations[at].path) == 0) {
            return false;
        }
    }
    return true;
}

static void put_paths(struct buf *b)
{
    js_object_member(b, "paths");
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (!is_shown(&operations[i]) || !path_is_new(i)) {
            continue;
        }
        js_object_member(b, operations[i].path);
        for (size_t j = i; j < OPERATION_COUNT; j++) {
            if (strcmp(operations[i].path, operations[j].path) == 0) {
                put_operation(b, &operations[j]);
            }
        }
        js_close(b, '}');
    }
    js_close(b, '}');
}

/* Components. */

static const struct {
    const char *component;
    const char *json;
} parameters[] = {
    {"IdempotencyKey",
     "{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":true,\"description\":\"1 to 255 printable ASCII "
     "characters, bare or as a quoted string: new for each new intention, the same for each retry.\","
     "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":512},\"example\":"
     "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"}"},
    {"IfMatch",
     "{\"name\":\"If-Match\",\"in\":\"header\",\"required\":false,\"description\":\"The ETag that was read, or * for any "
     "existing level.\",\"schema\":{\"type\":\"string\"},\"example\":\"\\\"7\\\"\"}"},
    {"IfNoneMatchAny",
     "{\"name\":\"If-None-Match\",\"in\":\"header\",\"required\":false,\"description\":\"* creates the level: it must not "
     "exist yet.\",\"schema\":{\"type\":\"string\",\"const\":\"*\"},\"example\":\"*\"}"},
    {"IfNoneMatch",
     "{\"name\":\"If-None-Match\",\"in\":\"header\",\"required\":false,\"description\":\"The ETag that was read: the "
     "answer is 304 without a body when it is still that.\",\"schema\":{\"type\":\"string\"},"
     "\"example\":\"\\\"7\\\"\"}"},
    {"LastEventId",
     "{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"required\":false,\"description\":\"The id of the last event that "
     "was seen; browsers send it by themselves.\",\"schema\":{\"type\":\"string\",\"maxLength\":128},"
     "\"example\":\"1-4711\"}"},
};

static void put_components(struct buf *b)
{
    struct schemas schemas = {.len = 0};
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (is_shown(&operations[i])) {
            schemas_add(&schemas, operations[i].request);
            schemas_add(&schemas, operations[i].response);
        }
    }
    schemas_add(&schemas, &problem_answer);
    js_object_member(b, "components");
    js_object_member(b, "schemas");
    schemas_render(b, &schemas);
    js_close(b, '}');
    js_object_member(b, "parameters");
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        js_name(b, parameters[i].component);
        js_raw(b, parameters[i].json);
    }
    js_close(b, '}');
    responses_render_headers(b);
    js_close(b, '}');
}

enum err openapi_render(struct buf *out)
{
    buf_put_char(out, '{');
    put_info(out);
    put_tags(out);
    put_paths(out);
    put_components(out);
    js_close(out, '}');
    return out->overflowed ? ERR_TOO_LARGE : ERR_OK;
}
