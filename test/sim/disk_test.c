/*
 * The simulated disk under a plain SQLite database. Transaction number n adds row n and writes n to the counter, so the
 * database has to stand at exactly one number, and the disk is judged by which one.
 */
#include "test.h"

#include "disk.h"

#include "base/random.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define PATH "/nowhere/at/all/shop.db"
#define NO_TABLE (-1)
#define BROKEN (-2)

static int exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3 *open_with(int flags, const char *settings)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(PATH, &db, flags, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(db, 1);
        rc = exec(db, settings);
    }
    if (rc != SQLITE_OK) {
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        return NULL;
    }
    return db;
}

static sqlite3 *open_writer(const char *synchronous)
{
    char settings[200];
    snprintf(
        settings, sizeof(settings),
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA temp_store = MEMORY",
        synchronous);
    return open_with(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, settings);
}

static sqlite3 *open_reader(void)
{
    return open_with(SQLITE_OPEN_READONLY, "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY");
}

static int make_tables(sqlite3 *db)
{
    return exec(
        db,
        "BEGIN; CREATE TABLE line(n INTEGER PRIMARY KEY, body BLOB);"
        "CREATE TABLE counter(n INTEGER); INSERT INTO counter VALUES(0); COMMIT");
}

static sqlite3 *open_with_tables(const char *synchronous)
{
    sqlite3 *db = open_writer(synchronous);
    assert_non_null(db);
    assert_int_equal(make_tables(db), SQLITE_OK);
    return db;
}

/* SQLITE_OK: transaction `n` is acknowledged. A transaction that failed is rolled back. */
static int commit_number(sqlite3 *db, int n)
{
    char sql[200];
    snprintf(
        sql, sizeof(sql),
        "BEGIN IMMEDIATE; INSERT INTO line VALUES(%d, zeroblob(1700)); UPDATE counter SET n = %d; COMMIT", n, n);
    int rc = exec(db, sql);
    if (rc != SQLITE_OK) {
        (void)exec(db, "ROLLBACK"); /* there may be none to roll back */
    }
    return rc;
}

static int checkpoint(sqlite3 *db, int mode)
{
    return sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
}

static int64_t read_i64(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t value = BROKEN;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        value = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st); /* repeats the error of the step */
    return value;
}

static bool is_whole(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    bool whole = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
    (void)sqlite3_finalize(st); /* repeats the error of the step */
    return whole;
}

/* The number of the last transaction if exactly 1..n are there; NO_TABLE before the first; BROKEN otherwise. */
static int64_t standing(sqlite3 *db)
{
    if (!is_whole(db)) {
        return BROKEN;
    }
    int64_t tables = read_i64(db, "SELECT count(*) FROM sqlite_schema");
    if (tables != 2) {
        return tables == 0 ? NO_TABLE : BROKEN;
    }
    int64_t n = read_i64(db, "SELECT n FROM counter");
    int64_t lines = read_i64(db, "SELECT count(*) FROM line");
    int64_t last = read_i64(db, "SELECT coalesce(max(n), 0) FROM line");
    return n == lines && n == last ? n : BROKEN;
}

