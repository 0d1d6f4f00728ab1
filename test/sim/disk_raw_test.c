/* The simulated disk without SQLite around it: which bytes and names are there after what. */
#include "test.h"

#include "disk.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <string.h>

#define PATH "/nowhere/at/all/raw"
#define RAW_SECTORS 16
#define RAW_BYTES (RAW_SECTORS * DISK_SECTOR_BYTES)

static sqlite3_file *raw_open(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *file = mem_new((size_t)vfs->szOsFile);
    int flags = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(vfs->xOpen(vfs, PATH, file, flags, NULL), SQLITE_OK);
    return file;
}

static void raw_close(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    mem_free(file);
}

static int raw_fill(sqlite3_file *file, char with)
{
    char bytes[RAW_BYTES];
    memset(bytes, with, sizeof(bytes));
    return file->pMethods->xWrite(file, bytes, sizeof(bytes), 0);
}

/* Which sectors hold `with` from the first to the last byte; the others hold `before` all over. */
static unsigned raw_sectors(sqlite3_file *file, char with, char before)
{
    char bytes[RAW_BYTES];
    assert_int_equal(file->pMethods->xRead(file, bytes, sizeof(bytes), 0), SQLITE_OK);
    unsigned sectors = 0;
    for (size_t i = 0; i < RAW_BYTES; i++) {
        char first = bytes[i - i % DISK_SECTOR_BYTES];
        assert_true(bytes[i] == first && (first == with || first == before));
        sectors |= first == with ? 1U << (i / DISK_SECTOR_BYTES) : 0;
    }
    return sectors;
}

static bool is_prefix(unsigned sectors)
{
    return (sectors & (sectors + 1)) == 0;
}

#define RAW_ALL ((1U << RAW_SECTORS) - 1)

static sqlite3_file *raw_open_filled(void)
{
    sqlite3_file *file = raw_open();
    assert_int_equal(raw_fill(file, 'a'), SQLITE_OK);
    assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    return file;
}

static void a_power_cut_takes_sectors_anywhere_in_a_write(void **state)
{
    (void)state;
    int all = 0;
    int none = 0;
    int reordered = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct disk *d = disk_new(seed);
        sqlite3_file *old = raw_open_filled();
        assert_int_equal(raw_fill(old, 'b'), SQLITE_OK);
        assert_int_equal(raw_sectors(old, 'b', 'a'), RAW_ALL);
        disk_cut_power(d);
        sqlite3_file *file = raw_open();
        unsigned kept = raw_sectors(file, 'b', 'a');
        assert_int_equal(disk_counts(d)->sectors_lost, RAW_SECTORS - __builtin_popcount(kept));
        all += kept == RAW_ALL;
        none += kept == 0;
        reordered += !is_prefix(kept);
        raw_close(file);
        raw_close(old);
        disk_free(d);
    }
    assert_true(all > 0 && none > 0 && reordered > 0);
}

static void a_process_that_dies_in_a_write_leaves_its_first_sectors(void **state)
{
    (void)state;
    int partly = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct disk *d = disk_new(seed);
        sqlite3_file *old = raw_open_filled();
        disk_die_at(d, 1, DISK_WRITE);
        assert_int_equal(raw_fill(old, 'b'), SQLITE_IOERR_WRITE);
        disk_kill(d);
        sqlite3_file *file = raw_open();
        unsigned kept = raw_sectors(file, 'b', 'a');
        assert_true(is_prefix(kept));
        bool part = kept != 0 && kept != RAW_ALL;
        assert_int_equal(disk_counts(d)->deaths_in_write, part);
        partly += part;
        raw_close(file);
        raw_close(old);
        disk_free(d);
    }
    assert_in_range(partly, 50, 100);
}

