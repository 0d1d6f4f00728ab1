#include "core/quantity.h"

static const struct str NAMES[QUANTITY_COUNT] = {
    [QUANTITY_ON_HAND] = {"on_hand", 7},
    [QUANTITY_RESERVED] = {"reserved", 8},
    [QUANTITY_COMMITTED] = {"committed", 9},
    [QUANTITY_DAMAGED] = {"damaged", 7},
    [QUANTITY_QUALITY_CONTROL] = {"quality_control", 15},
    [QUANTITY_SAFETY_STOCK] = {"safety_stock", 12},
    [QUANTITY_INCOMING] = {"incoming", 8},
};

struct str quantity_name(enum quantity q)
{
    check(q < QUANTITY_COUNT);
    return NAMES[q];
}

bool quantity_parse(struct str name, enum quantity *out)
{
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        if (str_equal(name, NAMES[q])) {
            *out = (enum quantity)q;
            return true;
        }
    }
    return false;
}

bool quantity_is_adjustable(enum quantity q)
{
    check(q < QUANTITY_COUNT);
    return q != QUANTITY_RESERVED && q != QUANTITY_COMMITTED;
}

int64_t quantities_available(const struct quantities *q)
{
    return q->of[QUANTITY_ON_HAND] - q->of[QUANTITY_RESERVED] - q->of[QUANTITY_COMMITTED] - q->of[QUANTITY_DAMAGED] -
        q->of[QUANTITY_QUALITY_CONTROL] - q->of[QUANTITY_SAFETY_STOCK];
}