static void close_all(sqlite3 *db)
{
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* What a new life finds. */
static int64_t standing_now(void)
{
    sqlite3 *db = open_writer("FULL");
    assert_non_null(db);
    int64_t n = standing(db);
    close_all(db);
    return n;
}

static void end_life(struct disk *d, bool power)
{
    if (power) {
        disk_cut_power(d);
    } else {
        disk_kill(d);
    }
}

/* Commits until the disk dies or `n_max` are there; now and then a checkpoint. The last number acknowledged. */
static int trade(sqlite3 *db, struct random *r, int n, int n_max)
{
    while (n < n_max && commit_number(db, n + 1) == SQLITE_OK) {
        n++;
        if (random_below(r, 4) == 0) {
            (void)checkpoint(db, random_below(r, 3) == 0 ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
        }
    }
    return n;
}

/* A number from the first to the one whose fate was open when the life ended. */
static void assert_nothing_lost(int64_t found, int64_t acknowledged, const char *what, uint64_t seed)
{
    if (found != acknowledged && found != acknowledged + 1) {
        fail_msg(
            "%s, %ju: %jd acknowledged, %jd found", what, (uintmax_t)seed, (intmax_t)acknowledged, (intmax_t)found);
    }
}

static void add_counts(struct disk_counts *sum, const struct disk *d)
{
    const struct disk_counts *c = disk_counts(d);
    sum->sectors_kept += c->sectors_kept;
    sum->sectors_lost += c->sectors_lost;
    sum->writes_torn += c->writes_torn;
    sum->truncates_lost += c->truncates_lost;
    sum->creates_undone += c->creates_undone;
    sum->deletes_undone += c->deletes_undone;
    sum->deaths_in_write += c->deaths_in_write;
    for (int i = 0; i < DISK_CALLS; i++) {
        sum->calls_of[i] += c->calls_of[i];
        sum->deaths_at[i] += c->deaths_at[i];
    }
}

/* Five lives on one disk; every second one dies at some call, the others between two. */
static void live_through_power_cuts(uint64_t seed, struct disk_counts *sum)
{
    struct random r;
    random_init(&r, seed);
    struct disk *d = disk_new(seed);
    sqlite3 *db = open_with_tables("FULL");
    int64_t n = 0;
    for (int life = 0; life < 5; life++) {
        disk_die_at(d, life % 2 == 1 ? 1 + random_below(&r, 300) : 0, DISK_ANY_CALL);
        int64_t acknowledged = trade(db, &r, (int)n, (int)n + 1 + (int)random_below(&r, 12));
        disk_cut_power(d);
        close_all(db);
        db = open_writer("FULL");
        assert_non_null(db);
        n = standing(db);
        assert_nothing_lost(n, acknowledged, "seed", seed);
    }
    close_all(db);
    add_counts(sum, d);
    disk_free(d);
}

static void what_was_committed_survives_power_cuts(void **state)
{
    (void)state;
    struct disk_counts sum = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        live_through_power_cuts(seed, &sum);
    }
    assert_true(sum.sectors_kept > 0);
    assert_true(sum.sectors_lost > 0);
    assert_true(sum.writes_torn > 0);
    assert_true(sum.truncates_lost > 0);
    assert_true(sum.deaths_in_write > 0);
    assert_true(sum.deaths_at[DISK_SYNC] > 0);
}

/* The proof that a power cut cuts: without syncs, the same trade loses what was acknowledged. */
static void without_syncs_a_power_cut_loses_commits(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random r;
        random_init(&r, seed);
        struct disk *d = disk_new(seed);
        sqlite3 *db = open_with_tables("OFF");
        int acknowledged = trade(db, &r, 0, 10);
        disk_cut_power(d);
        close_all(db);
        db = open_writer("FULL");
        lost += db == NULL || standing(db) != acknowledged;
        (void)sqlite3_close(db); /* NULL when the disk was left in no state to open */
        disk_free(d);
    }
    assert_in_range(lost, 10, 20);
}

static void without_syncs_a_kill_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random r;
        random_init(&r, seed);
        struct disk *d = disk_new(seed);
        sqlite3 *db = open_with_tables("OFF");
        int acknowledged = trade(db, &r, 0, 10);
        disk_kill(d);
        close_all(db);
        assert_int_equal(standing_now(), acknowledged);
        disk_free(d);
    }
}

/* From the first open to the last close, until something fails. What is acknowledged: NO_TABLE, 0, 1, ... */
static int fixed_script(void)
{
    sqlite3 *db = open_writer("FULL");
    if (db == NULL) {
        return NO_TABLE;
    }
    int n = make_tables(db) == SQLITE_OK ? 0 : NO_TABLE;
    bool goes_on = n == 0;
    for (int next = 1; goes_on && next <= 6; next++) {
        goes_on = commit_number(db, next) == SQLITE_OK;
        n += goes_on;
        if (goes_on && next % 2 == 0) {
            (void)checkpoint(db, next == 4 ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE);
        }
    }
    close_all(db);
    return n;
}

