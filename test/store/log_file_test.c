#include "store/sqlite/log_file.h"

#include "base/mem.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL)

static char database[64];
static char path[80];

/* The log of a database, whose mode it takes over. */
static int make_path(void **state)
{
    (void)state;
    strcpy(database, "/tmp/onhand-log-test-XXXXXX");
    int fd = mkstemp(database);
    snprintf(path, sizeof(path), "%s-wal", database);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path) | unlink(database);
}

static sqlite3_file *open_log(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(log_file_vfs());
    assert_non_null(vfs);
    sqlite3_file *file = mem_new((size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, path, file, FLAGS, NULL), SQLITE_OK);
    return file;
}

static void close_log(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    mem_free(file);
}

static void put(sqlite3_file *file, const char *text, sqlite3_int64 at)
{
    assert_int_equal(file->pMethods->xWrite(file, text, (int)strlen(text), at), SQLITE_OK);
}

/* What the kernel has of it. */
static void assert_file_is(const char *text)
{
    char bytes[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, bytes, sizeof(bytes) - 1);
    close(fd);
    assert_true(len >= 0);
    bytes[len] = '\0';
    assert_string_equal(bytes, text);
}

static void writes_in_a_row_leave_with_the_sync(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    put(file, "one ", 0);
    put(file, "two ", 4);
    put(file, "three", 8);
    assert_file_is("");
    assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_file_is("one two three");
    close_log(file);
}

static void a_write_elsewhere_is_not_put_together(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    put(file, "one two", 0);
    put(file, "ONE", 0);
    assert_file_is("one two");
    put(file, "!", 7);
    assert_file_is("ONE two");
    close_log(file);
    assert_file_is("ONE two!");
}

static void whatever_is_asked_sees_what_is_held(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    char bytes[4] = "";
    sqlite3_int64 size = 0;
    put(file, "abc", 0);
    assert_int_equal(file->pMethods->xRead(file, bytes, 3, 0), SQLITE_OK);
    assert_string_equal(bytes, "abc");
    put(file, "def", 3);
    assert_int_equal(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    assert_int_equal(size, 6);
    put(file, "ghi", 6);
    assert_int_equal(file->pMethods->xTruncate(file, 7), SQLITE_OK);
    close_log(file);
    assert_file_is("abcdefg");
}

static void what_is_too_much_leaves_in_pieces(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    static char page[4096];
    memset(page, 'x', sizeof(page));
    int pages = 3 * LOG_FILE_PIECE_BYTES_MAX / (int)sizeof(page);
    for (int i = 0; i < pages; i++) {
        assert_int_equal(file->pMethods->xWrite(file, page, sizeof(page), i * (int)sizeof(page)), SQLITE_OK);
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2 * LOG_FILE_PIECE_BYTES_MAX);
    close_log(file);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 3 * LOG_FILE_PIECE_BYTES_MAX);
}

/* As a disk that is full, and then is not. */
static void what_could_not_be_written_is_said_and_forgotten(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    sqlite3_file *file = open_log();
    put(file, "0123456789", 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 4, .rlim_max = limit.rlim_max}), 0);
    assert_int_not_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_file_is("0123");
    put(file, "abc", 0);
    assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_file_is("abc3");
    close_log(file);
    signal(SIGXFSZ, SIG_DFL);
}

static void assert_reads(sqlite3_file *file, int len, sqlite3_int64 at, const char *text)
{
    char bytes[16] = "";
    assert_int_equal(file->pMethods->xRead(file, bytes, len, at), SQLITE_OK);
    assert_string_equal(bytes, text);
}

static void what_was_read_ahead_is_not_read_again(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    put(file, "one two three", 0);
    log_file_read_ahead(file, 7);
    assert_reads(file, 3, 0, "one");
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "ONE TWO THREE", 13, 0), 13);
    close(fd);
    assert_reads(file, 3, 4, "two");
    assert_reads(file, 5, 4, "TWO T");
    log_file_forget(file);
    assert_reads(file, 3, 4, "TWO");
    close_log(file);
}

static void what_cannot_be_read_ahead_is_read_when_asked_for(void **state)
{
    (void)state;
    sqlite3_file *file = open_log();
    put(file, "one two", 0);
    log_file_read_ahead(file, 100);
    assert_reads(file, 7, 0, "one two");
    char bytes[16];
    assert_int_equal(file->pMethods->xRead(file, bytes, 8, 0), SQLITE_IOERR_SHORT_READ);
    log_file_forget(file);
    close_log(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_in_a_row_leave_with_the_sync, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_write_elsewhere_is_not_put_together, make_path, remove_path),
        cmocka_unit_test_setup_teardown(whatever_is_asked_sees_what_is_held, make_path, remove_path),
        cmocka_unit_test_setup_teardown(what_is_too_much_leaves_in_pieces, make_path, remove_path),
        cmocka_unit_test_setup_teardown(what_could_not_be_written_is_said_and_forgotten, make_path, remove_path),
        cmocka_unit_test_setup_teardown(what_was_read_ahead_is_not_read_again, make_path, remove_path),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_ahead_is_read_when_asked_for, make_path, remove_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
