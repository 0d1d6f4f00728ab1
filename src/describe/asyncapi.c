#include "bus/events.h"
#include "describe/describe.h"
#include "describe/js.h"

#include <stdio.h>

static const char about[] =
    "The stream of committed changes that Onhand publishes to the broker of a shop: one event for each change of a level, "
    "with the whole level after it, one for each new item, and twice a second how far the stream has come.\n\n"
    "Events are CloudEvents 1.0 in the structured JSON format. They may come again, and after a fault of the broker some "
    "may be missing: keep the highest `version` of each level, and go by `seq`, which has no gaps in a partition.\n\n"
    "Consumers ignore members and types that they do not know: both may be added. A change that is not an addition gets a "
    "new type.";

static const char partition_parameter[] = "{\"partition\":{\"description\":\"The partition, from 0 on. There is one so "
                                          "far.\",\"default\":\"0\",\"examples\":[\"0\"]}}";

/* A kind's name as an identifier: "stock.changed" behind "nats" is "natsStockChanged". */
#define NAME_SIZE 64
static const char *identifier(const char *before, enum event_kind kind, char out[NAME_SIZE])
{
    size_t len = strlen(before);
    bool upper = len > 0;
    memcpy(out, before, len);
    for (const char *c = event_kind_name(kind); *c != '\0'; c++) {
        check(len + 1 < NAME_SIZE);
        if (*c != '.') {
            out[len++] = upper ? (char)(*c - 'a' + 'A') : *c;
        }
        upper = *c == '.';
    }
    out[len] = '\0';
    return out;
}

static void put_info(struct buf *b)
{
    js_text_member(b, "asyncapi", "3.0.0");
    js_object_member(b, "info");
    js_text_member(b, "title", "Onhand: the stream of changes");
    js_text_member(b, "version", ONHAND_VERSION);
    js_text_member(b, "description", about);
    js_object_member(b, "license");
    js_text_member(b, "name", "Apache-2.0");
    js_text_member(b, "url", "https://www.apache.org/licenses/LICENSE-2.0");
    js_close(b, '}');
    js_close(b, '}');
    js_text_member(b, "defaultContentType", EVENT_CONTENT_TYPE);
}

/* Brokers. On one that has topics each kind is a channel; in one stream all kinds are. */

struct broker {
    const char *name;
    const char *host;
    const char *title;
    const char *address; /* of a channel, before the kind's name if each kind has one */
    bool channel_for_each_kind;
    const char *channel; /* description */
};

static const struct broker brokers[] = {
    {"nats", "localhost:4222", "NATS with JetStream", "onhand.{partition}.", true,
     "The header `Nats-Msg-Id` is the id of the event. The stream ONHAND keeps a day of all subjects, or a gigabyte."},
    {"redis", "localhost:6379", "Redis", "onhand:stream:{partition}", false,
     "A Redis stream. The field `event` of an entry is the event, `id` its id. The newest million entries are kept."},
    {"amqp", "localhost:5672", "RabbitMQ (AMQP 0-9-1)", "onhand.{partition}.", true,
     "The address is the routing key; the exchange is the durable topic exchange `onhand`. Messages are persistent, the id of "
     "the event is their message id. Bind a queue of your own to `onhand.{partition}.#`: nothing is kept for who has none. "
     "Declare it as a durable quorum queue with a limit (`x-queue-type: quorum`, `x-max-length`, `x-overflow: drop-head`), "
     "and bind it a few seconds later: a broker that is killed within the first second of a quorum queue may bring it back "
     "without a leader, and a bound queue without a leader holds up the stream."},
    {"kafka", "localhost:9092", "Kafka", "onhand.stock", false,
     "A topic with a partition for each of ours. The key of a record is the SKU, of a position the number of the partition; "
     "the header `ce_id` is the id of the event."},
};

static void put_servers(struct buf *b)
{
    js_object_member(b, "servers");
    for (size_t i = 0; i < ARRAY_LEN(brokers); i++) {
        js_object_member(b, brokers[i].name);
        js_text_member(b, "host", brokers[i].host);
        js_text_member(b, "protocol", brokers[i].name);
        js_text_member(b, "title", brokers[i].title);
        js_text_member(b, "description", "One of the brokers to which Onhand can publish; wherever the shop runs it.");
        js_close(b, '}');
    }
    js_close(b, '}');
}

/* A channel with the kinds from `first` on, before `end`. */
struct channel {
    char name[NAME_SIZE];
    const struct broker *broker;
    enum event_kind first;
    enum event_kind end;
};

