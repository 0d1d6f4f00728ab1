#include "api/decode.h"

#include "test.h"

#include <stdio.h>

/* One body of a request and what must come of it. */
struct row {
    const char *body;
    enum err err;
    const char *pointer; /* NULL: not looked at */
    const char *code;
};

static enum err decode(const struct message *m, struct str body, struct command *out, struct decode_errors *errors)
{
    struct decoded decoded = {0};
    struct err_note note = {{0}};
    *out = (struct command){0};
    enum err e = decode_body(&decoded, m, body, false, out, errors, &note);
    assert_true((e == ERR_MALFORMED) == (note.text[0] != 0));
    assert_true((e == ERR_INVALID) == (errors->count > 0));
    decoded_release(&decoded);
    return e;
}

static void check_row(const struct message *m, const struct row *row)
{
    struct decode_errors errors;
    struct command command;
    char expected[512];
    decode_errors_init(&errors);
    enum err e = decode(m, str_from(row->body), &command, &errors);
    if (e != row->err) {
        fail_msg("%s: expected %d, got %d", row->body, row->err, e);
    }
    if (row->code != NULL) {
        buf_put_char(&errors.json, 0);
        snprintf(expected, sizeof(expected), "{\"pointer\":\"%s\",", row->pointer);
        if (strstr(errors.json.ptr, expected) == NULL) {
            fail_msg("%s: %s not in %s", row->body, expected, errors.json.ptr);
        }
        snprintf(expected, sizeof(expected), "\"code\":\"%s\"}", row->code);
        assert_non_null(strstr(errors.json.ptr, expected));
    }
    decode_errors_release(&errors);
}

