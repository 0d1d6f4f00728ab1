#include "core/policy.h"

enum availability_status policy_status(const struct policy *p, int64_t available)
{
    check(p->low_max >= 0);
    if (available <= 0) {
        return AVAILABILITY_OUT_OF_STOCK;
    }
    return available <= p->low_max ? AVAILABILITY_LOW_STOCK : AVAILABILITY_IN_STOCK;
}

struct str availability_status_name(enum availability_status status)
{
    switch (status) {
    case AVAILABILITY_IN_STOCK:
        return STR("in_stock");
    case AVAILABILITY_LOW_STOCK:
        return STR("low_stock");
    case AVAILABILITY_OUT_OF_STOCK:
        return STR("out_of_stock");
    }
    unreachable("availability status");
}

void policy_message(const struct policy *p, int64_t available, struct buf *out)
{
    switch (policy_status(p, available)) {
    case AVAILABILITY_IN_STOCK:
        buf_put_literal(out, "In stock");
        return;
    case AVAILABILITY_LOW_STOCK:
        buf_put_literal(out, "Only ");
        buf_put_i64(out, available);
        buf_put_literal(out, " left");
        return;
    case AVAILABILITY_OUT_OF_STOCK:
        buf_put_literal(out, "Out of stock");
        return;
    }
    unreachable("availability status");
}
