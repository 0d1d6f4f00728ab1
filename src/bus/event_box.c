#include "base/clock.h"
#include "base/mem.h"
#include "bus/events.h"

#include <inttypes.h>
#include <jansson.h>

/* The strings of one row, copied. */
struct names {
    char sku[SKU_BYTES_MAX];
    char location[LOCATION_BYTES_MAX];
};

struct item_name {
    char sku[SKU_BYTES_MAX];
};

struct event_box {
    struct bus_message message;
    size_t len;
    size_t levels_cap, level_names_cap;
    struct names *level_names; /* one for each level */
    size_t items_cap, item_names_cap;
    struct item_name *item_names;
};

struct event_box *event_box_new(uint32_t partition)
{
    struct event_box *box = mem_new(sizeof(*box));
    box->message.partition = partition;
    return box;
}

void event_box_free(struct event_box *box)
{
    if (box != NULL) {
        mem_free(box->message.levels);
        mem_free(box->message.items);
        mem_free(box->level_names);
        mem_free(box->item_names);
        mem_free(box);
    }
}

void event_box_clear(struct event_box *box)
{
    box->len = 0;
    box->message.levels_len = 0;
    box->message.items_len = 0;
    box->message.position = (struct bus_position){0};
}

size_t event_box_len(const struct event_box *box)
{
    return box->len;
}

/* Rows may have moved since their strings were copied. */
const struct bus_message *event_box_message(struct event_box *box)
{
    for (size_t i = 0; i < box->message.levels_len; i++) {
        box->message.levels[i].sku.ptr = box->level_names[i].sku;
        box->message.levels[i].location_id.ptr = box->level_names[i].location;
    }
    for (size_t i = 0; i < box->message.items_len; i++) {
        box->message.items[i].sku.ptr = box->item_names[i].sku;
    }
    return &box->message;
}

/* Adding. The lengths of the strings are within the room: they were read as a SKU and a location. */

static void add_level(struct event_box *box, const struct event_data *data, int64_t time_ms)
{
    size_t at = box->message.levels_len++;
    mem_grow((void **)&box->message.levels, &box->levels_cap, at + 1, sizeof(*box->message.levels));
    mem_grow((void **)&box->level_names, &box->level_names_cap, at + 1, sizeof(*box->level_names));
    memcpy(box->level_names[at].sku, data->sku.ptr, data->sku.len);
    memcpy(box->level_names[at].location, data->location.ptr, data->location.len);
    box->message.levels[at] = (struct level_row){
        .sku.len = data->sku.len,
        .location_id.len = data->location.len,
        .quantities = data->quantities,
        .version = (uint64_t)data->version,
        .seq = (uint64_t)data->seq,
        .time_ms = time_ms,
    };
}

static void add_item(struct event_box *box, const struct event_data *data)
{
    size_t at = box->message.items_len++;
    mem_grow((void **)&box->message.items, &box->items_cap, at + 1, sizeof(*box->message.items));
    mem_grow((void **)&box->item_names, &box->item_names_cap, at + 1, sizeof(*box->item_names));
    memcpy(box->item_names[at].sku, data->sku.ptr, data->sku.len);
    box->message.items[at] = (struct bus_item){
        .item = (uint32_t)data->number,
        .sku.len = data->sku.len,
        .time_ms = data->defined_at,
    };
}

static void add_position(struct event_box *box, const struct event_data *data, int64_t time_ms)
{
    box->message.position = (struct bus_position){
        .epoch = (uint64_t)data->epoch,
        .seq = (uint64_t)data->seq,
        .items = (uint64_t)data->items,
        .time_ms = time_ms,
    };
}

static void add(struct event_box *box, enum event_kind kind, const struct event_data *data, int64_t time_ms)
{
    check(box->len < EVENT_BOX_EVENTS_MAX);
    box->len++;
    switch (kind) {
    case EVENT_STOCK_CHANGED:
        add_level(box, data, time_ms);
        break;
    case EVENT_ITEM_DEFINED:
        add_item(box, data);
        break;
    default:
        add_position(box, data, time_ms);
    }
}

/* Reading. */

static enum err wrong(struct err_note *note, const char *member, const char *what)
{
    return err_note_set(note, ERR_INVALID, "\"%s\" of an event %s.", member, what);
}

static struct str text_of(const json_t *value)
{
    return json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)} : STR_NONE;
}

static bool read_time(const json_t *value, int64_t *out_ms)
{
    struct str text = text_of(value);
    return text.len == TIME_TEXT_LEN && time_from_text(text.ptr, out_ms);
}

