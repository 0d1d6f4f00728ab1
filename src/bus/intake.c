#include "bus/intake.h"

#include "base/log.h"

#include <inttypes.h>

void intake_init(struct intake *in, const char *bus, uint32_t partition)
{
    *in = (struct intake){.bus = bus, .box = event_box_new(partition)};
}

void intake_release(struct intake *in)
{
    check(!in->lent);
    event_box_free(in->box);
}

void intake_connection(struct intake *in, bool connected)
{
    if (connected != in->connected) {
        log_line(connected ? LOG_INFO : LOG_WARN, connected ? "bus_connected" : "bus_disconnected", "bus=%s", in->bus);
        in->connected = connected;
    }
}

bool intake_is_full(const struct intake *in)
{
    return event_box_len(in->box) == EVENT_BOX_EVENTS_MAX;
}

static void skip(struct intake *in, const struct err_note *note, int64_t mono_ms)
{
    char quoted[sizeof(note->text) + 64];
    in->skipped++;
    if (in->logged_ms != 0 && mono_ms - in->logged_ms < INTAKE_LOG_MS) {
        return;
    }
    log_line(
        LOG_WARN, "bus_events_skipped", "bus=%s count=%" PRIu64 " last=%s", in->bus, in->skipped,
        log_quote(note->text, quoted, sizeof(quoted)));
    in->skipped = 0;
    in->logged_ms = mono_ms;
}

void intake_take(struct intake *in, struct str json, int64_t mono_ms)
{
    struct err_note note = {{0}};
    check(!in->lent);
    enum err e = event_box_add(in->box, json, &note);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        skip(in, &note, mono_ms);
    }
}

const struct bus_message *intake_lend(struct intake *in)
{
    check(!in->lent);
    if (event_box_len(in->box) == 0) {
        return NULL;
    }
    in->lent = true;
    return event_box_message(in->box);
}

void intake_done(struct intake *in, const struct bus_message *m)
{
    check(in->lent && m == event_box_message(in->box));
    in->lent = false;
    event_box_clear(in->box);
}
