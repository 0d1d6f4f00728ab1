/* What only the embedded store promises: its files, its lock, its schema, and what a crash or a full disk leaves. */
#include "base/mem.h"
#include "place.h"
#include "scene.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    struct place *p = mem_new(sizeof(*p));
    place_make(p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    (void)umount2(p->root, MNT_DETACH); /* the one test with a mount; in the others it does nothing */
    place_remove(p);
    mem_free(*state);
    return 0;
}

static struct store *open_store(const struct place *p)
{
    struct store *s = NULL;
    struct err_note note = {""};
    if (store_sqlite_open(p->dir, 0, &s, &note) != ERR_OK) {
        fail_msg("cannot open: %s", note.text);
    }
    return s;
}

static void assert_refused(const struct place *p, enum err expected, const char *words)
{
    struct store *s = NULL;
    struct err_note note = {""};
    assert_int_equal(store_sqlite_open(p->dir, 0, &s, &note), expected);
    assert_null(s);
    if (strstr(note.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", note.text, words);
    }
}

/* One column of one row. */
static int64_t query(const struct place *p, const char *sql)
{
    sqlite3 *db = NULL;
    int64_t v = -1;
    struct err_note note = {""};
    assert_int_equal(database_open(p->file, DATABASE_READ, &db, &note), ERR_OK);
    if (database_read_i64(db, sql, &v, &note) != ERR_OK) {
        fail_msg("%s: %s", sql, note.text);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return v;
}

static void begin_shop(struct scene *s, struct store *store)
{
    scene_begin(s, store);
    scene_location(s, "w1", 1);
    scene_item(s, "a", "Ay");
    scene_receive(s, "a", "w1", 1000000);
    scene_must_commit(s);
}

static off_t file_size(const struct place *p, const char *suffix)
{
    char path[PATH_MAX + 8];
    struct stat st;
    snprintf(path, sizeof(path), "%s%s", p->file, suffix);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void the_data_directory_is_made_for_its_owner_only(void **state)
{
    struct place *p = *state;
    struct stat st;
    struct store *s = open_store(p);
    assert_int_equal(stat(p->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    store_free(s);
}

static void a_closed_store_is_one_file(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    assert_true(file_size(p, "-wal") > 0);
    scene_end(&s);
    store_free(store);
    assert_int_equal(file_size(p, "-wal"), -1);
    assert_int_equal(file_size(p, "-shm"), -1);
    assert_int_equal(query(p, "SELECT on_hand FROM levels WHERE sku = 'a' AND location = 'w1'"), 1000000);
}

static void a_second_open_is_refused_and_names_the_process(void **state)
{
    struct place *p = *state;
    char words[64];
    snprintf(words, sizeof(words), "process %ld", (long)getpid());
    struct store *volatile s = open_store(p); /* in memory, where a search for leaks in the child finds it */
    assert_refused(p, ERR_LOCKED, words);
    pid_t child = fork();
    if (child == 0) {
        struct store *t = NULL;
        _exit(store_sqlite_open(p->dir, 0, &t, NULL) == ERR_LOCKED ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store_free(s);
    store_free(open_store(p));
}

static void a_path_that_is_no_directory_is_refused(void **state)
{
    struct place *p = *state;
    FILE *f = fopen(p->dir, "w");
    assert_non_null(f);
    fclose(f);
    assert_refused(p, ERR_IO, "is not a directory");
    snprintf(p->dir, sizeof(p->dir), "%s/missing/data", p->root);
    assert_refused(p, ERR_IO, "No such file");
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    store_free(open_store(p));
    assert_int_equal(place_sql(p, "PRAGMA user_version = 99"), SQLITE_OK);
    assert_refused(p, ERR_SCHEMA, "schema 99");
    assert_int_equal(query(p, "PRAGMA user_version"), 99);
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", schema_migrations_len);
    assert_int_equal(place_sql(p, sql), SQLITE_OK);
    store_free(open_store(p));
}

static void a_foreign_database_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdir(p->dir, 0700), 0);
    assert_int_equal(place_sql(p, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (5)"), SQLITE_OK);
    assert_refused(p, ERR_SCHEMA, "not made by onhand");
    assert_int_equal(query(p, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(place_sql(p, "DROP TABLE theirs; PRAGMA application_id = 12345"), SQLITE_OK);
    assert_refused(p, ERR_SCHEMA, "not made by onhand");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdir(p->dir, 0700), 0);
    FILE *f = fopen(p->file, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        fputs("not a database ", f);
    }
    fclose(f);
    assert_refused(p, ERR_SCHEMA, "not a database");
}

static void another_partition_is_refused(void **state)
{
    struct place *p = *state;
    struct store *s = NULL;
    assert_int_equal(store_sqlite_open(p->dir, 3, &s, NULL), ERR_OK);
    store_free(s);
    assert_refused(p, ERR_CONFIG, "partition 0");
}

static void the_schema_is_at_the_newest_migration(void **state)
{
    struct place *p = *state;
    store_free(open_store(p));
    assert_true(schema_migrations_len >= 1);
    for (int i = 0; i < schema_migrations_len; i++) {
        assert_int_equal(schema_migrations[i].number, i + 1);
        assert_true(strlen(schema_migrations[i].sql) > 100);
    }
    assert_int_equal(query(p, "PRAGMA user_version"), schema_migrations_len);
    assert_int_equal(query(p, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
    assert_int_equal(
        query(
            p,
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND name NOT LIKE 'sqlite%' AND NOT strict"),
        0);
}

static void people_can_read_the_views(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    struct uuid id = scene_reserve(&s, "order", "a", 3, NULL, 0);
    scene_move(&s, COMMAND_COMMIT, id);
    scene_must_commit(&s);
    assert_int_equal(
        query(
            p,
            "SELECT count(*) FROM movements WHERE sku = 'a' AND location = 'w1' "
            "AND kind IN ('receive', 'reserve', 'commit')"),
        3);
    assert_int_equal(query(p, "SELECT available FROM levels"), 999997);
    char text[UUID_TEXT_LEN + 1] = "";
    char sql[256];
    uuid_to_text(id, text);
    snprintf(
        sql, sizeof(sql),
        "SELECT quantity FROM reservations WHERE id = '%s' AND state = 'committed' AND reference = 'order' "
        "AND created = '2023-11-14T22:13:20.000Z'",
        text);
    assert_int_equal(query(p, sql), 3);
    scene_end(&s);
    store_free(store);
}

/* The names of kinds and states are said again in the views. */
static void the_views_name_every_kind_and_state(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    char sql[512];
    for (int kind = 1; kind < MOVEMENT_KIND_END; kind++) {
        struct str name = movement_kind_name((enum movement_kind)kind);
        snprintf(
            sql, sizeof(sql), "SELECT sql LIKE '%%WHEN %d THEN ''%.*s''%%' FROM sqlite_schema WHERE name = 'movements'",
            kind, STR_ARG(name));
        assert_int_equal(query(p, sql), 1);
    }
    for (int at = 1; at < RESERVATION_STATE_END; at++) {
        struct str name = reservation_state_name((enum reservation_state)at);
        snprintf(
            sql, sizeof(sql),
            "SELECT sql LIKE '%%WHEN %d THEN ''%.*s''%%' FROM sqlite_schema WHERE name = 'reservations'", at,
            STR_ARG(name));
        assert_int_equal(query(p, sql), 1);
    }
    store_free(store);
}

static void the_tables_refuse_what_breaks_an_invariant(void **state)
{
    static const char *const statements[] = {
        "UPDATE level SET on_hand = -1",
        "UPDATE level SET reserved = 1000000000001",
        "UPDATE level SET version = 0",
        "UPDATE level SET seq = 0",
        "UPDATE level SET on_hand = 'many'",
        "UPDATE level SET on_hand = NULL",
        "UPDATE movement SET kind = 13 WHERE seq = 1",
        "UPDATE movement SET version = 0 WHERE seq = 1",
        "UPDATE movement SET on_hand = -1, on_hand_delta = -1 WHERE seq = 1",
        "UPDATE movement SET on_hand_delta = 5 WHERE seq = 1",
        "UPDATE movement SET on_hand_delta = 1000002 WHERE seq = 2",
        "UPDATE movement SET reserved = 1000001 WHERE seq = 2",
        "UPDATE movement SET reservation = NULL WHERE seq = 2",
        "UPDATE movement SET reservation = 1 WHERE seq = 1",
        "UPDATE movement SET reservation = 9 WHERE seq = 2",
        "UPDATE reservation SET state = 0",
        "UPDATE reservation SET state = 8",
        "UPDATE reservation SET id = x'0102'",
        "UPDATE reservation SET lines = 0",
        "UPDATE reservation SET expires_ms = created_ms - 1",
        "UPDATE reservation_line SET quantity = 0",
        "UPDATE reservation_line SET fulfilled = quantity + 1",
        "UPDATE reservation_line SET returned = 1",
        "UPDATE idempotency SET status = 99",
        "UPDATE idempotency SET fingerprint = x'00'",
        "UPDATE idempotency SET key = ''",
        "UPDATE partition SET seq = -1",
        "INSERT INTO item SELECT 7, partition, sku, name, attributes, defined_ms FROM item",
        "UPDATE location SET priority = -1",
    };
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    (void)scene_reserve(&s, "order", "a", 3, NULL, 0);
    scene_key(&s, "reserve", "k", 201, "{}");
    scene_must_commit(&s);
    scene_end(&s);
    store_free(store);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(p->file, &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        if (sqlite3_exec(db, statements[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT) {
            fail_msg("taken: %s (%s)", statements[i], sqlite3_errmsg(db));
        }
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A batch that the ledger cannot have made. */
static void commit_oversold(struct store *store, uint64_t epoch)
{
    struct movement m = {
        .seq = 2,
        .time_ms = 1700000000000,
        .kind = MOVEMENT_RESERVE,
        .item = 1,
        .location = 1,
        .delta = {{0, 1000001}},
        .after = {{1000000, 1000001}},
        .version = 2,
        .reservation = 2};
    struct level_change level = {.movement = 0};
    struct changes c = {.sealed = true, .movements = &m, .movements_len = 1, .levels = &level, .levels_len = 1};
    struct batch b = {.epoch = epoch, .seq_before = 1, .seq_after = 2, .time_ms = m.time_ms, .changes = &c};
    (void)!freopen("/dev/null", "w", stderr);
    (void)!store_commit(store, &b, NULL);
}

static void a_broken_invariant_stops_the_process(void **state)
{
    struct place *p = *state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        struct store *store = open_store(p);
        struct scene s;
        begin_shop(&s, store);
        signal(SIGABRT, SIG_DFL);
        commit_oversold(store, s.head.epoch);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    store_free(open_store(p));
    assert_int_equal(query(p, "SELECT seq FROM partition"), 1);
}

static void the_log_stays_short_under_steady_trade(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct store_reader *idle = NULL;
    assert_int_equal(store_reader_open(store, &idle, NULL), ERR_OK);
    struct scene s;
    begin_shop(&s, store);
    off_t most = 0;
    for (int i = 0; i < 700; i++) {
        for (int n = 0; n < 300; n++) {
            scene_receive(&s, "a", "w1", 1);
        }
        scene_must_commit(&s);
        off_t size = file_size(p, "-wal");
        most = size > most ? size : most;
    }
    assert_in_range(most, 2 * 1024 * 1024, 6 * 1024 * 1024);
    assert_true(file_size(p, "") > 1024 * 1024);
    store_reader_free(idle);
    scene_end(&s);
    store_free(store);
}

/*
 * Failures of the disk.
 */

static void a_write_that_fails_is_in_doubt_and_final(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    struct rlimit was;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    struct rlimit tight = {(rlim_t)file_size(p, "-wal") + 4096, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (int n = 0; n < 1000; n++) {
        scene_receive(&s, "a", "w1", 1);
    }
    enum err first = scene_commit(&s);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(first, ERR_IO);
    struct changes none = {.sealed = true};
    struct batch b = {.epoch = s.head.epoch, .seq_before = 1, .seq_after = 1, .time_ms = s.now_ms, .changes = &none};
    struct err_note note = {""};
    assert_int_equal(store_commit(store, &b, &note), ERR_IO);
    assert_non_null(strstr(note.text, "earlier write"));
    scene_end(&s);
    store_free(store);
    struct scene t;
    store = open_store(p);
    scene_begin(&t, store);
    assert_int_equal(t.head.seq, 1);
    scene_receive(&t, "a", "w1", 5);
    scene_must_commit(&t);
    scene_end(&t);
    store_free(store);
}

static void fill(const char *path)
{
    static const char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0) {
    }
    close(fd);
}

static void trade_until_full(struct scene *s, int *out_stored)
{
    enum err e = ERR_OK;
    for (*out_stored = 0; e == ERR_OK; *out_stored += e == ERR_OK) {
        assert_true(*out_stored < 10000);
        for (int n = 0; n < 50; n++) {
            scene_receive(s, "a", "w1", 1);
        }
        e = scene_commit(s);
    }
    assert_int_equal(e, ERR_STORE_FULL);
}

static void assert_full_disk_is_survived(struct place *p)
{
    char ballast[PATH_MAX];
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    snprintf(ballast, sizeof(ballast), "%s/ballast", p->root);
    fill(ballast);
    int stored = 0;
    trade_until_full(&s, &stored);
    assert_int_equal(query(p, "SELECT seq FROM partition"), 1 + 50 * stored);
    assert_int_equal(scene_commit(&s), ERR_STORE_FULL);
    assert_int_equal(unlink(ballast), 0);
    scene_must_commit(&s);
    assert_int_equal(query(p, "SELECT count(*) FROM movement"), 1 + 50 * (stored + 1));
    assert_int_equal(query(p, "SELECT on_hand FROM levels"), 1000000 + 50 * (stored + 1));
    scene_end(&s);
    store_free(store);
}

static void a_full_disk_undoes_the_batch_and_room_lets_it_pass(void **state)
{
    struct place *p = *state;
    if (mount("tmpfs", p->root, "tmpfs", 0, "size=4m,mode=0700") != 0) {
        print_message("skipped: a small tmpfs for a full disk can only be mounted by root\n");
        skip();
    }
    assert_full_disk_is_survived(p);
}

/* Commits without end, and says each seq that is durable. */
static void trade_until_killed(const struct place *p, int pipe_fd)
{
    struct store *store = open_store(p);
    struct scene s;
    scene_begin(&s, store);
    if (s.head.seq == 0) {
        scene_location(&s, "w1", 1);
        scene_item(&s, "a", "Ay");
    }
    for (;;) {
        for (int n = 0; n < 20; n++) {
            scene_receive(&s, "a", "w1", 1);
        }
        scene_must_commit(&s);
        uint64_t seq = s.head.seq;
        if (write(pipe_fd, &seq, sizeof(seq)) != sizeof(seq)) {
            _exit(1);
        }
    }
}

/* Kills a trading process after `reports` commits; the last seq that it reported. */
static uint64_t kill_a_trader(const struct place *p, int reports)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        trade_until_killed(p, fds[1]);
    }
    close(fds[1]);
    uint64_t seq = 0;
    for (int i = 0; i < reports; i++) {
        assert_int_equal(read(fds[0], &seq, sizeof(seq)), sizeof(seq));
    }
    kill(child, SIGKILL);
    uint64_t later = 0;
    while (read(fds[0], &later, sizeof(later)) == sizeof(later)) {
        seq = later;
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(fds[0]);
    return seq;
}

static void everything_reported_survives_a_kill(void **state)
{
    struct place *p = *state;
    uint64_t epoch = 0;
    for (int round = 0; round < 8; round++) {
        uint64_t reported = kill_a_trader(p, 1 + round * 7);
        struct store *store = open_store(p);
        struct scene s;
        scene_begin(&s, store);
        assert_true(s.head.seq >= reported);
        assert_int_equal(s.head.seq % 20, 0);
        assert_true(s.head.epoch > epoch);
        epoch = s.head.epoch;
        assert_int_equal(query(p, "SELECT count(*) FROM movement"), s.head.seq);
        assert_int_equal(query(p, "SELECT on_hand FROM levels"), s.head.seq);
        scene_end(&s);
        store_free(store);
    }
}

/* Sold here and there, so that levels are behind at every distance. */
#define SWEPT_SKUS 30
#define SWEEP_LENGTH 40

static const char *swept_sku(int i)
{
    static char sku[8];
    snprintf(sku, sizeof(sku), "s%d", i);
    return sku;
}

static void begin_wide_shop(struct scene *s, struct store *store)
{
    scene_begin(s, store);
    scene_location(s, "w1", 1);
    for (int i = 0; i < SWEPT_SKUS; i++) {
        scene_item(s, swept_sku(i), "Thing");
        scene_receive(s, swept_sku(i), "w1", 1);
    }
    scene_must_commit(s);
}

static bool keep_level(void *ctx, const struct level_row *row)
{
    *(struct level_row *)ctx = *row; /* its strings are not looked at */
    return true;
}

struct wide {
    struct level_row levels[SWEPT_SKUS];
    size_t len;
};

static void keep_next(void *ctx, const struct level_row *row)
{
    struct wide *w = ctx;
    assert_true(w->len < SWEPT_SKUS);
    w->levels[w->len++] = *row;
}

/* What a reader says of each level is what the ledger has. */
static void assert_reads_are_current(const struct scene *s, struct store_reader *reader)
{
    struct wide wide = {.len = 0};
    ledger_each_level(s->ledger, keep_next, &wide);
    assert_int_equal(wide.len, SWEPT_SKUS);
    for (int i = 0; i < SWEPT_SKUS; i++) {
        struct level_row one = {0};
        struct level_row listed = {0};
        struct str sku = str_from(swept_sku(i));
        assert_int_equal(reader->ops->level(reader, sku, STR("w1"), keep_level, &one), ERR_OK);
        assert_int_equal(reader->ops->levels(reader, sku, keep_level, &listed), ERR_OK);
        assert_memory_equal(&one.quantities, &wide.levels[i].quantities, sizeof(one.quantities));
        assert_memory_equal(&listed.quantities, &one.quantities, sizeof(one.quantities));
        assert_int_equal(one.version, wide.levels[i].version);
        assert_int_equal(one.seq, wide.levels[i].seq);
        assert_int_equal(one.time_ms, wide.levels[i].time_ms);
        assert_int_equal(listed.seq, one.seq);
    }
}

#define BEHIND "SELECT count(*) FROM level v WHERE seq <> (SELECT max(seq) FROM movement m WHERE m.item = v.item)"
#define BEHIND_THE_MARK                                                                                 \
    "SELECT count(*) FROM level v, partition p WHERE v.seq < (SELECT max(m.seq) FROM movement m WHERE " \
    "m.item = v.item AND m.seq <= p.levels_seq)"

static void rows_of_levels_follow_in_their_order(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct store_reader *reader = NULL;
    struct scene s;
    struct err_note note;
    begin_wide_shop(&s, store);
    store_sqlite_from(store)->sweep.length = SWEEP_LENGTH;
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    int64_t most_behind = 0;
    for (int round = 0; round < 200; round++) {
        for (int n = 0; n < 1 + round % 5; n++) {
            scene_receive(&s, swept_sku((round * 7 + n * 11) % SWEPT_SKUS), "w1", 1);
        }
        scene_must_commit(&s);
        assert_reads_are_current(&s, reader);
        int64_t behind = query(p, BEHIND);
        most_behind = behind > most_behind ? behind : most_behind;
        assert_int_equal(query(p, BEHIND_THE_MARK), 0);
        assert_true(query(p, "SELECT seq - levels_seq FROM partition") <= 2 * SWEEP_LENGTH + 10);
        assert_int_equal(query(p, "SELECT sum(on_hand) FROM levels"), s.head.seq);
    }
    assert_true(most_behind > SWEPT_SKUS / 2);
    store_reader_free(reader);
    scene_end(&s);
    store_free(store);
    assert_int_equal(query(p, BEHIND), 0);
    assert_int_equal(query(p, "SELECT seq - levels_seq FROM partition"), 0);
}

/* As a kill leaves it: nothing is brought up to date at the end. */
static void levels_that_were_behind_are_found_again(void **state)
{
    struct place *p = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct scene s;
        struct store *store = open_store(p);
        begin_wide_shop(&s, store);
        store_sqlite_from(store)->sweep.length = SWEEP_LENGTH;
        for (int n = 0; n < 70; n++) {
            scene_receive(&s, swept_sku(n * 7 % SWEPT_SKUS), "w1", 1 + n);
            scene_must_commit(&s);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(query(p, BEHIND) > 0);
    struct store *store = open_store(p);
    struct store_reader *reader = NULL;
    struct scene s;
    struct err_note note;
    scene_begin(&s, store);
    assert_int_equal(store_reader_open(store, &reader, &note), ERR_OK);
    assert_reads_are_current(&s, reader);
    assert_int_equal(query(p, "SELECT sum(on_hand) FROM levels"), SWEPT_SKUS + 70 * 71 / 2);
    scene_receive(&s, swept_sku(3), "w1", 5);
    scene_must_commit(&s);
    assert_reads_are_current(&s, reader);
    store_reader_free(reader);
    scene_end(&s);
    store_free(store);
    assert_int_equal(query(p, BEHIND), 0);
}

static void who_lost_the_store_leaves_its_rows_alone(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    scene_receive(&s, "a", "w1", 1);
    scene_must_commit(&s);
    assert_int_equal(place_sql(p, "UPDATE partition SET epoch = epoch + 1"), SQLITE_OK);
    scene_end(&s);
    store_free(store);
    assert_int_equal(query(p, BEHIND), 1);
    assert_int_equal(query(p, "SELECT on_hand FROM levels"), 1000001);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_data_directory_is_made_for_its_owner_only),
        TEST(a_closed_store_is_one_file),
        TEST(a_second_open_is_refused_and_names_the_process),
        TEST(a_path_that_is_no_directory_is_refused),
        TEST(a_newer_schema_is_refused_and_left_alone),
        TEST(a_foreign_database_is_refused_and_left_alone),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(another_partition_is_refused),
        TEST(the_schema_is_at_the_newest_migration),
        TEST(people_can_read_the_views),
        TEST(the_views_name_every_kind_and_state),
        TEST(the_tables_refuse_what_breaks_an_invariant),
        TEST(a_broken_invariant_stops_the_process),
        TEST(the_log_stays_short_under_steady_trade),
        TEST(a_write_that_fails_is_in_doubt_and_final),
        TEST(a_full_disk_undoes_the_batch_and_room_lets_it_pass),
        TEST(everything_reported_survives_a_kill),
        TEST(rows_of_levels_follow_in_their_order),
        TEST(levels_that_were_behind_are_found_again),
        TEST(who_lost_the_store_leaves_its_rows_alone),
    };
    return cmocka_run_group_tests_name("store: sqlite", tests, NULL, NULL);
}
