/*
 * The JSON of answers, written by hand. The tables in answers.c describe the same.
 */
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "base/buf.h"
#include "core/movement.h"
#include "core/reservation.h"
#include "store/store.h"

struct level_shown {
    struct str sku;
    struct str location;
    const struct quantities *quantities;
    uint64_t version;
    int64_t time_ms;
};

struct level_shown level_shown_after(const struct movement *m);
struct level_shown level_shown_row(const struct level_row *row);

void encode_level(struct buf *b, const struct level_shown *level);
/* The same with `seq` as last member. */
void encode_level_written(struct buf *b, const struct level_shown *level, uint64_t seq);

/* Without the item, with the seq of its last movement. */
void encode_level_of_item(struct buf *b, const struct level_row *row);

/* Opens the object and leaves it open for more members. */
void encode_item_open(struct buf *b, struct str sku, struct str name, struct str attributes);
void encode_location_open(struct buf *b, struct str id, struct str name, uint32_t priority);
/* Ends an object with `seq` as last member. */
void encode_seq_close(struct buf *b, uint64_t seq);

void encode_reservation_open(struct buf *b, const struct reservation *r);
void encode_movement(struct buf *b, const struct movement *m);

/* The `seq` at the end of a written answer: every answer of a successful write ends with it. False: there is none. */
bool encode_seq_of(struct str body, uint64_t *out);

#endif
