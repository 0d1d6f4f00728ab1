/*
 * The interface on a shelf of two SKUs, "a" and "b", in the process of a fuzzer: src/api and what it reads, but for the
 * HTTP server (exchange.h) and the inventory service (inventory.h).
 */
#ifndef TEST_FUZZ_SHOP_H
#define TEST_FUZZ_SHOP_H

#include "exchange.h"
#include "inventory.h"

#define SHOP_SEQ 7 /* of the view */
#define SHOP_STREAM_EPOCH 3

/* Is this SKU on the shelf? */
bool shop_has(struct str sku);

/*
 * One request, from the handler to the answer, which exchange_release ends. Returns what the inventory service saw of
 * it, until the next call.
 */
const struct inventory *shop_ask(const struct sent *sent, struct inventory_plan plan, struct exchange *out);

#endif
