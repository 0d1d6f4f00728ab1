/*
 * RFC 9457 problem details, rendered from base/errors.def.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "http/http.h"

/* As problem_render, with another status than the row has. */
void problem_render_as(
    struct buf *out,
    enum err e,
    int status,
    struct str detail,
    struct str members,
    struct str instance);

#endif
