/* The binary format of COPY, byte by byte: https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format" */
#include "base/buf.h"
#include "copy_source.h"
#include "store/postgres/copy.h"
#include "test.h"

/* A literal with its NULs. */
#define BYTES(literal) ((struct str){(literal), sizeof(literal) - 1})

#define SIGNATURE "PGCOPY\n\377\r\n\0"
#define HEADER SIGNATURE "\0\0\0\0\0\0\0\0"
#define TRAILER "\377\377"
#define NONE "\377\377\377\377"
/* Three columns: the number 7, the text "ab", and none. */
#define ROW "\0\3\0\0\0\10\0\0\0\0\0\0\0\7\0\0\0\2ab" NONE
/* One column: an empty text. */
#define EMPTY_ROW "\0\1\0\0\0\0"

static struct copy_source source;
static struct copy copy;
static struct err_note note;

static void begin(const struct str *messages, enum err end)
{
    source = (struct copy_source){.end = end};
    while (!str_is_absent(messages[source.messages_len])) {
        source.messages[source.messages_len] = messages[source.messages_len];
        source.messages_len++;
    }
    note.text[0] = '\0';
    assert_int_equal(copy_begin(&copy, &source.link, "SELECT n FROM t", "load things", &note), ERR_OK);
}

/* Reads to the end; how many rows there were. */
static enum err drain(unsigned *out_rows)
{
    bool more = true;
    enum err e = ERR_OK;
    *out_rows = 0;
    while (e == ERR_OK && more) {
        e = copy_next(&copy, &more, &note);
        *out_rows += e == ERR_OK && more;
    }
    assert_true(e == ERR_OK || !more);
    copy_release(&copy);
    return e;
}

static void columns_are_read(void **state)
{
    (void)state;
    const struct str messages[] = {BYTES(HEADER ROW), BYTES(EMPTY_ROW), BYTES(TRAILER), STR_NONE};
    bool more = false;
    char two[2];
    char three[3];
    begin(messages, ERR_OK);
    assert_string_equal(source.sql, "COPY (SELECT n FROM t) TO STDOUT (FORMAT binary)");
    assert_int_equal(copy_next(&copy, &more, &note), ERR_OK);
    assert_true(more);
    assert_int_equal(copy.columns, 3);
    assert_int_equal(copy_i64(&copy, 0), 7);
    assert_true(str_equal(copy_text(&copy, 1), STR("ab")));
    assert_true(copy_bytes(&copy, 1, two, sizeof(two)));
    assert_memory_equal(two, "ab", 2);
    assert_false(copy_bytes(&copy, 1, three, sizeof(three)));
    assert_int_equal(copy_i64(&copy, 2), 0);
    assert_true(str_is_absent(copy_text(&copy, 2)));
    assert_false(copy_bytes(&copy, 2, two, sizeof(two)));
    assert_int_equal(copy_next(&copy, &more, &note), ERR_OK);
    assert_true(more);
    assert_int_equal(copy.columns, 1);
    assert_false(str_is_absent(copy_text(&copy, 0)));
    assert_int_equal(copy_text(&copy, 0).len, 0);
    assert_int_equal(copy_next(&copy, &more, &note), ERR_OK);
    assert_false(more);
    copy_release(&copy);
}

static void whole_streams_are_taken(void **state)
{
    (void)state;
    static const struct {
        struct str messages[5];
        unsigned rows;
    } cases[] = {
        {{BYTES(HEADER TRAILER), STR_NONE}, 0},
        {{BYTES(HEADER), BYTES(TRAILER), STR_NONE}, 0},
        {{BYTES(HEADER), BYTES(ROW), BYTES(TRAILER), STR_NONE}, 1},
        {{BYTES(HEADER ROW), BYTES(ROW), BYTES(ROW), BYTES(TRAILER), STR_NONE}, 3},
        {{BYTES(SIGNATURE "\0\0\0\0\0\0\0\5extra" ROW), BYTES(TRAILER), STR_NONE},
         1},                                                   /* what is added is passed over */
        {{BYTES(HEADER "\0\0"), BYTES(TRAILER), STR_NONE}, 1}, /* no columns */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned rows;
        begin(cases[i].messages, ERR_OK);
        enum err e = drain(&rows);
        if (e != ERR_OK || rows != cases[i].rows) {
            fail_msg("case %zu: error %d, %u rows: %s", i, e, rows, note.text);
        }
    }
}

