#include "test.h"

#include "availability/marks.h"
#include "base/mem.h"

#define ENTRIES 10

struct fixture {
    struct marks marks;
    struct shelf_entry *entries[ENTRIES];
};

static int set_up(void **state)
{
    struct fixture *x = mem_new(sizeof(*x));
    for (size_t i = 0; i < ENTRIES; i++) {
        x->entries[i] = mem_new(sizeof(struct shelf_entry));
    }
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < ENTRIES; i++) {
        mem_free(x->entries[i]);
    }
    marks_release(&x->marks);
    mem_free(x);
    return 0;
}

static void mark(struct fixture *x, size_t first, size_t len)
{
    marks_mark(&x->marks, x->entries + first, len);
}

/* Takes up to `max` and expects these, by their numbers. */
static void expect_taken(struct fixture *x, size_t max, const char *numbers)
{
    struct shelf_entry *taken[ENTRIES];
    size_t len = marks_take(&x->marks, taken, max);
    assert_int_equal(len, strlen(numbers));
    for (size_t i = 0; i < len; i++) {
        assert_ptr_equal(taken[i], x->entries[numbers[i] - '0']);
    }
}

static void each_entry_is_listed_once(void **state)
{
    struct fixture *x = *state;
    marks_list(&x->marks, x->entries, 3);
    marks_list(&x->marks, x->entries + 1, 4);
    assert_int_equal(x->marks.all_len, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_ptr_equal(x->marks.all[i], x->entries[i]);
    }
    assert_int_equal(marks_waiting(&x->marks), 0);
}

static void each_entry_is_marked_once_and_taken_in_order(void **state)
{
    struct fixture *x = *state;
    for (int i = 0; i < 1000; i++) {
        mark(x, 0, 5);
    }
    assert_int_equal(marks_waiting(&x->marks), 5);
    expect_taken(x, 3, "012");
    expect_taken(x, 3, "34");
    expect_taken(x, 3, "");
}

static void what_is_taken_can_be_marked_again(void **state)
{
    struct fixture *x = *state;
    mark(x, 0, 4);
    expect_taken(x, 2, "01");
    mark(x, 0, 4);
    assert_int_equal(marks_waiting(&x->marks), 4);
    expect_taken(x, 10, "23");
    expect_taken(x, 10, "01");
}

static void what_is_given_back_is_taken_again_before_the_others(void **state)
{
    struct fixture *x = *state;
    mark(x, 0, 5);
    expect_taken(x, 3, "012");
    marks_give_back(&x->marks, 3);
    assert_int_equal(marks_waiting(&x->marks), 5);
    mark(x, 0, 5); /* they are marked */
    assert_int_equal(marks_waiting(&x->marks), 5);
    expect_taken(x, 10, "01234");
}

static void what_is_given_back_and_was_marked_meanwhile_is_there_once(void **state)
{
    struct fixture *x = *state;
    mark(x, 0, 5);
    expect_taken(x, 4, "0123");
    mark(x, 1, 1);
    mark(x, 3, 1);
    marks_give_back(&x->marks, 4);
    assert_int_equal(marks_waiting(&x->marks), 5);
    expect_taken(x, 10, "024");
    expect_taken(x, 10, "13");
}

static void a_mark_that_always_fails_stays_bounded(void **state)
{
    struct fixture *x = *state;
    struct shelf_entry *taken[ENTRIES];
    for (size_t i = 0; i < 1000; i++) {
        mark(x, i % ENTRIES, 1);
        size_t len = marks_take(&x->marks, taken, 3);
        mark(x, i * 7 % ENTRIES, 1);
        marks_give_back(&x->marks, len);
        assert_true(marks_waiting(&x->marks) <= ENTRIES);
    }
    assert_int_equal(marks_waiting(&x->marks), ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_entry_is_listed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_entry_is_marked_once_and_taken_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_can_be_marked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_back_is_taken_again_before_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_back_and_was_marked_meanwhile_is_there_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mark_that_always_fails_stays_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
