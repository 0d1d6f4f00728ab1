#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GROW_ELEMENTS_MIN 16
#define HUGE_PAGE ((size_t)2 * 1024 * 1024)

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

/* Only advice: without huge pages all is as it was. Pages at the edges stay small. */
static void advise_huge(void *ptr, size_t bytes)
{
    if (bytes < HUGE_PAGE) {
        return;
    }
    size_t before = -(uintptr_t)ptr & (HUGE_PAGE - 1);
    if (before < bytes && bytes - before >= HUGE_PAGE) {
        (void)madvise((char *)ptr + before, (bytes - before) & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
    }
}

void *mem_new(size_t size)
{
    return mem_new_array(1, size);
}

void *mem_new_array(size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);
    void *ptr = calloc(1, bytes);
    if (ptr == NULL) {
        mem_exhausted();
    }
    advise_huge(ptr, bytes);
    return ptr;
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);
    void *moved = realloc(ptr, bytes);
    if (moved == NULL) {
        mem_exhausted();
    }
    advise_huge(moved, bytes);
    return moved;
}

void *mem_new_large(size_t size)
{
    void *ptr = NULL;
    if (size < HUGE_PAGE) {
        return mem_resize(NULL, size, 1);
    }
    if (posix_memalign(&ptr, HUGE_PAGE, size) != 0) {
        mem_exhausted();
    }
    advise_huge(ptr, size);
    return ptr;
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
