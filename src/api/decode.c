#include "api/decode.h"

#include "api/canonical.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

#define ERRORS_BYTES_MAX (32 * 1024)
#define POINTER_BYTES_MAX 256
#define DETAIL_BYTES_MAX 192

/* One allocation that lives as long as the decoded body. */
struct decoded_block {
    struct decoded_block *next;
    max_align_t bytes[];
};

static void *decoded_take(struct decoded *d, size_t count, size_t size)
{
    check(size == 0 || count <= SIZE_MAX / 2 / size);
    struct decoded_block *block = mem_new(sizeof(*block) + count * size);
    block->next = d->blocks;
    d->blocks = block;
    return block->bytes;
}

void decoded_release(struct decoded *d)
{
    json_decref(d->root);
    while (d->blocks != NULL) {
        struct decoded_block *next = d->blocks->next;
        mem_free(d->blocks);
        d->blocks = next;
    }
    *d = (struct decoded){0};
}

/* Errors. */

void decode_errors_init(struct decode_errors *e)
{
    buf_init(&e->json, ERRORS_BYTES_MAX);
    e->count = 0;
}

void decode_errors_release(struct decode_errors *e)
{
    buf_release(&e->json);
}

/* The part of `name` that fits, ending between two characters; '~' and '/' escaped as RFC 6901 says. */
static void put_pointer_name(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        bool begins = ((unsigned char)name.ptr[i] & 0xc0) != 0x80;
        if (begins && out->len + 8 > POINTER_BYTES_MAX) {
            return;
        }
        if (name.ptr[i] == '~') {
            buf_put_literal(out, "~0");
        } else if (name.ptr[i] == '/') {
            buf_put_literal(out, "~1");
        } else {
            buf_put_char(out, name.ptr[i]);
        }
    }
}

static void put_pointer(struct buf *out, const struct pointer *at)
{
    if (at == NULL) {
        return;
    }
    put_pointer(out, at->up);
    buf_put_char(out, '/');
    if (str_is_absent(at->name)) {
        buf_put_u64(out, at->index);
    } else {
        put_pointer_name(out, at->name);
    }
}

static void
put_error(struct decode_errors *e, const char *where, struct str place, const char *code, const char *detail)
{
    if (e->count++ >= DECODE_ERRORS_MAX) {
        return;
    }
    buf_printf(&e->json, "%s{\"%s\":", e->json.len == 0 ? "" : ",", where);
    buf_put_json(&e->json, place);
    buf_put_literal(&e->json, ",\"detail\":");
    buf_put_json(&e->json, str_from(detail));
    buf_printf(&e->json, ",\"code\":\"%s\"}", code);
    check(!e->json.overflowed);
}

void decode_error(struct decode_errors *e, const struct pointer *at, const char *code, const char *detail)
{
    struct buf place;
    buf_init(&place, 2 * POINTER_BYTES_MAX);
    put_pointer(&place, at);
    put_error(e, "pointer", place.len == 0 ? STR("") : buf_str(&place), code, detail);
    buf_release(&place);
}

void decode_argument_error(struct decode_errors *e, struct str name, const char *code, const char *detail)
{
    struct buf place;
    buf_init(&place, 2 * POINTER_BYTES_MAX);
    put_pointer_name(&place, name);
    put_error(e, "parameter", place.len == 0 ? STR("") : buf_str(&place), code, detail);
    buf_release(&place);
}

void decode_errors_render(const struct decode_errors *e, struct buf *out)
{
    buf_put_literal(out, ",\"errors\":[");
    buf_put_str(out, buf_str(&e->json));
    buf_put_char(out, ']');
}

/* Parsing. */

