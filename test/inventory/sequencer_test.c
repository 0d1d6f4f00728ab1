/* The sequencer as a step object: packs, reservations that are away, expiry and failures of the store. */
#include "bench.h"
#include "test.h"

#define DAY_MS (24LL * 3600 * 1000)

/* Ids that differ in their last bit alone have one hash here (see meson.build): real ones cannot be made to. */
uint64_t __real_uuid_hash(struct uuid id);
uint64_t __wrap_uuid_hash(struct uuid id);

uint64_t __wrap_uuid_hash(struct uuid id)
{
    id.bytes[15] &= 0xfe;
    return __real_uuid_hash(id);
}

static void nothing_is_answered_before_its_batch_is_durable(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct ask *first = give(b, ask_reserve("a", 1, 60));
    sequencer_flush(b->s);
    assert_non_null(b->batch);
    struct ask *second = give(b, ask_reserve("a", 2, 60));
    struct ask *refused = give(b, ask_reserve("a", 99, 60));
    sequencer_flush(b->s);
    assert_int_equal(first->done_count + second->done_count + refused->done_count, 0);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    assert_string_equal(ask_answer(first), "ok held 2");
    assert_int_equal(second->done_count + refused->done_count, 0);
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    assert_string_equal(ask_answer(second), "ok held 3");
    assert_string_equal(ask_answer(refused), "insufficient_stock 3");
    bench_free(b);
}

static void followers_are_told_after_the_answers_and_once_per_level(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    size_t published = b->published;
    give(b, ask_reserve("a", 1, 60));
    give(b, ask_reserve("a", 2, 60));
    settle(b);
    assert_int_equal(b->published, published + 1);
    assert_int_equal(b->done_when_published, b->asks_len);
    assert_int_equal(b->last_level.quantities.of[QUANTITY_RESERVED], 3);
    assert_int_equal(b->last_level.version, 3);
    assert_int_equal(b->last_level.seq, 3);
    bench_free(b);
}

static void a_closed_reservation_comes_back_for_a_return(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid id = run(b, ask_reserve("a", 4, 60))->id;
    run(b, ask_on(COMMAND_COMMIT, id));
    run(b, ask_on(COMMAND_FULFILL, id));
    assert_null(ledger_reservation(sequencer_ledger(b->s), id));
    uint64_t before = b->lookups_made;
    struct ask *repeat = give(b, ask_on(COMMAND_FULFILL, id));
    struct ask *back = give(b, ask_on(COMMAND_RETURN, id));
    struct ask *again = give(b, ask_on(COMMAND_RETURN, id));
    assert_int_equal(b->lookups_made, before + 1);
    settle(b);
    assert_string_equal(ask_answer(repeat), "unchanged fulfilled 4");
    assert_string_equal(ask_answer(back), "ok returned 5");
    assert_string_equal(ask_answer(again), "unchanged returned 5");
    assert_null(ledger_reservation(sequencer_ledger(b->s), id));
    bench_free(b);
}

static void a_reservation_that_was_only_looked_at_leaves_memory_again(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid id = run(b, ask_reserve("a", 4, 60))->id;
    run(b, ask_on(COMMAND_RELEASE, id));
    assert_string_equal(ask_answer(run(b, ask_on(COMMAND_COMMIT, id))), "wrong_state released 3");
    assert_int_equal(ledger_counts(sequencer_ledger(b->s)).in_memory, 0);
    bench_free(b);
}

/* It came back, left memory again while the request looked at a key with the same hash, and comes back once more. */
static void a_reservation_is_fetched_again_when_it_left_memory_meanwhile(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid open = run(b, ask_reserve("a", 1, 60))->id;
    struct uuid closed = run(b, ask_reserve("a", 4, 60))->id;
    run(b, ask_on(COMMAND_COMMIT, closed));
    run(b, ask_on(COMMAND_FULFILL, closed));
    struct ask *back = give(b, ask_keyed(ask_on(COMMAND_RETURN, closed), "k", "one"));
    struct lookup *fetch = hold_back(b);
    give_and_commit(b, ask_keyed(ask_on(COMMAND_RETURN, open), "k", "two"));
    answer(b, fetch);
    struct lookup *key = hold_back(b);
    give_and_commit(b, ask_receive("a", "main", 1));
    assert_null(ledger_reservation(sequencer_ledger(b->s), closed));
    lookup_run(key, b->reader);
    key->key.key = STR("other");
    sequencer_looked_up(b->s, key);
    settle(b);
    assert_string_equal(ask_answer(back), "ok returned 7");
    bench_free(b);
}

