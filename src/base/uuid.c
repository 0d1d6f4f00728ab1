/* Ids: UUIDv7 and its text. */
#include "base/random.h"

#define UUID7_MS_MAX (((int64_t)1 << 48) - 1)
#define UUID7_COUNTER_MAX 0xfffu
#define UUID7_COUNTER_START_BITS 11

static void put_big_endian(uint8_t *out, uint64_t v, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        out[i - 1] = (uint8_t)v;
        v >>= 8;
    }
}

void uuid7_init(struct uuid7 *g, uint64_t seed)
{
    *g = (struct uuid7){.last_ms = -1};
    random_init(&g->random, seed);
}

/* A new millisecond begins its count at random in the lower half, so that at least 2,048 ids follow. */
static void uuid7_begin_ms(struct uuid7 *g, int64_t ms)
{
    check(ms >= 0 && ms <= UUID7_MS_MAX);
    g->last_ms = ms;
    g->counter = (uint32_t)(random_u64(&g->random) >> (64 - UUID7_COUNTER_START_BITS));
}

struct uuid uuid7_next(struct uuid7 *g, int64_t now_ms)
{
    if (now_ms > g->last_ms) {
        uuid7_begin_ms(g, now_ms);
    } else if (g->counter == UUID7_COUNTER_MAX) {
        uuid7_begin_ms(g, g->last_ms + 1); /* the count is full: run ahead of the clock (RFC 9562 section 6.2) */
    } else {
        g->counter++;
    }
    struct uuid id;
    put_big_endian(id.bytes, (uint64_t)g->last_ms, 6);
    put_big_endian(id.bytes + 6, 0x7000 | g->counter, 2);
    put_big_endian(id.bytes + 8, (random_u64(&g->random) >> 2) | (1ULL << 63), 8);
    return id;
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* Under the seed of the process, like all hashes: clients choose the ids that they ask for. */
uint64_t uuid_hash(struct uuid id)
{
    return str_hash((struct str){(const char *)id.bytes, sizeof(id.bytes)});
}

static bool uuid_dash_at(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

void uuid_to_text(struct uuid id, char out[UUID_TEXT_LEN])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if (uuid_dash_at(at)) {
            out[at++] = '-';
        }
        out[at++] = hex[id.bytes[i] >> 4];
        out[at++] = hex[id.bytes[i] & 15];
    }
    check(at == UUID_TEXT_LEN);
}

/* -1: not a hexadecimal digit */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uuid_parse(struct str text, struct uuid *out)
{
    if (text.len != UUID_TEXT_LEN) {
        return false;
    }
    struct uuid id = {{0}};
    size_t digits = 0;
    for (size_t at = 0; at < UUID_TEXT_LEN; at++) {
        if (uuid_dash_at(at)) {
            if (text.ptr[at] != '-') {
                return false;
            }
            continue;
        }
        int value = hex_value(text.ptr[at]);
        if (value < 0) {
            return false;
        }
        id.bytes[digits / 2] = (uint8_t)(id.bytes[digits / 2] << 4 | value);
        digits++;
    }
    *out = id;
    return true;
}
