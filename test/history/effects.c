#include "witness.h"

#include "memory.h"

#include <stdlib.h>

#define NS_PER_MS 1000000

/* What the check carries around. */
struct effects {
    struct ledger *l;
    struct history *h;
    struct report *report;
    uint64_t *first_of_key; /* by key: seq of the first movement that refers to it */
    struct hold **hold_of_id;
};

static uint32_t number_of(const struct effects *e, const struct op *op)
{
    return (uint32_t)(op - e->h->ops) + 1;
}

/* A movement that begins an effect of a key: the first line of a reservation, or any that is of none. */
static bool begins_effect(const struct movement *m)
{
    return m->reference != 0 && (m->kind != MOVEMENT_RESERVE || m->reservation == m->seq);
}

static void index_keys(struct effects *e)
{
    for (uint64_t seq = 1; seq <= e->l->last_seq; seq++) {
        const struct movement *m = ledger_movement(e->l, seq);
        if (m == NULL || !begins_effect(m)) {
            continue;
        }
        uint64_t *first = &e->first_of_key[m->reference];
        if (*first != 0) {
            report_add(
                e->report, "I3", "key %s has two effects: seq %lu and seq %lu", table_name(&e->h->keys, m->reference),
                *first, seq);
        } else {
            *first = seq;
        }
    }
}

static void own(struct effects *e, struct op *op, uint64_t first, uint64_t last)
{
    op->first_seq = first;
    op->last_seq = last;
    for (uint64_t seq = first; seq <= last; seq++) {
        struct movement *m = ledger_movement(e->l, seq);
        if (m != NULL) {
            m->owner = number_of(e, op);
        }
    }
}

/* The first movement of the effect, where the answer says that it is; NULL: reported. */
static struct movement *effect_at(struct effects *e, const struct op *op, uint64_t first)
{
    uint64_t found = e->first_of_key[op->key];
    if (found == 0) {
        report_add(e->report, "I6", "lost: %s was acknowledged and is not in the log", op_name(e->h, op));
        return NULL;
    }
    if (op->result == RESULT_OK && found != first) {
        report_add(
            e->report, "I8", "%s was answered with seq %lu, the log has it at %lu", op_name(e->h, op), op->seq, found);
    }
    return ledger_movement(e->l, found);
}

static void own_change(struct effects *e, struct op *op)
{
    const struct movement *m = effect_at(e, op, op->seq);
    if (m == NULL) {
        return;
    }
    enum movement_kind kind = op->kind == OP_RECEIVE ? MOVEMENT_RECEIVE : MOVEMENT_ADJUST;
    if (m->kind != kind || m->sku != op->lines[0].sku || m->delta.on_hand != op->lines[0].units) {
        report_add(e->report, "I6", "%s is in the log as another change, seq %lu", op_name(e->h, op), m->seq);
    }
    if (op->result == RESULT_OK && (m->version != op->version || !amounts_equal(op->after, e->l->state_at[m->seq]))) {
        report_add(e->report, "I8", "%s was told another level than seq %lu left behind", op_name(e->h, op), m->seq);
    }
    own(e, op, m->seq, m->seq);
}

static void compare_lines(struct effects *e, const struct op *op, const struct hold *hold)
{
    if (hold->last_seq - hold->first_seq + 1 != op->lines_len) {
        report_add(
            e->report, "I7", "%s is in the log in part: %lu of %u lines", op_name(e->h, op),
            hold->last_seq - hold->first_seq + 1, op->lines_len);
        return;
    }
    for (uint32_t i = 0; i < op->lines_len; i++) {
        const struct movement *m = ledger_movement(e->l, hold->first_seq + i);
        if (m->sku != op->lines[i].sku || m->delta.reserved != op->lines[i].units || m->reference != op->key) {
            report_add(e->report, "I6", "%s is in the log as another order, seq %lu", op_name(e->h, op), m->seq);
        }
    }
}

static void know_hold(struct effects *e, const struct op *op, struct hold *hold, int64_t at_ms)
{
    hold->ttl_ms = op->ttl_ms;
    hold->expires_ms = at_ms + op->ttl_ms;
    hold->made_by = number_of(e, op);
    if (op->result != RESULT_OK) {
        return;
    }
    if (op->expires_ms != hold->expires_ms) {
        report_add(
            e->report, "I5", "%s was told that the hold ends at %ld and not at %ld", op_name(e->h, op), op->expires_ms,
            hold->expires_ms);
    }
    if (e->hold_of_id[op->hold] != NULL) {
        report_add(e->report, "I4", "%s was told an id that is another reservation's", op_name(e->h, op));
    }
    e->hold_of_id[op->hold] = hold;
}

