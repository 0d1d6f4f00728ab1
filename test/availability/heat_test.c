#include "test.h"

#include "availability/heat.h"
#include "availability/view.h"
#include "base/mem.h"

#include <stdio.h>

#define ENTRIES 5000

static struct shelf_entry *entries[ENTRIES];

static int make_entries(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = mem_new(sizeof(struct shelf_entry) + 32);
        entries[i]->sku_len = (uint8_t)snprintf(entries[i]->sku, 32, "sku \"%d\"", i);
    }
    return 0;
}

static int free_entries(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRIES; i++) {
        mem_free(entries[i]);
    }
    return 0;
}

static uint32_t reads_of(const struct heat *h, const struct shelf_entry *e)
{
    for (size_t i = 0; i < h->len; i++) {
        if (h->entries[i] == e) {
            return h->reads[i];
        }
    }
    return 0;
}

static void few_are_counted_exactly(void **state)
{
    (void)state;
    struct heat *h = mem_new(sizeof(*h));
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k <= i; k++) {
            heat_count(h, entries[i]);
        }
    }
    assert_int_equal(h->len, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(reads_of(h, entries[i]), i + 1);
    }
    heat_clear(h);
    assert_int_equal(h->len, 0);
    heat_count(h, entries[7]);
    assert_int_equal(reads_of(h, entries[7]), 1);
    heat_release(h);
    mem_free(h);
}

/* Whoever has more than a share of 1 in HEAT_SKUS_MAX of all reads is in it, however many others there are. */
static void the_most_read_stay_among_many_others(void **state)
{
    (void)state;
    struct heat *h = mem_new(sizeof(*h));
    for (int round = 0; round < 20; round++) {
        for (int i = 100; i < ENTRIES; i++) {
            heat_count(h, entries[i]);
            heat_count(h, entries[i % 100]);
        }
    }
    assert_int_equal(h->len, HEAT_SKUS_MAX);
    for (int i = 0; i < 100; i++) {
        assert_true(reads_of(h, entries[i]) >= 20 * (ENTRIES - 100) / 100);
    }
    heat_release(h);
    mem_free(h);
}

static struct hot_list *list_of(const char *json)
{
    struct hot_list *list = mem_new(sizeof(*list));
    assert_true(hot_list_parse(list, str_from(json)));
    return list;
}

static void expect_list(const struct hot_list *list, const char *json)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    hot_list_render(list, &out);
    buf_put_char(&out, '\0');
    assert_string_equal(out.ptr, json);
    buf_release(&out);
}

static void a_list_is_read_in_order_and_without_repeats(void **state)
{
    (void)state;
    struct hot_list *list = list_of("{\"version\":7,\"skus\":[{\"sku\":\"b\",\"reads\":1},{\"sku\":\"a\",\"reads\":1},"
                                    "{\"sku\":\"\xe2\x82\xac \\\"1\\\"\",\"reads\":5},{\"sku\":\"b\",\"reads\":2}]}");
    expect_list(
        list,
        "{\"version\":7,\"skus\":[{\"sku\":\"\xe2\x82\xac \\\"1\\\"\",\"reads\":5},{\"sku\":\"b\",\"reads\":3},"
        "{\"sku\":\"a\",\"reads\":1}]}");
    mem_free(list);
}

static void what_is_no_list_is_an_empty_one(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        "[]",
        "{}",
        "nothing",
        "{\"version\":1}",
        "{\"version\":-1,\"skus\":[]}",
        "{\"version\":1,\"skus\":{}}",
        "{\"version\":1,\"skus\":[],\"more\":1}",
        "{\"version\":1,\"version\":2,\"skus\":[]}",
        "{\"version\":1,\"skus\":[\"a\"]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"a\",\"reads\":1},{\"sku\":\"b\"}]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"a\",\"reads\":-1}]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"a\",\"reads\":9007199254740993}]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"\",\"reads\":1}]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"a\\u0001\",\"reads\":1}]}",
        "{\"version\":1,\"skus\":[{\"sku\":\"1234567890123456789012345678901234567890123456789012345678901234x\","
        "\"reads\":1}]}",
    };
    struct hot_list *list = mem_new(sizeof(*list));
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        list->len = 1;
        if (hot_list_parse(list, str_from(none[i]))) {
            fail_msg("%s was taken", none[i]);
        }
        assert_int_equal(list->len, 0);
    }
    mem_free(list);
}