static void put_channel(struct buf *b, const struct channel *c)
{
    char name[NAME_SIZE];
    const struct broker *broker = c->broker;
    js_object_member(b, c->name);
    js_name(b, "address");
    buf_printf(b, "\"%s%s\"", broker->address, broker->channel_for_each_kind ? event_kind_name(c->first) : "");
    js_text_member(b, "description", broker->channel);
    js_array_member(b, "servers");
    js_open(b, '{');
    js_name(b, "$ref");
    buf_printf(b, "\"#/servers/%s\"", broker->name);
    js_close(b, '}');
    js_close(b, ']');
    if (strchr(broker->address, '{') != NULL) {
        js_name(b, "parameters");
        js_raw(b, partition_parameter);
    }
    js_object_member(b, "messages");
    for (enum event_kind k = c->first; k < c->end; k++) {
        js_name(b, identifier("", k, name));
        js_ref(b, "messages", name);
    }
    js_close(b, '}');
    js_close(b, '}');
}

static void put_operation(struct buf *b, const struct channel *c)
{
    char name[NAME_SIZE + 16];
    snprintf(name, sizeof(name), "publish%c%s", c->name[0] - 'a' + 'A', c->name + 1);
    js_object_member(b, name);
    js_text_member(b, "action", "send");
    js_text_member(b, "summary", c->end - c->first == 1 ? event_info(c->first)->summary : "Every event of the stream");
    js_object_member(b, "channel");
    js_name(b, "$ref");
    buf_printf(b, "\"#/channels/%s\"", c->name);
    js_close(b, '}');
    js_array_member(b, "messages");
    for (enum event_kind k = c->first; k < c->end; k++) {
        js_open(b, '{');
        js_name(b, "$ref");
        buf_printf(b, "\"#/channels/%s/messages/%s\"", c->name, identifier("", k, name));
        js_close(b, '}');
    }
    js_close(b, ']');
    js_close(b, '}');
}

static void each_channel(struct buf *b, void (*put)(struct buf *b, const struct channel *c))
{
    for (size_t i = 0; i < ARRAY_LEN(brokers); i++) {
        struct channel c = {.broker = &brokers[i], .first = 0, .end = EVENT_KIND_COUNT};
        if (!brokers[i].channel_for_each_kind) {
            snprintf(c.name, sizeof(c.name), "%sStream", brokers[i].name);
            put(b, &c);
            continue;
        }
        for (; c.first < EVENT_KIND_COUNT; c.first++) {
            c.end = c.first + 1;
            identifier(brokers[i].name, c.first, c.name);
            put(b, &c);
        }
    }
}

/* Messages. Their examples are what the program writes. */

struct example {
    struct buf *out;
    enum event_kind kind;
};

static bool put_example_cb(void *ctx, const struct event *e)
{
    struct example *x = ctx;
    if (e->kind == x->kind) {
        js_name(x->out, "payload");
        buf_put_str(x->out, e->json);
    }
    return true;
}

static void put_example(struct buf *b, enum event_kind kind)
{
    struct level_row level = {
        .sku = STR("MUG-BLUE"),
        .location_id = STR("berlin"),
        .quantities.of = {120, 5, 12, 1, 0, 10, 40},
        .version = 57,
        .seq = 4711,
        .time_ms = 1795704843045,
    };
    struct bus_item item = {.item = 301, .sku = STR("MUG-BLUE"), .time_ms = 1795704100000};
    struct bus_message m = {
        .levels = &level,
        .levels_len = 1,
        .items = &item,
        .items_len = 1,
        .position = {.epoch = 3, .seq = 4711, .items = 301, .time_ms = 1795704843500},
    };
    struct example x = {b, kind};
    js_array_member(b, "examples");
    js_open(b, '{');
    bool whole = event_each(&m, put_example_cb, &x);
    check(whole);
    js_close(b, '}');
    js_close(b, ']');
}

static void put_messages(struct buf *b)
{
    char name[NAME_SIZE];
    js_object_member(b, "messages");
    for (enum event_kind k = 0; k < EVENT_KIND_COUNT; k++) {
        const struct event_info *info = event_info(k);
        js_object_member(b, identifier("", k, name));
        js_text_member(b, "name", info->type);
        js_text_member(b, "title", info->summary);
        js_text_member(b, "description", info->description);
        js_text_member(b, "contentType", EVENT_CONTENT_TYPE);
        js_name(b, "payload");
        js_ref(b, "schemas", name);
        put_example(b, k);
        js_close(b, '}');
    }
    js_close(b, '}');
}

