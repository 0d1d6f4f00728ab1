#include "http/target.h"

#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* What must not stand in a target unencoded: controls, space, DEL and the fragment sign. */
static bool is_forbidden(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte <= ' ' || byte == 0x7f || byte == '#';
}

/* How many bytes from the start stand for themselves wherever they are: printable ASCII but for #, % and +. */
static size_t plain_len(const char *from, size_t len)
{
    static const uint32_t plain[8] = {0, 0xfffff7d6, 0xffffffff, 0x7fffffff};
    size_t i = 0;
    while (i < len && (plain[(unsigned char)from[i] >> 5] >> (from[i] & 31) & 1) != 0) {
        i++;
    }
    return i;
}

/* Decodes `len` bytes at `from` to the same place; NULL or the fault. */
static const char *decode(char *from, size_t len, bool plus_is_space, struct str *out)
{
    size_t to = plain_len(from, len);
    bool plain = true;
    for (size_t i = to; i < len; i++) {
        char c = from[i];
        if (is_forbidden(c)) {
            return "The target contains a character that must be percent-encoded.";
        }
        if (c == '%') {
            int high = len - i > 2 ? hex_value(from[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return "A percent sign is not followed by two hexadecimal digits.";
            }
            c = (char)(high << 4 | low);
            if (c == 0) {
                return "The target contains an encoded NUL.";
            }
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        plain = plain && (signed char)c > 0;
        from[to++] = c;
    }
    *out = (struct str){from, to};
    return plain || str_is_utf8(*out) ? NULL : "The target is not valid UTF-8.";
}

/* "." or ".." standing between slashes, encoded or not: what a file server behind us might follow upward. */
static bool has_dot_segment(struct str s)
{
    size_t start = 0;
    if (memchr(s.ptr, '.', s.len) == NULL) {
        return false;
    }
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '/') {
            continue;
        }
        struct str part = {s.ptr + start, i - start};
        if (str_equal(part, STR(".")) || str_equal(part, STR(".."))) {
            return true;
        }
        start = i + 1;
    }
    return false;
}

static const char *add_segment(char *from, size_t len, struct target *out)
{
    struct str segment;
    const char *fault = decode(from, len, false, &segment);
    if (fault != NULL) {
        return fault;
    }
    if (has_dot_segment(segment)) {
        return "The path contains a dot segment.";
    }
    if (out->segments_len < TARGET_SEGMENTS_MAX) {
        out->segments[out->segments_len] = segment;
    }
    out->segments_len++;
    return NULL;
}

static const char *parse_path(char *path, size_t len, struct target *out)
{
    if (len == 0 || path[0] != '/') {
        return "The target is not a path.";
    }
    size_t start = 1;
    do {
        const char *slash = memchr(path + start, '/', len - start);
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        if (end == start && end < len) {
            return "The path contains an empty segment.";
        }
        const char *fault = add_segment(path + start, end - start, out);
        if (fault != NULL) {
            return fault;
        }
        start = end + 1;
    } while (start <= len);
    return NULL;
}

/* "name=value", or "name" alone for an empty value. */
static const char *add_argument(char *text, size_t len, struct buf *query)
{
    char *equals = memchr(text, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
    struct str name;
    struct str value = STR("");
    const char *fault = decode(text, name_len, true, &name);
    if (fault == NULL && equals != NULL) {
        fault = decode(equals + 1, len - name_len - 1, true, &value);
    }
    if (fault != NULL) {
        return fault;
    }
    buf_put_str(query, name);
    buf_put_char(query, '\0');
    buf_put_str(query, value);
    buf_put_char(query, '\0');
    return NULL;
}

static const char *parse_query(char *text, size_t len, struct buf *query)
{
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '&') {
            continue;
        }
        if (i > start) { /* "a=1&&b=2" has two arguments */
            const char *fault = add_argument(text + start, i - start, query);
            if (fault != NULL) {
                return fault;
            }
        }
        start = i + 1;
    }
    return NULL;
}

size_t target_origin_len(const char *raw, size_t len)
{
    static const char scheme[] = "http://";
    size_t scheme_len = sizeof(scheme) - 1;
    if (len < scheme_len || strncasecmp(raw, scheme, scheme_len) != 0) {
        return 0;
    }
    const char *slash = memchr(raw + scheme_len, '/', len - scheme_len);
    return slash != NULL ? (size_t)(slash - raw) : 0;
}

const char *target_parse(char *raw, size_t len, struct buf *query, struct target *out)
{
    *out = (struct target){.segments_len = 0};
    if (len == 0) {
        return "The target is empty.";
    }
    size_t skip = target_origin_len(raw, len);
    char *path = raw + skip;
    char *mark = memchr(path, '?', len - skip);
    size_t path_len = mark != NULL ? (size_t)(mark - path) : len - skip;
    const char *fault = parse_path(path, path_len, out);
    if (fault == NULL && mark != NULL) {
        fault = parse_query(mark + 1, len - skip - path_len - 1, query);
        out->query = buf_str(query);
        check(!query->overflowed);
    }
    return fault;
}

bool target_argument_next(struct str query, size_t *at, struct str *out_name, struct str *out_value)
{
    if (*at >= query.len) {
        return false;
    }
    *out_name = str_from(query.ptr + *at);
    *at += out_name->len + 1;
    *out_value = str_from(query.ptr + *at);
    *at += out_value->len + 1;
    return true;
}
