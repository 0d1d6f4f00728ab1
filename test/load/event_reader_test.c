#include "load/event_reader.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>

struct heard {
    char text[4096];
    unsigned count;
};

static void event_cb(void *ctx, struct str event)
{
    struct heard *h = ctx;
    size_t len = strlen(h->text);
    snprintf(h->text + len, sizeof(h->text) - len, "[%.*s]", STR_ARG(event));
    h->count++;
}

/* Gives the bytes in pieces of `piece`; true when each was taken. */
static bool read_in_pieces(struct str bytes, size_t piece, struct heard *out, int *out_status)
{
    struct event_reader r;
    event_reader_init(&r);
    *out = (struct heard){0};
    bool good = true;
    for (size_t at = 0; good && at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        char *copy = mem_copy_str((struct str){bytes.ptr + at, len}); /* exact: a step beyond is seen by a sanitizer */
        good = event_reader_take(&r, copy, len, event_cb, out);
        mem_free(copy);
    }
    *out_status = r.status;
    event_reader_release(&r);
    return good;
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PLAIN "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static const char chunked[] = CHUNKED "c\r\nretry: 1000\n\r\n"
                                      "1\r\n\n\r\n"
                                      "1A\r\nid: 1-1\ndata: one\n\nid: 1-2\r\n"
                                      "b\r\n\ndata:two\n\n\r\n"
                                      "3\r\n:\n\n\r\n";
static const char plain[] = PLAIN "retry: 1000\n\nid: 1-1\ndata: one\n\nid: 1-2\ndata:two\n\n:\n\n";

/* Wherever the bytes are cut, the events are the same. */
static void events_are_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const char expected[] = "[retry: 1000][id: 1-1\ndata: one][id: 1-2\ndata:two][:]";
    struct heard heard;
    int status;
    for (size_t piece = 1; piece <= sizeof(chunked); piece++) {
        assert_true(read_in_pieces(str_from(chunked), piece, &heard, &status));
        assert_string_equal(heard.text, expected);
        assert_true(read_in_pieces(str_from(plain), piece, &heard, &status));
        assert_string_equal(heard.text, expected);
        assert_int_equal(status, 200);
    }
}

static void what_is_no_stream_of_events_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "nonsense\r\n\r\n",
        CHUNKED "x\r\n",
        CHUNKED "\r\n",
        CHUNKED "123456789\r\n",
        CHUNKED "1\r\naX",
        CHUNKED "0\r\n\r\n", /* the end */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard heard;
        int status;
        for (size_t piece = 1; piece < 100; piece += 98) {
            if (read_in_pieces(str_from(cases[i]), piece, &heard, &status)) {
                fail_msg("row %zu was taken in pieces of %zu", i, piece);
            }
        }
        assert_int_equal(heard.count, 0);
    }
}

static void what_came_before_the_end_is_heard(void **state)
{
    (void)state;
    struct heard heard;
    int status;
    assert_false(read_in_pieces(STR(CHUNKED "9\r\ndata: 1\n\n\r\n0\r\n\r\n"), 1000, &heard, &status));
    assert_string_equal(heard.text, "[data: 1]");
}

static void an_event_without_end_is_refused(void **state)
{
    (void)state;
    size_t len = EVENT_BYTES_MAX + 100;
    char *bytes = mem_new(len);
    memset(bytes, 'x', len);
    memcpy(bytes, PLAIN, sizeof(PLAIN) - 1);
    struct heard heard;
    int status;
    assert_false(read_in_pieces((struct str){bytes, len}, 64 * 1024, &heard, &status));
    mem_free(bytes);
}

static void the_data_of_an_event_is_found(void **state)
{
    (void)state;
    assert_true(str_equal(event_data(STR("id: 1\ndata: {\"a\":1}\nx: y")), STR("{\"a\":1}")));
    assert_true(str_equal(event_data(STR("data:x")), STR("x")));
    assert_true(str_equal(event_data(STR("data:")), STR("")));
    assert_false(str_is_absent(event_data(STR("data:"))));
    assert_true(str_is_absent(event_data(STR(":"))));
    assert_true(str_is_absent(event_data(STR("xdata: 1\ndat"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_in_pieces_of_any_size),
        cmocka_unit_test(what_is_no_stream_of_events_is_refused),
        cmocka_unit_test(what_came_before_the_end_is_heard),
        cmocka_unit_test(an_event_without_end_is_refused),
        cmocka_unit_test(the_data_of_an_event_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
