/*
 * From the bytes of a body to a struct, by the rows of its message. Strict: what is not in the table is an error,
 * numbers are integers, nothing is converted.
 */
#ifndef API_DECODE_H
#define API_DECODE_H

#include "api/messages.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

#define DECODE_ERRORS_MAX 20

/* Every error of one body: the elements of the problem's `errors`, as JSON. */
struct decode_errors {
    struct buf json;
    unsigned count; /* also those that are not listed */
};

void decode_errors_init(struct decode_errors *e);
void decode_errors_release(struct decode_errors *e);

/* Where in the body; NULL is the whole body. A chain on the stack. */
struct pointer {
    const struct pointer *up;
    struct str name; /* absent: an index */
    size_t index;
};

void decode_error(struct decode_errors *e, const struct pointer *at, const char *code, const char *detail);
/* The same for a query argument. */
void decode_argument_error(struct decode_errors *e, struct str name, const char *code, const char *detail);
/* Appends `,"errors":[...]`: the members of the problem. */
void decode_errors_render(const struct decode_errors *e, struct buf *out);

/* The parsed body, and everything that decoded values point into. Zero is empty. */
struct decoded {
    json_t *root;
    struct decoded_block *blocks;
};

void decoded_release(struct decoded *d);

/*
 * Parses `body` (a top-level object). ERR_MALFORMED: not JSON as required, `note` says why. ERR_INVALID: well-formed,
 * but with a number that no machine integer holds, or not an object; reported in `errors`.
 */
MUST_CHECK enum err
decode_parse(struct decoded *d, struct str body, struct decode_errors *errors, struct err_note *note);

/* Fills `out` (zeroed by the caller) from `object`. False: `errors` has grown. */
bool decode_object(struct decoded *d, const struct message *m, json_t *object, void *out, struct decode_errors *errors);

/* Both; an absent body counts as {} when `optional`. */
MUST_CHECK enum err decode_body(
    struct decoded *d,
    const struct message *m,
    struct str body,
    bool optional,
    void *out,
    struct decode_errors *errors,
    struct err_note *note);

/* 1..IDEMPOTENCY_KEY_BYTES_MAX printable ASCII characters? */
bool decode_is_key(struct str text);

#endif
