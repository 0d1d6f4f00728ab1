#include "api/messages.h"

#include "api/decode.h"

#include <stdlib.h>

#define COMMAND(member) .offset = offsetof(struct command, member)
#define LINE(member) .offset = offsetof(struct command_line, member)
#define MESSAGE(symbol, title, target, ...) \
    .name = (title), .fields = symbol, .fields_len = ARRAY_LEN(symbol), .size = sizeof(target), __VA_ARGS__

/* clang-format off */

/* Members that several requests share. */
#define NAME_FIELD \
    {"name", FIELD_TEXT, .required = true, .min = 1, .max = NAME_BYTES_MAX, COMMAND(name), .description = "What people call it."}
#define REFERENCE_FIELD \
    {"reference", FIELD_TEXT, .min = 1, .max = REFERENCE_BYTES_MAX, COMMAND(reference), .description = "The caller's own number for it, such as an order number; kept with every movement."}
#define REASON_FIELD(needed) \
    {"reason", FIELD_TEXT, .required = (needed), .min = 1, .max = REASON_BYTES_MAX, COMMAND(reason), .description = "Why the stock changes; kept with every movement."}
#define LINES_FIELD(table, needed, least, text) \
    {"lines", FIELD_LIST, .required = (needed), .min = (least), .max = LINES_MAX, COMMAND(lines), .also = offsetof(struct command, lines_len), .message = &table, .description = text}
#define SKU_LINE_FIELD {"sku", FIELD_SKU, .required = true, LINE(sku), .description = "The item."}
#define LOCATION_LINE_FIELD(needed, text) {"location", FIELD_LOCATION, .required = (needed), LINE(location), .description = text}
#define QUANTITY_LINE_FIELD(text) {"quantity", FIELD_INT64, .required = true, .min = 1, .max = LINE_QUANTITY_MAX, LINE(quantity), .description = text}
#define TTL_FIELD(text) \
    {"ttl_s", FIELD_UINT32, .min = TTL_S_MIN, .max = TTL_S_MAX, .has_fallback = true, .fallback = TTL_S_DEFAULT, COMMAND(ttl_s), .description = text}
#define TO_FIELD \
    {"to", FIELD_CHOICE, COMMAND(return_to), .choices = return_choices, .description = "Where the units go: `restocked` (the default) makes them available again, `damaged` keeps them apart."}
#define SET_FIELD(member, bucket, text) \
    {member, FIELD_INT64, .min = 0, .max = QUANTITY_MAX, COMMAND(set.of[bucket]), .has_given = true, .also = offsetof(struct command, set_given[bucket]), .description = text}

static const struct choice adjustable_choices[] = {
    {"on_hand", QUANTITY_ON_HAND}, {"damaged", QUANTITY_DAMAGED}, {"quality_control", QUANTITY_QUALITY_CONTROL},
    {"safety_stock", QUANTITY_SAFETY_STOCK}, {"incoming", QUANTITY_INCOMING}, {NULL, 0}};
static const struct choice return_choices[] = {{"restocked", RETURN_RESTOCKED}, {"damaged", RETURN_DAMAGED}, {NULL, 0}};
static const struct choice state_choices[] = {
    {"held", RESERVATION_HELD}, {"committed", RESERVATION_COMMITTED}, {"fulfilled", RESERVATION_FULFILLED},
    {"released", RESERVATION_RELEASED}, {"expired", RESERVATION_EXPIRED}, {"cancelled", RESERVATION_CANCELLED},
    {"returned", RESERVATION_RETURNED}, {NULL, 0}};

/* Lines. */
static const struct field adjustment_line_fields[] = {
    SKU_LINE_FIELD,
    LOCATION_LINE_FIELD(true, "The location."),
    {"quantity", FIELD_CHOICE, .required = true, LINE(bucket), .choices = adjustable_choices, .description = "Which quantity of the level changes."},
    {"delta", FIELD_INT64, .required = true, .not_zero = true, .min = -LINE_QUANTITY_MAX, .max = LINE_QUANTITY_MAX, LINE(quantity), .description = "Units to add; negative takes away; not 0."},
};
static const struct message adjustment_line = {
    MESSAGE(adjustment_line_fields, "AdjustmentLine", struct command_line, .description = "One change of one quantity of one level.")};

