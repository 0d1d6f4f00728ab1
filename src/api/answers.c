/* The tables of answers: for the documents. What writes them is encode.c; a test compares the two. */
#include "api/messages.h"

#define SHOWN(symbol, title, text) \
    .name = (title), .description = (text), .fields = symbol, .fields_len = ARRAY_LEN(symbol)

/* clang-format off */
#define SEQ {"seq", FIELD_UINT64, .required = true, .max = INT64_MAX, .description = "The ledger's number after this write: pass it as `min_seq` to read your own write."}
#define PAGE {"page", FIELD_MESSAGE, .required = true, .message = &page_answer, .description = "How to go on."}
#define DATA(table, most) {"data", FIELD_LIST, .required = true, .max = (most), .message = &table, .description = "The rows."}
#define COUNTED(name, text) {name, FIELD_INT64, .required = true, .max = QUANTITY_MAX, .description = text}
#define AVAILABLE(text) {"available", FIELD_INT64, .required = true, .min = -6 * QUANTITY_MAX, .max = QUANTITY_MAX, .description = text}

static const struct choice state_names[] = {
    {"held", 0}, {"committed", 0}, {"fulfilled", 0}, {"released", 0}, {"expired", 0}, {"cancelled", 0}, {"returned", 0},
    {NULL, 0}};
static const struct choice movement_names[] = {
    {"receive", 0}, {"adjust", 0}, {"set", 0}, {"transfer_out", 0}, {"transfer_in", 0}, {"reserve", 0}, {"commit", 0},
    {"release", 0}, {"expire", 0}, {"cancel", 0}, {"fulfill", 0}, {"return", 0}, {NULL, 0}};
static const struct choice status_names[] = {{"in_stock", 0}, {"low_stock", 0}, {"out_of_stock", 0}, {NULL, 0}};
static const struct choice health_names[] = {{"pass", 0}, {"fail", 0}, {NULL, 0}};
static const struct choice channel_names[] = {{"default", 0}, {NULL, 0}};

static const struct field page_fields[] = {
    {"next", FIELD_TEXT, .required = true, .nullable = true, .max = 128, .description = "The cursor of the next page; null on the last."},
    {"limit", FIELD_UINT32, .required = true, .min = 1, .max = LOCATIONS_MAX, .description = "Rows of a page at most."}};
static const struct message page_answer = {SHOWN(page_fields, "Page", "Where a list goes on.")};

#define ITEM_MEMBERS \
    {"sku", FIELD_SKU, .required = true, .description = "Its id."}, \
    {"name", FIELD_TEXT, .required = true, .min = 1, .max = NAME_BYTES_MAX, .description = "What people call it."}, \
    {"attributes", FIELD_ANY_OBJECT, .required = true, .max = ATTRIBUTES_BYTES_MAX, .description = "The caller's own object."}
static const struct field item_fields[] = {ITEM_MEMBERS};
static const struct field item_written_fields[] = {ITEM_MEMBERS, SEQ};
static const struct field item_list_fields[] = {DATA(item_answer, PAGE_ROWS_MAX), PAGE};
const struct message item_answer = {SHOWN(item_fields, "Item", "A sellable thing.")};
const struct message item_written_answer = {SHOWN(item_written_fields, "ItemWritten", "An item as it was written.")};
const struct message item_list_answer = {SHOWN(item_list_fields, "ItemList", "Items by SKU.")};

#define LOCATION_MEMBERS \
    {"id", FIELD_LOCATION, .required = true, .description = "Its id."}, \
    {"name", FIELD_TEXT, .required = true, .min = 1, .max = NAME_BYTES_MAX, .description = "What people call it."}, \
    {"priority", FIELD_UINT32, .required = true, .max = PRIORITY_MAX, .description = "The lower number is taken first."}
