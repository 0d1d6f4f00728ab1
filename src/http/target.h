/*
 * The request target: path segments and query arguments.
 *
 * The raw path is split at '/' first and each segment decoded after that, so a SKU may contain an encoded slash.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/buf.h"

#define TARGET_BYTES_MAX 8192
#define TARGET_SEGMENTS_MAX 8 /* no route is deeper */

struct target {
    struct str segments[TARGET_SEGMENTS_MAX];
    unsigned segments_len; /* may be above the maximum: such a path has no route */
    struct str query;      /* decoded arguments: name, NUL, value, NUL, name, ... */
};

/*
 * Decodes the path in `raw` in place and the query arguments into `query`; `out` points into both. NULL when
 * well-formed, else what is wrong with it.
 */
const char *target_parse(char *raw, size_t len, struct buf *query, struct target *out);

/* "http://host/path" is to be accepted as "/path" (RFC 9112 section 3.2.2). Returns the bytes before the path. */
size_t target_origin_len(const char *raw, size_t len);

/* Steps through decoded arguments: start with `*at` = 0; false at the end. */
bool target_argument_next(struct str query, size_t *at, struct str *out_name, struct str *out_value);

#endif