/* The lookup of one does not answer for the other. */
static void reservations_with_the_same_hash_are_looked_up_apart(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid id = run(b, ask_reserve("a", 4, 60))->id;
    run(b, ask_on(COMMAND_RELEASE, id));
    struct uuid twin = id;
    twin.bytes[15] ^= 1;
    assert_int_equal(uuid_hash(id), uuid_hash(twin));
    uint64_t made = b->lookups_made;
    struct ask *known = give(b, ask_on(COMMAND_RELEASE, id));
    struct ask *unknown = give(b, ask_on(COMMAND_RELEASE, twin));
    assert_int_equal(b->lookups_made, made + 2);
    settle(b);
    assert_string_equal(ask_answer(known), "unchanged released 3");
    assert_string_equal(ask_answer(unknown), "unknown_reservation 3");
    bench_free(b);
}

/* Ids follow from the seed and the time, so that a second life with both the same knows them beforehand. */
static void a_reservation_that_was_made_while_it_was_looked_for_is_there_once(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid id = run(b, ask_reserve("a", 1, 60))->id;
    bench_free(b);
    b = bench_new(1000);
    stock_up(b, 10);
    struct ask *early = give(b, ask_on(COMMAND_COMMIT, id));
    struct lookup *l = hold_back(b);
    struct ask *reserve = ask_reserve("a", 1, 60);
    give_and_commit(b, reserve);
    assert_true(uuid_equal(reserve->id, id));
    answer(b, l);
    settle(b);
    assert_string_equal(ask_answer(early), "ok committed 3");
    assert_int_equal(ledger_counts(sequencer_ledger(b->s)).in_memory, 1);
    bench_free(b);
}

static void a_reservation_comes_back_with_its_reference_whether_empty_or_absent(void **state)
{
    (void)state;
    const struct str references[] = {STR("order 7"), STR(""), STR_NONE};
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        struct ask *a = ask_reserve("a", 1, 60);
        a->r.command.reference = references[i];
        struct uuid id = run(b, a)->id;
        run(b, ask_on(COMMAND_RELEASE, id));
        assert_null(ledger_reservation(sequencer_ledger(b->s), id));
        give(b, ask_on(COMMAND_RELEASE, id));
        read_lookups(b);
        struct str back = ledger_reservation(sequencer_ledger(b->s), id)->reference;
        assert_int_equal(str_is_absent(back), str_is_absent(references[i]));
        assert_true(str_is_absent(back) || str_equal(back, references[i]));
        settle(b);
    }
    bench_free(b);
}

static void an_unknown_reservation_is_believed_only_after_a_look_in_the_store(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    struct ask *a = give(b, ask_on(COMMAND_COMMIT, (struct uuid){.bytes = {9}}));
    sequencer_flush(b->s);
    assert_int_equal(a->done_count, 0);
    settle(b);
    assert_string_equal(ask_answer(a), "unknown_reservation 0");
    bench_free(b);
}

static void holds_expire_by_themselves_and_not_early(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 1);
    struct uuid id = run(b, ask_reserve("a", 1, 10))->id;
    assert_int_equal(sequencer_next_wake_ms(b->s), b->now_ms + 10000);
    sequencer_tick(b->s, b->now_ms + 9999);
    settle(b);
    assert_string_equal(ask_answer(run(b, ask_reserve("a", 1, 10))), "insufficient_stock 2");
    sequencer_tick(b->s, b->now_ms + 10003);
    settle(b);
    assert_string_equal(ask_answer(run(b, ask_on(COMMAND_COMMIT, id))), "hold_expired expired 3");
    assert_string_equal(ask_answer(run(b, ask_reserve("a", 1, 10))), "ok held 4");
    struct inventory_metrics metrics;
    sequencer_metrics(b->s, &metrics);
    assert_int_equal(metrics.expiry_lag_ms.count, 1);
    assert_int_equal(metrics.expiry_lag_ms.sum, 3);
    bench_free(b);
}

static void many_holds_that_end_at_once_leave_room_for_requests(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, BATCH_MOVEMENTS_MAX);
    for (size_t i = 0; i < BATCH_MOVEMENTS_MAX; i++) {
        struct ask *a = ask_reserve("a", 1, 10);
        sequencer_request(b->s, &a->r);
        if (i % 1000 == 999 || i + 1 == BATCH_MOVEMENTS_MAX) {
            settle(b);
        }
        b->holds[i] = a;
    }
    pass(b, 10000);
    assert_true(sequencer_has_room(b->s));
    assert_true(sequencer_next_wake_ms(b->s) > b->now_ms);
    struct ask *between = give(b, ask_receive("a", "main", 1));
    sequencer_flush(b->s);
    sequencer_tick(b->s, b->now_ms);
    settle(b);
    assert_int_equal(between->r.err, ERR_OK);
    assert_int_equal(ledger_counts(sequencer_ledger(b->s)).held, 0);
    for (size_t i = 0; i < BATCH_MOVEMENTS_MAX; i++) {
        ask_free(b->holds[i]);
    }
    bench_free(b);
}