static void damaged_streams_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct str messages[4];
        unsigned rows; /* before it is noticed */
    } cases[] = {
        {"nothing", {STR_NONE}, 0},
        {"a header alone", {BYTES(HEADER), STR_NONE}, 0},
        {"no trailer", {BYTES(HEADER ROW), STR_NONE}, 1},
        {"a row behind the trailer", {BYTES(HEADER ROW), BYTES(TRAILER), BYTES(ROW), STR_NONE}, 1},
        {"two trailers", {BYTES(HEADER), BYTES(TRAILER), BYTES(TRAILER), STR_NONE}, 0},
        {"a trailer with something behind it", {BYTES(HEADER TRAILER "x"), STR_NONE}, 0},
        {"no header", {BYTES(ROW), BYTES(TRAILER), STR_NONE}, 0},
        {"another signature", {BYTES("PGCOPY\n\377\n\n\0\0\0\0\0\0\0\0\0"), BYTES(TRAILER), STR_NONE}, 0},
        {"half a signature", {BYTES("PGCOPY"), BYTES(TRAILER), STR_NONE}, 0},
        {"flags that nobody knows", {BYTES(SIGNATURE "\0\1\0\0\0\0\0\0"), BYTES(TRAILER), STR_NONE}, 0},
        {"no length of what is added", {BYTES(SIGNATURE "\0\0\0\0\0\0"), BYTES(TRAILER), STR_NONE}, 0},
        {"less added than said", {BYTES(SIGNATURE "\0\0\0\0\0\0\0\5four"), BYTES(TRAILER), STR_NONE}, 0},
        {"a huge addition", {BYTES(SIGNATURE "\0\0\0\0\377\377\377\377"), BYTES(TRAILER), STR_NONE}, 0},
        {"half a number of columns", {BYTES(HEADER "\0"), BYTES(TRAILER), STR_NONE}, 0},
        {"a negative number of columns", {BYTES(HEADER "\377\376"), STR_NONE}, 0},
        {"the least number of columns", {BYTES(HEADER "\200\0"), STR_NONE}, 0},
        {"too many columns", {BYTES(HEADER "\0\21" NONE NONE NONE NONE), BYTES(TRAILER), STR_NONE}, 0},
        {"fewer columns than said", {BYTES(HEADER "\0\2" NONE), BYTES(TRAILER), STR_NONE}, 0},
        {"more columns than said", {BYTES(HEADER "\0\1" NONE NONE), BYTES(TRAILER), STR_NONE}, 0},
        {"half a length", {BYTES(HEADER "\0\1\0\0"), BYTES(TRAILER), STR_NONE}, 0},
        {"a column that is cut off", {BYTES(HEADER "\0\1\0\0\0\3ab"), BYTES(TRAILER), STR_NONE}, 0},
        {"a negative length", {BYTES(HEADER "\0\1\377\377\377\376ab"), BYTES(TRAILER), STR_NONE}, 0},
        {"a row in two messages", {BYTES(HEADER "\0\1\0\0\0\2a"), BYTES("b"), BYTES(TRAILER), STR_NONE}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned rows;
        begin(cases[i].messages, ERR_OK);
        enum err e = drain(&rows);
        if (e != ERR_IO || rows != cases[i].rows || strstr(note.text, "cannot load things") == NULL) {
            fail_msg("%s: error %d, %u rows: %s", cases[i].what, e, rows, note.text);
        }
    }
}

/* As when the connection breaks, or the server cannot go on: whatever came before. */
static void an_error_of_the_server_is_passed_on(void **state)
{
    (void)state;
    static const struct str streams[][4] = {
        {STR_NONE},
        {BYTES(HEADER), STR_NONE},
        {BYTES(HEADER ROW), STR_NONE},
        {BYTES(HEADER ROW), BYTES(TRAILER), STR_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        unsigned rows;
        begin(streams[i], ERR_STORE_AWAY);
        assert_int_equal(drain(&rows), ERR_STORE_AWAY);
        assert_int_equal(rows, i >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_read),
        cmocka_unit_test(whole_streams_are_taken),
        cmocka_unit_test(damaged_streams_are_refused),
        cmocka_unit_test(an_error_of_the_server_is_passed_on),
    };
    return cmocka_run_group_tests_name("store: copy", tests, NULL, NULL);
}
