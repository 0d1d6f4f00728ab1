/* Rows on their way into the kept file, also when it cannot be written for a while. */
#include "test.h"

#include "availability/keeper.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    struct keep *file;
    struct keeper keeper;
    uint64_t seq;
    int64_t now_ms;
    struct rlimit limit;
    void (*handler)(int);
    /* What the file has. */
    struct bus_position kept;
    uint64_t versions[8]; /* of each location */
    size_t rows;
};

static int setup(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    struct err_note note = {""};
    strcpy(x->dir, "/tmp/onhand-keeper-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    assert_int_equal(keep_open(x->dir, 0, &x->file, &note), ERR_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &x->limit), 0);
    x->handler = signal(SIGXFSZ, SIG_IGN);
    x->now_ms = 1000000;
    *state = x;
    return 0;
}

static void set_disk_full(struct fixture *x, bool full)
{
    struct rlimit limit = {.rlim_cur = full ? 0 : x->limit.rlim_cur, .rlim_max = x->limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    set_disk_full(x, false);
    assert_ptr_not_equal(signal(SIGXFSZ, x->handler), SIG_ERR);
    keeper_release(&x->keeper);
    keep_close(x->file);
    static const char *const names[] = {"availability.db", "availability.db-wal", "availability.db-shm"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", x->dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(x->dir), 0);
    mem_free(x);
    return 0;
}

static void add_level(struct fixture *x, size_t location)
{
    char text[8];
    (void)snprintf(text, sizeof(text), "l%zu", location);
    x->seq++;
    struct level_row row = {
        .sku = STR("shoe"), .location_id = str_from(text), .version = x->seq, .seq = x->seq, .time_ms = 5};
    struct bus_message m = {.levels = &row, .levels_len = 1};
    keeper_add(&x->keeper, &m);
}

static void turn(struct fixture *x, int64_t later_ms, bool ends)
{
    x->now_ms += later_ms;
    keeper_turn(&x->keeper, x->file, (struct bus_position){3, x->seq, 1, x->now_ms}, x->now_ms, ends);
}

static void take_kept(void *ctx, struct bus_message *m)
{
    struct fixture *x = ctx;
    for (size_t i = 0; i < m->levels_len; i++) {
        x->versions[m->levels[i].location_id.ptr[1] - '0'] = m->levels[i].version;
    }
    x->rows += m->levels_len;
}

static void look(struct fixture *x)
{
    struct err_note note = {""};
    x->rows = 0;
    assert_int_equal(keep_load(x->file, &x->kept, take_kept, x, &note), ERR_OK);
}

static void rows_are_written_together(void **state)
{
    struct fixture *x = *state;
    add_level(x, 0);
    turn(x, 0, false);
    look(x);
    assert_int_equal(x->kept.seq, 1);
    add_level(x, 1);
    turn(x, KEEPER_MS - 1, false);
    look(x);
    assert_int_equal(x->rows, 1);
    add_level(x, 2);
    turn(x, 1, false);
    look(x);
    assert_int_equal(x->rows, 3);
    assert_int_equal(x->kept.seq, 3);
}

static void many_rows_do_not_wait(void **state)
{
    struct fixture *x = *state;
    turn(x, 0, false);
    add_level(x, 0);
    turn(x, 0, false);
    for (int i = 0; i < KEEPER_ROWS; i++) {
        add_level(x, 1);
    }
    turn(x, 0, false);
    look(x);
    assert_int_equal(x->kept.seq, x->seq);
}

static void what_waits_is_written_at_the_end(void **state)
{
    struct fixture *x = *state;
    add_level(x, 0);
    turn(x, 0, false);
    add_level(x, 1);
    turn(x, 0, true);
    look(x);
    assert_int_equal(x->kept.seq, 2);
}

static void a_disk_that_was_full_for_a_while_costs_nothing(void **state)
{
    struct fixture *x = *state;
    add_level(x, 0);
    turn(x, 0, false);
    set_disk_full(x, true);
    add_level(x, 1);
    turn(x, KEEPER_MS, false);
    assert_true(x->keeper.fails);
    add_level(x, 2);
    turn(x, KEEPER_MS, false);
    set_disk_full(x, false);
    turn(x, KEEPER_RETRY_MS - KEEPER_MS - 1, false);
    assert_true(x->keeper.fails);
    turn(x, 1, false);
    assert_false(x->keeper.fails);
    look(x);
    assert_int_equal(x->rows, 3);
    assert_int_equal(x->kept.seq, 3);
}

/* What was let go is between what the file says and what it has: the next start asks for it. */
static void a_disk_that_was_full_for_long_is_used_again(void **state)
{
    struct fixture *x = *state;
    add_level(x, 0);
    turn(x, 0, false);
    set_disk_full(x, true);
    add_level(x, 1);
    turn(x, KEEPER_MS, false);
    for (int i = 0; i < KEEPER_WAITING_MAX; i++) {
        add_level(x, 2);
    }
    turn(x, 1, false);
    assert_int_equal(collect_rows(&x->keeper.waiting), 0);
    set_disk_full(x, false);
    add_level(x, 3);
    turn(x, KEEPER_RETRY_MS, false);
    assert_false(x->keeper.fails);
    look(x);
    assert_int_equal(x->rows, 2);
    assert_int_equal(x->versions[3], x->seq);
    assert_int_equal(x->kept.seq, 1);
    add_level(x, 4);
    turn(x, KEEPER_MS, false);
    look(x);
    assert_int_equal(x->rows, 3);
    assert_int_equal(x->kept.seq, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_written_together),
        TEST(many_rows_do_not_wait),
        TEST(what_waits_is_written_at_the_end),
        TEST(a_disk_that_was_full_for_a_while_costs_nothing),
        TEST(a_disk_that_was_full_for_long_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
