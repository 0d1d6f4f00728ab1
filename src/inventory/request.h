/*
 * One write on its way through the inventory service, and one read of the store.
 */
#ifndef INVENTORY_REQUEST_H
#define INVENTORY_REQUEST_H

#include "base/buf.h"
#include "store/store.h"

struct request;

/* Who made the request; it outlives the request. */
struct request_ops {
    /*
     * Writes the answer to `r` from the decision: status, location and body. Runs on the sequencer thread, before
     * the commit; the ledger is not to be called.
     */
    void (*render)(struct request *r, const struct result *result, const struct changes *changes);
    /* The request is over, `r` belongs to its maker again. Runs on the sequencer thread: hand over, do not work. */
    void (*done)(struct request *r);
};

struct request {
    const struct request_ops *ops;
    struct command command;
    struct str key;          /* idempotency key; absent: none */
    uint8_t fingerprint[32]; /* with a key: SHA-256 of the command */

    /* The answer. `err` is ERR_OK when it was rendered or replayed; else nothing was stored for it. */
    enum err err;
    uint16_t status;
    bool replayed;
    enum outcome outcome;
    char location[96]; /* Location header, terminated; empty: none */
    struct buf answer; /* initialised and released by the maker */

    /* Owned by the service. */
    struct request *next;
    uint64_t key_hash;
    uint64_t key_checked_row; /* rows up to this one were compared and are other keys with this hash */
    bool reservation_unknown; /* the store was asked, and has no such reservation */
};

/* A read of the store, run on the query thread (the sequencer's own lookups: on the lookup thread). */
struct query {
    void (*run)(struct query *q, struct store_reader *reader); /* on the query thread */
    void (*done)(struct query *q);                             /* on the query thread, last; hand over */
    struct query *next;
};

#endif