#define QUANTITY(text) "{\"lines\":[{\"sku\":\"A\",\"quantity\":" text "}]}"
#define TEN "0000000000"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void every_bad_number_is_refused_with_a_pointer(void **state)
{
    (void)state;
    static const char *const at = "/lines/0/quantity";
    static const struct row rows[] = {
        {QUANTITY("0"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("-1"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("-0"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("1000001"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("2147483648"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("9223372036854775807"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("-9223372036854775808"), ERR_INVALID, at, "out_of_range"},
        {QUANTITY("9223372036854775808"), ERR_INVALID, "", "out_of_range"},
        {QUANTITY("18446744073709551617"), ERR_INVALID, "", "out_of_range"},
        {QUANTITY("1" HUNDRED HUNDRED HUNDRED HUNDRED), ERR_INVALID, "", "out_of_range"},
        {QUANTITY("1e400"), ERR_INVALID, "", "out_of_range"},
        {QUANTITY("1.5"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("1.0"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("1e2"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("1E0"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("\"5\""), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("null"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("true"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("[1]"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("{}"), ERR_INVALID, at, "wrong_type"},
        {QUANTITY("01"), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("+1"), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("0x1"), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("NaN"), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("Infinity"), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("1."), ERR_MALFORMED, NULL, NULL},
        {QUANTITY("1"), ERR_OK, NULL, NULL},
        {QUANTITY("1000000"), ERR_OK, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&reservation_request, &rows[i]);
    }
}

#define LINE "{\"sku\":\"A\",\"quantity\":1}"

static void what_is_not_in_the_table_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{}", ERR_INVALID, "/lines", "missing"},
        {"{\"lines\":[]}", ERR_INVALID, "/lines", "out_of_range"},
        {"{\"lines\":{}}", ERR_INVALID, "/lines", "wrong_type"},
        {"{\"lines\":[5]}", ERR_INVALID, "/lines/0", "wrong_type"},
        {"{\"lines\":[{}]}", ERR_INVALID, "/lines/0/sku", "missing"},
        {"{\"lines\":[" LINE ",{\"sku\":\"A\"}]}", ERR_INVALID, "/lines/1/quantity", "missing"},
        {"{\"lines\":[" LINE "],\"status\":\"held\"}", ERR_INVALID, "/status", "unknown_member"},
        {"{\"lines\":[" LINE "],\"expires_at\":1}", ERR_INVALID, "/expires_at", "unknown_member"},
        {"{\"lines\":[" LINE "],\"a/b~c\":1}", ERR_INVALID, "/a~1b~0c", "unknown_member"},
        {"{\"lines\":[" LINE "],\"\":1}", ERR_INVALID, "/", "unknown_member"},
        {"{\"lines\":[" LINE "],\"Lines\":1}", ERR_INVALID, "/Lines", "unknown_member"},
        {"{\"lines\":[" LINE "],\"ttl_s\":0}", ERR_INVALID, "/ttl_s", "out_of_range"},
        {"{\"lines\":[" LINE "],\"ttl_s\":86401}", ERR_INVALID, "/ttl_s", "out_of_range"},
        {"{\"lines\":[" LINE "],\"reference\":\"\"}", ERR_INVALID, "/reference", "out_of_range"},
        {"{\"lines\":[" LINE "],\"reference\":\"a\\nb\"}", ERR_INVALID, "/reference", "out_of_range"},
        {"{\"lines\":[{\"sku\":\" A\",\"quantity\":1}]}", ERR_INVALID, "/lines/0/sku", "out_of_range"},
        {"{\"lines\":[{\"sku\":\"A\\r\\nX: y\",\"quantity\":1}]}", ERR_INVALID, "/lines/0/sku", "out_of_range"},
        {"{\"lines\":[{\"sku\":5,\"quantity\":1}]}", ERR_INVALID, "/lines/0/sku", "wrong_type"},
        {"{\"lines\":[{\"sku\":\"A\",\"quantity\":1,\"location\":\"a b\"}]}", ERR_INVALID, "/lines/0/location",
         "out_of_range"},
        {"{\"lines\":[{\"sku\":\"A\",\"quantity\":1,\"location\":null}]}", ERR_INVALID, "/lines/0/location",
         "wrong_type"},
        {"[]", ERR_INVALID, "", "wrong_type"},
        {"5", ERR_INVALID, "", "wrong_type"},
        {"null", ERR_INVALID, "", "wrong_type"},
        {"{\"lines\":[" LINE "],\"ttl_s\":1,\"reference\":\"order 7\"}", ERR_OK, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&reservation_request, &rows[i]);
    }
}

static void broken_json_is_malformed(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{",
        "{\"lines\":[" LINE "]",
        "{\"lines\":[" LINE "]} x",
        "{\"lines\":[" LINE "]}{}",
        "{\"lines\":[" LINE "],\"lines\":[" LINE "]}",
        "{\"lines\":[{\"sku\":\"A\",\"sku\":\"B\",\"quantity\":1}]}",
        "{'lines':[]}",
        "{\"lines\":[]/**/}",
        "{\"lines\":[" LINE ",]}",
        "\xef\xbb\xbf{}",
        "{\"lines\":[{\"sku\":\"\xff\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"\xc0\x80\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"\xed\xa0\x80\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"\\ud800\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"A\\u0000\",\"quantity\":1}]}",
        "{\"\\u0000\":1}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        check_row(&reservation_request, &(struct row){bodies[i], ERR_MALFORMED, NULL, NULL});
    }
    struct decode_errors errors;
    struct command command;
    decode_errors_init(&errors);
    static const char with_nul[] = "{}\0{}";
    struct str body = {with_nul, sizeof(with_nul) - 1};
    assert_int_equal(decode(&empty_request, body, &command, &errors), ERR_MALFORMED);
    decode_errors_release(&errors);
}

static struct str nested(char *room, size_t depth)
{
    size_t len = 0;
    memcpy(room, "{\"x\":", 5);
    len = 5;
    memset(room + len, '[', depth - 1);
    len += depth - 1;
    memset(room + len, ']', depth - 1);
    len += depth - 1;
    room[len++] = '}';
    return (struct str){room, len};
}

static void nesting_ends_at_32_levels_and_brackets_in_strings_do_not_count(void **state)
{
    (void)state;
    char room[256];
    struct decode_errors errors;
    struct command command;
    decode_errors_init(&errors);
    assert_int_equal(decode(&empty_request, nested(room, 32), &command, &errors), ERR_INVALID);
    errors.count = 0;
    assert_int_equal(decode(&empty_request, nested(room, 33), &command, &errors), ERR_MALFORMED);
    decode_errors_release(&errors);
    check_row(
        &location_request,
        &(struct row){"{\"name\":\"[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", ERR_OK, NULL, NULL});
}

static void the_lists_of_lines_and_of_errors_are_bounded(void **state)
{
    (void)state;
    struct buf body;
    struct decode_errors errors;
    struct command command;
    buf_init(&body, 1 << 20);
    decode_errors_init(&errors);
    buf_put_literal(&body, "{\"lines\":[");
    for (int i = 0; i < LINES_MAX; i++) {
        buf_printf(&body, "%s{\"bad\":1}", i == 0 ? "" : ",");
    }
    buf_put_literal(&body, "]}");
    assert_int_equal(decode(&reservation_request, buf_str(&body), &command, &errors), ERR_INVALID);
    assert_int_equal(errors.count, 3 * LINES_MAX); /* the unknown one and two missing ones a line */
    buf_clear(&body);
    decode_errors_render(&errors, &body);
    buf_put_char(&body, 0);
    json_t *listed = json_loads(body.ptr + strlen(",\"errors\":"), 0, NULL);
    assert_int_equal(json_array_size(listed), DECODE_ERRORS_MAX);
    json_decref(listed);
    decode_errors_release(&errors);
    buf_clear(&body);
    buf_put_literal(&body, "{\"lines\":[");
    for (int i = 0; i <= LINES_MAX; i++) {
        buf_printf(&body, "%s" LINE, i == 0 ? "" : ",");
    }
    buf_put_literal(&body, "]}\0");
    check_row(&reservation_request, &(struct row){body.ptr, ERR_INVALID, "/lines", "out_of_range"});
    buf_release(&body);
}

static void a_good_body_fills_the_command(void **state)
{
    (void)state;
    struct decoded decoded = {0};
    struct decode_errors errors;
    struct err_note note;
    struct command c = {0};
    decode_errors_init(&errors);
    struct str body =
        STR("{\"reference\":\"o-1\",\"lines\":[{\"sku\":\"A\\u00e9\",\"quantity\":7,\"location\":\"leeds\"},"
            "{\"quantity\":1000000,\"sku\":\"B\"}]}");
    assert_int_equal(decode_body(&decoded, &reservation_request, body, false, &c, &errors, &note), ERR_OK);
    assert_int_equal(c.lines_len, 2);
    assert_true(str_equal(c.lines[0].sku, STR("A\xc3\xa9")));
    assert_true(str_equal(c.lines[0].location, STR("leeds")));
    assert_int_equal(c.lines[0].quantity, 7);
    assert_true(str_is_absent(c.lines[1].location));
    assert_int_equal(c.lines[1].quantity, 1000000);
    assert_int_equal(c.ttl_s, TTL_S_DEFAULT);
    assert_true(str_equal(c.reference, STR("o-1")));
    assert_true(str_is_absent(c.reason));
    decoded_release(&decoded);
    decode_errors_release(&errors);
}

static void a_set_marks_what_was_given(void **state)
{
    (void)state;
    struct decode_errors errors;
    struct command c;
    decode_errors_init(&errors);
    struct str body = STR("{\"on_hand\":0,\"incoming\":1000000000000}");
    assert_int_equal(decode(&level_request, body, &c, &errors), ERR_OK);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        assert_int_equal(c.set_given[q], q == QUANTITY_ON_HAND || q == QUANTITY_INCOMING);
    }
    assert_int_equal(c.set.of[QUANTITY_INCOMING], QUANTITY_MAX);
    decode_errors_release(&errors);
    static const struct row rows[] = {
        {"{}", ERR_INVALID, "", "missing"},
        {"{\"reason\":\"count\"}", ERR_INVALID, "", "missing"},
        {"{\"on_hand\":-1}", ERR_INVALID, "/on_hand", "out_of_range"},
        {"{\"on_hand\":1000000000001}", ERR_INVALID, "/on_hand", "out_of_range"},
        {"{\"reserved\":1}", ERR_INVALID, "/reserved", "unknown_member"},
        {"{\"committed\":1}", ERR_INVALID, "/committed", "unknown_member"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&level_request, &rows[i]);
    }
}

static void adjustments_and_transfers_and_returns_have_their_own_rules(void **state)
{
    (void)state;
#define ADJUST(quantity, delta)                                                                    \
    "{\"lines\":[{\"sku\":\"A\",\"location\":\"l\",\"quantity\":\"" quantity "\",\"delta\":" delta \
    "}],\"reason\":\"r\"}"
    static const struct row adjustments[] = {
        {ADJUST("on_hand", "-1000000"), ERR_OK, NULL, NULL},
        {ADJUST("incoming", "1000000"), ERR_OK, NULL, NULL},
        {ADJUST("on_hand", "0"), ERR_INVALID, "/lines/0/delta", "out_of_range"},
        {ADJUST("on_hand", "-1000001"), ERR_INVALID, "/lines/0/delta", "out_of_range"},
        {ADJUST("reserved", "1"), ERR_INVALID, "/lines/0/quantity", "not_a_choice"},
        {ADJUST("", "1"), ERR_INVALID, "/lines/0/quantity", "not_a_choice"},
        {"{\"lines\":[]}", ERR_INVALID, "/reason", "missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(adjustments); i++) {
        check_row(&adjustment_request, &adjustments[i]);
    }
    check_row(
        &transfer_request,
        &(struct row){"{\"from\":\"a\",\"to\":\"a\",\"lines\":[" LINE "]}", ERR_INVALID, "/to", "out_of_range"});
    check_row(
        &transfer_request, &(struct row){"{\"from\":\"a\",\"to\":\"b\",\"lines\":[" LINE "]}", ERR_OK, NULL, NULL});
    check_row(&return_request, &(struct row){"{\"to\":\"lost\"}", ERR_INVALID, "/to", "not_a_choice"});
    check_row(&return_request, &(struct row){"{\"to\":\"damaged\"}", ERR_OK, NULL, NULL});
    check_row(&return_request, &(struct row){"{}", ERR_OK, NULL, NULL});
}

static void attributes_are_kept_in_one_spelling_and_bounded(void **state)
{
    (void)state;
    struct decoded decoded = {0};
    struct decode_errors errors;
    struct err_note note;
    struct command c = {0};
    decode_errors_init(&errors);
    struct str body = STR("{\"name\":\"n\",\"attributes\":{ \"b\" : 1.1, \"a\":[true,null,\"\\u0041\"] }}");
    assert_int_equal(decode_body(&decoded, &item_request, body, false, &c, &errors, &note), ERR_OK);
    assert_true(str_equal(c.attributes, STR("{\"a\":[true,null,\"A\"],\"b\":1.1}")));
    decoded_release(&decoded);
    decode_errors_release(&errors);
    char large[ATTRIBUTES_BYTES_MAX + 64];
    int len = snprintf(
        large, sizeof(large), "{\"name\":\"n\",\"attributes\":{\"a\":\"%*s\"}}", ATTRIBUTES_BYTES_MAX - 8, "x");
    assert_true(len > 0 && len < (int)sizeof(large));
    check_row(&item_request, &(struct row){large, ERR_OK, NULL, NULL});
    snprintf(large, sizeof(large), "{\"name\":\"n\",\"attributes\":{\"a\":\"%*s\"}}", ATTRIBUTES_BYTES_MAX - 7, "x");
    check_row(&item_request, &(struct row){large, ERR_INVALID, "/attributes", "out_of_range"});
    check_row(
        &item_request, &(struct row){"{\"name\":\"n\",\"attributes\":[]}", ERR_INVALID, "/attributes", "wrong_type"});
}

static void a_long_unknown_name_is_cut_between_characters(void **state)
{
    (void)state;
    struct buf body;
    struct decode_errors errors;
    struct command c;
    buf_init(&body, 4096);
    decode_errors_init(&errors);
    buf_put_literal(&body, "{\"");
    for (int i = 0; i < 500; i++) {
        buf_put_literal(&body, "\xe2\x82\xac");
    }
    buf_put_literal(&body, "\":1}");
    assert_int_equal(decode(&empty_request, buf_str(&body), &c, &errors), ERR_INVALID);
    assert_true(str_is_utf8(buf_str(&errors.json)));
    assert_true(errors.json.len < 512);
    decode_errors_release(&errors);
    buf_release(&body);
}

static void an_absent_body_counts_only_where_it_is_optional(void **state)
{
    (void)state;
    struct decoded decoded = {0};
    struct decode_errors errors;
    struct err_note note;
    struct command c = {0};
    decode_errors_init(&errors);
    assert_int_equal(decode_body(&decoded, &extend_request, STR_NONE, true, &c, &errors, &note), ERR_OK);
    assert_int_equal(c.ttl_s, TTL_S_DEFAULT);
    decoded_release(&decoded);
    assert_int_equal(decode_body(&decoded, &extend_request, STR_NONE, false, &c, &errors, &note), ERR_MALFORMED);
    decoded_release(&decoded);
    decode_errors_release(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_number_is_refused_with_a_pointer),
        cmocka_unit_test(what_is_not_in_the_table_is_refused),
        cmocka_unit_test(broken_json_is_malformed),
        cmocka_unit_test(nesting_ends_at_32_levels_and_brackets_in_strings_do_not_count),
        cmocka_unit_test(the_lists_of_lines_and_of_errors_are_bounded),
        cmocka_unit_test(a_good_body_fills_the_command),
        cmocka_unit_test(a_set_marks_what_was_given),
        cmocka_unit_test(adjustments_and_transfers_and_returns_have_their_own_rules),
        cmocka_unit_test(attributes_are_kept_in_one_spelling_and_bounded),
        cmocka_unit_test(a_long_unknown_name_is_cut_between_characters),
        cmocka_unit_test(an_absent_body_counts_only_where_it_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
