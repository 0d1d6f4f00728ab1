#include "app/demo/book.h"

#include "base/mem.h"
#include "test.h"

static const char first_id[] = "00000000-0000-7000-8000-000000000001";
static const char second_id[] = "00000000-0000-7000-8000-000000000002";

/* SKU 0: 100 units at location 0; sold 10 to customer 7 and 20 (from two locations) to customer 8. */
static void make_book(struct book *b)
{
    book_init(b, 2);
    static const struct plan_line opening[] = {{0, 0, 90}, {0, 1, 10}};
    book_receive(b, opening, 2, true);
    static const struct book_units sold_first[] = {{0, 0, 10, 0}};
    static const struct book_units sold_second[] = {{0, 0, 15, 0}, {0, 1, 5, 0}};
    book_sell(b, first_id, 7, sold_first, 1);
    book_sell(b, second_id, 8, sold_second, 2);
}

static void what_is_on_hand_follows_from_what_happened(void **state)
{
    (void)state;
    struct book b;
    make_book(&b);
    static const struct plan_line delivery[] = {{0, 2, 4}};
    book_receive(&b, delivery, 1, false);
    book_adjust(&b, 0, 0, -5);
    static const struct book_units returned[] = {{0, 0, 3, 0}};
    book_return(&b, returned, 1);
    const struct book_row *row = &b.rows[0];
    assert_int_equal(row->on_hand[0], 90 - 10 - 15 - 5 + 3);
    assert_int_equal(row->on_hand[1], 5);
    assert_int_equal(row->on_hand[2], 4);
    assert_int_equal(row->opening, 100);
    assert_int_equal(row->delivered, 4);
    assert_int_equal(row->sold, 30);
    assert_int_equal(row->adjusted, -5);
    assert_int_equal(row->returned, 3);
    int64_t on_hand = row->on_hand[0] + row->on_hand[1] + row->on_hand[2];
    assert_int_equal(row->sold, row->opening + row->delivered + row->adjusted + row->returned - on_hand);
    assert_int_equal(b.rows[1].on_hand[0], 0);
    book_release(&b);
}

struct match_case {
    uint32_t sku;
    uint32_t customer;
    int32_t quantity;
    int32_t found;
    size_t parts;
};

/* One after the other: each takes from what the ones before have left. */
static void returns_match_the_newest_sales_of_the_customer_and_no_unit_twice(void **state)
{
    (void)state;
    static const struct match_case cases[] = {
        {0, 9, 5, 0, 0},   /* a customer who bought nothing */
        {1, 7, 5, 0, 0},   /* a thing that was never sold */
        {0, 7, 4, 4, 1},   /* a part */
        {0, 7, 100, 6, 1}, /* only what is left */
        {0, 7, 1, 0, 0},   /* nothing is left */
        {0, 0, 12, 12, 2}, /* nobody in particular: the sale to 8, from both of its locations */
        {0, 8, 100, 8, 1}, /* the rest of it */
        {0, 0, 1, 0, 0},
    };
    struct book b;
    make_book(&b);
    struct book_units *units = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = 0;
        int32_t found = book_match_return(&b, cases[i].sku, cases[i].customer, cases[i].quantity, &units, &len, &cap);
        if (found != cases[i].found || len != cases[i].parts) {
            fail_msg("row %zu: %d units in %zu parts", i, found, len);
        }
    }
    mem_free(units);
    book_release(&b);
}

static void a_match_names_its_sale_and_location(void **state)
{
    (void)state;
    struct book b;
    make_book(&b);
    struct book_units *units = NULL;
    size_t len = 0, cap = 0;
    assert_int_equal(book_match_return(&b, 0, 8, 7, &units, &len, &cap), 7);
    assert_int_equal(len, 2);
    assert_int_equal(units[0].location, 1);
    assert_int_equal(units[0].quantity, 5);
    assert_int_equal(units[1].location, 0);
    assert_int_equal(units[1].quantity, 2);
    assert_memory_equal(b.sales[units[0].sale].id, second_id, RESERVATION_ID_LEN);
    mem_free(units);
    book_release(&b);
}

static void the_fullest_location_is_the_first_of_the_greatest(void **state)
{
    (void)state;
    struct book b;
    book_init(&b, 1);
    assert_int_equal(book_fullest_location(&b, 0), 0);
    static const struct plan_line lines[] = {{0, 2, 5}, {0, 1, 5}};
    book_receive(&b, lines, 2, true);
    assert_int_equal(book_fullest_location(&b, 0), 1);
    book_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_hand_follows_from_what_happened),
        cmocka_unit_test(returns_match_the_newest_sales_of_the_customer_and_no_unit_twice),
        cmocka_unit_test(a_match_names_its_sale_and_location),
        cmocka_unit_test(the_fullest_location_is_the_first_of_the_greatest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
