/*
 * The trade log that the demo replays, as events in the order of time: orders, returns and stock adjustments.
 *
 * An invoice becomes one order: its lines with the same SKU are added up, and more than TRADE_LINES_MAX lines make
 * several orders. A cancellation becomes one return in the same way. Each adjustment line is an event of its own.
 * Lines without stock (fees, postage, vouchers) are counted and left out.
 */
#ifndef APP_DEMO_TRADE_H
#define APP_DEMO_TRADE_H

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

#define TRADE_LINES_MAX 100
#define TRADE_QUANTITY_MAX 1000000

enum trade_kind { TRADE_ORDER, TRADE_RETURN, TRADE_ADJUSTMENT };

struct trade_line {
    uint32_t sku;     /* index in skus */
    int32_t quantity; /* order, return: 1..; adjustment: not 0 */
};

struct trade_event {
    enum trade_kind kind;
    int32_t day;     /* since 1970-01-01 */
    struct str time; /* as in the log: "2010-12-01T08:26:00" */
    struct str invoice;
    struct str note;   /* adjustment: why; may be empty */
    uint32_t customer; /* 0: not known */
    uint32_t lines_at;
    uint32_t lines_len;
};

struct trade_sku {
    struct str sku;
    struct str name;
    int64_t demand; /* units in all orders */
    int64_t orders; /* orders that ask for it */
};

struct trade_log {
    struct trade_sku *skus; /* in the order of their first appearance */
    size_t skus_len, skus_cap;
    struct trade_event *events;
    size_t events_len, events_cap;
    struct trade_line *lines;
    size_t lines_len, lines_cap;
    uint64_t rows;       /* lines of the file */
    uint64_t order_rows; /* of them sales and free goods */
    uint64_t skipped;    /* of them without stock */
    char *bytes;         /* backing of the strings */
    char *products_bytes;
    struct map sku_index;
};

/* Reads transactions.csv.gz and products.csv of `dir`. The note names file and line. */
MUST_CHECK enum err trade_load(const char *dir, struct trade_log *out, struct err_note *note);
/* The same from memory. Both texts become the log's, also on failure. */
struct trade_text {
    const char *path; /* for the note */
    char *bytes;      /* from base/mem.h */
    size_t len;
};
MUST_CHECK enum err
trade_parse(struct trade_text transactions, struct trade_text products, struct trade_log *out, struct err_note *note);
void trade_release(struct trade_log *t);

/* Index of a SKU; false when the log does not have it. */
bool trade_find(const struct trade_log *t, struct str sku, uint32_t *out);

/* Days since 1970-01-01 of "2010-12-01..."; false when it is no date. */
bool trade_day_parse(struct str time, int32_t *out);
/* Days since the Monday on or before. */
int trade_weekday(int32_t day);

#endif
