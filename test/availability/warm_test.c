#include "test.h"

#include "availability/warm.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static const char good[] =
    "{\"sku\":\"a\",\"channel\":\"default\",\"status\":\"in_stock\",\"quantity\":7,\"message\":\"In "
    "stock\",\"version\":3,\"seq\":9,\"as_of\":\"2026-11-23T14:21:23.045Z\"}";

static void what_render_makes_is_an_answer(void **state)
{
    (void)state;
    static const char *const skus[] = {
        "a", "with blank", "\"quoted\" \\ /", "Gr\xc3\xbcner Tee \xe2\x82\xac",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    const struct policy policy = POLICY_DEFAULT;
    struct buf text;
    buf_init(&text, SHOWN_FRAME_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(skus); i++) {
        for (int64_t available = 0; available <= QUANTITY_MAX; available = available * 3 + 1) {
            const struct facts facts = {str_from(skus[i]), available, 1ULL << 60, 1ULL << 62, 1795704843045};
            struct rendered *r = render(&facts, &policy, &text);
            assert_true(warm_is_answer(facts.sku, r->shown.json));
            assert_false(warm_is_answer(STR("another"), r->shown.json));
            mem_free(r);
        }
    }
    buf_release(&text);
}

/* With `from` replaced by `to`. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    char *out = mem_new(sizeof(good) + strlen(to));
    assert_non_null(at);
    snprintf(out, sizeof(good) + strlen(to), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return out;
}

static void anything_else_is_none(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"{\"sku\":\"a\"", "{\"sku\":\"b\""},
        {"{\"sku\":\"a\"", " {\"sku\":\"a\""},
        {"{\"sku\":\"a\",", "{"},
        {"default", "other"},
        {"in_stock", "gone"},
        {":7", ":-7"},
        {":7", ":\"7\""},
        {":7", ":7.5"},
        {":7", ": 7\n"},
        {"\"In stock\"", "null"},
        {"\"version\":3", "\"version\":-3"},
        {"\"version\":3,", ""},
        {"\"seq\":9", "\"seq\":9,\"seq\":9"},
        {"\"seq\":9", "\"seq\":9,\"stale\":true"},
        {"2026-11-23T", "2026-11-33T"},
        {"Z\"}", "Z\"} "},
        {"Z\"}", "Z\"}}"},
        {"Z\"}", "Z\""},
        {"In stock", "In \xff stock"},
    };
    assert_true(warm_is_answer(STR("a"), str_from(good)));
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char *json = changed(changes[i][0], changes[i][1]);
        if (warm_is_answer(STR("a"), str_from(json))) {
            fail_msg("%s was taken", json);
        }
        mem_free(json);
    }
    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        assert_false(warm_is_answer(STR("a"), (struct str){good, len}));
    }
    assert_false(warm_is_answer(STR("a"), STR_NONE));
}

static struct str answer_of(int i, char sku[16], char json[SHOWN_FRAME_BYTES_MAX], struct str *out_json)
{
    int sku_len = snprintf(sku, 16, "s%d", i);
    int json_len = snprintf(json, SHOWN_FRAME_BYTES_MAX, "{\"sku\":\"%s\"%s", sku, good + 10);
    *out_json = (struct str){json, (size_t)json_len};
    return (struct str){sku, (size_t)sku_len};
}

static void a_table_remembers_a_bounded_number(void **state)
{
    (void)state;
    struct warm w = {0};
    char sku[16];
    char json[SHOWN_FRAME_BYTES_MAX];
    struct str answer;
    for (int i = 0; i < HEAT_SKUS_MAX + 10; i++) {
        struct str name = answer_of(i, sku, json, &answer);
        assert_int_equal(warm_add(&w, name, answer), i < HEAT_SKUS_MAX);
        assert_false(warm_add(&w, name, answer));
    }
    for (int i = 0; i < HEAT_SKUS_MAX + 10; i++) {
        struct str found = warm_find(&w, answer_of(i, sku, json, &answer));
        assert_int_equal(str_equal(found, answer), i < HEAT_SKUS_MAX);
    }
    assert_true(str_is_absent(warm_find(&w, STR("never"))));
    warm_release(&w);
    assert_true(str_is_absent(warm_find(&w, STR("s1"))));
}

static void what_is_no_answer_is_not_remembered(void **state)
{
    (void)state;
    struct warm w = {0};
    assert_false(warm_add(&w, STR("b"), str_from(good)));
    assert_true(str_is_absent(warm_find(&w, STR("b"))));
    warm_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_render_makes_is_an_answer),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(a_table_remembers_a_bounded_number),
        cmocka_unit_test(what_is_no_answer_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