/* False when the script ends before its `nth` call. */
static bool die_in_script(uint64_t nth, bool power, uint64_t seed, struct disk_counts *sum)
{
    struct disk *d = disk_new(seed);
    disk_die_at(d, nth, DISK_ANY_CALL);
    int acknowledged = fixed_script();
    bool died = disk_is_dead(d);
    end_life(d, power);
    assert_nothing_lost(standing_now(), acknowledged, power ? "power cut at call" : "killed at call", nth);
    add_counts(sum, d);
    disk_free(d);
    return died;
}

static void die_at_every_call(bool power)
{
    struct disk_counts sum = {0};
    uint64_t nth = 1;
    while (die_in_script(nth, power, nth, &sum)) {
        for (uint64_t again = 1; again <= 3; again++) {
            assert_true(die_in_script(nth, power, nth + again * 10000, &sum));
        }
        nth++;
    }
    assert_true(nth > 100);
    for (int kind = DISK_OPEN; kind < DISK_CALLS; kind++) {
        assert_true(sum.calls_of[kind] > 0);
        assert_true(sum.deaths_at[kind] > 0 || kind == DISK_CHECK_LOCK); /* which needs a journal left behind */
    }
    assert_true(!power || (sum.creates_undone > 0 && sum.deletes_undone > 0));
}

static void a_process_killed_at_any_call_leaves_a_whole_state(void **state)
{
    (void)state;
    die_at_every_call(false);
}

static void a_power_cut_at_any_call_leaves_a_whole_state(void **state)
{
    (void)state;
    die_at_every_call(true);
}

/* Only calls of the kind count, and none passes after the last one. */
static void a_life_ends_at_the_call_of_the_kind_asked_for(void **state)
{
    (void)state;
    struct disk *d = disk_new(3);
    sqlite3 *db = open_with_tables("FULL");
    uint64_t syncs = disk_counts(d)->calls_of[DISK_SYNC];
    disk_die_at(d, 2, DISK_SYNC);
    int n = 0;
    while (commit_number(db, n + 1) == SQLITE_OK) {
        n++;
    }
    assert_true(disk_is_dead(d));
    assert_int_equal(disk_counts(d)->calls_of[DISK_SYNC], syncs + 2);
    assert_int_equal(disk_counts(d)->deaths_at[DISK_SYNC], 1);
    uint64_t calls = disk_counts(d)->calls;
    assert_int_not_equal(commit_number(db, n + 1), SQLITE_OK);
    assert_null(open_reader());
    assert_int_equal(disk_counts(d)->calls, calls);
    close_all(db);
    disk_kill(d);
    assert_false(disk_is_dead(d));
    assert_nothing_lost(standing_now(), n, "kill at sync", 2);
    disk_free(d);
}

static void a_full_disk_refuses_and_takes_again_when_there_is_room(void **state)
{
    (void)state;
    struct disk *d = disk_new(4);
    sqlite3 *db = open_with_tables("FULL");
    disk_faults(d)->room_bytes = disk_size_bytes(d) + 40000;
    int n = 0;
    int rc = SQLITE_OK;
    while (n < 100 && (rc = commit_number(db, n + 1)) == SQLITE_OK) {
        n++;
    }
    assert_int_equal(rc, SQLITE_FULL);
    assert_in_range(n, 2, 8);
    assert_true(disk_size_bytes(d) <= disk_faults(d)->room_bytes);
    assert_int_equal(standing(db), n);
    disk_faults(d)->room_bytes += 40000;
    assert_int_equal(commit_number(db, n + 1), SQLITE_OK);
    assert_true(disk_counts(d)->full > 0);
    disk_cut_power(d);
    close_all(db);
    disk_clear_faults(d);
    assert_int_equal(standing_now(), n + 1);
    disk_free(d);
}

