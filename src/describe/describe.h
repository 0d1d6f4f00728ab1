/*
 * Reference documents, rendered from the declarations of the program.
 */
#ifndef DESCRIBE_DESCRIBE_H
#define DESCRIBE_DESCRIBE_H

#include "base/buf.h"
#include "base/err.h"

/* The OpenAPI 3.1.1 document as JSON, appended to `out`. ERR_TOO_LARGE when it does not fit. */
MUST_CHECK enum err openapi_render(struct buf *out);
/* The AsyncAPI 3.0.0 document of the stream of changes, likewise. api/asyncapi.json is what this gives. */
MUST_CHECK enum err asyncapi_render(struct buf *out);

#endif
