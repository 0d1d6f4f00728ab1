#include "store/postgres/link.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* While a server is waited for, it is asked so often whether to go on. */
#define ASK_MS 100
#define CALL_BYTES_MAX ((size_t)1 << 30)

/* Own codes of sql/postgres/. */
#define STATE_FENCED "OH001"
#define STATE_BROKEN "OH002"

void link_init(struct link *l, const char *url, const struct link_kind *kind)
{
    *l = (struct link){.url = url, .kind = kind, .silence_ms = kind->silence_ms};
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
    text = l->is_silent ? "the server does not answer" : text;
    /*
     * The library notices a broken connection late; an error without a code is its own, 57P says that the end comes, and
     * 25006 that this server only follows the one that is meant.
     */
    l->is_broken = l->is_broken || r == NULL || PQresultErrorField(r, PG_DIAG_SQLSTATE) == NULL || is_state(r, "57P") ||
        is_state(r, "25006");
    if (is_state(r, STATE_FENCED)) {
        return err_note_set(note, ERR_FENCED, "%s", text);
    }
    if (is_state(r, STATE_BROKEN) || is_state(r, "23")) {
        check_failed(text, __FILE__, __LINE__);
    }
    if (is_state(r, "53100")) {
        return err_note_set(note, ERR_STORE_FULL, "cannot %s: the disk of the database is full", doing);
    }
    enum err e = l->is_broken ? ERR_STORE_AWAY : ERR_IO;
    return err_note_set(note, e, "cannot %s: %.*s", doing, line_len(text), text);
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

/* How long to poll at a time when `left_ms` are left. */
static int poll_ms(const struct link *l, int64_t left_ms)
{
    int64_t longest_ms = l->goes_on == NULL ? INT_MAX : ASK_MS;
    if (l->silence_ms == 0) {
        return l->goes_on == NULL ? -1 : ASK_MS;
    }
    return (int)(left_ms < longest_ms ? left_ms : longest_ms);
}

/* False: nothing happened in time, or nobody wants to know any more. */
static bool wait_for_server(struct link *l, bool to_send)
{
    struct pollfd fd = {.fd = PQsocket(l->conn), .events = (short)(POLLIN | (to_send ? POLLOUT : 0))};
    int64_t until_ms = clock_mono_ms() + l->silence_ms;
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        int ready = poll(&fd, 1, poll_ms(l, left_ms > 0 ? left_ms : 0));
        if (ready != 0 && (ready > 0 || errno != EINTR)) {
            return true;
        }
        bool late = l->silence_ms > 0 && left_ms <= 0;
        if (ready == 0 && (late || (l->goes_on != NULL && !l->goes_on(l->goes_on_ctx)))) {
            return false;
        }
    }
}

bool link_result(struct link *l, PGresult **out)
{
    *out = NULL;
    for (;;) {
        int unsent = PQflush(l->conn);
        if (PQstatus(l->conn) != CONNECTION_OK || unsent < 0 || (unsent == 0 && !PQisBusy(l->conn))) {
            *out = PQgetResult(l->conn);
            return true;
        }
        if (!wait_for_server(l, unsent > 0)) {
            l->is_broken = true;
            l->is_silent = true;
            return false;
        }
        (void)PQconsumeInput(l->conn); /* what is wrong with it comes as the next result */
    }
}

/* The result of the last command that was sent; NULL: the server is silent. */
static PGresult *last_result(struct link *l)
{
    PGresult *last = NULL;
    PGresult *next;
    while (link_result(l, &next) && next != NULL) {
        PQclear(last);
        last = next;
    }
    if (l->is_silent) {
        PQclear(last);
        last = NULL;
    }
    return last;
}

enum err link_exec(struct link *l, const char *sql, struct err_note *note)
{
    PGresult *r = PQsendQuery(l->conn, sql) == 1 ? last_result(l) : NULL;
    return check_done(l, r, "run a command", note);
}

enum err link_query(struct link *l, const char *sql, PGresult **out, struct err_note *note)
{
    PGresult *r = PQsendQuery(l->conn, sql) == 1 ? last_result(l) : NULL;
    *out = NULL;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        return check_done(l, r, "read", note);
    }
    *out = r;
    return ERR_OK;
}

