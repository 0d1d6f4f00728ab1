#include "http/reply.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>

static void a_reply_is_used_again_for_the_same_kind(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    struct reply *first = reply_take(c, "application/json", true, 250);
    assert_non_null(first);
    reply_give(c, first);
    assert_ptr_equal(reply_take(c, "application/json", true, 250), first);
    struct reply *second = reply_take(c, "application/json", true, 250);
    assert_ptr_not_equal(second, first);
    reply_give(c, first);
    reply_give(c, second);
    assert_int_equal(c->idle_len, 2);
    reply_cache_release(c);
    mem_free(c);
}

static void another_kind_gets_its_own(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    struct reply *r = reply_take(c, "application/json", true, 10);
    reply_give(c, r);
    struct reply *others[] = {
        reply_take(c, "application/json", true, 10 + REPLY_BUCKETS),
        reply_take(c, "application/json", false, 10),
        reply_take(c, "text/plain", true, 10),
        reply_take(c, NULL, true, 10),
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_ptr_not_equal(others[i], r);
        reply_give(c, others[i]);
    }
    assert_ptr_equal(reply_take(c, NULL, true, 10), others[3]);
    reply_give(c, others[3]);
    reply_cache_release(c);
    mem_free(c);
}

static void a_long_body_is_not_kept(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    assert_null(reply_take(c, "application/json", true, REPLY_BYTES_MAX + 1));
    struct reply *r = reply_take(c, "application/json", true, REPLY_BYTES_MAX);
    assert_non_null(r);
    reply_drop(r);
    mem_free(c);
}

static void idle_replies_are_bounded(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    struct reply *taken[2 * REPLIES_IDLE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        taken[i] = reply_take(c, "application/json", true, i % 1000);
    }
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        reply_give(c, taken[i]);
        assert_true(c->idle_len <= REPLIES_IDLE_MAX);
    }
    assert_int_equal(c->idle_len, REPLIES_IDLE_MAX);
    reply_cache_release(c);
    assert_int_equal(c->idle_len, 0);
    mem_free(c);
}

#define HEADERS(text) ((struct str){text, sizeof(text) - 1}) /* each name and each value ends with a NUL */

static void assert_header(struct reply *r, const char *name, const char *wanted)
{
    const char *found = MHD_get_response_header(r->response, name);
    if (wanted == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, wanted);
    }
}

static int count_headers(struct reply *r)
{
    return MHD_get_response_headers(r->response, NULL, NULL);
}

static void headers_are_those_of_this_answer_alone(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    struct reply *r = reply_take(c, "application/json", true, 10);
    int fixed = count_headers(r);
    reply_set_headers(r, HEADERS("ETag\0\"1\"\0X-Request-Id\0aaaa\0"));
    assert_header(r, "ETag", "\"1\"");
    assert_header(r, "X-Request-Id", "aaaa");

    reply_set_headers(r, HEADERS("ETag\0\"1\"\0X-Request-Id\0bbbb\0")); /* as long */
    assert_header(r, "ETag", "\"1\"");
    assert_header(r, "X-Request-Id", "bbbb");
    assert_int_equal(count_headers(r), fixed + 2);

    reply_set_headers(r, HEADERS("ETag\0\"23\"\0X-Request-Id\0ccc\0")); /* as long all together */
    assert_header(r, "ETag", "\"23\"");
    assert_header(r, "X-Request-Id", "ccc");

    reply_set_headers(r, HEADERS("Link\0\"23\"\0X-Request-Id\0ddd\0")); /* another one at the same place */
    assert_header(r, "ETag", NULL);
    assert_header(r, "Link", "\"23\"");
    assert_header(r, "X-Request-Id", "ddd");
    assert_int_equal(count_headers(r), fixed + 2);

    reply_set_headers(r, HEADERS("X-Request-Id\0ddd\0"));
    assert_header(r, "Link", NULL);
    assert_int_equal(count_headers(r), fixed + 1);
    reply_set_headers(r, HEADERS(""));
    assert_int_equal(count_headers(r), fixed);
    assert_header(r, "Cache-Control", "no-store");
    reply_give(c, r);
    reply_cache_release(c);
    mem_free(c);
}

struct pairs {
    char text[200];
};

static enum MHD_Result put_pair(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct pairs *p = cls;
    size_t len = strlen(p->text);
    snprintf(p->text + len, sizeof(p->text) - len, "%s=%s ", name, value);
    return MHD_YES;
}

static void of_two_headers_with_one_name_each_changes_alone(void **state)
{
    (void)state;
    struct reply_cache *c = mem_new(sizeof(*c));
    struct reply *r = reply_take(c, NULL, false, 10);
    reply_set_headers(r, HEADERS("Link\0a1\0Link\0b1\0"));
    reply_set_headers(r, HEADERS("Link\0a1\0Link\0b2\0"));
    reply_set_headers(r, HEADERS("Link\0a3\0Link\0b3\0"));
    struct pairs found = {""};
    MHD_get_response_headers(r->response, put_pair, &found);
    assert_non_null(strstr(found.text, "Link=a3 "));
    assert_non_null(strstr(found.text, "Link=b3 "));
    assert_null(strstr(found.text, "1 "));
    assert_null(strstr(found.text, "2 "));
    reply_give(c, r);
    reply_cache_release(c);
    mem_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_used_again_for_the_same_kind),
        cmocka_unit_test(another_kind_gets_its_own),
        cmocka_unit_test(a_long_body_is_not_kept),
        cmocka_unit_test(idle_replies_are_bounded),
        cmocka_unit_test(headers_are_those_of_this_answer_alone),
        cmocka_unit_test(of_two_headers_with_one_name_each_changes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
