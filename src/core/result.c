#include "core/result.h"

static const char *const NAMES[OUTCOME_COUNT] = {
    [OUTCOME_OK] = "ok",
    [OUTCOME_UNCHANGED] = "unchanged",
    [OUTCOME_UNKNOWN_ITEM] = "unknown_item",
    [OUTCOME_UNKNOWN_LOCATION] = "unknown_location",
    [OUTCOME_UNKNOWN_RESERVATION] = "unknown_reservation",
    [OUTCOME_LIMIT_REACHED] = "limit_reached",
    [OUTCOME_VERSION_MISMATCH] = "version_mismatch",
    [OUTCOME_HOLD_EXPIRED] = "hold_expired",
    [OUTCOME_WRONG_STATE] = "wrong_state",
    [OUTCOME_UNKNOWN_LINE] = "unknown_line",
    [OUTCOME_QUANTITY_EXCEEDED] = "quantity_exceeded",
    [OUTCOME_INSUFFICIENT_STOCK] = "insufficient_stock",
    [OUTCOME_NEGATIVE_QUANTITY] = "negative_quantity",
    [OUTCOME_QUANTITY_OVERFLOW] = "quantity_overflow",
    [OUTCOME_TOO_FRAGMENTED] = "too_fragmented",
};

struct str outcome_name(enum outcome outcome)
{
    check(outcome < OUTCOME_COUNT);
    return str_from(NAMES[outcome]);
}
