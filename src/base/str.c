#include "base/str.h"

#include "base/limits.h"
#include "base/random.h"

#include <pthread.h>
#include <xxhash.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s = (struct str){s.ptr + 1, s.len - 1};
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

int str_compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* Written once, before its first use: what a client sends cannot be made to collide in our tables. */
static pthread_once_t hash_seed_once = PTHREAD_ONCE_INIT;
static uint64_t hash_seed;

static void hash_seed_init(void)
{
    hash_seed = random_seed();
}

uint64_t str_hash(struct str s)
{
    int failed = pthread_once(&hash_seed_once, hash_seed_init);
    check(failed == 0);
    return XXH3_64bits_withSeed(s.len > 0 ? s.ptr : "", s.len, hash_seed);
}

struct str str_from_u64(uint64_t v, char room[U64_DIGITS_MAX])
{
    size_t at = U64_DIGITS_MAX;
    do {
        room[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return (struct str){room + at, U64_DIGITS_MAX - at};
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
    if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0')) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v) || v > max) {
            return false;
        }
    }
    *out = v;
    return true;
}

/* The one character at the start of `s` (1 byte or more): its length, or 0 when it is not well-formed. */
static size_t utf8_decode(struct str s, uint32_t *out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < len) {
        return 0;
    }
    uint32_t c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *out = c;
    return len;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/* Characters that turn the direction of what stands beside them: a text could be read as another one. */
static bool is_bidi_control(uint32_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_line_end(uint32_t c)
{
    return c == 0x2028 || c == 0x2029;
}

static bool is_invisible(uint32_t c)
{
    return c == 0x200b || c == 0xfeff;
}

/* Unicode property White_Space. */
static bool is_white_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
        (c >= 0x2000 && c <= 0x200a) || is_line_end(c) || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_text_char(uint32_t c)
{
    return !is_control(c) && !is_bidi_control(c) && !is_line_end(c);
}

static bool is_any_char(uint32_t c)
{
    (void)c;
    return true;
}

static bool is_sku_char(uint32_t c)
{
    return is_text_char(c) && !is_invisible(c);
}

/*
 * Well-formed, and `allowed` says yes to each character. Gives the first and the last one (0 when empty). Printable ASCII,
 * which is nearly everything, is allowed to all and not asked about.
 */
static bool utf8_all(struct str s, bool (*allowed)(uint32_t c), uint32_t *out_first, uint32_t *out_last)
{
    *out_first = 0;
    *out_last = 0;
    for (size_t at = 0; at < s.len;) {
        unsigned char byte = (unsigned char)s.ptr[at];
        bool is_plain = byte >= ' ' && byte < 0x7f;
        size_t len = 1;
        *out_last = byte;
        if (!is_plain) {
            len = utf8_decode((struct str){s.ptr + at, s.len - at}, out_last);
        }
        if (len == 0 || !(is_plain || allowed(*out_last))) {
            return false;
        }
        *out_first = at == 0 ? *out_last : *out_first;
        at += len;
    }
    return true;
}

bool str_is_sku(struct str s)
{
    uint32_t first;
    uint32_t last;
    return s.len >= 1 && s.len <= SKU_BYTES_MAX && utf8_all(s, is_sku_char, &first, &last) && !is_white_space(first) &&
        !is_white_space(last);
}

static bool is_location_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
        c == '-';
}

bool str_is_location(struct str s)
{
    if (s.len < 1 || s.len > LOCATION_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!is_location_char(s.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_is_text(struct str s)
{
    uint32_t first;
    uint32_t last;
    return utf8_all(s, is_text_char, &first, &last);
}

/* Eight bytes at a time: the top bit of each is set where the byte is below 0x20 or is 0x7f (Hacker's Delight, 6-1). */
static uint64_t control_bits(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = ones * 0x80;
    uint64_t low = word & ~tops;
    uint64_t is_below = ~(low + ones * 0x60) & ~word;          /* 0x20 and up carry into the top bit */
    uint64_t is_delete = ~((low ^ ones * 0x7f) + ones * 0x7f); /* only 0 does not carry */
    return (is_below | (is_delete & ~word)) & tops;
}

bool str_has_control(struct str s)
{
    uint64_t found = 0;
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= s.len; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, s.ptr + at, sizeof(word));
        found |= control_bits(word);
    }
    for (; at < s.len; at++) {
        unsigned char byte = (unsigned char)s.ptr[at];
        found |= byte < ' ' || byte == 0x7f;
    }
    return found != 0;
}

bool str_is_utf8(struct str s)
{
    uint32_t first;
    uint32_t last;
    return utf8_all(s, is_any_char, &first, &last);
}

size_t str_utf8_cut(struct str s, size_t len_max)
{
    if (s.len <= len_max) {
        return s.len;
    }
    size_t cut = len_max;
    for (int back = 0; back < 3 && cut > 0 && ((unsigned char)s.ptr[cut] & 0xc0) == 0x80; back++) {
        cut--;
    }
    return cut;
}
