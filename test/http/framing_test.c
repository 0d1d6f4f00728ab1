/*
 * Requests whose framing another HTTP implementation might read in another way. Each gets an error or a closed
 * connection, and nothing inside of it is ever taken for a second request.
 *
 * What libmicrohttpd 0.9.75 decides by itself, where it differs from what we would answer:
 *
 *   no method, no target              connection closed without the 400
 *   HTTP/0.x, HTTP/2.0                505
 *   Content-Length that is no number  400, but with the head of the answer written twice; we answer before it does
 *   cookies within our limit, but     431, with the head of the answer written twice
 *     beside a head of nearly 16 KiB
 *   head larger than its memory       414 or 431, as ours, but with a body that is not a problem
 *   chunk size of 2^64 and more       413 instead of 400; leading zeros do not count as digits
 *   chunk extensions                  ignored, whatever their size
 *   trailers                          ignored up to its memory, then 431
 *   bare LF behind a chunk size,      taken for CR LF: only the one who sent such a body is affected, as a proxy in
 *     behind its data, in trailers    front of us finds the end of the body in the same place or refuses it
 *   empty lines before a request      skipped
 */
#include "fixture.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

static struct app app;

static int start(void **state)
{
    (void)state;
    app_start(&app, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    app_end(&app);
    return 0;
}

#define CLOSED 0 /* instead of a status: closed without an answer */
#define SECOND "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
#define GET "GET /hello HTTP/1.1\r\nHost: a\r\n"

struct row {
    const char *name;
    struct str bytes; /* SECOND is sent behind them */
    int status;
};

static unsigned count_answers(const struct buf *b)
{
    unsigned count = 0;
    for (const char *at = strstr(b->ptr, "HTTP/1.1 "); at != NULL; at = strstr(at + 1, "HTTP/1.1 ")) {
        count++;
    }
    return count;
}

static void check_row(const struct row *row)
{
    atomic_store(&app.smuggled, 0);
    struct client c;
    client_open(&c, app.port);
    struct buf sent;
    buf_init(&sent, SIZE_MAX);
    buf_put_str(&sent, row->bytes);
    buf_put_literal(&sent, SECOND);
    client_send(&c, buf_str(&sent));
    client_half_close(&c);
    struct buf got;
    client_read_to_end(&c, &got);
    unsigned answers = count_answers(&got);
    int status = answers > 0 ? atoi(got.ptr + strlen("HTTP/1.1 ")) : CLOSED;
    if (status != row->status || answers > 1 || atomic_load(&app.smuggled) > 0) {
        fail_msg(
            "%s: wanted %d, got %u answers, %u smuggled: %s", row->name, row->status, answers,
            atomic_load(&app.smuggled), got.ptr);
    }
    if (status != CLOSED) {
        assert_non_null(strstr(got.ptr, "Connection: close\r\n"));
    }
    buf_release(&got);
    buf_release(&sent);
    client_close(&c);
}

static void check_rows(const struct row *rows, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        check_row(&rows[i]);
    }
}

#define ROW(name, bytes, status) \
    {                            \
        name, STR(bytes), status \
    }

