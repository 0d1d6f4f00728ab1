/* The sequencer as a step object: the test is the store thread, the query thread and the clock. */
#include "ask.h"
#include "base/mem.h"
#include "inventory/sequencer.h"
#include "store/memory/memory.h"
#include "test.h"

#define ASKS_MAX 64
#define DAY_MS (24LL * 3600 * 1000)

struct bench {
    struct store *store;
    struct store_reader *reader;
    struct sequencer *s;
    int64_t now_ms;
    const struct batch *batch; /* handed over for commit */
    struct lookup *lookups;    /* handed over for reading, newest first */
    uint64_t lookups_made;
    struct ask *asks[ASKS_MAX];
    struct ask *holds[BATCH_MOVEMENTS_MAX];
    size_t asks_len;
    size_t published;
    struct level_row last_level;
    uint64_t done_when_published;
};

static void io_commit(void *ctx, const struct batch *batch)
{
    struct bench *b = ctx;
    assert_null(b->batch);
    b->batch = batch;
}

static void io_lookup(void *ctx, struct lookup *l)
{
    struct bench *b = ctx;
    l->next = b->lookups;
    b->lookups = l;
    b->lookups_made++;
}

static void io_publish(void *ctx, struct bus_message *m)
{
    struct bench *b = ctx;
    b->published++;
    b->done_when_published = 0;
    for (size_t i = 0; i < b->asks_len; i++) {
        b->done_when_published += b->asks[i]->done_count;
    }
    if (m->levels_len > 0) {
        b->last_level = m->levels[m->levels_len - 1];
    }
}

static void bench_open(struct bench *b, uint64_t keys_max)
{
    struct err_note note;
    struct store_head head;
    assert_int_equal(store_claim(b->store, &head, &note), ERR_OK);
    assert_int_equal(store_reader_open(b->store, &b->reader, &note), ERR_OK);
    b->s = sequencer_new(&(struct sequencer_options){
        .idempotency_keys_max = keys_max,
        .random_seed = head.epoch, /* another life, other ids */
        .io = {.ctx = b, .commit = io_commit, .lookup = io_lookup, .publish = io_publish},
    });
    assert_int_equal(sequencer_load(b->s, b->store, &head, &note), ERR_OK);
    sequencer_tick(b->s, b->now_ms);
}

static struct bench *bench_new(uint64_t keys_max)
{
    struct bench *b = mem_new(sizeof(*b));
    b->store = store_memory_new(0);
    b->now_ms = 1000000;
    bench_open(b, keys_max);
    return b;
}

static void bench_close(struct bench *b)
{
    sequencer_free(b->s);
    store_reader_free(b->reader);
}

static void bench_free(struct bench *b)
{
    bench_close(b);
    store_free(b->store);
    for (size_t i = 0; i < b->asks_len; i++) {
        ask_free(b->asks[i]);
    }
    mem_free(b);
}

static struct ask *give(struct bench *b, struct ask *a)
{
    assert_true(b->asks_len < ASKS_MAX);
    b->asks[b->asks_len++] = a;
    assert_true(sequencer_has_room(b->s));
    sequencer_request(b->s, &a->r);
    return a;
}

/* The query thread's turn: answers all lookups, oldest first. */
static void read_lookups(struct bench *b)
{
    struct lookup *in_order = NULL;
    while (b->lookups != NULL) {
        struct lookup *l = b->lookups;
        b->lookups = l->next;
        l->next = in_order;
        in_order = l;
    }
    while (in_order != NULL) {
        struct lookup *l = in_order;
        in_order = l->next;
        lookup_run(l, b->reader);
        sequencer_looked_up(b->s, l);
    }
}

static enum sequencer_next commit_as(struct bench *b, enum err e)
{
    struct err_note note = {""};
    const struct batch *batch = b->batch;
    assert_non_null(batch);
    b->batch = NULL;
    if (e == ERR_OK) {
        assert_int_equal(store_commit(b->store, batch, &note), ERR_OK);
    }
    return sequencer_committed(b->s, e, 1);
}

static void settle(struct bench *b)
{
    for (int i = 0; i < 10; i++) {
        read_lookups(b);
        sequencer_flush(b->s);
        if (b->batch != NULL) {
            assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
        }
    }
    assert_true(sequencer_is_idle(b->s));
}

/* Decided and durable, while lookups are left unanswered. */
static void give_and_commit(struct bench *b, struct ask *a)
{
    give(b, a);
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
}

static struct ask *run(struct bench *b, struct ask *a)
{
    give(b, a);
    settle(b);
    return a;
}

