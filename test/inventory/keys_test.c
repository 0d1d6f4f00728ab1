/* The sequencer as a step object: idempotency keys, what is kept for them and when they are forgotten. */
#include "bench.h"
#include "test.h"

#define DAY_MS (24LL * 3600 * 1000)

static void the_same_key_gets_the_same_answer(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct ask *first = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    run(b, ask_reserve("a", 1, 60));
    struct ask *again = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    assert_string_equal(ask_answer(again), ask_answer(first));
    assert_true(again->r.replayed);
    assert_false(first->r.replayed);
    assert_string_equal(ask_answer(run(b, ask_keyed(ask_reserve("a", 2, 60), "k", "two"))), "idempotency_key_reused");
    /* The same key for another operation is another key. */
    struct ask *other = run(b, ask_keyed(ask_on(COMMAND_COMMIT, first->id), "k", "three"));
    assert_string_equal(ask_answer(other), "ok committed 4");
    assert_int_equal(ledger_seq(sequencer_ledger(b->s)), 4);
    bench_free(b);
}

static void a_refusal_is_kept_for_its_key_too(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 1);
    struct ask *refused = run(b, ask_keyed(ask_reserve("a", 2, 60), "k", "one"));
    run(b, ask_receive("a", "main", 5));
    struct ask *again = run(b, ask_keyed(ask_reserve("a", 2, 60), "k", "one"));
    assert_string_equal(ask_answer(refused), "insufficient_stock 1");
    assert_string_equal(ask_answer(again), "insufficient_stock 1");
    assert_int_equal(again->r.status, refused->r.status);
    bench_free(b);
}

static void a_key_that_is_being_decided_is_in_flight(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct ask *first = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct ask *open = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    sequencer_flush(b->s);
    struct ask *committing = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    assert_string_equal(ask_answer(open), "idempotency_key_in_flight");
    assert_string_equal(ask_answer(committing), "idempotency_key_in_flight");
    settle(b);
    assert_string_equal(ask_answer(first), "ok held 2");
    bench_free(b);
}

static void keys_are_remembered_across_a_restart(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct ask *first = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    bench_close(b);
    bench_open(b, 1000);
    struct ask *again = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    assert_string_equal(ask_answer(again), ask_answer(first));
    struct ask *next = run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"));
    assert_string_equal(ask_answer(next), "ok held 3");
    bench_free(b);
}

/* Two keys with one hash: the row that was found is compared, and the request goes on as new. */
static void another_key_under_the_same_hash_is_another_key(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct ask *again = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct lookup *l = hold_back(b);
    lookup_run(l, b->reader);
    l->key.key = STR("other");
    sequencer_looked_up(b->s, l);
    settle(b);
    assert_string_equal(ask_answer(again), "ok held 3");
    bench_free(b);
}

/* The hash covers the operation too, so the row may be the same key of another one. */
static void the_key_of_another_operation_under_the_same_hash_is_another_key(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct ask *again = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct lookup *l = hold_back(b);
    lookup_run(l, b->reader);
    l->key.operation = STR("receive");
    sequencer_looked_up(b->s, l);
    settle(b);
    assert_string_equal(ask_answer(again), "ok held 3");
    assert_false(again->r.replayed);
    bench_free(b);
}

static void keys_under_one_hash_are_compared_from_the_oldest_on(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct ask *answers[2];
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        answers[i] = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
        struct lookup *first = hold_back(b);
        assert_int_equal(first->row, 1);
        lookup_run(first, b->reader);
        first->key.key = STR("other");
        sequencer_looked_up(b->s, first);
        settle(b);
    }
    assert_string_equal(ask_answer(answers[0]), "ok held 3");
    assert_string_equal(ask_answer(answers[1]), "ok held 3");
    assert_false(answers[0]->r.replayed);
    assert_true(answers[1]->r.replayed);
    bench_free(b);
}

static void the_location_is_kept_with_the_answer(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct ask *first = ask_keyed(ask_reserve("a", 1, 60), "k", "one");
    strcpy(first->r.location, "/v1/reservations/1");
    run(b, first);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"));
    struct ask *without = ask_keyed(ask_reserve("a", 1, 60), "k2", "one");
    strcpy(without->r.location, "stale");
    assert_string_equal(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.location, "/v1/reservations/1");
    assert_string_equal(run(b, without)->r.location, "");
    bench_free(b);
}

static void a_key_that_is_purged_while_it_is_looked_up_is_new(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct ask *again = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    struct lookup *l = hold_back(b);
    pass(b, DAY_MS);
    read_lookups(b);
    commit(b);
    lookup_run(l, b->reader);
    assert_int_equal(l->err, ERR_NOT_FOUND);
    sequencer_looked_up(b->s, l);
    settle(b);
    assert_false(again->r.replayed);
    assert_string_equal(ask_answer(again), "ok held 4");
    bench_free(b);
}

