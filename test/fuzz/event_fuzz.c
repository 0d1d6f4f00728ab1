/*
 * Events from a broker: one input is one event. What is taken keeps the promises of the ledger's rows, is the same when it
 * is written again, and spaces around it change nothing.
 */
#include "base/clock.h"
#include "bus/event.h"
#include "fuzz.h"

#define PARTITION 0

struct reader {
    struct event_box *box;
    size_t events;
};

static bool read_again(void *ctx, const struct event *e)
{
    struct reader *r = ctx;
    check(e->json.len <= EVENT_BYTES_MAX && e->id.len <= EVENT_ID_BYTES_MAX && e->key.len > 0);
    check(event_box_add(r->box, e->json, NULL) == ERR_OK);
    r->events++;
    return true;
}

static void check_time(int64_t ms)
{
    check(ms >= 0 && ms <= TIME_MS_MAX);
}

static void check_level(const struct level_row *l)
{
    check(l->item == 0 && l->location == 0 && str_is_sku(l->sku) && str_is_location(l->location_id));
    check(l->version >= 1 && l->version <= LEVEL_VERSION_MAX && l->seq >= 1 && l->seq <= INT64_MAX);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        check(l->quantities.of[q] >= 0 && l->quantities.of[q] <= QUANTITY_MAX);
    }
    check_time(l->time_ms);
}

static void check_item(const struct bus_item *i)
{
    check(i->item >= 1 && i->item <= ITEMS_MAX && str_is_sku(i->sku));
    check_time(i->time_ms);
}

static void check_one(const struct bus_message *m)
{
    bool positioned = m->position.time_ms != 0;
    check(m->levels_len + m->items_len + positioned == 1);
    if (m->levels_len > 0) {
        check_level(m->levels);
    } else if (m->items_len > 0) {
        check_item(m->items);
    } else {
        check(m->position.epoch <= INT64_MAX && m->position.seq <= INT64_MAX && m->position.items <= ITEMS_MAX);
        check_time(m->position.time_ms);
    }
}

static void check_same(const struct bus_message *a, const struct bus_message *b)
{
    check(a->partition == b->partition && a->levels_len == b->levels_len && a->items_len == b->items_len);
    if (a->levels_len > 0) {
        const struct level_row *l = a->levels;
        const struct level_row *k = b->levels;
        check(str_equal(l->sku, k->sku) && str_equal(l->location_id, k->location_id));
        check(memcmp(&l->quantities, &k->quantities, sizeof(l->quantities)) == 0);
        check(l->version == k->version && l->seq == k->seq && l->time_ms == k->time_ms);
    }
    if (a->items_len > 0) {
        check(str_equal(a->items->sku, b->items->sku) && a->items->item == b->items->item);
        check(a->items->time_ms == b->items->time_ms);
    }
    check(memcmp(&a->position, &b->position, sizeof(a->position)) == 0);
}

static void check_written_again(const struct bus_message *m)
{
    struct reader r = {.box = event_box_new(PARTITION)};
    check(event_each(m, read_again, &r) && r.events == 1);
    check_same(m, event_box_message(r.box));
    event_box_free(r.box);
}

static void check_with_blanks(struct str json, enum err expected)
{
    struct event_box *box = event_box_new(PARTITION);
    struct buf wider;
    buf_init(&wider, SIZE_MAX);
    buf_put_literal(&wider, "\r\n\t ");
    buf_put_str(&wider, json);
    buf_put_literal(&wider, "\n ");
    check(event_box_add(box, buf_str(&wider), NULL) == expected);
    buf_release(&wider);
    event_box_free(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str json = fuzz_rest(data, size, 0);
    struct event_box *box = event_box_new(PARTITION);
    struct err_note note = {{0}};
    enum err e = event_box_add(box, json, &note);
    check(e == ERR_OK || e == ERR_MALFORMED || e == ERR_INVALID || e == ERR_NOT_FOUND);
    check((e == ERR_OK) == (note.text[0] == '\0') && event_box_len(box) == (e == ERR_OK));
    if (e == ERR_OK) {
        check_one(event_box_message(box));
        check_written_again(event_box_message(box));
    }
    if (json.len + 8 <= EVENT_READ_BYTES_MAX) {
        check_with_blanks(json, e);
    }
    event_box_free(box);
    return 0;
}
