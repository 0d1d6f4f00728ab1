/*
 * A view with a hub, fed by a test, and clients that read streams as a browser's EventSource does: they keep the last
 * id across connections, forget half an event when the connection breaks, and hold the newest state of each SKU.
 */
#ifndef TEST_PUSH_SHOP_H
#define TEST_PUSH_SHOP_H

#include "base/buf.h"
#include "feed.h"
#include "push/push.h"

#define SHOP_EPOCH 7

struct shop {
    struct feed feed;
    struct availability *service;
    struct hub *hub;
    int wakes;               /* of the hub */
    int64_t mono_ms;         /* the time; hub turns and fills happen at it */
    uint64_t seq_shown;      /* the view's seq while a message is half applied, see shop_apply_half */
    struct stream *open[16]; /* of clients; closed with the shop when a test failed */

    /* Entries that were applied and are not marked yet. */
    struct shelf_entry **unmarked;
    size_t unmarked_len, unmarked_cap;
};

void shop_init(struct shop *s, uint32_t items, uint32_t locations);
void shop_release(struct shop *s);
struct shelf_entry *shop_entry(struct shop *s, uint32_t item);

/* Collects a change: at location 1. */
void shop_change(struct shop *s, uint32_t item, int64_t available);
/* Applies what was collected; nothing is marked yet. */
void shop_apply(struct shop *s);
/* The same, seen from between the moments when the entries and when the seq of the view are replaced. */
void shop_apply_half(struct shop *s);
void shop_apply_rest(struct shop *s);
/* What was collected, while the view misses a change before it. */
void shop_publish_beyond_gap(struct shop *s);
void shop_mark(struct shop *s);
void shop_turn(struct shop *s);
/* Apply, mark, turn. */
void shop_publish(struct shop *s);

struct client_state {
    bool known;
    uint64_t version;
    char *json;
};

struct client {
    struct shop *shop;
    uint32_t *items;
    size_t len;
    struct stream *stream; /* NULL: not connected */
    bool awake;            /* fill is to be called without a wake */
    int wakes, cuts;

    struct buf text;                         /* bytes of this connection */
    size_t parsed;                           /* of them */
    size_t events, frames, resets, comments; /* of this connection */
    uint64_t retry_ms;

    struct str last_id; /* kept for the next connection; absent: none */
    char last_id_text[64];
    struct client_state *states;
    bool strict; /* a version may not even come twice */
};

void client_init(struct client *c, struct shop *s, const uint32_t *items, size_t len);
/* Follows items first..first+len-1. */
void client_init_range(struct client *c, struct shop *s, uint32_t first, size_t len);
void client_release(struct client *c);
/* Connects, with the last id when there is one. */
void client_connect(struct client *c);
void client_connect_with(struct client *c, struct stream_resume resume);
void client_break(struct client *c);
/* One fill of `size` bytes; parses what is complete. Returns what the fill returned. */
size_t client_fill(struct client *c, size_t size);
/* Fills until there is nothing more. */
void client_read_all(struct client *c, size_t size);
/* Forgets the bytes seen so far, for a comparison of those that follow. */
void client_clear_text(struct client *c);
/* Each SKU's last state is that of the view. */
void client_assert_up_to_date(const struct client *c);
void client_assert_text(const struct client *c, struct str expected);

/* Appends "id: <id>\nevent: availability\ndata: {...}\n\n" with the present state of the item; NULL: no id line. */
void expect_frame(struct buf *b, struct shop *s, uint32_t item, const char *id);

#endif
