/*
 * JSON Schema (2020-12) from the tables of messages.
 */
#ifndef DESCRIBE_SCHEMA_H
#define DESCRIBE_SCHEMA_H

#include "api/messages.h"
#include "base/buf.h"

/* The schema of one member, without its description. */
void schema_field(struct buf *b, const struct field *f);

/* Messages that a document refers to, each once. */
#define SCHEMAS_MAX 96
struct schemas {
    const struct message *messages[SCHEMAS_MAX];
    size_t len;
};

/* Adds `m` and everything that it refers to. */
void schemas_add(struct schemas *s, const struct message *m);
/* The members of `components.schemas`. */
void schemas_render(struct buf *b, const struct schemas *s);

#endif
