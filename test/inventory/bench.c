#include "bench.h"

#include "base/mem.h"
#include "test.h"

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

void bench_open(struct bench *b, uint64_t keys_max)
{
    struct err_note note;
    struct store_head head;
    assert_int_equal(store_claim(b->store, "", &head, &note), ERR_OK);
    assert_int_equal(store_reader_open(b->store, &b->reader, &note), ERR_OK);
    b->s = sequencer_new(&(struct sequencer_options){
        .idempotency_keys_max = keys_max,
        .random_seed = head.epoch, /* another life, other ids */
        .io = {.ctx = b, .commit = io_commit, .lookup = io_lookup, .publish = io_publish},
    });
    assert_int_equal(sequencer_load(b->s, b->store, &head, &note), ERR_OK);
    sequencer_tick(b->s, b->now_ms);
}

struct bench *bench_new(uint64_t keys_max)
{
    struct bench *b = mem_new(sizeof(*b));
    b->store = store_memory_new(0);
    b->now_ms = 1000000;
    bench_open(b, keys_max);
    return b;
}

void bench_close(struct bench *b)
{
    sequencer_free(b->s);
    store_reader_free(b->reader);
}

void bench_free(struct bench *b)
{
    bench_close(b);
    store_free(b->store);
    for (size_t i = 0; i < b->asks_len; i++) {
        ask_free(b->asks[i]);
    }
    mem_free(b);
}

struct ask *give(struct bench *b, struct ask *a)
{
    assert_true(b->asks_len < ASKS_MAX);
    b->asks[b->asks_len++] = a;
    assert_true(sequencer_has_room(b->s));
    sequencer_request(b->s, &a->r);
    return a;
}

void read_lookups(struct bench *b)
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

struct lookup *hold_back(struct bench *b)
{
    struct lookup *l = b->lookups;
    assert_non_null(l);
    b->lookups = l->next;
    return l;
}

void answer(struct bench *b, struct lookup *l)
{
    lookup_run(l, b->reader);
    sequencer_looked_up(b->s, l);
}

void answer_failed(struct bench *b, struct lookup *l)
{
    l->err = ERR_IO;
    sequencer_looked_up(b->s, l);
}

enum sequencer_next commit_as(struct bench *b, enum err e)
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

void settle(struct bench *b)
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

void commit(struct bench *b)
{
    sequencer_flush(b->s);
    assert_int_equal(commit_as(b, ERR_OK), SEQUENCER_GO_ON);
}

void give_and_commit(struct bench *b, struct ask *a)
{
    give(b, a);
    commit(b);
}

void pass(struct bench *b, int64_t ms)
{
    b->now_ms += ms;
    sequencer_tick(b->s, b->now_ms);
}

struct ask *run(struct bench *b, struct ask *a)
{
    give(b, a);
    settle(b);
    return a;
}

void stock_up(struct bench *b, int64_t units)
{
    run(b, ask_item("a"));
    run(b, ask_location("main"));
    run(b, ask_receive("a", "main", units));
}
