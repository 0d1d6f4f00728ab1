#include "api/encode.h"
#include "api/messages.h"
#include "api/render.h"
#include "shape.h"

#include "test.h"

#include <string.h>

#define NOW_MS 1795444883045LL

static struct movement a_movement(uint64_t seq, uint32_t item, uint32_t location)
{
    return (struct movement){
        .seq = seq,
        .time_ms = NOW_MS,
        .kind = MOVEMENT_ADJUST,
        .item = item,
        .location = location,
        .sku = STR("A \"1\"\\"),
        .location_id = STR("leeds"),
        .delta = {{-3, 0, 0, 3, 0, 0, 0}},
        .after = {{10, 1, 2, 3, 4, 5, 6}},
        .version = seq,
        .reservation = 4,
        .reason = STR("r"),
        .reference = STR("o"),
        .actor = STR("me"),
    };
}

static void a_level_is_as_documented(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct movement m = a_movement(9, 1, 1);
    struct level_shown level = level_shown_after(&m);
    encode_level(&b, &level);
    shape_check_text(&level_answer, buf_str(&b));
    buf_put_char(&b, 0);
    assert_string_equal(
        b.ptr,
        "{\"sku\":\"A \\\"1\\\"\\\\\",\"location\":\"leeds\",\"on_hand\":10,\"reserved\":1,\"committed\":2,\"damaged\":3,"
        "\"quality_control\":4,\"safety_stock\":5,\"incoming\":6,\"available\":-5,\"version\":9,"
        "\"updated_at\":\"2026-11-23T14:41:23.045Z\"}");
    buf_clear(&b);
    encode_level_written(&b, &level, 12);
    shape_check_text(&level_written_answer, buf_str(&b));
    buf_release(&b);
}

static void items_and_locations_are_as_documented(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    encode_item_open(&b, STR("A"), STR("name"), STR_NONE);
    encode_seq_close(&b, 0);
    shape_check_text(&item_written_answer, buf_str(&b));
    buf_clear(&b);
    encode_item_open(&b, STR("A"), STR("name"), STR("{\"a\":1}"));
    buf_put_char(&b, '}');
    shape_check_text(&item_answer, buf_str(&b));
    buf_clear(&b);
    encode_location_open(&b, STR("leeds"), STR("Leeds"), PRIORITY_MAX);
    buf_put_char(&b, '}');
    shape_check_text(&location_answer, buf_str(&b));
    buf_clear(&b);
    encode_location_open(&b, STR("leeds"), STR("Leeds"), 0);
    encode_seq_close(&b, 7);
    shape_check_text(&location_written_answer, buf_str(&b));
    buf_release(&b);
}

static struct reservation a_reservation(struct reservation_line *lines, uint32_t len)
{
    return (struct reservation){
        .id = {{1, 2, 3}},
        .seq = 5,
        .state = RESERVATION_COMMITTED,
        .created_ms = NOW_MS,
        .expires_ms = NOW_MS + 1000,
        .updated_ms = NOW_MS,
        .lines = lines,
        .lines_len = len,
    };
}

static void a_reservation_is_as_documented(void **state)
{
    (void)state;
    struct reservation_line lines[] = {
        {1, 1, STR("A"), STR("leeds"), 5, 2, 1},
        {2, 1, STR("B"), STR("leeds"), 1, 0, 0},
    };
    struct reservation r = a_reservation(lines, 2);
    struct buf b;
    buf_init(&b, 4096);
    for (int s = RESERVATION_HELD; s < RESERVATION_STATE_END; s++) {
        r.state = (enum reservation_state)s;
        r.reference = s % 2 == 0 ? STR("o-1") : STR_NONE;
        buf_clear(&b);
        encode_reservation_open(&b, &r);
        encode_seq_close(&b, 42);
        shape_check_text(&reservation_written_answer, buf_str(&b));
    }
    uint64_t seq;
    assert_true(encode_seq_of(buf_str(&b), &seq));
    assert_int_equal(seq, 42);
    buf_release(&b);
}

