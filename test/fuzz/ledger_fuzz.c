/*
 * The ledger: bytes become commands, and after them the movements must fold to the levels, promises must be those of
 * the open reservations, and an order of "any" lines must succeed exactly when the locations together suffice.
 */
#include "../core/fold.h"
#include "fuzz.h"
#include "test.h"

#define ITEMS 3
#define LOCATIONS 3
#define ORDERS_MAX 32
#define COMMANDS_MAX 64
#define LINES_PER_COMMAND 4

struct world {
    struct ledger *ledger;
    struct changes changes;
    struct fold *fold;
    struct result result;
    struct command_line lines[LINES_PER_COMMAND];
    const uint8_t *at, *end;
    int64_t now_ms;
    uint8_t orders;
};

static const char *const SKUS[] = {"a", "b", "c", "unknown"};
static const char *const PLACES[] = {"l", "m", "n", "unknown"};

/* Past the end there are zeros. */
static unsigned take(struct world *w)
{
    return w->at < w->end ? *w->at++ : 0;
}

/* Known ones mostly. */
static struct str take_name(struct world *w, const char *const *names)
{
    unsigned byte = take(w);
    return str_from(byte == 255 ? names[3] : names[byte % 3]);
}

/* Mostly few, at times as many as a line can have. */
static int64_t take_quantity(struct world *w)
{
    unsigned byte = take(w);
    return byte >= 250 ? LINE_QUANTITY_MAX - (byte - 250) : 1 + byte % 16;
}

static enum outcome apply(struct world *w, const struct command *c)
{
    size_t from = w->changes.movements_len;
    uint64_t before = ledger_seq(w->ledger);
    enum outcome outcome = ledger_apply(w->ledger, c, w->now_ms, &w->changes, &w->result);
    fold_add(w->fold, &w->changes, from);
    check(ledger_seq(w->ledger) - before == w->changes.movements_len - from);
    check(outcome == OUTCOME_OK || ledger_seq(w->ledger) == before);
    check(outcome == w->result.outcome && w->result.seq == ledger_seq(w->ledger));
    return outcome;
}

static struct uuid order_id(unsigned n)
{
    return (struct uuid){.bytes = {[0] = 1, [15] = (uint8_t)n}};
}

static void take_lines(struct world *w, struct command *c, bool anywhere)
{
    c->lines = w->lines;
    c->lines_len = 1 + take(w) % LINES_PER_COMMAND;
    for (uint32_t i = 0; i < c->lines_len; i++) {
        w->lines[i] = (struct command_line){.sku = take_name(w, SKUS), .quantity = take_quantity(w)};
        if (!anywhere || take(w) % 4 == 0) {
            w->lines[i].location = take_name(w, PLACES);
        }
    }
}

struct supply {
    struct str sku;
    int64_t available;
};

static void add_supply(void *ctx, const struct level_row *row)
{
    struct supply *s = ctx;
    int64_t available = quantities_available(&row->quantities);
    s->available += str_equal(row->sku, s->sku) && available > 0 ? available : 0;
}

/* What an order of "any" lines must come to. */
static enum outcome expected(const struct world *w, const struct command *c)
{
    enum outcome outcome = OUTCOME_OK;
    for (uint32_t i = 0; i < c->lines_len; i++) {
        struct supply supply = {.sku = c->lines[i].sku};
        int64_t wanted = 0;
        if (str_equal(supply.sku, str_from(SKUS[ITEMS]))) {
            return OUTCOME_UNKNOWN_ITEM;
        }
        for (uint32_t n = 0; n < c->lines_len; n++) {
            wanted += str_equal(c->lines[n].sku, supply.sku) ? c->lines[n].quantity : 0;
        }
        ledger_each_level(w->ledger, add_supply, &supply);
        outcome = wanted <= supply.available ? outcome : OUTCOME_INSUFFICIENT_STOCK;
    }
    return outcome;
}

static void step_reserve(struct world *w)
{
    if (w->orders == ORDERS_MAX) {
        return;
    }
    struct command c = {.kind = COMMAND_RESERVE, .ttl_s = 1 + take(w) % 64, .id = order_id(w->orders)};
    bool any = take(w) % 2 == 0;
    take_lines(w, &c, true);
    for (uint32_t i = 0; any && i < c.lines_len; i++) {
        w->lines[i].location = STR_NONE;
    }
    enum outcome wanted = any ? expected(w, &c) : OUTCOME_COUNT;
    enum outcome outcome = apply(w, &c);
    check(!any || outcome == wanted);
    w->orders = (uint8_t)(w->orders + (outcome == OUTCOME_OK));
}

