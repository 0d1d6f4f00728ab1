/* What the parts of this store share. */
#ifndef STORE_POSTGRES_STATE_H
#define STORE_POSTGRES_STATE_H

#include "store/postgres/link.h"
#include "store/store.h"

/* Movements in a sorted run, see sql/postgres. */
#define RUN_MOVEMENTS 4096

struct store_postgres {
    struct store base;
    uint32_t partition;
    char *url;
    struct link link;
    struct call call;
    struct link lease_link; /* of whoever renews, who may be another thread; made on demand */
    struct call lease_call;
    uint64_t epoch; /* of the claim; 0: none yet */
    uint64_t session;
    uint64_t commits; /* of all owners so far: tells whether one of ours is among them */
    bool unsafe;      /* a server that does not make commits durable will do */
    bool is_away;     /* a commit is in doubt: nothing is written before the next load has found out about it */
    bool was_silent;  /* an older connection may still hold the row */
    int64_t wait_ms;  /* STORE_POSTGRES_WAIT_MS */
    enum err failed;  /* the first failure that left the outcome in doubt; after it nothing is written any more */
};

/* Asserts that it is one. */
struct store_postgres *store_postgres_from(struct store *s);

/* A new connection to write on. ERR_CONFIG: the server may lose with the next power cut what it acknowledged. */
enum err store_postgres_reconnect(struct store_postgres *s, struct err_note *note);
/*
 * On a new connection: finds out about the commit that is in doubt. *out_stored says whether it is there; if it is not, it
 * never will be. ERR_FENCED: there is another owner; ERR_IO: the database lacks commits; ERR_STORE_AWAY: no server.
 */
enum err store_postgres_settle(struct store_postgres *s, bool *out_stored, struct err_note *note);

enum err store_postgres_claim(struct store *s, const char *leader, struct store_head *out, struct err_note *note);
enum err store_postgres_renew(struct store *s, struct err_note *note);
/* When it is still ours, and the server there. */
void store_postgres_give_back(struct store_postgres *s);
enum err
store_postgres_load(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note);
enum err store_postgres_commit(struct store *s, const struct batch *b, struct err_note *note);
enum err store_postgres_reader_open(struct store *s, struct store_reader **out, struct err_note *note);

extern const struct link_kind store_postgres_writer;
extern const struct link_kind store_postgres_lessee;

#endif
