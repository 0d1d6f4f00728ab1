#include "load/event_reader.h"

#include "load/response.h"

#define CHUNK_DIGITS_MAX 8

void event_reader_init(struct event_reader *r)
{
    *r = (struct event_reader){.state = EVENTS_HEAD};
    buf_init(&r->kept, EVENT_BYTES_MAX);
}

void event_reader_release(struct event_reader *r)
{
    buf_release(&r->kept);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        return (c | 0x20) - 'a' + 10;
    }
    return -1;
}

/* One byte of the line with the size. False: it is none, or that of the last chunk. */
static bool take_size_byte(struct event_reader *r, char c)
{
    if (c == '\n') {
        bool good = r->digits > 0 && r->chunk_left > 0;
        r->digits = 0;
        r->state = EVENTS_CHUNK_DATA;
        return good;
    }
    if (c == '\r') {
        return r->digits > 0;
    }
    int value = digit_value(c);
    r->chunk_left = r->chunk_left * 16 + (uint64_t)(value < 0 ? 0 : value);
    r->digits++;
    return value >= 0 && r->digits <= CHUNK_DIGITS_MAX;
}

/* Moves what is in the chunks to the front of `bytes`. False: what is between the chunks is wrong. */
static bool open_chunks(struct event_reader *r, char *bytes, size_t len, size_t *out_len)
{
    size_t at = 0;
    size_t out = 0;
    bool good = true;
    while (good && at < len) {
        if (r->state == EVENTS_CHUNK_SIZE) {
            good = take_size_byte(r, bytes[at++]);
        } else if (r->state == EVENTS_CHUNK_END) {
            char c = bytes[at++];
            good = c == '\r' || c == '\n';
            r->state = c == '\n' ? EVENTS_CHUNK_SIZE : EVENTS_CHUNK_END;
        } else {
            size_t n = len - at < r->chunk_left ? len - at : (size_t)r->chunk_left;
            memmove(bytes + out, bytes + at, n);
            at += n;
            out += n;
            r->chunk_left -= n;
            r->state = r->chunk_left == 0 ? EVENTS_CHUNK_END : EVENTS_CHUNK_DATA;
        }
    }
    *out_len = out;
    return good;
}

/* Hands over what has ended; returns how many bytes that were. */
static size_t split(struct str bytes, event_fn fn, void *ctx)
{
    size_t at = 0;
    for (;;) {
        const char *end = memmem(bytes.ptr + at, bytes.len - at, "\n\n", 2);
        if (end == NULL) {
            return at;
        }
        size_t len = (size_t)(end - bytes.ptr) - at;
        if (len > 0) {
            fn(ctx, (struct str){bytes.ptr + at, len});
        }
        at += len + 2;
    }
}

/* Keeps the beginning of an event for the next call. */
static bool take_events(struct event_reader *r, struct str bytes, event_fn fn, void *ctx)
{
    if (r->kept.len == 0) {
        size_t used = split(bytes, fn, ctx);
        buf_put(&r->kept, bytes.ptr + used, bytes.len - used);
        return !r->kept.overflowed;
    }
    buf_put_str(&r->kept, bytes);
    size_t used = split(buf_str(&r->kept), fn, ctx);
    memmove(r->kept.ptr, r->kept.ptr + used, r->kept.len - used);
    r->kept.len -= used;
    return !r->kept.overflowed;
}

static bool take_body(struct event_reader *r, char *bytes, size_t len, event_fn fn, void *ctx)
{
    size_t body_len = len;
    bool good = r->state == EVENTS_PLAIN || open_chunks(r, bytes, len, &body_len);
    return body_len == 0 ? good : take_events(r, (struct str){bytes, body_len}, fn, ctx) && good;
}

static bool take_head(struct event_reader *r, struct str bytes, event_fn fn, void *ctx)
{
    struct response_head head;
    buf_put_str(&r->kept, bytes);
    enum response_read read = response_read_head(buf_str(&r->kept), false, &head);
    if (read == RESPONSE_INCOMPLETE) {
        return true;
    }
    r->status = head.status;
    if (read == RESPONSE_BROKEN || head.status != 200 || head.body == BODY_OF_LENGTH) {
        return false;
    }
    r->state = head.body == BODY_IN_CHUNKS ? EVENTS_CHUNK_SIZE : EVENTS_PLAIN;
    struct buf first = r->kept;
    buf_init(&r->kept, EVENT_BYTES_MAX);
    bool good = take_body(r, first.ptr + head.head_len, first.len - head.head_len, fn, ctx);
    buf_release(&first);
    return good;
}

bool event_reader_take(struct event_reader *r, char *bytes, size_t len, event_fn fn, void *ctx)
{
    return r->state == EVENTS_HEAD ? take_head(r, (struct str){bytes, len}, fn, ctx)
                                   : take_body(r, bytes, len, fn, ctx);
}

struct str event_data(struct str event)
{
    size_t at = 0;
    while (at < event.len) {
        const char *line = event.ptr + at;
        const char *end = memchr(line, '\n', event.len - at);
        size_t len = end == NULL ? event.len - at : (size_t)(end - line);
        if (len >= 5 && memcmp(line, "data:", 5) == 0) {
            size_t skip = len > 5 && line[5] == ' ' ? 6 : 5;
            return (struct str){line + skip, len - skip};
        }
        at += len + 1;
    }
    return STR_NONE;
}