/* One answer of a write fits what it may take at most. */
static void the_largest_reservation_fits(void **state)
{
    (void)state;
    static struct reservation_line lines[RESERVATION_PARTS_MAX];
    static char quotes[SKU_BYTES_MAX];
    memset(quotes, '"', sizeof(quotes));
    for (size_t i = 0; i < RESERVATION_PARTS_MAX; i++) {
        struct str sku = {quotes, sizeof(quotes)};
        lines[i] = (struct reservation_line){1, 1, sku, sku, QUANTITY_MAX, QUANTITY_MAX, QUANTITY_MAX};
    }
    struct reservation r = a_reservation(lines, RESERVATION_PARTS_MAX);
    struct buf b;
    buf_init(&b, 512 * 1024);
    encode_reservation_open(&b, &r);
    encode_seq_close(&b, UINT64_MAX);
    assert_false(b.overflowed);
    buf_release(&b);
}

static void a_movement_is_as_documented(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct movement m = a_movement(9, 1, 1);
    for (int kind = MOVEMENT_RECEIVE; kind < MOVEMENT_KIND_END; kind++) {
        m.kind = (enum movement_kind)kind;
        buf_clear(&b);
        encode_movement(&b, &m);
        struct buf list;
        buf_init(&list, 8192);
        buf_printf(&list, "{\"data\":[%.*s],\"page\":{\"next\":null,\"limit\":1}}", STR_ARG(buf_str(&b)));
        shape_check_text(&movement_list_answer, buf_str(&list));
        buf_release(&list);
    }
    buf_release(&b);
}

static void lines_show_each_level_once_as_it_is_now(void **state)
{
    (void)state;
    struct movement movements[] = {
        a_movement(1, 9, 9), a_movement(2, 1, 1), a_movement(3, 1, 2), a_movement(4, 1, 1), a_movement(5, 9, 9)};
    const struct changes changes = {.movements = movements, .movements_len = ARRAY_LEN(movements)};
    const struct result result = {.movements_at = 1, .movements_len = 3, .seq = 4};
    const struct command command = {.kind = COMMAND_ADJUST};
    struct buf b;
    buf_init(&b, 8192);
    assert_int_equal(render_body(&b, &command, &result, &changes), 201);
    shape_check_text(&lines_answer, buf_str(&b));
    json_t *answer = json_loadb(b.ptr, b.len, 0, NULL);
    json_t *lines = json_object_get(answer, "lines");
    assert_int_equal(json_array_size(lines), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 0), "version")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 1), "version")), 4);
    json_decref(answer);
    buf_release(&b);
}

static void a_set_says_whether_it_created(void **state)
{
    (void)state;
    struct movement movement = a_movement(1, 1, 1);
    const struct changes changes = {.movements = &movement, .movements_len = 1};
    struct result result = {.movements_len = 1, .created = true, .seq = 1};
    const struct command command = {.kind = COMMAND_SET};
    struct buf b;
    buf_init(&b, 8192);
    assert_int_equal(render_body(&b, &command, &result, &changes), 201);
    shape_check_text(&level_written_answer, buf_str(&b));
    result.created = false;
    assert_int_equal(render_body(&b, &command, &result, &changes), 200);
    buf_release(&b);
}

static void the_seq_is_found_at_the_end_only(void **state)
{
    (void)state;
    uint64_t seq;
    assert_true(encode_seq_of(STR("{\"a\":1,\"seq\":0}"), &seq));
    assert_int_equal(seq, 0);
    assert_true(encode_seq_of(STR("{\"seq\":1,\"seq\":22}"), &seq));
    assert_int_equal(seq, 22);
    assert_false(encode_seq_of(STR("{\"seq\":1,\"a\":2}"), &seq));
    assert_false(encode_seq_of(STR("{\"seq\":}"), &seq));
    assert_false(encode_seq_of(STR("{\"seq\":1"), &seq));
    assert_false(encode_seq_of(STR(""), &seq));
    assert_false(encode_seq_of(STR("1}"), &seq));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_is_as_documented),       cmocka_unit_test(items_and_locations_are_as_documented),
        cmocka_unit_test(a_reservation_is_as_documented), cmocka_unit_test(the_largest_reservation_fits),
        cmocka_unit_test(a_movement_is_as_documented),    cmocka_unit_test(lines_show_each_level_once_as_it_is_now),
        cmocka_unit_test(a_set_says_whether_it_created),  cmocka_unit_test(the_seq_is_found_at_the_end_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
