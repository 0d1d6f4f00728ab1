/* What only the store on PostgreSQL promises: durability, ownership, and the truth about commits whose connection broke. */
#include "base/mem.h"
#include "pg_server.h"
#include "scene.h"
#include "store/postgres/postgres.h"
#include "store/postgres/state.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pg_server server;

static int setup(void **state)
{
    (void)state;
    pg_server_exec(&server, "DROP SCHEMA IF EXISTS onhand CASCADE");
    return 0;
}

static struct store *open_store(void)
{
    struct store *s = NULL;
    struct err_note note = {""};
    if (store_postgres_open(server.url, 0, false, &s, &note) != ERR_OK) {
        fail_msg("cannot open: %s", note.text);
    }
    return s;
}

static void assert_refused(const char *url, bool unsafe, enum err expected, const char *words)
{
    struct store *s = NULL;
    struct err_note note = {""};
    assert_int_equal(store_postgres_open(url, 0, unsafe, &s, &note), expected);
    assert_null(s);
    if (strstr(note.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", note.text, words);
    }
}

static long query(const char *sql)
{
    return strtol(pg_server_query(&server, sql), NULL, 10);
}

static void cut_connections(void)
{
    pg_server_exec(&server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'onhand'");
}

static void begin_shop(struct scene *s, struct store *store)
{
    scene_begin(s, store);
    scene_location(s, "w1", 1);
    scene_item(s, "a", "Ay");
    scene_receive(s, "a", "w1", 1000000);
    scene_must_commit(s);
}

static void a_server_that_does_not_sync_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *words;
    } rows[] = {
        {"ALTER ROLE postgres SET synchronous_commit = off", "synchronous_commit off"},
        {"ALTER SYSTEM SET fsync = off", "fsync off"},
        {"ALTER SYSTEM SET full_page_writes = off", "full_page_writes off"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        pg_server_exec(&server, rows[i].sql);
        pg_server_exec(&server, "SELECT pg_reload_conf()");
        usleep(200000);
        assert_refused(server.url, false, ERR_CONFIG, rows[i].words);
        struct store *s = NULL;
        struct err_note note = {""};
        assert_int_equal(store_postgres_open(server.url, 0, true, &s, &note), ERR_OK);
        store_free(s);
        pg_server_exec(&server, "ALTER ROLE postgres RESET ALL");
        pg_server_exec(&server, "ALTER SYSTEM RESET ALL");
        pg_server_exec(&server, "SELECT pg_reload_conf()");
        usleep(200000);
    }
    store_free(open_store());
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    assert_refused("host=/nonexistent dbname=x", false, ERR_STORE_AWAY, "cannot connect to the database");
    assert_refused("this is not a connection string", false, ERR_CONFIG, "not a connection URI");
    store_free(open_store());
    pg_server_exec(&server, "INSERT INTO onhand.migration (number, name) VALUES (99, 'later')");
    assert_refused(server.url, false, ERR_SCHEMA, "newer version");
}

static void another_partition_is_refused(void **state)
{
    (void)state;
    store_free(open_store());
    struct store *s = NULL;
    struct err_note note = {""};
    assert_int_equal(store_postgres_open(server.url, 1, false, &s, &note), ERR_CONFIG);
    assert_non_null(strstr(note.text, "does not hold partition 1"));
}

static void who_lost_the_partition_cannot_write(void **state)
{
    (void)state;
    struct store *old = open_store();
    struct store *new = open_store();
    struct scene was;
    struct scene is;
    begin_shop(&was, old);
    pg_server_expire_lease(&server);
    scene_begin(&is, new);
    assert_int_equal(is.head.epoch, was.head.epoch + 1);
    scene_receive(&was, "a", "w1", 5);
    assert_int_equal(scene_commit(&was), ERR_FENCED);
    scene_receive(&is, "a", "w1", 7);
    scene_must_commit(&is);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000007);
    scene_end(&was);
    scene_end(&is);
    store_free(old);
    store_free(new);
}

#define GROWING_ORDERS 300
#define GROWING_PAGE 10

static bool count_movement(void *ctx, const struct movement *m)
{
    (void)m;
    (*(long *)ctx)++;
    return true;
}