enum err link_read_text(struct link *l, const char *sql, char *out, size_t size, struct err_note *note)
{
    PGresult *r = PQsendQuery(l->conn, sql) == 1 ? last_result(l) : NULL;
    out[0] = '\0';
    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0) {
        snprintf(out, size, "%s", PQgetvalue(r, 0, 0));
    }
    return check_done(l, r, "read", note);
}

enum err link_copy_begin(struct link *l, const char *sql, const char *doing, struct err_note *note)
{
    PGresult *r = NULL;
    if (PQsendQuery(l->conn, sql) != 1 || !link_result(l, &r)) {
        return link_error(l, NULL, doing, note);
    }
    if (PQresultStatus(r) != PGRES_COPY_OUT) {
        return check_done(l, r, doing, note);
    }
    PQclear(r);
    return ERR_OK;
}

/* A connection that breaks ends the messages: the result that comes then says so. */
enum err link_copy_next(struct link *l, char **out, size_t *out_len, const char *doing, struct err_note *note)
{
    int len;
    *out = NULL;
    while ((len = PQgetCopyData(l->conn, out, 1)) == 0) {
        if (!wait_for_server(l, false)) {
            l->is_broken = true;
            l->is_silent = true;
            return link_error(l, NULL, doing, note);
        }
        if (PQconsumeInput(l->conn) == 0) {
            break;
        }
    }
    if (len > 0) {
        *out_len = (size_t)len;
        return ERR_OK;
    }
    *out = NULL;
    return check_done(l, last_result(l), doing, note);
}

/* Ends a pipeline of which all is received but its end. */
static enum err check_synced(struct link *l, const char *doing, struct err_note *note)
{
    PGresult *sync = NULL;
    bool synced = link_result(l, &sync) && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return synced && PQexitPipelineMode(l->conn) == 1 ? ERR_OK : link_error(l, NULL, doing, note);
}

/* In one exchange. */
static enum err prepare(struct link *l, struct err_note *note)
{
    enum err e = ERR_OK;
    if (l->kind->statements_len == 0) {
        return ERR_OK;
    }
    bool sent = PQenterPipelineMode(l->conn) == 1;
    for (size_t i = 0; i < l->kind->statements_len; i++) {
        const struct link_statement *s = &l->kind->statements[i];
        sent = sent && PQsendPrepare(l->conn, s->name, s->sql, 0, NULL) == 1;
    }
    sent = sent && PQpipelineSync(l->conn) == 1;
    for (size_t i = 0; sent && i < l->kind->statements_len && e == ERR_OK; i++) {
        e = check_done(l, last_result(l), "prepare a statement", note);
    }
    TRY(e);
    return sent ? check_synced(l, "prepare a statement", note) : link_error(l, NULL, "prepare a statement", note);
}

static void ignore_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

enum err link_connect(struct link *l, struct err_note *note)
{
    /*
     * What the URL says comes later and wins, but for the last. Of several hosts the primary is meant: a standby may be behind,
     * and know nothing of a key that was used.
     */
    static const char *const keys[] = {"target_session_attrs", "application_name", "connect_timeout", "keepalives_idle",
                                       "tcp_user_timeout",     "dbname",           "client_encoding", NULL};
    bool is_short = l->silence_ms > 0;
    const char *values[] = {"primary", "onhand", is_short ? "2" : "5", "10", is_short ? "2000" : "10000", l->url,
                            "UTF8",    NULL};
    link_release(l);
    l->is_broken = false;
    l->is_silent = false;
    l->conn = PQconnectdbParams(keys, values, 1);
    if (PQstatus(l->conn) != CONNECTION_OK) {
        const char *text = PQerrorMessage(l->conn);
        return err_note_set(note, ERR_STORE_AWAY, "cannot connect to the database: %.*s", line_len(text), text);
    }
    PQsetNoticeReceiver(l->conn, ignore_notice, NULL);
    if (PQsetnonblocking(l->conn, 1) != 0) {
        return link_error(l, NULL, "connect to the database", note);
    }
    TRY(link_exec(l, l->kind->setup, note));
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
    return call_send(c, l, statement) ? call_take(l, statement, out, note) : link_error(l, NULL, statement, note);
}

enum err call_take(struct link *l, const char *statement, PGresult **out, struct err_note *note)
{
    PGresult *r = last_result(l);
    *out = NULL;
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