static void holds_expire_right_after_a_restart(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 1);
    struct uuid id = run(b, ask_reserve("a", 1, 10))->id;
    bench_close(b);
    b->now_ms += 20000;
    bench_open(b, 1000);
    settle(b);
    assert_string_equal(ask_answer(run(b, ask_on(COMMAND_COMMIT, id))), "hold_expired expired 3");
    bench_free(b);
}

static void a_full_store_undoes_what_was_decided_and_goes_on_later(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 3);
    struct ask *sent = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    sequencer_flush(b->s);
    struct ask *behind = give(b, ask_reserve("a", 1, 60));
    assert_int_equal(commit_as(b, ERR_STORE_FULL), SEQUENCER_RELOAD);
    assert_string_equal(ask_answer(sent), "not_committed");
    assert_string_equal(ask_answer(behind), "not_committed");
    struct store_head head = {.epoch = 1};
    struct err_note note;
    assert_int_equal(sequencer_load(b->s, b->store, &head, &note), ERR_OK);
    assert_string_equal(ask_answer(run(b, ask_reserve("a", 1, 60))), "not_committed");
    pass(b, 1000);
    assert_string_equal(ask_answer(run(b, ask_keyed(ask_reserve("a", 3, 60), "k", "two"))), "ok held 2");
    bench_free(b);
}

/* Requests may still compare keys by the rows that were there before. */
static void rows_of_keys_go_on_after_a_reload_also_when_all_were_purged(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    pass(b, DAY_MS + 1);
    settle(b);
    give(b, ask_receive("a", "main", 1));
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_STORE_FULL), SEQUENCER_RELOAD);
    struct err_note note;
    assert_int_equal(sequencer_load(b->s, b->store, &(struct store_head){.epoch = 1}, &note), ERR_OK);
    pass(b, 1000);
    give(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"));
    sequencer_flush(b->s);
    assert_int_equal(b->batch->keys[0].row, 2);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    bench_free(b);
}

static void an_unknown_outcome_stops_the_service(void **state)
{
    (void)state;
    static const enum err unknown[] = {ERR_IO, ERR_DEPOSED};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        struct bench *b = bench_new(1000);
        stock_up(b, 3);
        struct ask *sent = give(b, ask_reserve("a", 1, 60));
        sequencer_flush(b->s);
        struct ask *behind = give(b, ask_reserve("a", 1, 60));
        assert_int_equal(commit_as(b, unknown[i]), SEQUENCER_STOP);
        assert_string_equal(ask_answer(sent), "outcome_unknown");
        assert_string_equal(ask_answer(behind), "not_committed");
        bench_free(b);
    }
}

static void a_deposed_owner_cannot_write(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 3);
    struct store_head head;
    struct err_note note;
    assert_int_equal(store_claim(b->store, "", &head, &note), ERR_OK);
    struct ask *a = give(b, ask_reserve("a", 1, 60));
    sequencer_flush(b->s);
    enum err e = store_commit(b->store, b->batch, &note);
    assert_int_equal(e, ERR_FENCED);
    assert_int_equal(commit_as(b, e), SEQUENCER_STOP);
    assert_string_equal(ask_answer(a), "not_committed");
    bench_free(b);
}

static void a_full_pack_takes_no_more(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    static struct ask *many[BATCH_REQUESTS_MAX];
    for (size_t i = 0; i < BATCH_REQUESTS_MAX; i++) {
        assert_true(sequencer_has_room(b->s));
        many[i] = ask_receive("a", "main", 1);
        sequencer_request(b->s, &many[i]->r);
    }
    assert_false(sequencer_has_room(b->s));
    settle(b);
    assert_true(sequencer_has_room(b->s));
    for (size_t i = 0; i < BATCH_REQUESTS_MAX; i++) {
        assert_int_equal(many[i]->done_count, 1);
        ask_free(many[i]);
    }
    bench_free(b);
}