static const struct field location_fields[] = {LOCATION_MEMBERS};
static const struct field location_written_fields[] = {LOCATION_MEMBERS, SEQ};
static const struct field location_list_fields[] = {DATA(location_answer, LOCATIONS_MAX), PAGE};
const struct message location_answer = {SHOWN(location_fields, "Location", "A place that holds stock.")};
const struct message location_written_answer = {SHOWN(location_written_fields, "LocationWritten", "A location as it was written.")};
const struct message location_list_answer = {SHOWN(location_list_fields, "LocationList", "All locations by id.")};

#define LEVEL_MEMBERS \
    {"sku", FIELD_SKU, .required = true, .description = "The item."}, \
    {"location", FIELD_LOCATION, .required = true, .description = "The location."}, \
    COUNTED("on_hand", "Units that are physically there."), \
    COUNTED("reserved", "Units promised to holds."), \
    COUNTED("committed", "Units promised to committed reservations."), \
    COUNTED("damaged", "Units that are damaged."), \
    COUNTED("quality_control", "Units that are being checked."), \
    COUNTED("safety_stock", "Units that are kept back."), \
    COUNTED("incoming", "Units on their way; not part of on_hand."), \
    AVAILABLE("on_hand less all the others but incoming; negative after a correction below what is promised."), \
    {"version", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "Counts the changes of the level; its ETag."}, \
    {"updated_at", FIELD_TIME, .required = true, .description = "When it changed last."}
static const struct field level_fields[] = {LEVEL_MEMBERS};
static const struct field level_written_fields[] = {LEVEL_MEMBERS, SEQ};
static const struct field levels_fields[] = {
    {"sku", FIELD_SKU, .required = true, .description = "The item."},
    {"levels", FIELD_LIST, .required = true, .max = LOCATIONS_MAX, .message = &level_answer, .description = "Its levels by location."},
    {"available", FIELD_INT64, .required = true, .min = -6 * QUANTITY_MAX * LOCATIONS_MAX, .max = QUANTITY_MAX * LOCATIONS_MAX, .description = "The sum over the levels."}};
static const struct field lines_fields[] = {
    {"lines", FIELD_LIST, .required = true, .max = 2 * LINES_MAX, .message = &level_answer, .description = "Every level that changed, as it is now."}, SEQ};
const struct message level_answer = {SHOWN(level_fields, "Level", "The quantities of one item at one location.")};
const struct message level_written_answer = {SHOWN(level_written_fields, "LevelWritten", "A level as it was written.")};
const struct message levels_answer = {SHOWN(levels_fields, "Levels", "The quantities of one item everywhere.")};
const struct message lines_answer = {SHOWN(lines_fields, "StockChange", "What a change of stock left behind.")};

static const struct field reservation_line_fields[] = {
    {"sku", FIELD_SKU, .required = true, .description = "The item."},
    {"location", FIELD_LOCATION, .required = true, .description = "Where the units are promised."},
    {"quantity", FIELD_INT64, .required = true, .min = 1, .max = QUANTITY_MAX, .description = "Units promised."},
    COUNTED("fulfilled", "Units that left."),
    COUNTED("returned", "Units that came back.")};
static const struct message reservation_line_answer = {SHOWN(reservation_line_fields, "ReservationLine", "Units of one item promised at one location.")};
#define RESERVATION_MEMBERS \
    {"id", FIELD_UUID, .required = true, .description = "Its id (UUIDv7)."}, \
    {"state", FIELD_CHOICE, .required = true, .choices = state_names, .description = "Where it stands."}, \
    {"reference", FIELD_TEXT, .min = 1, .max = REFERENCE_BYTES_MAX, .description = "The caller's own number for it."}, \
    {"created_at", FIELD_TIME, .required = true, .description = "When it was made."}, \
    {"expires_at", FIELD_TIME, .required = true, .description = "When the hold ends or ended."}, \
    {"updated_at", FIELD_TIME, .required = true, .description = "When it changed last."}, \
    {"lines", FIELD_LIST, .required = true, .min = 1, .max = RESERVATION_PARTS_MAX, .message = &reservation_line_answer, .description = "What is promised where."}
