/*
 * Seeded pseudo-random numbers (xoshiro256**), and ids. The seed comes from the kernel in the real program and from
 * the test in a simulated one.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

void random_init(struct random *r, uint64_t seed);
uint64_t random_u64(struct random *r);
/* 0..bound-1; bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);
/* 64 bits from getrandom(2). */
uint64_t random_seed(void);

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_LEN 36

/* UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, a counter within the millisecond, then random bits. */
struct uuid7 {
    struct random random;
    int64_t last_ms;
    uint32_t counter;
};

void uuid7_init(struct uuid7 *g, uint64_t seed);
/* Ids of one generator rise strictly, also when `now_ms` stands still. */
struct uuid uuid7_next(struct uuid7 *g, int64_t now_ms);

bool uuid_equal(struct uuid a, struct uuid b);
/* As str_hash: never stored, never decides an order. */
uint64_t uuid_hash(struct uuid id);
/* Lower-case canonical text, not terminated. */
void uuid_to_text(struct uuid id, char out[UUID_TEXT_LEN]);
/* Accepts the canonical form in either case; nothing else. */
bool uuid_parse(struct str text, struct uuid *out);

#endif
