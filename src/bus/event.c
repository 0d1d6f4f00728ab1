#include "bus/event.h"

#include "base/clock.h"
#include "bus/events.h"

#include <inttypes.h>
#include <stdio.h>

/* What the envelope says beside the data. */
struct envelope {
    enum event_kind kind;
    struct str subject; /* absent: none */
    int64_t time_ms;
    uint64_t sequence;
};

struct writer {
    uint32_t partition;
    struct buf json;
    char id[EVENT_ID_BYTES_MAX];
    char partition_key[U64_DIGITS_MAX];
    bool (*fn)(void *ctx, const struct event *e);
    void *ctx;
};

static void put_attribute(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    buf_put_json(b, value);
    buf_put_char(b, ',');
}

static void put_time(struct buf *b, int64_t ms)
{
    buf_put_char(b, '"');
    buf_put_time(b, ms);
    buf_put_char(b, '"');
}

static void put_member(struct buf *b, const struct event_member *m, const struct event_data *data)
{
    const void *value = (const char *)data + m->offset;
    buf_printf(b, "\"%s\":", m->name);
    switch (m->type) {
    case EVENT_MEMBER_INTEGER:
        buf_put_i64(b, *(const int64_t *)value);
        break;
    case EVENT_MEMBER_TIME:
        put_time(b, *(const int64_t *)value);
        break;
    default:
        buf_put_json(b, *(const struct str *)value);
    }
}

static void put_data(struct buf *b, enum event_kind kind, const struct event_data *data)
{
    const struct event_member *m = NULL;
    buf_put_literal(b, "\"data\":");
    char before = '{';
    while ((m = event_member_next(kind, m)) != NULL) {
        buf_put_char(b, before);
        put_member(b, m, data);
        before = ',';
    }
    buf_put_char(b, '}');
}

static void put_envelope(struct buf *b, const struct writer *w, const struct envelope *e, struct str key)
{
    char source[EVENT_SOURCE_BYTES_MAX];
    event_source(w->partition, source);
    buf_put_literal(b, "{\"specversion\":\"1.0\",");
    put_attribute(b, "id", str_from(w->id));
    put_attribute(b, "source", str_from(source));
    put_attribute(b, "type", str_from(event_info(e->kind)->type));
    if (!str_is_absent(e->subject)) {
        put_attribute(b, "subject", e->subject);
    }
    buf_put_literal(b, "\"time\":");
    put_time(b, e->time_ms);
    buf_printf(b, ",\"datacontenttype\":\"application/json\",\"sequence\":\"%020" PRIu64 "\",", e->sequence);
    put_attribute(b, "partitionkey", key);
}

static bool write_event(struct writer *w, const struct envelope *e, const struct event_data *data)
{
    struct str key = str_is_absent(e->subject) ? str_from_u64(w->partition, w->partition_key) : e->subject;
    buf_clear(&w->json);
    put_envelope(&w->json, w, e, key);
    put_data(&w->json, e->kind, data);
    buf_put_char(&w->json, '}');
    check(!w->json.overflowed);
    struct event event = {.kind = e->kind, .id = str_from(w->id), .key = key, .json = buf_str(&w->json)};
    return w->fn(w->ctx, &event);
}

static bool write_item(struct writer *w, const struct bus_item *item)
{
    struct envelope e = {EVENT_ITEM_DEFINED, item->sku, item->time_ms, item->item};
    struct event_data data = {
        .partition = w->partition,
        .sku = item->sku,
        .number = item->item,
        .defined_at = item->time_ms,
    };
    snprintf(w->id, sizeof(w->id), "%" PRIu32 "-item-%" PRIu32, w->partition, item->item);
    return write_event(w, &e, &data);
}

static bool write_level(struct writer *w, const struct level_row *level)
{
    struct envelope e = {EVENT_STOCK_CHANGED, level->sku, level->time_ms, level->seq};
    check(level->seq <= INT64_MAX && level->version <= LEVEL_VERSION_MAX);
    struct event_data data = {
        .partition = w->partition,
        .sku = level->sku,
        .location = level->location_id,
        .quantities = level->quantities,
        .available = quantities_available(&level->quantities),
        .version = (int64_t)level->version,
        .seq = (int64_t)level->seq,
    };
    snprintf(w->id, sizeof(w->id), "%" PRIu32 "-%" PRIu64, w->partition, level->seq);
    return write_event(w, &e, &data);
}

static bool write_position(struct writer *w, const struct bus_position *p)
{
    struct envelope e = {EVENT_STREAM_POSITION, STR_NONE, p->time_ms, p->seq};
    check(p->epoch <= INT64_MAX && p->seq <= INT64_MAX && p->items <= INT64_MAX);
    struct event_data data = {
        .partition = w->partition,
        .epoch = (int64_t)p->epoch,
        .seq = (int64_t)p->seq,
        .items = (int64_t)p->items,
    };
    snprintf(
        w->id, sizeof(w->id), "%" PRIu32 "-%" PRIu64 "-%" PRIu64 "-%" PRId64, w->partition, p->epoch, p->seq,
        p->time_ms);
    return write_event(w, &e, &data);
}

static bool write_message(struct writer *w, const struct bus_message *m)
{
    for (size_t i = 0; i < m->items_len; i++) {
        if (!write_item(w, &m->items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        if (!write_level(w, &m->levels[i])) {
            return false;
        }
    }
    return m->position.time_ms == 0 || write_position(w, &m->position);
}

bool event_each(const struct bus_message *m, bool (*fn)(void *ctx, const struct event *e), void *ctx)
{
    struct writer w = {.partition = m->partition, .fn = fn, .ctx = ctx};
    buf_init(&w.json, EVENT_BYTES_MAX);
    bool whole = write_message(&w, m);
    buf_release(&w.json);
    return whole;
}
