#include "http/reply.h"

#include "base/mem.h"
#include "test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_used_again_for_the_same_kind),
        cmocka_unit_test(another_kind_gets_its_own),
        cmocka_unit_test(a_long_body_is_not_kept),
        cmocka_unit_test(idle_replies_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
