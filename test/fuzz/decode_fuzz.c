/*
 * JSON bodies: the first byte chooses the message. What is taken keeps the promises that the ledger relies on, and
 * means the same when it is written in another way.
 */
#include "api/decode.h"
#include "api/fingerprint.h"
#include "commands.h"
#include "fuzz.h"

#include <stdlib.h>

struct choice_of_message {
    const struct message *message;
    enum command_kind kind;
    bool optional;
};

static const struct choice_of_message messages[] = {
    {&item_request, COMMAND_DEFINE_ITEM, false},    {&location_request, COMMAND_DEFINE_LOCATION, false},
    {&level_request, COMMAND_SET, false},           {&adjustment_request, COMMAND_ADJUST, false},
    {&receipt_request, COMMAND_RECEIVE, false},     {&transfer_request, COMMAND_TRANSFER, false},
    {&reservation_request, COMMAND_RESERVE, false}, {&extend_request, COMMAND_EXTEND, true},
    {&empty_request, COMMAND_COMMIT, true},         {&fulfill_request, COMMAND_FULFILL, true},
    {&return_request, COMMAND_RETURN, true},        {&batch_request, COMMAND_KIND_END, false},
};

/* What one body came to. */
struct verdict {
    enum err err;
    unsigned errors;
    unsigned operations; /* of a batch: how many were good */
    uint8_t fingerprint[FINGERPRINT_BYTES];
};

/* The errors are JSON, and no more of them than are promised. */
static void check_errors(const struct decode_errors *errors)
{
    struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_put_literal(&text, "{\"x\":0");
    decode_errors_render(errors, &text);
    buf_put_char(&text, '}');
    json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    size_t len = json_array_size(json_object_get(root, "errors"));
    check(root != NULL && len == (errors->count < DECODE_ERRORS_MAX ? errors->count : DECODE_ERRORS_MAX));
    json_decref(root);
    buf_release(&text);
}

static struct fingerprinter *the_fingerprinter(void)
{
    static struct fingerprinter *f;
    if (f == NULL) {
        f = fingerprinter_new();
    }
    return f;
}

/* The fingerprints of several commands are put into one. */
static void take_command(const struct command *c, bool named, struct verdict *out)
{
    uint8_t own[FINGERPRINT_BYTES];
    command_check(c, named);
    fingerprint_of(the_fingerprinter(), c, own);
    for (size_t i = 0; i < sizeof(own); i++) {
        out->fingerprint[i] = (uint8_t)(out->fingerprint[i] * 31 + own[i]);
    }
}

static void take_operation(struct decoded *d, json_t *element, struct verdict *out)
{
    struct decode_errors errors;
    struct batch_entry entry = {0};
    json_t *op = json_object_get(element, "op");
    const struct message *m = batch_variant((struct str){json_string_value(op), json_string_length(op)});
    if (m == NULL) {
        return;
    }
    decode_errors_init(&errors);
    if (decode_object(d, m, element, &entry, &errors)) {
        entry.command.kind = m->kind;
        take_command(&entry.command, true, out);
        check(str_is_absent(entry.key) || decode_is_key(entry.key));
        out->operations++;
    } else {
        check(errors.count > 0);
        out->errors += errors.count;
    }
    decode_errors_release(&errors);
}

static void take_batch(struct decoded *d, json_t *operations, struct verdict *out)
{
    size_t len = json_array_size(operations);
    check(len >= 1 && len <= BATCH_OPERATIONS_MAX);
    for (size_t i = 0; i < len; i++) {
        take_operation(d, json_array_get(operations, i), out);
    }
}

static void judge(const struct choice_of_message *m, struct str body, struct decoded *d, struct verdict *out)
{
    struct command command = {0};
    json_t *operations = NULL;
    bool batch = m->kind == COMMAND_KIND_END;
    struct decode_errors errors;
    struct err_note note = {{0}};
    *out = (struct verdict){0};
    decode_errors_init(&errors);
    void *into = batch ? (void *)&operations : (void *)&command;
    out->err = decode_body(d, m->message, body, m->optional, into, &errors, &note);
    out->errors = errors.count;
    check((out->err == ERR_INVALID) == (errors.count > 0) && (out->err == ERR_MALFORMED) == (note.text[0] != '\0'));
    if (out->err == ERR_INVALID) {
        check_errors(&errors);
    } else if (out->err == ERR_OK && batch) {
        take_batch(d, operations, out);
    } else if (out->err == ERR_OK) {
        command.kind = m->kind;
        take_command(&command, false, out);
    }
    decode_errors_release(&errors);
}

static void check_same(const struct choice_of_message *m, struct str body, const struct verdict *wanted)
{
    struct decoded d = {0};
    struct verdict verdict;
    judge(m, body, &d, &verdict);
    check(verdict.err == wanted->err && verdict.errors == wanted->errors && verdict.operations == wanted->operations);
    check(memcmp(verdict.fingerprint, wanted->fingerprint, FINGERPRINT_BYTES) == 0);
    decoded_release(&d);
}

/* Members sorted, every character that can be escaped so, white space between all. */
static void check_other_spelling(const struct choice_of_message *m, json_t *root, const struct verdict *wanted)
{
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH);
    check(text != NULL);
    check_same(m, str_from(text), wanted);
    free(text); /* library memory */
}

static void check_with_blanks(const struct choice_of_message *m, struct str body, const struct verdict *wanted)
{
    struct buf wider;
    buf_init(&wider, SIZE_MAX);
    buf_put_literal(&wider, "\r\n\t ");
    buf_put_str(&wider, body);
    buf_put_literal(&wider, "\n ");
    check_same(m, buf_str(&wider), wanted);
    buf_release(&wider);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoded d = {0};
    struct verdict verdict;
    if (size == 0) {
        return 0;
    }
    const struct choice_of_message *m = &messages[data[0] % ARRAY_LEN(messages)];
    struct str body = fuzz_rest(data, size, 1);
    judge(m, body, &d, &verdict);
    if (verdict.err == ERR_OK && body.len > 0) {
        check_other_spelling(m, d.root, &verdict);
    } else if (body.len > 0) {
        check_with_blanks(m, body, &verdict);
    }
    decoded_release(&d);
    return 0;
}
