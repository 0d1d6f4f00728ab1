#include "http/screen.h"

#include <strings.h>

/*
 * libmicrohttpd 0.9.75 takes bare LF, folded lines and NUL bytes in the head, and hides them from the application. But
 * it parses in place: the head as it was received lies in memory from `method` on, MHD_CONNECTION_INFO_REQUEST_HEADER_
 * SIZE bytes long, with NULs written over CR, LF, the colons and the spaces of the request line. So a head without
 * surprises is a seamless sequence of the names and values that we are shown, each in its place. `at` is where the next
 * one must begin.
 */
struct walk {
    const char *at;
    unsigned count;
    bool seamless;
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    bool is_http_10;
    struct screening *out;
};

static void refuse_as(struct screening *s, enum err e, const char *detail, bool close)
{
    if (s->refusal.err == ERR_OK) {
        s->refusal = (struct refusal){.err = e, .detail = detail, .close = close};
    }
}

static void refuse(struct screening *s, const char *detail)
{
    refuse_as(s, ERR_MALFORMED, detail, true);
}

/* The characters of a method or header name (RFC 9110 section 5.6.2). */
static bool is_token_char(unsigned char c)
{
    static const uint32_t allowed[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return (allowed[c >> 5] >> (c & 31) & 1) != 0;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char((unsigned char)s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* No control characters but TAB: a bare CR is one. */
static bool is_field_value(struct str s)
{
    if (!str_has_control(s)) {
        return true;
    }
    bool bad = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bad |= (c < ' ' && c != '\t') || c == 0x7f;
    }
    return !bad;
}

static struct str trim_end(struct str s)
{
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

static bool equals_nocase(struct str s, const char *literal)
{
    return s.len == strlen(literal) && strncasecmp(s.ptr, literal, s.len) == 0;
}

static bool is_blank(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    return from == to;
}

static void read_host(struct walk *w, struct str value)
{
    (void)value;
    if (w->hosts++ > 0) {
        refuse(w->out, "There is more than one Host header.");
    }
}

static void read_length(struct walk *w, struct str value)
{
    if (w->lengths++ > 0) {
        refuse(w->out, "There is more than one Content-Length header.");
    } else if (!str_to_u64(value, INT64_MAX, &w->out->content_length)) {
        refuse(w->out, "Content-Length is not a decimal number.");
    }
    w->out->has_length = true;
}

static void read_coding(struct walk *w, struct str value)
{
    if (w->codings++ > 0) {
        refuse(w->out, "There is more than one Transfer-Encoding header.");
    } else if (w->is_http_10) {
        refuse(w->out, "HTTP/1.0 has no Transfer-Encoding.");
    } else if (!equals_nocase(value, "chunked")) {
        refuse_as(w->out, ERR_CODING_UNKNOWN, "The only transfer coding supported is chunked.", true);
    }
    w->out->chunked = true;
}

static void read_expect(struct walk *w, struct str value)
{
    if (equals_nocase(value, "100-continue")) {
        w->out->expects_continue = true;
    } else {
        refuse_as(w->out, ERR_EXPECTATION_FAILED, "Only Expect: 100-continue is supported.", true);
    }
}

static void read_content_encoding(struct walk *w, struct str value)
{
    if (!equals_nocase(value, "identity")) {
        refuse_as(w->out, ERR_UNSUPPORTED_MEDIA, "A request body with a Content-Encoding is not accepted.", false);
    }
}

static void read_content_type(struct walk *w, struct str value)
{
    if (!str_is_absent(w->out->content_type)) {
        refuse(w->out, "There is more than one Content-Type header.");
    }
    w->out->content_type = value;
}

static void read_request_id(struct walk *w, struct str value)
{
    if (value.len <= REQUEST_ID_BYTES_MAX && is_token(value)) {
        w->out->request_id = value;
    }
}

bool screen_is_cookie_too_large(struct str value)
{
    unsigned count = 1;
    for (size_t i = 0; i < value.len; i++) {
        count += value.ptr[i] == ';' || value.ptr[i] == ',';
    }
    return value.len > COOKIE_BYTES_MAX || count > COOKIES_MAX;
}

static void read_cookie(struct walk *w, struct str value)
{
    if (screen_is_cookie_too_large(value)) {
        refuse_as(w->out, ERR_HEAD_TOO_LARGE, "The cookies are too large.", true);
    }
}

static void read_header(struct walk *w, struct str name, struct str value)
{
    static const struct {
        const char *name;
        size_t len;
        void (*read)(struct walk *w, struct str value);
    } rows[] = {
        {"host", 4, read_host},
        {"cookie", 6, read_cookie},
        {"expect", 6, read_expect},
        {"content-type", 12, read_content_type},
        {"x-request-id", 12, read_request_id},
        {"content-length", 14, read_length},
        {"content-encoding", 16, read_content_encoding},
        {"transfer-encoding", 17, read_coding},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].len == name.len && strncasecmp(rows[i].name, name.ptr, name.len) == 0) {
            rows[i].read(w, trim_end(value));
        }
    }
}

static enum MHD_Result
walk_cb(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct walk *w = cls;
    if (++w->count > HEADERS_MAX) {
        refuse_as(w->out, ERR_HEAD_TOO_LARGE, "There are more than 100 headers.", true);
        return MHD_NO;
    }
    struct str value_str = {value, value_len};
    if (!is_token((struct str){name, name_len})) {
        refuse(w->out, "A header name is not a token.");
    } else if (!is_field_value(value_str)) {
        refuse(w->out, "A header value contains a control character.");
    }
    w->seamless = w->seamless && name == w->at && is_blank(name + name_len + 1, value);
    w->at = value + value_len + 2; /* CR LF */
    read_header(w, (struct str){name, name_len}, value_str);
    return MHD_YES;
}

/* Where the first header must begin; NULL when the request line is not "METHOD target HTTP/1.x" and CR LF. */
static const char *after_request_line(const struct request_head *head)
{
    const char *target = head->method + strlen(head->method) + 1;
    const char *version = target + head->target_len + 1;
    if (head->url != target || head->version != version) {
        return NULL;
    }
    const char *end = version + strlen(version);
    return end[1] == '\0' ? end + 2 : NULL;
}

static size_t head_size(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    check(info != NULL);
    return info->header_size;
}

/* Later versions refuse these forms themselves and promise nothing about memory. */
static bool parses_in_place(void)
{
    return MHD_VERSION == 0x00097500 && strcmp(MHD_get_version(), "0.9.75") == 0;
}

static void judge_walk(const struct request_head *head, const struct walk *w)
{
    struct screening *s = w->out;
    size_t size = head_size(head->connection);
    if (parses_in_place() && !(w->seamless && w->at + 2 == head->method + size)) {
        refuse(s, "The request head contains a bare LF, a folded line or a NUL.");
    }
    if (size > HEADER_BYTES_MAX) {
        refuse_as(s, ERR_HEAD_TOO_LARGE, "The request line and headers are larger than 16 KiB.", true);
    }
    if (w->hosts == 0 && !w->is_http_10) {
        refuse(s, "There is no Host header.");
    }
    if (s->has_length && s->chunked) {
        refuse(s, "There is a Content-Length beside a Transfer-Encoding.");
    }
}

void screen_head(const struct request_head *head, struct screening *out)
{
    *out = (struct screening){.has_length = false};
    struct walk w = {.out = out, .is_http_10 = strcmp(head->version, "HTTP/1.0") == 0};
    w.at = after_request_line(head);
    w.seamless = w.at != NULL;
    if (!is_token(str_from(head->method))) {
        refuse(out, "The method is not a token.");
    }
    MHD_get_connection_values_n(head->connection, MHD_HEADER_KIND, walk_cb, &w);
    judge_walk(head, &w);
}

static struct str skip_blanks(struct str s)
{
    while (s.len > 0 && (*s.ptr == ' ' || *s.ptr == '\t')) {
        s.ptr++;
        s.len--;
    }
    return s;
}

bool screen_is_json(struct str content_type)
{
    static const char json[] = "application/json";
    size_t len = sizeof(json) - 1;
    if (content_type.len < len || strncasecmp(content_type.ptr, json, len) != 0) {
        return false;
    }
    struct str rest = skip_blanks((struct str){content_type.ptr + len, content_type.len - len});
    if (rest.len == 0) {
        return true;
    }
    if (*rest.ptr != ';') {
        return false;
    }
    rest = skip_blanks((struct str){rest.ptr + 1, rest.len - 1});
    return equals_nocase(rest, "charset=utf-8") || equals_nocase(rest, "charset=\"utf-8\"");
}
