#include "contract.h"

#include "base/mem.h"
#include "seen.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct store_reader *reader(struct store *s)
{
    struct store_reader *r = NULL;
    struct err_note note = {""};
    assert_int_equal(store_reader_open(s, &r, &note), ERR_OK);
    return r;
}

static struct store_head claimed(struct store *s)
{
    struct store_head head = {0};
    struct err_note note = {""};
    assert_int_equal(store_claim(s, "", &head, &note), ERR_OK);
    return head;
}

/* Batches written by hand, so that every field has a value of its own. */

static struct movement movement_by_hand(void)
{
    return (struct movement){
        .seq = 1,
        .time_ms = 1700000000123,
        .kind = MOVEMENT_ADJUST,
        .item = 1,
        .location = 1,
        .sku = STR("Größe 42"),
        .location_id = STR("w1"),
        .delta = {{QUANTITY_MAX, 0, 0, 4, 5, 6, 7}},
        .after = {{QUANTITY_MAX, 0, 0, 4, 5, 6, 7}},
        .version = 1,
        .reason = STR("counted; 'quoted' \"twice\""),
        .reference = STR(""),
    };
}

static struct batch batch_by_hand(struct changes *c, struct movement *m, const struct store_head *head)
{
    static struct item_change item = {
        .item = 1,
        .sku = STR("Größe 42"),
        .name = STR("A shoe"),
        .attributes = STR("{\"a\":1}"),
        .time_ms = 5,
        .created = true};
    static struct location_change location = {
        .location = 1, .id = STR("w1"), .name = STR("Store"), .priority = 1000000, .created = true};
    static struct level_change level = {.movement = 0, .created = true};
    *c = (struct changes){
        .sealed = true,
        .movements = m,
        .movements_len = 1,
        .levels = &level,
        .levels_len = 1,
        .items = &item,
        .items_len = 1,
        .locations = &location,
        .locations_len = 1};
    return (struct batch){
        .epoch = head->epoch, .seq_before = 0, .seq_after = 1, .time_ms = 1700000000123, .changes = c};
}

static void claim_raises_the_epoch_each_time(void **state)
{
    struct contract *c = *state;
    struct store_head head = claimed(c->store);
    assert_int_equal(head.epoch, 1);
    assert_int_equal(head.seq, 0);
    assert_int_equal(head.time_ms, 0);
    assert_int_equal(claimed(c->store).epoch, 2);
}

static void a_row_is_read_back_as_it_was_written(void **state)
{
    struct contract *c = *state;
    struct store_head head = claimed(c->store);
    struct changes changes;
    struct movement m = movement_by_hand();
    struct batch b = batch_by_hand(&changes, &m, &head);
    assert_int_equal(store_commit(c->store, &b, NULL), ERR_OK);
    struct store_reader *r = reader(c->store);
    struct seen *seen = seen_new();

    assert_int_equal(r->ops->movements(r, &(struct movement_filter){.limit = 10}, see_movement, seen), ERR_OK);
    assert_int_equal(seen->len, 1);
    assert_int_equal(seen->movement.seq, 1);
    assert_int_equal(seen->movement.time_ms, 1700000000123);
    assert_int_equal(seen->movement.kind, MOVEMENT_ADJUST);
    assert_int_equal(seen->movement.item, 1);
    assert_int_equal(seen->movement.location, 1);
    assert_int_equal(seen->movement.version, 1);
    assert_int_equal(seen->movement.reservation, 0);
    assert_memory_equal(&seen->movement.delta, &m.delta, sizeof(m.delta));
    assert_memory_equal(&seen->movement.after, &m.after, sizeof(m.after));
    assert_str(seen->movement.sku, "Größe 42");
    assert_str(seen->movement.location_id, "w1");
    assert_str(seen->movement.reason, "counted; 'quoted' \"twice\"");
    assert_str(seen->movement.reference, "");
    assert_str(seen->movement.actor, NULL);

    assert_int_equal(r->ops->item(r, STR("Größe 42"), see_item, seen), ERR_OK);
    assert_int_equal(seen->item.item, 1);
    assert_str(seen->item.name, "A shoe");
    assert_str(seen->item.attributes, "{\"a\":1}");
    assert_int_equal(r->ops->location(r, STR("w1"), see_location, seen), ERR_OK);
    assert_int_equal(seen->location.location, 1);
    assert_int_equal(seen->location.priority, 1000000);
    assert_str(seen->location.name, "Store");
    assert_int_equal(r->ops->level(r, STR("Größe 42"), STR("w1"), see_level, seen), ERR_OK);
    assert_memory_equal(&seen->level.quantities, &m.after, sizeof(m.after));
    assert_int_equal(seen->level.version, 1);
    assert_int_equal(seen->level.seq, 1);
    assert_int_equal(seen->level.time_ms, 1700000000123);
    assert_str(seen->level.sku, "Größe 42");
    mem_free(seen);
    store_reader_free(r);
}

