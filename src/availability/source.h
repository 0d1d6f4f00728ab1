/*
 * Where a follower asks for what it misses: the two read operations of inventory that are made for it, over HTTP. Blocking;
 * one thread at a time.
 */
#ifndef AVAILABILITY_SOURCE_H
#define AVAILABILITY_SOURCE_H

#include "bus/collect.h"

/* A request may take this long before the next address is tried. */
#define SOURCE_WAIT_MS 10000
/* One that is connected and says nothing, as a process that stands still, is passed over after this, unless it is the last. */
#define SOURCE_SILENCE_S 3
/* A position is waited for less: who asks for one has nothing from the bus meanwhile, and it may be back. */
#define SOURCE_POSITION_MS 1000
#define SOURCE_PAGE 1000

struct source;

/* Addresses with commas between them, in the order of preference: http://a:8080,http://b:8080. Copied. */
struct source *source_new(const char *urls);
void source_free(struct source *s); /* accepts NULL */
/* Any thread: a request that waits, and any that comes, fails within about a second. */
void source_end(struct source *s);

/*
 * GET /v1/snapshot: a page of items behind number `after` with their levels, and the stream's position before it was
 * read. ERR_IO: no address gave a good answer; `note` tells of the last one.
 */
MUST_CHECK enum err
source_catalogue(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note);
/* As source_catalogue, but asks one address only; when that fails the next question goes to the next one. */
MUST_CHECK enum err
source_position(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note);
/* GET /v1/movements: the levels that the movements behind `after` left, by seq. */
MUST_CHECK enum err source_movements(struct source *s, uint64_t after, struct collect *out, struct err_note *note);

#endif