/* Numbers of rows are told when connections end. */
static long rows_read_behind_indexes(void)
{
    return query("SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'onhand'");
}

/*
 * Its statements are planned when there is next to nothing in it, and the server has no statistics for a minute at least.
 * Each order is three commits; behind the last two a page from the beginning of the movements is read.
 */
static void a_new_shop_that_grows_reads_no_table_to_its_end(void **state)
{
    (void)state;
    static const enum command_kind life[] = {COMMAND_COMMIT, COMMAND_FULFILL};
    struct store *store = open_store();
    struct store_reader *reader = NULL;
    struct err_note note;
    struct scene s;
    begin_shop(&s, store);
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    const struct movement_filter filter = {.limit = GROWING_PAGE};
    long shown = 0;
    for (int i = 0; i < GROWING_ORDERS; i++) {
        struct uuid id = scene_reserve(&s, "order", "a", 1, NULL, 0);
        scene_must_commit(&s);
        for (size_t n = 0; n < ARRAY_LEN(life); n++) {
            scene_move(&s, life[n], id);
            scene_must_commit(&s);
            assert_int_equal(reader->ops->movements(reader, &filter, count_movement, &shown), ERR_OK);
        }
    }
    store_reader_free(reader);
    scene_end(&s);
    store_free(store);
    assert_in_range(rows_read_behind_indexes(), 0, GROWING_ORDERS);
    long fetched = query("SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'movement'");
    assert_in_range(fetched, shown, 2 * shown);
}

#define CROWD 20000
#define CROWD_BATCH 1000

static bool count_lines(void *ctx, const struct reservation *r)
{
    *(long *)ctx += r->lines_len;
    return true;
}

static long lines_fetched(void)
{
    return query("SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'reservation_line'");
}

static void a_page_of_reservations_reads_its_own_lines(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_reader *reader = NULL;
    struct err_note note;
    struct scene s;
    begin_shop(&s, store);
    for (int i = 1; i <= CROWD; i++) {
        (void)scene_reserve(&s, "order", "a", 1, NULL, 0);
        if (i % CROWD_BATCH == 0) {
            scene_must_commit(&s);
        }
    }
    scene_end(&s);
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    long lines = 0;
    for (uint64_t after = 0; after < CROWD; after += CROWD_BATCH) {
        const struct reservation_filter filter = {.after_seq = after, .limit = CROWD_BATCH};
        assert_int_equal(reader->ops->reservations(reader, &filter, count_lines, &lines), ERR_OK);
    }
    store_reader_free(reader);
    store_free(store);
    assert_int_equal(lines, CROWD);
    assert_in_range(lines_fetched(), lines, 2 * lines);
}

static void a_restart_of_the_server_costs_nothing(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_reader *reader = NULL;
    struct scene s;
    struct err_note note;
    begin_shop(&s, store);
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    for (int i = 0; i < 3; i++) {
        pg_server_kill(&server);
        pg_server_start(&server, "");
        scene_receive(&s, "a", "w1", 1);
        scene_must_commit(&s);
        assert_int_equal(query("SELECT on_hand FROM level"), 1000001 + i);
        assert_int_equal(query("SELECT seq FROM partition"), 2 + i);
        assert_int_equal(reader->ops->item(reader, STR("none"), NULL, NULL), ERR_NOT_FOUND);
    }
    store_reader_free(reader);
    scene_end(&s);
    store_free(store);
}

