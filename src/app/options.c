#include "app/options.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The row whose flag is `name`, rows_len when there is none. */
static size_t find_row(const struct option_row *rows, size_t rows_len, struct str name)
{
    size_t i = 0;
    while (i < rows_len && !str_equal(str_from(rows[i].flag), name)) {
        i++;
    }
    return i;
}

/* The value of the option at argv[*at], which may stand in the next argument; NULL when it has none. */
static const char *take_value(const struct option_row *row, const char *inline_value, int argc, char **argv, int *at)
{
    if (row->argument == NULL || inline_value != NULL) {
        return inline_value;
    }
    if (*at + 1 >= argc) {
        return NULL;
    }
    *at += 1;
    return argv[*at];
}

enum err options_read(
    const struct option_row *rows,
    size_t rows_len,
    int argc,
    char **argv,
    option_fn fn,
    void *ctx,
    struct err_note *note)
{
    for (int at = 0; at < argc; at++) {
        const char *given = argv[at];
        if (strncmp(given, "--", 2) != 0) {
            return err_note_set(note, ERR_INVALID, "\"%s\" is not an option", given);
        }
        const char *equals = strchr(given, '=');
        struct str name = {given, equals == NULL ? strlen(given) : (size_t)(equals - given)};
        size_t row = find_row(rows, rows_len, name);
        if (row == rows_len) {
            return err_note_set(note, ERR_INVALID, "unknown option %.*s", STR_ARG(name));
        }
        const char *value = take_value(&rows[row], equals == NULL ? NULL : equals + 1, argc, argv, &at);
        if ((value != NULL) != (rows[row].argument != NULL)) {
            const char *what = value == NULL ? "needs a value" : "takes no value";
            return err_note_set(note, ERR_INVALID, "%s %s", rows[row].flag, what);
        }
        TRY(fn(ctx, row, value, note));
    }
    return ERR_OK;
}

enum err option_number(
    const char *flag, const char *value, uint64_t least, uint64_t greatest, uint64_t *out, struct err_note *note)
{
    if (!str_to_u64(str_from(value), greatest, out) || *out < least) {
        return err_note_set(
            note, ERR_CONFIG, "%s: \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, flag, value, least,
            greatest);
    }
    return ERR_OK;
}

enum err
option_url(const char *flag, const char *value, char *host, size_t host_size, uint64_t *port, struct err_note *note)
{
    static const char scheme[] = "http://";
    struct str rest = str_from(value);
    bool good = rest.len > sizeof(scheme) - 1 && memcmp(value, scheme, sizeof(scheme) - 1) == 0;
    rest = good ? str_from(value + sizeof(scheme) - 1) : STR_NONE;
    rest.len -= rest.len > 0 && rest.ptr[rest.len - 1] == '/';
    const char *bracket = rest.len > 0 && rest.ptr[0] == '[' ? memchr(rest.ptr, ']', rest.len) : NULL;
    const char *from = bracket == NULL ? rest.ptr : bracket;
    const char *colon = good ? memchr(from, ':', rest.len - (size_t)(from - rest.ptr)) : NULL;
    struct str name = {rest.ptr, colon == NULL ? rest.len : (size_t)(colon - rest.ptr)};
    *port = 80;
    good = good && (colon == NULL || str_to_u64((struct str){colon + 1, rest.len - name.len - 1}, UINT16_MAX, port));
    if (bracket != NULL) {
        name = (struct str){name.ptr + 1, name.len - 2};
    }
    if (!good || name.len == 0 || name.len >= host_size || *port == 0 || memchr(name.ptr, '/', name.len) != NULL) {
        return err_note_set(note, ERR_CONFIG, "%s: \"%s\" is not like http://127.0.0.1:8080", flag, value);
    }
    snprintf(host, host_size, "%.*s", STR_ARG(name));
    return ERR_OK;
}
