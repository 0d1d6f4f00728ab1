/*
 * POST /v1/batch: many writes in one request. Each is a request of its own to the inventory service, submitted in order
 * and mostly all at once; the exchange is answered when the last one is over.
 */
#include "api/encode.h"
#include "api/write.h"
#include "base/mem.h"

#include <stdio.h>

/* Room for '#' and the index behind the key of the batch. */
#define INDEX_BYTES_MAX 4
#define PROBLEM_BYTES_MAX (64 * 1024)

struct batch_run {
    struct api *api;
    struct exchange *exchange;
    struct decoded decoded;
    char room[IDEMPOTENCY_KEY_BYTES_MAX];
    struct str key;
    struct write *writes;
    size_t len;
    size_t next;         /* the first write that was not submitted yet */
    bool overloaded;     /* the queue refused one */
    atomic_uint pending; /* writes that are not over, and the thread that submits them */
    struct buf answer;
};

static void batch_free(void *ptr)
{
    struct batch_run *run = ptr;
    for (size_t i = 0; i < run->len; i++) {
        write_release(&run->writes[i]);
    }
    mem_free(run->writes);
    decoded_release(&run->decoded);
    buf_release(&run->answer);
    mem_free(run);
}

/* The last one wakes the exchange. */
static void batch_over(struct batch_run *run)
{
    if (atomic_fetch_sub(&run->pending, 1) == 1) {
        exchange_resume(run->exchange);
    }
}

static void batch_done(struct request *r)
{
    struct write *w = CONTAINER_OF(r, struct write, request);
    batch_over(w->batch);
}

static const struct request_ops batch_ops = {.render = write_render, .done = batch_done};

/* Decoding. A write that fails here has its answer and is never submitted: `ops` stays NULL. */

static void fail_invalid(struct write *w, const struct decode_errors *errors)
{
    struct buf members;
    buf_init(&members, PROBLEM_BYTES_MAX);
    decode_errors_render(errors, &members);
    w->request.ops = NULL;
    w->request.status = (uint16_t)err_info(ERR_INVALID)->status;
    problem_render(
        &w->request.answer, ERR_INVALID, STR("The members in `errors` are not valid."), buf_str(&members), STR_NONE);
    buf_release(&members);
}

static const struct message *operation_message(json_t *element, struct decode_errors *errors)
{
    struct pointer at = {.name = STR("op")};
    if (!json_is_object(element)) {
        decode_error(errors, NULL, "wrong_type", "Must be an object.");
        return NULL;
    }
    json_t *op = json_object_get(element, "op");
    if (!json_is_string(op)) {
        decode_error(errors, &at, op == NULL ? "missing" : "wrong_type", "Must be the name of an operation.");
        return NULL;
    }
    const struct message *m = batch_variant((struct str){json_string_value(op), json_string_length(op)});
    if (m == NULL) {
        decode_error(errors, &at, "not_a_choice", "There is no such operation.");
    }
    return m;
}

static struct str derived_key(const struct batch_run *run, struct write *w, size_t index)
{
    int len = snprintf(w->key, sizeof(w->key), "%.*s#%zu", STR_ARG(run->key), index);
    check(len > 0 && len < (int)sizeof(w->key));
    return (struct str){w->key, (size_t)len};
}

static void prepare(struct batch_run *run, size_t index, json_t *element)
{
    struct write *w = &run->writes[index];
    struct decode_errors errors;
    struct batch_entry entry = {0};
    decode_errors_init(&errors);
    const struct message *m = operation_message(element, &errors);
    if (m == NULL || !decode_object(&run->decoded, m, element, &entry, &errors)) {
        fail_invalid(w, &errors);
    } else {
        w->request.command = entry.command;
        w->request.command.kind = m->kind;
        w->request.key = str_is_absent(entry.key) ? derived_key(run, w, index) : entry.key;
        write_fingerprint(w, api_thread_of(run->api, run->exchange));
    }
    decode_errors_release(&errors);
}

static void prepare_all(struct batch_run *run, json_t *elements)
{
    size_t len = json_array_size(elements);
    run->writes = mem_new_array(len, sizeof(*run->writes));
    run->len = len;
    for (size_t i = 0; i < len; i++) {
        struct write *w = &run->writes[i];
        write_init(w, run->api);
        w->batch = run;
        w->request.ops = &batch_ops;
        prepare(run, i, json_array_get(elements, i));
    }
}

/* The answer. */