static void the_lease_keeps_others_away_until_it_runs_out(void **state)
{
    (void)state;
    struct store *first = open_store();
    struct store *second = open_store();
    struct store_head head;
    struct store_head seen;
    struct err_note note = {""};
    assert_int_equal(store_claim(first, "http://one:8080/", &head, &note), ERR_OK);
    assert_string_equal(head.leader, "http://one:8080/");
    assert_true(query("SELECT extract(epoch FROM lease_until - clock_timestamp()) * 1000 FROM partition") > 0);
    assert_true(
        query("SELECT extract(epoch FROM lease_until - clock_timestamp()) * 1000 FROM partition") <= STORE_LEASE_MS);

    assert_int_equal(store_claim(second, "http://two:8080/", &seen, &note), ERR_LOCKED);
    assert_string_equal(seen.leader, "http://one:8080/");
    assert_int_equal(seen.epoch, head.epoch);
    assert_non_null(strstr(note.text, "http://one:8080/"));
    assert_int_equal(store_claim(second, "http://one:8080/", &seen, &note), ERR_LOCKED); /* whoever it says it is */

    pg_server_expire_lease(&server);
    assert_int_equal(store_renew(first, &note), ERR_OK); /* nobody came: it goes on */
    assert_int_equal(store_claim(second, "http://two:8080/", &seen, &note), ERR_LOCKED);

    pg_server_expire_lease(&server);
    assert_int_equal(store_claim(second, "http://two:8080/", &seen, &note), ERR_OK);
    assert_int_equal(seen.epoch, head.epoch + 1);
    assert_string_equal(seen.leader, "http://two:8080/");
    assert_int_equal(store_renew(first, &note), ERR_FENCED);
    assert_int_equal(store_renew(second, &note), ERR_OK);
    store_free(first); /* the lease is not its own to give back */
    assert_true(query("SELECT count(*) FROM partition WHERE lease_until > clock_timestamp()") == 1);
    store_free(second);
    assert_true(query("SELECT count(*) FROM partition WHERE lease_until > clock_timestamp()") == 0);
    struct store *third = open_store();
    assert_int_equal(store_claim(third, "", &head, &note), ERR_OK);
    assert_int_equal(head.epoch, seen.epoch + 1);
    store_free(third);
}

/* The leader died, and then the server's clock was set back. */
static void a_lease_that_runs_longer_than_leases_do_is_over(void **state)
{
    (void)state;
    struct store *first = open_store();
    struct store *second = open_store();
    struct store_head head;
    struct err_note note = {""};
    assert_int_equal(store_claim(first, "", &head, &note), ERR_OK);
    pg_server_exec(&server, "UPDATE onhand.partition SET lease_until = now() + interval '4 seconds'");
    assert_int_equal(store_claim(second, "", &head, &note), ERR_LOCKED);
    pg_server_exec(&server, "UPDATE onhand.partition SET lease_until = now() + interval '1 hour'");
    assert_int_equal(store_renew(first, &note), ERR_OK); /* it is well */
    assert_int_equal(store_claim(second, "", &head, &note), ERR_LOCKED);
    pg_server_exec(&server, "UPDATE onhand.partition SET lease_until = now() + interval '1 hour'");
    assert_int_equal(store_claim(second, "", &head, &note), ERR_OK);
    assert_int_equal(store_renew(first, &note), ERR_FENCED);
    store_free(first);
    store_free(second);
}

static void a_renewal_comes_back_whatever_the_server_does(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_head head;
    struct err_note note = {""};
    assert_int_equal(store_claim(store, "", &head, &note), ERR_OK);
    assert_int_equal(store_renew(store, &note), ERR_OK);
    cut_connections();
    usleep(100000);
    assert_int_equal(store_renew(store, &note), ERR_IO);
    assert_int_equal(store_renew(store, &note), ERR_OK); /* on a new connection */
    pg_server_kill(&server);
    assert_int_equal(store_renew(store, &note), ERR_IO);
    assert_int_equal(store_renew(store, &note), ERR_IO);
    pg_server_start(&server, "");
    assert_int_equal(store_renew(store, &note), ERR_OK);

    pg_server_pause(&server);
    assert_int_equal(store_renew(store, &note), ERR_IO); /* the connection is there, and silent */
    assert_non_null(strstr(note.text, "does not answer"));
    assert_int_equal(store_renew(store, &note), ERR_IO); /* and no other can be made */
    pg_server_resume(&server);
    assert_int_equal(store_renew(store, &note), ERR_OK);

    PGconn *other = PQconnectdb(server.url); /* somebody has the row */
    PQclear(PQexec(other, "BEGIN; UPDATE onhand.partition SET seq = seq"));
    assert_int_equal(store_renew(store, &note), ERR_IO);
    PQfinish(other);
    assert_int_equal(store_renew(store, &note), ERR_OK);
    store_free(store);
}

