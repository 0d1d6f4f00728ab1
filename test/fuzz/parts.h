/*
 * A request for the handlers of src/api from the bytes of a fuzzer: an input is a few bytes of plan, then parts of text
 * that are cut at 0x1d.
 */
#ifndef TEST_FUZZ_PARTS_H
#define TEST_FUZZ_PARTS_H

#include "base/str.h"

#define PARTS_CUT 0x1d

/* The next part of `rest`, which begins behind it then; absent when there is none. */
static inline struct str part_next(struct str *rest)
{
    if (str_is_absent(*rest)) {
        return STR_NONE;
    }
    const char *cut = memchr(rest->ptr, PARTS_CUT, rest->len);
    struct str part = {rest->ptr, cut != NULL ? (size_t)(cut - rest->ptr) : rest->len};
    *rest = cut != NULL ? (struct str){cut + 1, rest->len - part.len - 1} : STR_NONE;
    return part;
}

/* A header as a handler may see it: no control characters but the tab. */
static inline bool part_is_header(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

#endif
