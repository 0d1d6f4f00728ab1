/*
 * Real-time order. Every operation has a point: the seq of its last movement, or for a refusal or a read the seq after
 * which what it was told was true. Going through time, an operation's point may not be lower than that of any that
 * had returned when it began (its floor), nor higher than what began after it returned leaves room for (its ceiling).
 * Where several points are possible the lowest is taken, which leaves the most room to those that come later: so if
 * there are points for all, they are found.
 */
#include "witness.h"

#include "memory.h"

#include <stdlib.h>

#define NS_PER_MS 1000000

struct event {
    int64_t time_ns;
    uint32_t op; /* index */
    bool is_return;
};

struct order {
    struct ledger *l;
    struct history *h;
    struct hold *const *holds;
    struct report *report;
    struct event *events;
    size_t events_len;
    uint64_t *floors, *ceilings, *view_floors; /* by index of the op */
    uint64_t *views;                           /* by SKU: the newest movement that an availability showed */
    int64_t *seen_ns;                          /* by seq: when the first who knew of it had its answer */
    uint64_t floor;
};

static int event_compare(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    if (x->is_return != y->is_return) {
        return x->is_return ? 1 : -1;
    }
    return x->op < y->op ? -1 : 1;
}

static void gather_events(struct order *o)
{
    o->events = memory_new(o->h->ops_len * 2, sizeof(*o->events));
    for (uint32_t i = 0; i < o->h->ops_len; i++) {
        const struct op *op = &o->h->ops[i];
        if (op->repeats != 0) {
            continue;
        }
        o->events[o->events_len++] = (struct event){.time_ns = op->invoke_ns, .op = i};
        if (op->return_ns != TIME_NEVER) {
            o->events[o->events_len++] = (struct event){.time_ns = op->return_ns, .op = i, .is_return = true};
        }
    }
    qsort(o->events, o->events_len, sizeof(*o->events), event_compare);
}

static bool ends_holds(const struct op *op)
{
    return op->kind == OP_COMMIT || op->kind == OP_RELEASE;
}

/* The highest point that one which returned before this began can have. */
static uint64_t room_before(const struct order *o, const struct op *op)
{
    if (op->first_seq != 0) {
        return op->first_seq - 1;
    }
    return ends_holds(op) && op->result == RESULT_OK ? op->seq : o->l->last_seq;
}

