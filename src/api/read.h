/*
 * The way of one read of the store: run on the query thread, answered on the HTTP thread.
 */
#ifndef API_READ_H
#define API_READ_H

#include "api/cursor.h"
#include "api/etag.h"
#include "api/service.h"

#define READ_BYTES_MAX (64 * 1024 * 1024)

struct read {
    struct query query;
    struct api *api;
    struct exchange *exchange;
    /* Fills `body` and `version` or `next`; on the query thread. */
    enum err (*run)(struct read *r, struct store_reader *reader);

    /* What is asked for; strings live as long as the exchange. */
    struct arguments arguments;
    const struct message *query_message; /* of a list: its arguments */
    struct str sku;
    struct str location;
    struct uuid id;
    uint64_t after_seq;
    struct str after;
    char after_room[CURSOR_KEY_BYTES_MAX];

    /* What came out. */
    enum err err;
    struct buf body;
    struct buf next; /* cursor of the next page; empty: none */
    uint32_t rows;
    uint32_t levels;    /* of the item that is being written */
    uint32_t last_item; /* number of the item that was written last */
    bool more;
    int64_t sum;
    bool has_version;
    uint64_t version; /* for the ETag */
};

struct read *read_new(struct exchange *x, struct api *api, enum err (*run)(struct read *, struct store_reader *));
void read_free(struct read *r); /* accepts NULL */

/* Makes the exchange own `r`, and asks: the handler is done then. */
void read_start(struct read *r);

/* Submits with another continuation; `r` is owned elsewhere. */
void read_submit(struct read *r, void (*resumed)(struct exchange *x, void *app));

/* A read of a list with these query arguments. NULL: it has answered. */
struct read *read_list(
    struct exchange *x,
    struct api *api,
    const struct message *query,
    enum err (*run)(struct read *, struct store_reader *));

/* When the cursor was not `valid`: answers, frees `r`, false. */
bool read_cursor_is_valid(struct read *r, bool valid);

/*
 * The body of a list, on the query thread. Ask the store for limit + 1 rows; read_row is false for the one too many.
 * After each row the caller leaves its cursor in `next`, which read_close keeps only when there is a next page.
 */
void read_open(struct read *r);
bool read_row(struct read *r, uint32_t limit);
void read_close(struct read *r, uint32_t limit);

#endif