static void own_reservation(struct effects *e, struct op *op)
{
    const struct movement *m = effect_at(e, op, op->seq + 1 - op->lines_len);
    struct hold *hold = m == NULL ? NULL : ledger_hold(e->l, m->seq);
    if (hold == NULL) {
        if (m != NULL) {
            report_add(e->report, "I6", "%s is in the log as no reservation, seq %lu", op_name(e->h, op), m->seq);
        }
        return;
    }
    compare_lines(e, op, hold);
    know_hold(e, op, hold, m->at_ms);
    own(e, op, hold->first_seq, hold->last_seq);
}

static bool key_has_effect(const struct effects *e, const struct op *op)
{
    return e->first_of_key[op->key] != 0;
}

static bool is_effective(const struct effects *e, const struct op *op)
{
    return op->result == RESULT_OK || (op->result == RESULT_UNKNOWN && key_has_effect(e, op));
}

/* Receive, adjust, reserve: the log names their key. */
static void resolve_by_key(struct effects *e, struct op *op)
{
    if (!is_effective(e, op)) {
        if (op->result != RESULT_UNKNOWN && key_has_effect(e, op)) {
            report_add(
                e->report, "I7", "%s was refused, and the log has it at seq %lu", op_name(e->h, op),
                e->first_of_key[op->key]);
        }
    } else if (op->kind == OP_RESERVE) {
        own_reservation(e, op);
    } else {
        own_change(e, op);
    }
}

static enum hold_state end_of(const struct op *op)
{
    return op->kind == OP_COMMIT ? HOLD_COMMITTED : HOLD_RELEASED;
}

static struct hold *hold_of(const struct effects *e, const struct op *op)
{
    return op->hold == 0 ? NULL : e->hold_of_id[op->hold];
}

/*
 * The one who ended the hold: of those who were told the seq of its end (a repetition right after it is told the same)
 * and those who never got an answer, the one that began first. It leaves the most room to the others.
 */
static bool is_better_owner(const struct hold *hold, const struct op *op, const struct op *than)
{
    bool may_be = op->result == RESULT_UNKNOWN || (op->result == RESULT_OK && op->seq == hold->end_last);
    return may_be && (than == NULL || op->invoke_ns < than->invoke_ns);
}

static bool ends_holds(const struct op *op)
{
    return op->kind == OP_COMMIT || op->kind == OP_RELEASE;
}

static void own_ends(struct effects *e)
{
    struct op **owners = memory_new(e->h->holds.len + 1, sizeof(*owners));
    for (size_t i = 0; i < e->h->ops_len; i++) {
        struct op *op = &e->h->ops[i];
        const struct hold *hold = ends_holds(op) && op->repeats == 0 ? hold_of(e, op) : NULL;
        if (hold != NULL && hold->end_first != 0 && hold->state == end_of(op) &&
            is_better_owner(hold, op, owners[op->hold])) {
            owners[op->hold] = op;
        }
    }
    for (size_t id = 0; id <= e->h->holds.len; id++) {
        if (owners[id] != NULL) {
            own(e, owners[id], e->hold_of_id[id]->end_first, e->hold_of_id[id]->end_last);
        }
    }
    free(owners);
}

static void check_told_state(struct effects *e, const struct op *op)
{
    if (op->result == RESULT_OK && op->state != end_of(op)) {
        report_add(e->report, "I4", "%s was told the state %s", op_name(e->h, op), hold_state_name(op->state));
    }
}

/* An acknowledged end that has no movements of its own: the hold was ended so before. */
static void check_end(struct effects *e, const struct op *op)
{
    const struct hold *hold = hold_of(e, op);
    if (hold == NULL) {
        report_add(e->report, "I6", "lost: the reservation of %s is not in the log", op_name(e->h, op));
        return;
    }
    if (op->result != RESULT_OK) {
        return;
    }
    if (hold->state != end_of(op)) {
        report_add(
            e->report, "I6", "lost: %s was acknowledged, in the log the reservation is %s", op_name(e->h, op),
            hold_state_name(hold->state));
    } else if (op->seq < hold->end_last || op->seq > e->l->last_seq) {
        report_add(
            e->report, "I8", "%s was answered with seq %lu, the log has it at %lu", op_name(e->h, op), op->seq,
            hold->end_last);
    }
}

