/*
 * Entity tags. The tag of a level or an availability is its version in quotes.
 */
#ifndef API_ETAG_H
#define API_ETAG_H

#include "base/str.h"

#define ETAG_BYTES_MAX 24

/* `"<version>"`, terminated, into `room`. */
struct str etag_of(uint64_t version, char room[ETAG_BYTES_MAX]);

enum etag_match {
    ETAG_BROKEN,  /* not a list of entity tags */
    ETAG_ANY,     /* * */
    ETAG_NEVER,   /* no strong tag in it can be a version */
    ETAG_VERSION, /* exactly one version */
    ETAG_SEVERAL, /* more than one version */
};

/* If-Match, compared strongly: a weak tag never matches. `out_version` is set with ETAG_VERSION. */
enum etag_match etag_if_match(struct str header, uint64_t *out_version);

/* If-None-Match of a read, compared weakly: does it name `tag` (with quotes)? */
bool etag_is_listed(struct str header, struct str tag);

#endif
