#include "describe/schema.h"

#include "describe/js.h"

static void put_type(struct buf *b, const struct field *f, const char *type)
{
    if (!f->nullable) {
        js_text_member(b, "type", type);
        return;
    }
    js_array_member(b, "type");
    js_text(b, type);
    js_text(b, "null");
    js_close(b, ']');
}

static void put_integer(struct buf *b, const struct field *f)
{
    put_type(b, f, "integer");
    js_text_member(b, "format", f->type == FIELD_UINT32 ? "int32" : "int64");
    js_number_member(b, "minimum", f->min);
    js_number_member(b, "maximum", f->max);
    if (f->not_zero) {
        js_name(b, "not");
        js_raw(b, "{\"const\":0}");
    }
    if (f->has_fallback) {
        js_number_member(b, "default", f->fallback);
    }
}

static void put_string(struct buf *b, const struct field *f, int64_t min, int64_t max)
{
    put_type(b, f, "string");
    if (min > 0) {
        js_number_member(b, "minLength", min);
    }
    if (max > 0) {
        js_number_member(b, "maxLength", max);
    }
}

static void put_formatted(struct buf *b, const struct field *f, const char *keyword, const char *value)
{
    put_type(b, f, "string");
    js_text_member(b, keyword, value);
}

static void put_choices(struct buf *b, const struct field *f)
{
    put_type(b, f, "string");
    js_array_member(b, "enum");
    for (const struct choice *c = f->choices; c->name != NULL; c++) {
        js_text(b, c->name);
    }
    js_close(b, ']');
}

static void put_variants(struct buf *b, const struct field *f)
{
    js_open(b, '{');
    js_array_member(b, "oneOf");
    for (const struct message *const *m = f->variants; *m != NULL; m++) {
        js_ref(b, "schemas", (*m)->name);
    }
    js_close(b, ']');
    js_object_member(b, "discriminator");
    js_text_member(b, "propertyName", "op");
    js_object_member(b, "mapping");
    for (const struct message *const *m = f->variants; *m != NULL; m++) {
        js_name(b, (*m)->fields[0].choices[0].name);
        buf_printf(b, "\"#/components/schemas/%s\"", (*m)->name);
    }
    js_close(b, '}');
    js_close(b, '}');
    js_close(b, '}');
}

static void put_array(struct buf *b, const struct field *f)
{
    put_type(b, f, "array");
    if (f->min > 0) {
        js_number_member(b, "minItems", f->min);
    }
    js_number_member(b, "maxItems", f->max);
    js_name(b, "items");
    if (f->variants != NULL) {
        put_variants(b, f);
    } else if (f->message != NULL) {
        js_ref(b, "schemas", f->message->name);
    } else {
        js_raw(b, "{\"type\":\"string\"}");
    }
}

static void put_constraints(struct buf *b, const struct field *f)
{
    switch (f->type) {
    case FIELD_TEXT:
        put_string(b, f, f->min, f->max);
        break;
    case FIELD_SKU:
        put_string(b, f, 1, SKU_BYTES_MAX);
        break;
    case FIELD_LOCATION:
        put_formatted(b, f, "pattern", "^[A-Za-z0-9._-]{1,64}$");
        break;
    case FIELD_KEY:
        put_formatted(b, f, "pattern", "^[ -~]{1,255}$");
        break;
    case FIELD_UUID:
        put_formatted(b, f, "format", "uuid");
        break;
    case FIELD_TIME:
        put_formatted(b, f, "format", "date-time");
        break;
    case FIELD_PROBLEM_POINTER:
        put_formatted(b, f, "format", "json-pointer");
        break;
    case FIELD_INT64:
    case FIELD_UINT64:
    case FIELD_UINT32:
        put_integer(b, f);
        break;
    case FIELD_CHOICE:
        put_choices(b, f);
        break;
    case FIELD_WORD:
        put_formatted(b, f, "const", f->choices[0].name);
        break;
    case FIELD_BOOL:
        put_type(b, f, "boolean");
        break;
    case FIELD_LIST:
    case FIELD_VARIANTS:
        put_array(b, f);
        break;
    case FIELD_ANY_OBJECT:
        put_type(b, f, "object");
        break;
    case FIELD_MESSAGE:
        if (f->message == NULL) {
            put_type(b, f, "object");
        } else {
            js_name(b, "$ref");
            buf_printf(b, "\"#/components/schemas/%s\"", f->message->name);
        }
        break;
    }
}

/* Query arguments that may be repeated are arrays. */
static void put_repeated(struct buf *b, const struct field *f)
{
    js_text_member(b, "type", "array");
    js_number_member(b, "minItems", f->min);
    js_number_member(b, "maxItems", f->max);
    js_name(b, "items");
    js_raw(b, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64}");
}

void schema_field(struct buf *b, const struct field *f)
{
    js_open(b, '{');
    if (f->many) {
        put_repeated(b, f);
    } else {
        put_constraints(b, f);
    }
    js_close(b, '}');
}

void schemas_add(struct schemas *s, const struct message *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < s->len; i++) {
        if (s->messages[i] == m) {
            return;
        }
    }
    check(s->len < SCHEMAS_MAX);
    s->messages[s->len++] = m;
    for (size_t i = 0; i < m->fields_len; i++) {
        schemas_add(s, m->fields[i].message);
        for (const struct message *const *v = m->fields[i].variants; v != NULL && *v != NULL; v++) {
            schemas_add(s, *v);
        }
    }
}

static void put_required(struct buf *b, const struct message *m)
{
    bool any = false;
    for (size_t i = 0; i < m->fields_len; i++) {
        if (!m->fields[i].required) {
            continue;
        }
        if (!any) {
            js_array_member(b, "required");
            any = true;
        }
        js_text(b, m->fields[i].name);
    }
    if (any) {
        js_close(b, ']');
    }
}

static void put_message(struct buf *b, const struct message *m)
{
    js_object_member(b, m->name);
    js_text_member(b, "type", "object");
    js_text_member(b, "description", m->description);
    /* Requests are strict: what is not in the table is refused. Answers may grow. */
    if (m->size > 0) {
        js_name(b, "additionalProperties");
        js_bool(b, false);
    }
    put_required(b, m);
    js_object_member(b, "properties");
    for (size_t i = 0; i < m->fields_len; i++) {
        js_object_member(b, m->fields[i].name);
        put_constraints(b, &m->fields[i]);
        js_text_member(b, "description", m->fields[i].description);
        js_close(b, '}');
    }
    js_close(b, '}');
    js_close(b, '}');
}

void schemas_render(struct buf *b, const struct schemas *s)
{
    for (size_t i = 0; i < s->len; i++) {
        put_message(b, s->messages[i]);
    }
}
