#include "bus/bus.h"

enum err bus_publish(struct bus *b, const struct bus_message *m, struct err_note *note)
{
    check(m->levels_len == 0 || m->levels != NULL);
    check(m->items_len == 0 || m->items != NULL);
    check(m->committed_ns >= 0);
    check(m->position.time_ms >= 0);
    return b->ops->publish(b, m, note);
}

enum err bus_last(struct bus *b, struct bus_position *out, struct err_note *note)
{
    return b->ops->last == NULL ? ERR_NOT_FOUND : b->ops->last(b, out, note);
}

const struct bus_message *bus_receive(struct bus *b, int timeout_ms)
{
    check(timeout_ms >= -1);
    return b->ops->receive(b, timeout_ms);
}

void bus_done(struct bus *b, const struct bus_message *m)
{
    check(m != NULL);
    b->ops->done(b, m);
}

void bus_close(struct bus *b)
{
    b->ops->close(b);
}

void bus_free(struct bus *b)
{
    if (b != NULL) {
        b->ops->free(b);
    }
}
