/*
 * Decides a number of commands and ends: what callgrind counts of it, less what it counts of fewer, is the cost of a
 * decision. Half of them reserve one unit of one of 10,000 items, half release the reservation again, 64 to a batch.
 */
#include "base/limits.h"
#include "base/random.h"
#include "core/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS 10000
#define BATCH 64
#define ON_HAND 1000

struct world {
    struct ledger *ledger;
    struct changes changes;
    struct uuid7 ids;
    struct random random;
    int64_t now_ms;
};

static void name_item(uint64_t i, char out[16])
{
    snprintf(out, 16, "item-%07u", (unsigned)(i % 10000000));
}

static void decide(struct world *w, const struct command *c)
{
    struct result result;
    enum outcome outcome = ledger_apply(w->ledger, c, w->now_ms, &w->changes, &result);
    check(outcome == OUTCOME_OK);
}

static void begin_batch(struct world *w)
{
    w->now_ms++;
    ledger_begin(w->ledger, &w->changes);
}

static void end_batch(struct world *w)
{
    ledger_seal(w->ledger, &w->changes);
    ledger_committed(w->ledger, &w->changes);
}

static void stock(struct world *w)
{
    begin_batch(w);
    decide(w, &(struct command){.kind = COMMAND_DEFINE_LOCATION, .location = STR("leeds"), .name = STR("Leeds")});
    end_batch(w);
    for (unsigned i = 0; i < ITEMS; i++) {
        char sku[16];
        name_item(i, sku);
        struct command_line line = {.sku = str_from(sku), .location = STR("leeds"), .quantity = ON_HAND};
        begin_batch(w);
        decide(w, &(struct command){.kind = COMMAND_DEFINE_ITEM, .sku = str_from(sku), .name = str_from(sku)});
        decide(w, &(struct command){.kind = COMMAND_RECEIVE, .lines = &line, .lines_len = 1});
        end_batch(w);
    }
}

static void sell(struct world *w)
{
    struct uuid made[BATCH / 2];
    begin_batch(w);
    for (unsigned i = 0; i < BATCH / 2; i++) {
        char sku[16];
        name_item(random_below(&w->random, ITEMS), sku);
        struct command_line line = {.sku = str_from(sku), .quantity = 1};
        made[i] = uuid7_next(&w->ids, w->now_ms);
        decide(
            w,
            &(struct command){
                .kind = COMMAND_RESERVE, .id = made[i], .ttl_s = TTL_S_DEFAULT, .lines = &line, .lines_len = 1});
    }
    end_batch(w);
    begin_batch(w);
    for (unsigned i = 0; i < BATCH / 2; i++) {
        decide(w, &(struct command){.kind = COMMAND_RELEASE, .id = made[i]});
    }
    end_batch(w);
}

int main(int argc, char **argv)
{
    long count = argc == 2 ? atol(argv[1]) : 0;
    check(count >= 0 && count % BATCH == 0);
    struct world w = {.ledger = ledger_new(), .now_ms = 1000000};
    uuid7_init(&w.ids, 1);
    random_init(&w.random, 1);
    stock(&w);
    for (long done = 0; done < count; done += BATCH) {
        sell(&w);
    }
    changes_release(&w.changes);
    ledger_free(w.ledger);
    return 0;
}
