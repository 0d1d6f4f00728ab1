#include "test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/event.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PARTITION 7
#define EVENTS_MAX 64

/* What event_each() gave, copied. */
struct copy {
    enum event_kind kind;
    char *id;
    char *key;
    char *json;
};

struct copies {
    struct copy of[EVENTS_MAX];
    size_t len;
    size_t len_max; /* then no more is wanted */
};

static bool copy_event(void *ctx, const struct event *e)
{
    struct copies *c = ctx;
    assert_true(c->len < EVENTS_MAX);
    assert_true(e->json.len <= EVENT_BYTES_MAX && e->id.len <= EVENT_ID_BYTES_MAX);
    c->of[c->len++] = (struct copy){e->kind, mem_copy_str(e->id), mem_copy_str(e->key), mem_copy_str(e->json)};
    return c->len < c->len_max;
}

static void copies_take(struct copies *c, const struct bus_message *m)
{
    *c = (struct copies){.len_max = EVENTS_MAX};
    assert_true(event_each(m, copy_event, c));
}

static void copies_release(struct copies *c)
{
    for (size_t i = 0; i < c->len; i++) {
        mem_free(c->of[i].id);
        mem_free(c->of[i].key);
        mem_free(c->of[i].json);
    }
}

static struct level_row level_sample(struct str sku, struct str location, int64_t on_hand, uint64_t seq)
{
    return (struct level_row){
        .item = 11,
        .location = 12,
        .sku = sku,
        .location_id = location,
        .quantities.of = {on_hand, 1, 2, 3, 4, 5, 6},
        .version = 3,
        .seq = seq,
        .time_ms = 1795704843045,
    };
}

static struct bus_item item_sample(struct str sku, uint32_t number)
{
    return (struct bus_item){.item = number, .sku = sku, .time_ms = 1795704843000};
}

static const struct bus_position position_sample = {.epoch = 4, .seq = 99, .items = 5, .time_ms = 1795704844000};

static const char *const level_golden =
    "{\"specversion\":\"1.0\",\"id\":\"7-42\",\"source\":\"/onhand/partitions/7\","
    "\"type\":\"io.onhand.stock.changed.v1\",\"subject\":\"SKU \\\"1\\\"\",\"time\":\"2026-11-26T14:54:03.045Z\","
    "\"datacontenttype\":\"application/json\",\"sequence\":\"00000000000000000042\",\"partitionkey\":\"SKU \\\"1\\\"\","
    "\"data\":{\"partition\":7,\"sku\":\"SKU \\\"1\\\"\",\"location\":\"berlin\",\"on_hand\":10,\"reserved\":1,"
    "\"committed\":2,\"damaged\":3,\"quality_control\":4,\"safety_stock\":5,\"incoming\":6,\"available\":-5,"
    "\"version\":3,\"seq\":42}}";

static const char *const item_golden =
    "{\"specversion\":\"1.0\",\"id\":\"7-item-5\",\"source\":\"/onhand/partitions/7\","
    "\"type\":\"io.onhand.item.defined.v1\",\"subject\":\"new\",\"time\":\"2026-11-26T14:54:03.000Z\","
    "\"datacontenttype\":\"application/json\",\"sequence\":\"00000000000000000005\",\"partitionkey\":\"new\","
    "\"data\":{\"partition\":7,\"sku\":\"new\",\"number\":5,\"defined_at\":\"2026-11-26T14:54:03.000Z\"}}";

static const char *const position_golden =
    "{\"specversion\":\"1.0\",\"id\":\"7-4-99-1795704844000\",\"source\":\"/onhand/partitions/7\","
    "\"type\":\"io.onhand.stream.position.v1\",\"time\":\"2026-11-26T14:54:04.000Z\","
    "\"datacontenttype\":\"application/json\",\"sequence\":\"00000000000000000099\",\"partitionkey\":\"7\","
    "\"data\":{\"partition\":7,\"epoch\":4,\"seq\":99,\"items\":5}}";

