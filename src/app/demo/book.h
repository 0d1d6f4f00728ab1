/*
 * The demo's own books: what it received, sold, took back and adjusted, by what the server confirmed, and nothing
 * else. At the end they must equal the server's levels.
 */
#ifndef APP_DEMO_BOOK_H
#define APP_DEMO_BOOK_H

#include "app/demo/plan.h"

#define RESERVATION_ID_LEN 36

/* Units of one SKU, over all locations but for on_hand. */
struct book_row {
    int64_t on_hand[PLAN_LOCATIONS];
    int64_t opening;
    int64_t delivered;
    int64_t sold;
    int64_t returned;
    int64_t adjusted;     /* sum of the deltas */
    uint32_t refused;     /* orders that were refused because of it */
    uint32_t newest_part; /* of its sales, index + 1 */
};

/* Units of one SKU that left one location with one reservation. */
struct book_part {
    uint32_t sku;
    uint32_t location;
    int32_t left; /* sold and not given back */
    uint32_t sale;
    uint32_t older; /* part of an older sale of the SKU, index + 1 */
};

struct book_sale {
    char id[RESERVATION_ID_LEN]; /* of its reservation */
    uint32_t customer;           /* 0: not known */
};

struct book {
    struct book_row *rows; /* as the SKUs of the log */
    size_t rows_len;
    struct book_sale *sales;
    size_t sales_len, sales_cap;
    struct book_part *parts;
    size_t parts_len, parts_cap;
};

/* Units at a location: a part of a reservation, of a return. */
struct book_units {
    uint32_t sku;
    uint32_t location;
    int32_t quantity;
    uint32_t sale; /* return: the sale that it goes back to */
};

void book_init(struct book *b, size_t skus_len);
void book_release(struct book *b);

void book_receive(struct book *b, const struct plan_line *lines, size_t len, bool is_opening);
void book_adjust(struct book *b, uint32_t sku, uint32_t location, int64_t delta);
/* A reservation was fulfilled: its units are sold. */
void book_sell(struct book *b, const char *id, uint32_t customer, const struct book_units *units, size_t len);

/*
 * Finds sold units of the customer (0: of anyone) to give back up to `quantity` of a SKU, newest sale first, and
 * takes them out of what is left to give back. Appends to `out` at *len; returns how many units were found.
 */
int32_t book_match_return(
    struct book *b,
    uint32_t sku,
    uint32_t customer,
    int32_t quantity,
    struct book_units **out,
    size_t *len,
    size_t *cap);
/* The server took them back. */
void book_return(struct book *b, const struct book_units *units, size_t len);

/* Units of the SKU at all locations together. */
int64_t book_on_hand(const struct book *b, uint32_t sku);
/* The location with most units; the first of several. */
uint32_t book_fullest_location(const struct book *b, uint32_t sku);

#endif
