#include "store/postgres/link.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_BYTES_MAX ((size_t)1 << 30)

/* Own codes of sql/postgres/. */
#define STATE_FENCED "OH001"
#define STATE_BROKEN "OH002"

void link_init(struct link *l, const char *url, const struct link_statement *statements, size_t len)
{
    *l = (struct link){.url = url, .statements = statements, .statements_len = len};
}

void link_release(struct link *l)
{
    PQfinish(l->conn);
    l->conn = NULL;
}

bool link_is_up(const struct link *l)
{
    return l->conn != NULL && !l->is_broken && PQstatus(l->conn) == CONNECTION_OK;
}

static bool is_state(const PGresult *r, const char *state)
{
    const char *found = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
    return found != NULL && strncmp(found, state, strlen(state)) == 0;
}

/* The library ends its messages with a newline, and may write several lines. */
static int line_len(const char *text)
{
    return (int)strcspn(text, "\n");
}

enum err link_error(struct link *l, const PGresult *r, const char *doing, struct err_note *note)
{
    const char *primary = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *text = primary != NULL ? primary : PQerrorMessage(l->conn);
    /* The library notices a broken connection late; an error without a code is its own, and 57P says that the end comes. */
    l->is_broken = l->is_broken || r == NULL || PQresultErrorField(r, PG_DIAG_SQLSTATE) == NULL || is_state(r, "57P");
    if (is_state(r, STATE_FENCED)) {
        return err_note_set(note, ERR_FENCED, "%s", text);
    }
    if (is_state(r, STATE_BROKEN) || is_state(r, "23")) {
        check_failed(text, __FILE__, __LINE__);
    }
    if (is_state(r, "53100")) {
        return err_note_set(note, ERR_STORE_FULL, "cannot %s: the disk of the database is full", doing);
    }
    return err_note_set(note, ERR_IO, "cannot %s: %.*s", doing, line_len(text), text);
}

static enum err check_done(struct link *l, PGresult *r, const char *doing, struct err_note *note)
{
    ExecStatusType status = PQresultStatus(r);
    enum err e = ERR_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        e = link_error(l, r, doing, note);
    }
    PQclear(r);
    return e;
}

enum err link_exec(struct link *l, const char *sql, struct err_note *note)
{
    return check_done(l, PQexec(l->conn, sql), "run a command", note);
}

enum err link_read_text(struct link *l, const char *sql, char *out, size_t size, struct err_note *note)
{
    PGresult *r = PQexec(l->conn, sql);
    out[0] = '\0';
    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0) {
        snprintf(out, size, "%s", PQgetvalue(r, 0, 0));
    }
    return check_done(l, r, "read", note);
}

static enum err prepare(struct link *l, struct err_note *note)
{
    for (size_t i = 0; i < l->statements_len; i++) {
        const struct link_statement *s = &l->statements[i];
        TRY(check_done(l, PQprepare(l->conn, s->name, s->sql, 0, NULL), "prepare a statement", note));
    }
    return ERR_OK;
}

static void ignore_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

enum err link_connect(struct link *l, struct err_note *note)
{
    /* What the URL says comes later and wins, but for the last. */
    static const char *const keys[] = {"application_name",
                                       "connect_timeout",
                                       "keepalives_idle",
                                       "tcp_user_timeout",
                                       "dbname",
                                       "client_encoding",
                                       NULL};
    const char *values[] = {"onhand", "5", "10", "10000", l->url, "UTF8", NULL};
    link_release(l);
    l->is_broken = false;
    l->conn = PQconnectdbParams(keys, values, 1);
    if (PQstatus(l->conn) != CONNECTION_OK) {
        const char *text = PQerrorMessage(l->conn);
        return err_note_set(note, ERR_IO, "cannot connect to the database: %.*s", line_len(text), text);
    }
    PQsetNoticeReceiver(l->conn, ignore_notice, NULL);
    TRY(link_exec(l, "SET search_path TO onhand", note));
    return prepare(l, note);
}

/*
 * Parameters.
 */

void call_init(struct call *c)
{
    *c = (struct call){.len = 0};
    buf_init(&c->bytes, CALL_BYTES_MAX);
}

void call_release(struct call *c)
{
    buf_release(&c->bytes);
}

void call_begin(struct call *c)
{
    buf_clear(&c->bytes);
    c->len = 0;
}

static void put_u32(struct buf *b, uint32_t v)
{
    uint32_t wire = htonl(v);
    buf_put(b, &wire, sizeof(wire));
}

static void put_u64(struct buf *b, uint64_t v)
{
    uint64_t wire = htobe64(v);
    buf_put(b, &wire, sizeof(wire));
}

