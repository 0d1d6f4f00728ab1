#include "app/demo/csv.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define FIELDS 4

struct csv_case {
    const char *bytes;
    const char *fields[3][FIELDS]; /* records, each ended by NULL */
    bool broken;
};

static void records_are_split_by_the_rules(void **state)
{
    (void)state;
    static const struct csv_case cases[] = {
        {"", {{NULL}}, false},
        {"a,b\nc\n", {{"a", "b"}, {"c"}}, false},
        {"a,b\r\nc", {{"a", "b"}, {"c"}}, false},
        {",,\n", {{"", "", ""}}, false},
        {"\"a,1\",\"say \"\"hi\"\"\",\"\"\n", {{"a,1", "say \"hi\"", ""}}, false},
        {"\"two\nlines\",x\ny\n", {{"two\nlines", "x"}, {"y"}}, false},
        {"a,\"open\n", {{NULL}}, true},
        {"a,b\n1,2,3,4,5\n", {{"a", "b"}}, true},
        {"a,b\n1,\"2\"3\n", {{"a", "b"}}, true},
        {"a,b\n1\r2\n", {{"a", "b"}}, true},
        {"a,b\n1\r,2\n", {{"a", "b"}}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *bytes = mem_copy_str(str_from(cases[i].bytes));
        struct csv csv;
        csv_init(&csv, bytes, strlen(cases[i].bytes));
        struct str fields[FIELDS];
        for (size_t record = 0; record < 3; record++) {
            size_t count = csv_next(&csv, fields, FIELDS);
            size_t expected = 0;
            while (expected < FIELDS && cases[i].fields[record][expected] != NULL) {
                expected++;
            }
            if (count != expected) {
                fail_msg("row %zu record %zu: %zu fields", i, record, count);
            }
            for (size_t n = 0; n < count; n++) {
                assert_true(str_equal(fields[n], str_from(cases[i].fields[record][n])));
            }
        }
        assert_int_equal(csv.broken, cases[i].broken);
        mem_free(bytes);
    }
}

static void a_gzip_file_is_read_whole_and_a_cut_one_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/onhand-csv-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    gzFile out = gzdopen(fd, "wb");
    for (int i = 0; i < 100000; i++) {
        assert_true(gzprintf(out, "%d,line\n", i) > 0);
    }
    assert_int_equal(gzclose(out), Z_OK);
    char *bytes;
    size_t len;
    struct err_note note;
    assert_int_equal(csv_read_file(path, 10000000, &bytes, &len, &note), ERR_OK);
    assert_int_equal(len, 10 * 7 + 90 * 8 + 900 * 9 + 9000 * 10 + 90000 * 11);
    assert_memory_equal(bytes + len - 11, "99999,line\n", 11);
    mem_free(bytes);
    assert_int_equal(csv_read_file(path, 1000, &bytes, &len, &note), ERR_IO);
    assert_non_null(strstr(note.text, "too large"));
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(csv_read_file(path, 10000000, &bytes, &len, &note), ERR_IO);
    assert_non_null(strstr(note.text, "damaged"));
    unlink(path);
    assert_int_equal(csv_read_file(path, 10000000, &bytes, &len, &note), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_split_by_the_rules),
        cmocka_unit_test(a_gzip_file_is_read_whole_and_a_cut_one_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
