/* Idempotency-Key: what is taken can be sent again as a quoted string and is the same key. */
#include "api/write.h"
#include "fuzz.h"

static size_t put_quoted(struct str key, char *out)
{
    size_t len = 0;
    out[len++] = '"';
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '"' || key.ptr[i] == '\\') {
            out[len++] = '\\';
        }
        out[len++] = key.ptr[i];
    }
    out[len++] = '"';
    return len;
}

static void check_sent_again(struct str key)
{
    char quoted[2 * IDEMPOTENCY_KEY_BYTES_MAX + 4] = " ";
    char room[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t len = put_quoted(key, quoted + 1);
    quoted[len + 1] = '\t';
    struct str again;
    check(write_parse_key((struct str){quoted, len + 2}, room, &again) == ERR_OK);
    check(str_equal(key, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char room[IDEMPOTENCY_KEY_BYTES_MAX];
    struct str header = fuzz_rest(data, size, 0);
    struct str key;
    if (write_parse_key(header, room, &key) != ERR_OK) {
        return 0;
    }
    check(key.len >= 1 && key.len <= IDEMPOTENCY_KEY_BYTES_MAX);
    for (size_t i = 0; i < key.len; i++) {
        check(key.ptr[i] >= ' ' && key.ptr[i] <= '~');
    }
    bool bare = str_trim(header).ptr[0] != '"';
    check(!bare || str_equal(key, str_trim(header)));
    check_sent_again(key);
    return 0;
}