static void a_pack_full_of_movements_takes_no_more(void **state)
{
    (void)state;
    enum { PLACES = 16, ASKS = BATCH_MOVEMENTS_MAX / PLACES };
    struct bench *b = bench_new(1000);
    static const char *const IDS[PLACES] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7",
                                            "p8", "p9", "pa", "pb", "pc", "pd", "pe", "pf"};
    struct command_line lines[PLACES];
    run(b, ask_item("a"));
    for (size_t i = 0; i < PLACES; i++) {
        run(b, ask_location(IDS[i]));
        lines[i] = (struct command_line){.sku = STR("a"), .location = str_from(IDS[i]), .quantity = 1};
    }
    for (size_t i = 0; i < ASKS; i++) {
        assert_true(sequencer_has_room(b->s));
        b->holds[i] = ask_receive("a", "p0", 1);
        b->holds[i]->r.command.lines = lines;
        b->holds[i]->r.command.lines_len = PLACES;
        sequencer_request(b->s, &b->holds[i]->r);
    }
    assert_false(sequencer_has_room(b->s));
    settle(b);
    assert_true(sequencer_has_room(b->s));
    assert_int_equal(ledger_seq(sequencer_ledger(b->s)), BATCH_MOVEMENTS_MAX);
    for (size_t i = 0; i < ASKS; i++) {
        assert_int_equal(b->holds[i]->r.err, ERR_OK);
        ask_free(b->holds[i]);
    }
    bench_free(b);
}

static void no_more_requests_wait_on_lookups_than_a_queue_holds(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    for (size_t i = 0; i < REQUEST_QUEUE_MAX; i++) {
        assert_true(sequencer_has_room(b->s));
        b->holds[i] = ask_on(COMMAND_COMMIT, (struct uuid){.bytes = {9}});
        sequencer_request(b->s, &b->holds[i]->r);
    }
    assert_false(sequencer_has_room(b->s));
    assert_false(sequencer_is_idle(b->s));
    settle(b);
    assert_true(sequencer_has_room(b->s));
    for (size_t i = 0; i < REQUEST_QUEUE_MAX; i++) {
        assert_string_equal(ask_answer(b->holds[i]), "unknown_reservation 0");
        ask_free(b->holds[i]);
    }
    bench_free(b);
}

static enum err load_fails(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    (void)s, (void)l, (void)keys, (void)note;
    return ERR_IO;
}

static void a_load_that_failed_can_be_tried_again(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    const struct store_ops *ops = b->store->ops;
    struct store_ops failing = *ops;
    failing.load = load_fails;
    struct err_note note;
    b->store->ops = &failing;
    assert_int_equal(sequencer_load(b->s, b->store, &(struct store_head){.epoch = 1}, &note), ERR_IO);
    b->store->ops = ops;
    assert_int_equal(sequencer_load(b->s, b->store, &(struct store_head){.epoch = 1}, &note), ERR_OK);
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.replayed);
    assert_string_equal(ask_answer(run(b, ask_reserve("a", 9, 60))), "ok held 3");
    bench_free(b);
}

static void it_is_idle_when_nothing_is_packed_committing_or_looked_up(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    assert_true(sequencer_is_idle(b->s));
    give(b, ask_receive("a", "main", 1));
    assert_false(sequencer_is_idle(b->s));
    sequencer_flush(b->s);
    assert_false(sequencer_is_idle(b->s));
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    assert_true(sequencer_is_idle(b->s));
    give(b, ask_on(COMMAND_COMMIT, (struct uuid){.bytes = {9}}));
    assert_false(sequencer_is_idle(b->s));
    settle(b);
    bench_free(b);
    sequencer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_answered_before_its_batch_is_durable),
        cmocka_unit_test(followers_are_told_after_the_answers_and_once_per_level),
        cmocka_unit_test(a_closed_reservation_comes_back_for_a_return),
        cmocka_unit_test(a_reservation_that_was_only_looked_at_leaves_memory_again),
        cmocka_unit_test(a_reservation_is_fetched_again_when_it_left_memory_meanwhile),
        cmocka_unit_test(reservations_with_the_same_hash_are_looked_up_apart),
        cmocka_unit_test(a_reservation_that_was_made_while_it_was_looked_for_is_there_once),
        cmocka_unit_test(a_reservation_comes_back_with_its_reference_whether_empty_or_absent),
        cmocka_unit_test(an_unknown_reservation_is_believed_only_after_a_look_in_the_store),
        cmocka_unit_test(holds_expire_by_themselves_and_not_early),
        cmocka_unit_test(many_holds_that_end_at_once_leave_room_for_requests),
        cmocka_unit_test(holds_expire_right_after_a_restart),
        cmocka_unit_test(a_full_store_undoes_what_was_decided_and_goes_on_later),
        cmocka_unit_test(rows_of_keys_go_on_after_a_reload_also_when_all_were_purged),
        cmocka_unit_test(an_unknown_outcome_stops_the_service),
        cmocka_unit_test(a_deposed_owner_cannot_write),
        cmocka_unit_test(a_full_pack_takes_no_more),
        cmocka_unit_test(a_pack_full_of_movements_takes_no_more),
        cmocka_unit_test(no_more_requests_wait_on_lookups_than_a_queue_holds),
        cmocka_unit_test(a_load_that_failed_can_be_tried_again),
        cmocka_unit_test(it_is_idle_when_nothing_is_packed_committing_or_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
