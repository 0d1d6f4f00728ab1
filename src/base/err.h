/*
 * Every way in which an operation can fail or be refused, as the outside sees it. The rows are in errors.def.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

enum err {
    ERR_OK = 0,
#define ERR(name, status, retryable, slug, title, meaning) ERR_##name,
#include "base/errors.def"
#undef ERR
    ERR_COUNT
};

struct err_info {
    const char *slug;    /* stable `code`, snake_case */
    const char *title;   /* constant text of the problem */
    const char *meaning; /* for the page under /problems/ */
    int status;          /* HTTP status */
    bool retryable;      /* the same request may succeed later */
};

/* Facts of a row. ERR_OK has none: asking for them is a bug. */
const struct err_info *err_info(enum err e);

/* Free text for one failure, wrapped upward by whoever adds context. Empty when `text[0]` is 0. */
struct err_note {
    char text[256];
};

/* Writes `note` (may be NULL; its old text may be an argument) and returns `e`. Cut to fit, never inside a character. */
enum err err_note_set(struct err_note *note, enum err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* The only control-flow macro: returns the error of `expr` to the caller. */
#define TRY(expr)                  \
    do {                           \
        enum err try_err = (expr); \
        if (try_err != ERR_OK) {   \
            return try_err;        \
        }                          \
    } while (0)

#endif
