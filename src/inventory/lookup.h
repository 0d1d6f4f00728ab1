/*
 * What the sequencer asks of the store while it goes on: the answer kept for a key, a closed reservation, the oldest
 * keys. Run on the lookup thread, against committed state.
 */
#ifndef INVENTORY_LOOKUP_H
#define INVENTORY_LOOKUP_H

#include "base/buf.h"
#include "inventory/request.h"

enum lookup_kind { LOOKUP_KEY, LOOKUP_RESERVATION, LOOKUP_OLDEST_KEYS };

#define LOOKUP_OLDEST_MAX 4096

struct lookup_key {
    uint64_t row;
    uint64_t hash;
    int64_t time_ms;
};

struct lookup {
    enum lookup_kind kind;
    uint64_t row;            /* key: which */
    struct uuid id;          /* reservation: which */
    struct request *waiting; /* requests that go on when the answer is there, in order */
    struct request **waiting_end;
    struct lookup *next; /* for whoever queues it */
    void *asker;         /* for the shell */
    struct query query;  /* for the shell */

    /* The answer. */
    enum err err;                   /* ERR_NOT_FOUND, or a failure of the store */
    struct key_row key;             /* its strings point into `bytes` */
    struct reservation reservation; /* its lines and reference are owned */
    struct buf bytes;
    struct lookup_key *oldest;
    size_t oldest_len;
};

struct lookup *lookup_new(enum lookup_kind kind);
void lookup_free(struct lookup *l);
void lookup_wait(struct lookup *l, struct request *r);
/* Reads the answer. */
void lookup_run(struct lookup *l, struct store_reader *reader);

/* Hash of a key within its operation: what the index of keys is made of. */
uint64_t key_hash(struct str operation, struct str key);

#endif
