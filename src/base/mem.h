/*
 * Allocation that never returns NULL: running out of memory stops the process. Limits, not malloc, refuse work.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/str.h"

#include <stddef.h>

void *mem_new(size_t size);                             /* zeroed */
void *mem_new_array(size_t count, size_t size);         /* zeroed, overflow checked */
void *mem_resize(void *ptr, size_t count, size_t size); /* as realloc, overflow checked */
/*
 * Not zeroed, for mem_free. For what lives long and is filled to the end: from 2 MiB on it asks for huge pages, because on
 * small ones the first touch of a gigabyte takes longer than filling it.
 */
void *mem_new_large(size_t size);
char *mem_copy_str(struct str s); /* terminated copy */
void mem_free(void *ptr);         /* accepts NULL */

/* Grows `*ptr` (elements of `size`) so that `need` fit; at least doubles `*cap`. New elements are not zeroed. */
void mem_grow(void **ptr, size_t *cap, size_t need, size_t size);

#endif
