#include "store/postgres/copy.h"

#include "base/mem.h"

#include <endian.h>
#include <string.h>

/* In the place of a number of columns. */
#define COPY_TRAILER (-1)

static const char signature[] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\377', '\r', '\n', '\0'};

static enum err refuse_bytes(struct copy *c, struct err_note *note)
{
    return err_note_set(note, ERR_IO, "cannot %s: what the server sent is not a row", c->doing);
}

enum err copy_begin(struct copy *c, struct link *l, const char *query, const char *doing, struct err_note *note)
{
    struct buf sql;
    *c = (struct copy){.link = l, .doing = doing};
    buf_init(&sql, strlen(query) + 64);
    buf_printf(&sql, "COPY (%s) TO STDOUT (FORMAT binary)", query);
    buf_put_char(&sql, '\0');
    check(!sql.overflowed);
    enum err e = link_copy_begin(l, sql.ptr, doing, note);
    buf_release(&sql);
    return e;
}

void copy_release(struct copy *c)
{
    PQfreemem(c->message);
    c->message = NULL;
}

static bool take_bytes(struct copy *c, size_t len, const char **out)
{
    if ((size_t)(c->end - c->at) < len) {
        return false;
    }
    *out = c->at;
    c->at += len;
    return true;
}

static bool take_u32(struct copy *c, uint32_t *out)
{
    const char *at;
    if (!take_bytes(c, sizeof(*out), &at)) {
        return false;
    }
    memcpy(out, at, sizeof(*out));
    *out = be32toh(*out);
    return true;
}

/* Signature, flags, and an extension to be passed over. */
static bool take_header(struct copy *c)
{
    const char *at;
    uint32_t flags;
    uint32_t len;
    c->headed = true;
    return take_bytes(c, sizeof(signature), &at) && memcmp(at, signature, sizeof(signature)) == 0 &&
        take_u32(c, &flags) && flags == 0 && take_u32(c, &len) && take_bytes(c, len, &at);
}

/* COPY_TRAILER columns: there are no more. */
static bool take_row(struct copy *c)
{
    const char *at;
    uint16_t columns;
    if (!take_bytes(c, sizeof(columns), &at)) {
        return false;
    }
    memcpy(&columns, at, sizeof(columns));
    c->columns = (int16_t)be16toh(columns);
    if (c->columns < COPY_TRAILER || c->columns > COPY_COLUMNS_MAX) {
        return false;
    }
    for (int i = 0; i < c->columns; i++) {
        uint32_t len;
        if (!take_u32(c, &len)) {
            return false;
        }
        c->column[i].ptr = NULL;
        c->column[i].len = 0;
        if (len != UINT32_MAX) {
            c->column[i].len = len;
            if (!take_bytes(c, len, &c->column[i].ptr)) {
                return false;
            }
        }
    }
    return c->at == c->end;
}

/* The next message with something in it but the header, which may stand alone. False in *out_more: there is none. */
static enum err take_message(struct copy *c, bool *out_more, struct err_note *note)
{
    do {
        size_t len = 0;
        copy_release(c);
        TRY(link_copy_next(c->link, &c->message, &len, c->doing, note));
        if (c->message == NULL) {
            *out_more = false;
            return ERR_OK;
        }
        c->at = c->message;
        c->end = c->message + len;
        if (!c->headed && !take_header(c)) {
            return refuse_bytes(c, note);
        }
    } while (c->at == c->end);
    *out_more = true;
    return ERR_OK;
}

enum err copy_next(struct copy *c, bool *out_more, struct err_note *note)
{
    bool more = false;
    *out_more = false;
    TRY(take_message(c, &more, note));
    if (!more || !take_row(c)) {
        return refuse_bytes(c, note); /* without the trailer it is not whole */
    }
    if (c->columns >= 0) {
        *out_more = true;
        return ERR_OK;
    }
    TRY(take_message(c, &more, note));
    return more ? refuse_bytes(c, note) : ERR_OK;
}

int64_t copy_i64(const struct copy *c, int column)
{
    uint64_t wire;
    check(column < c->columns);
    if (c->column[column].ptr == NULL) {
        return 0;
    }
    check(c->column[column].len == sizeof(wire));
    memcpy(&wire, c->column[column].ptr, sizeof(wire));
    return (int64_t)be64toh(wire);
}

struct str copy_text(const struct copy *c, int column)
{
    check(column < c->columns);
    return c->column[column].ptr == NULL ? STR_NONE : (struct str){c->column[column].ptr, c->column[column].len};
}

bool copy_bytes(const struct copy *c, int column, void *out, size_t len)
{
    check(column < c->columns);
    if (c->column[column].ptr == NULL || c->column[column].len != len) {
        return false;
    }
    memcpy(out, c->column[column].ptr, len);
    return true;
}
