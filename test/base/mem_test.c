#include "test.h"

#include "base/mem.h"

static void new_memory_is_zeroed(void **state)
{
    (void)state;
    unsigned char *p = mem_new(1000);
    unsigned char *q = mem_new_array(10, 100);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(p[i], 0);
        assert_int_equal(q[i], 0);
    }
    mem_free(p);
    mem_free(q);
}

static void nothing_is_a_size_too(void **state)
{
    (void)state;
    void *p = mem_new(0);
    void *q = mem_new_array(0, 8);
    assert_non_null(p);
    assert_non_null(q);
    p = mem_resize(p, 0, 0);
    assert_non_null(p);
    mem_free(p);
    mem_free(q);
    mem_free(NULL);
}

static void resizing_keeps_the_content(void **state)
{
    (void)state;
    int *p = mem_resize(NULL, 3, sizeof(int));
    p[0] = 1;
    p[2] = 3;
    p = mem_resize(p, 10000, sizeof(int));
    assert_int_equal(p[0], 1);
    assert_int_equal(p[2], 3);
    mem_free(p);
}

static void a_copied_string_is_terminated_and_its_own(void **state)
{
    (void)state;
    char text[] = "abcdef";
    char *copy = mem_copy_str((struct str){text, 3});
    text[0] = 'z';
    assert_string_equal(copy, "abc");
    char *empty = mem_copy_str(STR_NONE);
    assert_string_equal(empty, "");
    mem_free(copy);
    mem_free(empty);
}

static void growing_doubles_and_keeps_the_content(void **state)
{
    (void)state;
    void *p = NULL;
    size_t cap = 0;
    int moves = 0;
    for (size_t len = 0; len < 100000; len++) {
        size_t cap_before = cap;
        mem_grow(&p, &cap, len + 1, sizeof(uint32_t));
        assert_true(cap > len);
        assert_true(cap == cap_before || cap >= 2 * cap_before);
        moves += cap != cap_before;
        ((uint32_t *)p)[len] = (uint32_t)len;
    }
    assert_true(moves < 20);
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(((uint32_t *)p)[i], i);
    }
    mem_free(p);
}

static void growing_to_less_changes_nothing(void **state)
{
    (void)state;
    void *p = NULL;
    size_t cap = 0;
    mem_grow(&p, &cap, 0, 8);
    assert_null(p);
    mem_grow(&p, &cap, 1000, 8);
    assert_int_equal(cap, 1000);
    void *before = p;
    mem_grow(&p, &cap, 999, 8);
    mem_grow(&p, &cap, 1000, 8);
    assert_ptr_equal(p, before);
    assert_int_equal(cap, 1000);
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(nothing_is_a_size_too),
        cmocka_unit_test(resizing_keeps_the_content),
        cmocka_unit_test(a_copied_string_is_terminated_and_its_own),
        cmocka_unit_test(growing_doubles_and_keeps_the_content),
        cmocka_unit_test(growing_to_less_changes_nothing),
    };
    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
