#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

/* SplitMix64 (Sebastiano Vigna, public domain): spreads one seed over a larger state. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void random_init(struct random *r, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_LEN(r->s); i++) {
        r->s[i] = splitmix64(&seed);
    }
}

/* xoshiro256** 1.0 (David Blackman and Sebastiano Vigna, public domain). */
uint64_t random_u64(struct random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Without bias: draws from the uneven rest below 2^64 mod bound are thrown away. */
uint64_t random_below(struct random *r, uint64_t bound)
{
    check(bound > 0);
    uint64_t rest = (0 - bound) % bound;
    uint64_t drawn;
    do {
        drawn = random_u64(r);
    } while (drawn < rest);
    return drawn % bound;
}

uint64_t random_seed(void)
{
    uint64_t seed;
    ssize_t got;
    do {
        got = getrandom(&seed, sizeof(seed), 0);
    } while (got < 0 && errno == EINTR);
    check(got == (ssize_t)sizeof(seed));
    return seed;
}
