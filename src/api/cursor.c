#include "api/cursor.h"

#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void cursor_put(struct buf *out, struct str key)
{
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < key.len; i++) {
        bits = bits << 8 | (unsigned char)key.ptr[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            buf_put_char(out, alphabet[bits >> held & 63]);
        }
    }
    if (held > 0) {
        buf_put_char(out, alphabet[bits << (6 - held) & 63]);
    }
}

void cursor_put_seq(struct buf *out, uint64_t seq)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
    cursor_put(out, (struct str){text, (size_t)len});
}

bool cursor_parse(struct str cursor, char room[CURSOR_KEY_BYTES_MAX], struct str *out_key)
{
    uint32_t bits = 0;
    int held = 0;
    size_t len = 0;
    for (size_t i = 0; i < cursor.len; i++) {
        const char *at = memchr(alphabet, cursor.ptr[i], 64);
        if (at == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(at - alphabet);
        held += 6;
        if (held >= 8) {
            if (len == CURSOR_KEY_BYTES_MAX) {
                return false;
            }
            held -= 8;
            room[len++] = (char)(bits >> held & 255);
        }
    }
    *out_key = (struct str){room, len};
    /* One key has one spelling: the bits behind its last byte are 0 and less than a character. */
    return len > 0 && held < 6 && (bits & ((1U << held) - 1)) == 0;
}

bool cursor_parse_seq(struct str cursor, uint64_t *out_seq)
{
    char room[CURSOR_KEY_BYTES_MAX];
    struct str key;
    return cursor_parse(cursor, room, &key) && str_to_u64(key, INT64_MAX, out_seq);
}