static void events_have_these_bytes_and_come_as_items_levels_position(void **state)
{
    (void)state;
    struct level_row level = level_sample(STR("SKU \"1\""), STR("berlin"), 10, 42);
    struct bus_item item = item_sample(STR("new"), 5);
    struct bus_message m = {
        .partition = PARTITION,
        .levels = &level,
        .levels_len = 1,
        .items = &item,
        .items_len = 1,
        .position = position_sample,
    };
    struct copies c;
    copies_take(&c, &m);
    assert_int_equal(c.len, 3);
    assert_int_equal(c.of[0].kind, EVENT_ITEM_DEFINED);
    assert_string_equal(c.of[0].id, "7-item-5");
    assert_string_equal(c.of[0].key, "new");
    assert_string_equal(c.of[0].json, item_golden);
    assert_int_equal(c.of[1].kind, EVENT_STOCK_CHANGED);
    assert_string_equal(c.of[1].id, "7-42");
    assert_string_equal(c.of[1].key, "SKU \"1\"");
    assert_string_equal(c.of[1].json, level_golden);
    assert_int_equal(c.of[2].kind, EVENT_STREAM_POSITION);
    assert_string_equal(c.of[2].id, "7-4-99-1795704844000");
    assert_string_equal(c.of[2].key, "7");
    assert_string_equal(c.of[2].json, position_golden);
    copies_release(&c);
}

static void a_message_without_rows_and_position_has_no_events(void **state)
{
    (void)state;
    struct copies c;
    copies_take(&c, &(struct bus_message){.partition = PARTITION, .seq = 5});
    assert_int_equal(c.len, 0);
}

static void who_has_enough_gets_no_more(void **state)
{
    (void)state;
    struct bus_item items[3] = {item_sample(STR("a"), 1), item_sample(STR("b"), 2), item_sample(STR("c"), 3)};
    struct level_row level = level_sample(STR("a"), STR("x"), 100, 1);
    struct bus_message m = {
        .items = items, .items_len = 3, .levels = &level, .levels_len = 1, .position = position_sample};
    for (size_t wanted = 1; wanted <= 5; wanted++) {
        struct copies c = {.len_max = wanted};
        assert_false(event_each(&m, copy_event, &c));
        assert_int_equal(c.len, wanted);
        copies_release(&c);
    }
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(event_kind_name(EVENT_STOCK_CHANGED), "stock.changed");
    assert_string_equal(event_kind_name(EVENT_ITEM_DEFINED), "item.defined");
    assert_string_equal(event_kind_name(EVENT_STREAM_POSITION), "stream.position");
}

static void the_longest_event_fits(void **state)
{
    (void)state;
    char quotes[SKU_BYTES_MAX];
    char location[LOCATION_BYTES_MAX];
    memset(quotes, '"', sizeof(quotes));
    memset(location, 'w', sizeof(location));
    struct level_row level = {
        .sku = {quotes, sizeof(quotes)},
        .location_id = {location, sizeof(location)},
        .version = LEVEL_VERSION_MAX,
        .seq = INT64_MAX,
        .time_ms = TIME_MS_MAX,
    };
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        level.quantities.of[q] = QUANTITY_MAX;
    }
    struct bus_message m = {.partition = UINT32_MAX, .levels = &level, .levels_len = 1};
    m.position =
        (struct bus_position){.epoch = INT64_MAX, .seq = INT64_MAX, .items = ITEMS_MAX, .time_ms = TIME_MS_MAX};
    struct copies c;
    copies_take(&c, &m);
    assert_int_equal(c.len, 2);
    struct event_box *box = event_box_new(UINT32_MAX);
    assert_int_equal(event_box_add(box, str_from(c.of[0].json), NULL), ERR_OK);
    assert_int_equal(event_box_add(box, str_from(c.of[1].json), NULL), ERR_OK);
    const struct bus_message *back = event_box_message(box);
    assert_int_equal(back->levels[0].seq, INT64_MAX);
    assert_int_equal(back->position.epoch, INT64_MAX);
    event_box_free(box);
    copies_release(&c);
}

static void assert_level(const struct level_row *a, const struct level_row *b)
{
    assert_int_equal(a->item, 0);
    assert_int_equal(a->location, 0);
    assert_true(str_equal(a->sku, b->sku));
    assert_true(str_equal(a->location_id, b->location_id));
    assert_memory_equal(&a->quantities, &b->quantities, sizeof(a->quantities));
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->time_ms, b->time_ms);
}

static void assert_item(const struct bus_item *a, const struct bus_item *b)
{
    assert_int_equal(a->item, b->item);
    assert_true(str_equal(a->sku, b->sku));
    assert_int_equal(a->time_ms, b->time_ms);
}

