/*
 * Batches: what is submitted, in which order, and that the answer says of each operation what came of it. An operation
 * that cannot be decoded is refused in the same words when it is sent alone.
 *
 * An input: two bytes of plan, the key of the batch, 0x1d, the body.
 */
#include "api/decode.h"
#include "fuzz.h"
#include "parts.h"
#include "shop.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ALONE_MAX 3 /* operations of a batch that are sent alone as well */

static struct sent batch_of(struct str key, struct str body)
{
    return (struct sent){
        .operation = &operations[OPERATION_create_batch],
        .headers = {{"Idempotency-Key", key}},
        .body = body,
    };
}

static json_t *parse(struct str text)
{
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    check(root != NULL);
    return root;
}

static const char *code_of(json_t *body)
{
    const char *code = json_string_value(json_object_get(body, "code"));
    return code != NULL ? code : "";
}

/* What the inventory service says to its request of this number. */
static void check_decided(const struct inventory *inv, unsigned number, int status, json_t *body)
{
    if (inv->plan.failing && number % 2 == 1) {
        check(status == 503 && strcmp(code_of(body), "not_committed") == 0);
    } else {
        check(status == (number % 3 == 2 ? 409 : 201));
        check((unsigned)json_integer_value(json_object_get(body, "number")) == number);
    }
}

/* Of the requests in their order: so many are decided, and once the queue was full all others are refused. */
static void check_results(const struct inventory *inv, json_t *results)
{
    unsigned number = 0;
    bool overloaded = false;
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *result = json_array_get(results, i);
        json_t *body = json_object_get(result, "body");
        int status = (int)json_integer_value(json_object_get(result, "status"));
        check(json_is_object(body));
        if (status == 422) {
            check(strcmp(code_of(body), "invalid") == 0 && json_array_size(json_object_get(body, "errors")) > 0);
        } else if (number == inv->submitted) {
            check(status == 503 && strcmp(code_of(body), "overloaded") == 0);
            overloaded = true;
        } else {
            check_decided(inv, number++, status, body);
        }
    }
    check(number == inv->submitted && overloaded == inv->refused);
}

static void check_alone(json_t *operation, json_t *result)
{
    json_t *root = json_pack("{s:[O]}", "operations", operation);
    char *text = json_dumps(root, JSON_COMPACT);
    const struct sent sent = batch_of(STR("alone"), str_from(text));
    struct inventory_plan plan = {.refused_after = BATCH_OPERATIONS_MAX};
    struct exchange x;
    shop_ask(&sent, plan, &x);
    json_t *answer = parse(x.body);
    json_t *alone = json_array_get(json_object_get(answer, "results"), 0);
    bool invalid = json_integer_value(json_object_get(result, "status")) == 422;
    check(x.problem == ERR_OK && invalid == (json_integer_value(json_object_get(alone, "status")) == 422));
    check(!invalid || json_equal(alone, result));
    json_decref(answer);
    json_decref(root);
    free(text); /* library memory */
    exchange_release(&x);
}

/* Its own key, else one that is made from that of the batch. */
static void check_last_key(const struct inventory *inv, struct str key, json_t *operations_sent)
{
    char derived[IDEMPOTENCY_KEY_BYTES_MAX + 8];
    bool found = false;
    for (size_t i = 0; i < json_array_size(operations_sent) && !found; i++) {
        json_t *own = json_object_get(json_array_get(operations_sent, i), "idempotency_key");
        int len = snprintf(derived, sizeof(derived), "%.*s#%zu", STR_ARG(key), i);
        struct str wanted = {derived, (size_t)len};
        if (json_is_string(own)) {
            wanted = (struct str){json_string_value(own), json_string_length(own)};
        }
        found = str_equal(inv->key, wanted);
    }
    check(found);
}

static void judge(const struct inventory *inv, struct str key, const struct exchange *x)
{
    if (x->problem != ERR_OK) {
        check(inv->submitted == 0 && inv->last == NULL);
        return;
    }
    check(x->status == 200 && key.len <= IDEMPOTENCY_KEY_BYTES_MAX - 4);
    json_t *answer = parse(x->body);
    json_t *body = parse(x->sent->body);
    json_t *results = json_object_get(answer, "results");
    json_t *sent = json_object_get(body, "operations");
    check(json_array_size(results) == json_array_size(sent));
    check_results(inv, results);
    if (inv->submitted > 0) {
        check_last_key(inv, key, sent);
    }
    for (size_t i = 0; i < json_array_size(sent) && i < ALONE_MAX; i++) {
        check_alone(json_array_get(sent, i), json_array_get(results, i));
    }
    json_decref(answer);
    json_decref(body);
}

/* A key that stands bare and means itself: key_fuzz has the others. */
static bool is_plain_key(struct str key)
{
    return decode_is_key(key) && key.ptr[0] != '"' && str_equal(str_trim(key), key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = fuzz_rest(data, size, 2);
    struct str key = part_next(&rest);
    if (size < 2 || !is_plain_key(key)) {
        return 0;
    }
    struct inventory_plan plan = {
        .refused_after = data[0] < 32 ? data[0] : BATCH_OPERATIONS_MAX,
        .at_once = (data[1] & 1) != 0,
        .backwards = (data[1] & 2) != 0,
        .failing = (data[1] & 4) != 0,
    };
    const struct sent sent = batch_of(key, rest.len > 0 ? rest : STR(""));
    struct exchange x;
    const struct inventory *inv = shop_ask(&sent, plan, &x);
    judge(inv, key, &x);
    exchange_release(&x);
    return 0;
}