static void step_transition(struct world *w)
{
    static const enum command_kind kinds[] = {COMMAND_EXTEND, COMMAND_COMMIT,  COMMAND_RELEASE,
                                              COMMAND_CANCEL, COMMAND_FULFILL, COMMAND_RETURN};
    struct command c = {.kind = kinds[take(w) % ARRAY_LEN(kinds)], .ttl_s = 1 + take(w) % 64};
    unsigned last = w->orders > 0 ? w->orders - 1 : 0;
    c.id = order_id(last - take(w) % (last + 1));
    c.return_to = take(w) % 2 == 0 ? RETURN_RESTOCKED : RETURN_DAMAGED;
    if ((c.kind == COMMAND_FULFILL || c.kind == COMMAND_RETURN) && take(w) % 2 == 0) {
        take_lines(w, &c, true);
    }
    (void)apply(w, &c);
}

static enum quantity take_bucket(struct world *w)
{
    static const enum quantity buckets[] = {
        QUANTITY_ON_HAND, QUANTITY_DAMAGED, QUANTITY_QUALITY_CONTROL, QUANTITY_SAFETY_STOCK, QUANTITY_INCOMING};
    return buckets[take(w) % ARRAY_LEN(buckets)];
}

static void step_receive(struct world *w)
{
    struct command c = {.kind = COMMAND_RECEIVE};
    take_lines(w, &c, false);
    (void)apply(w, &c);
}

static void step_adjust(struct world *w)
{
    struct command c = {.kind = COMMAND_ADJUST, .reason = STR("fuzz")};
    take_lines(w, &c, false);
    for (uint32_t i = 0; i < c.lines_len; i++) {
        w->lines[i].bucket = take_bucket(w);
        w->lines[i].quantity *= take(w) % 2 == 0 ? -1 : 1;
    }
    (void)apply(w, &c);
}

static void step_transfer(struct world *w)
{
    unsigned from = take(w) % LOCATIONS;
    struct command c = {.kind = COMMAND_TRANSFER, .location = str_from(PLACES[from])};
    c.to = str_from(PLACES[(from + 1 + take(w) % (LOCATIONS - 1)) % LOCATIONS]);
    take_lines(w, &c, false);
    for (uint32_t i = 0; i < c.lines_len; i++) {
        w->lines[i].location = STR_NONE;
    }
    (void)apply(w, &c);
}

static void step_set(struct world *w)
{
    struct command c = {.kind = COMMAND_SET, .sku = take_name(w, SKUS), .location = take_name(w, PLACES)};
    enum quantity bucket = take_bucket(w);
    unsigned value = take(w);
    c.set_any_version = take(w) % 2 == 0;
    c.expected_version = take(w) % 4;
    c.set_given[bucket] = true;
    c.set.of[bucket] = value >= 250 ? QUANTITY_MAX - (value - 250) : value;
    (void)apply(w, &c);
}

static void expire_due(struct world *w)
{
    int64_t at_ms;
    struct command c = {.kind = COMMAND_EXPIRE};
    while (ledger_next_expiry(w->ledger, &at_ms, &c.id) && at_ms <= w->now_ms) {
        check(apply(w, &c) == OUTCOME_OK && w->result.reservation->expires_ms <= w->now_ms);
    }
}

static void commit_batch(struct world *w)
{
    ledger_seal(w->ledger, &w->changes);
    ledger_committed(w->ledger, &w->changes);
    ledger_begin(w->ledger, &w->changes);
}

static void check_world(const struct world *w)
{
    const struct reservation *open[ORDERS_MAX];
    size_t open_len = 0;
    for (unsigned i = 0; i < w->orders; i++) {
        const struct reservation *r = ledger_reservation(w->ledger, order_id(i));
        if (r != NULL) {
            open[open_len++] = r;
        }
    }
    fold_check_levels(w->fold, w->ledger);
    fold_check_promises(w->fold, open, open_len);
}

static void step(struct world *w)
{
    static void (*const steps[])(struct world * w) = {step_receive,    step_reserve, step_transition, step_reserve,
                                                      step_transition, step_adjust,  step_transfer,   step_set};
    unsigned what = take(w);
    w->now_ms += (what >> 5) * 1000;
    expire_due(w);
    steps[what % ARRAY_LEN(steps)](w);
    if ((what & 16) != 0) {
        check_world(w);
        commit_batch(w);
    }
}

static void define_all(struct world *w)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        struct command c = {.kind = COMMAND_DEFINE_ITEM, .sku = str_from(SKUS[i]), .name = STR("n")};
        check(apply(w, &c) == OUTCOME_OK);
    }
    for (unsigned i = 0; i < LOCATIONS; i++) {
        struct command c = {.kind = COMMAND_DEFINE_LOCATION, .location = str_from(PLACES[i]), .name = STR("n")};
        c.priority = take(w) % 3;
        check(apply(w, &c) == OUTCOME_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.at = data, .end = data + size, .now_ms = 1000000};
    w.ledger = ledger_new();
    w.fold = fold_new();
    changes_init(&w.changes);
    ledger_begin(w.ledger, &w.changes);
    define_all(&w);
    for (unsigned i = 0; i < COMMANDS_MAX && w.at < w.end; i++) {
        step(&w);
    }
    check_world(&w);
    changes_release(&w.changes);
    fold_free(w.fold);
    ledger_free(w.ledger);
    return 0;
}
