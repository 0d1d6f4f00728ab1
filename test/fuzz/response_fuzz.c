/* Responses to the load client: the head ends in one place, whatever follows it and however its bytes arrive. */
#include "base/mem.h"
#include "fuzz.h"
#include "load/response.h"

static struct str without_last(struct str bytes)
{
    return (struct str){bytes.ptr, bytes.len - 1};
}

static void check_head(struct str bytes, bool head_only, const struct response_head *head)
{
    struct response_head again;
    struct str exact = {bytes.ptr, head->head_len};
    check(head->head_len <= bytes.len && head->status >= 200 && head->status <= 599);
    check(head->body_len <= RESPONSE_BODY_BYTES_MAX && head->retry_after_s <= 3600);
    check(head->body_len == 0 || (!head_only && head->status != 204 && head->status != 304));
    check(head->body == BODY_OF_LENGTH || head->body_len == 0);
    check(response_read_head(exact, head_only, &again) == RESPONSE_COMPLETE && again.body == head->body);
    check(again.head_len == head->head_len && again.status == head->status && again.body_len == head->body_len);
    check(again.keep_alive == head->keep_alive && again.replayed == head->replayed);
    check(str_equal(again.content_type, head->content_type));
    check(response_read_head(without_last(exact), head_only, &again) == RESPONSE_INCOMPLETE);
}

/* What is broken does not become whole by more bytes. */
static void check_broken(struct str bytes, bool head_only)
{
    struct response_head head;
    char *more = mem_new(bytes.len + 5);
    memcpy(more, bytes.ptr, bytes.len);
    memcpy(more + bytes.len, "\r\n\r\n", 4);
    check(response_read_head((struct str){more, bytes.len + 4}, head_only, &head) == RESPONSE_BROKEN);
    mem_free(more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool head_only = size > 0 && (data[0] & 1) != 0;
    struct str bytes = fuzz_rest(data, size, 1);
    struct response_head head;
    struct response_head part;
    switch (response_read_head(bytes, head_only, &head)) {
    case RESPONSE_COMPLETE:
        check_head(bytes, head_only, &head);
        break;
    case RESPONSE_BROKEN:
        check_broken(bytes, head_only);
        break;
    case RESPONSE_INCOMPLETE:
        bytes.len /= 2;
        check(response_read_head(bytes, head_only, &part) == RESPONSE_INCOMPLETE);
        break;
    }
    return 0;
}
