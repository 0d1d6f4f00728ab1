/*
 * The stock that the demo lays in, since the log has sales only. Deterministic: it depends on the log alone.
 *
 * Opening: for each SKU one and a half times what is asked for in the first eight weeks of its life, and 24 units more,
 * spread over three locations. From then on a delivery each Monday, at one location in turn, which fills the stock up
 * again: to six times the weekly mean of the last four weeks and 24 units more, counting with everything that was asked
 * for as sold. One SKU in forty, chosen by a hash, has a supplier who sends less: up to twice the weekly mean; of the
 * products in 900 orders or more one in six gets just the weekly mean. So most orders can be served, and some popular
 * things run out.
 */
#ifndef APP_DEMO_PLAN_H
#define APP_DEMO_PLAN_H

#include "app/demo/trade.h"

#define PLAN_LOCATIONS 3

struct plan_location {
    const char *id;
    const char *name;
    unsigned priority;
};

/* The three locations. */
extern const struct plan_location plan_locations[PLAN_LOCATIONS];

struct plan_line {
    uint32_t sku;
    uint32_t location; /* index in plan_locations */
    int32_t quantity;  /* 1..TRADE_QUANTITY_MAX */
};

struct plan_delivery {
    int32_t day; /* a Monday; of the opening stock the one on or before the first event */
    size_t lines_at;
    size_t lines_len;
};

struct plan {
    struct plan_delivery *deliveries; /* [0] is the opening stock; then one for each week, in the order of time */
    size_t deliveries_len;
    struct plan_line *lines;
    size_t lines_len, lines_cap;
};

void plan_make(const struct trade_log *log, struct plan *out);
void plan_release(struct plan *p);

#endif
