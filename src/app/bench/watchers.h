/*
 * Open pages: streams of events beside the requests, and when each change reached them.
 *
 * A change is known by its place among the changes of its item since the streams were opened. Onhand's events carry the
 * version of the item, so also a change that was told together with a later one is known to have been told. Of another
 * server's events each is one change, in order.
 */
#ifndef APP_BENCH_WATCHERS_H
#define APP_BENCH_WATCHERS_H

#include "app/bench/requests.h"
#include "load/events.h"

struct watchers;

struct watchers_result {
    uint64_t streams;
    uint64_t frames; /* in the time measured */
    /* From when a change was due to be sent until a stream had it, of the oldest change in each frame. */
    struct histogram push;
    /* Until the last of the streams had it; with --hot only. */
    struct histogram last;
};

/*
 * Opens the streams and waits for what they show at first. ERR_IO: not all could be opened. `r` makes the changes;
 * both it and what it uses outlive the watchers.
 */
MUST_CHECK enum err watchers_open(
    const struct bench_settings *s,
    uint16_t port,
    struct requests *r,
    bool (*go_on)(void),
    struct watchers **out,
    struct err_note *note);
void watchers_free(struct watchers *w); /* accepts NULL */

/* Requests whose changes the streams are told, as `stream` wants them, or those of `mixed`, whose frames are counted. */
struct drive_work watchers_work(struct watchers *w);

/* What is still on its way is read for a moment first. ERR_IO: streams were lost meanwhile. */
MUST_CHECK enum err watchers_end(struct watchers *w, struct watchers_result *out, struct err_note *note);

#endif
