#include "test.h"

#include "core/policy.h"

#include "base/limits.h"

struct row {
    int64_t low_max;
    int64_t available;
    enum availability_status status;
    const char *name;
    const char *message;
};

static const struct row rows[] = {
    {5, INT64_MIN, AVAILABILITY_OUT_OF_STOCK, "out_of_stock", "Out of stock"},
    {5, -1, AVAILABILITY_OUT_OF_STOCK, "out_of_stock", "Out of stock"},
    {5, 0, AVAILABILITY_OUT_OF_STOCK, "out_of_stock", "Out of stock"},
    {5, 1, AVAILABILITY_LOW_STOCK, "low_stock", "Only 1 left"},
    {5, 2, AVAILABILITY_LOW_STOCK, "low_stock", "Only 2 left"},
    {5, 5, AVAILABILITY_LOW_STOCK, "low_stock", "Only 5 left"},
    {5, 6, AVAILABILITY_IN_STOCK, "in_stock", "In stock"},
    {5, QUANTITY_MAX, AVAILABILITY_IN_STOCK, "in_stock", "In stock"},
    {0, -7, AVAILABILITY_OUT_OF_STOCK, "out_of_stock", "Out of stock"},
    {0, 0, AVAILABILITY_OUT_OF_STOCK, "out_of_stock", "Out of stock"},
    {0, 1, AVAILABILITY_IN_STOCK, "in_stock", "In stock"},
    {1, 1, AVAILABILITY_LOW_STOCK, "low_stock", "Only 1 left"},
    {1, 2, AVAILABILITY_IN_STOCK, "in_stock", "In stock"},
    {QUANTITY_MAX, QUANTITY_MAX, AVAILABILITY_LOW_STOCK, "low_stock", "Only 1000000000000 left"},
    {INT64_MAX, INT64_MAX, AVAILABILITY_LOW_STOCK, "low_stock", "Only 9223372036854775807 left"},
};

static void assert_text(struct str found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.ptr, expected, found.len);
}

static void available_units_give_status_and_message(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 64);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy policy = {.low_max = rows[i].low_max};
        assert_int_equal(policy_status(&policy, rows[i].available), rows[i].status);
        assert_text(availability_status_name(rows[i].status), rows[i].name);
        buf_clear(&text);
        policy_message(&policy, rows[i].available, &text);
        assert_text(buf_str(&text), rows[i].message);
    }
    buf_release(&text);
}

static void by_default_one_to_five_units_are_low(void **state)
{
    (void)state;
    struct policy policy = POLICY_DEFAULT;
    assert_int_equal(policy_status(&policy, 0), AVAILABILITY_OUT_OF_STOCK);
    for (int64_t available = 1; available <= 5; available++) {
        assert_int_equal(policy_status(&policy, available), AVAILABILITY_LOW_STOCK);
    }
    assert_int_equal(policy_status(&policy, 6), AVAILABILITY_IN_STOCK);
}

static void a_message_is_appended(void **state)
{
    (void)state;
    struct policy policy = POLICY_DEFAULT;
    struct buf text;
    buf_init(&text, 64);
    buf_put_literal(&text, "> ");
    policy_message(&policy, 3, &text);
    assert_text(buf_str(&text), "> Only 3 left");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(available_units_give_status_and_message),
        cmocka_unit_test(by_default_one_to_five_units_are_low),
        cmocka_unit_test(a_message_is_appended),
    };
    return cmocka_run_group_tests_name("core/policy", tests, NULL, NULL);
}