#define RESERVATION_SEQ {"reservation_seq", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "The number of its first movement; its movements carry it."}
static const struct field reservation_fields[] = {RESERVATION_MEMBERS, RESERVATION_SEQ};
static const struct field reservation_written_fields[] = {RESERVATION_MEMBERS, SEQ};
static const struct field reservation_list_fields[] = {DATA(reservation_answer, PAGE_ROWS_MAX), PAGE};
const struct message reservation_answer = {SHOWN(reservation_fields, "Reservation", "A promise of one or more lines.")};
const struct message reservation_written_answer = {SHOWN(reservation_written_fields, "ReservationWritten", "A reservation as it was written.")};
const struct message reservation_list_answer = {SHOWN(reservation_list_fields, "ReservationList", "Reservations, oldest first.")};

#define DELTA(name, text) {name, FIELD_INT64, .min = -QUANTITY_MAX, .max = QUANTITY_MAX, .description = text}
static const struct field delta_fields[] = {
    DELTA("on_hand", "Units."), DELTA("reserved", "Units."), DELTA("committed", "Units."), DELTA("damaged", "Units."),
    DELTA("quality_control", "Units."), DELTA("safety_stock", "Units."), DELTA("incoming", "Units.")};
static const struct message delta_answer = {SHOWN(delta_fields, "QuantitiesChange", "The quantities that changed, by how much.")};
static const struct field after_fields[] = {
    COUNTED("on_hand", "Units."), COUNTED("reserved", "Units."), COUNTED("committed", "Units."), COUNTED("damaged", "Units."),
    COUNTED("quality_control", "Units."), COUNTED("safety_stock", "Units."), COUNTED("incoming", "Units."),
    AVAILABLE("Units.")};
static const struct message after_answer = {SHOWN(after_fields, "Quantities", "Every quantity of the level after a movement.")};
static const struct field movement_fields[] = {
    {"seq", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "Its number; there are no gaps."},
    {"kind", FIELD_CHOICE, .required = true, .choices = movement_names, .description = "What happened."},
    {"sku", FIELD_SKU, .required = true, .description = "The item."},
    {"location", FIELD_LOCATION, .required = true, .description = "The location."},
    {"delta", FIELD_MESSAGE, .required = true, .message = &delta_answer, .description = "What changed."},
    {"after", FIELD_MESSAGE, .required = true, .message = &after_answer, .description = "What it left behind."},
    {"version", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "The version of the level after it."},
    {"reservation_seq", FIELD_UINT64, .min = 1, .max = INT64_MAX, .description = "The first movement of the reservation it belongs to."},
    {"reason", FIELD_TEXT, .min = 1, .max = REASON_BYTES_MAX, .description = "Why."},
    {"reference", FIELD_TEXT, .min = 1, .max = REFERENCE_BYTES_MAX, .description = "The caller's own number for it."},
    {"actor", FIELD_TEXT, .min = 1, .max = REFERENCE_BYTES_MAX, .description = "Who asked for it."},
    {"at", FIELD_TIME, .required = true, .description = "When."}};
static const struct message movement_answer = {SHOWN(movement_fields, "Movement", "One immutable change of one level.")};
static const struct field movement_list_fields[] = {DATA(movement_answer, PAGE_ROWS_MAX), PAGE};
const struct message movement_list_answer = {SHOWN(movement_list_fields, "MovementList", "Movements by seq.")};

#define STALE_MEMBERS \
    {"stale", FIELD_BOOL, .description = "There, and true, when the node may have missed something: it has not heard for two seconds that it knows everything."}, \
    {"age_ms", FIELD_INT64, .nullable = true, .max = INT64_MAX, .description = "With `stale`: how long ago the node surely knew everything; null: it never did."}
