/* Streams of events to the load client: however the bytes come, the events are the same. */
#include "base/mem.h"
#include "fuzz.h"
#include "load/event_reader.h"

struct heard {
    uint64_t hash;
    uint64_t count;
};

static void event_cb(void *ctx, struct str event)
{
    struct heard *h = ctx;
    struct str data = event_data(event);
    check(event.len > 0 && memmem(event.ptr, event.len, "\n\n", 2) == NULL);
    check(str_is_absent(data) || (data.ptr >= event.ptr && data.ptr + data.len <= event.ptr + event.len));
    h->hash = h->hash * 31 + str_hash(event);
    h->count++;
}

/* In two parts, and the second as a whole or in bytes. False: refused. */
static bool read_parts(struct str bytes, size_t cut, size_t step, struct heard *out)
{
    struct event_reader r;
    event_reader_init(&r);
    *out = (struct heard){0};
    bool good = true;
    for (size_t at = 0; good && at < bytes.len;) {
        size_t len = at == 0 ? cut : step;
        len = len == 0 || len > bytes.len - at ? bytes.len - at : len;
        char *copy = mem_copy_str((struct str){bytes.ptr + at, len});
        good = event_reader_take(&r, copy, len, event_cb, out);
        mem_free(copy);
        at += len;
    }
    event_reader_release(&r);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t cut = size > 0 ? data[0] : 0;
    struct str rest = fuzz_rest(data, size, 1);
    /* Half of the inputs begin inside the body. */
    size_t head_len = cut % 2 == 0 ? sizeof(chunked) - 1 : 0;
    char *bytes = mem_new(head_len + rest.len + 1);
    memcpy(bytes, chunked, head_len);
    memcpy(bytes + head_len, rest.ptr, rest.len);
    struct str all = {bytes, head_len + rest.len};
    struct heard whole;
    struct heard parts;
    bool good = read_parts(all, 0, 0, &whole);
    check(read_parts(all, head_len + cut / 2, 0, &parts) == good);
    check(parts.count == whole.count && parts.hash == whole.hash);
    check(read_parts(all, 1, 1, &parts) == good);
    check(parts.count == whole.count && parts.hash == whole.hash);
    mem_free(bytes);
    return 0;
}
