#include "api/operations.h"
#include "describe/describe.h"
#include "describe/responses.h"

#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *render(void)
{
    struct buf out;
    buf_init(&out, 8 * 1024 * 1024);
    assert_int_equal(openapi_render(&out), ERR_OK);
    json_error_t error;
    json_t *document = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    buf_release(&out);
    return document;
}

static json_t *operation_of(json_t *document, const struct operation *op)
{
    static const char *const methods[HTTP_METHOD_COUNT] = {"get", "put", "post", "delete"};
    json_t *path = json_object_get(json_object_get(document, "paths"), op->path);
    return json_object_get(path, methods[op->method]);
}

static void every_operation_stands_in_the_document(void **state)
{
    (void)state;
    json_t *document = render();
    size_t shown = 0;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        json_t *operation = operation_of(document, &operations[i]);
        bool hidden = (operations[i].traits & TRAIT_HIDDEN) != 0;
        assert_int_equal(operation == NULL, hidden);
        shown += !hidden;
        if (!hidden) {
            const char *scope = json_string_value(json_object_get(operation, "x-onhand-scope"));
            assert_string_equal(scope, operations[i].scope);
        }
    }
    size_t found = 0;
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        found += json_object_size(item);
    }
    assert_int_equal(found, shown);
    json_decref(document);
}

/* Follows "#/a/b" from the root. */
static json_t *resolve(json_t *document, const char *reference)
{
    char part[128];
    json_t *at = document;
    assert_int_equal(reference[0], '#');
    for (const char *c = reference + 1; *c == '/';) {
        size_t len = strcspn(c + 1, "/");
        assert_true(len < sizeof(part));
        memcpy(part, c + 1, len);
        part[len] = 0;
        at = json_object_get(at, part);
        c += 1 + len;
    }
    return at;
}

static size_t check_references(json_t *document, json_t *value)
{
    size_t count = 0;
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member)
        {
            count += check_references(document, member);
        }
    }
    json_object_foreach(value, name, member)
    {
        if (strcmp(name, "$ref") == 0) {
            if (resolve(document, json_string_value(member)) == NULL) {
                fail_msg("%s leads nowhere", json_string_value(member));
            }
            count++;
        }
        count += check_references(document, member);
    }
    return count;
}

static void every_reference_leads_somewhere(void **state)
{
    (void)state;
    json_t *document = render();
    assert_true(check_references(document, document) > 100);
    json_decref(document);
}

static void every_problem_of_an_operation_is_named_under_its_status(void **state)
{
    (void)state;
    json_t *document = render();
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        json_t *operation = operation_of(document, &operations[i]);
        bool problems[ERR_COUNT];
        responses_problems(&operations[i], problems);
        for (int e = ERR_OK + 1; operation != NULL && e < ERR_COUNT; e++) {
            if (!problems[e]) {
                continue;
            }
            char status[16];
            char slug[64];
            snprintf(status, sizeof(status), "%d", err_info((enum err)e)->status);
            snprintf(slug, sizeof(slug), "`%s`", err_info((enum err)e)->slug);
            json_t *response = json_object_get(json_object_get(operation, "responses"), status);
            const char *description = json_string_value(json_object_get(response, "description"));
            assert_non_null(description);
            assert_non_null(strstr(description, slug));
        }
    }
    json_decref(document);
}

static void a_write_names_the_problems_of_keys_and_preconditions(void **state)
{
    (void)state;
    static const struct {
        enum operation_index operation;
        enum err err;
    } rows[] = {
        {OPERATION_create_reservation, ERR_KEY_MISSING},
        {OPERATION_create_reservation, ERR_KEY_INVALID},
        {OPERATION_create_reservation, ERR_KEY_IN_FLIGHT},
        {OPERATION_create_reservation, ERR_KEY_REUSED},
        {OPERATION_create_reservation, ERR_INSUFFICIENT_STOCK},
        {OPERATION_create_reservation, ERR_OVERLOADED},
        {OPERATION_create_reservation, ERR_OUTCOME_UNKNOWN},
        {OPERATION_create_reservation, ERR_TOO_LARGE},
        {OPERATION_commit_reservation, ERR_HOLD_EXPIRED},
        {OPERATION_put_level, ERR_PRECONDITION_REQUIRED},
        {OPERATION_put_level, ERR_VERSION_MISMATCH},
        {OPERATION_get_availability, ERR_STALE},
        {OPERATION_list_items, ERR_OVERLOADED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool problems[ERR_COUNT];
        responses_problems(&operations[rows[i].operation], problems);
        if (!problems[rows[i].err]) {
            fail_msg("%s: %s", operations[rows[i].operation].name, err_info(rows[i].err)->slug);
        }
    }
    json_t *document = render();
    json_t *operation = operation_of(document, &operations[OPERATION_create_reservation]);
    json_t *responses = json_object_get(operation, "responses");
    json_t *headers = json_object_get(json_object_get(responses, "503"), "headers");
    assert_non_null(json_object_get(headers, "Retry-After"));
    headers = json_object_get(json_object_get(responses, "201"), "headers");
    assert_non_null(json_object_get(headers, "Location"));
    assert_non_null(json_object_get(headers, "Onhand-Seq"));
    assert_non_null(json_object_get(headers, "Idempotent-Replayed"));
    assert_null(json_object_get(headers, "ETag"));
    json_decref(document);
}

static void operation_ids_are_unique_and_camel_case(void **state)
{
    (void)state;
    json_t *document = render();
    json_t *seen = json_object();
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        json_t *operation = operation_of(document, &operations[i]);
        if (operation == NULL) {
            continue;
        }
        const char *id = json_string_value(json_object_get(operation, "operationId"));
        assert_non_null(id);
        assert_true(id[0] >= 'a' && id[0] <= 'z');
        assert_null(strchr(id, '_'));
        assert_null(json_object_get(seen, id));
        json_object_set_new(seen, id, json_true());
    }
    assert_non_null(json_object_get(seen, "createReservation"));
    json_decref(seen);
    json_decref(document);
}

static void numbers_carry_their_limits_and_requests_are_strict(void **state)
{
    (void)state;
    json_t *document = render();
    json_t *line = resolve(document, "#/components/schemas/ReservationRequestLine");
    json_t *quantity = json_object_get(json_object_get(line, "properties"), "quantity");
    assert_int_equal(json_integer_value(json_object_get(quantity, "minimum")), 1);
    assert_int_equal(json_integer_value(json_object_get(quantity, "maximum")), LINE_QUANTITY_MAX);
    assert_true(json_is_false(json_object_get(line, "additionalProperties")));
    json_t *batch = resolve(document, "#/components/schemas/BatchRequest/properties/operations/items/oneOf");
    assert_int_equal(json_array_size(batch), COMMAND_KIND_END - COMMAND_DEFINE_ITEM - 1);
    json_decref(document);
}

static void a_document_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(openapi_render(&out), ERR_TOO_LARGE);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_stands_in_the_document),
        cmocka_unit_test(every_reference_leads_somewhere),
        cmocka_unit_test(every_problem_of_an_operation_is_named_under_its_status),
        cmocka_unit_test(a_write_names_the_problems_of_keys_and_preconditions),
        cmocka_unit_test(operation_ids_are_unique_and_camel_case),
        cmocka_unit_test(numbers_carry_their_limits_and_requests_are_strict),
        cmocka_unit_test(a_document_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
