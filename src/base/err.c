#include "base/err.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info err_rows[ERR_COUNT] = {
#define ERR(name, http_status, may_retry, slug_text, title_text, meaning_text) \
    [ERR_##name] = {                                                           \
        .slug = (slug_text),                                                   \
        .title = (title_text),                                                 \
        .meaning = (meaning_text),                                             \
        .status = (http_status),                                               \
        .retryable = (may_retry),                                              \
    },
#include "base/errors.def"
#undef ERR
};

const struct err_info *err_info(enum err e)
{
    check(e > ERR_OK && e < ERR_COUNT);
    return &err_rows[e];
}

enum err err_note_set(struct err_note *note, enum err e, const char *format, ...)
{
    if (note == NULL) {
        return e;
    }
    char text[sizeof(note->text) + 1]; /* apart, as the old text may be an argument; one more, to see what is cut */
    va_list args;
    va_start(args, format);
    int printed = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    check(printed >= 0);
    size_t len = str_utf8_cut(str_from(text), sizeof(note->text) - 1);
    memcpy(note->text, text, len);
    note->text[len] = '\0';
    return e;
}