/* Brackets outside of strings; jansson's own limit is fixed and far higher. */
static bool depth_is_allowed(struct str body)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.ptr[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

enum err decode_parse(struct decoded *d, struct str body, struct decode_errors *errors, struct err_note *note)
{
    if (body.len == 0) {
        return err_note_set(note, ERR_MALFORMED, "A JSON object is needed as body.");
    }
    if (!depth_is_allowed(body)) {
        return err_note_set(note, ERR_MALFORMED, "The JSON is nested deeper than %d levels.", JSON_DEPTH_MAX);
    }
    json_error_t error;
    d->root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (d->root == NULL && json_error_code(&error) == json_error_numeric_overflow) {
        decode_error(errors, NULL, "out_of_range", "A number is too large for any member.");
        return ERR_INVALID;
    }
    if (d->root == NULL) {
        return err_note_set(note, ERR_MALFORMED, "The JSON is broken at line %d, column %d.", error.line, error.column);
    }
    if (!json_is_object(d->root)) {
        decode_error(errors, NULL, "wrong_type", "The body must be a JSON object.");
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* Values. Each returns whether it stored one; otherwise it reported why not. */

struct place {
    struct decoded *decoded;
    const struct field *field;
    const struct pointer *pointer;
    struct decode_errors *errors;
    char *out; /* the struct */
};

static bool refuse(const struct place *p, const char *code, const char *detail)
{
    decode_error(p->errors, p->pointer, code, detail);
    return false;
}

static void *target(const struct place *p)
{
    return p->out + p->field->offset;
}

static bool refuse_range(const struct place *p)
{
    char detail[DETAIL_BYTES_MAX];
    snprintf(
        detail, sizeof(detail), "Must be an integer from %" PRId64 " to %" PRId64 "%s.", p->field->min, p->field->max,
        p->field->not_zero ? ", not 0" : "");
    return refuse(p, "out_of_range", detail);
}

static void store_integer(const struct field *f, char *out, int64_t value)
{
    char *at = out + f->offset;
    if (f->type == FIELD_UINT32) {
        *(uint32_t *)(void *)at = (uint32_t)value;
    } else if (f->type == FIELD_UINT64) {
        *(uint64_t *)(void *)at = (uint64_t)value;
    } else {
        *(int64_t *)(void *)at = value;
    }
}

static bool decode_integer(const struct place *p, json_t *value)
{
    if (!json_is_integer(value)) {
        return refuse(p, "wrong_type", "Must be an integer, written with digits only.");
    }
    int64_t number = json_integer_value(value);
    if (number < p->field->min || number > p->field->max || (p->field->not_zero && number == 0)) {
        return refuse_range(p);
    }
    store_integer(p->field, p->out, number);
    return true;
}

bool decode_is_key(struct str text)
{
    if (text.len < 1 || text.len > IDEMPOTENCY_KEY_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* NULL when `text` fits the row. */
static const char *text_fault(const struct field *f, struct str text, char *out, size_t out_size)
{
    switch (f->type) {
    case FIELD_SKU:
        return str_is_sku(text) ? NULL : "Must be 1 to 64 bytes without control characters or space at the ends.";
    case FIELD_LOCATION:
        return str_is_location(text) ? NULL : "Must be 1 to 64 of a-z A-Z 0-9 . _ -";
    case FIELD_KEY:
        return decode_is_key(text) ? NULL : "Must be 1 to 255 printable ASCII characters.";
    default:
        if ((int64_t)text.len >= f->min && (int64_t)text.len <= f->max && str_is_text(text)) {
            return NULL;
        }
        snprintf(
            out, out_size, "Must be text of %" PRId64 " to %" PRId64 " bytes without control characters.", f->min,
            f->max);
        return out;
    }
}

static bool decode_text(const struct place *p, struct str text)
{
    char room[DETAIL_BYTES_MAX];
    const char *fault = text_fault(p->field, text, room, sizeof(room));
    if (fault != NULL) {
        return refuse(p, "out_of_range", fault);
    }
    *(struct str *)target(p) = text;
    return true;
}

static bool decode_choice(const struct place *p, struct str text)
{
    for (const struct choice *c = p->field->choices; c->name != NULL; c++) {
        if (str_equal(text, str_from(c->name))) {
            if (p->field->type == FIELD_CHOICE) {
                *(int *)target(p) = c->value;
            }
            return true;
        }
    }
    char detail[DETAIL_BYTES_MAX];
    int at = snprintf(detail, sizeof(detail), "Must be one of:");
    for (const struct choice *c = p->field->choices; c->name != NULL && at < (int)sizeof(detail); c++) {
        at += snprintf(detail + at, sizeof(detail) - (size_t)at, " %s", c->name);
    }
    return refuse(p, "not_a_choice", detail);
}

static bool decode_string(const struct place *p, json_t *value)
{
    if (!json_is_string(value)) {
        return refuse(p, "wrong_type", "Must be a string.");
    }
    struct str text = {json_string_value(value), json_string_length(value)};
    switch (p->field->type) {
    case FIELD_CHOICE:
    case FIELD_WORD:
        return decode_choice(p, text);
    case FIELD_UUID:
        return uuid_parse(text, target(p)) || refuse(p, "out_of_range", "Must be a UUID.");
    default:
        return decode_text(p, text);
    }
}

static bool decode_any_object(const struct place *p, json_t *value)
{
    if (!json_is_object(value)) {
        return refuse(p, "wrong_type", "Must be an object.");
    }
    struct buf text;
    buf_init(&text, (size_t)p->field->max);
    canonical_put(&text, value);
    bool fits = !text.overflowed;
    if (fits) {
        char *copy = decoded_take(p->decoded, text.len, 1);
        memcpy(copy, text.ptr, text.len);
        *(struct str *)target(p) = (struct str){copy, text.len};
    }
    buf_release(&text);
    return fits || refuse(p, "out_of_range", "The object is too large.");
}

static bool array_fits(const struct place *p, json_t *value)
{
    if (!json_is_array(value)) {
        return refuse(p, "wrong_type", "Must be an array.");
    }
    size_t len = json_array_size(value);
    if ((int64_t)len >= p->field->min && (int64_t)len <= p->field->max) {
        return true;
    }
    char detail[DETAIL_BYTES_MAX];
    snprintf(detail, sizeof(detail), "Must have %" PRId64 " to %" PRId64 " elements.", p->field->min, p->field->max);
    return refuse(p, "out_of_range", detail);
}

static bool decode_members(
    struct decoded *d,
    const struct message *m,
    const struct pointer *up,
    json_t *object,
    void *out,
    struct decode_errors *errors);

static bool decode_list(const struct place *p, json_t *value)
{
    if (!array_fits(p, value)) {
        return false;
    }
    const struct message *m = p->field->message;
    size_t len = json_array_size(value);
    char *elements = decoded_take(p->decoded, len, m->size);
    unsigned before = p->errors->count;
    for (size_t i = 0; i < len; i++) {
        struct pointer at = {.up = p->pointer, .index = i};
        json_t *element = json_array_get(value, i);
        if (json_is_object(element)) {
            decode_members(p->decoded, m, &at, element, elements + i * m->size, p->errors);
        } else {
            decode_error(p->errors, &at, "wrong_type", "Must be an object.");
        }
    }
    *(void **)target(p) = elements;
    *(uint32_t *)(void *)(p->out + p->field->also) = (uint32_t)len;
    return p->errors->count == before;
}

static bool decode_value(const struct place *p, json_t *value)
{
    switch (p->field->type) {
    case FIELD_INT64:
    case FIELD_UINT64:
    case FIELD_UINT32:
        return decode_integer(p, value);
    case FIELD_ANY_OBJECT:
        return decode_any_object(p, value);
    case FIELD_LIST:
        return decode_list(p, value);
    case FIELD_VARIANTS:
        if (!array_fits(p, value)) {
            return false;
        }
        *(json_t **)target(p) = value;
        return true;
    default:
        return decode_string(p, value);
    }
}

static const struct field *field_find(const struct message *m, const char *name)
{
    for (size_t i = 0; i < m->fields_len; i++) {
        if (strcmp(m->fields[i].name, name) == 0) {
            return &m->fields[i];
        }
    }
    return NULL;
}

static void
decode_absent(const struct message *m, uint64_t seen, const struct pointer *up, char *out, struct decode_errors *errors)
{
    for (size_t i = 0; i < m->fields_len; i++) {
        const struct field *f = &m->fields[i];
        if ((seen & 1ULL << i) != 0) {
            continue;
        }
        if (f->required) {
            struct pointer at = {.up = up, .name = str_from(f->name)};
            decode_error(errors, &at, "missing", "This member is needed.");
        } else if (f->has_fallback) {
            store_integer(f, out, f->fallback);
        }
    }
}

static bool decode_members(
    struct decoded *d,
    const struct message *m,
    const struct pointer *up,
    json_t *object,
    void *out,
    struct decode_errors *errors)
{
    unsigned before = errors->count;
    uint64_t seen = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        struct pointer at = {.up = up, .name = str_from(name)};
        const struct field *f = field_find(m, name);
        if (f == NULL) {
            decode_error(errors, &at, "unknown_member", "There is no such member here.");
            continue;
        }
        seen |= 1ULL << (f - m->fields);
        struct place p = {d, f, &at, errors, out};
        if (decode_value(&p, value) && f->has_given) {
            *(bool *)((char *)out + f->also) = true;
        }
    }
    decode_absent(m, seen, up, out, errors);
    return errors->count == before;
}

bool decode_object(struct decoded *d, const struct message *m, json_t *object, void *out, struct decode_errors *errors)
{
    check(m->fields_len <= 64);
    if (!decode_members(d, m, NULL, object, out, errors)) {
        return false;
    }
    unsigned before = errors->count;
    if (m->inspect != NULL) {
        m->inspect(out, errors);
    }
    return errors->count == before;
}

enum err decode_body(
    struct decoded *d,
    const struct message *m,
    struct str body,
    bool optional,
    void *out,
    struct decode_errors *errors,
    struct err_note *note)
{
    if (optional && body.len == 0) {
        body = STR("{}");
    }
    TRY(decode_parse(d, body, errors, note));
    return decode_object(d, m, d->root, out, errors) ? ERR_OK : ERR_INVALID;
}