/* What stands after the power cut of a disk that lied from transaction `honest` on. */
static int64_t standing_after_lies(uint64_t seed, int honest, int *acknowledged)
{
    struct random r;
    random_init(&r, seed);
    struct disk *d = disk_new(seed);
    sqlite3 *db = open_with_tables("FULL");
    assert_int_equal(trade(db, &r, 0, honest), honest);
    disk_faults(d)->lies = true;
    *acknowledged = trade(db, &r, honest, honest + 12);
    assert_true(disk_counts(d)->syncs_lied > 0);
    disk_cut_power(d);
    assert_int_equal(disk_counts(d)->power_cuts_of_a_liar, 1);
    close_all(db);
    disk_clear_faults(d);
    int64_t n = standing_now();
    disk_free(d);
    return n;
}

static void a_lying_disk_loses_the_last_commits_and_nothing_else(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        int acknowledged = 0;
        int64_t n = standing_after_lies(seed, 5, &acknowledged);
        assert_in_range(n, 5, acknowledged);
        lost += n < acknowledged;
    }
    assert_in_range(lost, 50, 100);
}

static void the_first_honest_sync_after_lies_keeps_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random r;
        random_init(&r, seed);
        struct disk *d = disk_new(seed);
        sqlite3 *db = open_with_tables("FULL");
        disk_faults(d)->lies = true;
        assert_int_equal(trade(db, &r, 0, 9), 9);
        disk_faults(d)->lies = false;
        assert_int_equal(commit_number(db, 10), SQLITE_OK);
        disk_cut_power(d);
        assert_int_equal(disk_counts(d)->power_cuts_of_a_liar, 0);
        close_all(db);
        assert_int_equal(standing_now(), 10);
        disk_free(d);
    }
}

static void a_failed_sync_is_an_error_and_may_lose_the_commit(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct disk *d = disk_new(seed);
        sqlite3 *db = open_with_tables("FULL");
        assert_int_equal(commit_number(db, 1), SQLITE_OK);
        disk_faults(d)->fail_sync_ppm = 1000000;
        assert_int_equal(commit_number(db, 2), SQLITE_IOERR_FSYNC);
        assert_int_equal(disk_counts(d)->syncs_failed, 1);
        disk_clear_faults(d);
        disk_cut_power(d);
        close_all(db);
        int64_t n = standing_now();
        assert_in_range(n, 1, 2);
        lost += n == 1;
        disk_free(d);
    }
    assert_in_range(lost, 1, 20);
}

struct fault_case {
    const char *name;
    size_t member; /* of struct disk_faults */
    int rc;        /* primary: reading the schema, SQLite gives no other */
    size_t count;  /* of struct disk_counts */
};

#define FAULT(member, rc, count)                                                               \
    {                                                                                          \
#member, offsetof(struct disk_faults, member), rc, offsetof(struct disk_counts, count) \
    }

static const struct fault_case fault_cases[] = {
    FAULT(refuse_write_ppm, SQLITE_IOERR, writes_refused),    FAULT(short_write_ppm, SQLITE_IOERR, writes_short),
    FAULT(fail_read_ppm, SQLITE_IOERR, reads_failed),         FAULT(fail_sync_ppm, SQLITE_IOERR, syncs_failed),
    FAULT(fail_truncate_ppm, SQLITE_IOERR, truncates_failed), FAULT(fail_open_ppm, SQLITE_CANTOPEN, opens_failed),
    FAULT(fail_shm_map_ppm, SQLITE_IOERR, shm_maps_failed),
};

/* The first error of a life that opens, reads, commits and checkpoints. */
static int first_error(void)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(PATH, &db, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_extended_result_codes(db, 1);
    rc = rc != SQLITE_OK ? rc : exec(db, "PRAGMA synchronous = FULL; SELECT count(*) FROM line");
    rc = rc != SQLITE_OK ? rc : commit_number(db, 2);
    rc = rc != SQLITE_OK ? rc : checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return rc;
}