static bool same_shortfalls(const struct op *a, const struct op *b)
{
    bool same = a->lines_len == b->lines_len;
    for (uint32_t i = 0; same && i < a->lines_len; i++) {
        same = a->lines[i].sku == b->lines[i].sku && a->lines[i].available == b->lines[i].available;
    }
    return same;
}

static bool same_answer(const struct op *a, const struct op *b)
{
    return a->kind == b->kind && a->result == b->result && a->hold == b->hold && a->seq == b->seq &&
        a->version == b->version && amounts_equal(a->after, b->after) && a->expires_ms == b->expires_ms &&
        a->state == b->state && same_shortfalls(a, b);
}

/* The same key asked again: the same answer. */
static void check_repetition(struct effects *e, const struct op *op)
{
    const struct op *first = &e->h->ops[op->repeats - 1];
    if (op->result != RESULT_UNKNOWN && first->result != RESULT_UNKNOWN && !same_answer(first, op)) {
        report_add(e->report, "I3", "%s was answered otherwise than in line %u", op_name(e->h, op), first->text_line);
    }
}

static void check_owners(struct effects *e)
{
    for (uint64_t seq = 1; seq <= e->l->last_seq; seq++) {
        const struct movement *m = ledger_movement(e->l, seq);
        if (m != NULL && m->owner == 0 && m->kind != MOVEMENT_EXPIRE) {
            report_add(e->report, "I3", "seq %lu was asked for by no operation", seq);
        }
    }
}

/* By the server's own times: a hold is ended by its maker before it runs out, by the clock after it did, and soon. */
static void check_times(struct effects *e)
{
    const struct movement *last = ledger_movement(e->l, e->l->last_seq);
    int64_t late_ms = e->h->late_ns / NS_PER_MS;
    for (size_t i = 0; i < e->l->holds_len; i++) {
        const struct hold *hold = &e->l->holds[i];
        const struct movement *end = hold->end_first == 0 ? last : ledger_movement(e->l, hold->end_first);
        if (hold->ttl_ms < 0 || end == NULL) {
            continue;
        }
        int64_t over_ms = end->at_ms - hold->expires_ms;
        bool by_clock = hold->state == HOLD_EXPIRED;
        if (by_clock && over_ms < 0) {
            report_add(
                e->report, "I5", "reservation %lu expired %ld ms early, seq %lu", hold->first_seq, -over_ms,
                hold->end_first);
        } else if ((by_clock || hold->state == HOLD_HELD) && over_ms > late_ms) {
            report_add(e->report, "I5", "reservation %lu expired %ld ms late or never", hold->first_seq, over_ms);
        } else if (!by_clock && hold->state != HOLD_HELD && over_ms >= 0) {
            report_add(
                e->report, "I5", "reservation %lu was %s %ld ms after it ran out, seq %lu", hold->first_seq,
                hold_state_name(hold->state), over_ms, hold->end_first);
        }
    }
}

struct hold **effects_check(struct ledger *l, struct report *report)
{
    struct history *h = l->history;
    struct effects e = {.l = l, .h = h, .report = report};
    e.first_of_key = memory_new(h->keys.len + 1, sizeof(*e.first_of_key));
    e.hold_of_id = memory_new(h->holds.len + 1, sizeof(struct hold *));
    index_keys(&e);
    for (size_t i = 0; i < h->ops_len; i++) {
        struct op *op = &h->ops[i];
        if (op->repeats != 0) {
            check_repetition(&e, op);
        } else if (op->kind <= OP_RESERVE) {
            resolve_by_key(&e, op);
        }
    }
    own_ends(&e);
    for (size_t i = 0; i < h->ops_len; i++) {
        const struct op *op = &h->ops[i];
        if (!ends_holds(op) || op->repeats != 0) {
            continue;
        }
        check_told_state(&e, op);
        if (op->first_seq == 0) {
            check_end(&e, op);
        }
    }
    check_owners(&e);
    check_times(&e);
    free(e.first_of_key);
    return e.hold_of_id;
}

void witness_check(struct ledger *l, struct report *report)
{
    struct hold **holds = effects_check(l, report);
    order_check(l, holds, report);
    free(holds);
}
