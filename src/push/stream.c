#include "push/hub.h"

#include "base/mem.h"

/* What one fill writes to. */
struct sink {
    char *out;
    size_t size;
    size_t len;
};

/* --- opening and closing ------------------------------------------------------------------------------------ */

static struct stream *stream_new(struct hub *h, size_t len)
{
    size_t size = sizeof(struct stream) + len * (sizeof(struct follow) + sizeof(struct follow *));
    struct stream *s = mem_new(size);
    s->hub = h;
    s->follows_len = (uint32_t)len;
    s->pending = (struct follow **)(void *)&s->follows[len];
    link_init(&s->quiet);
    link_init(&s->unread);
    link_init(&s->waking);
    buf_init(&s->rest, STREAM_UNREAD_BYTES_MAX);
    return s;
}

static void follow_all(struct stream *s, struct shelf_entry *const *entries)
{
    for (uint32_t i = 0; i < s->follows_len; i++) {
        s->follows[i].stream = s;
        hub_follow(s->hub, entries[i], &s->follows[i]);
    }
}

/* Marks what the client has not seen, as far as `seen` says what it has; everything when it says nothing. */
static void mark_unseen(struct stream *s, const uint64_t *seen, int64_t mono_ms)
{
    for (uint32_t i = 0; i < s->follows_len; i++) {
        struct follow *f = &s->follows[i];
        const struct shown *now = shelf_entry_shown(f->watch->entry);
        if (seen == NULL || now->seq > *seen) {
            pending_add(f, now->seq, 0, mono_ms);
        } else {
            f->version_told = now->version;
        }
    }
}

/* Evenly spread over the streams, so that those who were cut off together do not come back together. */
static uint64_t retry_ms(uint64_t opened)
{
    return STREAM_RETRY_MS + opened * 619 % (STREAM_RETRY_SPREAD_MS + 1);
}

static void put_prologue(struct stream *s, bool reset)
{
    buf_put_literal(&s->rest, "retry: ");
    buf_put_u64(&s->rest, retry_ms(s->hub->opened));
    buf_put_literal(&s->rest, "\n\n");
    if (reset) {
        buf_put_literal(&s->rest, "event: reset\ndata: {}\n\n");
    }
}

static void be_unread_since(struct stream *s, int64_t mono_ms)
{
    s->unread_since_ms = mono_ms;
    link_append(&s->hub->unread, &s->unread);
}

static void be_quiet_since(struct stream *s, int64_t mono_ms)
{
    s->quiet_since_ms = mono_ms;
    link_append(&s->hub->quiet, &s->quiet);
}

struct stream *stream_open(
    struct hub *h,
    struct shelf_entry *const *entries,
    size_t len,
    struct stream_resume resume,
    uint64_t stream_epoch,
    struct stream_io io,
    int64_t mono_ms)
{
    check(len > 0 && len <= STREAM_SKUS_MAX);
    struct stream *s = stream_new(h, len);
    s->io = io;
    s->epoch = stream_epoch;
    /* In this order: a change is in what we look at, or else it is marked for us afterwards. */
    follow_all(s, entries);
    s->looked_seq = shelf_entry_stream_seq(entries[0]);
    bool known = resume.given && resume.epoch == stream_epoch && resume.seq <= s->looked_seq;
    mark_unseen(s, known ? &resume.seq : NULL, mono_ms);
    put_prologue(s, resume.given && !known);
    be_unread_since(s, mono_ms);
    be_quiet_since(s, mono_ms);
    h->opened++;
    hub_count(&h->streams, 1);
    return s;
}

void stream_close(struct stream *s)
{
    for (uint32_t i = 0; i < s->follows_len; i++) {
        hub_unfollow(s->hub, &s->follows[i]);
    }
    link_remove(&s->quiet);
    link_remove(&s->unread);
    link_remove(&s->waking);
    hub_count(&s->hub->streams, UINT64_MAX); /* one less */
    buf_release(&s->rest);
    mem_free(s);
}

/* --- marks -------------------------------------------------------------------------------------------------- */

static void has_something_to_say(struct stream *s, int64_t mono_ms)
{
    if (link_is_alone(&s->unread)) {
        be_unread_since(s, mono_ms);
    }
}

bool stream_mark(struct follow *f, const struct shown *now, int64_t committed_ns, int64_t mono_ms)
{
    struct stream *s = f->stream;
    if (s->cut) {
        return false;
    }
    if (f->pending_at == 0) {
        if (now->version == f->version_told) {
            return false; /* written already: a fill came between the change and its mark */
        }
        pending_add(f, now->seq, committed_ns, mono_ms);
    } else if (f->committed_ns == 0) {
        f->committed_ns = committed_ns;
    }
    has_something_to_say(s, mono_ms);
    return true;
}

void stream_heartbeat(struct stream *s, int64_t mono_ms)
{
    s->heartbeat_due = true;
    be_quiet_since(s, mono_ms);
    has_something_to_say(s, mono_ms);
}

/* --- filling ------------------------------------------------------------------------------------------------ */

