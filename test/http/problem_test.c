#include "http/http.h"

#include "test.h"

static void assert_problem(struct buf *b, const char *wanted)
{
    buf_put_char(b, '\0');
    assert_string_equal(b->ptr, wanted);
    buf_release(b);
}

static void a_problem_has_every_member_in_order(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    problem_render(&b, ERR_INSUFFICIENT_STOCK, STR("short of \"A\""), STR(",\"shortfalls\":[]"), STR("urn:uuid:1234"));
    assert_problem(
        &b,
        "{\"type\":\"/problems/insufficient-stock\",\"title\":\"Not enough stock\",\"status\":409,"
        "\"detail\":\"short of \\\"A\\\"\",\"instance\":\"urn:uuid:1234\",\"code\":\"insufficient_stock\","
        "\"retryable\":false,\"shortfalls\":[]}");
}

static void what_is_absent_is_left_out(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    problem_render(&b, ERR_OVERLOADED, STR_NONE, STR_NONE, STR_NONE);
    assert_problem(
        &b,
        "{\"type\":\"/problems/overloaded\",\"title\":\"Too many requests are waiting\",\"status\":503,"
        "\"code\":\"overloaded\",\"retryable\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_has_every_member_in_order),
        cmocka_unit_test(what_is_absent_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
