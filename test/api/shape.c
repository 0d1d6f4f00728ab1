#include "shape.h"

#include "test.h"

#include <string.h>

static const struct field *find(const struct message *m, const char *name)
{
    for (size_t i = 0; i < m->fields_len; i++) {
        if (strcmp(m->fields[i].name, name) == 0) {
            return &m->fields[i];
        }
    }
    return NULL;
}

static bool is_choice(const struct field *f, json_t *value)
{
    for (const struct choice *c = f->choices; json_is_string(value) && c->name != NULL; c++) {
        if (strcmp(c->name, json_string_value(value)) == 0) {
            return true;
        }
    }
    return false;
}

static bool list_fits(const struct field *f, json_t *value)
{
    size_t i;
    json_t *element;
    if (!json_is_array(value) || (int64_t)json_array_size(value) < f->min || (int64_t)json_array_size(value) > f->max) {
        return false;
    }
    json_array_foreach(value, i, element)
    {
        if (f->message != NULL) {
            shape_check(f->message, element);
        }
    }
    return true;
}

static bool fits(const struct field *f, json_t *value)
{
    switch (f->type) {
    case FIELD_INT64:
    case FIELD_UINT64:
    case FIELD_UINT32:
        return json_is_integer(value) && json_integer_value(value) >= f->min && json_integer_value(value) <= f->max;
    case FIELD_CHOICE:
        return is_choice(f, value);
    case FIELD_BOOL:
        return json_is_boolean(value);
    case FIELD_TIME:
        return json_is_string(value) && json_string_length(value) == strlen("2026-11-23T14:21:23.045Z");
    case FIELD_UUID:
        return json_is_string(value) && json_string_length(value) == UUID_TEXT_LEN;
    case FIELD_ANY_OBJECT:
        return json_is_object(value);
    case FIELD_LIST:
        return list_fits(f, value);
    case FIELD_MESSAGE:
        if (f->message != NULL) {
            shape_check(f->message, value);
        }
        return json_is_object(value);
    default:
        return json_is_string(value) || (f->nullable && json_is_null(value));
    }
}

void shape_check(const struct message *m, json_t *value)
{
    const char *name;
    json_t *member;
    assert_true(json_is_object(value));
    json_object_foreach(value, name, member)
    {
        const struct field *f = find(m, name);
        if (f == NULL || !fits(f, member)) {
            fail_msg("%s: %s %s", m->name, name, f == NULL ? "is not documented" : "is not as documented");
        }
    }
    for (size_t i = 0; i < m->fields_len; i++) {
        if (m->fields[i].required && json_object_get(value, m->fields[i].name) == NULL) {
            fail_msg("%s: %s is missing", m->name, m->fields[i].name);
        }
    }
}

void shape_check_text(const struct message *m, struct str json)
{
    json_error_t error;
    json_t *value = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        fail_msg("%s: %s in %.*s", m->name, error.text, STR_ARG(json));
    }
    shape_check(m, value);
    json_decref(value);
}