/* The kernel takes it for clean: a later sync says yes and brings nothing back, unless it was written again. */
static void what_a_failed_sync_left_is_lost_unless_written_again(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        bool again = seed % 2 == 0;
        struct disk *d = disk_new(seed);
        sqlite3_file *old = raw_open_filled();
        assert_int_equal(raw_fill(old, 'b'), SQLITE_OK);
        disk_faults(d)->fail_sync_ppm = 1000000;
        assert_int_equal(old->pMethods->xSync(old, SQLITE_SYNC_NORMAL), SQLITE_IOERR_FSYNC);
        disk_clear_faults(d);
        assert_int_equal(again ? raw_fill(old, 'b') : SQLITE_OK, SQLITE_OK);
        assert_int_equal(old->pMethods->xSync(old, SQLITE_SYNC_NORMAL), SQLITE_OK);
        assert_int_equal(raw_sectors(old, 'b', 'a'), RAW_ALL);
        disk_cut_power(d);
        sqlite3_file *file = raw_open();
        bool whole = raw_sectors(file, 'b', 'a') == RAW_ALL;
        assert_true(whole || !again);
        lost += !whole;
        raw_close(file);
        raw_close(old);
        disk_free(d);
    }
    assert_in_range(lost, 10, 20);
}

static void an_empty_file_does_not_exist_for_sqlite(void **state)
{
    (void)state;
    struct disk *d = disk_new(12);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *file = raw_open();
    int there = 1;
    assert_int_equal(vfs->xAccess(vfs, PATH, SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    assert_int_equal(there, 0);
    assert_int_equal(raw_fill(file, 'a'), SQLITE_OK);
    assert_int_equal(vfs->xAccess(vfs, PATH, SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    assert_int_equal(there, 1);
    raw_close(file);
    disk_free(d);
}

static void a_failed_delete_leaves_the_file(void **state)
{
    (void)state;
    struct disk *d = disk_new(6);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    raw_close(raw_open_filled());
    disk_faults(d)->fail_delete_ppm = 1000000;
    assert_int_equal(vfs->xDelete(vfs, PATH, 1), SQLITE_IOERR_DELETE);
    assert_int_equal(disk_counts(d)->deletes_failed, 1);
    assert_int_equal(disk_size_bytes(d), RAW_BYTES);
    disk_clear_faults(d);
    assert_int_equal(vfs->xDelete(vfs, PATH, 1), SQLITE_OK);
    assert_int_equal(vfs->xDelete(vfs, PATH, 1), SQLITE_IOERR_DELETE_NOENT);
    assert_int_equal(disk_size_bytes(d), 0);
    disk_free(d);
}

/* As on a real disk: the name goes at once, the bytes with the last handle. */
static void a_deleted_file_lives_on_in_its_handles(void **state)
{
    (void)state;
    struct disk *d = disk_new(13);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *old = raw_open_filled();
    assert_int_equal(vfs->xDelete(vfs, PATH, 1), SQLITE_OK);
    sqlite3_file *file = raw_open();
    assert_int_equal(raw_fill(file, 'b'), SQLITE_OK);
    assert_int_equal(raw_sectors(old, 'a', 'b'), RAW_ALL);
    assert_int_equal(disk_size_bytes(d), 2 * RAW_BYTES);
    raw_close(old);
    assert_int_equal(disk_size_bytes(d), RAW_BYTES);
    raw_close(file);
    disk_free(d);
}

/* Only a delete that asked to be durable is sure. */
static void a_delete_may_come_undone(void **state)
{
    (void)state;
    uint64_t undone[2] = {0, 0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        int durable = seed % 2 == 0;
        struct disk *d = disk_new(seed);
        sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
        raw_close(raw_open_filled());
        assert_int_equal(vfs->xDelete(vfs, PATH, durable), SQLITE_OK);
        disk_cut_power(d);
        uint64_t size = disk_size_bytes(d);
        assert_true(size == 0 || size == RAW_BYTES);
        assert_int_equal(disk_counts(d)->deletes_undone, size != 0);
        undone[durable] += size != 0;
        disk_free(d);
    }
    assert_in_range(undone[0], 10, 49);
    assert_int_equal(undone[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_takes_sectors_anywhere_in_a_write),
        cmocka_unit_test(a_process_that_dies_in_a_write_leaves_its_first_sectors),
        cmocka_unit_test(what_a_failed_sync_left_is_lost_unless_written_again),
        cmocka_unit_test(an_empty_file_does_not_exist_for_sqlite),
        cmocka_unit_test(a_failed_delete_leaves_the_file),
        cmocka_unit_test(a_deleted_file_lives_on_in_its_handles),
        cmocka_unit_test(a_delete_may_come_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
