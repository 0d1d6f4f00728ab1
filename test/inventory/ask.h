/*
 * Requests for tests: a maker that renders a short text of the decision, so that answers can be compared as bytes.
 */
#ifndef TEST_INVENTORY_ASK_H
#define TEST_INVENTORY_ASK_H

#include "inventory/request.h"

#include <stdatomic.h>

struct ask {
    struct request r;
    struct command_line lines[4];
    atomic_bool is_done;
    unsigned done_count;
    struct uuid id; /* of the reservation it made or touched */
};

/* Each returns a new request; ask_free releases it. */
struct ask *ask_item(const char *sku);
struct ask *ask_location(const char *id);
struct ask *ask_receive(const char *sku, const char *location, int64_t quantity);
struct ask *ask_reserve(const char *sku, int64_t quantity, uint32_t ttl_s);
struct ask *ask_on(enum command_kind kind, struct uuid id);
/* With an idempotency key; the fingerprint is made from `content`. */
struct ask *ask_keyed(struct ask *a, const char *key, const char *content);
const char *ask_answer(struct ask *a);
void ask_free(struct ask *a);

#endif
