/*
 * The messages of the interface as tables of members. One table decodes a body, gives its JSON Schema, and documents
 * it. Response tables are for the documents only: answers are written by hand (encode.h), because they are hot.
 */
#ifndef API_MESSAGES_H
#define API_MESSAGES_H

#include "core/command.h"
#include "core/reservation.h"

#include <stddef.h>

enum field_type {
    FIELD_TEXT,       /* struct str: `min`..`max` bytes without control characters */
    FIELD_SKU,        /* struct str */
    FIELD_LOCATION,   /* struct str */
    FIELD_KEY,        /* struct str: an idempotency key */
    FIELD_UUID,       /* struct uuid */
    FIELD_INT64,      /* int64_t: `min`..`max` */
    FIELD_UINT64,     /* uint64_t: `min`..`max` */
    FIELD_UINT32,     /* uint32_t: `min`..`max` */
    FIELD_CHOICE,     /* int (an enum): one of `choices` */
    FIELD_WORD,       /* not stored: exactly the word `choices[0]` */
    FIELD_ANY_OBJECT, /* struct str: a JSON object, rendered in canonical form, up to `max` bytes */
    FIELD_LIST,       /* pointer to elements of `message` and at `also` a uint32_t length: `min`..`max` elements */
    FIELD_VARIANTS,   /* json_t *: an array of `min`..`max` elements, each one of `variants`, decoded by the caller */
    /* In answers only. */
    FIELD_BOOL,
    FIELD_TIME,
    FIELD_MESSAGE,
    FIELD_PROBLEM_POINTER,
};

struct choice {
    const char *name; /* NULL: end */
    int value;
};

struct message;

struct field {
    const char *name;
    enum field_type type;
    bool required;
    bool nullable;
    bool not_zero;
    bool many;         /* a query argument that may be repeated */
    bool has_given;    /* `also` is the offset of a bool: was it there? */
    bool has_fallback; /* integers: `fallback` when it is absent */
    int64_t min;
    int64_t max;
    int64_t fallback;
    size_t offset;
    size_t also;
    const struct choice *choices;
    const struct message *message;
    const struct message *const *variants; /* ended by NULL */
    const char *description;
};

struct decode_errors;

struct message {
    const char *name; /* of its schema, CamelCase */
    const char *description;
    const char *example; /* JSON; NULL: none */
    const struct field *fields;
    size_t fields_len;
    size_t size;            /* of the struct it decodes to */
    enum command_kind kind; /* operations of a batch */
    /* What no row can say; reports into `errors`. NULL: nothing. */
    void (*inspect)(const void *decoded, struct decode_errors *errors);
};

/* What an operation in a batch decodes to. */
struct batch_entry {
    struct command command;
    struct str key; /* absent: derived from the key of the batch */
};

/* Query arguments of every operation; each table fills its own part. */
struct arguments {
    uint32_t limit;
    struct str after;
    uint64_t min_seq;
    uint64_t after_seq;
    uint64_t after_item;
    struct str sku; /* the first, where several are allowed */
    struct str location;
    int state; /* enum reservation_state; 0: any */
    struct str reference;
    struct str channel;
    struct str last_event_id;
};

extern const struct message item_request, location_request, level_request, adjustment_request, receipt_request,
    transfer_request, reservation_request, extend_request, empty_request, fulfill_request, return_request,
    batch_request;

/* The variants of an operation in a batch, ended by NULL; `kind` says which command. */
extern const struct message *const batch_variants[];
/* NULL when no operation has this name. */
const struct message *batch_variant(struct str op);

extern const struct message item_answer, item_written_answer, item_list_answer, location_answer,
    location_written_answer, location_list_answer, level_answer, level_written_answer, levels_answer, lines_answer,
    reservation_answer, reservation_written_answer, reservation_list_answer, movement_list_answer, availability_answer,
    availability_list_answer, snapshot_answer, batch_answer, health_answer, problem_answer;

extern const struct message no_query, items_query, reservations_query, movements_query, availability_query,
    availability_list_query, stream_query, snapshot_query;

#endif
