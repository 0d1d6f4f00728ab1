#include "bus/events.h"
#include "describe/describe.h"

#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *checked_in; /* path of api/asyncapi.json */

static json_t *render(void)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    assert_int_equal(asyncapi_render(&out), ERR_OK);
    json_error_t error;
    json_t *document = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    buf_release(&out);
    return document;
}

static void what_is_checked_in_is_what_the_program_prints(void **state)
{
    (void)state;
    json_error_t error;
    json_t *document = render();
    json_t *file = json_load_file(checked_in, JSON_REJECT_DUPLICATES, &error);
    if (file == NULL) {
        fail_msg("%s: %s", checked_in, error.text);
    }
    if (!json_equal(document, file)) {
        fail_msg("write it anew: build/onhand describe asyncapi | python3 -m json.tool --indent 2 --no-ensure-ascii "
                 ">api/asyncapi.json");
    }
    json_decref(file);
    json_decref(document);
}

static json_t *descend(json_t *at, const char *const *names, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at = json_object_get(at, names[i]);
        if (at == NULL) {
            fail_msg("there is no \"%s\"", names[i]);
        }
    }
    return at;
}

#define AT(document, ...) \
    descend((document), (const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static bool lists(json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0) {
            return true;
        }
    }
    return false;
}

static void every_member_of_every_event_is_described(void **state)
{
    (void)state;
    static const char *const names[EVENT_KIND_COUNT] = {"stockChanged", "itemDefined", "streamPosition"};
    json_t *document = render();
    for (int k = 0; k < EVENT_KIND_COUNT; k++) {
        const struct event_info *info = event_info((enum event_kind)k);
        json_t *properties = AT(document, "components", "schemas", names[k], "properties");
        assert_string_equal(json_string_value(AT(properties, "type", "const")), info->type);
        json_t *data = AT(properties, "data");
        const struct event_member *m = NULL;
        size_t members = 0;
        while ((m = event_member_next((enum event_kind)k, m)) != NULL) {
            assert_string_equal(json_string_value(AT(data, "properties", m->name, "description")), m->description);
            assert_true(lists(AT(data, "required"), m->name));
            members++;
        }
        assert_int_equal(json_object_size(AT(data, "properties")), members);
    }
    json_decref(document);
}

static void every_broker_has_its_channels(void **state)
{
    (void)state;
    json_t *document = render();
    assert_string_equal(
        json_string_value(AT(document, "channels", "natsStockChanged", "address")), "onhand.{partition}.stock.changed");
    assert_string_equal(
        json_string_value(AT(document, "channels", "redisStream", "address")), "onhand:stream:{partition}");
    assert_int_equal(json_object_size(AT(document, "channels", "redisStream", "messages")), EVENT_KIND_COUNT);
    assert_string_equal(
        json_string_value(AT(document, "channels", "amqpItemDefined", "address")), "onhand.{partition}.item.defined");
    assert_string_equal(json_string_value(AT(document, "channels", "kafkaStream", "address")), "onhand.stock");
    assert_null(json_object_get(AT(document, "channels", "kafkaStream"), "parameters"));
    assert_int_equal(json_object_size(AT(document, "channels")), 2 * EVENT_KIND_COUNT + 2);
    assert_int_equal(json_object_size(AT(document, "operations")), 2 * EVENT_KIND_COUNT + 2);
    json_decref(document);
}

/* The examples are read as any event is. */
static void the_examples_are_events(void **state)
{
    (void)state;
    json_t *document = render();
    const char *name;
    json_t *message;
    struct event_box *box = event_box_new(0);
    json_object_foreach(AT(document, "components", "messages"), name, message)
    {
        json_t *payload = AT(json_array_get(AT(message, "examples"), 0), "payload");
        char *text = json_dumps(payload, JSON_COMPACT);
        assert_int_equal(event_box_add(box, str_from(text), NULL), ERR_OK);
        free(text); /* library memory */
    }
    assert_int_equal(event_box_len(box), EVENT_KIND_COUNT);
    event_box_free(box);
    json_decref(document);
}

static void what_does_not_fit_is_too_large(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(asyncapi_render(&out), ERR_TOO_LARGE);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_checked_in_is_what_the_program_prints),
        cmocka_unit_test(every_member_of_every_event_is_described),
        cmocka_unit_test(every_broker_has_its_channels),
        cmocka_unit_test(the_examples_are_events),
        cmocka_unit_test(what_does_not_fit_is_too_large),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s api/asyncapi.json\n", argv[0]);
        return 1;
    }
    checked_in = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