/* A role or database may be set up to isolate transactions more: then a renewal beside a commit would be an error. */
static void a_renewal_beside_a_commit_breaks_nothing(void **state)
{
    (void)state;
    pg_server_exec(&server, "ALTER ROLE postgres SET default_transaction_isolation = 'serializable'");
    struct store *store = open_store();
    struct scene s;
    begin_shop(&s, store);
    PGconn *other = PQconnectdb(server.url);
    PQclear(PQexec(other, "SET default_transaction_isolation = 'read committed'"));
    assert_int_equal(
        PQsendQuery(other, "BEGIN; UPDATE onhand.partition SET lease_until = lease_until; SELECT pg_sleep(1); COMMIT"),
        1);
    while (query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 0) {
        usleep(10000);
    }
    scene_receive(&s, "a", "w1", 1);
    scene_must_commit(&s); /* waits for the row, which has changed by then */
    PQfinish(other);
    pg_server_exec(&server, "ALTER ROLE postgres RESET ALL");
    scene_end(&s);
    store_free(store);
}

/* As after a failover: the first host of the URL follows another one now, and may be behind it. */
static void a_standby_is_not_the_database(void **state)
{
    (void)state;
    struct pg_server standby;
    struct store *store = NULL;
    struct store_reader *reader = NULL;
    struct err_note note = {""};
    char command[2 * PG_PATH_MAX + 100];
    char url[4 * PG_PATH_MAX];
    pg_server_make(&standby, "");
    pg_server_kill(&standby);
    snprintf(command, sizeof(command), "cp -p %s/data/PG_VERSION %s/data/standby.signal", standby.dir, standby.dir);
    assert_int_equal(system(command), 0);
    pg_server_start(&standby, "");
    assert_refused(standby.url, false, ERR_STORE_AWAY, "hot standby");
    snprintf(url, sizeof(url), "host=%s,%s dbname=postgres user=postgres", standby.dir, server.dir);
    if (store_postgres_open(url, 0, false, &store, &note) != ERR_OK ||
        store_reader_open(store, &reader, &note) != ERR_OK) {
        fail_msg("%s", note.text);
    }
    assert_int_equal(reader->ops->item(reader, STR("none"), NULL, NULL), ERR_NOT_FOUND);
    store_reader_free(reader);
    store_free(store);
    pg_server_remove(&standby);
}

/* Its client is there, but stopped in the middle of a commit; so the server waits for the rest of it. */
static void who_stopped_in_the_middle_of_a_commit_keeps_nobody_away(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_head head;
    struct err_note note = {""};
    assert_int_equal(store_claim(store, "", &head, &note), ERR_OK);
    PGconn *stopped = PQconnectdb(server.url);
    PQclear(PQexec(stopped, "BEGIN; UPDATE onhand.partition SET seq = 7"));
    struct store *next = open_store();
    assert_int_equal(store_claim(next, "", &head, &note), ERR_LOCKED);
    PQclear(PQexec(stopped, "UPDATE onhand.partition SET lease_until = '-infinity'; COMMIT"));
    PQclear(PQexec(stopped, "BEGIN; UPDATE onhand.partition SET seq = 7"));
    assert_int_equal(store_claim(next, "", &head, &note), ERR_OK);
    assert_int_equal(query("SELECT epoch FROM partition"), 2);
    PQfinish(stopped);
    store_free(store);
    store_free(next);
}

/* Ends the connections of stores again and again. */
static atomic_bool cutting;
static atomic_int committed;

/* However slow the machine is, a commit gets through at the third time. */
#define CUTS_MAX 2

static void *cut(void *arg)
{
    unsigned seed = 7;
    int cuts = 0;
    int seen = 0;
    (void)arg;
    while (atomic_load(&cutting)) {
        usleep(rand_r(&seed) % 4000);
        cuts = atomic_load(&committed) == seen ? cuts + 1 : 1;
        seen = atomic_load(&committed);
        if (cuts <= CUTS_MAX) {
            cut_connections();
        }
    }
    return NULL;
}

#define CUT_COMMITS 300
#define CUT_SESSIONS 20
#define CUT_COMMITS_MAX 100000

