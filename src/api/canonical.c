#include "api/canonical.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_object(struct buf *out, json_t *object)
{
    size_t len = json_object_size(object);
    const char **names = mem_new_array(len + 1, sizeof(*names));
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(object, name, value)
    {
        names[n++] = name;
    }
    qsort(names, len, sizeof(*names), compare_names);
    buf_put_char(out, '{');
    for (size_t i = 0; i < len; i++) {
        if (i > 0) {
            buf_put_char(out, ',');
        }
        buf_put_json(out, str_from(names[i]));
        buf_put_char(out, ':');
        canonical_put(out, json_object_get(object, names[i]));
    }
    buf_put_char(out, '}');
    mem_free(names);
}

static void put_array(struct buf *out, json_t *array)
{
    size_t i;
    json_t *value;
    buf_put_char(out, '[');
    json_array_foreach(array, i, value)
    {
        if (i > 0) {
            buf_put_char(out, ',');
        }
        canonical_put(out, value);
    }
    buf_put_char(out, ']');
}

/* 17 digits always read back; fewer look better where they do too. */
static void put_real(struct buf *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    buf_put_str(out, str_from(text));
    if (strpbrk(text, ".e") == NULL) {
        buf_put_literal(out, ".0");
    }
}

void canonical_put(struct buf *out, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(out, value);
        break;
    case JSON_ARRAY:
        put_array(out, value);
        break;
    case JSON_STRING:
        buf_put_json(out, (struct str){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        buf_put_i64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        put_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_put_literal(out, "true");
        break;
    case JSON_FALSE:
        buf_put_literal(out, "false");
        break;
    case JSON_NULL:
        buf_put_literal(out, "null");
        break;
    }
}
