#include "api/operations.h"

#include "api/api.h"
#include "api/decode.h"
#include "shape.h"

#include "test.h"

#include <string.h>

static void every_operation_has_a_route_and_its_words(void **state)
{
    (void)state;
    size_t len;
    const struct route *routes = api_routes(&len);
    assert_int_equal(len, OPERATION_COUNT);
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        const struct operation *op = &operations[i];
        assert_string_equal(routes[i].path, op->path);
        assert_string_equal(routes[i].label, op->name);
        assert_int_equal(routes[i].method, op->method);
        assert_int_equal(routes[i].body_bytes_max, op->body_bytes_max);
        assert_true(routes[i].handler == op->handler && op->handler != NULL);
        assert_true(strlen(op->summary) > 0 && strlen(op->description) > 0);
        assert_true(op->description[strlen(op->description) - 1] == '.');
    }
}

static void no_two_operations_share_a_name_or_an_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        for (size_t j = i + 1; j < OPERATION_COUNT; j++) {
            assert_string_not_equal(operations[i].name, operations[j].name);
            bool same =
                operations[i].method == operations[j].method && strcmp(operations[i].path, operations[j].path) == 0;
            assert_false(same);
        }
    }
}

static void what_changes_stock_by_post_needs_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        const struct operation *op = &operations[i];
        assert_int_equal((op->traits & TRAIT_KEY) != 0, op->method == HTTP_POST);
        assert_int_equal(op->body_bytes_max > 0, op->request != NULL);
        assert_int_equal((op->traits & TRAIT_SEQ) != 0, op->method != HTTP_GET);
    }
}

/* A batch has an operation for every command that a client can give, under the name of the command. */
static void every_command_can_stand_in_a_batch(void **state)
{
    (void)state;
    size_t count = 0;
    for (int kind = COMMAND_DEFINE_ITEM; kind < COMMAND_KIND_END; kind++) {
        struct str name = command_kind_name((enum command_kind)kind);
        const struct message *m = batch_variant(name);
        assert_int_equal(m == NULL, kind == COMMAND_EXPIRE);
        if (m != NULL) {
            assert_int_equal(m->kind, kind);
            assert_string_equal(m->fields[0].name, "op");
            assert_true(str_equal(name, str_from(m->fields[0].choices[0].name)));
            count++;
        }
    }
    assert_int_equal(count, COMMAND_KIND_END - COMMAND_DEFINE_ITEM - 1);
    assert_null(batch_variant(STR("")));
    assert_null(batch_variant(STR("expire")));
}

static void check_example(const struct message *m)
{
    struct decoded decoded = {0};
    struct decode_errors errors;
    struct err_note note;
    union {
        struct command command;
        struct batch_entry entry;
        json_t *operations;
    } out;
    memset(&out, 0, sizeof(out));
    decode_errors_init(&errors);
    enum err e = decode_body(&decoded, m, str_from(m->example), false, &out, &errors, &note);
    if (e != ERR_OK) {
        fail_msg("the example of %s is refused", m->name);
    }
    decoded_release(&decoded);
    decode_errors_release(&errors);
}

static void every_example_is_a_request_that_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (operations[i].request != NULL) {
            assert_non_null(operations[i].request->example);
            check_example(operations[i].request);
        }
    }
}

static void check_names(const struct message *m)
{
    assert_true(m->fields_len <= 64);
    for (size_t i = 0; i < m->fields_len; i++) {
        const struct field *f = &m->fields[i];
        assert_true(f->description != NULL && f->description[0] != 0);
        assert_true(f->min <= f->max);
        assert_true(!f->has_fallback || (f->fallback >= f->min && f->fallback <= f->max));
        for (size_t j = i + 1; j < m->fields_len; j++) {
            assert_string_not_equal(f->name, m->fields[j].name);
        }
        if (f->message != NULL) {
            check_names(f->message);
        }
    }
}

static void every_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        check_names(operations[i].query);
        if (operations[i].request != NULL) {
            check_names(operations[i].request);
        }
        if (operations[i].response != NULL) {
            check_names(operations[i].response);
        }
    }
    for (const struct message *const *m = batch_variants; *m != NULL; m++) {
        check_names(*m);
    }
    check_names(&problem_answer);
}

static void a_problem_is_as_documented(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8192);
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        buf_clear(&b);
        problem_render(
            &b, (enum err)e, STR("why"), STR(",\"errors\":[{\"pointer\":\"/a\",\"detail\":\"d\",\"code\":\"c\"}]"),
            STR("urn:uuid:01a208f6-3c8f-76e6-8235-75e3a3fca903"));
        shape_check_text(&problem_answer, buf_str(&b));
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_has_a_route_and_its_words),
        cmocka_unit_test(no_two_operations_share_a_name_or_an_address),
        cmocka_unit_test(what_changes_stock_by_post_needs_a_key),
        cmocka_unit_test(every_command_can_stand_in_a_batch),
        cmocka_unit_test(every_example_is_a_request_that_is_taken),
        cmocka_unit_test(every_table_is_sound),
        cmocka_unit_test(a_problem_is_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
