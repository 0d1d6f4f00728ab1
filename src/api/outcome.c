#include "api/outcome.h"

#include "http/http.h"

#define MEMBERS_BYTES_MAX (256 * 1024)

static const enum err errs[] = {
    [OUTCOME_OK] = ERR_OK,
    [OUTCOME_UNCHANGED] = ERR_OK,
    [OUTCOME_UNKNOWN_ITEM] = ERR_UNKNOWN_ITEM,
    [OUTCOME_UNKNOWN_LOCATION] = ERR_UNKNOWN_LOCATION,
    [OUTCOME_UNKNOWN_RESERVATION] = ERR_NOT_FOUND,
    [OUTCOME_LIMIT_REACHED] = ERR_LIMIT_REACHED,
    [OUTCOME_VERSION_MISMATCH] = ERR_VERSION_MISMATCH,
    [OUTCOME_HOLD_EXPIRED] = ERR_HOLD_EXPIRED,
    [OUTCOME_WRONG_STATE] = ERR_WRONG_STATE,
    [OUTCOME_UNKNOWN_LINE] = ERR_INVALID,
    [OUTCOME_QUANTITY_EXCEEDED] = ERR_QUANTITY_EXCEEDED,
    [OUTCOME_INSUFFICIENT_STOCK] = ERR_INSUFFICIENT_STOCK,
    [OUTCOME_NEGATIVE_QUANTITY] = ERR_NEGATIVE_QUANTITY,
    [OUTCOME_QUANTITY_OVERFLOW] = ERR_QUANTITY_OVERFLOW,
    [OUTCOME_TOO_FRAGMENTED] = ERR_TOO_FRAGMENTED,
};
_Static_assert(ARRAY_LEN(errs) == OUTCOME_COUNT, "every outcome has a row");

enum err outcome_err(enum outcome outcome, enum command_kind kind)
{
    check(outcome < OUTCOME_COUNT);
    /* A set names its item and location in the address: what is not there has no such address. */
    if (kind == COMMAND_SET && (outcome == OUTCOME_UNKNOWN_ITEM || outcome == OUTCOME_UNKNOWN_LOCATION)) {
        return ERR_NOT_FOUND;
    }
    return errs[outcome];
}

static void put_shortfalls(struct buf *out, const struct result *result)
{
    buf_put_literal(out, ",\"shortfalls\":[");
    for (uint32_t i = 0; i < result->shortfalls_len; i++) {
        const struct shortfall *s = &result->shortfalls[i];
        buf_put_str(out, i == 0 ? STR("{\"sku\":") : STR(",{\"sku\":"));
        buf_put_json(out, s->sku);
        if (!str_is_absent(s->location)) {
            buf_put_literal(out, ",\"location\":");
            buf_put_json(out, s->location);
        }
        buf_put_literal(out, ",\"requested\":");
        buf_put_i64(out, s->requested);
        buf_put_literal(out, ",\"available\":");
        buf_put_i64(out, s->available);
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void
put_error(struct buf *out, const struct result *result, const char *member, const char *detail, const char *code)
{
    buf_printf(
        out, ",\"errors\":[{\"pointer\":\"/lines/%u%s\",\"detail\":\"%s\",\"code\":\"%s\"}]", result->line, member,
        detail, code);
}

static void put_state(struct buf *out, const struct result *result)
{
    if (result->reservation != NULL) {
        buf_put_literal(out, ",\"state\":");
        buf_put_json(out, reservation_state_name(result->reservation->state));
    }
}

/* The location of a transfer is not on its lines. */
static void put_unknown_location(struct buf *out, const struct command *command, const struct result *result)
{
    if (command->lines_len > 0 && command->kind != COMMAND_TRANSFER) {
        put_error(out, result, "/location", "No location has this id.", "unknown_location");
    }
}

static void put_members(struct buf *out, const struct command *command, const struct result *result)
{
    switch (result->outcome) {
    case OUTCOME_UNKNOWN_ITEM:
        if (command->lines_len > 0) {
            put_error(out, result, "/sku", "No item has this SKU.", "unknown_item");
        }
        break;
    case OUTCOME_UNKNOWN_LOCATION:
        put_unknown_location(out, command, result);
        break;
    case OUTCOME_UNKNOWN_LINE:
        put_error(out, result, "", "The reservation has no such line.", "unknown_line");
        break;
    case OUTCOME_VERSION_MISMATCH:
        buf_put_literal(out, ",\"version\":");
        buf_put_u64(out, result->version);
        break;
    case OUTCOME_WRONG_STATE:
    case OUTCOME_HOLD_EXPIRED:
        put_state(out, result);
        break;
    case OUTCOME_QUANTITY_EXCEEDED:
    case OUTCOME_INSUFFICIENT_STOCK:
    case OUTCOME_NEGATIVE_QUANTITY:
        put_shortfalls(out, result);
        break;
    default:
        break;
    }
}

static struct str unknown_location_detail(const struct command *command)
{
    return command->kind == COMMAND_TRANSFER ? STR("`from` or `to` is a location that was never defined.")
                                             : STR("The location was never defined.");
}

static struct str detail(const struct command *command, const struct result *result)
{
    switch (result->outcome) {
    case OUTCOME_UNKNOWN_ITEM:
        return STR("The item was never defined.");
    case OUTCOME_UNKNOWN_LOCATION:
        return unknown_location_detail(command);
    case OUTCOME_UNKNOWN_RESERVATION:
        return STR("There is no reservation with this id.");
    case OUTCOME_UNKNOWN_LINE:
        return STR("A line names an item or location that the reservation does not hold.");
    case OUTCOME_VERSION_MISMATCH:
        return result->version == 0 ? STR("The level does not exist.") : STR("The level has another version.");
    case OUTCOME_WRONG_STATE:
        return STR("The reservation is in a state from which this does not exist.");
    default:
        return STR_NONE; /* title and members say all there is */
    }
}

void outcome_render(struct buf *out, const struct command *command, const struct result *result)
{
    struct buf members;
    buf_init(&members, MEMBERS_BYTES_MAX);
    put_members(&members, command, result);
    check(!members.overflowed);
    enum err e = outcome_err(result->outcome, command->kind);
    problem_render(out, e, detail(command, result), members.len == 0 ? STR_NONE : buf_str(&members), STR_NONE);
    buf_release(&members);
}