/* Only what is known is decided: a key that cannot be read might have an answer. */
static void a_request_whose_key_or_reservation_cannot_be_read_is_not_decided(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    struct uuid id = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->id;
    run(b, ask_on(COMMAND_RELEASE, id));
    struct ask *keyed = give(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    answer_failed(b, hold_back(b));
    struct ask *first = give(b, ask_on(COMMAND_COMMIT, id));
    struct ask *second = give(b, ask_on(COMMAND_COMMIT, id));
    answer_failed(b, hold_back(b));
    assert_string_equal(ask_answer(keyed), "internal");
    assert_string_equal(ask_answer(first), "internal");
    assert_string_equal(ask_answer(second), "internal");
    assert_true(sequencer_is_idle(b->s));
    assert_string_equal(ask_answer(run(b, ask_on(COMMAND_COMMIT, id))), "wrong_state released 3");
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.replayed);
    bench_free(b);
}

static void a_purge_is_not_begun_again_before_it_is_durable(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_receive("a", "main", 1), "k1", "one"));
    pass(b, 10);
    run(b, ask_keyed(ask_receive("a", "main", 1), "k2", "one"));
    pass(b, DAY_MS - 10);
    uint64_t made = b->lookups_made;
    read_lookups(b); /* the first key leaves, and the second is due soon after */
    pass(b, 10);
    assert_int_equal(b->lookups_made, made);
    sequencer_flush(b->s);
    assert_int_equal(b->batch->purge_keys_to, 1);
    pass(b, 1);
    assert_int_equal(b->lookups_made, made);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    pass(b, 1);
    assert_int_equal(b->lookups_made, made + 1);
    read_lookups(b);
    sequencer_flush(b->s);
    assert_int_equal(b->batch->purge_keys_to, 2);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    bench_free(b);
}

static void a_purge_that_could_not_read_is_begun_again(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    struct inventory_metrics metrics;
    stock_up(b, 10);
    run(b, ask_keyed(ask_receive("a", "main", 1), "k", "one"));
    pass(b, DAY_MS);
    answer_failed(b, hold_back(b));
    assert_true(sequencer_is_idle(b->s));
    sequencer_metrics(b->s, &metrics);
    assert_int_equal(metrics.keys, 1);
    pass(b, 1);
    settle(b);
    sequencer_metrics(b->s, &metrics);
    assert_int_equal(metrics.keys, 0);
    bench_free(b);
}

static void keys_are_forgotten_after_a_day(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    pass(b, DAY_MS - 1);
    settle(b);
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.replayed);
    pass(b, 1);
    settle(b);
    struct ask *anew = run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    assert_false(anew->r.replayed);
    assert_int_equal(anew->r.err, ERR_OK);
    struct inventory_metrics metrics;
    sequencer_metrics(b->s, &metrics);
    assert_int_equal(metrics.keys, 1);
    bench_free(b);
}

/* A stop may come before old keys are purged: their rows are there at the next start. */
static void keys_that_were_not_purged_before_a_restart_are_purged_after_it(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    b->now_ms += DAY_MS + 1;
    sequencer_tick(b->s, b->now_ms); /* the hold is over; the purge begins with a look at the oldest keys */
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    read_lookups(b);
    bench_close(b);
    bench_open(b, 1000);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"));
    sequencer_tick(b->s, b->now_ms);
    settle(b);
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"))->r.replayed);
    assert_false(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.replayed);
    struct inventory_metrics metrics;
    sequencer_metrics(b->s, &metrics);
    assert_int_equal(metrics.keys, 2);
    bench_free(b);
}

static void only_the_newest_keys_are_kept(void **state)
{
    (void)state;
    struct bench *b = bench_new(3);
    static const char *const KEYS[] = {"k1", "k2", "k3", "k4", "k5"};
    stock_up(b, 10);
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        run(b, ask_keyed(ask_reserve("a", 1, 60), KEYS[i], "one"));
        sequencer_tick(b->s, b->now_ms);
        settle(b);
    }
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k3", "one"))->r.replayed);
    assert_false(run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"))->r.replayed);
    bench_close(b);
    bench_open(b, 3);
    sequencer_tick(b->s, b->now_ms);
    settle(b);
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"))->r.replayed);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_key_gets_the_same_answer),
        cmocka_unit_test(a_refusal_is_kept_for_its_key_too),
        cmocka_unit_test(a_key_that_is_being_decided_is_in_flight),
        cmocka_unit_test(keys_are_remembered_across_a_restart),
        cmocka_unit_test(another_key_under_the_same_hash_is_another_key),
        cmocka_unit_test(the_key_of_another_operation_under_the_same_hash_is_another_key),
        cmocka_unit_test(keys_under_one_hash_are_compared_from_the_oldest_on),
        cmocka_unit_test(the_location_is_kept_with_the_answer),
        cmocka_unit_test(a_key_that_is_purged_while_it_is_looked_up_is_new),
        cmocka_unit_test(a_request_whose_key_or_reservation_cannot_be_read_is_not_decided),
        cmocka_unit_test(a_purge_is_not_begun_again_before_it_is_durable),
        cmocka_unit_test(a_purge_that_could_not_read_is_begun_again),
        cmocka_unit_test(keys_are_forgotten_after_a_day),
        cmocka_unit_test(keys_that_were_not_purged_before_a_restart_are_purged_after_it),
        cmocka_unit_test(only_the_newest_keys_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