static void a_list_of_more_than_fit_is_none(void **state)
{
    (void)state;
    struct buf json;
    buf_init(&json, 1024 * 1024);
    buf_put_literal(&json, "{\"version\":1,\"skus\":[");
    for (int i = 0; i <= HEAT_SKUS_MAX; i++) {
        buf_printf(&json, "%s{\"sku\":\"s%d\",\"reads\":1}", i == 0 ? "" : ",", i);
    }
    buf_put_literal(&json, "]}");
    struct hot_list *list = mem_new(sizeof(*list));
    assert_false(hot_list_parse(list, buf_str(&json)));
    assert_int_equal(list->len, 0);
    buf_release(&json);
    mem_free(list);
}

static void the_reads_of_a_node_are_added_and_older_ones_halved(void **state)
{
    (void)state;
    struct hot_list *list = list_of("{\"version\":100,\"skus\":[{\"sku\":\"sku \\\"1\\\"\",\"reads\":5},"
                                    "{\"sku\":\"other\",\"reads\":9}]}");
    struct heat *h = mem_new(sizeof(*h));
    for (int i = 0; i < 3; i++) {
        heat_count(h, entries[1]);
    }
    heat_count(h, entries[2]);
    hot_list_add(list, h, 50);
    expect_list(
        list,
        "{\"version\":101,\"skus\":[{\"sku\":\"sku \\\"1\\\"\",\"reads\":5},{\"sku\":\"other\",\"reads\":4},"
        "{\"sku\":\"sku \\\"2\\\"\",\"reads\":1}]}");
    hot_list_add(list, h, 5000);
    assert_int_equal(list->version, 5000);
    heat_release(h);
    mem_free(h);
    mem_free(list);
}

static void the_most_read_are_kept_and_what_is_written_can_be_read(void **state)
{
    (void)state;
    struct hot_list *list = mem_new(sizeof(*list));
    struct hot_list *again = mem_new(sizeof(*again));
    struct heat *h = mem_new(sizeof(*h));
    struct buf out;
    for (int pass = 0; pass < 3; pass++) {
        heat_clear(h);
        for (int i = 0; i < HEAT_SKUS_MAX; i++) {
            heat_count(h, entries[pass * HEAT_SKUS_MAX + i]);
        }
        hot_list_add(list, h, 1);
        assert_int_equal(list->len, HEAT_SKUS_MAX);
        assert_int_equal(list->skus[HEAT_SKUS_MAX - 1].reads, 1); /* the new ones came before the halved */
    }
    for (size_t size = 2000; size <= 64000; size += 31000) {
        buf_init(&out, size);
        hot_list_render(list, &out);
        assert_false(out.overflowed);
        assert_true(hot_list_parse(again, buf_str(&out)));
        assert_true(again->len > 0 && again->len <= list->len && again->version == list->version);
        buf_release(&out);
    }
    assert_int_equal(again->len, list->len);
    heat_release(h);
    mem_free(h);
    mem_free(again);
    mem_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_counted_exactly),
        cmocka_unit_test(the_most_read_stay_among_many_others),
        cmocka_unit_test(a_list_is_read_in_order_and_without_repeats),
        cmocka_unit_test(what_is_no_list_is_an_empty_one),
        cmocka_unit_test(a_list_of_more_than_fit_is_none),
        cmocka_unit_test(the_reads_of_a_node_are_added_and_older_ones_halved),
        cmocka_unit_test(the_most_read_are_kept_and_what_is_written_can_be_read),
    };
    return cmocka_run_group_tests(tests, make_entries, free_entries);
}
