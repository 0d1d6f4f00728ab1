/*
 * The nodes that exchanges are forwarded to, in the order of preference. A list never changes but for what is known of its
 * nodes; who aims elsewhere makes another one. Not thread-safe.
 */
#ifndef API_FORWARD_TARGETS_H
#define API_FORWARD_TARGETS_H

#include "api/forward.h"
#include "base/str.h"

/* How long a node that could not be connected to comes last. Then one request tries it again. */
#define TARGET_HELD_BACK_MS 3000

struct forward_target {
    char *url; /* without a slash at the end */
    bool suspect;
    int64_t held_back_until_ms; /* monotonic; while `suspect` */
};

struct forward_targets {
    unsigned refs;
    char *urls; /* as given */
    unsigned len;
    struct forward_target at[FORWARD_TARGETS_MAX];
};

/* With one reference. `urls` may be NULL. */
struct forward_targets *forward_targets_new(const char *urls);
/* Takes one reference away. Accepts NULL. */
void forward_targets_unref(struct forward_targets *t);

/*
 * The next node of those whose bit is not set in `*tried`; sets its bit. NULL when all were tried.
 */
struct forward_target *forward_targets_next(struct forward_targets *t, unsigned *tried, int64_t mono_ms);
/* It could be connected to, or not. */
void forward_target_judge(struct forward_target *t, bool reached, int64_t mono_ms);

#endif
