/*
 * The store on PostgreSQL 15: everything is in the schema `onhand` of one database.
 *
 * One connection writes; each reader has its own. A commit is one transaction, sent in one go (pipeline mode), that the
 * server refuses unless (epoch, session, commits, seq) are those that this store left. When the connection breaks in the middle,
 * the store connects again, takes the partition over with a new session, so that nothing of the old connection can come
 * later, and looks whether the transaction is there; if not, it is sent again. When there is no server for a while, it gives
 * up (ERR_STORE_AWAY), and does the same when it is loaded again.
 */
#ifndef STORE_POSTGRES_POSTGRES_H
#define STORE_POSTGRES_POSTGRES_H

#include "store/store.h"

/*
 * How long a commit waits for a server that says nothing, and how long it looks for one after its connection broke, before
 * its outcome is unknown.
 */
#define STORE_POSTGRES_WAIT_MS 5000

/*
 * `url`: a connection URI or string of libpq. Brings the schema up to date. ERR_STORE_AWAY: no server, or no access there,
 * for now. ERR_CONFIG: a server that does not make commits durable (fsync or synchronous_commit off), unless `unsafe`, one that
 * is too old, or a store of another partition. ERR_SCHEMA: written by a newer program.
 */
MUST_CHECK enum err
store_postgres_open(const char *url, uint32_t partition, bool unsafe, struct store **out, struct err_note *note);

#endif
