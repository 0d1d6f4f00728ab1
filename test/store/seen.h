/* Rows that a reader gave, copied so that a test can look at them after the call. */
#ifndef TEST_STORE_SEEN_H
#define TEST_STORE_SEEN_H

#include "store/store.h"

struct seen {
    size_t len;
    size_t stop_after; /* 0: never */
    char text[16][80]; /* of the first rows: what names them */
    uint64_t seqs[6000];
    struct item_row item;
    struct location_row location;
    struct level_row level;
    struct reservation reservation;
    struct reservation_line lines[8];
    struct movement movement;
    struct key_row key;
    char strings[1024]; /* of the last row, kept terminated one behind the other */
    size_t strings_len;
};

/* Freed with mem_free. */
struct seen *seen_new(void);
/* Forgets the rows, keeps stop_after. */
void seen_clear(struct seen *seen);

/* For the calls of a reader; `ctx` is a struct seen. */
bool see_item(void *ctx, const struct item_row *row);
bool see_location(void *ctx, const struct location_row *row);
bool see_level(void *ctx, const struct level_row *row);
bool see_reservation(void *ctx, const struct reservation *row);
bool see_movement(void *ctx, const struct movement *row);
bool see_key(void *ctx, const struct key_row *row);
/* For the sink of store_load. */
void seen_add_key(void *ctx, const struct key_row *row);

/* NULL: absent. */
void assert_str(struct str s, const char *text);

#endif
