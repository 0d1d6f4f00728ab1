#include "bus/amqp/quorum.h"

#include <amqp_framing.h>

#define ARGUMENTS_MAX 6

struct arguments {
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t table;
};

static amqp_table_entry_t *add(struct arguments *a, const char *key, uint8_t kind)
{
    check(a->table.num_entries < ARGUMENTS_MAX);
    amqp_table_entry_t *entry = &a->entries[a->table.num_entries++];
    *entry = (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value.kind = kind};
    return entry;
}

static void add_text(struct arguments *a, const char *key, const char *value)
{
    add(a, key, AMQP_FIELD_KIND_UTF8)->value.value.bytes = amqp_cstring_bytes(value);
}

static void add_number(struct arguments *a, const char *key, int32_t value)
{
    if (value != 0) {
        add(a, key, AMQP_FIELD_KIND_I32)->value.value.i32 = value;
    }
}

static void arguments_of(const struct quorum_queue *q, struct arguments *a)
{
    *a = (struct arguments){.table.entries = a->entries};
    add_text(a, "x-queue-type", "quorum");
    add_text(a, "x-overflow", "drop-head");
    add_number(a, "x-max-length", q->events_max);
    add_number(a, "x-message-ttl", q->event_ms);
    add_number(a, "x-expires", q->unused_ms);
    if (q->one_reader) {
        add(a, "x-single-active-consumer", AMQP_FIELD_KIND_BOOLEAN)->value.value.boolean = true;
    }
}

enum err quorum_declare(struct amqp_link *l, const struct quorum_queue *q, uint32_t *out_readers, struct err_note *note)
{
    struct arguments a;
    arguments_of(q, &a);
    const amqp_queue_declare_ok_t *ok = amqp_queue_declare(
        l->connection, LINK_CHANNEL, amqp_cstring_bytes(q->name), false, true, false, false, a.table);
    TRY(amqp_link_result(l, "cannot declare the queue", note));
    *out_readers = ok->consumer_count;
    return ERR_OK;
}

static enum err
send(struct amqp_link *l, amqp_channel_t channel, amqp_method_number_t id, void *m, struct err_note *note)
{
    int status = amqp_send_method(l->connection, channel, id, m);
    if (status == AMQP_STATUS_OK) {
        return ERR_OK;
    }
    l->healthy = false;
    return amqp_link_failed(note, "the connection broke", amqp_error_string2(status));
}

enum err quorum_delete(struct amqp_link *l, amqp_channel_t channel, const char *name, struct err_note *note)
{
    amqp_queue_delete_t m = {.queue = amqp_cstring_bytes(name), .nowait = true};
    return send(l, channel, AMQP_QUEUE_DELETE_METHOD, &m, note);
}

enum err
quorum_replace(struct amqp_link *l, amqp_channel_t channel, const struct quorum_queue *q, struct err_note *note)
{
    struct arguments a;
    arguments_of(q, &a);
    amqp_queue_declare_t m = {
        .queue = amqp_cstring_bytes(q->name), .durable = true, .nowait = true, .arguments = a.table};
    TRY(quorum_delete(l, channel, q->name, note));
    return send(l, channel, AMQP_QUEUE_DECLARE_METHOD, &m, note);
}
