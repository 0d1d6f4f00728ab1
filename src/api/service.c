#include "api/service.h"

#include "api/wait.h"
#include "base/clock.h"
#include "base/mem.h"

static void thread_wake(void *ctx)
{
    struct api_thread *t = ctx;
    struct http_server *server = atomic_load_explicit(&t->api->server, memory_order_acquire);
    if (server != NULL) {
        http_thread_wake(server, t->index);
    }
}

struct api *api_new(const struct api_options *options)
{
    check(options->threads > 0);
    struct api *api = mem_new(sizeof(*api));
    api->options = *options;
    atomic_init(&api->inventory, options->inventory);
    atomic_init(&api->availability, options->availability);
    atomic_init(&api->renewed_ms, 0);
    atomic_init(&api->server, NULL);
    atomic_init(&api->ready, false);
    api->started_ms = clock_wall_ms();
    api->threads = mem_new_array(options->threads, sizeof(*api->threads));
    for (unsigned i = 0; i < options->threads; i++) {
        struct api_thread *t = &api->threads[i];
        t->api = api;
        t->index = i;
        t->hub = hub_new(thread_wake, t);
        t->fingerprinter = fingerprinter_new();
        atomic_init(&t->waiting, 0);
    }
    return api;
}

void api_lead(struct api *api, struct inventory *inventory, struct availability *availability, uint64_t stream_epoch)
{
    check(api_inventory(api) == NULL && (availability != NULL) == api->options.shows_when_leading);
    api->options.stream_epoch = stream_epoch;
    if (availability != NULL) {
        atomic_store_explicit(&api->availability, availability, memory_order_release);
    }
    atomic_store_explicit(&api->inventory, inventory, memory_order_release);
}

void api_set_renewed(struct api *api, int64_t mono_ms)
{
    atomic_store(&api->renewed_ms, mono_ms);
}

bool api_may_decide(const struct api *api)
{
    int64_t renewed_ms = atomic_load(&api->renewed_ms);
    return renewed_ms == 0 || clock_mono_ms() - renewed_ms <= STORE_LEASE_MS;
}

int64_t api_age_ms(const struct api *api)
{
    int64_t age = availability_age_ms(api_availability(api));
    int64_t renewed_ms = atomic_load(&api->renewed_ms);
    int64_t unled = renewed_ms == 0 ? 0 : clock_mono_ms() - renewed_ms;
    return age < 0 || age > unled ? age : unled;
}

static void pass_on(struct api *api, struct exchange *x)
{
    if (api->options.forwarder == NULL) {
        api_refuse(x, ERR_NO_LEADER, NULL);
    } else {
        forward(api->options.forwarder, x);
    }
}

/* A stream does not end, so it cannot be passed on: whoever follows is better served by a node that shows. */
static bool enter_view(struct api *api, struct exchange *x, const struct operation *op)
{
    if (api_availability(api) != NULL) {
        return true;
    }
    if (!api->options.shows_when_leading) {
        api_refuse(x, ERR_NOT_FOUND, "This node shows no availability.");
    } else if (op->traits & TRAIT_RESUME) {
        api_refuse(x, ERR_NO_LEADER, "This node is a standby; streams are at the leader and at availability nodes.");
    } else {
        pass_on(api, x);
    }
    return false;
}

/*
 * A leader whose lease has run out may not be one any more: another may have sold what this one remembers as unsold, and
 * refused what this one would sell. It does nothing, so whoever forwarded here may go on to the next node.
 */
static bool enter_inventory(struct api *api, struct exchange *x)
{
    if (api_may_decide(api)) {
        return true;
    }
    api_refuse(x, ERR_NO_LEADER, "This node could not renew its lease.");
    return false;
}