static void assert_store_is_empty(struct store *s)
{
    struct store_reader *r = reader(s);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->items(r, STR_NONE, 10, see_item, seen), ERR_OK);
    assert_int_equal(r->ops->locations(r, see_location, seen), ERR_OK);
    assert_int_equal(r->ops->movements(r, &(struct movement_filter){.limit = 10}, see_movement, seen), ERR_OK);
    assert_int_equal(r->ops->oldest_keys(r, 10, see_key, seen), ERR_OK);
    assert_int_equal(seen->len, 0);
    assert_int_equal(r->ops->level(r, STR("Größe 42"), STR("w1"), see_level, seen), ERR_NOT_FOUND);
    mem_free(seen);
    store_reader_free(r);
}

static void a_deposed_writer_cannot_commit(void **state)
{
    struct contract *c = *state;
    struct store_head old = claimed(c->store);
    struct store_head new = claimed(c->store);
    struct changes changes;
    struct movement m = movement_by_hand();
    struct batch b = batch_by_hand(&changes, &m, &old);
    struct err_note note = {""};
    assert_int_equal(store_commit(c->store, &b, &note), ERR_FENCED);
    assert_string_not_equal(note.text, "");
    assert_store_is_empty(c->store);
    b.epoch = new.epoch;
    assert_int_equal(store_commit(c->store, &b, &note), ERR_OK);
    assert_int_equal(claimed(c->store).seq, 1);
}

static void a_commit_that_does_not_continue_the_stored_seq_is_fenced(void **state)
{
    struct contract *c = *state;
    struct store_head head = claimed(c->store);
    struct changes changes;
    struct movement m = movement_by_hand();
    struct batch b = batch_by_hand(&changes, &m, &head);
    m.seq = 8;
    b.seq_before = 7;
    b.seq_after = 8;
    assert_int_equal(store_commit(c->store, &b, NULL), ERR_FENCED);
    assert_store_is_empty(c->store);
    m.seq = 1;
    b.seq_before = 0;
    b.seq_after = 1;
    assert_int_equal(store_commit(c->store, &b, NULL), ERR_OK);
    assert_int_equal(store_commit(c->store, &b, NULL), ERR_FENCED);
    struct store_head after = claimed(c->store);
    assert_int_equal(after.seq, 1);
    assert_int_equal(after.time_ms, 1700000000123);
}

/* Real trade from here on. */

static void begin_shop(struct scene *s, struct contract *c)
{
    scene_begin(s, c->store);
    scene_location(s, "w2", 2);
    scene_location(s, "w1", 1);
    scene_location(s, "W3", 3);
    scene_item(s, "b", "Bee");
    scene_item(s, "a", "Ay");
    scene_item(s, "é", "Accent");
    scene_item(s, "B", "Big bee");
    scene_receive(s, "a", "w1", 100);
    scene_receive(s, "b", "w1", 100);
    scene_receive(s, "b", "W3", 50);
    scene_receive(s, "b", "w2", 70);
    scene_must_commit(s);
}

