#include "test.h"

#include "base/check.h"
#include "base/pool.h"
#include "base/random.h"

#include <string.h>

static size_t slabs_of(const struct pool *p)
{
    size_t count = 0;
    for (void *slab = p->slabs; slab != NULL; slab = *(void **)slab) { /* a slab begins with its link */
        count++;
    }
    return count;
}

static void a_block_is_aligned_and_writable_to_its_end(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    for (size_t size = 1; size <= (1u << 20); size = size * 3 / 2 + 1) {
        char *block = pool_take(&p, size);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, 0xee, size);
    }
    pool_release(&p);
}

static void a_block_that_was_given_back_is_taken_again(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    void *first = pool_take(&p, 100);
    void *second = pool_take(&p, 100);
    assert_ptr_not_equal(first, second);
    pool_give(&p, first, 100);
    assert_ptr_equal(pool_take(&p, 112), first); /* the same class */
    pool_give(&p, first, 112);
    assert_ptr_not_equal(pool_take(&p, 113), first); /* the next class */
    assert_ptr_equal(pool_take(&p, 97), first);
    pool_release(&p);
}

/* A block that is given back as `size` is taken again for sizes down to `smallest`, and not for the next below. */
static void assert_class(struct pool *p, size_t smallest, size_t size)
{
    void *block = pool_take(p, size);
    pool_give(p, block, size);
    assert_ptr_equal(pool_take(p, smallest), block);
    pool_give(p, block, smallest);
    if (smallest > 1) {
        assert_ptr_not_equal(pool_take(p, smallest - 1), block);
    }
    assert_ptr_not_equal(pool_take(p, size + 1), block);
}

static void a_block_is_little_larger_than_was_asked_for(void **state)
{
    (void)state;
    static const size_t tops[] = {32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640};
    struct pool p;
    pool_init(&p);
    size_t smallest = 1;
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        assert_class(&p, smallest, tops[i]);
        smallest = tops[i] + 1;
    }
    assert_class(&p, (1u << 20) + 1, 5u << 18);
    assert_class(&p, (7u << 18) + 1, 1u << 21);
    pool_release(&p);
}

static void steady_traffic_takes_nothing_from_the_system(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    struct random r;
    random_init(&r, 3);
    void *blocks[500];
    size_t slabs_after_first = 0;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
            blocks[i] = pool_take(&p, 1 + i * 7);
        }
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
            pool_give(&p, blocks[i], 1 + i * 7);
        }
        slabs_after_first = round == 0 ? slabs_of(&p) : slabs_after_first;
        assert_int_equal(slabs_of(&p), slabs_after_first);
    }
    assert_true(slabs_after_first > 0);
    pool_release(&p);
}

static void a_slab_holds_as_many_blocks_as_fit(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    for (int i = 0; i < 256 * 1024 / 64; i++) {
        pool_take(&p, 64);
    }
    assert_int_equal(slabs_of(&p), 1);
    pool_take(&p, 64);
    assert_int_equal(slabs_of(&p), 2);
    pool_release(&p);
}

static void a_large_block_has_its_own_slab(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    char *block = pool_take(&p, (size_t)1 << 27);
    block[0] = 1;
    block[((size_t)1 << 27) - 1] = 2;
    assert_int_equal(slabs_of(&p), 1);
    pool_give(&p, block, (size_t)1 << 27);
    assert_ptr_equal(pool_take(&p, ((size_t)7 << 24) + 1), block);
    pool_take(&p, 300000);
    pool_take(&p, 300000);
    assert_int_equal(slabs_of(&p), 3);
    pool_release(&p);
}

static void releasing_leaves_an_empty_pool(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    pool_take(&p, 10);
    pool_release(&p);
    assert_null(p.slabs);
    assert_non_null(pool_take(&p, 10));
    assert_int_equal(slabs_of(&p), 1);
    pool_release(&p);
}

struct owned {
    unsigned char *block;
    size_t size;
    unsigned char mark;
};

static void owned_take(struct owned *o, struct pool *p, struct random *r)
{
    o->size = 1 + (random_u64(r) >> (64 - 1 - random_below(r, 14)));
    o->mark = (unsigned char)random_u64(r);
    o->block = pool_take(p, o->size);
    memset(o->block, o->mark, o->size);
}

static void owned_give(struct owned *o, struct pool *p)
{
    for (size_t i = 0; i < o->size; i++) {
        assert_int_equal(o->block[i], o->mark);
    }
    pool_give(p, o->block, o->size);
    o->block = NULL;
}

static void blocks_never_overlap(void **state)
{
    (void)state;
    struct pool p;
    struct random r;
    pool_init(&p);
    random_init(&r, 4);
    static struct owned owned[300];
    for (int step = 0; step < 20000; step++) {
        struct owned *o = &owned[random_below(&r, ARRAY_LEN(owned))];
        if (o->block == NULL) {
            owned_take(o, &p, &r);
        } else {
            owned_give(o, &p);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
        if (owned[i].block != NULL) {
            owned_give(&owned[i], &p);
        }
    }
    pool_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_aligned_and_writable_to_its_end),
        cmocka_unit_test(a_block_that_was_given_back_is_taken_again),
        cmocka_unit_test(a_block_is_little_larger_than_was_asked_for),
        cmocka_unit_test(steady_traffic_takes_nothing_from_the_system),
        cmocka_unit_test(a_slab_holds_as_many_blocks_as_fit),
        cmocka_unit_test(a_large_block_has_its_own_slab),
        cmocka_unit_test(releasing_leaves_an_empty_pool),
        cmocka_unit_test(blocks_never_overlap),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