/* Schemas. */

/* The largest 64-bit integer is no limit that a reader of JSON could check. */
static void put_integer(struct buf *b, const struct event_member *m)
{
    js_text_member(b, "type", "integer");
    js_text_member(b, "format", "int64");
    js_number_member(b, "minimum", m->min);
    if (m->max < INT64_MAX) {
        js_number_member(b, "maximum", m->max);
    }
}

static void put_member(struct buf *b, const struct event_member *m)
{
    js_object_member(b, m->name);
    switch (m->type) {
    case EVENT_MEMBER_INTEGER:
        put_integer(b, m);
        break;
    case EVENT_MEMBER_TIME:
        js_text_member(b, "type", "string");
        js_text_member(b, "format", "date-time");
        break;
    case EVENT_MEMBER_LOCATION:
        js_text_member(b, "type", "string");
        js_text_member(b, "pattern", "^[A-Za-z0-9._-]{1,64}$");
        break;
    case EVENT_MEMBER_SKU:
        js_text_member(b, "type", "string");
        js_number_member(b, "minLength", m->min);
        js_number_member(b, "maxLength", m->max);
    }
    js_text_member(b, "description", m->description);
    js_close(b, '}');
}

static void put_data(struct buf *b, enum event_kind kind)
{
    const struct event_member *m = NULL;
    js_object_member(b, "data");
    js_text_member(b, "type", "object");
    js_array_member(b, "required");
    while ((m = event_member_next(kind, m)) != NULL) {
        js_text(b, m->name);
    }
    js_close(b, ']');
    js_object_member(b, "properties");
    while ((m = event_member_next(kind, m)) != NULL) {
        put_member(b, m);
    }
    js_close(b, '}');
    js_close(b, '}');
}

/* A position is of no item: it has no subject. */
static void put_envelope(struct buf *b, enum event_kind kind)
{
    bool of_item = kind != EVENT_STREAM_POSITION;
    js_text_member(b, "type", "object");
    js_name(b, "required");
    js_raw(
        b,
        "[\"specversion\",\"id\",\"source\",\"type\",\"time\",\"datacontenttype\",\"sequence\",\"partitionkey\",\"data\"");
    if (of_item) {
        js_text(b, "subject");
    }
    js_close(b, ']');
    js_object_member(b, "properties");
    js_name(b, "specversion");
    js_raw(b, "{\"const\":\"1.0\"}");
    js_name(b, "id");
    js_raw(b, "{\"type\":\"string\",\"minLength\":1,\"description\":\"The same when the event is published again.\"}");
    js_name(b, "source");
    js_raw(b, "{\"type\":\"string\",\"pattern\":\"^/onhand/partitions/[0-9]+$\"}");
    js_object_member(b, "type");
    js_text_member(b, "const", event_info(kind)->type);
    js_close(b, '}');
    if (of_item) {
        js_name(b, "subject");
        js_raw(b, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,\"description\":\"The SKU.\"}");
    }
    js_name(b, "time");
    js_raw(b, "{\"type\":\"string\",\"format\":\"date-time\"}");
    js_name(b, "datacontenttype");
    js_raw(b, "{\"const\":\"application/json\"}");
    js_name(b, "sequence");
    js_raw(
        b,
        "{\"type\":\"string\",\"pattern\":\"^[0-9]{20}$\",\"description\":\"Sorts as text in the order of the events of one kind.\"}");
    js_name(b, "partitionkey");
    js_raw(b, "{\"type\":\"string\",\"minLength\":1}");
    put_data(b, kind);
    js_close(b, '}');
}

static void put_schemas(struct buf *b)
{
    char name[NAME_SIZE];
    js_object_member(b, "schemas");
    for (enum event_kind k = 0; k < EVENT_KIND_COUNT; k++) {
        js_object_member(b, identifier("", k, name));
        put_envelope(b, k);
        js_close(b, '}');
    }
    js_close(b, '}');
}

enum err asyncapi_render(struct buf *out)
{
    buf_put_char(out, '{');
    put_info(out);
    put_servers(out);
    js_object_member(out, "channels");
    each_channel(out, put_channel);
    js_close(out, '}');
    js_object_member(out, "operations");
    each_channel(out, put_operation);
    js_close(out, '}');
    js_object_member(out, "components");
    put_messages(out);
    put_schemas(out);
    js_close(out, '}');
    js_close(out, '}');
    return out->overflowed ? ERR_TOO_LARGE : ERR_OK;
}
