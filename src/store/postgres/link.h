/*
 * A connection to PostgreSQL with this store's settings, and the few ways in which it is used. Codes of the server become
 * `enum err` here and nowhere else. Numbers, texts and bytes go both ways in the binary format:
 * https://www.postgresql.org/docs/15/protocol-overview.html#PROTOCOL-FORMAT-CODES
 */
#ifndef STORE_POSTGRES_LINK_H
#define STORE_POSTGRES_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"

#include <libpq-fe.h>

/* A statement that is prepared on every connection of its kind. */
struct link_statement {
    const char *name;
    const char *sql;
};

/*
 * Everything is in there. Whoever waits for a row goes on with what it holds then: that is how an owner is told from one that
 * was deposed, so no role or database may be set up to do otherwise.
 */
#define LINK_SETUP "SET search_path TO onhand; SET default_transaction_isolation TO 'read committed'; "

/*
 * For statements that are made for an index each, and prepared before there are many rows: the server keeps the plan that was
 * good for a small table until it has statistics of the grown one, which it makes a minute later at the earliest. Reading
 * and sorting all of a table is out of the question here whatever its size is said to be.
 * https://www.postgresql.org/docs/15/runtime-config-query.html#RUNTIME-CONFIG-QUERY-ENABLE
 */
#define LINK_BY_INDEX                                                                                            \
    "SET enable_seqscan TO off; SET enable_bitmapscan TO off; SET enable_hashjoin TO off; SET enable_mergejoin " \
    "TO off; SET jit TO off; "

/* What connections for one purpose have in common. */
struct link_kind {
    const char *setup; /* commands for a new connection */
    int silence_ms;    /* how long the server may say nothing while it is asked for something; 0: for ever */
    const struct link_statement *statements;
    size_t statements_len;
};

struct link {
    PGconn *conn; /* NULL: never connected */
    bool is_broken;
    bool is_silent; /* broken, because the server said nothing for too long */
    const char *url;
    const struct link_kind *kind;
    int silence_ms;
    bool (*goes_on)(void *ctx); /* false: waiting for the server ends, as if it were silent; NULL: go on */
    void *goes_on_ctx;
};

/*
 * Errors of a call. ERR_FENCED, ERR_STORE_FULL: surely nothing of it is stored. ERR_STORE_AWAY: the connection is broken, or
 * none can be made. ERR_IO: all else.
 */

/* Borrows all. Not connected yet. */
void link_init(struct link *l, const char *url, const struct link_kind *kind);
void link_release(struct link *l);
/* Connects anew and prepares the statements. */
MUST_CHECK enum err link_connect(struct link *l, struct err_note *note);
bool link_is_up(const struct link *l);

/*
 * The next result of what was sent, as PQgetResult; sends what is left to send meanwhile. False: the server says nothing, or
 * takes nothing.
 */
MUST_CHECK bool link_result(struct link *l, PGresult **out);

/* One command or several, without parameters and rows. */
MUST_CHECK enum err link_exec(struct link *l, const char *sql, struct err_note *note);
/* One command; its rows as text. *out is for PQclear, and NULL on an error. */
MUST_CHECK enum err link_query(struct link *l, const char *sql, PGresult **out, struct err_note *note);
/* First column of the first row, as text; *out is empty when there is none. Cut to fit. */
MUST_CHECK enum err link_read_text(struct link *l, const char *sql, char *out, size_t size, struct err_note *note);

/*
 * A COPY TO STDOUT. Its messages one by one: *out is for PQfreemem, and NULL when all have come and the command is over, or
 * on an error.
 */
MUST_CHECK enum err link_copy_begin(struct link *l, const char *sql, const char *doing, struct err_note *note);
MUST_CHECK enum err
link_copy_next(struct link *l, char **out, size_t *out_len, const char *doing, struct err_note *note);

/* The error that `r` is, and what was being done; a constraint that failed is a bug and stops the process. */
enum err link_error(struct link *l, const PGresult *r, const char *doing, struct err_note *note);

/*
 * The parameters of one statement.
 */

#define CALL_PARAMS_MAX 26

struct call {
    struct buf bytes;
    int len;
    struct {
        size_t from, to;
        bool is_null;
    } params[CALL_PARAMS_MAX];
    size_t array_at; /* where the array that is being filled begins */
    uint32_t array_len;
};

void call_init(struct call *c);
void call_release(struct call *c);
void call_begin(struct call *c);
void call_i64(struct call *c, int64_t v);
void call_str(struct call *c, struct str s); /* absent: NULL */
void call_uuid(struct call *c, struct uuid id);

/* Elements of an array, between call_array and call_array_end. */
enum call_type { CALL_I64 = 20, CALL_TEXT = 25, CALL_BYTES = 17, CALL_UUID = 2950 }; /* the server's OIDs */
void call_array(struct call *c, enum call_type type);
void call_element_i64(struct call *c, int64_t v);
void call_element_bytes(struct call *c, const void *bytes, size_t len);
void call_element_str(struct call *c, struct str s); /* absent: NULL */
void call_element_null(struct call *c);
void call_array_end(struct call *c);

/* Sends it, in a pipeline or alone; false when the connection is broken. */
MUST_CHECK bool call_send(struct call *c, struct link *l, const char *statement);
/* The rows of what was sent alone; *out is for PQclear, and NULL on an error. */
MUST_CHECK enum err call_take(struct link *l, const char *statement, PGresult **out, struct err_note *note);
/* Runs it alone; *out is for PQclear, and NULL on an error. */
MUST_CHECK enum err
call_run(struct call *c, struct link *l, const char *statement, PGresult **out, struct err_note *note);

/*
 * Columns of a result. Borrowed until PQclear.
 */

int64_t pg_i64(const PGresult *r, int row, int column);     /* a bigint; 0 for NULL */
struct str pg_text(const PGresult *r, int row, int column); /* absent: NULL */
/* Exactly `len` bytes; anything else is a damaged row: false. */
bool pg_bytes(const PGresult *r, int row, int column, void *out, size_t len);

#endif
