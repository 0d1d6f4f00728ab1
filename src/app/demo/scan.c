#include "app/demo/scan.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t' || *p == ',' || *p == ':')) {
        p++;
    }
    return p;
}

/* Behind the string that begins at `p`; `end` when it does not end. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }
    return p < end ? p + 1 : end;
}

/* Behind the value that begins at `p`. */
static const char *skip_value(const char *p, const char *end)
{
    int depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
        } else if (c == '{' || c == '[') {
            depth++;
            p++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                return p; /* a number at the end of its object */
            }
            depth--;
            p++;
        } else if (depth == 0 && c == ',') {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0) {
            return p;
        }
    }
    return end;
}

static struct str between(const char *from, const char *to)
{
    return (struct str){from, (size_t)(to - from)};
}

struct str scan_member(struct str object, const char *name)
{
    const char *end = object.ptr + object.len;
    size_t name_len = strlen(name);
    if (object.len == 0 || object.ptr[0] != '{') {
        return STR_NONE;
    }
    const char *p = skip_space(object.ptr + 1, end);
    while (p < end && *p == '"') {
        const char *key_end = skip_string(p, end);
        const char *value = skip_space(key_end, end);
        const char *value_end = skip_value(value, end);
        bool found = (size_t)(key_end - p) == name_len + 2 && memcmp(p + 1, name, name_len) == 0;
        if (found) {
            return between(value, value_end);
        }
        p = skip_space(value_end, end);
    }
    return STR_NONE;
}

struct str scan_text(struct str object, const char *name)
{
    struct str value = scan_member(object, name);
    bool whole = value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"';
    if (!whole || memchr(value.ptr, '\\', value.len) != NULL) {
        return STR_NONE;
    }
    return (struct str){value.ptr + 1, value.len - 2};
}

bool scan_integer(struct str object, const char *name, int64_t *out)
{
    struct str value = scan_member(object, name);
    bool negative = value.len > 0 && value.ptr[0] == '-';
    uint64_t number;
    if (!str_to_u64((struct str){value.ptr + negative, value.len - negative}, INT64_MAX, &number)) {
        return false;
    }
    *out = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

bool scan_element(struct str *rest, struct str *out)
{
    const char *end = rest->ptr + rest->len;
    const char *p = rest->ptr;
    if (p < end && *p == '[') {
        p++;
    }
    p = skip_space(p, end);
    if (p == end || *p == ']') {
        return false;
    }
    const char *value_end = skip_value(p, end);
    *out = between(p, value_end);
    *rest = between(value_end, end);
    return value_end > p;
}
