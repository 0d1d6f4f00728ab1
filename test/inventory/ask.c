#include "ask.h"

#include "base/mem.h"
#include "test.h"

static void render(struct request *r, const struct result *result, const struct changes *changes)
{
    struct ask *a = CONTAINER_OF(r, struct ask, r);
    (void)changes;
    r->status = result->outcome <= OUTCOME_UNCHANGED ? 200 : 409;
    buf_clear(&r->answer);
    buf_put_str(&r->answer, outcome_name(result->outcome));
    if (result->reservation != NULL) {
        a->id = result->reservation->id;
        buf_put_char(&r->answer, ' ');
        buf_put_str(&r->answer, reservation_state_name(result->reservation->state));
    }
    buf_printf(&r->answer, " %llu", (unsigned long long)result->seq);
    buf_put(&r->answer, "", 1);
}

static void done(struct request *r)
{
    struct ask *a = CONTAINER_OF(r, struct ask, r);
    a->done_count++;
    atomic_store(&a->is_done, true);
}

static const struct request_ops OPS = {.render = render, .done = done};

static struct ask *ask_new(enum command_kind kind)
{
    struct ask *a = mem_new(sizeof(*a));
    a->r.ops = &OPS;
    a->r.command.kind = kind;
    buf_init(&a->r.answer, 4096);
    return a;
}

struct ask *ask_item(const char *sku)
{
    struct ask *a = ask_new(COMMAND_DEFINE_ITEM);
    a->r.command.sku = str_from(sku);
    a->r.command.name = STR("name");
    return a;
}

struct ask *ask_location(const char *id)
{
    struct ask *a = ask_new(COMMAND_DEFINE_LOCATION);
    a->r.command.location = str_from(id);
    a->r.command.name = STR("name");
    return a;
}

struct ask *ask_receive(const char *sku, const char *location, int64_t quantity)
{
    struct ask *a = ask_new(COMMAND_RECEIVE);
    a->lines[0] = (struct command_line){.sku = str_from(sku), .location = str_from(location), .quantity = quantity};
    a->r.command.lines = a->lines;
    a->r.command.lines_len = 1;
    return a;
}

struct ask *ask_reserve(const char *sku, int64_t quantity, uint32_t ttl_s)
{
    struct ask *a = ask_new(COMMAND_RESERVE);
    a->lines[0] = (struct command_line){.sku = str_from(sku), .quantity = quantity};
    a->r.command.lines = a->lines;
    a->r.command.lines_len = 1;
    a->r.command.ttl_s = ttl_s;
    return a;
}

struct ask *ask_on(enum command_kind kind, struct uuid id)
{
    struct ask *a = ask_new(kind);
    a->r.command.id = id;
    a->r.command.ttl_s = TTL_S_DEFAULT;
    return a;
}

struct ask *ask_keyed(struct ask *a, const char *key, const char *content)
{
    a->r.key = str_from(key);
    for (size_t i = 0; content[i] != '\0'; i++) {
        a->r.fingerprint[i % sizeof(a->r.fingerprint)] ^= (uint8_t)content[i];
    }
    return a;
}

const char *ask_answer(struct ask *a)
{
    assert_true(atomic_load(&a->is_done));
    assert_int_equal(a->done_count, 1);
    return a->r.err == ERR_OK ? a->r.answer.ptr : err_info(a->r.err)->slug;
}

void ask_free(struct ask *a)
{
    buf_release(&a->r.answer);
    mem_free(a);
}