static const struct field receipt_line_fields[] = {
    SKU_LINE_FIELD, LOCATION_LINE_FIELD(true, "Where the units arrived."), QUANTITY_LINE_FIELD("Units that arrived.")};
static const struct message receipt_line = {
    MESSAGE(receipt_line_fields, "ReceiptLine", struct command_line, .description = "Units of one item that arrived.")};

static const struct field transfer_line_fields[] = {SKU_LINE_FIELD, QUANTITY_LINE_FIELD("Units to move.")};
static const struct message transfer_line = {
    MESSAGE(transfer_line_fields, "TransferLine", struct command_line, .description = "Units of one item to move.")};

static const struct field reservation_line_fields[] = {
    SKU_LINE_FIELD, QUANTITY_LINE_FIELD("Units to promise."),
    LOCATION_LINE_FIELD(false, "Take the units from here only; without it the service chooses the locations."),
};
static const struct message reservation_line = {
    MESSAGE(reservation_line_fields, "ReservationRequestLine", struct command_line, .description = "Units of one item to promise. Lines with the same SKU and location are added up.")};

static const struct field part_line_fields[] = {
    SKU_LINE_FIELD, LOCATION_LINE_FIELD(false, "Only units promised at this location."), QUANTITY_LINE_FIELD("Units of the part.")};
static const struct message part_line = {
    MESSAGE(part_line_fields, "PartLine", struct command_line, .description = "A part of what the reservation holds.")};

/* Requests. Each list of members is a macro, because an operation of a batch has the same members and more. */
#define ITEM_FIELDS \
    NAME_FIELD, \
    {"attributes", FIELD_ANY_OBJECT, .max = ATTRIBUTES_BYTES_MAX, COMMAND(attributes), .description = "Any JSON object of the caller's; up to 4,096 bytes."}
#define LOCATION_FIELDS \
    NAME_FIELD, \
    {"priority", FIELD_UINT32, .min = 0, .max = PRIORITY_MAX, .has_fallback = true, .fallback = PRIORITY_DEFAULT, COMMAND(priority), .description = "Among equally good locations the lower number is taken first."}
#define LEVEL_FIELDS \
    SET_FIELD("on_hand", QUANTITY_ON_HAND, "Units that are physically there."), \
    SET_FIELD("damaged", QUANTITY_DAMAGED, "Units that are damaged."), \
    SET_FIELD("quality_control", QUANTITY_QUALITY_CONTROL, "Units that are being checked."), \
    SET_FIELD("safety_stock", QUANTITY_SAFETY_STOCK, "Units that are kept back."), \
    SET_FIELD("incoming", QUANTITY_INCOMING, "Units on their way; not part of on_hand."), \
    REASON_FIELD(false), REFERENCE_FIELD
#define ADJUSTMENT_FIELDS \
    LINES_FIELD(adjustment_line, true, 1, "The changes; all are made or none."), REASON_FIELD(true), REFERENCE_FIELD
#define RECEIPT_FIELDS LINES_FIELD(receipt_line, true, 1, "What arrived."), REFERENCE_FIELD
#define TRANSFER_FIELDS \
    {"from", FIELD_LOCATION, .required = true, COMMAND(location), .description = "Where the units are."}, \
    {"to", FIELD_LOCATION, .required = true, COMMAND(to), .description = "Where they go; another location."}, \
    LINES_FIELD(transfer_line, true, 1, "What moves; all of it or nothing."), REFERENCE_FIELD
#define RESERVATION_FIELDS \
    LINES_FIELD(reservation_line, true, 1, "What is promised; all of it or nothing."), \
    TTL_FIELD("Seconds until the hold expires."), REFERENCE_FIELD
#define EXTEND_FIELDS TTL_FIELD("Seconds from now until the hold expires.")
#define FULFILL_FIELDS LINES_FIELD(part_line, false, 1, "The part that leaves; without it everything that is left.")
#define RETURN_FIELDS LINES_FIELD(part_line, false, 1, "The part that comes back; without it everything that is left."), TO_FIELD

