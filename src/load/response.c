#include "load/response.h"

#include <strings.h>

static bool name_is(struct str name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp(name.ptr, wanted, name.len) == 0;
}

static struct str trimmed(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* "HTTP/1.1 200 OK": fills status and the version's default for keep-alive. */
static bool read_status_line(struct str line, struct response_head *out)
{
    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ') {
        return false;
    }
    if (line.len > 12 && line.ptr[12] != ' ') {
        return false;
    }
    uint64_t status;
    if (!str_to_u64((struct str){line.ptr + 9, 3}, 599, &status) || status < 100) {
        return false;
    }
    out->status = (int)status;
    out->keep_alive = line.ptr[7] == '1';
    return true;
}

struct framing {
    bool chunked;
    bool length_given;
    uint64_t length;
};

static bool read_length(struct str value, struct framing *framing)
{
    uint64_t length;
    if (!str_to_u64(value, RESPONSE_BODY_BYTES_MAX, &length)) {
        return false;
    }
    if (framing->length_given && framing->length != length) {
        return false;
    }
    framing->length_given = true;
    framing->length = length;
    return true;
}

static bool read_header(struct str line, struct response_head *out, struct framing *framing)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr) {
        return false;
    }
    struct str name = {line.ptr, (size_t)(colon - line.ptr)};
    struct str value = trimmed((struct str){colon + 1, line.len - name.len - 1});
    if (name_is(name, "Content-Length")) {
        return read_length(value, framing);
    }
    if (name_is(name, "Transfer-Encoding")) {
        framing->chunked = true;
        return name_is(value, "chunked");
    }
    if (name_is(name, "Connection")) {
        if (name_is(value, "close")) {
            out->keep_alive = false;
        } else if (name_is(value, "keep-alive")) {
            out->keep_alive = true;
        }
    } else if (name_is(name, "Content-Type")) {
        out->content_type = value;
    } else if (name_is(name, "Idempotent-Replayed")) {
        out->replayed = name_is(value, "true");
    } else if (name_is(name, "Retry-After")) {
        uint64_t seconds;
        out->retry_after_s = str_to_u64(value, 3600, &seconds) ? (uint32_t)seconds : 0;
    }
    return true;
}

/* The next line without its CRLF; false when it has not ended. */
static bool next_line(struct str bytes, size_t *at, struct str *out)
{
    const char *from = bytes.ptr + *at;
    const char *end = memmem(from, bytes.len - *at, "\r\n", 2);
    if (end == NULL) {
        return false;
    }
    *out = (struct str){from, (size_t)(end - from)};
    *at += out->len + 2;
    return true;
}

static bool has_body(int status, bool head_only)
{
    return !head_only && status >= 200 && status != 204 && status != 304;
}

/* False: a length beside chunks, which two readers could understand in two ways. */
static bool set_body(struct response_head *out, const struct framing *framing, bool head_only)
{
    if (framing->chunked && framing->length_given) {
        return false;
    }
    out->body = BODY_OF_LENGTH;
    if (!has_body(out->status, head_only)) {
        return true;
    }
    if (framing->chunked) {
        out->body = BODY_IN_CHUNKS;
    } else if (framing->length_given) {
        out->body_len = (size_t)framing->length;
    } else {
        out->body = BODY_UNTIL_CLOSE;
        out->keep_alive = false;
    }
    return true;
}

static enum response_read read_one(struct str bytes, size_t from, bool head_only, struct response_head *out)
{
    *out = (struct response_head){0};
    struct framing framing = {0};
    struct str line;
    size_t at = from;
    if (!next_line(bytes, &at, &line)) {
        return bytes.len - from > RESPONSE_HEAD_BYTES_MAX ? RESPONSE_BROKEN : RESPONSE_INCOMPLETE;
    }
    if (!read_status_line(line, out)) {
        return RESPONSE_BROKEN;
    }
    while (next_line(bytes, &at, &line)) {
        if (line.len == 0) {
            out->head_len = at;
            return set_body(out, &framing, head_only) ? RESPONSE_COMPLETE : RESPONSE_BROKEN;
        }
        if (!read_header(line, out, &framing)) {
            return RESPONSE_BROKEN;
        }
    }
    return bytes.len - from > RESPONSE_HEAD_BYTES_MAX ? RESPONSE_BROKEN : RESPONSE_INCOMPLETE;
}

enum response_read response_read_head(struct str bytes, bool head_only, struct response_head *out)
{
    size_t from = 0;
    for (;;) {
        enum response_read read = read_one(bytes, from, head_only, out);
        if (read != RESPONSE_COMPLETE || out->status >= 200) {
            return read;
        }
        from = out->head_len;
    }
}
