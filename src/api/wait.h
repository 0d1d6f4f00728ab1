/*
 * Reads that ask for a write which the view has not seen yet (`min_seq`) wait here, on their HTTP thread, for at most
 * WAIT_MS_MAX.
 */
#ifndef API_WAIT_H
#define API_WAIT_H

#include "api/service.h"

/*
 * True: the view has reached `min_seq`, go on. False: it has answered 503, or `resumed` will be called, which asks
 * wait_is_over.
 */
bool wait_for_seq(struct api *api, struct exchange *x, uint64_t min_seq, void (*resumed)(struct exchange *, void *));

/* For `resumed`: false when the time ran out; then it has answered 503. */
bool wait_is_over(struct api *api, struct exchange *x, uint64_t min_seq);

/* Resumes those whose seq is there, and those who waited too long. */
void wait_turn(struct api_thread *t, int64_t mono_ms);

#endif