static void assert_message(const struct bus_message *a, const struct bus_message *b)
{
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->seq, 0);
    assert_int_equal(a->time_ms, 0);
    assert_int_equal(a->committed_ns, 0);
    assert_int_equal(a->levels_len, b->levels_len);
    assert_int_equal(a->items_len, b->items_len);
    for (size_t i = 0; i < a->levels_len; i++) {
        assert_level(&a->levels[i], &b->levels[i]);
    }
    for (size_t i = 0; i < a->items_len; i++) {
        assert_item(&a->items[i], &b->items[i]);
    }
    assert_memory_equal(&a->position, &b->position, sizeof(a->position));
}

static bool box_event(void *ctx, const struct event *e)
{
    assert_int_equal(event_box_add(ctx, e->json, NULL), ERR_OK);
    return true;
}

#define ROWS 300

struct rows {
    struct level_row levels[ROWS];
    struct bus_item items[ROWS];
    char skus[ROWS][SKU_BYTES_MAX];
};

static void rows_fill(struct rows *rows, struct random *r)
{
    static const char *const characters[] = {"a", "Z", "\"", "\\", "/", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8d\x92"};
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = 0;
        for (uint64_t left = 1 + random_below(r, 16); left > 0; left--) {
            struct str c = str_from(characters[random_below(r, ARRAY_LEN(characters))]);
            memcpy(rows->skus[i] + len, c.ptr, c.len);
            len += c.len;
        }
        struct str sku = {rows->skus[i], len};
        rows->levels[i] = level_sample(sku, STR("w.1_-"), (int64_t)random_below(r, QUANTITY_MAX), 1 + i);
        rows->levels[i].version = 1 + random_below(r, LEVEL_VERSION_MAX);
        rows->levels[i].time_ms = (int64_t)random_below(r, TIME_MS_MAX);
        rows->items[i] = item_sample(sku, 1 + (uint32_t)random_below(r, ITEMS_MAX));
    }
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    struct random r;
    random_init(&r, 3);
    struct rows *rows = mem_new(sizeof(*rows));
    struct event_box *box = event_box_new(PARTITION);
    for (size_t round = 0; round < 20; round++) {
        rows_fill(rows, &r);
        struct bus_message m = {
            .partition = PARTITION,
            .levels = rows->levels,
            .levels_len = random_below(&r, ROWS + 1),
            .items = rows->items,
            .items_len = random_below(&r, ROWS + 1),
            .position = round % 2 == 0 ? position_sample : (struct bus_position){0},
        };
        assert_true(event_each(&m, box_event, box));
        assert_int_equal(event_box_len(box), m.levels_len + m.items_len + (round % 2 == 0 ? 1 : 0));
        assert_message(event_box_message(box), &m);
        event_box_clear(box);
        assert_int_equal(event_box_len(box), 0);
    }
    event_box_free(box);
    mem_free(rows);
}

static void the_box_keeps_nothing_of_what_it_was_given(void **state)
{
    (void)state;
    struct event_box *box = event_box_new(PARTITION);
    char *json = mem_copy_str(str_from(level_golden));
    assert_int_equal(event_box_add(box, str_from(json), NULL), ERR_OK);
    memset(json, 'x', strlen(level_golden));
    mem_free(json);
    const struct bus_message *m = event_box_message(box);
    assert_true(str_equal(m->levels[0].sku, STR("SKU \"1\"")));
    assert_true(str_equal(m->levels[0].location_id, STR("berlin")));
    event_box_free(box);
    event_box_free(NULL);
}

static void a_later_position_replaces_the_one_before(void **state)
{
    (void)state;
    struct event_box *box = event_box_new(PARTITION);
    struct bus_message m = {.partition = PARTITION, .position = position_sample};
    assert_true(event_each(&m, box_event, box));
    m.position.seq = 100;
    assert_true(event_each(&m, box_event, box));
    assert_int_equal(event_box_len(box), 2);
    assert_int_equal(event_box_message(box)->position.seq, 100);
    event_box_clear(box);
    assert_int_equal(event_box_message(box)->position.time_ms, 0);
    event_box_free(box);
}

/* --- bad input ---------------------------------------------------------------------------------------------- */

static enum err add_text(struct str json, struct err_note *note)
{
    struct event_box *box = event_box_new(PARTITION);
    enum err e = event_box_add(box, json, note);
    assert_int_equal(event_box_len(box), e == ERR_OK ? 1 : 0);
    const struct bus_message *m = event_box_message(box);
    assert_int_equal(m->levels_len + m->items_len + (m->position.time_ms != 0), event_box_len(box));
    event_box_free(box);
    return e;
}

