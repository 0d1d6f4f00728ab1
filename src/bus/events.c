#include "bus/events.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const struct event_info infos[EVENT_KIND_COUNT] = {
#define EVENT(kind, ...) [EVENT_##kind] = {__VA_ARGS__},
#define MEMBER(...)
#include "bus/events.def"
#undef EVENT
#undef MEMBER
};

static const struct event_member members[] = {
#define EVENT(...)
#define MEMBER(of, name, holds, place, min, max, description) \
    {EVENT_##of, name, EVENT_MEMBER_##holds, offsetof(struct event_data, place), min, max, description},
#include "bus/events.def"
#undef EVENT
#undef MEMBER
};

const struct event_info *event_info(enum event_kind kind)
{
    check(kind >= 0 && kind < EVENT_KIND_COUNT);
    return &infos[kind];
}

const char *event_kind_name(enum event_kind kind)
{
    return event_info(kind)->name;
}

enum event_kind event_kind_of(struct str type)
{
    int kind = 0;
    while (kind < EVENT_KIND_COUNT && !str_equal(type, str_from(infos[kind].type))) {
        kind++;
    }
    return (enum event_kind)kind;
}

const struct event_member *event_member_next(enum event_kind kind, const struct event_member *after)
{
    const struct event_member *m = after == NULL ? members : after + 1;
    while (m < members + ARRAY_LEN(members) && m->kind != kind) {
        m++;
    }
    return m < members + ARRAY_LEN(members) ? m : NULL;
}

void event_source(uint32_t partition, char out[EVENT_SOURCE_BYTES_MAX])
{
    snprintf(out, EVENT_SOURCE_BYTES_MAX, "/onhand/partitions/%" PRIu32, partition);
}