static enum err
read_integer(const struct event_member *m, const json_t *value, struct event_data *data, struct err_note *note)
{
    if (!json_is_integer(value)) {
        return wrong(note, m->name, "is not an integer");
    }
    int64_t number = json_integer_value(value);
    if (number < m->min || number > m->max) {
        return err_note_set(
            note, ERR_INVALID, "\"%s\" of an event is not within %" PRId64 " and %" PRId64 ".", m->name, m->min,
            m->max);
    }
    *(int64_t *)(void *)((char *)data + m->offset) = number;
    return ERR_OK;
}

static enum err
read_member(const struct event_member *m, const json_t *value, struct event_data *data, struct err_note *note)
{
    struct str text = text_of(value);
    char *place = (char *)data + m->offset;
    if (m->type == EVENT_MEMBER_INTEGER) {
        return read_integer(m, value, data, note);
    }
    if (m->type == EVENT_MEMBER_TIME) {
        return read_time(value, (int64_t *)(void *)place) ? ERR_OK : wrong(note, m->name, "is not a time");
    }
    if (m->type == EVENT_MEMBER_SKU ? !str_is_sku(text) : !str_is_location(text)) {
        return wrong(note, m->name, m->type == EVENT_MEMBER_SKU ? "is not a SKU" : "is not a location");
    }
    *(struct str *)(void *)place = text;
    return ERR_OK;
}

static enum err read_data(enum event_kind kind, const json_t *object, struct event_data *data, struct err_note *note)
{
    const struct event_member *m = NULL;
    if (!json_is_object(object)) {
        return wrong(note, "data", "is not an object");
    }
    while ((m = event_member_next(kind, m)) != NULL) {
        const json_t *value = json_object_get(object, m->name);
        if (value == NULL) {
            return wrong(note, m->name, "is missing");
        }
        TRY(read_member(m, value, data, note));
    }
    if (kind == EVENT_STOCK_CHANGED && data->available != quantities_available(&data->quantities)) {
        return wrong(note, "available", "is not what the quantities give");
    }
    return ERR_OK;
}

/* Is it a CloudEvent, and of which kind? */
static enum err read_kind(const json_t *root, enum event_kind *out, struct err_note *note)
{
    struct str type = text_of(json_object_get(root, "type"));
    if (!str_equal(text_of(json_object_get(root, "specversion")), STR("1.0"))) {
        return wrong(note, "specversion", "is not 1.0");
    }
    if (type.len == 0 || text_of(json_object_get(root, "id")).len == 0) {
        return wrong(note, type.len == 0 ? "type" : "id", "is missing");
    }
    if (text_of(json_object_get(root, "source")).len == 0) {
        return wrong(note, "source", "is missing");
    }
    *out = event_kind_of(type);
    return *out == EVENT_KIND_COUNT ? err_note_set(note, ERR_NOT_FOUND, "An event is of a type that is not known.")
                                    : ERR_OK;
}

/* The attributes that repeat members of the data are for brokers and filters; these two say whose event it is. */
static enum err check_envelope(const json_t *root, const struct event_data *data, struct err_note *note)
{
    char source[EVENT_SOURCE_BYTES_MAX];
    event_source((uint32_t)data->partition, source);
    if (!str_equal(text_of(json_object_get(root, "source")), str_from(source))) {
        return wrong(note, "source", "is not that of its partition");
    }
    if (!str_equal(text_of(json_object_get(root, "subject")), data->sku)) {
        return wrong(note, "subject", "is not its item");
    }
    return ERR_OK;
}

static enum err read_event(struct event_box *box, const json_t *root, struct err_note *note)
{
    enum event_kind kind = EVENT_KIND_COUNT;
    struct event_data data = {0};
    int64_t time_ms = 0;
    TRY(read_kind(root, &kind, note));
    TRY(read_data(kind, json_object_get(root, "data"), &data, note));
    TRY(check_envelope(root, &data, note));
    if (!read_time(json_object_get(root, "time"), &time_ms)) {
        return wrong(note, "time", "is not a time");
    }
    if (kind == EVENT_STREAM_POSITION && time_ms == 0) {
        return wrong(note, "time", "is missing");
    }
    if (data.partition != box->message.partition) {
        return err_note_set(note, ERR_NOT_FOUND, "An event is of another partition.");
    }
    add(box, kind, &data, time_ms);
    return ERR_OK;
}

enum err event_box_add(struct event_box *box, struct str json, struct err_note *note)
{
    json_error_t error;
    if (json.len == 0 || json.len > EVENT_READ_BYTES_MAX) {
        return err_note_set(note, ERR_MALFORMED, "An event has %zu bytes.", json.len);
    }
    json_t *root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return err_note_set(note, ERR_MALFORMED, "The JSON of an event is broken at byte %d.", error.position);
    }
    enum err e = read_event(box, root, note);
    json_decref(root);
    return e;
}
