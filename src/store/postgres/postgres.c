/* Opening and closing. */
#include "store/postgres/postgres.h"

#include "base/mem.h"
#include "store/postgres/schema.h"
#include "store/postgres/state.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LEAST 150000

static void store_postgres_free(struct store *base);

static const struct store_ops ops = {
    .name = "postgres",
    .claim = store_postgres_claim,
    .renew = store_postgres_renew,
    .load = store_postgres_load,
    .commit = store_postgres_commit,
    .reader_open = store_postgres_reader_open,
    .free = store_postgres_free,
};

/* A migration may take long, or wait for that of another process. */
static const struct link_kind opener = {.setup = LINK_SETUP, .silence_ms = 0};

struct store_postgres *store_postgres_from(struct store *s)
{
    check(s->ops == &ops);
    return (struct store_postgres *)s;
}

static enum err check_durable(struct store_postgres *s, struct err_note *note)
{
    char off[32];
    if (s->unsafe) {
        return ERR_OK;
    }
    TRY(link_read_text(
        &s->link,
        "SELECT n FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) n "
        "WHERE current_setting(n) = 'off'",
        off, sizeof(off), note));
    return off[0] == '\0' ? ERR_OK
                          : err_note_set(note, ERR_CONFIG, "the database has %s off: commits are not durable", off);
}

enum err store_postgres_reconnect(struct store_postgres *s, struct err_note *note)
{
    TRY(link_connect(&s->link, note));
    enum err e = check_durable(s, note);
    if (e != ERR_OK) {
        link_release(&s->link); /* nothing is to be done on it */
    }
    return e;
}

static enum err check_server(struct link *l, struct err_note *note)
{
    char encoding[32];
    char recovering[8];
    if (PQserverVersion(l->conn) < VERSION_LEAST) {
        return err_note_set(note, ERR_CONFIG, "the database is older than PostgreSQL 15");
    }
    TRY(link_read_text(l, "SHOW server_encoding", encoding, sizeof(encoding), note));
    if (strcmp(encoding, "UTF8") != 0) {
        return err_note_set(note, ERR_CONFIG, "the database is encoded in %s; it must be UTF8", encoding);
    }
    TRY(link_read_text(l, "SELECT pg_is_in_recovery()", recovering, sizeof(recovering), note));
    return recovering[0] == 't' ? err_note_set(note, ERR_CONFIG, "the database is a standby and cannot be written")
                                : ERR_OK;
}

/* The row of the partition, made when the store is new. */
static enum err enter_partition(struct store_postgres *s, struct err_note *note)
{
    char sql[160];
    char others[32];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM partition WHERE partition <> %u", s->partition);
    TRY(link_read_text(&s->link, sql, others, sizeof(others), note));
    if (strcmp(others, "0") != 0) {
        return err_note_set(note, ERR_CONFIG, "the store does not hold partition %u but another one", s->partition);
    }
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO partition SELECT %u, 0, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT FROM partition) ON CONFLICT DO NOTHING",
        s->partition); /* a row that is there is not touched: its owner may hold it */
    return link_exec(&s->link, sql, note);
}

/* What libpq says of a URL may quote its password. */
static enum err check_url(const char *url, struct err_note *note)
{
    PQconninfoOption *parsed = PQconninfoParse(url, NULL);
    if (parsed == NULL) {
        return err_note_set(note, ERR_CONFIG, "store: not a connection URI of PostgreSQL");
    }
    PQconninfoFree(parsed);
    return ERR_OK;
}

static enum err open_database(struct store_postgres *s, struct err_note *note)
{
    TRY(check_url(s->url, note));
    TRY(link_connect(&s->link, note));
    TRY(check_server(&s->link, note));
    TRY(check_durable(s, note));
    TRY(postgres_migrate(&s->link, note));
    TRY(enter_partition(s, note));
    link_release(&s->link);
    link_init(&s->link, s->url, &store_postgres_writer);
    return link_connect(&s->link, note);
}

enum err
store_postgres_open(const char *url, uint32_t partition, bool unsafe, struct store **out, struct err_note *note)
{
    struct store_postgres *s = mem_new(sizeof(*s));
    s->base.ops = &ops;
    s->partition = partition;
    s->unsafe = unsafe;
    s->wait_ms = STORE_POSTGRES_WAIT_MS;
    s->url = mem_copy_str(str_from(url));
    call_init(&s->call);
    link_init(&s->link, s->url, &opener);
    link_init(&s->lease_link, s->url, &store_postgres_lessee);
    call_init(&s->lease_call);
    enum err e = open_database(s, note);
    if (e != ERR_OK) {
        store_postgres_free(&s->base);
        return e;
    }
    *out = &s->base;
    return ERR_OK;
}

static void store_postgres_free(struct store *base)
{
    struct store_postgres *s = store_postgres_from(base);
    store_postgres_give_back(s);
    link_release(&s->link);
    link_release(&s->lease_link);
    call_release(&s->call);
    call_release(&s->lease_call);
    mem_free(s->url);
    mem_free(s);
}
