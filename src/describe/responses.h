/*
 * The answers of an operation in the OpenAPI document: success with its headers, and every problem it can have.
 */
#ifndef DESCRIBE_RESPONSES_H
#define DESCRIBE_RESPONSES_H

#include "api/operations.h"
#include "base/buf.h"

/* The member `responses`. */
void responses_render(struct buf *b, const struct operation *op);
/* The member `headers` of the components. */
void responses_render_headers(struct buf *b);

/* Sets [e] for every problem that the operation can answer with. */
void responses_problems(const struct operation *op, bool out[ERR_COUNT]);

#endif