/* `member` of the event, or of its data when it begins with a dot, becomes the JSON `value`; NULL takes it away. */
static json_t *golden_with(const char *golden, const char *member, const char *value)
{
    json_t *root = json_loads(golden, 0, NULL);
    json_t *object = member[0] == '.' ? json_object_get(root, "data") : root;
    const char *name = member[0] == '.' ? member + 1 : member;
    assert_non_null(root);
    if (value == NULL) {
        assert_int_equal(json_object_del(object, name), 0);
    } else {
        json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        assert_int_equal(json_object_set_new(object, name, v), 0);
    }
    return root;
}

static void assert_changed(const char *golden, const char *member, const char *value, enum err expected)
{
    json_t *root = golden_with(golden, member, value);
    char *text = json_dumps(root, JSON_COMPACT);
    struct err_note note = {{0}};
    enum err e = add_text(str_from(text), &note);
    if (e != expected) {
        print_error("%s = %s gives %d: %s\n", member, value == NULL ? "nothing" : value, e, note.text);
    }
    assert_int_equal(e, expected);
    assert_int_equal(note.text[0] == '\0', e == ERR_OK);
    free(text); /* library memory */
    json_decref(root);
}

static void every_member_of_the_data_is_needed_and_has_its_type(void **state)
{
    (void)state;
    const char *const goldens[] = {level_golden, item_golden, position_golden};
    size_t members = 0;
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++) {
        json_t *root = json_loads(goldens[i], 0, NULL);
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(root, "data"), name, value)
        {
            char member[64];
            snprintf(member, sizeof(member), ".%s", name);
            assert_changed(goldens[i], member, NULL, ERR_INVALID);
            assert_changed(goldens[i], member, json_is_string(value) ? "5" : "\"5\"", ERR_INVALID);
            assert_changed(goldens[i], member, "null", ERR_INVALID);
            assert_changed(goldens[i], member, "5.0", ERR_INVALID);
            assert_changed(goldens[i], member, "true", ERR_INVALID);
            assert_changed(goldens[i], member, "[5]", ERR_INVALID);
            members++;
        }
        json_decref(root);
    }
    assert_int_equal(members, 13 + 4 + 4);
}

struct change {
    const char *member;
    const char *value;
    enum err expected;
};

static void assert_changes(const char *golden, const struct change *changes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_changed(golden, changes[i].member, changes[i].value, changes[i].expected);
    }
}

static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    static const struct change of_level[] = {
        {".on_hand", "-1", ERR_INVALID},
        {".on_hand", "1000000000001", ERR_INVALID},
        {".incoming", "1000000000000", ERR_OK},
        {".incoming", "1000000000001", ERR_INVALID},
        {".available", "-4", ERR_INVALID}, /* in range, but not what the quantities give */
        {".available", "-5000000000001", ERR_INVALID},
        {".version", "0", ERR_INVALID},
        {".version", "281474976710655", ERR_OK},
        {".version", "281474976710656", ERR_INVALID},
        {".seq", "0", ERR_INVALID},
        {".location", "\"two words\"", ERR_INVALID},
        {".location", "\"\"", ERR_INVALID},
        {".sku", "\" a\"", ERR_INVALID},
        {".sku", "\"\"", ERR_INVALID},
        {".sku", "\"other\"", ERR_INVALID}, /* than the subject */
        {".partition", "-1", ERR_INVALID},
        {".partition", "4294967296", ERR_INVALID},
        {".partition", "8", ERR_INVALID}, /* than the source */
    };
    static const struct change of_item[] = {
        {".number", "0", ERR_INVALID},
        {".number", "16000000", ERR_OK},
        {".number", "16000001", ERR_INVALID},
        {".defined_at", "\"2026-11-26\"", ERR_INVALID},
        {".defined_at", "\"2026-11-31T14:14:03.000Z\"", ERR_INVALID},
        {".defined_at", "\"1970-01-01T00:00:00.000Z\"", ERR_OK},
    };
    static const struct change of_position[] = {
        {".epoch", "-1", ERR_INVALID},
        {".seq", "0", ERR_OK},
        {".items", "16000001", ERR_INVALID},
        {"time", "\"1970-01-01T00:00:00.000Z\"", ERR_INVALID}, /* would mean that there is none */
        {"subject", "\"a\"", ERR_INVALID},
    };
    assert_changes(level_golden, of_level, ARRAY_LEN(of_level));
    assert_changes(item_golden, of_item, ARRAY_LEN(of_item));
    assert_changes(position_golden, of_position, ARRAY_LEN(of_position));
}

