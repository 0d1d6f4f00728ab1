/*
 * Memory of the checker. It shares no code with the server, so it has its own: nothing here returns NULL, a failed
 * allocation ends the program.
 */
#ifndef HISTORY_MEMORY_H
#define HISTORY_MEMORY_H

#include <stddef.h>

/* Zeroed room for `count` things of `size` bytes; free() gives it back. */
void *memory_new(size_t count, size_t size);

/* Makes room in the array `*array` of `*cap` things for at least `need`; what is new is zeroed. */
void memory_grow(void **array, size_t *cap, size_t need, size_t size);

/* A copy that ends with a NUL; free() gives it back. */
char *memory_text(const char *text, size_t len);

#endif
