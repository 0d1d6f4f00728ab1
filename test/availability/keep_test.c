/* The file in which a follower keeps what it has heard. */
#include "test.h"

#include "availability/keep.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bus/collect.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    struct keep *keep;
    struct collect read;
};

static int setup(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    strcpy(x->dir, "/tmp/onhand-keep-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    keep_close(x->keep);
    static const char *const names[] = {"availability.db", "availability.db-wal", "availability.db-shm"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", x->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(x->dir), 0);
    collect_release(&x->read);
    mem_free(x);
    return 0;
}

static void open_again(struct fixture *x, uint32_t partition)
{
    struct err_note note = {""};
    keep_close(x->keep);
    x->keep = NULL;
    assert_int_equal(keep_open(x->dir, partition, &x->keep, &note), ERR_OK);
}

static void read_cb(void *ctx, struct bus_message *m)
{
    struct fixture *x = ctx;
    for (size_t i = 0; i < m->items_len; i++) {
        collect_item(&x->read, &m->items[i]);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        collect_level(&x->read, &m->levels[i]);
    }
}

static enum err load(struct fixture *x, struct bus_position *at)
{
    struct err_note note = {""};
    collect_clear(&x->read);
    return keep_load(x->keep, at, read_cb, x, &note);
}

static void write_level(struct fixture *x, const char *location, uint64_t version, int64_t on_hand)
{
    struct collect c = {.position = {3, 40 + version, 2, 1800000000000LL}};
    struct bus_item item = {.sku = STR("shoe"), .time_ms = 1700000000000LL};
    struct level_row row = {
        .sku = STR("shoe"), .location_id = str_from(location), .version = version, .seq = 40 + version, .time_ms = 5};
    row.quantities.of[QUANTITY_ON_HAND] = on_hand;
    row.quantities.of[QUANTITY_INCOMING] = 7;
    collect_item(&c, &item);
    collect_level(&c, &row);
    assert_int_equal(keep_write(x->keep, collect_message(&c), NULL), ERR_OK);
    collect_release(&c);
}

static void nothing_is_kept_at_first(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    open_again(x, 0);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
    assert_int_equal(at.epoch, 0);
}

static void what_was_written_is_there_after_a_restart(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    open_again(x, 0);
    write_level(x, "leeds", 1, 10);
    write_level(x, "york", 2, 20);
    open_again(x, 0);
    assert_int_equal(load(x, &at), ERR_OK);
    assert_int_equal(at.epoch, 3);
    assert_int_equal(at.seq, 42);
    assert_int_equal(at.items, 2);
    assert_int_equal(x->read.items_len, 1);
    assert_int_equal(x->read.levels_len, 2);
    const struct level_row *row = &x->read.levels[1];
    assert_true(str_equal(row->location_id, STR("york")));
    assert_int_equal(row->quantities.of[QUANTITY_ON_HAND], 20);
    assert_int_equal(row->quantities.of[QUANTITY_INCOMING], 7);
    assert_int_equal(row->version, 2);
    assert_int_equal(row->seq, 42);
}

static void an_older_row_changes_nothing(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    open_again(x, 0);
    write_level(x, "leeds", 5, 50);
    write_level(x, "leeds", 4, 40);
    assert_int_equal(load(x, &at), ERR_OK);
    assert_int_equal(x->read.levels_len, 1);
    assert_int_equal(x->read.levels[0].quantities.of[QUANTITY_ON_HAND], 50);
}

/* What came before the first catalogue was complete: with the next life the store may be another. */
static void rows_without_a_position_are_forgotten(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    struct collect c = {0};
    struct level_row row = {.sku = STR("shoe"), .location_id = STR("left"), .version = 9, .seq = 9, .time_ms = 5};
    open_again(x, 0);
    collect_level(&c, &row);
    assert_int_equal(keep_write(x->keep, collect_message(&c), NULL), ERR_OK);
    collect_release(&c);
    open_again(x, 0);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
    write_level(x, "left", 5, 50);
    assert_int_equal(load(x, &at), ERR_OK);
    assert_int_equal(x->read.levels_len, 1);
    assert_int_equal(x->read.levels[0].version, 5);
}

static void cleared_is_empty(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    open_again(x, 0);
    write_level(x, "leeds", 5, 50);
    assert_int_equal(keep_clear(x->keep, NULL), ERR_OK);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
}

/* Else a node that begins anew would find again what it must forget, as often as it is started. */
static void cleared_is_empty_also_on_a_full_disk(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    struct rlimit before;
    open_again(x, 0);
    write_level(x, "left", 1, 10);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum err e = keep_clear(x->keep, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_ptr_not_equal(signal(SIGXFSZ, handler), SIG_ERR);
    assert_int_equal(e, ERR_IO);
    open_again(x, 0);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
    assert_int_equal(x->read.levels_len, 0);
}

static void another_partition_begins_anew(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    open_again(x, 0);
    write_level(x, "leeds", 5, 50);
    open_again(x, 1);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
}

static void a_damaged_file_begins_anew(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    char path[128];
    open_again(x, 0);
    write_level(x, "leeds", 5, 50);
    keep_close(x->keep);
    x->keep = NULL;
    (void)snprintf(path, sizeof(path), "%s/availability.db", x->dir);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    static const char noise[8192] = {'n', 'o'};
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
    close(fd);
    open_again(x, 0);
    assert_int_equal(load(x, &at), ERR_NOT_FOUND);
    write_level(x, "leeds", 5, 50);
    assert_int_equal(load(x, &at), ERR_OK);
}

/* A bit that fell over in a row, which SQLite itself cannot see: the view would end the process over it, at each start. */
static void a_row_that_cannot_be_is_damage(void **state)
{
    static const char *const rows[] = {
        "UPDATE level SET version = 0",
        "UPDATE level SET version = 1 << 48",
        "UPDATE level SET on_hand = -1",
        "UPDATE level SET sku = ''",
        "UPDATE level SET location = printf('%65c', 'x')",
        "UPDATE item SET defined_ms = -1",
        "UPDATE item SET sku = printf('%65c', 'x')",
        "UPDATE position SET items = -1",
    };
    struct fixture *x = *state;
    struct bus_position at;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/availability.db", x->dir);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        sqlite3 *db = NULL;
        open_again(x, 0);
        write_level(x, "leeds", 5, 50);
        assert_int_equal(load(x, &at), ERR_OK);
        keep_close(x->keep);
        x->keep = NULL;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, rows[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        open_again(x, 0);
        assert_int_equal(load(x, &at), ERR_NOT_FOUND);
    }
}

static void a_file_in_use_is_left_alone(void **state)
{
    struct fixture *x = *state;
    struct bus_position at;
    struct keep *other = NULL;
    struct err_note note = {""};
    open_again(x, 0);
    write_level(x, "leeds", 5, 50);
    assert_int_equal(keep_open(x->dir, 0, &other, &note), ERR_LOCKED);
    assert_non_null(strstr(note.text, "in use"));
    assert_int_equal(load(x, &at), ERR_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_kept_at_first),
        TEST(what_was_written_is_there_after_a_restart),
        TEST(an_older_row_changes_nothing),
        TEST(cleared_is_empty),
        TEST(cleared_is_empty_also_on_a_full_disk),
        TEST(another_partition_begins_anew),
        TEST(a_damaged_file_begins_anew),
        TEST(a_row_that_cannot_be_is_damage),
        TEST(a_file_in_use_is_left_alone),
        TEST(rows_without_a_position_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
