/*
 * The HTTP interface: every operation of operations.def, from the bytes of a request to the bytes of its answer.
 *
 * Life: inventory_open, availability_new, api_new, http_start with the hooks below, api_set_server; at the end
 * http_stop, inventory_stop, availability_stop, then api_free (streams' hubs live until then, because the projector
 * thread may still mark them).
 */
#ifndef API_API_H
#define API_API_H

#include "api/forward.h"
#include "availability/availability.h"
#include "http/http.h"
#include "inventory/inventory.h"

struct api;

struct api_options {
    /*
     * What runs in this process, borrowed. NULL: not here, or not yet (api_lead): inventory's operations are forwarded
     * then, and those of availability too if it comes with the lead.
     */
    struct inventory *inventory;
    struct availability *availability;
    bool shows_when_leading;     /* availability comes with api_lead; else, without it, there is none here */
    struct forwarder *forwarder; /* borrowed; NULL: what is not here is refused */
    /* Names this life of the store in ids of stream events: the store's epoch. 0: that of the stream which is followed. */
    uint64_t stream_epoch;
    struct str openapi_json; /* borrowed: the body of GET /openapi.json */
    unsigned threads;        /* HTTP threads: as in http_options */
};

struct api *api_new(const struct api_options *options);
/* After every thread that calls in has ended. Accepts NULL. */
void api_free(struct api *api);

/* The routes of http_options: one per operation. `out_len` is set. They live as long as the program. */
const struct route *api_routes(size_t *out_len);

/* The hooks of http_options; `app` is the struct api. */
void api_thread_start(void *app, struct http_thread *t);
void api_thread_turn(void *app, struct http_thread *t, int64_t mono_ms);
void api_thread_wait(void *app, struct http_thread *t);
void api_thread_woken(void *app, struct http_thread *t);
void api_thread_stop(void *app, struct http_thread *t);

/* The running server (for waking its threads and for metrics). NULL: it is about to be freed. */
void api_set_server(struct api *api, struct http_server *server);

/* A standby leads from now on; once. `availability` may be NULL. */
void api_lead(struct api *api, struct inventory *inventory, struct availability *availability, uint64_t stream_epoch);
/*
 * The lease of the leader was renewed at this time (clock_mono_ms): what its view shows was true then, and for STORE_LEASE_MS
 * it may decide; after that it refuses with ERR_NO_LEADER. Never called: there is no lease. Any thread.
 */
void api_set_renewed(struct api *api, int64_t mono_ms);

/* What /readyz says. False at first. Any thread. */
void api_set_ready(struct api *api, bool ready);

/* For availability_options.changed: `api` is the struct api; NULL (nobody can listen yet) does nothing. */
void api_availability_changed(void *api, struct shelf_entry *const *entries, size_t len, int64_t committed_ns);

#endif