static void find_ceilings(struct order *o)
{
    uint64_t room = o->l->last_seq;
    for (size_t i = o->events_len; i > 0; i--) {
        const struct event *e = &o->events[i - 1];
        uint64_t before = room_before(o, &o->h->ops[e->op]);
        if (e->is_return) {
            o->ceilings[e->op] = room;
        } else {
            room = before < room ? before : room;
        }
    }
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Was an order refused as it should be when `seq` was the last movement? */
static bool is_short_at(const struct order *o, const struct op *op, uint64_t seq)
{
    bool some = false;
    for (uint32_t i = 0; i < op->lines_len; i++) {
        const struct op_line *line = &op->lines[i];
        int64_t available = amounts_available(ledger_level(o->l, line->sku, seq));
        available = available < 0 ? 0 : available;
        bool is_short = available < line->units;
        if (is_short != (line->available >= 0) || (is_short && line->available != available)) {
            return false;
        }
        some = some || is_short;
    }
    return some;
}

static bool is_negative_at(const struct order *o, const struct op *op, uint64_t seq)
{
    int64_t on_hand = ledger_level(o->l, op->lines[0].sku, seq).on_hand;
    return on_hand == op->after.on_hand && on_hand + op->lines[0].units < 0;
}

static bool touches(const struct order *o, const struct op *op, uint64_t seq)
{
    const struct movement *m = ledger_movement(o->l, seq);
    for (uint32_t i = 0; m != NULL && i < op->lines_len; i++) {
        if (op->lines[i].sku == m->sku) {
            return true;
        }
    }
    return false;
}

/* The lowest point in the window at which the refusal was right. */
static uint64_t point_of_refusal(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    uint64_t low = o->floors[n];
    for (uint64_t seq = low; seq <= o->ceilings[n]; seq++) {
        if (seq != low && !touches(o, op, seq)) {
            continue;
        }
        if (op->result == RESULT_SHORT ? is_short_at(o, op, seq) : is_negative_at(o, op, seq)) {
            return seq;
        }
    }
    report_add(
        o->report, "I8", "%s was refused, and at no moment from seq %lu to %lu was it so", op_name(o->h, op), low,
        o->ceilings[n]);
    return low;
}

/* The first movement whose time is not before `at_ms`; one behind the last if there is none. */
static uint64_t first_seq_since(const struct order *o, int64_t at_ms)
{
    uint64_t low = 1;
    uint64_t high = o->l->last_seq + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct movement *m = ledger_movement(o->l, middle);
        if (m != NULL && m->at_ms >= at_ms) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* A commit or release that was refused; `low` to `high` is when the hold was in the state that it was told. */
static uint64_t point_of_state(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    const struct hold *hold = o->holds[op->hold];
    if (hold == NULL) {
        return o->floors[n]; /* reported with the effects */
    }
    uint64_t low = max_u64(o->floors[n], hold->end_last);
    uint64_t high = o->ceilings[n];
    enum hold_state told = op->result == RESULT_EXPIRED ? HOLD_EXPIRED : op->state;
    bool ended_so = hold->state == told && hold->state != HOLD_HELD;
    if (op->result == RESULT_EXPIRED && op->state == HOLD_HELD) {
        uint64_t ran_out = first_seq_since(o, hold->expires_ms) - 1;
        low = max_u64(max_u64(o->floors[n], hold->last_seq), ran_out);
        high = hold->end_first != 0 && hold->end_first <= high ? hold->end_first - 1 : high;
        ended_so = hold->state == HOLD_EXPIRED || hold->state == HOLD_HELD;
    }
    if (!ended_so || (op->result == RESULT_STATE && told == (op->kind == OP_COMMIT ? HOLD_COMMITTED : HOLD_RELEASED))) {
        report_add(
            o->report, "I4", "%s was refused for a state that reservation %lu never had", op_name(o->h, op),
            hold->first_seq);
        return o->floors[n];
    }
    if (low > high) {
        report_add(
            o->report, "I8", "%s was told a state that reservation %lu had at another time", op_name(o->h, op),
            hold->first_seq);
        return o->floors[n];
    }
    return low;
}

static uint64_t point_of_level(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    uint32_t sku = op->lines[0].sku;
    uint64_t since = ledger_seq_of(o->l, sku, op->version);
    if (since == UINT64_MAX || since > o->ceilings[n]) {
        report_add(o->report, "I8", "%s saw the future: version %lu", op_name(o->h, op), op->version);
        return o->floors[n];
    }
    if (ledger_version(o->l, sku, o->floors[n]) > op->version) {
        report_add(
            o->report, "I8", "%s was stale: it saw version %lu, and %zu was known", op_name(o->h, op), op->version,
            ledger_version(o->l, sku, o->floors[n]));
        return o->floors[n];
    }
    if (!amounts_equal(op->after, ledger_level(o->l, sku, since))) {
        report_add(o->report, "I8", "%s saw what version %lu never was", op_name(o->h, op), op->version);
    }
    return max_u64(o->floors[n], since);
}

/* An availability may lag behind, but not behind what was asked for, and it never goes back. */
static uint64_t point_of_availability(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    uint32_t sku = op->lines[0].sku;
    uint64_t since = ledger_seq_of(o->l, sku, op->version);
    if (since == UINT64_MAX || since > o->ceilings[n]) {
        report_add(o->report, "I8", "%s saw the future: version %lu", op_name(o->h, op), op->version);
        return 0;
    }
    if (ledger_version(o->l, sku, op->min_seq) > op->version) {
        report_add(
            o->report, "I8", "%s was stale: it saw version %lu, and asked for seq %lu", op_name(o->h, op), op->version,
            op->min_seq);
    } else if (since < o->view_floors[n]) {
        report_add(o->report, "I9", "%s went back to version %lu", op_name(o->h, op), op->version);
    }
    int64_t available = amounts_available(ledger_level(o->l, sku, since));
    if (since != op->seq || op->after.on_hand != (available < 0 ? 0 : available)) {
        report_add(o->report, "I8", "%s saw what version %lu never was", op_name(o->h, op), op->version);
    }
    o->views[sku] = max_u64(o->views[sku], since);
    return since;
}

/* Committed again, released again: nothing happened, after the seq that it was told. */
static uint64_t point_of_repeated_end(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    const struct hold *hold = o->holds[op->hold];
    if (hold == NULL || hold->state != (op->kind == OP_COMMIT ? HOLD_COMMITTED : HOLD_RELEASED)) {
        return o->floors[n]; /* lost: reported with the effects */
    }
    if (op->seq < o->floors[n] || op->seq > o->ceilings[n]) {
        report_add(
            o->report, "I8", "%s was answered with seq %lu, which was not the last then", op_name(o->h, op), op->seq);
        return o->floors[n];
    }
    return op->seq;
}

static uint64_t point_of(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    if (op->first_seq != 0) {
        return op->last_seq;
    }
    switch (op->result) {
    case RESULT_NEGATIVE:
    case RESULT_SHORT:
        return point_of_refusal(o, n);
    case RESULT_EXPIRED:
    case RESULT_STATE:
        return point_of_state(o, n);
    default:
        break;
    }
    switch (op->kind) {
    case OP_LEVEL:
        return point_of_level(o, n);
    case OP_AVAILABILITY:
        return point_of_availability(o, n);
    case OP_COMMIT:
    case OP_RELEASE:
        return point_of_repeated_end(o, n);
    default:
        return o->floors[n]; /* lost: reported with the effects */
    }
}

static void invoked(struct order *o, uint32_t n)
{
    const struct op *op = &o->h->ops[n];
    o->floors[n] = o->floor;
    o->view_floors[n] = op->kind == OP_AVAILABILITY ? o->views[op->lines[0].sku] : 0;
    if (op->first_seq != 0 && op->first_seq <= o->floor) {
        report_add(
            o->report, "I8", "%s has seq %lu, and before it began one with seq %lu had returned", op_name(o->h, op),
            op->first_seq, o->floor);
    }
}

static void returned(struct order *o, uint32_t n)
{
    uint64_t point = point_of(o, n);
    int64_t return_ns = o->h->ops[n].return_ns;
    if (point <= o->l->last_seq && (o->seen_ns[point] == 0 || return_ns < o->seen_ns[point])) {
        o->seen_ns[point] = return_ns;
    }
    o->floor = max_u64(o->floor, point);
}

/* When the first who knew of a seq or of a later one had its answer: then it had surely happened. */
static void spread_seen(struct order *o)
{
    int64_t first_ns = INT64_MAX;
    for (uint64_t seq = o->l->last_seq + 1; seq > 0; seq--) {
        int64_t *seen_ns = &o->seen_ns[seq - 1];
        first_ns = *seen_ns != 0 && *seen_ns < first_ns ? *seen_ns : first_ns;
        *seen_ns = first_ns;
    }
}

/* By the clients' clock: nobody may see a hold expire before its time, nor end one long after. */
static void check_times(struct order *o)
{
    for (size_t i = 0; i < o->l->holds_len; i++) {
        const struct hold *hold = &o->l->holds[i];
        const struct op *maker = hold->made_by == 0 ? NULL : &o->h->ops[hold->made_by - 1];
        const struct movement *end = hold->end_first == 0 ? NULL : ledger_movement(o->l, hold->end_first);
        if (maker == NULL || end == NULL) {
            continue;
        }
        int64_t ttl_ns = maker->ttl_ms * NS_PER_MS;
        if (hold->state == HOLD_EXPIRED) {
            if (o->seen_ns[hold->end_first] < maker->invoke_ns + ttl_ns - o->h->slack_ns) {
                report_add(
                    o->report, "I5", "reservation %lu was seen expired before its time, made by %s", hold->first_seq,
                    op_name(o->h, maker));
            }
            continue;
        }
        const struct op *ender = end->owner == 0 ? NULL : &o->h->ops[end->owner - 1];
        if (ender != NULL && maker->return_ns != TIME_NEVER &&
            ender->invoke_ns > maker->return_ns + ttl_ns + o->h->slack_ns) {
            report_add(o->report, "I5", "%s began after the hold had run out", op_name(o->h, ender));
        }
    }
}

void order_check(struct ledger *l, struct hold *const *holds, struct report *report)
{
    struct order o = {.l = l, .h = l->history, .holds = holds, .report = report};
    size_t ops_len = o.h->ops_len;
    o.floors = memory_new(ops_len, sizeof(*o.floors));
    o.ceilings = memory_new(ops_len, sizeof(*o.ceilings));
    o.view_floors = memory_new(ops_len, sizeof(*o.view_floors));
    o.views = memory_new(o.h->skus.len + 1, sizeof(*o.views));
    o.seen_ns = memory_new(l->last_seq + 1, sizeof(*o.seen_ns));
    gather_events(&o);
    find_ceilings(&o);
    for (size_t i = 0; i < o.events_len; i++) {
        const struct event *e = &o.events[i];
        (e->is_return ? returned : invoked)(&o, e->op);
    }
    spread_seen(&o);
    check_times(&o);
    free(o.events);
    free(o.floors);
    free(o.ceilings);
    free(o.view_floors);
    free(o.views);
    free(o.seen_ns);
}