static void items_are_listed_by_the_bytes_of_their_sku(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->items(r, STR_NONE, 10, see_item, seen), ERR_OK);
    assert_int_equal(seen->len, 4);
    assert_string_equal(seen->text[0], "B");
    assert_string_equal(seen->text[1], "a");
    assert_string_equal(seen->text[2], "b");
    assert_string_equal(seen->text[3], "é");
    seen_clear(seen);
    assert_int_equal(r->ops->items(r, STR("a"), 1, see_item, seen), ERR_OK);
    assert_int_equal(seen->len, 1);
    assert_string_equal(seen->text[0], "b");
    seen_clear(seen);
    assert_int_equal(r->ops->items(r, STR("az"), 10, see_item, seen), ERR_OK);
    assert_int_equal(seen->len, 2);
    seen_clear(seen);
    seen->stop_after = 3;
    assert_int_equal(r->ops->items(r, STR_NONE, 10, see_item, seen), ERR_OK);
    assert_int_equal(seen->len, 3);
    assert_int_equal(r->ops->item(r, STR("A"), see_item, seen), ERR_NOT_FOUND);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void a_new_definition_replaces_name_attributes_and_priority(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    scene_item(&s, "a", "Soon replaced");
    scene_item(&s, "a", "Another");
    scene_item(&s, "new", "Twice in");
    scene_item(&s, "new", "one batch");
    scene_location(&s, "w1", 76);
    scene_location(&s, "w1", 77);
    scene_location(&s, "w4", 1);
    scene_location(&s, "w4", 4);
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->item(r, STR("a"), see_item, seen), ERR_OK);
    assert_str(seen->item.name, "Another");
    assert_str(seen->item.attributes, "{}");
    assert_int_equal(seen->item.item, 2);
    assert_int_equal(r->ops->item(r, STR("new"), see_item, seen), ERR_OK);
    assert_str(seen->item.name, "one batch");
    seen_clear(seen);
    assert_int_equal(r->ops->locations(r, see_location, seen), ERR_OK);
    assert_int_equal(seen->len, 4);
    assert_string_equal(seen->text[0], "W3");
    assert_string_equal(seen->text[1], "w1");
    assert_string_equal(seen->text[2], "w2");
    assert_string_equal(seen->text[3], "w4");
    assert_int_equal(r->ops->location(r, STR("w1"), see_location, seen), ERR_OK);
    assert_int_equal(seen->location.priority, 77);
    assert_int_equal(r->ops->location(r, STR("w4"), see_location, seen), ERR_OK);
    assert_int_equal(seen->location.priority, 4);
    assert_int_equal(r->ops->location(r, STR("w5"), see_location, seen), ERR_NOT_FOUND);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void levels_of_an_item_come_by_location(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->levels(r, STR("b"), see_level, seen), ERR_OK);
    assert_int_equal(seen->len, 3);
    assert_string_equal(seen->text[0], "W3");
    assert_string_equal(seen->text[1], "w1");
    assert_string_equal(seen->text[2], "w2");
    assert_int_equal(seen->level.quantities.of[QUANTITY_ON_HAND], 70);
    seen_clear(seen);
    assert_int_equal(r->ops->levels(r, STR("B"), see_level, seen), ERR_OK);
    assert_int_equal(seen->len, 0);
    assert_int_equal(r->ops->levels(r, STR("nothing"), see_level, seen), ERR_NOT_FOUND);
    assert_int_equal(r->ops->level(r, STR("a"), STR("w2"), see_level, seen), ERR_NOT_FOUND);
    assert_int_equal(r->ops->level(r, STR("a"), STR("nowhere"), see_level, seen), ERR_NOT_FOUND);
    assert_int_equal(r->ops->level(r, STR("nothing"), STR("w1"), see_level, seen), ERR_NOT_FOUND);
    assert_int_equal(seen->len, 0);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void a_level_is_what_its_last_movement_left(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    scene_receive(&s, "a", "w1", 5);
    scene_receive(&s, "b", "w1", 6);
    s.now_ms += 10;
    scene_transfer(&s, "a", "w1", "w2", 30);
    scene_transfer(&s, "a", "w2", "w1", 1);
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->level(r, STR("a"), STR("w1"), see_level, seen), ERR_OK);
    assert_int_equal(seen->level.quantities.of[QUANTITY_ON_HAND], 76);
    assert_int_equal(seen->level.version, 4);
    assert_int_equal(seen->level.seq, ledger_seq(s.ledger));
    assert_int_equal(seen->level.time_ms, s.now_ms);
    assert_int_equal(r->ops->level(r, STR("a"), STR("w2"), see_level, seen), ERR_OK);
    assert_int_equal(seen->level.quantities.of[QUANTITY_ON_HAND], 29);
    assert_int_equal(seen->level.version, 2);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void assert_state(struct store_reader *r, struct seen *seen, struct uuid id, enum reservation_state state)
{
    seen_clear(seen);
    assert_int_equal(r->ops->reservation(r, id, see_reservation, seen), ERR_OK);
    assert_int_equal(seen->len, 1);
    assert_int_equal(seen->reservation.state, state);
    assert_true(uuid_equal(seen->reservation.id, id));
}

