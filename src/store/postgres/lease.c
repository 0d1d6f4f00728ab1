/*
 * The lease: claimed with the connection that writes, renewed and given back with one of its own, so that a renewal waits
 * neither for a commit nor for a connection that is lost (decision 008).
 */
#include "store/postgres/state.h"

#include <stdio.h>

/* Of each answer: to the renewal, and on a new connection to its set-up before that. */
#define RENEW_SILENCE_MS 1500

/* A renewal that a crash of the server loses is renewed again; so it need not be synced. */
static const struct link_statement statements[] = {
    {"renew",
     "UPDATE partition SET lease_until = clock_timestamp() + $3::bigint * interval '1 millisecond' "
     "WHERE partition = $1 AND epoch = $2 RETURNING 1::bigint"},
    {"give_back",
     "UPDATE partition SET lease_until = '-infinity', leader = '' WHERE partition = $1 AND epoch = $2 "
     "AND $3::bigint > 0 RETURNING 1::bigint"},
};
const struct link_kind store_postgres_lessee = {
    .setup = LINK_SETUP "SET synchronous_commit = off; SET lock_timeout = 1000; SET statement_timeout = 1000",
    .silence_ms = RENEW_SILENCE_MS,
    .statements = statements,
    .statements_len = ARRAY_LEN(statements)};

static void read_claim(const PGresult *r, struct store_head *out)
{
    *out = (struct store_head){
        .epoch = (uint64_t)pg_i64(r, 0, 1),
        .seq = (uint64_t)pg_i64(r, 0, 4),
        .time_ms = pg_i64(r, 0, 5),
        .items = (uint64_t)pg_i64(r, 0, 6), /* NULL reads as 0 */
    };
    snprintf(out->leader, sizeof(out->leader), "%.*s", STR_ARG(pg_text(r, 0, 7)));
}

enum err store_postgres_claim(struct store *base, const char *leader, struct store_head *out, struct err_note *note)
{
    struct store_postgres *s = store_postgres_from(base);
    PGresult *r = NULL;
    if (!link_is_up(&s->link)) {
        TRY(store_postgres_reconnect(s, note));
    }
    call_begin(&s->call);
    call_i64(&s->call, s->partition);
    call_i64(&s->call, (int64_t)s->epoch);
    call_str(&s->call, str_from(leader));
    call_i64(&s->call, STORE_LEASE_MS);
    TRY(call_run(&s->call, &s->link, "claim", &r, note));
    check(PQntuples(r) == 1);
    read_claim(r, out);
    bool claimed = pg_i64(r, 0, 0) == 1;
    if (claimed) {
        s->epoch = out->epoch;
        s->session = (uint64_t)pg_i64(r, 0, 2);
        s->commits = (uint64_t)pg_i64(r, 0, 3);
    }
    PQclear(r);
    return claimed ? ERR_OK : err_note_set(note, ERR_LOCKED, "another process leads: %s", out->leader);
}

/* Changes the lease of our epoch; ERR_FENCED: there is another. */
static enum err change_lease(struct store_postgres *s, const char *statement, struct err_note *note)
{
    PGresult *r = NULL;
    if (!link_is_up(&s->lease_link)) {
        TRY(link_connect(&s->lease_link, note));
    }
    call_begin(&s->lease_call);
    call_i64(&s->lease_call, s->partition);
    call_i64(&s->lease_call, (int64_t)s->epoch);
    call_i64(&s->lease_call, STORE_LEASE_MS);
    enum err e = call_run(&s->lease_call, &s->lease_link, statement, &r, note);
    if (e != ERR_OK) {
        link_release(&s->lease_link); /* a new connection may see another server */
        return e;
    }
    bool is_ours = PQntuples(r) == 1;
    PQclear(r);
    return is_ours ? ERR_OK : err_note_set(note, ERR_FENCED, "another process leads");
}

enum err store_postgres_renew(struct store *base, struct err_note *note)
{
    struct store_postgres *s = store_postgres_from(base);
    check(s->epoch > 0);
    enum err e = change_lease(s, "renew", note);
    return e == ERR_OK || e == ERR_FENCED ? e : ERR_IO;
}

void store_postgres_give_back(struct store_postgres *s)
{
    if (s->epoch > 0) {
        (void)!change_lease(s, "give_back", NULL); /* else it runs out */
    }
}