static const struct field availability_fields[] = {
    {"sku", FIELD_SKU, .required = true, .description = "The item."},
    {"channel", FIELD_CHOICE, .required = true, .choices = channel_names, .description = "Where it is sold."},
    {"status", FIELD_CHOICE, .required = true, .choices = status_names, .description = "Can it be bought?"},
    {"quantity", FIELD_INT64, .required = true, .description = "Units that can be bought.", .max = INT64_MAX},
    {"message", FIELD_TEXT, .required = true, .max = NAME_BYTES_MAX, .description = "What to tell the shopper."},
    {"version", FIELD_UINT64, .required = true, .max = INT64_MAX, .description = "Rises with every change; the ETag."},
    {"seq", FIELD_UINT64, .required = true, .max = INT64_MAX, .description = "The last movement that is in it."},
    {"as_of", FIELD_TIME, .required = true, .description = "When that movement was."}, STALE_MEMBERS};
static const struct field availability_list_fields[] = {
    DATA(availability_answer, AVAILABILITY_SKUS_MAX),
    {"unknown", FIELD_LIST, .required = true, .max = AVAILABILITY_SKUS_MAX, .description = "The SKUs that are not defined."}, STALE_MEMBERS};
const struct message availability_answer = {SHOWN(availability_fields, "Availability", "What a shopper may be promised of one item.")};
const struct message availability_list_answer = {SHOWN(availability_list_fields, "AvailabilityList", "What a shopper may be promised.")};

static const struct field batch_result_fields[] = {
    {"status", FIELD_UINT32, .required = true, .min = 100, .max = 599, .description = "The HTTP status it would have had alone."},
    {"body", FIELD_MESSAGE, .required = true, .description = "The body it would have had alone."}};
static const struct message batch_result = {SHOWN(batch_result_fields, "BatchResult", "The answer of one operation.")};
static const struct field batch_fields[] = {
    {"results", FIELD_LIST, .required = true, .min = 1, .max = BATCH_OPERATIONS_MAX, .message = &batch_result, .description = "In the order of the operations."}};
const struct message batch_answer = {SHOWN(batch_fields, "BatchAnswer", "The answers of a batch.")};

static const struct field position_fields[] = {
    {"epoch", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "Counts the owners of the stock."},
    {"seq", FIELD_UINT64, .required = true, .max = INT64_MAX, .description = "The newest movement."},
    {"items", FIELD_UINT64, .required = true, .max = ITEMS_MAX, .description = "The number of the newest item."},
    {"time", FIELD_TIME, .required = true, .description = "When that was so."}};
static const struct message position_answer = {SHOWN(position_fields, "Position", "Where the stream was before the page was read: the events behind it complete the page.")};
static const struct field snapshot_level_fields[] = {
    {"location", FIELD_LOCATION, .required = true, .description = "The location."},
    COUNTED("on_hand", "Units."), COUNTED("reserved", "Units."), COUNTED("committed", "Units."), COUNTED("damaged", "Units."),
    COUNTED("quality_control", "Units."), COUNTED("safety_stock", "Units."), COUNTED("incoming", "Units."),
    AVAILABLE("Units."),
    {"version", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "Counts the changes of the level."},
    {"updated_at", FIELD_TIME, .required = true, .description = "When it changed last."},
    {"seq", FIELD_UINT64, .required = true, .min = 1, .max = INT64_MAX, .description = "Its last movement."}};
static const struct message snapshot_level_answer = {SHOWN(snapshot_level_fields, "SnapshotLevel", "The quantities of the item at one location.")};
static const struct field snapshot_item_fields[] = {
    {"number", FIELD_UINT64, .required = true, .min = 1, .max = ITEMS_MAX, .description = "Counts the items in the order of their definition."},
    {"sku", FIELD_SKU, .required = true, .description = "Its id."},
    {"defined_at", FIELD_TIME, .required = true, .description = "When it was defined."},
    {"levels", FIELD_LIST, .required = true, .max = LOCATIONS_MAX, .message = &snapshot_level_answer, .description = "Its levels."}};
