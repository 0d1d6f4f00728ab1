/*
 * The policy turns `available` into what a shopper sees.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "base/buf.h"

enum availability_status { AVAILABILITY_IN_STOCK, AVAILABILITY_LOW_STOCK, AVAILABILITY_OUT_OF_STOCK };

struct policy {
    int64_t low_max; /* 0..: 1..low_max units are "low stock"; 0: never */
};

#define POLICY_DEFAULT ((struct policy){.low_max = 5})

/* `available` in whole units; may be negative, then it counts as 0. */
enum availability_status policy_status(const struct policy *p, int64_t available);

/* "in_stock", "low_stock", "out_of_stock": as in the API, never changed. */
struct str availability_status_name(enum availability_status status);

/* Appends the shopper's text: "In stock", "Only 2 left", "Out of stock". Plain ASCII without quotes. */
void policy_message(const struct policy *p, int64_t available, struct buf *out);

#endif
