/*
 * The insides of push: hub, watch, stream, follow.
 *
 *   hub ──► watch (one per followed entry) ──► follow ◄── stream (one per open page)
 */
#ifndef PUSH_HUB_H
#define PUSH_HUB_H

#include "base/buf.h"
#include "base/map.h"
#include "push/link.h"
#include "push/push.h"

#include <pthread.h>
#include <stdatomic.h>

#define PROPAGATION_BUCKETS 24

/* "id: " <epoch> "-" <seq> "\n" */
#define ID_LINE_BYTES_MAX (4 + 20 + 1 + 20 + 1)

_Static_assert(
    STREAM_SKUS_MAX *(ID_LINE_BYTES_MAX + SHOWN_FRAME_BYTES_MAX) <= STREAM_UNREAD_BYTES_MAX,
    "one frame for each SKU stays within what a client may leave unread");

/* A followed entry of the view. */
struct watch {
    struct shelf_entry *entry;
    struct link follows; /* ring of struct follow: who wants to know */
    size_t marked_at;    /* under the hub's lock: 1 + place in `marks`, 0: none */
};

struct mark {
    struct watch *watch;  /* NULL: nobody follows the entry any more */
    int64_t committed_ns; /* of the oldest change; 0: not known */
};

struct marks {
    struct mark *at;
    size_t len, cap;
};

/* One SKU of one stream. */
struct follow {
    struct link in_watch;
    struct watch *watch;
    struct stream *stream;
    uint64_t version_told; /* what the client was last given */
    /* While pending: */
    uint64_t seq;         /* not above that of the state still to be told */
    int64_t since_ms;     /* when it began to wait */
    int64_t committed_ns; /* of the oldest change still to be told; 0: not known */
    uint32_t pending_at;  /* 1 + place in the stream's heap, 0: not pending */
};

struct stream {
    struct hub *hub;
    struct stream_io io;
    uint64_t epoch;
    uint64_t looked_seq; /* all changes up to here were looked for in the entries themselves */
    struct buf rest;     /* begun and not yet written out; empty most of the time */
    size_t rest_at;
    struct link quiet;  /* in hub->quiet, by rising quiet_since_ms */
    struct link unread; /* in hub->unread, by rising unread_since_ms: has something to say */
    struct link waking; /* in hub->waking */
    int64_t quiet_since_ms;
    int64_t unread_since_ms;
    bool heartbeat_due;
    bool asleep; /* the last fill gave nothing: it takes a wake to get another */
    bool cut;
    struct follow **pending; /* heap, lowest seq first */
    uint32_t pending_len;
    uint32_t follows_len;
    struct follow follows[];
};

struct hub {
    void (*wake)(void *ctx);
    void *wake_ctx;

    pthread_mutex_t lock; /* guards `by_entry` against the projector, and all up to the next comment */
    struct map by_entry;  /* address of the entry -> struct watch; changed by the HTTP thread only */
    struct marks marks;
    uint64_t marked_seq; /* the stream up to here is in the marks, or was */

    /* The HTTP thread's own. */
    struct marks spread;
    uint64_t spread_seq; /* the stream up to here was spread to all streams */
    int64_t turn_ns;
    uint64_t opened; /* streams so far */
    struct link quiet;
    struct link unread;
    struct link waking;
    struct buf line; /* working memory */

    /* Written by the HTTP thread, read by any. */
    _Atomic uint64_t streams, frames, bytes, cut;
    _Atomic uint64_t propagation_us_bucket[PROPAGATION_BUCKETS];
    _Atomic uint64_t propagation_us_sum, propagation_count;
};

/* hub.c */
/* Adds `f` to the watch of the entry, which is made when it is the first. */
void hub_follow(struct hub *h, struct shelf_entry *e, struct follow *f);
void hub_unfollow(struct hub *h, struct follow *f);
void hub_count(_Atomic uint64_t *counter, uint64_t more);
/* A frame with a change of `committed_ns` (0: not known) was handed over at `mono_ms` or later. */
void hub_count_frame(struct hub *h, int64_t committed_ns, int64_t mono_ms);

/* pending.c: the heap of what a stream still has to be told. */
void pending_add(struct follow *f, uint64_t seq, int64_t committed_ns, int64_t mono_ms);
void pending_remove_first(struct stream *s);
/* Its state has moved on to `seq`. */
void pending_postpone(struct follow *f, uint64_t seq);
/* The lowest seq of all but the first; UINT64_MAX when there is no other. */
uint64_t pending_second_seq(const struct stream *s);

/* stream.c */
/* The entry of `f` shows `version` at `seq` now. True: that is news, and the stream has to be woken for it. */
bool stream_mark(struct follow *f, const struct shown *now, int64_t committed_ns, int64_t mono_ms);
void stream_heartbeat(struct stream *s, int64_t mono_ms);

#endif