bool api_enter(struct api *api, struct exchange *x, const struct operation *op)
{
    if (op->traits & (TRAIT_VIEW | TRAIT_RESUME)) {
        return enter_view(api, x, op);
    }
    if (operation_is_of_process(op)) {
        return true;
    }
    if (api_inventory(api) != NULL) {
        return enter_inventory(api, x);
    }
    pass_on(api, x);
    return false;
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    for (unsigned i = 0; i < api->options.threads; i++) {
        check(api->threads[i].waiters == NULL);
        hub_free(api->threads[i].hub);
        fingerprinter_free(api->threads[i].fingerprinter);
    }
    mem_free(api->threads);
    mem_free(api);
}

static struct api_thread *thread_at(struct api *api, unsigned index)
{
    check(index < api->options.threads);
    return &api->threads[index];
}

struct api_thread *api_thread_of(struct api *api, const struct exchange *x)
{
    return thread_at(api, http_thread_index(exchange_thread(x)));
}

void api_thread_start(void *app, struct http_thread *t)
{
    (void)thread_at(app, http_thread_index(t));
    availability_reader_register();
}

static void wake_inventory(const struct api *api)
{
    struct inventory *inventory = api_inventory(api);
    if (inventory != NULL) {
        inventory_wake(inventory);
    }
}

void api_thread_turn(void *app, struct http_thread *t, int64_t mono_ms)
{
    struct api_thread *own = thread_at(app, http_thread_index(t));
    wake_inventory(own->api);
    hub_turn(own->hub, mono_ms, clock_mono_ns());
    wait_turn(own, mono_ms);
    availability_reader_quiescent();
}

/* All requests of the turn are submitted: one wake is for all of them. */
void api_thread_wait(void *app, struct http_thread *t)
{
    (void)t;
    wake_inventory(app);
    availability_reader_offline();
}

void api_thread_woken(void *app, struct http_thread *t)
{
    (void)app;
    (void)t;
    availability_reader_online();
}

void api_thread_stop(void *app, struct http_thread *t)
{
    (void)app;
    (void)t;
    availability_reader_unregister();
}

void api_set_server(struct api *api, struct http_server *server)
{
    atomic_store_explicit(&api->server, server, memory_order_release);
}

void api_set_ready(struct api *api, bool ready)
{
    atomic_store(&api->ready, ready);
}

void api_availability_changed(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns)
{
    struct api *api = ctx;
    if (api == NULL) {
        return;
    }
    for (unsigned i = 0; i < api->options.threads; i++) {
        struct api_thread *t = &api->threads[i];
        hub_mark(t->hub, entries, len, committed_ns);
        if (atomic_fetch_or(&t->waiting, 0)) { /* reads by exchange: see wait_for_seq */
            thread_wake(t);
        }
    }
}

void api_refuse(struct exchange *x, enum err e, const char *detail)
{
    exchange_problem(x, e, detail == NULL || detail[0] == 0 ? STR_NONE : str_from(detail), STR_NONE);
}

void api_refuse_invalid(struct exchange *x, const struct decode_errors *errors)
{
    struct buf members;
    buf_init(&members, 64 * 1024);
    decode_errors_render(errors, &members);
    exchange_problem(x, ERR_INVALID, STR("The members and arguments in `errors` are not valid."), buf_str(&members));
    buf_release(&members);
}

void api_set_seq(struct exchange *x, uint64_t seq)
{
    char room[U64_DIGITS_MAX];
    exchange_set_header(x, "Onhand-Seq", str_from_u64(seq, room));
}

/* Arguments. */

struct argument {
    const struct field *field;
    struct str text;
    char *out; /* the struct */
    struct decode_errors *errors;
};

static void argument_wrong(const struct argument *a, const char *detail)
{
    decode_argument_error(a->errors, str_from(a->field->name), "out_of_range", detail);
}

static void argument_integer(const struct argument *a)
{
    uint64_t number;
    const struct field *f = a->field;
    if (!str_to_u64(a->text, (uint64_t)f->max, &number) || number < (uint64_t)f->min) {
        argument_wrong(a, "Must be an integer within the documented range, written with digits only.");
    } else if (f->type == FIELD_UINT32) {
        *(uint32_t *)(void *)(a->out + f->offset) = (uint32_t)number;
    } else {
        *(uint64_t *)(void *)(a->out + f->offset) = number;
    }
}