/* However fast it commits, it goes on until it was cut often. */
static bool was_cut_often(int commits)
{
    assert_true(commits < CUT_COMMITS_MAX);
    return commits >= CUT_COMMITS && commits % 10 == 0 && query("SELECT session FROM partition") > CUT_SESSIONS;
}

static void each_commit_is_there_once_however_often_it_is_cut(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    pthread_t thread;
    begin_shop(&s, store);
    atomic_store(&cutting, true);
    assert_int_equal(pthread_create(&thread, NULL, cut, NULL), 0);
    int commits = 0;
    int received = 0;
    for (; !was_cut_often(commits); commits++) {
        char key[16];
        snprintf(key, sizeof(key), "key-%d", commits);
        if (commits % 3 > 0) {
            scene_receive(&s, "a", "w1", 1);
            received++;
        }
        scene_key(&s, "receive", key, 201, "{}"); /* some batches are an answer alone */
        scene_must_commit(&s);
        atomic_store(&committed, commits + 1);
    }
    atomic_store(&cutting, false);
    pthread_join(thread, NULL);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000 + received);
    assert_int_equal(query("SELECT count(*) FROM movement"), 1 + received);
    assert_int_equal(query("SELECT count(*) FROM idempotency"), commits);
    assert_int_equal(query("SELECT commits FROM partition"), 1 + commits);
    scene_end(&s);
    store_free(store);
}

/* Seconds are too long for a test. */
static void be_impatient(struct store *store)
{
    struct store_postgres *s = store_postgres_from(store);
    s->wait_ms = 300;
    s->link.silence_ms = 1000;
}

static void ignore_key(void *ctx, const struct key_row *row)
{
    (void)ctx;
    (void)row;
}

/* Wants no more when it has been asked `left` times. */
struct patience {
    int left;
};

static bool is_patient(void *ctx)
{
    struct patience *p = ctx;
    return p->left-- > 0;
}

static enum err load_with(struct store *store, struct patience *p, struct err_note *note)
{
    struct ledger *l = ledger_new();
    enum err e = store_load(store, l, &(struct store_key_sink){p, ignore_key, is_patient}, note);
    ledger_free(l);
    return e;
}

static void a_load_ends_when_nobody_wants_it_any_more(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    struct err_note note = {""};
    begin_shop(&s, store);
    pg_server_exec(
        &server, "INSERT INTO onhand.item SELECT n, 0, 'sku-' || n, NULL, '{}', 0 FROM generate_series(2, 10000) n");
    assert_int_equal(load_with(store, &(struct patience){.left = 0}, &note), ERR_SHUTTING_DOWN);
    assert_int_equal(load_with(store, &(struct patience){.left = 1000000}, &note), ERR_OK);

    PGconn *other = PQconnectdb(server.url); /* the server has no row for as long as it likes */
    PQclear(PQexec(other, "BEGIN; LOCK TABLE onhand.location IN ACCESS EXCLUSIVE MODE"));
    assert_int_equal(load_with(store, &(struct patience){.left = 4}, &note), ERR_SHUTTING_DOWN);
    PQfinish(other);
    assert_int_equal(load_with(store, &(struct patience){.left = 1000000}, &note), ERR_OK);
    scene_end(&s);
    store_free(store);
}

static void a_row_that_no_commit_wrote_ends_the_load(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    struct err_note note = {""};
    begin_shop(&s, store);
    scene_item(&s, "b", "Bee");
    scene_receive(&s, "b", "w1", 5);
    (void)scene_reserve(&s, "order", "a", 1, "b", 1);
    scene_must_commit(&s);
    assert_int_equal(load_with(store, &(struct patience){.left = 1000}, &note), ERR_OK);
    pg_server_exec(
        &server,
        "UPDATE onhand.reservation_line SET seq = seq + 100 WHERE seq = (SELECT min(seq) FROM onhand.reservation_line)");
    assert_int_equal(load_with(store, &(struct patience){.left = 1000}, &note), ERR_IO);
    assert_non_null(strstr(note.text, "run the audit"));
    scene_end(&s);
    store_free(store);
}