static void sink_put(struct sink *to, struct str bytes)
{
    check(bytes.len <= to->size - to->len);
    if (bytes.len > 0) {
        memcpy(to->out + to->len, bytes.ptr, bytes.len);
        to->len += bytes.len;
    }
}

static void put_rest(struct stream *s, struct sink *to)
{
    size_t left = s->rest.len - s->rest_at;
    size_t room = to->size - to->len;
    size_t len = left < room ? left : room;
    sink_put(to, (struct str){s->rest.ptr + s->rest_at, len});
    s->rest_at += len;
    if (s->rest_at == s->rest.len && s->rest.len > 0) {
        buf_release(&s->rest);
        s->rest_at = 0;
    }
}

/* Puts both whole, or begins them when the sink is empty; false when they have to wait for the next fill. */
static bool put_whole(struct stream *s, struct sink *to, struct str head, struct str body)
{
    if (head.len + body.len <= to->size - to->len) {
        sink_put(to, head);
        sink_put(to, body);
        return true;
    }
    if (to->len > 0) {
        return false;
    }
    buf_put_str(&s->rest, head);
    buf_put_str(&s->rest, body);
    check(!s->rest.overflowed);
    put_rest(s, to);
    return true;
}

/* Up to here no change of this stream's entries is unknown to it. */
static uint64_t known_seq(const struct stream *s)
{
    return s->looked_seq > s->hub->spread_seq ? s->looked_seq : s->hub->spread_seq;
}

/* Looks at every entry, instead of waiting for the marks. */
static void look(struct stream *s, int64_t mono_ms)
{
    s->looked_seq = shelf_entry_stream_seq(s->follows[0].watch->entry);
    for (uint32_t i = 0; i < s->follows_len; i++) {
        struct follow *f = &s->follows[i];
        const struct shown *now = shelf_entry_shown(f->watch->entry);
        if (f->pending_at == 0 && now->version != f->version_told) {
            pending_add(f, now->seq, 0, mono_ms);
        }
    }
}

/*
 * The next to be written: lowest seq first, by its newest state. One whose state is beyond what is known of the others
 * is left when its message is being applied at this moment: its mark will come. Else the view misses changes before it,
 * nobody knows for how long: it is written, and the id will not cover it. NULL when none is left.
 */
static struct follow *next_frame(struct stream *s, bool *looked, int64_t mono_ms, const struct shown **out)
{
    while (s->pending_len > 0) {
        struct follow *f = s->pending[0];
        const struct shown *now = shelf_entry_shown(f->watch->entry);
        bool ahead = now->seq > known_seq(s);
        if (ahead && !*looked) {
            *looked = true;
            look(s, mono_ms);
        } else if (now->seq > f->seq && (ahead || mono_ms - f->since_ms < STREAM_POSTPONED_MS)) {
            pending_postpone(f, now->seq);
        } else {
            *out = now;
            return ahead && now->seq > shelf_entry_stream_reach(f->watch->entry) ? NULL : f;
        }
    }
    return NULL;
}

/* The id line of a frame of the first pending: see push.h. Empty when there is nothing that an id could claim. */
static struct str id_line(struct stream *s)
{
    uint64_t waiting_seq = pending_second_seq(s);
    struct buf *line = &s->hub->line;
    buf_clear(line);
    if (waiting_seq > 0) {
        uint64_t known = known_seq(s);
        buf_put_literal(line, "id: ");
        buf_put_u64(line, s->epoch);
        buf_put_char(line, '-');
        buf_put_u64(line, waiting_seq - 1 < known ? waiting_seq - 1 : known);
        buf_put_char(line, '\n');
    }
    return buf_str(line);
}

static void put_frames(struct stream *s, struct sink *to, int64_t mono_ms)
{
    bool looked = false;
    const struct shown *now;
    struct follow *f;
    while (to->len < to->size && (f = next_frame(s, &looked, mono_ms, &now)) != NULL) {
        if (!put_whole(s, to, id_line(s), now->frame)) {
            return;
        }
        check(now->version >= f->version_told);
        f->version_told = now->version;
        hub_count_frame(s->hub, f->committed_ns, mono_ms);
        pending_remove_first(s);
    }
}

static bool has_more(const struct stream *s)
{
    return s->rest.len > 0 || s->pending_len > 0 || s->heartbeat_due;
}

/* The client took `len` bytes, or at least asked. */
static void was_filled(struct stream *s, size_t len, int64_t mono_ms)
{
    s->asleep = len == 0;
    if (len > 0) {
        s->heartbeat_due = false;
        be_quiet_since(s, mono_ms);
        hub_count(&s->hub->bytes, len);
    }
    link_remove(&s->unread);
    if (has_more(s)) {
        be_unread_since(s, mono_ms);
    }
}

size_t stream_fill(struct stream *s, char *out, size_t size, int64_t mono_ms)
{
    check(size > 0);
    if (s->cut) {
        return 0;
    }
    link_remove(&s->waking);
    struct sink to = {.out = out, .size = size};
    put_rest(s, &to);
    put_frames(s, &to, mono_ms);
    if (to.len == 0 && s->heartbeat_due) {
        put_whole(s, &to, STR(":\n\n"), STR_NONE);
    }
    was_filled(s, to.len, mono_ms);
    return to.len;
}
