/*
 * Push: which open page follows which SKU, and what each still has to be told.
 *
 * A hub belongs to one HTTP thread and is used only there, but for hub_mark, which the projector thread calls. A
 * stream holds no queue: for each SKU that changed since it was last written it has one mark, and when the socket
 * takes bytes it is given the newest frame. So a slow client costs a bounded amount and never slows another.
 *
 * The HTTP thread is a reader of the availability view: hub_turn, stream_open and stream_fill read entries.
 *
 * What a stream says (text/event-stream):
 *
 *   retry: 2417                      first; the wait before the client comes back, spread over a second
 *   event: reset                     when the client resumed with an id from another life of the stream: forget all
 *   data: {}
 *   id: 3-1042                       then a frame for each SKU, and one for each that changes
 *   event: availability
 *   data: {"sku":"A-1",...}
 *   :                                when nothing was said for STREAM_HEARTBEAT_MS
 *
 * What an id means: a client that shows `<epoch>-<seq>` has been told everything about its SKUs up to this seq of the
 * stream, and perhaps some of what came after. A frame is of one SKU, and several SKUs wait at the same time; so the
 * id is not the seq of the frame, but the highest seq below which nothing of this stream is still to be written, and
 * not above what is known to have been marked. Frames are written by rising seq, therefore a frame is covered by its
 * own id, and who resumes is told nothing twice. (A SKU that changed faster than a slow client could read, for
 * STREAM_POSTPONED_MS, is written out of order; and one whose view misses changes before it is written with an id from
 * before the gap. Only then the same version may come again after a resume. Never an older one.) While a SKU without
 * any change, which no seq can stand for, is still to be told, frames have no id: who breaks off there begins from the
 * start.
 *
 * What is unread of one stream never exceeds STREAM_UNREAD_BYTES_MAX: it is one frame a SKU at most.
 */
#ifndef PUSH_PUSH_H
#define PUSH_PUSH_H

#include "availability/availability.h"

struct hub;
struct stream;

/*
 * Effects of a stream on its connection, given by whoever owns the connection. Both are called from hub_turn, and may
 * call stream_fill or stream_close in turn.
 */
struct stream_io {
    void *ctx;
    void (*wake)(void *ctx); /* there is something to write: stream_fill will be called */
    void (*cut)(void *ctx);  /* the client does not read: close at once; the stream says nothing any more */
};

#define STREAM_HEARTBEAT_MS 15000
#define STREAM_UNREAD_MS_MAX 10000 /* with something to say, and nobody asks for it */
#define STREAM_UNREAD_BYTES_MAX (256 * 1024)
#define STREAM_RETRY_MS 2000
#define STREAM_RETRY_SPREAD_MS 1000
#define STREAM_POSTPONED_MS 1000

/* `wake` is called on the projector thread: the hub wants its next turn soon. */
struct hub *hub_new(void (*wake)(void *ctx), void *wake_ctx);
/* Accepts NULL. No stream is left, and hub_mark is not called any more. */
void hub_free(struct hub *h);

/*
 * Projector thread, from `changed` of the view: these entries changed. Remembers each that is followed once, and calls
 * `wake` when the hub was idle.
 */
void hub_mark(struct hub *h, struct shelf_entry *const *entries, size_t len, int64_t committed_ns);

/*
 * HTTP thread, at each turn of its loop and at least every 250 ms: spreads marks to the streams that follow the
 * entries, sends heartbeats, cuts those who do not read. Both times are of the monotonic clock.
 */
void hub_turn(struct hub *h, int64_t mono_ms, int64_t mono_ns);

/* What Last-Event-ID said; `given` is false when there was none. */
struct stream_resume {
    bool given;
    uint64_t epoch;
    uint64_t seq;
};

/*
 * A new stream over 1..STREAM_SKUS_MAX distinct entries. It begins with `retry:` and a frame for each entry; with
 * `resume` only for those that changed since, or `event: reset` and everything when the id is from another life of the
 * stream or from its future. `stream_epoch` names this life of the store. stream_fill is expected without a wake.
 */
struct stream *stream_open(
    struct hub *h,
    struct shelf_entry *const *entries,
    size_t len,
    struct stream_resume resume,
    uint64_t stream_epoch,
    struct stream_io io,
    int64_t mono_ms);
void stream_close(struct stream *s);

/*
 * Writes up to `size` (1..) bytes: whole frames, newest state of each marked SKU. 0 when there is nothing to say: then
 * `wake` is called once there is; after anything else it is to be called again as soon as the socket takes more. A
 * frame that does not fit into an empty buffer is continued by the next call.
 */
size_t stream_fill(struct stream *s, char *out, size_t size, int64_t mono_ms);

/* Parses "<epoch>-<seq>", decimal without leading zeros. False: garbage, and `out` is untouched. */
bool stream_resume_parse(struct str last_event_id, struct stream_resume *out);

struct push_metrics {
    uint64_t streams; /* open now */
    uint64_t frames;
    uint64_t bytes;
    uint64_t cut;
    /*
     * Commit to frame handed to the socket, of the oldest change in the frame; snapshots do not count. [i]: at most 2^i
     * and more than 2^(i-1) microseconds; slower ones only in sum and count. The clock is that of the last hub_turn or
     * of the fill, whichever is later, so a fill late in a turn counts up to a millisecond too little.
     */
    uint64_t propagation_us_bucket[24];
    uint64_t propagation_us_sum;
    uint64_t propagation_count;
};
/* Any thread. */
void hub_metrics(const struct hub *h, struct push_metrics *out);

#endif
