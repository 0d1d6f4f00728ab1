/*
 * Asks a node whether it is alive: GET /livez, with a short patience. A process that is stopped, or a machine that is
 * swapping, still takes connections; whoever sends it requests would wait for each of them. Used by the thread of the
 * forwarder.
 */
#ifndef API_FORWARD_PROBE_H
#define API_FORWARD_PROBE_H

#include "api/forward_targets.h"

#include <curl/curl.h>

struct forward_probe {
    CURL *easy;                      /* NULL: was never needed */
    struct forward_targets *targets; /* holds a reference; NULL: it does not run */
    struct forward_target *at;
};

/* `targets` gets no other reference: the caller gives one of its own. The probe is found again by CURLINFO_PRIVATE. */
void forward_probe_begin(
    struct forward_probe *p,
    CURLM *multi,
    struct forward_targets *targets,
    struct forward_target *at,
    const struct forwarder_limits *limits);
/* Takes it off. True: the node answered, whatever it said. The reference is the caller's again. */
bool forward_probe_end(struct forward_probe *p, CURLM *multi, CURLcode result, struct forward_targets **out_targets);
void forward_probe_close(struct forward_probe *p);

#endif