static void the_envelope_must_be_that_of_our_event(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"specversion", NULL, ERR_INVALID},
        {"specversion", "\"0.3\"", ERR_INVALID},
        {"specversion", "1.0", ERR_INVALID},
        {"id", NULL, ERR_INVALID},
        {"id", "\"\"", ERR_INVALID},
        {"id", "5", ERR_INVALID},
        {"source", NULL, ERR_INVALID},
        {"source", "\"/onhand/partitions/8\"", ERR_INVALID},
        {"source", "\"/elsewhere\"", ERR_INVALID},
        {"type", NULL, ERR_INVALID},
        {"type", "5", ERR_INVALID},
        {"type", "\"io.onhand.stock.changed.v2\"", ERR_NOT_FOUND},
        {"type", "\"com.example.other\"", ERR_NOT_FOUND},
        {"type", "\"io.onhand.item.defined.v1\"", ERR_INVALID},
        {"subject", NULL, ERR_INVALID},
        {"time", NULL, ERR_INVALID},
        {"time", "5", ERR_INVALID},
        {"time", "\"2026-11-26T14:54:03Z\"", ERR_INVALID},
        {"data", NULL, ERR_INVALID},
        {"data", "[]", ERR_INVALID},
        {"data", "\"{}\"", ERR_INVALID},
    };
    assert_changes(level_golden, changes, ARRAY_LEN(changes));
}

static void what_is_not_known_is_no_hindrance(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {".lot", "{\"number\": [1, 2.5, null]}", ERR_OK},
        {".location2", "\"x\"", ERR_OK},
        {"traceparent", "\"00-ab\"", ERR_OK},
        {"sequence", NULL, ERR_OK},
        {"partitionkey", NULL, ERR_OK},
        {"datacontenttype", NULL, ERR_OK},
    };
    assert_changes(level_golden, changes, ARRAY_LEN(changes));
}

static void events_of_another_partition_are_not_ours(void **state)
{
    (void)state;
    struct level_row level = level_sample(STR("a"), STR("x"), 100, 1);
    struct bus_message m = {.partition = 8, .levels = &level, .levels_len = 1};
    struct copies c;
    copies_take(&c, &m);
    struct err_note note = {{0}};
    assert_int_equal(add_text(str_from(c.of[0].json), &note), ERR_NOT_FOUND);
    assert_string_equal(note.text, "An event is of another partition.");
    copies_release(&c);
}

static void what_is_no_json_is_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "hello",
        "{",
        "5",
        "{\"a\":1,\"a\":1}",
        "{\"data\":{\"sku\":\"a\",\"sku\":\"a\"}}",
        "{\"subject\":\"\xff\"}",
        "{\"subject\":\"\\u0000\"}",
        "{} {}",
        "{\"number\":9223372036854775808}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err_note note = {{0}};
        assert_int_equal(add_text(str_from(texts[i]), &note), ERR_MALFORMED);
        assert_true(note.text[0] != '\0');
    }
    assert_int_equal(add_text(STR("{}"), NULL), ERR_INVALID);
    assert_int_equal(add_text(STR("[]"), NULL), ERR_INVALID);
    for (size_t len = 0; len < strlen(level_golden); len++) {
        assert_int_equal(add_text((struct str){level_golden, len}, NULL), ERR_MALFORMED);
    }
}

static void an_event_has_a_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, EVENT_READ_BYTES_MAX + 1);
    buf_put_str(&b, str_from(level_golden));
    while (b.len < EVENT_READ_BYTES_MAX) {
        buf_put_char(&b, ' ');
    }
    assert_int_equal(add_text(buf_str(&b), NULL), ERR_OK);
    buf_put_char(&b, ' ');
    assert_int_equal(add_text(buf_str(&b), NULL), ERR_MALFORMED);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_have_these_bytes_and_come_as_items_levels_position),
        cmocka_unit_test(a_message_without_rows_and_position_has_no_events),
        cmocka_unit_test(who_has_enough_gets_no_more),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(the_box_keeps_nothing_of_what_it_was_given),
        cmocka_unit_test(a_later_position_replaces_the_one_before),
        cmocka_unit_test(every_member_of_the_data_is_needed_and_has_its_type),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(the_envelope_must_be_that_of_our_event),
        cmocka_unit_test(what_is_not_known_is_no_hindrance),
        cmocka_unit_test(events_of_another_partition_are_not_ours),
        cmocka_unit_test(what_is_no_json_is_malformed),
        cmocka_unit_test(an_event_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