/* Loads it anew; the seq that it has then. */
static enum err reload(struct store *store, uint64_t *out_seq, struct err_note *note)
{
    struct ledger *l = ledger_new();
    enum err e = store_load(store, l, &(struct store_key_sink){.key = ignore_key}, note);
    *out_seq = ledger_seq(l);
    ledger_free(l);
    return e;
}

static void without_a_server_the_outcome_is_unknown_until_it_is_loaded(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_reader *reader = NULL;
    struct scene s;
    struct err_note note = {""};
    uint64_t seq = 0;
    begin_shop(&s, store);
    be_impatient(store);
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    pg_server_kill(&server);
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY);
    assert_int_equal(reload(store, &seq, &note), ERR_STORE_AWAY);
    assert_int_equal(reader->ops->item(reader, STR("none"), NULL, NULL), ERR_STORE_AWAY);
    pg_server_start(&server, "");
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY); /* not before it was loaded */
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000);
    assert_int_equal(reload(store, &seq, &note), ERR_OK);
    assert_int_equal(seq, 1);
    scene_must_commit(&s);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000001);
    enum err e = ERR_STORE_AWAY;
    for (int i = 0; i < 100 && e == ERR_STORE_AWAY; i++) { /* it does not try at once after it was refused */
        e = reader->ops->item(reader, STR("none"), NULL, NULL);
        usleep(20000);
    }
    assert_int_equal(e, ERR_NOT_FOUND);
    store_reader_free(reader);
    scene_end(&s);
    store_free(store);
}

static void set_system(const char *sql)
{
    pg_server_exec(&server, sql);
    pg_server_exec(&server, "SELECT pg_reload_conf()");
    usleep(200000);
}

/* A commit that waits for a standby that does not come is on the disk already when the server crashes. */
static void a_commit_in_doubt_that_is_stored_is_found(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    struct err_note note = {""};
    uint64_t seq = 0;
    begin_shop(&s, store);
    be_impatient(store);
    set_system("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY);
    pg_server_kill(&server);
    pg_server_start(&server, "-c synchronous_standby_names=''");
    assert_int_equal(reload(store, &seq, &note), ERR_OK);
    assert_int_equal(seq, 2);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000001);
    assert_int_equal(query("SELECT commits FROM partition"), 2);
    assert_int_equal(scene_commit(&s), ERR_FENCED); /* it is not stored twice */
    set_system("ALTER SYSTEM RESET synchronous_standby_names");
    scene_end(&s);
    store_free(store);
}

static void who_was_deposed_during_an_outage_learns_it(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    struct err_note note = {""};
    uint64_t seq = 0;
    begin_shop(&s, store);
    be_impatient(store);
    pg_server_kill(&server);
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY);
    pg_server_start(&server, "");
    struct store *next = open_store();
    struct store_head head;
    pg_server_expire_lease(&server);
    assert_int_equal(store_claim(next, "", &head, &note), ERR_OK);
    assert_int_equal(reload(store, &seq, &note), ERR_FENCED);
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000);
    scene_end(&s);
    store_free(store);
    store_free(next);
}

/* The connection breaks in a commit, and behind it is another owner already: whether the commit came first is not known. */
static void who_was_deposed_during_a_commit_learns_it(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store *next = open_store();
    struct scene s;
    struct store_head head;
    struct err_note note = {""};
    begin_shop(&s, store);
    be_impatient(store);
    pg_server_expire_lease(&server);
    assert_int_equal(store_claim(next, "", &head, &note), ERR_OK);
    cut_connections();
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_DEPOSED);
    assert_int_equal(scene_commit(&s), ERR_DEPOSED); /* and it stays so */
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000);
    scene_end(&s);
    store_free(store);
    store_free(next);
}

/* As after a failover to a standby that was not synchronous. */
static void a_database_that_lacks_commits_is_no_place_to_go_on(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    begin_shop(&s, store);
    be_impatient(store);
    pg_server_exec(&server, "UPDATE onhand.partition SET commits = commits - 1");
    cut_connections();
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_IO);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000);
    scene_end(&s);
    store_free(store);
}

