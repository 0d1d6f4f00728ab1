/*
 * Keeps the lease of a leader: a thread that renews it each STORE_RENEW_MS (decision 008).
 */
#ifndef APP_LEASE_H
#define APP_LEASE_H

#include "store/store.h"

struct lease;

struct lease_options {
    struct store *store; /* borrowed; claimed */
    /* Both on the lease's thread. */
    void (*renewed)(void *ctx, int64_t mono_ms);             /* the lease runs from this time */
    void (*deposed)(void *ctx, const struct err_note *note); /* once: another process leads */
    void *ctx;
};

MUST_CHECK enum err lease_start(const struct lease_options *options, struct lease **out, struct err_note *note);
/* Before store_free, which gives the lease back. Accepts NULL. */
void lease_stop(struct lease *l);

#endif
