/* Cursors: one key has one spelling, and every spelling that is taken is that of its key. */
#include "api/cursor.h"
#include "fuzz.h"

#define SPELLING_BYTES_MAX 256

static void check_spelling(struct str key, struct str cursor)
{
    struct buf spelled;
    buf_init(&spelled, SPELLING_BYTES_MAX);
    cursor_put(&spelled, key);
    check(str_equal(buf_str(&spelled), cursor));
    buf_release(&spelled);
}

static void check_key(struct str key)
{
    struct buf cursor;
    char room[CURSOR_KEY_BYTES_MAX];
    struct str again;
    buf_init(&cursor, SPELLING_BYTES_MAX);
    cursor_put(&cursor, key);
    check(cursor_parse(buf_str(&cursor), room, &again) && str_equal(again, key));
    buf_release(&cursor);
}

static void check_seq(struct str cursor, uint64_t seq)
{
    struct buf spelled;
    buf_init(&spelled, SPELLING_BYTES_MAX);
    cursor_put_seq(&spelled, seq);
    check(seq <= INT64_MAX && str_equal(buf_str(&spelled), cursor));
    buf_release(&spelled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_rest(data, size, 0);
    char room[CURSOR_KEY_BYTES_MAX];
    struct str key;
    uint64_t seq;
    if (cursor_parse(text, room, &key)) {
        check_spelling(key, text);
    }
    if (cursor_parse_seq(text, &seq)) {
        check_seq(text, seq);
    }
    if (text.len >= 1 && text.len <= CURSOR_KEY_BYTES_MAX) {
        check_key(text);
    }
    return 0;
}