/* A server that stands still is as good as none; and what it does when it goes on again does not count. */
static void a_server_that_does_not_answer_is_away(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct scene s;
    struct err_note note = {""};
    uint64_t seq = 0;
    begin_shop(&s, store);
    be_impatient(store);
    pg_server_pause(&server);
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_STORE_AWAY);
    pg_server_resume(&server);
    assert_int_equal(reload(store, &seq, &note), ERR_OK);
    assert_true(seq == 1 || seq == 2);
    assert_int_equal(scene_commit(&s), seq == 1 ? ERR_OK : ERR_FENCED);
    assert_int_equal(query("SELECT on_hand FROM level"), 1000001);
    assert_int_equal(query("SELECT count(*) FROM movement"), 2);
    scene_end(&s);
    store_free(store);
}

static void a_server_that_came_back_without_syncing_is_refused(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store *waits = open_store();
    struct scene s;
    begin_shop(&s, store);
    pg_server_kill(&server);
    pg_server_start(&server, "-c fsync=off");
    scene_receive(&s, "a", "w1", 1);
    assert_int_equal(scene_commit(&s), ERR_IO);
    assert_int_equal(scene_commit(&s), ERR_IO); /* and it stays so */
    assert_int_equal(query("SELECT on_hand FROM level"), 1000000);
    pg_server_expire_lease(&server);
    struct store_head head;
    struct err_note note = {""};
    assert_int_equal(store_claim(waits, "", &head, &note), ERR_STORE_AWAY); /* its connection is gone */
    assert_int_equal(store_claim(waits, "", &head, &note), ERR_CONFIG);
    assert_int_equal(query("SELECT epoch FROM partition"), 1);
    scene_end(&s);
    store_free(store);
    store_free(waits);
    pg_server_kill(&server);
    pg_server_start(&server, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_server_that_does_not_sync_is_refused, setup),
        cmocka_unit_test_setup(what_is_no_database_is_refused, setup),
        cmocka_unit_test_setup(another_partition_is_refused, setup),
        cmocka_unit_test_setup(who_lost_the_partition_cannot_write, setup),
        cmocka_unit_test_setup(the_lease_keeps_others_away_until_it_runs_out, setup),
        cmocka_unit_test_setup(a_lease_that_runs_longer_than_leases_do_is_over, setup),
        cmocka_unit_test_setup(a_renewal_comes_back_whatever_the_server_does, setup),
        cmocka_unit_test_setup(a_renewal_beside_a_commit_breaks_nothing, setup),
        cmocka_unit_test_setup(a_standby_is_not_the_database, setup),
        cmocka_unit_test_setup(who_stopped_in_the_middle_of_a_commit_keeps_nobody_away, setup),
        cmocka_unit_test_setup(a_new_shop_that_grows_reads_no_table_to_its_end, setup),
        cmocka_unit_test_setup(a_page_of_reservations_reads_its_own_lines, setup),
        cmocka_unit_test_setup(a_restart_of_the_server_costs_nothing, setup),
        cmocka_unit_test_setup(each_commit_is_there_once_however_often_it_is_cut, setup),
        cmocka_unit_test_setup(without_a_server_the_outcome_is_unknown_until_it_is_loaded, setup),
        cmocka_unit_test_setup(a_commit_in_doubt_that_is_stored_is_found, setup),
        cmocka_unit_test_setup(who_was_deposed_during_an_outage_learns_it, setup),
        cmocka_unit_test_setup(a_load_ends_when_nobody_wants_it_any_more, setup),
        cmocka_unit_test_setup(a_row_that_no_commit_wrote_ends_the_load, setup),
        cmocka_unit_test_setup(who_was_deposed_during_a_commit_learns_it, setup),
        cmocka_unit_test_setup(a_database_that_lacks_commits_is_no_place_to_go_on, setup),
        cmocka_unit_test_setup(a_server_that_does_not_answer_is_away, setup),
        cmocka_unit_test_setup(a_server_that_came_back_without_syncing_is_refused, setup),
    };
    pg_server_make(&server, "");
    int failed = cmocka_run_group_tests_name("store: postgres", tests, NULL, NULL);
    pg_server_remove(&server);
    return failed;
}
