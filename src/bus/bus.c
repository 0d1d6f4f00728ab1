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

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct bus_position bus_message_end(const struct bus_message *m)
{
    struct bus_position end = m->position;
    for (size_t i = 0; i < m->levels_len; i++) {
        end.seq = greater(end.seq, m->levels[i].seq);
    }
    for (size_t i = 0; i < m->items_len; i++) {
        end.items = greater(end.items, m->items[i].item);
    }
    return end;
}
