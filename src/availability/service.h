/* What the shells of the view share: the thread that follows a bus of this process, and the one that follows a broker. */
#ifndef AVAILABILITY_SERVICE_H
#define AVAILABILITY_SERVICE_H

#include "availability/grace.h"
#include "availability/view.h"

#include <pthread.h>

struct cached;
struct follow;

struct availability {
    struct view view;
    struct bus *bus;
    void (*changed)(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns);
    void *changed_ctx;
    struct follow *follow; /* NULL: the bus is the local one */
    struct cached *cached; /* NULL: there is no cache */

    bool started;
    pthread_t projector;
    struct grace grace;
};

/* On the projector thread: applies, tells the pages, gives the replaced answers to the grace thread. */
void availability_project(struct availability *a, const struct bus_message *m);

#endif
