#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define GROW_ELEMENTS_MIN 16

static _Noreturn void mem_exhausted(void)
{
    static const char text[] = "out of memory\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written; /* the process ends either way */
    abort();
}

static size_t bytes_of(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        mem_exhausted();
    }
    return bytes > 0 ? bytes : 1; /* never the NULL that malloc(0) may give */
}

void *mem_new(size_t size)
{
    return mem_new_array(1, size);
}

void *mem_new_array(size_t count, size_t size)
{
    void *ptr = calloc(1, bytes_of(count, size));
    if (ptr == NULL) {
        mem_exhausted();
    }
    return ptr;
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    void *moved = realloc(ptr, bytes_of(count, size));
    if (moved == NULL) {
        mem_exhausted();
    }
    return moved;
}

char *mem_copy_str(struct str s)
{
    check(s.len < SIZE_MAX);
    char *copy = mem_resize(NULL, s.len + 1, 1);
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_grow(void **ptr, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) {
        return;
    }
    size_t grown = *cap <= SIZE_MAX / 2 ? *cap * 2 : SIZE_MAX;
    grown = grown < GROW_ELEMENTS_MIN ? GROW_ELEMENTS_MIN : grown;
    grown = grown < need ? need : grown;
    *ptr = mem_resize(*ptr, grown, size);
    *cap = grown;
}
