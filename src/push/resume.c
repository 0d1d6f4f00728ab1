#include "push/push.h"

bool stream_resume_parse(struct str last_event_id, struct stream_resume *out)
{
    if (last_event_id.len == 0) {
        return false;
    }
    const char *dash = memchr(last_event_id.ptr, '-', last_event_id.len);
    if (dash == NULL) {
        return false;
    }
    size_t epoch_len = (size_t)(dash - last_event_id.ptr);
    struct str epoch = {last_event_id.ptr, epoch_len};
    struct str seq = {dash + 1, last_event_id.len - epoch_len - 1};
    struct stream_resume parsed = {.given = true};
    if (!str_to_u64(epoch, UINT64_MAX, &parsed.epoch) || !str_to_u64(seq, UINT64_MAX, &parsed.seq)) {
        return false;
    }
    *out = parsed;
    return true;
}
