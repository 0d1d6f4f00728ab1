#include "test.h"

#include "base/check.h"
#include "base/map.h"
#include "base/random.h"

static void an_empty_map_finds_nothing(void **state)
{
    (void)state;
    struct map m;
    struct map_cursor c;
    map_init(&m);
    assert_int_equal(map_first(&m, 0, &c), 0);
    assert_int_equal(map_next(&m, &c), 0);
    assert_int_equal(map_first(&m, 42, &c), 0);
    assert_false(map_remove(&m, 42, 1));
    assert_int_equal(m.slots_len, 0);
    map_release(&m);
}

static void what_was_added_is_found_until_removed(void **state)
{
    (void)state;
    struct map m;
    struct map_cursor c;
    map_init(&m);
    map_add(&m, 0, 7);
    map_add(&m, UINT64_MAX, 8);
    assert_int_equal(map_first(&m, 0, &c), 7);
    assert_int_equal(map_next(&m, &c), 0);
    assert_int_equal(map_first(&m, UINT64_MAX, &c), 8);
    assert_true(map_remove(&m, 0, 7));
    assert_int_equal(map_first(&m, 0, &c), 0);
    assert_false(map_remove(&m, 0, 7));
    assert_int_equal(m.used, 1);
    map_release(&m);
}

static void remove_takes_exactly_the_pair(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    map_add(&m, 1, 10);
    assert_false(map_remove(&m, 1, 11));
    assert_false(map_remove(&m, 2, 10));
    assert_int_equal(m.used, 1);
    map_release(&m);
}

static void several_values_stand_under_one_hash(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    for (uint64_t v = 1; v <= 100; v++) {
        map_add(&m, 5, v);
    }
    assert_true(map_remove(&m, 5, 50));
    bool seen[101] = {false};
    struct map_cursor c;
    int count = 0;
    for (uint64_t v = map_first(&m, 5, &c); v != 0; v = map_next(&m, &c)) {
        assert_true(v <= 100 && !seen[v]);
        seen[v] = true;
        count++;
    }
    assert_int_equal(count, 99);
    assert_false(seen[50]);
    map_release(&m);
}

static void an_equal_pair_can_stand_twice(void **state)
{
    (void)state;
    struct map m;
    struct map_cursor c;
    map_init(&m);
    map_add(&m, 3, 9);
    map_add(&m, 3, 9);
    assert_true(map_remove(&m, 3, 9));
    assert_int_equal(map_first(&m, 3, &c), 9);
    assert_true(map_remove(&m, 3, 9));
    assert_int_equal(map_first(&m, 3, &c), 0);
    map_release(&m);
}

static void the_table_stays_at_most_three_quarters_full(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    for (uint64_t i = 1; i <= 100000; i++) {
        map_add(&m, i, i);
        assert_int_equal(m.used, i);
        assert_true(m.used * 4 <= m.slots_len * 3);
        assert_int_equal(m.slots_len & (m.slots_len - 1), 0);
    }
    assert_int_equal(m.slots_len, 262144);
    struct map_cursor c;
    for (uint64_t i = 1; i <= 100000; i++) {
        assert_int_equal(map_first(&m, i, &c), i);
    }
    map_release(&m);
}

static void removing_leaves_no_tombstones(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    for (uint64_t i = 1; i <= 100000; i++) {
        map_add(&m, i * 0x100000001b3ULL, i);
        if (i > 10) {
            assert_true(map_remove(&m, (i - 10) * 0x100000001b3ULL, i - 10));
        }
    }
    assert_int_equal(m.used, 10);
    assert_true(m.slots_len <= 32);
    map_release(&m);
}

/* Keys that a plain mask would put side by side. */
static void counters_and_multiples_of_the_table_size_spread(void **state)
{
    (void)state;
    for (uint64_t stride = 1; stride < (1ULL << 60); stride <<= 6) {
        struct map m;
        map_init(&m);
        for (uint64_t i = 1; i <= 3000; i++) {
            map_add(&m, i * stride, i);
        }
        size_t run = 0;
        size_t run_max = 0;
        for (size_t at = 0; at < m.slots_len; at++) {
            run = m.slots[at].value != 0 ? run + 1 : 0;
            run_max = run > run_max ? run : run_max;
        }
        assert_true(run_max < 500);
        map_release(&m);
    }
}

struct model {
    struct map_slot pairs[4096];
    size_t len;
};

/* Does the walk under `hash` give exactly the values of the model, each as often? */
static void assert_same_under(const struct map *m, const struct model *model, uint64_t hash)
{
    uint64_t sum = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < model->len; i++) {
        if (model->pairs[i].hash == hash) {
            sum += model->pairs[i].value * model->pairs[i].value;
            count++;
        }
    }
    struct map_cursor c;
    for (uint64_t v = map_first(m, hash, &c); v != 0; v = map_next(m, &c)) {
        sum -= v * v;
        count--;
    }
    assert_int_equal(count, 0);
    assert_int_equal(sum, 0);
}

static void model_step(struct map *m, struct model *model, struct random *r, uint64_t hashes, uint64_t adds_of_10)
{
    uint64_t hash = random_below(r, hashes) << 58 | random_below(r, 3);
    if (random_below(r, 10) < adds_of_10 && model->len < ARRAY_LEN(model->pairs)) {
        struct map_slot pair = {.hash = hash, .value = 1 + random_below(r, 1000)};
        model->pairs[model->len++] = pair;
        map_add(m, pair.hash, pair.value);
    } else if (model->len > 0) {
        size_t at = random_below(r, model->len);
        struct map_slot pair = model->pairs[at];
        model->pairs[at] = model->pairs[--model->len];
        assert_true(map_remove(m, pair.hash, pair.value));
        assert_same_under(m, model, pair.hash);
    }
    assert_same_under(m, model, hash);
    assert_int_equal(m->used, model->len);
}

/* Few hashes and long runs, so that holes are closed across the end of the table. */
static void the_map_agrees_with_a_plain_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static struct model model;
        model.len = 0;
        struct random r;
        struct map m;
        random_init(&r, seed);
        map_init(&m);
        for (int step = 0; step < 3000; step++) {
            model_step(&m, &model, &r, 1 + seed, step % 1000 < 500 ? 7 : 3);
        }
        while (model.len > 0) {
            struct map_slot pair = model.pairs[--model.len];
            assert_true(map_remove(&m, pair.hash, pair.value));
            assert_same_under(&m, &model, pair.hash);
        }
        assert_int_equal(m.used, 0);
        map_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(what_was_added_is_found_until_removed),
        cmocka_unit_test(remove_takes_exactly_the_pair),
        cmocka_unit_test(several_values_stand_under_one_hash),
        cmocka_unit_test(an_equal_pair_can_stand_twice),
        cmocka_unit_test(the_table_stays_at_most_three_quarters_full),
        cmocka_unit_test(removing_leaves_no_tombstones),
        cmocka_unit_test(counters_and_multiples_of_the_table_size_spread),
        cmocka_unit_test(the_map_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