static void stock_up(struct bench *b, int64_t units)
{
    run(b, ask_item("a"));
    run(b, ask_location("main"));
    run(b, ask_receive("a", "main", units));
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
    struct lookup *l = b->lookups;
    b->lookups = NULL;
    lookup_run(l, b->reader);
    l->key.key = STR("other");
    sequencer_looked_up(b->s, l);
    settle(b);
    assert_string_equal(ask_answer(again), "ok held 3");
    bench_free(b);
}

static void keys_are_forgotten_after_a_day(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 10);
    run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"));
    b->now_ms += DAY_MS - 1;
    sequencer_tick(b->s, b->now_ms);
    settle(b);
    assert_true(run(b, ask_keyed(ask_reserve("a", 1, 60), "k", "one"))->r.replayed);
    b->now_ms += 1;
    sequencer_tick(b->s, b->now_ms);
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
    struct lookup *fetch = b->lookups;
    b->lookups = NULL;
    give_and_commit(b, ask_keyed(ask_on(COMMAND_RETURN, open), "k", "two"));
    lookup_run(fetch, b->reader);
    sequencer_looked_up(b->s, fetch);
    struct lookup *key = b->lookups;
    b->lookups = NULL;
    give_and_commit(b, ask_receive("a", "main", 1));
    assert_null(ledger_reservation(sequencer_ledger(b->s), closed));
    lookup_run(key, b->reader);
    key->key.key = STR("other");
    sequencer_looked_up(b->s, key);
    settle(b);
    assert_string_equal(ask_answer(back), "ok returned 7");
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
    b->now_ms += 10000;
    sequencer_tick(b->s, b->now_ms);
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
    b->now_ms += 1000;
    sequencer_tick(b->s, b->now_ms);
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
    b->now_ms += DAY_MS + 1;
    sequencer_tick(b->s, b->now_ms);
    settle(b);
    give(b, ask_receive("a", "main", 1));
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_STORE_FULL), SEQUENCER_RELOAD);
    struct err_note note;
    assert_int_equal(sequencer_load(b->s, b->store, &(struct store_head){.epoch = 1}, &note), ERR_OK);
    b->now_ms += 1000;
    sequencer_tick(b->s, b->now_ms);
    give(b, ask_keyed(ask_reserve("a", 1, 60), "k2", "one"));
    sequencer_flush(b->s);
    assert_int_equal(b->batch->keys[0].row, 2);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
    bench_free(b);
}

static void an_unknown_outcome_stops_the_service(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 3);
    struct ask *sent = give(b, ask_reserve("a", 1, 60));
    sequencer_flush(b->s);
    struct ask *behind = give(b, ask_reserve("a", 1, 60));
    assert_int_equal(commit_as(b, ERR_IO), SEQUENCER_STOP);
    assert_string_equal(ask_answer(sent), "outcome_unknown");
    assert_string_equal(ask_answer(behind), "not_committed");
    bench_free(b);
}

static void a_deposed_owner_cannot_write(void **state)
{
    (void)state;
    struct bench *b = bench_new(1000);
    stock_up(b, 3);
    struct store_head head;
    struct err_note note;
    assert_int_equal(store_claim(b->store, &head, &note), ERR_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_answered_before_its_batch_is_durable),
        cmocka_unit_test(followers_are_told_after_the_answers_and_once_per_level),
        cmocka_unit_test(the_same_key_gets_the_same_answer),
        cmocka_unit_test(a_refusal_is_kept_for_its_key_too),
        cmocka_unit_test(a_key_that_is_being_decided_is_in_flight),
        cmocka_unit_test(keys_are_remembered_across_a_restart),
        cmocka_unit_test(another_key_under_the_same_hash_is_another_key),
        cmocka_unit_test(keys_are_forgotten_after_a_day),
        cmocka_unit_test(keys_that_were_not_purged_before_a_restart_are_purged_after_it),
        cmocka_unit_test(only_the_newest_keys_are_kept),
        cmocka_unit_test(a_closed_reservation_comes_back_for_a_return),
        cmocka_unit_test(a_reservation_that_was_only_looked_at_leaves_memory_again),
        cmocka_unit_test(a_reservation_is_fetched_again_when_it_left_memory_meanwhile),
        cmocka_unit_test(an_unknown_reservation_is_believed_only_after_a_look_in_the_store),
        cmocka_unit_test(holds_expire_by_themselves_and_not_early),
        cmocka_unit_test(many_holds_that_end_at_once_leave_room_for_requests),
        cmocka_unit_test(holds_expire_right_after_a_restart),
        cmocka_unit_test(a_full_store_undoes_what_was_decided_and_goes_on_later),
        cmocka_unit_test(rows_of_keys_go_on_after_a_reload_also_when_all_were_purged),
        cmocka_unit_test(an_unknown_outcome_stops_the_service),
        cmocka_unit_test(a_deposed_owner_cannot_write),
        cmocka_unit_test(a_full_pack_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
