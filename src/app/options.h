/*
 * Command-line options of a subcommand, read by a table: `--name VALUE`, `--name=VALUE` or, without an argument,
 * `--name`.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "base/err.h"

#include <stdint.h>

struct option_row {
    const char *flag;     /* "--port" */
    const char *argument; /* "PORT"; NULL: the option takes none */
    const char *fallback; /* shown in help; NULL: none */
    const char *help;
};

/* What was given: `row` indexes the table, `value` is NULL for an option without an argument. */
typedef enum err (*option_fn)(void *ctx, size_t row, const char *value, struct err_note *note);

/*
 * Calls `fn` for each option in the order given and stops at the first error it returns. ERR_INVALID with a note:
 * an unknown option, a value that is missing or too much, or anything that is not an option.
 */
MUST_CHECK enum err options_read(
    const struct option_row *rows,
    size_t rows_len,
    int argc,
    char **argv,
    option_fn fn,
    void *ctx,
    struct err_note *note);

/* A number of `least`..`greatest` in decimal digits; ERR_CONFIG with a note otherwise. */
MUST_CHECK enum err option_number(
    const char *flag, const char *value, uint64_t least, uint64_t greatest, uint64_t *out, struct err_note *note);

/*
 * http://HOST[:PORT][/], HOST an IPv6 address in brackets, or anything else without a colon. `host` gets it without the
 * brackets; ERR_CONFIG with a note otherwise.
 */
MUST_CHECK enum err
option_url(const char *flag, const char *value, char *host, size_t host_size, uint64_t *port, struct err_note *note);

#endif
