/*
 * A stream of COPY from a database. An input is its messages, each behind a byte that says how long it is. What is taken
 * lies within its message, and is taken only when it is whole: without its last message, or with one more, it is not.
 */
#include "../store/copy_source.h"
#include "fuzz.h"
#include "store/postgres/copy.h"

static void split(struct copy_source *s, const uint8_t *data, size_t size)
{
    size_t at = 0;
    *s = (struct copy_source){.end = ERR_OK};
    while (at < size && s->messages_len < COPY_SOURCE_MESSAGES_MAX - 1) {
        size_t len = data[at++];
        len = len < size - at ? len : size - at;
        if (len > 0) {
            s->messages[s->messages_len++] = (struct str){(const char *)data + at, len};
        }
        at += len;
    }
}

static volatile char seen;

/* Each byte is read: whoever looks for errors of memory sees them. */
static void check_row(const struct copy *c)
{
    check(c->columns >= 0 && c->columns <= COPY_COLUMNS_MAX);
    for (int i = 0; i < c->columns; i++) {
        struct str text = copy_text(c, i);
        check(!str_is_absent(text) || text.len == 0);
        for (size_t n = 0; n < text.len; n++) {
            seen = text.ptr[n];
        }
        char number[8];
        if (copy_bytes(c, i, number, sizeof(number))) {
            check(text.len == sizeof(number) && memcmp(number, text.ptr, sizeof(number)) == 0);
            (void)copy_i64(c, i);
        }
    }
}

static enum err read_all(struct copy_source *s)
{
    struct copy copy;
    bool more = true;
    size_t rows = 0;
    s->given = 0;
    enum err e = copy_begin(&copy, &s->link, "SELECT 1", "read", NULL);
    while (e == ERR_OK && more) {
        e = copy_next(&copy, &more, NULL);
        if (e == ERR_OK && more) {
            check_row(&copy);
            check(++rows <= s->messages_len);
        }
    }
    check(e == ERR_OK || (e == ERR_IO && !more));
    copy_release(&copy);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct copy_source s;
    split(&s, data, size);
    if (read_all(&s) == ERR_OK) {
        check(s.given == s.messages_len && s.messages_len > 0);
        s.messages_len--;
        check(read_all(&s) == ERR_IO);
        s.messages_len++;
        s.messages[s.messages_len++] = STR("\377\377");
        check(read_all(&s) == ERR_IO);
    }
    return 0;
}
