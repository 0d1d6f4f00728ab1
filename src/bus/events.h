/*
 * What the events are called and carry: events.def as tables. They write, read and describe the events.
 */
#ifndef BUS_EVENTS_H
#define BUS_EVENTS_H

#include "bus/event.h"

/* `data` of an event of any kind; a kind fills its members only. */
struct event_data {
    int64_t partition;
    struct str sku;
    struct str location;
    struct quantities quantities;
    int64_t available;
    int64_t version;
    int64_t seq;
    int64_t number;
    int64_t defined_at; /* ms */
    int64_t epoch;
    int64_t items;
};

enum event_member_type {
    EVENT_MEMBER_INTEGER,  /* int64_t: `min`..`max` */
    EVENT_MEMBER_SKU,      /* struct str */
    EVENT_MEMBER_LOCATION, /* struct str */
    EVENT_MEMBER_TIME,     /* int64_t: ms; in JSON the text of time_to_text() */
};

/* One member of `data`. */
struct event_member {
    enum event_kind kind;
    const char *name;
    enum event_member_type type;
    size_t offset; /* in struct event_data */
    int64_t min;   /* of texts: bytes */
    int64_t max;
    const char *description;
};

struct event_info {
    const char *name; /* "stock.changed" */
    const char *type; /* of the CloudEvent */
    const char *summary;
    const char *description;
};

const struct event_info *event_info(enum event_kind kind);
/* The kind of a CloudEvents type; EVENT_KIND_COUNT: none of ours. */
enum event_kind event_kind_of(struct str type);

/* The members of a kind in their order; `after` NULL: the first. NULL behind the last. */
const struct event_member *event_member_next(enum event_kind kind, const struct event_member *after);

/* The source of all events of a partition, terminated. */
#define EVENT_SOURCE_BYTES_MAX 48
void event_source(uint32_t partition, char out[EVENT_SOURCE_BYTES_MAX]);

#endif
