/*
 * Which entries the cache has to be told of. A plain object; its owner locks. Each entry stands once in the list of all, and
 * at most once among the marked, so both are bounded by the number of SKUs.
 */
#ifndef AVAILABILITY_MARKS_H
#define AVAILABILITY_MARKS_H

#include "availability/view.h"

struct marks {
    struct shelf_entry **all; /* in the order in which they came */
    size_t all_len, all_cap;
    struct shelf_entry **marked; /* since the work was taken */
    size_t marked_len, marked_cap;
    struct shelf_entry **work; /* marked before, from `work_at` on */
    size_t work_len, work_cap, work_at;
};

void marks_release(struct marks *m);
/* Entries that exist; what is known already stays as it is. */
void marks_list(struct marks *m, struct shelf_entry *const *entries, size_t len);
void marks_mark(struct marks *m, struct shelf_entry *const *entries, size_t len);
/*
 * The next marked ones, at most `max`, oldest first. They are not marked any more, so that whatever changes from here on
 * marks them again.
 */
size_t marks_take(struct marks *m, struct shelf_entry **out, size_t max);
/* The `len` that were taken last are marked all the same. */
void marks_give_back(struct marks *m, size_t len);
/* How many are marked. */
size_t marks_waiting(const struct marks *m);

#endif
