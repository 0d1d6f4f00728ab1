/*
 * A growable byte buffer with a ceiling, and the JSON writer on top of it.
 *
 * Going over the ceiling sets `overflowed` and drops that and everything after it; the caller looks once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *ptr;
    size_t len;
    size_t size;     /* allocated */
    size_t size_max; /* ceiling */
    bool overflowed;
};

void buf_init(struct buf *b, size_t size_max);
void buf_release(struct buf *b);
/* Empties; keeps the memory. */
void buf_clear(struct buf *b);
struct str buf_str(const struct buf *b);
/* Makes room for `extra` more bytes; false (and overflowed) when above the ceiling. */
bool buf_reserve(struct buf *b, size_t extra);

void buf_put(struct buf *b, const void *bytes, size_t len);
void buf_put_str(struct buf *b, struct str s);
void buf_put_char(struct buf *b, char c);
void buf_put_i64(struct buf *b, int64_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
#define buf_put_literal(b, text) buf_put((b), (text), sizeof(text) - 1)

/* A JSON string with quotes; `s` is valid UTF-8. */
void buf_put_json(struct buf *b, struct str s);
/* As time_to_text (base/clock.h), without quotes. */
void buf_put_time(struct buf *b, int64_t ms);

#endif
