/*
 * Reads comma-separated values from memory: quoted fields, doubled quotes, lines ended by LF or CRLF.
 */
#ifndef APP_DEMO_CSV_H
#define APP_DEMO_CSV_H

#include "base/err.h"
#include "base/str.h"

struct csv {
    char *at; /* quoted fields are unquoted in place */
    char *end;
    unsigned line; /* of the record read last, 1.. */
    bool broken;   /* a quote is not closed or not at the end of its field, a CR stands alone, or too many fields */
};

/* Borrows `bytes` and changes it while reading. */
void csv_init(struct csv *c, char *bytes, size_t len);

/*
 * The next record: up to `fields_max` fields into `fields`, borrowed from the bytes. Returns how many; 0 at the end
 * or when broken.
 */
size_t csv_next(struct csv *c, struct str *fields, size_t fields_max);

/* A whole file, plain or gzip, into memory (one more byte is allocated than `*out_len`). The caller frees. */
MUST_CHECK enum err
csv_read_file(const char *path, size_t size_max, char **out, size_t *out_len, struct err_note *note);

#endif
