/* Names as small numbers: the same text gets the same number, 1.. in the order of their coming. */
#ifndef HISTORY_TABLE_H
#define HISTORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table {
    char **names; /* names[n - 1] */
    size_t len, cap;
    uint32_t *slots; /* a power of two; 0: free */
    size_t slots_len;
};

/* A table of zeroes is empty. */
void table_release(struct table *t);

/* The number of the text, new if need be. */
uint32_t table_put(struct table *t, const char *text);

/* The text of a number that the table gave; "-" for 0. Borrowed until the table is released. */
const char *table_name(const struct table *t, uint32_t number);

#endif
