/*
 * The inventory service without threads and without stock, linked with src/api in place of src/inventory. It holds what
 * comes in against what the interface promises of it, and answers as it is planned.
 */
#ifndef TEST_FUZZ_INVENTORY_H
#define TEST_FUZZ_INVENTORY_H

#include "inventory/inventory.h"

/* How the service behaves during one input. */
struct inventory_plan {
    unsigned refused_after; /* the queue is full after so many writes or reads */
    bool at_once;           /* an answer is there before inventory_submit returns */
    bool backwards;         /* of what waits, the last one is over first */
    bool failing;           /* every other write is not committed */
    unsigned rows;          /* that the store has, of whatever is asked for */
};

/* What the store was asked for last. */
struct inventory_asked {
    struct str sku;
    struct str location;
    struct str reference;
    struct uuid id;
    enum reservation_state state;
    uint64_t after_seq;
    struct str after_sku;
    uint32_t limit; /* 0: not a list */
};

struct inventory {
    struct inventory_plan plan;
    struct request *pending[BATCH_OPERATIONS_MAX];
    unsigned pending_len;
    unsigned returns_pending;
    bool refused; /* one was, so nothing may follow */
    const struct request *last;
    unsigned submitted;
    struct command command; /* the last one that was submitted; its strings are of the exchange */
    struct str key;
    struct query *query;
    unsigned queries;
    struct inventory_asked asked;
};

void inventory_begin(struct inventory *inv, struct inventory_plan plan);
/* Finishes what waits: all of it, or the read. False: nothing does. */
bool inventory_turn(struct inventory *inv);

/* The seq of row `n` of a list: 1, 2, 3, ... behind `after_seq`. */
uint64_t inventory_row_seq(const struct inventory_asked *asked, unsigned n);

#endif