static const struct field item_fields[] = {ITEM_FIELDS};
static const struct field location_fields[] = {LOCATION_FIELDS};
static const struct field level_fields[] = {LEVEL_FIELDS};
static const struct field adjustment_fields[] = {ADJUSTMENT_FIELDS};
static const struct field receipt_fields[] = {RECEIPT_FIELDS};
static const struct field transfer_fields[] = {TRANSFER_FIELDS};
static const struct field reservation_fields[] = {RESERVATION_FIELDS};
static const struct field extend_fields[] = {EXTEND_FIELDS};
static const struct field fulfill_fields[] = {FULFILL_FIELDS};
static const struct field return_fields[] = {RETURN_FIELDS};

/* clang-format on */

static void set_inspect(const void *decoded, struct decode_errors *errors)
{
    const struct command *command = decoded;
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        if (command->set_given[q]) {
            return;
        }
    }
    decode_error(errors, NULL, "missing", "At least one quantity is needed.");
}

static void transfer_inspect(const void *decoded, struct decode_errors *errors)
{
    const struct command *command = decoded;
    if (!str_is_absent(command->to) && str_equal(command->location, command->to)) {
        struct pointer to = {.name = STR("to")};
        decode_error(errors, &to, "out_of_range", "Must be another location than `from`.");
    }
}

/* clang-format off */

const struct message item_request = {
    MESSAGE(item_fields, "ItemRequest", struct command, .description = "A sellable thing."),
    .example = "{\"name\":\"White hanging heart T-light holder\",\"attributes\":{\"colour\":\"white\"}}"};
const struct message location_request = {
    MESSAGE(location_fields, "LocationRequest", struct command, .description = "A place that holds stock."),
    .example = "{\"name\":\"Warehouse Leeds\",\"priority\":1}"};
const struct message level_request = {
    MESSAGE(level_fields, "LevelRequest", struct command, .description = "New values of quantities; those not given stay. At least one is given."),
    .inspect = set_inspect, .example = "{\"on_hand\":120,\"safety_stock\":5,\"reason\":\"annual count\"}"};
const struct message adjustment_request = {
    MESSAGE(adjustment_fields, "AdjustmentRequest", struct command, .description = "Changes of quantities by a difference."),
    .example = "{\"lines\":[{\"sku\":\"85123A\",\"location\":\"leeds\",\"quantity\":\"on_hand\",\"delta\":-3}],\"reason\":\"broken in the aisle\"}"};
const struct message receipt_request = {
    MESSAGE(receipt_fields, "ReceiptRequest", struct command, .description = "Units that arrived: `on_hand` rises, `incoming` falls by as much as there is."),
    .example = "{\"lines\":[{\"sku\":\"85123A\",\"location\":\"leeds\",\"quantity\":24}],\"reference\":\"PO-1009\"}"};
const struct message transfer_request = {
    MESSAGE(transfer_fields, "TransferRequest", struct command, .description = "Available units that move between two locations."),
    .inspect = transfer_inspect,
    .example = "{\"from\":\"leeds\",\"to\":\"york\",\"lines\":[{\"sku\":\"85123A\",\"quantity\":12}]}"};
const struct message reservation_request = {
    MESSAGE(reservation_fields, "ReservationRequest", struct command, .description = "A promise to ask for."),
    .example = "{\"lines\":[{\"sku\":\"85123A\",\"quantity\":6}],\"ttl_s\":900,\"reference\":\"order-536365\"}"};
const struct message extend_request = {
    MESSAGE(extend_fields, "ExtendRequest", struct command, .description = "A new time to live."), .example = "{\"ttl_s\":600}"};
const struct message empty_request = {
    .name = "EmptyRequest", .description = "No members.", .size = sizeof(struct command), .example = "{}"};
const struct message fulfill_request = {
    MESSAGE(fulfill_fields, "FulfillRequest", struct command, .description = "What leaves the house."),
    .example = "{\"lines\":[{\"sku\":\"85123A\",\"quantity\":6}]}"};
const struct message return_request = {
    MESSAGE(return_fields, "ReturnRequest", struct command, .description = "What comes back."),
    .example = "{\"lines\":[{\"sku\":\"85123A\",\"quantity\":1}],\"to\":\"damaged\"}"};

