#include "availability/render.h"

#include "base/mem.h"

static void put_json(struct buf *b, const struct facts *f, const struct policy *policy)
{
    buf_put_literal(b, "{\"sku\":");
    buf_put_json(b, f->sku);
    buf_put_literal(b, ",\"channel\":\"default\",\"status\":\"");
    buf_put_str(b, availability_status_name(policy_status(policy, f->available)));
    buf_put_literal(b, "\",\"quantity\":");
    buf_put_i64(b, f->available);
    buf_put_literal(b, ",\"message\":\"");
    policy_message(policy, f->available, b);
    buf_put_literal(b, "\",\"version\":");
    buf_put_u64(b, f->version);
    buf_put_literal(b, ",\"seq\":");
    buf_put_u64(b, f->seq);
    buf_put_literal(b, ",\"as_of\":\"");
    buf_put_time(b, f->as_of_ms);
    buf_put_literal(b, "\"}");
}

struct rendered *render(const struct facts *f, const struct policy *policy, struct buf *text)
{
    check(f->available >= 0);
    buf_clear(text);
    buf_put_literal(text, "event: availability\ndata: ");
    size_t json_at = text->len;
    put_json(text, f, policy);
    size_t json_len = text->len - json_at;
    buf_put_literal(text, "\n\n");
    check(!text->overflowed && text->len <= SHOWN_FRAME_BYTES_MAX);

    struct rendered *r = mem_resize(NULL, 1, sizeof(*r) + text->len);
    memcpy(r->bytes, text->ptr, text->len);
    r->next = NULL;
    r->shown = (struct shown){
        .available = f->available,
        .status = policy_status(policy, f->available),
        .version = f->version,
        .seq = f->seq,
        .as_of_ms = f->as_of_ms,
        .json = {r->bytes + json_at, json_len},
        .frame = {r->bytes, text->len},
    };
    return r;
}

size_t rendered_free_all(struct rendered *first)
{
    size_t freed = 0;
    for (; first != NULL; freed++) {
        struct rendered *next = first->next;
        mem_free(first);
        first = next;
    }
    return freed;
}