static void each_fault_is_told_and_counted_and_goes_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fault_cases); i++) {
        const struct fault_case *c = &fault_cases[i];
        struct disk *d = disk_new(i);
        sqlite3 *db = open_with_tables("FULL");
        assert_int_equal(commit_number(db, 1), SQLITE_OK);
        close_all(db);
        uint32_t always = 1000000;
        memcpy((char *)disk_faults(d) + c->member, &always, sizeof(always));
        int rc = first_error();
        if ((rc & 0xff) != c->rc) {
            fail_msg("%s gives %d", c->name, rc);
        }
        uint64_t count = 0;
        memcpy(&count, (const char *)disk_counts(d) + c->count, sizeof(count));
        assert_true(count > 0);
        disk_clear_faults(d);
        assert_in_range(standing_now(), 1, 2);
        disk_free(d);
    }
}

/* With every fault now and then, what is acknowledged is there and the library gets out of everything. */
static void random_faults_lose_nothing(void **state)
{
    (void)state;
    uint64_t waited_us = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct random r;
        random_init(&r, seed);
        struct disk *d = disk_new(seed);
        sqlite3 *db = open_with_tables("FULL");
        struct disk_faults *f = disk_faults(d);
        *f = (struct disk_faults){2000, 2000, 2000, 0, 2000, 2000, 2000, 2000, 5000, 10, DISK_ROOM_UNBOUNDED, false};
        int n = 0;
        for (int i = 0; i < 30; i++) {
            n += commit_number(db, n + 1) == SQLITE_OK;
            (void)checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);
        }
        disk_clear_faults(d);
        waited_us += disk_take_waited_us(d);
        end_life(d, random_below(&r, 2) == 0);
        close_all(db);
        assert_nothing_lost(standing_now(), n, "seed", seed);
        disk_free(d);
    }
    assert_true(waited_us > 0);
}

static uint64_t trace_of(uint64_t seed)
{
    struct disk_counts sum = {0};
    struct random r;
    random_init(&r, 1);
    struct disk *d = disk_new(seed);
    disk_faults(d)->short_write_ppm = 10000;
    sqlite3 *db = open_writer("FULL");
    if (db != NULL && make_tables(db) == SQLITE_OK) {
        (void)trade(db, &r, 0, 20);
    }
    disk_cut_power(d);
    (void)sqlite3_close(db); /* NULL when it could not be opened */
    db = open_writer("FULL");
    (void)sqlite3_close(db);
    uint64_t trace = disk_trace(d);
    add_counts(&sum, d);
    disk_free(d);
    return trace ^ sum.sectors_lost;
}

static void one_seed_gives_one_trace(void **state)
{
    (void)state;
    uint64_t first = trace_of(1);
    for (uint64_t seed = 2; seed <= 20; seed++) {
        uint64_t trace = trace_of(seed);
        assert_int_equal(trace_of(seed), trace);
        assert_int_not_equal(trace, first);
    }
    assert_int_equal(trace_of(1), first);
}

/* As the store does it: one writer that checkpoints, readers with their own connections. */
static void readers_see_their_snapshot_while_the_writer_goes_on(void **state)
{
    (void)state;
    struct disk *d = disk_new(7);
    sqlite3 *db = open_with_tables("FULL");
    sqlite3 *old = open_reader();
    sqlite3 *young = open_reader();
    assert_non_null(old);
    assert_non_null(young);
    assert_int_equal(commit_number(db, 1), SQLITE_OK);
    assert_int_equal(exec(old, "BEGIN; SELECT n FROM counter"), SQLITE_OK);
    for (int n = 2; n <= 20; n++) {
        assert_int_equal(commit_number(db, n), SQLITE_OK);
        assert_int_equal(checkpoint(db, SQLITE_CHECKPOINT_PASSIVE), SQLITE_OK);
        assert_int_equal(standing(old), 1);
        assert_int_equal(standing(young), n);
    }
    assert_int_equal(checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE), SQLITE_BUSY);
    assert_true(disk_counts(d)->busy > 0);
    assert_int_equal(exec(old, "COMMIT"), SQLITE_OK);
    assert_int_equal(checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE), SQLITE_OK);
    assert_int_equal(standing(old), 20);
    close_all(old);
    close_all(db);
    close_all(young);
    assert_int_equal(standing_now(), 20);
    disk_free(d);
}