static void a_reservation_is_followed_through_its_states(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    struct uuid id = scene_reserve(&s, "order-1", "a", 5, "b", 7);
    assert_int_equal(r->ops->reservation(r, id, see_reservation, seen), ERR_NOT_FOUND);
    int64_t made_ms = s.now_ms;
    scene_must_commit(&s);
    assert_state(r, seen, id, RESERVATION_HELD);
    assert_str(seen->reservation.reference, "order-1");
    assert_int_equal(seen->reservation.seq, 5);
    assert_int_equal(seen->reservation.created_ms, made_ms);
    assert_int_equal(seen->reservation.expires_ms, made_ms + 900 * 1000);
    assert_int_equal(seen->reservation.lines_len, 2);
    assert_str(seen->lines[0].sku, "a");
    assert_str(seen->lines[1].sku, "b");
    assert_str(seen->lines[1].location_id, "w1");
    assert_int_equal(seen->lines[0].quantity, 5);
    assert_int_equal(seen->lines[1].quantity, 7);

    s.now_ms += 1000;
    scene_move(&s, COMMAND_EXTEND, id);
    scene_must_commit(&s);
    assert_state(r, seen, id, RESERVATION_HELD);
    assert_int_equal(seen->reservation.expires_ms, s.now_ms + 1800 * 1000);
    assert_int_equal(seen->reservation.updated_ms, s.now_ms);
    assert_int_equal(seen->reservation.created_ms, made_ms);

    scene_move(&s, COMMAND_COMMIT, id);
    scene_must_commit(&s);
    assert_state(r, seen, id, RESERVATION_COMMITTED);
    scene_move_part(&s, COMMAND_FULFILL, id, "b", 3);
    scene_must_commit(&s);
    assert_state(r, seen, id, RESERVATION_COMMITTED);
    assert_int_equal(seen->lines[0].fulfilled, 0);
    assert_int_equal(seen->lines[1].fulfilled, 3);
    scene_move(&s, COMMAND_FULFILL, id);
    scene_move_part(&s, COMMAND_RETURN, id, "a", 2);
    scene_must_commit(&s);
    assert_state(r, seen, id, RESERVATION_FULFILLED);
    assert_int_equal(seen->lines[0].fulfilled, 5);
    assert_int_equal(seen->lines[1].fulfilled, 7);
    assert_int_equal(seen->lines[0].returned, 2);
    assert_int_equal(seen->lines[1].returned, 0);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void a_reservation_can_be_made_and_closed_in_one_batch(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    struct uuid id = scene_reserve(&s, NULL, "a", 5, NULL, 0);
    scene_move(&s, COMMAND_COMMIT, id);
    scene_move(&s, COMMAND_FULFILL, id);
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_state(r, seen, id, RESERVATION_FULFILLED);
    assert_int_equal(seen->lines[0].fulfilled, 5);
    assert_str(seen->reservation.reference, NULL);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static size_t list_reservations(
    struct store_reader *r,
    struct seen *seen,
    enum reservation_state in,
    const char *reference,
    uint64_t after,
    uint32_t limit)
{
    struct reservation_filter f = {.state = in, .reference = str_from(reference), .after_seq = after, .limit = limit};
    seen_clear(seen);
    assert_int_equal(r->ops->reservations(r, &f, see_reservation, seen), ERR_OK);
    for (size_t i = 1; i < seen->len; i++) {
        assert_true(seen->seqs[i - 1] < seen->seqs[i]);
    }
    return seen->len;
}

/* Enough movements for several sorted runs: 300 rounds of 30. */
static void trade_much(struct scene *s)
{
    for (int round = 0; round < 300; round++) {
        char reference[16];
        snprintf(reference, sizeof(reference), "order-%d", round % 50);
        for (int i = 0; i < 10; i++) {
            s->now_ms++;
            scene_receive(s, i % 2 == 0 ? "a" : "b", i % 3 == 0 ? "w1" : "w2", 10);
        }
        for (int i = 0; i < 10; i++) {
            struct uuid id = scene_reserve(s, i == 3 ? reference : NULL, "a", 1, i == 3 ? "b" : NULL, 1);
            scene_move(s, i < 8 ? COMMAND_COMMIT : COMMAND_RELEASE, id);
        }
        scene_must_commit(s);
    }
}

static void reservations_are_found_by_state_and_reference(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    trade_much(&s);
    struct uuid held = scene_reserve(&s, "order-7", "a", 1, NULL, 0);
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(list_reservations(r, seen, 0, NULL, 0, 5000), 3001);
    assert_int_equal(list_reservations(r, seen, RESERVATION_COMMITTED, NULL, 0, 5000), 2400);
    assert_int_equal(list_reservations(r, seen, RESERVATION_RELEASED, NULL, 0, 5000), 600);
    assert_int_equal(list_reservations(r, seen, RESERVATION_EXPIRED, NULL, 0, 5000), 0);
    assert_int_equal(list_reservations(r, seen, RESERVATION_HELD, NULL, 0, 5000), 1);
    assert_true(uuid_equal(seen->reservation.id, held));
    assert_int_equal(list_reservations(r, seen, 0, "order-7", 0, 5000), 7);
    assert_int_equal(seen->reservation.seq, ledger_seq(s.ledger));
    assert_int_equal(list_reservations(r, seen, RESERVATION_COMMITTED, "order-7", 0, 5000), 6);
    assert_int_equal(list_reservations(r, seen, RESERVATION_RELEASED, "order-7", 0, 5000), 0);
    assert_int_equal(list_reservations(r, seen, 0, "order-", 0, 5000), 0);
    assert_int_equal(list_reservations(r, seen, 0, NULL, 0, 7), 7);
    assert_int_equal(list_reservations(r, seen, 0, "order-8", 0, 4), 4);
    uint64_t fourth = seen->seqs[3];
    assert_int_equal(list_reservations(r, seen, 0, "order-8", fourth, 4), 2);
    assert_true(seen->seqs[0] > fourth);
    assert_int_equal(list_reservations(r, seen, 0, NULL, UINT64_MAX, 4), 0);
    assert_int_equal(list_reservations(r, seen, 0, "order-8", UINT64_MAX, 4), 0);
    seen->stop_after = 2;
    assert_int_equal(list_reservations(r, seen, 0, "order-8", 0, 4), 2);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

/* The log without a filter, to compare with. */
struct log {
    size_t len;
    struct {
        uint64_t seq;
        char sku[8], location[8];
    } rows[12000];
};

static bool see_log(void *ctx, const struct movement *m)
{
    struct log *log = ctx;
    log->rows[log->len].seq = m->seq;
    snprintf(log->rows[log->len].sku, sizeof(log->rows[0].sku), "%.*s", STR_ARG(m->sku));
    snprintf(log->rows[log->len].location, sizeof(log->rows[0].location), "%.*s", STR_ARG(m->location_id));
    log->len++;
    return true;
}

static void assert_filter(
    struct store_reader *r,
    struct seen *seen,
    const struct log *log,
    const char *sku,
    const char *location,
    uint64_t after,
    uint32_t limit)
{
    struct movement_filter f = {
        .sku = str_from(sku), .location = str_from(location), .after_seq = after, .limit = limit};
    seen_clear(seen);
    assert_int_equal(r->ops->movements(r, &f, see_movement, seen), ERR_OK);
    size_t expected = 0;
    for (size_t i = 0; i < log->len && expected < limit; i++) {
        if (log->rows[i].seq > after && (sku == NULL || strcmp(log->rows[i].sku, sku) == 0) &&
            (location == NULL || strcmp(log->rows[i].location, location) == 0)) {
            assert_true(expected < seen->len);
            assert_int_equal(seen->seqs[expected], log->rows[i].seq);
            expected++;
        }
    }
    assert_int_equal(seen->len, expected);
}

static void movements_are_found_by_item_and_location(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    trade_much(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    struct log *log = mem_new(sizeof(*log));
    assert_int_equal(r->ops->movements(r, &(struct movement_filter){.limit = 12000}, see_log, log), ERR_OK);
    assert_int_equal(log->len, ledger_seq(s.ledger));
    for (size_t i = 0; i < log->len; i++) {
        assert_int_equal(log->rows[i].seq, i + 1);
    }
    static const char *const skus[] = {NULL, "a", "b", "é", "unknown"};
    static const char *const locations[] = {NULL, "w1", "w2", "W3", "unknown"};
    static const uint64_t afters[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 9000, 9298, UINT64_MAX};
    static const uint32_t limits[] = {1, 2, 100, 5999};
    for (size_t i = 0; i < ARRAY_LEN(skus) * ARRAY_LEN(locations); i++) {
        for (size_t n = 0; n < ARRAY_LEN(afters) * ARRAY_LEN(limits); n++) {
            assert_filter(
                r, seen, log, skus[i / ARRAY_LEN(locations)], locations[i % ARRAY_LEN(locations)],
                afters[n / ARRAY_LEN(limits)], limits[n % ARRAY_LEN(limits)]);
        }
    }
    seen_clear(seen);
    seen->stop_after = 3;
    assert_int_equal(
        r->ops->movements(r, &(struct movement_filter){.sku = STR("a"), .limit = 100}, see_movement, seen), ERR_OK);
    assert_int_equal(seen->len, 3);
    mem_free(log);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void an_idempotency_record_holds_the_very_bytes(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    scene_key(&s, "reserve", "key-1", 409, "{\"code\":\"insufficient_stock\"}");
    scene_key(&s, "adjust", "key-2", 201, "{ \"odd\" : [1,\t2] }\n");
    s.keys[1].location = STR("/v1/here");
    uint8_t fingerprint[32];
    memcpy(fingerprint, s.keys[1].fingerprint, 32);
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->key(r, 2, see_key, seen), ERR_OK);
    assert_int_equal(seen->key.row, 2);
    assert_int_equal(seen->key.time_ms, s.now_ms);
    assert_int_equal(seen->key.status, 201);
    assert_str(seen->key.operation, "adjust");
    assert_str(seen->key.key, "key-2");
    assert_str(seen->key.location, "/v1/here");
    assert_str(seen->key.answer, "{ \"odd\" : [1,\t2] }\n");
    assert_memory_equal(seen->key.fingerprint, fingerprint, 32);
    assert_int_equal(r->ops->key(r, 1, see_key, seen), ERR_OK);
    assert_str(seen->key.location, NULL);
    assert_int_equal(r->ops->key(r, 3, see_key, seen), ERR_NOT_FOUND);
    assert_int_equal(r->ops->key(r, 0, see_key, seen), ERR_NOT_FOUND);
    assert_int_equal(r->ops->key(r, UINT64_MAX, see_key, seen), ERR_NOT_FOUND);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void old_records_are_purged_from_the_oldest_on(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    static char keys[20][8];
    for (int i = 0; i < 20; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key-%d", i + 1);
        scene_key(&s, "reserve", keys[i], 201, "{}");
    }
    scene_must_commit(&s);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    for (uint64_t to = 0; to <= 18; to += 6) {
        s.purge_keys_to = to;
        scene_must_commit(&s);
        seen_clear(seen);
        assert_int_equal(r->ops->oldest_keys(r, 100, see_key, seen), ERR_OK);
        assert_int_equal(seen->len, 20 - to);
        assert_int_equal(seen->seqs[0], to + 1);
        assert_str(seen->key.answer, NULL);
        assert_int_equal(r->ops->key(r, 20, see_key, seen), ERR_OK);
        assert_int_equal(r->ops->key(r, to, see_key, seen), ERR_NOT_FOUND);
    }
    scene_key(&s, "reserve", "after", 201, "{}");
    scene_must_commit(&s);
    seen_clear(seen);
    assert_int_equal(r->ops->oldest_keys(r, 2, see_key, seen), ERR_OK);
    assert_int_equal(seen->len, 2);
    assert_int_equal(seen->seqs[1], 20);
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void loading_rebuilds_the_ledger(void **state)
{
    struct contract *c = *state;
    struct scene s;
    begin_shop(&s, c);
    struct uuid closed = scene_reserve(&s, NULL, "a", 1, NULL, 0);
    struct uuid committed = scene_reserve(&s, "r", "a", 2, "b", 130);
    s.now_ms += 500;
    struct uuid held = scene_reserve(&s, "held", "b", 3, NULL, 0);
    scene_move(&s, COMMAND_RELEASE, closed);
    scene_move(&s, COMMAND_COMMIT, committed);
    scene_move_part(&s, COMMAND_FULFILL, committed, "b", 101);
    scene_must_commit(&s);

    struct scene t;
    scene_begin(&t, c->store);
    scene_assert_same_ledgers(s.ledger, t.ledger);
    assert_null(ledger_reservation(t.ledger, closed));
    const struct reservation *r = ledger_reservation(t.ledger, committed);
    assert_non_null(r);
    assert_int_equal(r->state, RESERVATION_COMMITTED);
    assert_str(r->reference, "r");
    assert_int_equal(r->lines_len, ledger_reservation(s.ledger, committed)->lines_len);
    int64_t fulfilled = 0;
    for (uint32_t n = 0; n < r->lines_len; n++) {
        fulfilled += r->lines[n].fulfilled;
    }
    assert_int_equal(fulfilled, 101);
    int64_t due_ms = 0;
    struct uuid due;
    assert_true(ledger_next_expiry(t.ledger, &due_ms, &due));
    assert_true(uuid_equal(due, held));
    assert_int_equal(due_ms, s.now_ms + 900 * 1000);
    assert_int_equal(t.head.time_ms, s.now_ms);

    scene_move(&t, COMMAND_FULFILL, committed);
    scene_receive(&t, "é", "w1", 1);
    scene_must_commit(&t);
    struct scene u;
    scene_begin(&u, c->store);
    scene_assert_same_ledgers(t.ledger, u.ledger);
    assert_int_equal(scene_commit(&t), ERR_FENCED);
    scene_end(&u);
    scene_end(&t);
    scene_end(&s);
}

static void loading_gives_every_record_however_old(void **state)
{
    struct contract *c = *state;
    struct scene s;
    begin_shop(&s, c);
    scene_key(&s, "reserve", "purged", 201, "{}");
    scene_key(&s, "reserve", "old", 201, "{}");
    scene_must_commit(&s);
    s.now_ms += 2 * IDEMPOTENCY_KEPT_MS;
    scene_key(&s, "commit", "new", 200, "{\"a\":1}");
    s.purge_keys_to = 1;
    scene_must_commit(&s);
    struct ledger *l = ledger_new();
    struct seen *seen = seen_new();
    struct store_key_sink sink = {.ctx = seen, .key = seen_add_key};
    assert_int_equal(store_load(c->store, l, &sink, NULL), ERR_OK);
    assert_int_equal(seen->len, 2);
    assert_string_equal(seen->text[0], "old");
    assert_string_equal(seen->text[1], "new");
    assert_int_equal(seen->key.row, 3);
    assert_int_equal(seen->key.fingerprint[3], 3);
    assert_str(seen->key.operation, "commit");
    assert_str(seen->key.answer, NULL);
    mem_free(seen);
    ledger_free(l);
    scene_end(&s);
}

static void a_batch_without_movements_is_stored_too(void **state)
{
    struct contract *c = *state;
    struct scene s;
    begin_shop(&s, c);
    s.now_ms += 5;
    scene_key(&s, "reserve", "refused", 409, "{}");
    scene_must_commit(&s);
    struct store_head head = claimed(c->store);
    assert_int_equal(head.seq, 4);
    assert_int_equal(head.time_ms, s.now_ms);
    struct store_reader *r = reader(s.store);
    struct seen *seen = seen_new();
    assert_int_equal(r->ops->key(r, 1, see_key, seen), ERR_OK);
    assert_str(seen->key.key, "refused");
    mem_free(seen);
    store_reader_free(r);
    scene_end(&s);
}

static void assert_head(struct store_reader *r, uint64_t epoch, uint64_t seq, int64_t time_ms, uint64_t items)
{
    struct store_head head = {.epoch = 99, .seq = 99, .time_ms = 99, .items = 99};
    assert_int_equal(r->ops->head(r, &head), ERR_OK);
    assert_int_equal(head.epoch, epoch);
    assert_int_equal(head.seq, seq);
    assert_int_equal(head.time_ms, time_ms);
    assert_int_equal(head.items, items);
}

static void the_head_says_what_is_committed(void **state)
{
    struct contract *c = *state;
    struct store_reader *r = reader(c->store);
    assert_head(r, 0, 0, 0, 0);
    struct scene s;
    begin_shop(&s, c);
    assert_int_equal(s.head.items, 0);
    assert_head(r, 1, 4, s.now_ms, 4);
    scene_item(&s, "e", "Ee");
    assert_head(r, 1, 4, s.now_ms, 4);
    s.now_ms += 7;
    scene_must_commit(&s);
    assert_head(r, 1, 4, s.now_ms, 5);
    struct store_head again = claimed(c->store);
    assert_int_equal(again.items, 5);
    assert_int_equal(again.seq, 4);
    assert_head(r, 2, 4, s.now_ms, 5);
    store_reader_free(r);
    scene_end(&s);
}

/* What a walk of the catalogue gave, an item or a level a word: "sku=name@defined" and "sku:location*on hand#seq". */
struct walked {
    char text[2000];
    size_t len;
    size_t stop_after; /* calls; 0: never */
    size_t calls;
    uint32_t last_item;
};

static bool walked_more(struct walked *w, int written)
{
    w->len += (size_t)written;
    assert_true(w->len < sizeof(w->text));
    return ++w->calls != w->stop_after;
}

static bool walk_item(void *ctx, const struct item_row *row)
{
    struct walked *w = ctx;
    assert_true(row->item > w->last_item);
    w->last_item = row->item;
    assert_true(row->attributes.len >= 2);
    return walked_more(
        w,
        snprintf(
            w->text + w->len, sizeof(w->text) - w->len, "%.*s=%.*s@%lld ", STR_ARG(row->sku), STR_ARG(row->name),
            (long long)row->defined_ms));
}

static bool walk_level(void *ctx, const struct level_row *row)
{
    struct walked *w = ctx;
    assert_int_equal(row->item, w->last_item);
    assert_true(row->version > 0 && row->time_ms > 0);
    return walked_more(
        w,
        snprintf(
            w->text + w->len, sizeof(w->text) - w->len, "%.*s:%.*s*%lld#%llu ", STR_ARG(row->sku),
            STR_ARG(row->location_id), (long long)row->quantities.of[QUANTITY_ON_HAND], (unsigned long long)row->seq));
}

static void assert_page(
    struct store_reader *r, uint32_t after, uint32_t limit, size_t stop_after, level_fn level, const char *expected)
{
    struct walked w = {.stop_after = stop_after};
    assert_int_equal(r->ops->catalogue(r, after, limit, walk_item, level, &w), ERR_OK);
    assert_string_equal(w.text, expected);
}

static void the_catalogue_comes_in_pages_of_items_with_their_levels(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    int64_t defined_ms = s.now_ms;
    struct store_reader *r = reader(s.store);
    s.now_ms += 10;
    scene_item(&s, "a", "Another");
    scene_receive(&s, "b", "W3", 5); /* two that were stored before move on, in other batches than each other */
    scene_must_commit(&s);
    scene_transfer(&s, "b", "w2", "w1", 30);
    scene_must_commit(&s);
    char b[200];
    char a[200];
    char rest[200];
    char all[800];
    snprintf(b, sizeof(b), "b=Bee@%lld b:w2*40#6 b:w1*130#7 b:W3*55#5 ", (long long)defined_ms);
    snprintf(a, sizeof(a), "a=Another@%lld a:w1*100#1 ", (long long)defined_ms);
    snprintf(rest, sizeof(rest), "é=Accent@%lld B=Big bee@%lld ", (long long)defined_ms, (long long)defined_ms);
    snprintf(all, sizeof(all), "%s%s%s", b, a, rest);
    assert_page(r, 0, 100, 0, walk_level, all);
    assert_page(r, 0, 1, 0, walk_level, b);
    assert_page(r, 1, 1, 0, walk_level, a);
    assert_page(r, 2, 2, 0, walk_level, rest);
    assert_page(r, 4, 100, 0, walk_level, "");
    assert_page(r, UINT32_MAX, UINT32_MAX, 0, walk_level, "");
    snprintf(all, sizeof(all), "b=Bee@%lld a=Another@%lld ", (long long)defined_ms, (long long)defined_ms);
    assert_page(r, 0, 2, 0, NULL, all);
    assert_page(r, 0, 100, 2, NULL, all);
    snprintf(all, sizeof(all), "b=Bee@%lld b:w2*40#6 ", (long long)defined_ms);
    assert_page(r, 0, 100, 2, walk_level, all); /* stopped by the function for levels */
    snprintf(all, sizeof(all), "b=Bee@%lld ", (long long)defined_ms);
    assert_page(r, 0, 100, 1, walk_level, all);
    store_reader_free(r);
    scene_end(&s);
}

/* A reader beside the writer sees whole batches only: a transfer never changes the sum. */

struct watch {
    struct store *store;
    _Atomic bool over;
    _Atomic size_t rounds;
    size_t torn;
};

static bool add_on_hand(void *ctx, const struct level_row *row)
{
    *(int64_t *)ctx += row->quantities.of[QUANTITY_ON_HAND];
    return true;
}

static bool any_item(void *ctx, const struct item_row *row)
{
    (void)ctx;
    return row->item > 0;
}

static void *watch_levels(void *ctx)
{
    struct watch *watch = ctx;
    struct store_reader *r = reader(watch->store);
    while (!watch->over) {
        int64_t sum = 0;
        if (r->ops->levels(r, STR("b"), add_on_hand, &sum) != ERR_OK || sum != 220) {
            watch->torn++;
        }
        int64_t whole = 0;
        if (r->ops->catalogue(r, 0, 10, any_item, add_on_hand, &whole) != ERR_OK || whole != 320) {
            watch->torn++;
        }
        watch->rounds++;
    }
    store_reader_free(r);
    return NULL;
}

static void a_reader_never_sees_half_a_batch(void **state)
{
    struct scene s;
    begin_shop(&s, *state);
    struct watch watch = {.store = s.store};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, watch_levels, &watch), 0);
    for (int i = 0; i < 400 || watch.rounds < 100; i++) {
        scene_transfer(&s, "b", i % 2 == 0 ? "w1" : "w2", i % 2 == 0 ? "w2" : "w1", 50);
        scene_transfer(&s, "b", "W3", "w1", 1);
        scene_transfer(&s, "b", "w1", "W3", 1);
        scene_must_commit(&s);
    }
    watch.over = true;
    pthread_join(thread, NULL);
    assert_int_equal(watch.torn, 0);
    assert_true(watch.rounds > 0);
    scene_end(&s);
}

static const struct {
    const char *name;
    CMUnitTestFunction fn;
} rows[] = {
#define ROW(fn) \
    {           \
#fn, fn \
    }
    ROW(claim_raises_the_epoch_each_time),
    ROW(a_row_is_read_back_as_it_was_written),
    ROW(a_deposed_writer_cannot_commit),
    ROW(a_commit_that_does_not_continue_the_stored_seq_is_fenced),
    ROW(items_are_listed_by_the_bytes_of_their_sku),
    ROW(a_new_definition_replaces_name_attributes_and_priority),
    ROW(levels_of_an_item_come_by_location),
    ROW(a_level_is_what_its_last_movement_left),
    ROW(a_reservation_is_followed_through_its_states),
    ROW(a_reservation_can_be_made_and_closed_in_one_batch),
    ROW(reservations_are_found_by_state_and_reference),
    ROW(movements_are_found_by_item_and_location),
    ROW(an_idempotency_record_holds_the_very_bytes),
    ROW(old_records_are_purged_from_the_oldest_on),
    ROW(loading_rebuilds_the_ledger),
    ROW(loading_gives_every_record_however_old),
    ROW(a_batch_without_movements_is_stored_too),
    ROW(the_head_says_what_is_committed),
    ROW(the_catalogue_comes_in_pages_of_items_with_their_levels),
    ROW(a_reader_never_sees_half_a_batch),
#undef ROW
};

int contract_run(const char *group, CMFixtureFunction setup, CMFixtureFunction teardown)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = (struct CMUnitTest){rows[i].name, rows[i].fn, setup, teardown, NULL};
    }
    return _cmocka_run_group_tests(group, tests, ARRAY_LEN(tests), NULL, NULL);
}
