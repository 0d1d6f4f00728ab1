#include "app/demo/csv.h"

#include "base/mem.h"

#include <errno.h>
#include <zlib.h>

#define READ_BYTES (1024u * 1024)

void csv_init(struct csv *c, char *bytes, size_t len)
{
    *c = (struct csv){.at = bytes, .end = bytes + len};
}

/* A quoted field, unquoted in place; `at` stands behind the opening quote. */
static bool read_quoted(struct csv *c, struct str *out)
{
    char *from = c->at;
    char *to = from;
    for (char *p = from; p < c->end; p++) {
        if (*p == '"' && (p + 1 == c->end || p[1] != '"')) {
            *out = (struct str){from, (size_t)(to - from)};
            c->at = p + 1;
            return true;
        }
        p += *p == '"'; /* the first of two quotes is dropped */
        *to++ = *p;
    }
    return false;
}

static void read_plain(struct csv *c, struct str *out)
{
    char *from = c->at;
    while (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r') {
        c->at++;
    }
    *out = (struct str){from, (size_t)(c->at - from)};
}

static bool read_field(struct csv *c, struct str *out)
{
    if (c->at < c->end && *c->at == '"') {
        c->at++;
        return read_quoted(c, out);
    }
    read_plain(c, out);
    return true;
}

enum behind { BEHIND_FIELD, BEHIND_RECORD, BEHIND_BROKEN };

/* Steps over what stands behind a field: a comma, or an end of line, which the end of the bytes may be. */
static enum behind step_behind(struct csv *c)
{
    bool returned = c->at < c->end && *c->at == '\r';
    c->at += returned;
    if (c->at == c->end || *c->at == '\n') {
        c->at += c->at < c->end;
        return BEHIND_RECORD;
    }
    return *c->at++ == ',' && !returned ? BEHIND_FIELD : BEHIND_BROKEN;
}

size_t csv_next(struct csv *c, struct str *fields, size_t fields_max)
{
    if (c->broken || c->at == c->end) {
        return 0;
    }
    c->line++;
    for (size_t count = 0; count < fields_max;) {
        enum behind behind = read_field(c, &fields[count++]) ? step_behind(c) : BEHIND_BROKEN;
        if (behind == BEHIND_RECORD) {
            return count;
        }
        if (behind == BEHIND_BROKEN) {
            break;
        }
    }
    c->broken = true;
    return 0;
}

static enum err read_all(gzFile file, size_t size_max, char **out, size_t *out_len)
{
    char *bytes = NULL;
    size_t cap = 0;
    size_t len = 0;
    for (;;) {
        mem_grow((void **)&bytes, &cap, len + READ_BYTES + 1, 1);
        int n = gzread(file, bytes + len, READ_BYTES);
        if (n <= 0 || len + (size_t)n > size_max) {
            *out = bytes;
            *out_len = len;
            return n < 0 ? ERR_IO : n > 0 ? ERR_TOO_LARGE : ERR_OK;
        }
        len += (size_t)n;
    }
}

enum err csv_read_file(const char *path, size_t size_max, char **out, size_t *out_len, struct err_note *note)
{
    gzFile file = gzopen(path, "rbe");
    if (file == NULL) {
        return err_note_set(note, ERR_IO, "%s: %s", path, strerror(errno));
    }
    gzbuffer(file, 128 * 1024);
    enum err e = read_all(file, size_max, out, out_len);
    int closed = gzclose(file); /* tells of a file that ends too early */
    if (e == ERR_OK && closed == Z_OK) {
        return ERR_OK;
    }
    mem_free(*out);
    *out = NULL;
    return err_note_set(note, ERR_IO, "%s: %s", path, e == ERR_TOO_LARGE ? "is too large" : "is damaged");
}