/* Two processes on one disk: the second waits in simulated time alone, and the lock is one. */
static void two_writers_of_a_life_exclude_each_other(void **state)
{
    (void)state;
    struct disk *d = disk_new(8);
    sqlite3 *one = open_with_tables("FULL");
    sqlite3 *two = open_writer("FULL");
    assert_non_null(two);
    assert_int_equal(sqlite3_busy_timeout(two, 5000), SQLITE_OK);
    assert_int_equal(exec(one, "BEGIN IMMEDIATE"), SQLITE_OK);
    (void)disk_take_waited_us(d);
    assert_int_equal(commit_number(two, 1), SQLITE_BUSY);
    assert_in_range(disk_take_waited_us(d), 4000000, 6000000);
    assert_int_equal(exec(one, "COMMIT"), SQLITE_OK);
    assert_int_equal(commit_number(two, 1), SQLITE_OK);
    assert_int_equal(commit_number(one, 2), SQLITE_OK);
    assert_int_equal(standing(two), 2);
    close_all(one);
    close_all(two);
    disk_free(d);
}

/* Without a WAL the locks on the file itself decide: a writer waits for readers, and no new one comes in meanwhile. */
static void a_writer_without_wal_waits_for_readers(void **state)
{
    (void)state;
    struct disk *d = disk_new(11);
    const char *settings = "PRAGMA journal_mode = DELETE; PRAGMA temp_store = MEMORY";
    sqlite3 *db = open_with(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, settings);
    assert_non_null(db);
    assert_int_equal(make_tables(db), SQLITE_OK);
    sqlite3 *old = open_reader();
    sqlite3 *young = open_reader();
    assert_int_equal(exec(old, "BEGIN; SELECT n FROM counter"), SQLITE_OK);
    assert_int_equal(exec(db, "BEGIN IMMEDIATE; UPDATE counter SET n = 7"), SQLITE_OK);
    assert_int_equal(read_i64(young, "SELECT n FROM counter"), 0);
    assert_int_equal(exec(db, "COMMIT"), SQLITE_BUSY);
    assert_int_equal(exec(young, "SELECT n FROM counter"), SQLITE_BUSY);
    assert_int_equal(read_i64(old, "SELECT n FROM counter"), 0);
    assert_int_equal(exec(old, "COMMIT"), SQLITE_OK);
    assert_int_equal(exec(db, "COMMIT"), SQLITE_OK);
    assert_int_equal(read_i64(young, "SELECT n FROM counter"), 7);
    close_all(young);
    close_all(old);
    close_all(db);
    disk_free(d);
}

