/*
 * The events of the stream as bytes: CloudEvents 1.0 in the structured JSON format, the same on every broker.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 * What each kind is called and carries is declared in events.def; the AsyncAPI document is made from the same rows.
 */
#ifndef BUS_EVENT_H
#define BUS_EVENT_H

#include "base/buf.h"
#include "bus/bus.h"

enum event_kind { EVENT_STOCK_CHANGED, EVENT_ITEM_DEFINED, EVENT_STREAM_POSITION, EVENT_KIND_COUNT };

/* The longest: a SKU and a location escaped, all numbers at their longest. */
#define EVENT_BYTES_MAX 2048
#define EVENT_ID_BYTES_MAX 96
/* The longest that is read: members that came after this program may have made it longer. */
#define EVENT_READ_BYTES_MAX 16384
#define EVENT_CONTENT_TYPE "application/cloudevents+json"

/* One event, ready to be sent. */
struct event {
    enum event_kind kind;
    struct str id;   /* the same when it is sent again: brokers that drop repetitions go by it */
    struct str key;  /* partition key: the SKU; of a position, the partition's number */
    struct str json; /* the whole event */
};

/* "stock.changed": the kind's name in topics and routing keys. */
const char *event_kind_name(enum event_kind kind);

/*
 * Calls `fn` for each row of the message as an event, in order: items, levels, position. The event is borrowed for the
 * call. False from `fn` ends it; returns false then.
 */
bool event_each(const struct bus_message *m, bool (*fn)(void *ctx, const struct event *e), void *ctx);

/* Collects received events into one message. Owns its rows and their strings. The caller stops when it is full. */
#define EVENT_BOX_EVENTS_MAX 1024
struct event_box;
struct event_box *event_box_new(uint32_t partition);
void event_box_free(struct event_box *box); /* accepts NULL */
void event_box_clear(struct event_box *box);
size_t event_box_len(const struct event_box *box); /* events in it */
/*
 * Adds one event. ERR_MALFORMED, ERR_INVALID: not an event of ours, or not one that we know; nothing was added. Events of
 * another partition and kinds that came after this program are ERR_NOT_FOUND. A later position replaces the one before.
 */
MUST_CHECK enum err event_box_add(struct event_box *box, struct str json, struct err_note *note);
/* What was collected; lives until the next call on the box. */
const struct bus_message *event_box_message(struct event_box *box);

#endif
