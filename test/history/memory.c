#include "memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *sure(void *memory)
{
    if (memory == NULL) {
        (void)fputs("history: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *memory_new(size_t count, size_t size)
{
    return sure(calloc(count == 0 ? 1 : count, size));
}

void memory_grow(void **array, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) {
        return;
    }
    size_t more = *cap * 2 > need ? *cap * 2 : need + 8;
    *array = sure(reallocarray(*array, more, size));
    memset((char *)*array + *cap * size, 0, (more - *cap) * size);
    *cap = more;
}

char *memory_text(const char *text, size_t len)
{
    char *copy = memory_new(len + 1, 1);
    memcpy(copy, text, len);
    return copy;
}
