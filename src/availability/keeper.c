#include "availability/keeper.h"

#include "base/log.h"

#include <inttypes.h>

void keeper_release(struct keeper *k)
{
    collect_release(&k->waiting);
}

void keeper_add(struct keeper *k, const struct bus_message *m)
{
    for (size_t i = 0; i < m->items_len; i++) {
        collect_item(&k->waiting, &m->items[i]);
    }
    for (size_t i = 0; i < m->levels_len; i++) {
        collect_level(&k->waiting, &m->levels[i]);
    }
}

/* Once for each time that the file cannot be written, or can again. */
static void log_outcome(struct keeper *k, enum err e, const struct err_note *note)
{
    char quoted[512];
    if (e != ERR_OK && !k->fails) {
        log_line(LOG_WARN, "keep_failed", "detail=%s", log_quote(note->text, quoted, sizeof(quoted)));
    } else if (e == ERR_OK && k->fails) {
        log_line(LOG_INFO, "keep_goes_on", "seq=%" PRIu64, k->kept.seq);
    }
}

/* Nothing else depends on a file that cannot be written: it is an older copy, and the next start asks for more. */
static void write_waiting(struct keeper *k, struct keep *file, struct bus_position complete, int64_t mono_ms)
{
    struct err_note note = {""};
    k->waiting.position = k->misses ? k->kept : complete;
    enum err e = keep_write(file, collect_message(&k->waiting), &note);
    if (e == ERR_OK) {
        k->kept = k->waiting.position;
        collect_clear(&k->waiting);
    }
    log_outcome(k, e, &note);
    k->fails = e != ERR_OK;
    k->due_ms = mono_ms + (k->fails ? KEEPER_RETRY_MS : KEEPER_MS);
}

void keeper_turn(struct keeper *k, struct keep *file, struct bus_position complete, int64_t mono_ms, bool ends)
{
    size_t rows = collect_rows(&k->waiting);
    if (rows > 0 && (ends || mono_ms >= k->due_ms || (rows >= KEEPER_ROWS && !k->fails))) {
        write_waiting(k, file, complete, mono_ms);
    }
    if (k->fails && collect_rows(&k->waiting) > KEEPER_WAITING_MAX) {
        collect_clear(&k->waiting);
        k->misses = true;
    }
}
