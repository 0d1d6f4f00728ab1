/*
 * Borrowed byte strings: pointer and length, not terminated, never owned.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr; /* NULL: absent */
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct str str_from(const char *text)
{
    return text == NULL ? STR_NONE : (struct str){text, strlen(text)};
}

static inline bool str_is_absent(struct str s)
{
    return s.ptr == NULL;
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Without blanks (space, tab) at the ends. */
struct str str_trim(struct str s);

/* Byte order; a prefix comes first. */
int str_compare(struct str a, struct str b);

/* 64-bit hash (XXH3) under the seed of this process; never stored, never decides an order. */
uint64_t str_hash(struct str s);

/* Decimal digits only, no sign, no leading zero but "0" itself; false otherwise or above `max`. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);

#define U64_DIGITS_MAX 20

/* In decimal, in `room`. */
struct str str_from_u64(uint64_t v, char room[U64_DIGITS_MAX]);

/* A SKU: 1-64 bytes of text (str_is_text), no zero-width space or byte order mark, no white space at the ends. */
bool str_is_sku(struct str s);

/* A location id: 1-64 of a-z A-Z 0-9 . _ - */
bool str_is_location(struct str s);

/* Valid UTF-8 without control characters (C0, DEL, C1), bidi controls, line and paragraph separators. May be empty. */
bool str_is_text(struct str s);

/* Some byte is below 0x20 or is 0x7f: what must not stand in a header. Any bytes. */
bool str_has_control(struct str s);

/* Valid UTF-8 (no overlong forms, no surrogates). */
bool str_is_utf8(struct str s);

/* Length of the longest prefix of `s` within `len_max` bytes that does not cut a UTF-8 sequence in two. */
size_t str_utf8_cut(struct str s, size_t len_max);

#endif
