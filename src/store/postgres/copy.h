/*
 * The rows of a query as a stream: COPY TO STDOUT in the binary format, a row in memory at a time. For whole tables: the
 * server sends while the rows before are taken in, and neither side builds a result.
 * https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format"
 */
#ifndef STORE_POSTGRES_COPY_H
#define STORE_POSTGRES_COPY_H

#include "store/postgres/link.h"

#define COPY_COLUMNS_MAX 16

struct copy {
    struct link *link;
    const char *doing; /* for errors */
    char *message;     /* of the library; NULL: none */
    const char *at, *end;
    bool headed; /* the header was there */
    int columns;
    struct {
        const char *ptr; /* NULL: NULL */
        size_t len;
    } column[COPY_COLUMNS_MAX];
};

/*
 * Asks for the rows of `query`, a SELECT without parameters. Borrows `l`, which is for nothing else until the last row, and
 * after an error only for link_release. Errors as in link.h.
 */
MUST_CHECK enum err
copy_begin(struct copy *c, struct link *l, const char *query, const char *doing, struct err_note *note);
/* *out_more: there is a row, which is valid until the next call; false: that was the last. */
MUST_CHECK enum err copy_next(struct copy *c, bool *out_more, struct err_note *note);
/* Also after an error. */
void copy_release(struct copy *c);

/* Columns of the row. What they point at is borrowed from it. */
int64_t copy_i64(const struct copy *c, int column);     /* a bigint; 0 for NULL */
struct str copy_text(const struct copy *c, int column); /* absent: NULL */
/* Exactly `len` bytes; anything else is a damaged row: false. */
bool copy_bytes(const struct copy *c, int column, void *out, size_t len);

#endif