static void param(struct call *c, size_t from, bool is_null)
{
    check(c->len < CALL_PARAMS_MAX && !c->bytes.overflowed);
    c->params[c->len].from = from;
    c->params[c->len].to = c->bytes.len;
    c->params[c->len].is_null = is_null;
    c->len++;
}

void call_i64(struct call *c, int64_t v)
{
    size_t from = c->bytes.len;
    put_u64(&c->bytes, (uint64_t)v);
    param(c, from, false);
}

void call_str(struct call *c, struct str s)
{
    size_t from = c->bytes.len;
    buf_put_str(&c->bytes, s);
    param(c, from, str_is_absent(s));
}

void call_uuid(struct call *c, struct uuid id)
{
    size_t from = c->bytes.len;
    buf_put(&c->bytes, id.bytes, sizeof(id.bytes));
    param(c, from, false);
}

/* array_send of the server: dimensions, are there NULLs, type; of the one dimension its length and first index. */
enum { ARRAY_NULLS_AT = 4, ARRAY_LEN_AT = 12 };

void call_array(struct call *c, enum call_type type)
{
    c->array_at = c->bytes.len;
    c->array_len = 0;
    put_u32(&c->bytes, 1);
    put_u32(&c->bytes, 0);
    put_u32(&c->bytes, type);
    put_u32(&c->bytes, 0);
    put_u32(&c->bytes, 1);
}

static void patch_u32(struct call *c, size_t at, uint32_t v)
{
    uint32_t wire = htonl(v);
    memcpy(c->bytes.ptr + c->array_at + at, &wire, sizeof(wire));
}

void call_element_i64(struct call *c, int64_t v)
{
    put_u32(&c->bytes, sizeof(v));
    put_u64(&c->bytes, (uint64_t)v);
    c->array_len++;
}

void call_element_bytes(struct call *c, const void *bytes, size_t len)
{
    put_u32(&c->bytes, (uint32_t)len);
    buf_put(&c->bytes, bytes, len);
    c->array_len++;
}

void call_element_null(struct call *c)
{
    put_u32(&c->bytes, UINT32_MAX);
    patch_u32(c, ARRAY_NULLS_AT, 1);
    c->array_len++;
}

void call_element_str(struct call *c, struct str s)
{
    if (str_is_absent(s)) {
        call_element_null(c);
    } else {
        call_element_bytes(c, s.ptr, s.len);
    }
}

void call_array_end(struct call *c)
{
    check(!c->bytes.overflowed);
    patch_u32(c, ARRAY_LEN_AT, c->array_len);
    param(c, c->array_at, false);
}

bool call_send(struct call *c, struct link *l, const char *statement)
{
    const char *values[CALL_PARAMS_MAX];
    int lengths[CALL_PARAMS_MAX];
    int formats[CALL_PARAMS_MAX];
    for (int i = 0; i < c->len; i++) {
        /* A text without bytes is not NULL. */
        const char *at = c->bytes.ptr == NULL ? "" : c->bytes.ptr + c->params[i].from;
        values[i] = c->params[i].is_null ? NULL : at;
        lengths[i] = (int)(c->params[i].to - c->params[i].from);
        formats[i] = 1;
    }
    return PQsendQueryPrepared(l->conn, statement, c->len, values, lengths, formats, 1) == 1;
}

enum err call_run(struct call *c, struct link *l, const char *statement, PGresult **out, struct err_note *note)
{
    *out = NULL;
    if (!call_send(c, l, statement)) {
        return link_error(l, NULL, statement, note);
    }
    PGresult *r = PQgetResult(l->conn);
    for (PGresult *more; (more = PQgetResult(l->conn)) != NULL;) {
        PQclear(more);
    }
    if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK) {
        return check_done(l, r, statement, note);
    }
    *out = r;
    return ERR_OK;
}

/*
 * Columns.
 */

int64_t pg_i64(const PGresult *r, int row, int column)
{
    uint64_t wire;
    if (PQgetisnull(r, row, column)) {
        return 0;
    }
    check(PQgetlength(r, row, column) == sizeof(wire));
    memcpy(&wire, PQgetvalue(r, row, column), sizeof(wire));
    return (int64_t)be64toh(wire);
}

struct str pg_text(const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column)) {
        return STR_NONE;
    }
    return (struct str){PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column)};
}

bool pg_bytes(const PGresult *r, int row, int column, void *out, size_t len)
{
    if (PQgetisnull(r, row, column) || (size_t)PQgetlength(r, row, column) != len) {
        return false;
    }
    memcpy(out, PQgetvalue(r, row, column), len);
    return true;
}