static void lengths_that_can_be_read_in_two_ways_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("length and coding", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ROW("coding and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        ROW("length 0 and coding", POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ROW("two lengths", POST "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}", 400),
        ROW("the same length twice", POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        ROW("+5", POST "Content-Length: +5\r\n\r\n12345", 400),
        ROW("0x5", POST "Content-Length: 0x5\r\n\r\n12345", 400),
        ROW("-1", POST "Content-Length: -1\r\n\r\n", 400),
        ROW("5,5", POST "Content-Length: 5,5\r\n\r\n12345", 400),
        ROW("5 5", POST "Content-Length: 5 5\r\n\r\n12345", 400),
        ROW("5.0", POST "Content-Length: 5.0\r\n\r\n12345", 400),
        ROW("05", POST "Content-Length: 05\r\n\r\n12345", 400),
        ROW("no digits", POST "Content-Length: \r\n\r\n", 400),
        ROW("2^63", POST "Content-Length: 9223372036854775808\r\n\r\n", 400),
        ROW("2^63 - 1", POST "Content-Length: 9223372036854775807\r\n\r\n", 413),
        ROW("2^64 + 2", POST "Content-Length: 18446744073709551618\r\n\r\n{}", 400),
        ROW("10^40", POST "Content-Length: 10000000000000000000000000000000000000000\r\n\r\n", 400),
        ROW("length with a NUL", POST "Content-Length: 2\0 0\r\n\r\n{}", 400),
        ROW("length of a GET", GET "Content-Length: +5\r\n\r\n12345", 400),
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void unknown_codings_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        ROW("chunked, gzip", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501),
        ROW("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ROW("chunked,chunked", POST "Transfer-Encoding: chunked,chunked\r\n\r\n0\r\n\r\n", 501),
        ROW("identity", POST "Transfer-Encoding: identity\r\n\r\n", 501),
        ROW("empty", POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 501),
        ROW("quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
        ROW("vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400),
        ROW("two", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ROW("two unlike", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        ROW("HTTP/1.0",
            "POST /echo HTTP/1.0\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n",
            400),
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void heads_with_surprises_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("bare LF behind the request line", "GET /hello HTTP/1.1\nHost: a\r\n\r\n", 400),
        ROW("bare LF behind a header", "GET /hello HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
        ROW("bare LF as the blank line", "GET /hello HTTP/1.1\r\nHost: a\r\n\n", 400),
        ROW("bare LF before the blank line", "GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400),
        ROW("only bare LF", "GET /hello HTTP/1.1\nHost: a\n\n", 400),
        ROW("bare CR in a value", GET "X: a\rContent-Length: 5\r\n\r\n", 400),
        ROW("bare CR in a name", GET "X\rY: a\r\n\r\n", 400),
        ROW("NUL in a value", GET "X: a\0b\r\n\r\n", 400),
        ROW("NUL in a name", GET "X\0Y: a\r\n\r\n", 400),
        ROW("NUL at the start of a line", GET "\0X: a\r\n\r\n", 400),
        ROW("NUL in the target", "GET /hello\0/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("NUL in the method", "GE\0T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("folded value", GET "X: a\r\n b\r\n\r\n", 400),
        ROW("folded with TAB", GET "X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", 400),
        ROW("folded first header", "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ROW("folded last line", GET "X: a\r\n \r\n\r\n", 400),
        ROW("space before the colon", GET "X : a\r\n\r\n", 400),
        ROW("TAB before the colon", GET "X\t: a\r\n\r\n", 400),
        ROW("space in a name", GET "X Y: a\r\n\r\n", 400),
        ROW("empty name", GET ": a\r\n\r\n", 400),
        ROW("no colon", GET "X\r\n\r\n", 400),
        ROW("name with a bracket", GET "X(: a\r\n\r\n", 400),
        ROW("name that is not ASCII", GET "X\xC3\xA9: a\r\n\r\n", 400),
        ROW("control character in a value", GET "X: a\x01\r\n\r\n", 400),
        ROW("DEL in a value", GET "X: a\x7f\r\n\r\n", 400),
        ROW("no Host", "GET /hello HTTP/1.1\r\nX: a\r\n\r\n", 400),
        ROW("no header at all", "GET /hello HTTP/1.1\r\n\r\n", 400),
        ROW("two Hosts", GET "Host: b\r\n\r\n", 400),
        ROW("the same Host twice", GET "host: a\r\n\r\n", 400),
        ROW("two types", POST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400),
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void broken_request_lines_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("bad character in the method", "G@T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("method that is not ASCII", "G\xC3\xA9T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("empty method", " /hello HTTP/1.1\r\nHost: a\r\n\r\n", CLOSED),
        ROW("space in the target", "GET /hello x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("space in the arguments", "GET /hello?x y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("TAB in the target", "GET /hello\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("two spaces", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("TAB for a space", "GET\t/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("space behind the version", "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        ROW("no version", "GET /hello\r\nHost: a\r\n\r\n", 400),
        ROW("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("one word", "GET\r\nHost: a\r\n\r\n", CLOSED),
        ROW("small letters in the version", "GET /hello http/1.1\r\nHost: a\r\n\r\n", 400),
        ROW("HTTP/11", "GET /hello HTTP/11\r\nHost: a\r\n\r\n", 400),
        ROW("HTTP/0.9", "GET /hello HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        ROW("HTTP/2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ROW("start of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void broken_chunks_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("17 digits", POST "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n", 413),
        ROW("0x10", POST "Transfer-Encoding: chunked\r\n\r\n0x10\r\n1234567890123456\r\n0\r\n\r\n", 400),
        ROW("-1", POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n", 400),
        ROW("+2", POST "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n", 400),
        ROW("space before", POST "Transfer-Encoding: chunked\r\n\r\n 2\r\n{}\r\n0\r\n\r\n", 400),
        ROW("space behind", POST "Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n", 400),
        ROW("no size", POST "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n", 400),
        ROW("data longer than the size", POST "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400),
        ROW("data shorter than the size", POST "Transfer-Encoding: chunked\r\n\r\n4\r\n{}\r\n0\r\n\r\n", 400),
        ROW("no end of data", POST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n", 400),
        ROW("trailer without a colon", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n", 400),
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* `head`, then `count` times `part`, then a blank line. */
static void check_many(const char *name, const char *head, const char *part, size_t count, int status)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_str(&b, str_from(head));
    for (size_t i = 0; i < count; i++) {
        buf_put_str(&b, str_from(part));
    }
    buf_put_literal(&b, "\r\n\r\n");
    const struct row row = {name, buf_str(&b), status};
    check_row(&row);
    buf_release(&b);
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    static const char get_x[] = GET "X: ";
    static const char get_one[] = "GET /hello HTTP/1.1\r\nHost: a";
    static const char arguments[] = " HTTP/1.1\r\nHost: a";
    check_many("101 headers", get_one, "\r\nX: y", 100, 431);
    check_many("1,000 headers", get_one, "\r\nX: y", 1000, 431);
    check_many("10,000 headers", get_one, "\r\nX: y", 10000, 431);
    check_many("head of 17 KiB", get_x, "1234567890123456", 1088, 431);
    check_many("head of 64 KiB", get_x, "1234567890123456", 4096, 431);
    check_many("cookies of 20 KiB", GET "Cookie: ", "a=b; c=d; ", 2048, 431);
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_literal(&b, "GET /");
    for (int i = 0; i < 8192; i++) {
        buf_put_char(&b, 'p');
    }
    buf_put_str(&b, str_from(arguments));
    buf_put_char(&b, '\0');
    check_many("path of 8 KiB + 1", b.ptr, "", 0, 414);
    buf_release(&b);
    check_many("request line of 64 KiB", "GET /", "p", 65536, 414);
    check_many("request line of 64 KiB of arguments", "GET /?", "a&", 32768, 414);
    check_many("trailers of 64 KiB", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", "1234567890123456", 4096, 431);
}

static void what_is_just_short_enough_is_served(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_put_literal(&b, "GET /items/");
    for (int i = 0; i < 8192 - 7; i++) {
        buf_put_char(&b, 'p');
    }
    buf_put_literal(&b, " HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 98; i++) {
        buf_printf(&b, "X-%d: y\r\n", i);
    }
    buf_put_literal(&b, "X-Last: ");
    while (b.len < 16380) {
        buf_put_char(&b, 'l');
    }
    buf_put_literal(&b, "\r\n\r\n");
    assert_int_equal(b.len, 16384);
    buf_put_char(&b, '\0');
    struct answer a;
    client_ask(app.port, b.ptr, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 8192 - 7);
    answer_release(&a);
    buf_release(&b);
}

/* Two answers, as these are two requests for every implementation. */
static void what_is_harmless_is_served(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "\r\n\r\n" GET "\r\n",
        GET "X:\r\nY:a\r\nZ: \t a \t \r\n\r\n",
        GET "Content-Length: 0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost:\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "2;ext=\"1\"\r\n{}\r\n0\r\nX: y\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\n\r\n00000000000000000002\r\n{}\r\n000\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        atomic_store(&app.smuggled, 0);
        struct client c;
        client_open(&c, app.port);
        client_send_text(&c, requests[i]);
        client_send_text(&c, SECOND);
        struct answer a;
        for (int k = 0; k < 2; k++) {
            client_read(&c, false, &a);
            if (a.status != 200) {
                fail_msg("request %zu, answer %d: %s%s", i, k, a.head.ptr, a.body.ptr);
            }
            answer_release(&a);
        }
        assert_int_equal(atomic_load(&app.smuggled), 1);
        client_close(&c);
    }
}

/* The head is looked at where it was received, which must hold wherever it was cut on the way. */
static void a_head_may_come_in_any_pieces(void **state)
{
    (void)state;
    static const char text[] = "GET /query?a=1 HTTP/1.1\r\nHost: a\r\nX: y\r\nCookie: c=d; e=f\r\n\r\n";
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        struct client c;
        client_open(&c, app.port);
        client_send(&c, (struct str){text, cut});
        app_poke(&app);
        client_send(&c, (struct str){text + cut, sizeof(text) - 1 - cut});
        struct answer a;
        client_read(&c, false, &a);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body.ptr, "a=1;b=;unknown=");
        answer_release(&a);
        client_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_that_can_be_read_in_two_ways_are_refused),
        cmocka_unit_test(unknown_codings_are_refused),
        cmocka_unit_test(heads_with_surprises_are_refused),
        cmocka_unit_test(broken_request_lines_are_refused),
        cmocka_unit_test(broken_chunks_are_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(what_is_just_short_enough_is_served),
        cmocka_unit_test(what_is_harmless_is_served),
        cmocka_unit_test(a_head_may_come_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, start, end);
}