static void put_result(struct batch_run *run, struct request *r)
{
    if (r->err != ERR_OK) {
        r->status = (uint16_t)err_info(r->err)->status;
        buf_clear(&r->answer);
        problem_render(&r->answer, r->err, STR_NONE, STR_NONE, STR_NONE);
    }
    buf_printf(&run->answer, "{\"status\":%u,\"body\":", r->status);
    buf_put_str(&run->answer, buf_str(&r->answer));
    buf_put_char(&run->answer, '}');
}

static void batch_answer_headers(struct batch_run *run)
{
    uint64_t seq = 0;
    bool any = false;
    bool replayed = true;
    for (size_t i = 0; i < run->len; i++) {
        const struct request *r = &run->writes[i].request;
        uint64_t own;
        if (r->err == ERR_OK && r->status < 400 && encode_seq_of(buf_str(&r->answer), &own)) {
            seq = own > seq ? own : seq;
            any = true;
        }
        replayed = replayed && r->replayed;
    }
    if (any) {
        api_set_seq(run->exchange, seq);
    }
    if (replayed) {
        exchange_set_header(run->exchange, "Idempotent-Replayed", STR("true"));
    }
}

static void answer_batch(struct batch_run *run)
{
    buf_put_literal(&run->answer, "{\"results\":[");
    for (size_t i = 0; i < run->len; i++) {
        if (i > 0) {
            buf_put_char(&run->answer, ',');
        }
        put_result(run, &run->writes[i].request);
    }
    buf_put_literal(&run->answer, "]}");
    check(!run->answer.overflowed);
    batch_answer_headers(run);
    exchange_answer(run->exchange, 200, "application/json", buf_str(&run->answer), false);
}

/* Submitting. */

/* Once the queue refuses one, the rest is refused too: nothing may overtake. */
static void submit_one(struct batch_run *run, struct request *r)
{
    atomic_fetch_add(&run->pending, 1);
    run->overloaded = run->overloaded || !inventory_submit(api_inventory(run->api), r);
    if (run->overloaded) {
        r->err = ERR_OVERLOADED;
        atomic_fetch_sub(&run->pending, 1);
    }
}

static void batch_resumed(struct exchange *x, void *app);

/*
 * Up to the end, or to what comes behind a return: its reservation may have to be fetched from the store first, and
 * whatever is meant to sell the returned units again must not be decided before.
 */
static void submit_some(struct batch_run *run)
{
    bool some_return = false;
    atomic_store(&run->pending, 1);
    exchange_keep(run->exchange, batch_resumed);
    for (; run->next < run->len; run->next++) {
        struct request *r = &run->writes[run->next].request;
        if (r->ops == NULL) {
            continue;
        }
        bool is_return = r->command.kind == COMMAND_RETURN;
        if (some_return && !is_return) {
            break;
        }
        some_return = is_return;
        submit_one(run, r);
    }
    batch_over(run);
}

static void batch_resumed(struct exchange *x, void *app)
{
    struct batch_run *run = exchange_attached(x);
    (void)app;
    if (run->next < run->len) {
        submit_some(run);
    } else {
        answer_batch(run);
    }
}

static bool decode_batch(struct batch_run *run, json_t **out_elements)
{
    struct decode_errors errors;
    struct err_note note = {{0}};
    decode_errors_init(&errors);
    struct str body = exchange_body(run->exchange);
    enum err e = decode_body(&run->decoded, &batch_request, body, false, out_elements, &errors, &note);
    if (e == ERR_INVALID) {
        api_refuse_invalid(run->exchange, &errors);
    } else if (e != ERR_OK) {
        api_refuse(run->exchange, e, note.text);
    }
    decode_errors_release(&errors);
    return e == ERR_OK;
}

static bool take_batch_key(struct batch_run *run)
{
    if (!write_take_key(run->exchange, run->room, &run->key)) {
        return false;
    }
    if (run->key.len > IDEMPOTENCY_KEY_BYTES_MAX - INDEX_BYTES_MAX) {
        api_refuse(run->exchange, ERR_KEY_INVALID, "The key of a batch has at most 251 characters.");
        return false;
    }
    return true;
}

void api_create_batch(struct exchange *x, void *app)
{
    if (!api_no_arguments(x)) {
        return;
    }
    struct batch_run *run = mem_new(sizeof(*run));
    run->api = app;
    run->exchange = x;
    buf_init(&run->answer, (size_t)BATCH_OPERATIONS_MAX * (ANSWER_BYTES_MAX + 64));
    exchange_attach(x, run, batch_free);
    json_t *elements = NULL;
    if (take_batch_key(run) && decode_batch(run, &elements)) {
        prepare_all(run, elements);
        submit_some(run);
    }
}