static void a_handle_of_an_ended_life_changes_nothing(void **state)
{
    (void)state;
    struct disk *d = disk_new(9);
    sqlite3 *zombie = open_with_tables("FULL");
    sqlite3 *zombie_in_transaction = open_writer("FULL");
    assert_int_equal(commit_number(zombie, 1), SQLITE_OK);
    assert_int_equal(exec(zombie_in_transaction, "BEGIN IMMEDIATE; UPDATE counter SET n = 99"), SQLITE_OK);
    disk_kill(d);
    sqlite3 *db = open_writer("FULL");
    assert_non_null(db);
    assert_int_equal(commit_number(db, 2), SQLITE_OK);
    uint64_t calls = disk_counts(d)->calls;
    uint64_t size = disk_size_bytes(d);
    assert_int_not_equal(exec(zombie_in_transaction, "COMMIT"), SQLITE_OK);
    assert_int_not_equal(commit_number(zombie, 2), SQLITE_OK);
    assert_int_equal(read_i64(zombie, "SELECT n FROM counter"), BROKEN);
    assert_int_not_equal(checkpoint(zombie, SQLITE_CHECKPOINT_TRUNCATE), SQLITE_OK);
    close_all(zombie);
    assert_int_equal(disk_counts(d)->calls, calls);
    assert_int_equal(disk_size_bytes(d), size);
    assert_true(disk_counts(d)->calls_dead > 0);
    assert_int_equal(commit_number(db, 3), SQLITE_OK);
    close_all(zombie_in_transaction);
    assert_int_equal(standing(db), 3);
    disk_cut_power(d);
    close_all(db);
    assert_int_equal(standing_now(), 3);
    disk_free(d);
}

/* Also what SQLite draws for itself, in each life. */
static void random_numbers_of_sqlite_come_from_the_seed(void **state)
{
    (void)state;
    int64_t drawn[3][2];
    for (size_t i = 0; i < ARRAY_LEN(drawn); i++) {
        struct disk *d = disk_new(i < 2 ? 1 : 2);
        for (size_t life = 0; life < ARRAY_LEN(drawn[i]); life++) {
            sqlite3 *db = open_writer("FULL");
            assert_non_null(db);
            drawn[i][life] = read_i64(db, "SELECT random()");
            close_all(db);
            disk_kill(d);
        }
        disk_free(d);
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof(drawn[0]));
    assert_int_not_equal(drawn[0][0], drawn[2][0]);
    assert_int_not_equal(drawn[0][0], drawn[0][1]);
}

/* What SQLite calls now, the owner says. */
static void time_is_what_the_owner_says(void **state)
{
    (void)state;
    struct disk *d = disk_new(10);
    sqlite3 *db = open_with_tables("FULL");
    disk_set_time_ms(d, INT64_C(1767225599000));
    assert_int_equal(read_i64(db, "SELECT strftime('%s', 'now')"), 1767225599);
    disk_set_time_ms(d, INT64_C(1767225600000));
    assert_int_equal(read_i64(db, "SELECT strftime('%Y', 'now')"), 2026);
    close_all(db);
    disk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_survives_power_cuts),
        cmocka_unit_test(without_syncs_a_power_cut_loses_commits),
        cmocka_unit_test(without_syncs_a_kill_loses_nothing),
        cmocka_unit_test(a_process_killed_at_any_call_leaves_a_whole_state),
        cmocka_unit_test(a_power_cut_at_any_call_leaves_a_whole_state),
        cmocka_unit_test(a_life_ends_at_the_call_of_the_kind_asked_for),
        cmocka_unit_test(a_full_disk_refuses_and_takes_again_when_there_is_room),
        cmocka_unit_test(a_lying_disk_loses_the_last_commits_and_nothing_else),
        cmocka_unit_test(the_first_honest_sync_after_lies_keeps_everything),
        cmocka_unit_test(a_failed_sync_is_an_error_and_may_lose_the_commit),
        cmocka_unit_test(each_fault_is_told_and_counted_and_goes_away),
        cmocka_unit_test(random_faults_lose_nothing),
        cmocka_unit_test(one_seed_gives_one_trace),
        cmocka_unit_test(readers_see_their_snapshot_while_the_writer_goes_on),
        cmocka_unit_test(two_writers_of_a_life_exclude_each_other),
        cmocka_unit_test(a_writer_without_wal_waits_for_readers),
        cmocka_unit_test(a_handle_of_an_ended_life_changes_nothing),
        cmocka_unit_test(random_numbers_of_sqlite_come_from_the_seed),
        cmocka_unit_test(time_is_what_the_owner_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