/* Operations of a batch. */
#define OP_FIELD(word) {"op", FIELD_WORD, .required = true, .choices = (const struct choice[]){{word, 0}, {NULL, 0}}, .description = "Which operation."}
#define KEY_FIELD {"idempotency_key", FIELD_KEY, .min = 1, .max = IDEMPOTENCY_KEY_BYTES_MAX, .offset = offsetof(struct batch_entry, key), .description = "Its own idempotency key; without it the key of the batch, `#` and the index."}
#define ID_FIELD {"id", FIELD_UUID, .required = true, COMMAND(id), .description = "The reservation."}
#define VARIANT(symbol, title, word, code, look, ...) \
    static const struct field symbol##_fields[] = {OP_FIELD(word), KEY_FIELD __VA_OPT__(,) __VA_ARGS__}; \
    static const struct message symbol = {MESSAGE(symbol##_fields, title, struct batch_entry, .description = "The operation `" word "` in a batch."), .kind = (code), .inspect = (look)}

VARIANT(batch_define_item, "BatchDefineItem", "define_item", COMMAND_DEFINE_ITEM, NULL,
    {"sku", FIELD_SKU, .required = true, COMMAND(sku), .description = "The item."}, ITEM_FIELDS);
VARIANT(batch_define_location, "BatchDefineLocation", "define_location", COMMAND_DEFINE_LOCATION, NULL,
    {"location", FIELD_LOCATION, .required = true, COMMAND(location), .description = "The location."}, LOCATION_FIELDS);
VARIANT(batch_receive, "BatchReceive", "receive", COMMAND_RECEIVE, NULL, RECEIPT_FIELDS);
VARIANT(batch_adjust, "BatchAdjust", "adjust", COMMAND_ADJUST, NULL, ADJUSTMENT_FIELDS);
VARIANT(batch_set, "BatchSet", "set", COMMAND_SET, set_inspect,
    {"sku", FIELD_SKU, .required = true, COMMAND(sku), .description = "The item."},
    {"location", FIELD_LOCATION, .required = true, COMMAND(location), .description = "The location."},
    {"expected_version", FIELD_UINT64, .required = true, .min = 0, .max = INT64_MAX, COMMAND(expected_version), .description = "The version of the level that was read; 0: the level must not exist yet."},
    LEVEL_FIELDS);
VARIANT(batch_transfer, "BatchTransfer", "transfer", COMMAND_TRANSFER, transfer_inspect, TRANSFER_FIELDS);
VARIANT(batch_reserve, "BatchReserve", "reserve", COMMAND_RESERVE, NULL, RESERVATION_FIELDS);
VARIANT(batch_extend, "BatchExtend", "extend", COMMAND_EXTEND, NULL, ID_FIELD, EXTEND_FIELDS);
VARIANT(batch_commit, "BatchCommit", "commit", COMMAND_COMMIT, NULL, ID_FIELD);
VARIANT(batch_release, "BatchRelease", "release", COMMAND_RELEASE, NULL, ID_FIELD);
VARIANT(batch_cancel, "BatchCancel", "cancel", COMMAND_CANCEL, NULL, ID_FIELD);
VARIANT(batch_fulfill, "BatchFulfill", "fulfill", COMMAND_FULFILL, NULL, ID_FIELD, FULFILL_FIELDS);
VARIANT(batch_return, "BatchReturn", "return", COMMAND_RETURN, NULL, ID_FIELD, RETURN_FIELDS);

const struct message *const batch_variants[] = {
    &batch_define_item, &batch_define_location, &batch_receive, &batch_adjust, &batch_set, &batch_transfer,
    &batch_reserve, &batch_extend, &batch_commit, &batch_release, &batch_cancel, &batch_fulfill, &batch_return, NULL};

static const struct field batch_fields[] = {
    {"operations", FIELD_VARIANTS, .required = true, .min = 1, .max = BATCH_OPERATIONS_MAX, .variants = batch_variants, .description = "The operations, decided in this order, each on its own."}};
const struct message batch_request = {
    MESSAGE(batch_fields, "BatchRequest", void *, .description = "Writes that are sent together."),
    .example = "{\"operations\":[{\"op\":\"reserve\",\"lines\":[{\"sku\":\"85123A\",\"quantity\":1}]}]}"};

/* Query arguments. */
#define ARGUMENT(member) .offset = offsetof(struct arguments, member)
#define LIMIT_FIELD {"limit", FIELD_UINT32, .min = 1, .max = PAGE_ROWS_MAX, .has_fallback = true, .fallback = PAGE_ROWS_DEFAULT, ARGUMENT(limit), .description = "Rows of a page at most."}
#define AFTER_FIELD {"after", FIELD_TEXT, .min = 1, .max = 128, ARGUMENT(after), .description = "The cursor `page.next` of the page before."}
#define MIN_SEQ_FIELD {"min_seq", FIELD_UINT64, .min = 0, .max = INT64_MAX, ARGUMENT(min_seq), .description = "A token from `Onhand-Seq`: the answer includes that write, or it is a 503 after a second."}
#define CHANNEL_FIELD {"channel", FIELD_TEXT, .min = 1, .max = 64, ARGUMENT(channel), .description = "Where it is sold; there is only `default`."}
#define QUERY(symbol) MESSAGE(symbol, "Arguments", struct arguments, .description = "Query arguments.")

static const struct field items_query_fields[] = {LIMIT_FIELD, AFTER_FIELD};
static const struct field reservations_query_fields[] = {
    {"state", FIELD_CHOICE, ARGUMENT(state), .choices = state_choices, .description = "Only reservations in this state."},
    {"reference", FIELD_TEXT, .min = 1, .max = REFERENCE_BYTES_MAX, ARGUMENT(reference), .description = "Only reservations with this reference."},
    LIMIT_FIELD, AFTER_FIELD};
static const struct field movements_query_fields[] = {
    {"sku", FIELD_SKU, ARGUMENT(sku), .description = "Only movements of this item."},
    {"location", FIELD_LOCATION, ARGUMENT(location), .description = "Only movements at this location."},
    {"after_seq", FIELD_UINT64, .min = 0, .max = INT64_MAX, ARGUMENT(after_seq), .description = "Only movements behind this one; without `after`, which goes on from a page."},
    AFTER_FIELD, LIMIT_FIELD};
static const struct field snapshot_query_fields[] = {
    {"after_item", FIELD_UINT64, .min = 0, .max = ITEMS_MAX, ARGUMENT(after_item), .description = "Only items behind the one with this number: `page.next` of the page before, or the newest that is known."},
    LIMIT_FIELD};
static const struct field availability_query_fields[] = {CHANNEL_FIELD, MIN_SEQ_FIELD};
static const struct field availability_list_query_fields[] = {
    {"sku", FIELD_TEXT, .required = true, .many = true, .min = 1, .max = AVAILABILITY_SKUS_MAX, ARGUMENT(sku), .description = "An item; up to 100, each as an argument of its own."},
    CHANNEL_FIELD, MIN_SEQ_FIELD};
static const struct field stream_query_fields[] = {
    {"sku", FIELD_TEXT, .required = true, .many = true, .min = 1, .max = STREAM_SKUS_MAX, ARGUMENT(sku), .description = "An item to follow; up to 500, each as an argument of its own."},
    CHANNEL_FIELD,
    {"last_event_id", FIELD_TEXT, .min = 1, .max = 128, ARGUMENT(last_event_id), .description = "As the header Last-Event-ID, for clients that cannot set it."}};

const struct message no_query = {.name = "Arguments", .description = "Query arguments.", .size = sizeof(struct arguments)};
const struct message items_query = {QUERY(items_query_fields)};
const struct message reservations_query = {QUERY(reservations_query_fields)};
const struct message movements_query = {QUERY(movements_query_fields)};
const struct message availability_query = {QUERY(availability_query_fields)};
const struct message availability_list_query = {QUERY(availability_list_query_fields)};
const struct message stream_query = {QUERY(stream_query_fields)};
const struct message snapshot_query = {QUERY(snapshot_query_fields)};

/* clang-format on */

const struct message *batch_variant(struct str op)
{
    for (const struct message *const *m = batch_variants; *m != NULL; m++) {
        if (str_equal(op, command_kind_name((*m)->kind))) {
            return *m;
        }
    }
    return NULL;
}
