#include "load/response.h"

#include "test.h"

static const char simple[] = "HTTP/1.1 201 Created\r\n"
                             "Content-Length: 5\r\n"
                             "content-type:  application/json \r\n"
                             "Retry-After: 2\r\n"
                             "Idempotent-Replayed: true\r\n"
                             "\r\n"
                             "hello";

static void a_response_is_read(void **state)
{
    (void)state;
    struct response_head head;
    assert_int_equal(response_read_head(str_from(simple), false, &head), RESPONSE_COMPLETE);
    assert_int_equal(head.status, 201);
    assert_int_equal(head.head_len, sizeof(simple) - 1 - 5);
    assert_int_equal(head.body_len, 5);
    assert_true(head.keep_alive);
    assert_true(head.replayed);
    assert_int_equal(head.retry_after_s, 2);
    assert_true(str_equal(head.content_type, STR("application/json")));
}

/* Wherever the bytes are cut, the head is incomplete until its empty line is there. */
static void a_cut_head_is_incomplete_everywhere(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(simple) - 1 - 5; len++) {
        struct response_head head;
        assert_int_equal(response_read_head((struct str){simple, len}, false, &head), RESPONSE_INCOMPLETE);
    }
}

struct response_case {
    const char *bytes;
    bool head_only;
    enum response_read read;
    int status;
    size_t body_len;
    bool keep_alive;
};

static void responses_are_framed_by_their_rules(void **state)
{
    (void)state;
    static const struct response_case cases[] = {
        /* without a body by status or method */
        {"HTTP/1.1 204 No Content\r\n\r\n", false, RESPONSE_COMPLETE, 204, 0, true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, RESPONSE_COMPLETE, 304, 0, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, RESPONSE_COMPLETE, 200, 0, true},
        /* keep-alive */
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, RESPONSE_COMPLETE, 200, 0, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, RESPONSE_COMPLETE, 200, 0, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", false, RESPONSE_COMPLETE, 200, 0,
         true},
        /* an interim answer is skipped */
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, RESPONSE_COMPLETE, 200, 3,
         true},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, RESPONSE_INCOMPLETE, 0, 0, false},
        /* a reason phrase may be missing, the same length may be said twice */
        {"HTTP/1.1 200\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", false, RESPONSE_COMPLETE, 200, 4, true},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false, RESPONSE_COMPLETE, 204, 0, true},
        /* refused */
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", false, RESPONSE_BROKEN, 0, 0,
         false},
        {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/2 200 OK\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 2000 OK\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"HTTP/1.1 600 OK\r\n\r\n", false, RESPONSE_BROKEN, 0, 0, false},
        {"SSH-2.0-OpenSSH_9.2\r\n", false, RESPONSE_BROKEN, 0, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct response_head head;
        enum response_read read = response_read_head(str_from(cases[i].bytes), cases[i].head_only, &head);
        if (read != cases[i].read) {
            fail_msg("row %zu: read %d", i, (int)read);
        }
        if (read == RESPONSE_COMPLETE) {
            assert_int_equal(head.status, cases[i].status);
            assert_int_equal(head.body_len, cases[i].body_len);
            assert_int_equal(head.keep_alive, cases[i].keep_alive);
            assert_int_equal(head.body, BODY_OF_LENGTH);
        }
    }
}

static void bodies_without_a_length_are_told_apart(void **state)
{
    (void)state;
    struct response_head head;
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_int_equal(response_read_head(str_from(chunked), false, &head), RESPONSE_COMPLETE);
    assert_int_equal(head.body, BODY_IN_CHUNKS);
    assert_true(head.keep_alive);
    assert_int_equal(response_read_head(STR("HTTP/1.1 200 OK\r\n\r\n"), false, &head), RESPONSE_COMPLETE);
    assert_int_equal(head.body, BODY_UNTIL_CLOSE);
    assert_false(head.keep_alive);
    assert_int_equal(response_read_head(STR("HTTP/1.1 200 OK\r\n\r\n"), true, &head), RESPONSE_COMPLETE);
    assert_int_equal(head.body, BODY_OF_LENGTH);
}

static void a_head_without_end_is_refused(void **state)
{
    (void)state;
    static char bytes[RESPONSE_HEAD_BYTES_MAX + 100];
    memset(bytes, 'x', sizeof(bytes));
    struct response_head head;
    struct str endless = {bytes, sizeof(bytes)};
    assert_int_equal(response_read_head(endless, false, &head), RESPONSE_BROKEN);
    memcpy(bytes, "HTTP/1.1 200 OK\r\n", 17);
    assert_int_equal(response_read_head(endless, false, &head), RESPONSE_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_read),
        cmocka_unit_test(a_cut_head_is_incomplete_everywhere),
        cmocka_unit_test(responses_are_framed_by_their_rules),
        cmocka_unit_test(bodies_without_a_length_are_told_apart),
        cmocka_unit_test(a_head_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
