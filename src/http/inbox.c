#include "http/inbox.h"

#include "http/exchange.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err inbox_open(struct inbox *b, struct err_note *note)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return err_note_set(note, ERR_INTERNAL, "eventfd: %s", strerror(errno));
    }
    atomic_init(&b->head, NULL);
    atomic_init(&b->asleep, false);
    atomic_init(&b->wanted, false);
    b->event_fd = fd;
    return ERR_OK;
}

void inbox_close(struct inbox *b)
{
    check(atomic_load(&b->head) == NULL);
    close(b->event_fd);
}

/* Of several who find the owner asleep, one writes. */
static void rouse(struct inbox *b)
{
    if (atomic_load(&b->asleep) && atomic_exchange(&b->asleep, false)) {
        const uint64_t one = 1;
        ssize_t written = write(b->event_fd, &one, sizeof(one));
        check(written == sizeof(one)); /* the counter has room for 2^64 - 2 of them */
    }
}

void inbox_push(struct inbox *b, struct exchange *x)
{
    struct exchange *head = atomic_load_explicit(&b->head, memory_order_relaxed);
    do {
        x->next = head;
    } while (!atomic_compare_exchange_weak(&b->head, &head, x));
    rouse(b);
}

void inbox_wake(struct inbox *b)
{
    if (!atomic_load(&b->wanted) && !atomic_exchange(&b->wanted, true)) {
        rouse(b);
    }
}

bool inbox_sleep(struct inbox *b)
{
    atomic_store(&b->asleep, true);
    if (atomic_load(&b->head) == NULL && !atomic_load(&b->wanted)) {
        return true;
    }
    atomic_store(&b->asleep, false);
    return false;
}

void inbox_rise(struct inbox *b)
{
    atomic_store(&b->asleep, false);
}

struct exchange *inbox_take(struct inbox *b)
{
    if (atomic_load(&b->wanted)) {
        atomic_store(&b->wanted, false);
    }
    if (atomic_load(&b->head) == NULL) {
        return NULL;
    }
    struct exchange *pushed = atomic_exchange(&b->head, NULL);
    struct exchange *first = NULL;
    while (pushed != NULL) {
        struct exchange *next = pushed->next;
        pushed->next = first;
        first = pushed;
        pushed = next;
    }
    return first;
}
