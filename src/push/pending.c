#include "push/hub.h"

static void place(struct stream *s, uint32_t at, struct follow *f)
{
    s->pending[at] = f;
    f->pending_at = at + 1;
}

static void move_up(struct stream *s, uint32_t at)
{
    struct follow *f = s->pending[at];
    while (at > 0 && s->pending[(at - 1) / 2]->seq > f->seq) {
        place(s, at, s->pending[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(s, at, f);
}

static uint32_t lower_child(const struct stream *s, uint32_t at)
{
    uint32_t child = 2 * at + 1;
    if (child + 1 < s->pending_len && s->pending[child + 1]->seq < s->pending[child]->seq) {
        child++;
    }
    return child;
}

static void move_down(struct stream *s, uint32_t at)
{
    struct follow *f = s->pending[at];
    uint32_t child = lower_child(s, at);
    while (child < s->pending_len && s->pending[child]->seq < f->seq) {
        place(s, at, s->pending[child]);
        at = child;
        child = lower_child(s, at);
    }
    place(s, at, f);
}

void pending_add(struct follow *f, uint64_t seq, int64_t committed_ns, int64_t mono_ms)
{
    struct stream *s = f->stream;
    check(f->pending_at == 0 && s->pending_len < s->follows_len);
    f->seq = seq;
    f->committed_ns = committed_ns;
    f->since_ms = mono_ms;
    place(s, s->pending_len++, f);
    move_up(s, s->pending_len - 1);
}

void pending_remove_first(struct stream *s)
{
    check(s->pending_len > 0);
    s->pending[0]->pending_at = 0;
    struct follow *last = s->pending[--s->pending_len];
    if (s->pending_len > 0) {
        place(s, 0, last);
        move_down(s, 0);
    }
}

void pending_postpone(struct follow *f, uint64_t seq)
{
    check(f->pending_at > 0 && seq >= f->seq);
    f->seq = seq;
    move_down(f->stream, f->pending_at - 1);
}

uint64_t pending_second_seq(const struct stream *s)
{
    uint64_t lowest = UINT64_MAX;
    for (uint32_t at = 1; at < 3 && at < s->pending_len; at++) {
        lowest = s->pending[at]->seq < lowest ? s->pending[at]->seq : lowest;
    }
    return lowest;
}