static const struct message snapshot_item_answer = {SHOWN(snapshot_item_fields, "SnapshotItem", "An item and all of its levels.")};
static const struct field snapshot_page_fields[] = {
    {"next", FIELD_UINT64, .required = true, .nullable = true, .max = ITEMS_MAX, .description = "`after_item` of the next page; null on the last."},
    {"limit", FIELD_UINT32, .required = true, .min = 1, .max = PAGE_ROWS_MAX, .description = "Items of a page at most."}};
static const struct message snapshot_page_answer = {SHOWN(snapshot_page_fields, "SnapshotPage", "Where the snapshot goes on.")};
static const struct field snapshot_fields[] = {
    {"position", FIELD_MESSAGE, .required = true, .message = &position_answer, .description = "Where the stream was."},
    DATA(snapshot_item_answer, PAGE_ROWS_MAX),
    {"page", FIELD_MESSAGE, .required = true, .message = &snapshot_page_answer, .description = "How to go on."}};
const struct message snapshot_answer = {SHOWN(snapshot_fields, "Snapshot", "A page of all items and their levels, for those who follow the stream of events.")};

static const struct field health_fields[] = {
    {"status", FIELD_CHOICE, .required = true, .choices = health_names, .description = "Alive, or ready."}};
const struct message health_answer = {SHOWN(health_fields, "Health", "The state of the process.")};

static const struct field problem_error_fields[] = {
    {"pointer", FIELD_PROBLEM_POINTER, .description = "JSON Pointer into the body."},
    {"parameter", FIELD_TEXT, .max = 256, .description = "The query argument."},
    {"detail", FIELD_TEXT, .required = true, .max = 512, .description = "What is wrong."},
    {"code", FIELD_TEXT, .required = true, .max = 64, .description = "Stable word for it."}};
static const struct message problem_error = {SHOWN(problem_error_fields, "ProblemError", "One thing that is wrong.")};
static const struct field shortfall_fields[] = {
    {"sku", FIELD_SKU, .required = true, .description = "The item."},
    {"location", FIELD_LOCATION, .description = "The location, when the line named one."},
    {"requested", FIELD_INT64, .required = true, .min = -QUANTITY_MAX, .max = QUANTITY_MAX * LINES_MAX, .description = "Units asked for."},
    {"available", FIELD_INT64, .required = true, .max = QUANTITY_MAX, .description = "Units there were."}};
static const struct message shortfall_answer = {SHOWN(shortfall_fields, "Shortfall", "A line that asked for too much.")};
static const struct field problem_fields[] = {
    {"type", FIELD_TEXT, .required = true, .max = 256, .description = "Address of the page about this kind of problem."},
    {"title", FIELD_TEXT, .required = true, .max = 256, .description = "What kind of problem it is."},
    {"status", FIELD_UINT32, .required = true, .min = 400, .max = 599, .description = "The HTTP status."},
    {"detail", FIELD_TEXT, .max = 1024, .description = "What happened this time."},
    {"instance", FIELD_TEXT, .max = 256, .description = "Names this answer: the request id."},
    {"code", FIELD_TEXT, .required = true, .max = 64, .description = "Stable word for the kind of problem."},
    {"retryable", FIELD_BOOL, .description = "Whether the same request may succeed later."},
    {"errors", FIELD_LIST, .max = 20, .message = &problem_error, .description = "Everything that is wrong with the request, up to 20."},
    {"shortfalls", FIELD_LIST, .max = LINES_MAX, .message = &shortfall_answer, .description = "Every short line."},
    {"state", FIELD_CHOICE, .choices = state_names, .description = "The state that the reservation is in."},
    {"version", FIELD_UINT64, .max = INT64_MAX, .description = "The present version of the level; 0: there is none."}};
const struct message problem_answer = {SHOWN(problem_fields, "Problem", "Why a request was refused (RFC 9457).")};
/* clang-format on */
