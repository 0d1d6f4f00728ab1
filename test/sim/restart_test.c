/* What a store does about the life before it, on a disk that did not do what it said. */
#include "../store/scene.h"
#include "disk.h"
#include "store/sqlite/sqlite.h"

#include <sqlite3.h>

static struct store *open_store(void)
{
    struct store *s = NULL;
    struct err_note note = {""};
    assert_int_equal(store_sqlite_open("sim", 0, &s, &note), ERR_OK);
    return s;
}

static uint64_t seq_of_next_life(void)
{
    struct store *store = open_store();
    struct scene s;
    scene_begin(&s, store);
    uint64_t seq = s.head.seq;
    scene_end(&s);
    store_free(store);
    return seq;
}

/* The first life: one item with stock, committed. */
static struct store *begin_with_stock(struct scene *s)
{
    struct store *store = open_store();
    scene_begin(s, store);
    scene_item(s, "a", "name");
    scene_location(s, "leeds", 1);
    scene_receive(s, "a", "leeds", 10);
    scene_must_commit(s);
    return store;
}

/*
 * The sync of a commit fails; the process ends, as it must. The kernel still shows what was not written, and takes it
 * for clean. The next life stands on it and commits; then the power goes.
 */
static uint64_t seq_kept_after_failed_sync(uint64_t seed)
{
    struct disk *disk = disk_new(seed);
    struct scene s;
    struct store *first = begin_with_stock(&s);
    disk_faults(disk)->fail_sync_ppm = 1000000;
    scene_receive(&s, "a", "leeds", 1);
    assert_int_equal(scene_commit(&s), ERR_IO);
    disk_clear_faults(disk);
    disk_kill(disk);
    scene_end(&s);
    store_free(first);

    struct store *second = open_store();
    scene_begin(&s, second);
    assert_int_equal(s.head.seq, 2); /* the kernel shows it */
    scene_receive(&s, "a", "leeds", 1);
    scene_must_commit(&s);
    disk_cut_power(disk);
    scene_end(&s);
    store_free(second);
    uint64_t kept = seq_of_next_life();
    disk_free(disk);
    return kept;
}

static void what_is_committed_on_a_failed_sync_survives_a_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        assert_int_equal(seq_kept_after_failed_sync(seed), 3);
    }
}

/*
 * As above, but the next start fails as well. It must leave the log as it is: moved into the database, with its removal
 * lost to the power cut, the part of it that the disk has would be laid over pages that are newer.
 */
static bool start_fails_after_failed_sync(uint64_t seed)
{
    struct disk *disk = disk_new(seed);
    struct scene s;
    struct store *store = begin_with_stock(&s);
    scene_end(&s);
    store_free(store);

    store = open_store();
    scene_begin(&s, store);
    scene_receive(&s, "a", "leeds", 1);
    scene_must_commit(&s);
    disk_faults(disk)->fail_sync_ppm = 1000000;
    scene_item(&s, "b", "name");
    scene_receive(&s, "b", "leeds", 1);
    assert_int_equal(scene_commit(&s), ERR_IO);
    disk_kill(disk);
    scene_end(&s);
    store_free(store);

    disk_faults(disk)->fail_sync_ppm = seed % 2 == 0 ? 500000 : 0;
    disk_faults(disk)->fail_read_ppm = seed % 2 == 0 ? 0 : 50000;
    bool fails = store_sqlite_open("sim", 0, &store, NULL) != ERR_OK;
    if (!fails) {
        store_free(store);
    }
    disk_clear_faults(disk);
    disk_cut_power(disk);
    store = open_store();
    scene_begin(&s, store);
    assert_int_equal(ledger_counts(s.ledger).items, s.head.seq == 2 ? 1 : 2);
    scene_end(&s);
    store_free(store);
    disk_free(disk);
    return fails;
}

static void a_failed_start_mixes_no_old_pages_with_new_ones(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        failed += start_fails_after_failed_sync(seed);
    }
    assert_in_range(failed, 40, 360);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_on_a_failed_sync_survives_a_power_cut),
        cmocka_unit_test(a_failed_start_mixes_no_old_pages_with_new_ones),
    };
    return cmocka_run_group_tests_name("sim/restart", tests, NULL, NULL);
}
