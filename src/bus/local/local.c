#include "bus/local/local.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Blocks kept for reuse; the consumer keeps up nearly always, so few are ever in use. */
#define SPARES_MAX 4

/* One copied message: its rows stand behind it, levels first. */
struct parcel {
    struct parcel *next;
    size_t room; /* bytes of `rows` */
    struct bus_message message;
    _Alignas(max_align_t) char rows[];
};

struct bus_local {
    struct bus base;
    size_t messages_max;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t filled;
    pthread_cond_t emptied;
    struct parcel *first;
    struct parcel *last;
    struct parcel *lent;
    size_t undelivered; /* queued and lent */
    struct parcel *spares;
    size_t spares_len;
    bool closed;
};

static const struct bus_ops bus_local_ops;

static struct bus_local *bus_local_from(struct bus *b)
{
    check(b->ops == &bus_local_ops);
    return (struct bus_local *)b;
}

static void lock(struct bus_local *b)
{
    int failed = pthread_mutex_lock(&b->lock);
    check(failed == 0);
}

static void unlock(struct bus_local *b)
{
    int failed = pthread_mutex_unlock(&b->lock);
    check(failed == 0);
}

/* Under the lock: a block with at least `room` bytes for rows, NULL when none is spare. */
static struct parcel *spare_take(struct bus_local *b, size_t room)
{
    struct parcel **at = &b->spares;
    while (*at != NULL && (*at)->room < room) {
        at = &(*at)->next;
    }
    struct parcel *found = *at;
    if (found != NULL) {
        *at = found->next;
        b->spares_len--;
    }
    return found;
}

/* Under the lock. The newest comes first: its memory is warm. Returns the block that is one too many, or NULL. */
static struct parcel *spare_give(struct bus_local *b, struct parcel *p)
{
    p->next = b->spares;
    b->spares = p;
    if (++b->spares_len <= SPARES_MAX) {
        return NULL;
    }
    struct parcel **at = &b->spares;
    while ((*at)->next != NULL) {
        at = &(*at)->next;
    }
    struct parcel *oldest = *at;
    *at = NULL;
    b->spares_len--;
    return oldest;
}

static struct parcel *parcel_new(size_t room)
{
    struct parcel *p = mem_resize(NULL, 1, sizeof(*p) + room);
    p->room = room;
    return p;
}

/* Bytes that the rows and their strings take. */
static size_t message_room(const struct bus_message *m)
{
    size_t room = m->levels_len * sizeof(*m->levels) + m->items_len * sizeof(*m->items);
    for (size_t i = 0; i < m->levels_len; i++) {
        room += m->levels[i].sku.len + m->levels[i].location_id.len;
    }
    for (size_t i = 0; i < m->items_len; i++) {
        room += m->items[i].sku.len;
    }
    return room;
}

static void move_str(struct str *s, char **at)
{
    if (s->len > 0) {
        memcpy(*at, s->ptr, s->len);
        s->ptr = *at;
        *at += s->len;
    }
}

static void parcel_fill(struct parcel *p, const struct bus_message *m)
{
    size_t levels_size = m->levels_len * sizeof(*m->levels);
    size_t items_size = m->items_len * sizeof(*m->items);
    char *strings = p->rows + levels_size + items_size;
    p->next = NULL;
    p->message = *m;
    p->message.levels = (void *)p->rows;
    p->message.items = (void *)(p->rows + levels_size);
    for (size_t i = 0; i < m->levels_len; i++) {
        p->message.levels[i] = m->levels[i];
        move_str(&p->message.levels[i].sku, &strings);
        move_str(&p->message.levels[i].location_id, &strings);
    }
    for (size_t i = 0; i < m->items_len; i++) {
        p->message.items[i] = m->items[i];
        move_str(&p->message.items[i].sku, &strings);
    }
    check((size_t)(strings - p->rows) <= p->room);
}

/* Copies outside the lock, so that the consumer never waits for a copy. */
static struct parcel *parcel_copy(struct bus_local *b, const struct bus_message *m)
{
    size_t room = message_room(m);
    lock(b);
    struct parcel *p = spare_take(b, room);
    unlock(b);
    if (p == NULL) {
        p = parcel_new(room);
    }
    parcel_fill(p, m);
    return p;
}

/* Never an error: what it has is gone with the process, and so is who follows. */
static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    (void)note;
    struct bus_local *b = bus_local_from(base);
    struct parcel *p = parcel_copy(b, m);
    lock(b);
    while (b->undelivered == b->messages_max && !b->closed) {
        pthread_cond_wait(&b->emptied, &b->lock);
    }
    if (!b->closed) {
        *(b->first == NULL ? &b->first : &b->last->next) = p;
        b->last = p;
        b->undelivered++;
        pthread_cond_signal(&b->filled);
        p = NULL;
    }
    unlock(b);
    mem_free(p); /* closed: nobody takes it any more */
    return ERR_OK;
}

/* Under the lock: waits until a message or the end is there; false after the time. */
static bool wait_filled(struct bus_local *b, int timeout_ms)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)timeout_ms * 1000000;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    while (b->first == NULL && !b->closed) {
        int failed = timeout_ms < 0 ? pthread_cond_wait(&b->filled, &b->lock)
                                    : pthread_cond_timedwait(&b->filled, &b->lock, &until);
        if (failed == ETIMEDOUT) {
            return b->first != NULL;
        }
        check(failed == 0);
    }
    return b->first != NULL;
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct bus_local *b = bus_local_from(base);
    const struct bus_message *m = NULL;
    lock(b);
    check(b->lent == NULL);
    if (wait_filled(b, timeout_ms)) {
        b->lent = b->first;
        b->first = b->first->next;
        m = &b->lent->message;
    }
    unlock(b);
    return m;
}

static void done(struct bus *base, const struct bus_message *m)
{
    struct bus_local *b = bus_local_from(base);
    lock(b);
    check(b->lent != NULL && &b->lent->message == m);
    struct parcel *dropped = spare_give(b, b->lent);
    b->lent = NULL;
    b->undelivered--;
    pthread_cond_signal(&b->emptied);
    unlock(b);
    mem_free(dropped);
}

static void close_bus(struct bus *base)
{
    struct bus_local *b = bus_local_from(base);
    lock(b);
    b->closed = true;
    pthread_cond_broadcast(&b->filled);
    pthread_cond_broadcast(&b->emptied);
    unlock(b);
}

static void parcels_free(struct parcel *p)
{
    while (p != NULL) {
        struct parcel *next = p->next;
        mem_free(p);
        p = next;
    }
}

static void free_bus(struct bus *base)
{
    struct bus_local *b = bus_local_from(base);
    check(b->lent == NULL);
    parcels_free(b->first);
    parcels_free(b->spares);
    int failed = pthread_cond_destroy(&b->filled) | pthread_cond_destroy(&b->emptied) | pthread_mutex_destroy(&b->lock);
    check(failed == 0);
    mem_free(b);
}

static const struct bus_ops bus_local_ops = {
    .name = "local",
    .publish = publish,
    .receive = receive,
    .done = done,
    .close = close_bus,
    .free = free_bus,
};

struct bus *bus_local_new(size_t messages_max)
{
    check(messages_max > 0);
    struct bus_local *b = mem_new(sizeof(*b));
    b->base.ops = &bus_local_ops;
    b->messages_max = messages_max;
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
        pthread_mutex_init(&b->lock, NULL) | pthread_cond_init(&b->filled, &monotonic) |
        pthread_cond_init(&b->emptied, &monotonic) | pthread_condattr_destroy(&monotonic);
    check(failed == 0);
    return &b->base;
}