static void argument_choice(const struct argument *a)
{
    for (const struct choice *c = a->field->choices; c->name != NULL; c++) {
        if (str_equal(a->text, str_from(c->name))) {
            *(int *)(void *)(a->out + a->field->offset) = c->value;
            return;
        }
    }
    argument_wrong(a, "Must be one of the documented words.");
}

static void argument_text(const struct argument *a)
{
    const struct field *f = a->field;
    bool fits = f->type == FIELD_SKU ? str_is_sku(a->text)
        : f->type == FIELD_LOCATION  ? str_is_location(a->text)
        : f->many                    ? a->text.len > 0
                  : (int64_t)a->text.len >= f->min && (int64_t)a->text.len <= f->max && str_is_text(a->text);
    if (fits) {
        *(struct str *)(void *)(a->out + f->offset) = a->text;
    } else {
        argument_wrong(a, "Must be text of the documented form.");
    }
}

static void argument_decode(struct exchange *x, const struct argument *a)
{
    const struct field *f = a->field;
    if (str_is_absent(a->text)) {
        if (f->required) {
            decode_argument_error(a->errors, str_from(f->name), "missing", "This argument is needed.");
        } else if (f->has_fallback) {
            *(uint32_t *)(void *)(a->out + f->offset) = (uint32_t)f->fallback;
        }
        return;
    }
    if (!f->many && !str_is_absent(exchange_query(x, f->name, 1))) {
        decode_argument_error(a->errors, str_from(f->name), "repeated", "This argument can be given once only.");
    } else if (f->type == FIELD_UINT32 || f->type == FIELD_UINT64) {
        argument_integer(a);
    } else if (f->type == FIELD_CHOICE) {
        argument_choice(a);
    } else {
        argument_text(a);
    }
}

#define ARGUMENTS_MAX 8

static void argument_names(const struct message *query, const char *out[ARGUMENTS_MAX + 1])
{
    check(query->fields_len <= ARGUMENTS_MAX);
    for (size_t i = 0; i < query->fields_len; i++) {
        out[i] = query->fields[i].name;
    }
    out[query->fields_len] = NULL;
}

bool api_arguments(struct exchange *x, const struct message *query, struct arguments *out)
{
    *out = (struct arguments){0};
    struct decode_errors errors;
    decode_errors_init(&errors);
    const char *known[ARGUMENTS_MAX + 1];
    argument_names(query, known);
    struct str unknown = exchange_query_unknown(x, known);
    if (!str_is_absent(unknown)) {
        decode_argument_error(&errors, unknown, "unknown_argument", "There is no such argument here.");
    }
    for (size_t i = 0; i < query->fields_len; i++) {
        const struct field *f = &query->fields[i];
        struct argument a = {f, exchange_query(x, f->name, 0), (char *)out, &errors};
        argument_decode(x, &a);
    }
    bool valid = errors.count == 0;
    if (!valid) {
        api_refuse_invalid(x, &errors);
    }
    decode_errors_release(&errors);
    return valid;
}

bool api_no_arguments(struct exchange *x)
{
    struct arguments none;
    return api_arguments(x, &no_query, &none);
}

bool api_path_sku(struct exchange *x, unsigned n, struct str *out)
{
    *out = exchange_path_param(x, n);
    if (!str_is_sku(*out)) {
        api_refuse(x, ERR_NOT_FOUND, "No item can have this SKU.");
        return false;
    }
    return true;
}

bool api_path_location(struct exchange *x, unsigned n, struct str *out)
{
    *out = exchange_path_param(x, n);
    if (!str_is_location(*out)) {
        api_refuse(x, ERR_NOT_FOUND, "No location can have this id.");
        return false;
    }
    return true;
}

bool api_path_uuid(struct exchange *x, unsigned n, struct uuid *out)
{
    if (!uuid_parse(exchange_path_param(x, n), out)) {
        api_refuse(x, ERR_NOT_FOUND, "No reservation can have this id.");
        return false;
    }
    return true;
}
