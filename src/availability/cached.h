/*
 * The shell between the view and a cache: a thread that writes what changed, keeps the rest from ending, counts what is read
 * most, and answers what the view cannot as long as it was never complete. Decision 009.
 */
#ifndef AVAILABILITY_CACHED_H
#define AVAILABILITY_CACHED_H

#include "availability/availability.h"
#include "cache/cache.h"

#define CACHED_TTL_S 3600
#define CACHED_HOT_TTL_S 86400
/* Each SKU is written again within this time. */
#define CACHED_SWEEP_MS (CACHED_TTL_S * 1000LL / 2)
/* SKUs a second, when the cache may be empty. */
#define CACHED_SWEEP_RATE 10000
/* A node that has not heard for so long that it knows everything does not vouch for what it shows. */
#define CACHED_FRESH_MS 10000
/* How often the list of what is read most is added to, or read. */
#define CACHED_HOT_MS 5000
/* Questions that wait at a time. */
#define CACHED_QUESTIONS_MAX 1024

struct cached;

/* Both are borrowed. */
struct cached *cached_new(struct cache *cache, const struct availability *a);
void cached_free(struct cached *c); /* accepts NULL; stopped */
MUST_CHECK enum err cached_start(struct cached *c, struct err_note *note);
/* Answers what was asked. */
void cached_stop(struct cached *c);

/* Projector: entries that exist, and whether they changed just now. */
void cached_take(struct cached *c, struct shelf_entry *const *entries, size_t len, bool changed);

/* Any reader thread: as the functions of availability.h. */
void cached_count_read(struct cached *c, struct shelf_entry *e);
size_t cached_recall(struct cached *c, struct str sku, char out[SHOWN_FRAME_BYTES_MAX]);
bool cached_ask(struct cached *c, struct availability_question *q);
void cached_metrics(struct cached *c, struct availability_metrics *out);

#endif
