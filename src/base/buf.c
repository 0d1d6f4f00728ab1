#include "base/buf.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

#define BUF_SIZE_FIRST 256

void buf_init(struct buf *b, size_t size_max)
{
    *b = (struct buf){.size_max = size_max};
}

void buf_release(struct buf *b)
{
    mem_free(b->ptr);
    buf_init(b, b->size_max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflowed = false;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr != NULL ? b->ptr : "", b->len};
}

static void buf_grow(struct buf *b, size_t need)
{
    size_t size = b->size > 0 ? b->size : BUF_SIZE_FIRST;
    while (size < need) {
        size = size <= SIZE_MAX / 2 ? size * 2 : need;
    }
    size = size < b->size_max ? size : b->size_max;
    b->ptr = mem_resize(b->ptr, size, 1);
    b->size = size;
}

bool buf_reserve(struct buf *b, size_t extra)
{
    check(b->len <= b->size && b->size <= b->size_max);
    if (b->overflowed || extra > b->size_max - b->len) {
        b->overflowed = true;
        return false;
    }
    if (extra > b->size - b->len) {
        buf_grow(b, b->len + extra);
    }
    return true;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (len > 0 && buf_reserve(b, len)) {
        memcpy(b->ptr + b->len, bytes, len);
        b->len += len;
    }
}

void buf_put_str(struct buf *b, struct str s)
{
    buf_put(b, s.ptr, s.len);
}

void buf_put_char(struct buf *b, char c)
{
    if (buf_reserve(b, 1)) {
        b->ptr[b->len++] = c;
    }
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char room[U64_DIGITS_MAX];
    buf_put_str(b, str_from_u64(v, room));
}

void buf_put_i64(struct buf *b, int64_t v)
{
    uint64_t magnitude = (uint64_t)v;
    if (v < 0) {
        buf_put_char(b, '-');
        magnitude = 0 - magnitude; /* unsigned, so that INT64_MIN is fine */
    }
    buf_put_u64(b, magnitude);
}

/* By way of a copy: vsnprintf needs a byte for its terminator, which need not fit below the ceiling. */
static void buf_put_formatted(struct buf *b, size_t len, const char *format, va_list args)
{
    char *text = mem_resize(NULL, len + 1, 1);
    int printed = vsnprintf(text, len + 1, format, args);
    check(printed == (int)len);
    buf_put(b, text, len);
    mem_free(text);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    if (b->overflowed) {
        return;
    }
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    size_t room = b->size - b->len;
    int len = vsnprintf(room > 0 ? b->ptr + b->len : NULL, room, format, args);
    va_end(args);
    check(len >= 0);
    if ((size_t)len < room) {
        b->len += (size_t)len;
    } else if (buf_reserve(b, (size_t)len)) {
        buf_put_formatted(b, (size_t)len, format, again);
    }
    va_end(again);
}

#define BYTES_OF(byte) (0x0101010101010101ULL * (byte))

/* Is any of the eight bytes of `x` below `limit` (1..128)? */
static bool any_byte_below(uint64_t x, uint64_t limit)
{
    return ((x - BYTES_OF(limit)) & ~x & BYTES_OF(0x80)) != 0;
}

static bool json_is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* Length of the prefix that stands in a JSON string as it is; looks at eight bytes at a time. */
static size_t json_plain_len(const char *text, size_t len)
{
    size_t at = 0;
    for (; at + 8 <= len; at += 8) {
        uint64_t x;
        memcpy(&x, text + at, sizeof(x));
        if (any_byte_below(x, 0x20) || any_byte_below(x ^ BYTES_OF('"'), 1) || any_byte_below(x ^ BYTES_OF('\\'), 1)) {
            break;
        }
    }
    while (at < len && json_is_plain(text[at])) {
        at++;
    }
    return at;
}

static void buf_put_json_escape(struct buf *b, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_for[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    unsigned code = (unsigned char)c;
    if (code >= 0x20) {
        buf_put(b, (char[]){'\\', c}, 2);
    } else if (short_for[code] != '\0') {
        buf_put(b, (char[]){'\\', short_for[code]}, 2);
    } else {
        buf_put(b, (char[]){'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]}, 6);
    }
}

void buf_put_json(struct buf *b, struct str s)
{
    buf_put_char(b, '"');
    for (size_t at = 0; at < s.len && !b->overflowed;) {
        size_t plain = json_plain_len(s.ptr + at, s.len - at);
        buf_put(b, s.ptr + at, plain);
        at += plain;
        if (at < s.len) {
            buf_put_json_escape(b, s.ptr[at++]);
        }
    }
    buf_put_char(b, '"');
}

void buf_put_time(struct buf *b, int64_t ms)
{
    char text[TIME_TEXT_LEN];
    time_to_text(ms, text);
    buf_put(b, text, sizeof(text));
}
