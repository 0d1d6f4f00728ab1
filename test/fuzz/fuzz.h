/*
 * What a fuzz target is: one function that is given bytes and must come back. What must hold is said with check().
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "base/str.h"

/* 0 always: the input was run. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes from `from` on. */
static inline struct str fuzz_rest(const uint8_t *data, size_t size, size_t from)
{
    return from < size ? (struct str){(const char *)data + from, size - from} : STR("");
}

#endif
