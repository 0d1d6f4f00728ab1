#include "ledger.h"

#include "memory.h"

#include <stdlib.h>

int64_t amounts_available(struct amounts a)
{
    return a.on_hand - a.reserved - a.committed;
}

bool amounts_equal(struct amounts a, struct amounts b)
{
    return a.on_hand == b.on_hand && a.reserved == b.reserved && a.committed == b.committed;
}

static struct amounts amounts_sum(struct amounts a, struct amounts b)
{
    return (struct amounts){a.on_hand + b.on_hand, a.reserved + b.reserved, a.committed + b.committed};
}

struct movement *ledger_movement(const struct ledger *l, uint64_t seq)
{
    uint32_t number = seq > l->last_seq ? 0 : l->movement_at[seq];
    return number == 0 ? NULL : &l->history->movements[number - 1];
}

struct hold *ledger_hold(const struct ledger *l, uint64_t first_seq)
{
    uint32_t number = first_seq > l->last_seq ? 0 : l->hold_at[first_seq];
    return number == 0 ? NULL : &l->holds[number - 1];
}

size_t ledger_version(const struct ledger *l, uint32_t sku, uint64_t seq)
{
    const struct track *t = &l->tracks[sku];
    size_t low = 0;
    size_t high = t->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->seqs[middle] <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct amounts ledger_level(const struct ledger *l, uint32_t sku, uint64_t seq)
{
    size_t version = ledger_version(l, sku, seq);
    return version == 0 ? (struct amounts){0} : l->state_at[l->tracks[sku].seqs[version - 1]];
}

uint64_t ledger_seq_of(const struct ledger *l, uint32_t sku, uint64_t version)
{
    const struct track *t = &l->tracks[sku];
    if (version > t->len) {
        return UINT64_MAX;
    }
    return version == 0 ? 0 : t->seqs[version - 1];
}

static void index_movements(struct ledger *l, struct report *report)
{
    struct history *h = l->history;
    for (size_t i = 0; i < h->movements_len; i++) {
        const struct movement *m = &h->movements[i];
        if (l->movement_at[m->seq] != 0) {
            report_add(report, "I9", "seq %lu is in the log twice, line %u", m->seq, m->text_line);
        }
        l->movement_at[m->seq] = (uint32_t)i + 1;
    }
    for (uint64_t seq = 1; seq <= l->last_seq; seq++) {
        if (l->movement_at[seq] == 0) {
            report_add(report, "I9", "the log has a gap: there is no seq %lu", seq);
        }
    }
}

/* What a movement of this kind may do to a level. */
static bool delta_is_of_kind(const struct movement *m)
{
    const struct amounts d = m->delta;
    switch (m->kind) {
    case MOVEMENT_RECEIVE:
        return d.on_hand > 0 && d.reserved == 0 && d.committed == 0;
    case MOVEMENT_ADJUST:
        return d.on_hand != 0 && d.reserved == 0 && d.committed == 0;
    case MOVEMENT_RESERVE:
        return d.on_hand == 0 && d.reserved > 0 && d.committed == 0;
    case MOVEMENT_COMMIT:
        return d.on_hand == 0 && d.reserved < 0 && d.committed == -d.reserved;
    case MOVEMENT_RELEASE:
    case MOVEMENT_EXPIRE:
        return d.on_hand == 0 && d.reserved < 0 && d.committed == 0;
    default:
        return true;
    }
}

static void replay_level(struct ledger *l, struct report *report, const struct movement *m)
{
    struct track *t = &l->tracks[m->sku];
    const char *sku = table_name(&l->history->skus, m->sku);
    struct amounts before = t->len == 0 ? (struct amounts){0} : l->state_at[t->seqs[t->len - 1]];
    struct amounts after = amounts_sum(before, m->delta);
    memory_grow((void **)&t->seqs, &t->cap, t->len + 1, sizeof(*t->seqs));
    t->seqs[t->len++] = m->seq;
    l->state_at[m->seq] = after;
    if (m->version != t->len) {
        report_add(report, "I9", "seq %lu is version %lu of %s and not %zu", m->seq, m->version, sku, t->len);
    }
    if (!amounts_equal(after, m->after)) {
        report_add(
            report, "I2", "seq %lu leaves %ld/%ld/%ld of %s behind by its differences, and says %ld/%ld/%ld", m->seq,
            after.on_hand, after.reserved, after.committed, sku, m->after.on_hand, m->after.reserved,
            m->after.committed);
    }
    if (!delta_is_of_kind(m) || after.on_hand < 0 || after.reserved < 0 || after.committed < 0) {
        report_add(report, "I2", "seq %lu of %s: no such change, or a quantity below zero", m->seq, sku);
    }
    if (m->kind == MOVEMENT_RESERVE && amounts_available(after) < 0) {
        report_add(
            report, "I1", "seq %lu promises %ld units of %s that are not there", m->seq, -amounts_available(after),
            sku);
    }
}

/* A line of a hold, by the movement that made it. */
static const struct movement *hold_line(const struct ledger *l, const struct hold *hold, uint64_t n)
{
    return ledger_movement(l, hold->first_seq + n);
}

static void hold_begin(struct ledger *l, uint64_t seq)
{
    memory_grow((void **)&l->holds, &l->holds_cap, l->holds_len + 1, sizeof(*l->holds));
    l->holds[l->holds_len++] = (struct hold){.first_seq = seq, .last_seq = seq, .state = HOLD_HELD, .ttl_ms = -1};
    l->hold_at[seq] = (uint32_t)l->holds_len;
}

static void replay_reserve(struct ledger *l, struct report *report, const struct movement *m)
{
    struct hold *hold = ledger_hold(l, m->reservation);
    if (m->reservation == m->seq) {
        hold_begin(l, m->seq);
    } else if (hold != NULL && hold->last_seq + 1 == m->seq && hold->end_first == 0) {
        hold->last_seq = m->seq;
    } else {
        report_add(report, "I7", "seq %lu is a line of reservation %lu, apart from it", m->seq, m->reservation);
    }
}

static enum hold_state end_of_kind(enum movement_kind kind)
{
    static const enum hold_state ends[] = {
        [MOVEMENT_COMMIT] = HOLD_COMMITTED, [MOVEMENT_RELEASE] = HOLD_RELEASED, [MOVEMENT_EXPIRE] = HOLD_EXPIRED};
    return ends[kind];
}

static uint64_t hold_lines(const struct hold *hold)
{
    return hold->last_seq - hold->first_seq + 1;
}

/* Is this movement the next line of the end of the hold? */
static bool end_goes_on(const struct hold *hold, const struct movement *m)
{
    return hold->end_first != 0 && hold->state == end_of_kind(m->kind) && m->seq == hold->end_last + 1 &&
        m->seq - hold->end_first < hold_lines(hold);
}

static void replay_end(struct ledger *l, struct report *report, const struct movement *m)
{
    struct hold *hold = ledger_hold(l, m->reservation);
    if (hold == NULL) {
        report_add(report, "I4", "seq %lu ends reservation %lu, which is none", m->seq, m->reservation);
        return;
    }
    if (hold->end_first == 0) {
        hold->end_first = m->seq;
        hold->state = end_of_kind(m->kind);
    } else if (!end_goes_on(hold, m)) {
        report_add(
            report, "I4", "seq %lu ends reservation %lu again, which is %s since seq %lu", m->seq, m->reservation,
            hold_state_name(hold->state), hold->end_first);
        return;
    }
    hold->end_last = m->seq;
    const struct movement *line = hold_line(l, hold, m->seq - hold->end_first);
    if (line != NULL && (line->sku != m->sku || line->delta.reserved != -m->delta.reserved)) {
        report_add(report, "I4", "seq %lu gives back something else than seq %lu took", m->seq, line->seq);
    }
}

static void replay_movement(struct ledger *l, struct report *report, const struct movement *m)
{
    replay_level(l, report, m);
    switch (m->kind) {
    case MOVEMENT_RESERVE:
        replay_reserve(l, report, m);
        break;
    case MOVEMENT_COMMIT:
    case MOVEMENT_RELEASE:
    case MOVEMENT_EXPIRE:
        replay_end(l, report, m);
        break;
    default:
        break;
    }
}

static void replay(struct ledger *l, struct report *report)
{
    int64_t at_ms = INT64_MIN;
    for (uint64_t seq = 1; seq <= l->last_seq; seq++) {
        const struct movement *m = ledger_movement(l, seq);
        if (m == NULL) {
            continue;
        }
        if (m->at_ms < at_ms) {
            report_add(report, "I19", "seq %lu is older than the one before it", seq);
        }
        at_ms = m->at_ms;
        replay_movement(l, report, m);
    }
    for (size_t i = 0; i < l->holds_len; i++) {
        const struct hold *hold = &l->holds[i];
        if (hold->end_first != 0 && hold->end_last - hold->end_first + 1 < hold_lines(hold)) {
            report_add(
                report, "I7", "reservation %lu is %s in part: %lu of %lu lines", hold->first_seq,
                hold_state_name(hold->state), hold->end_last - hold->end_first + 1, hold_lines(hold));
        }
    }
}

/* The levels as they were read when all was over are the fold of the log. */
static void compare_finals(struct ledger *l, struct report *report)
{
    const struct history *h = l->history;
    bool *seen = memory_new(h->skus.len + 1, sizeof(*seen));
    for (size_t i = 0; i < h->finals_len; i++) {
        const struct final *f = &h->finals[i];
        struct amounts folded = ledger_level(l, f->sku, l->last_seq);
        seen[f->sku] = true;
        if (f->version != l->tracks[f->sku].len || !amounts_equal(f->amounts, folded)) {
            report_add(
                report, "I2", "the last level of %s, line %u, is not what the log adds up to: %ld/%ld/%ld at %zu",
                table_name(&h->skus, f->sku), f->text_line, folded.on_hand, folded.reserved, folded.committed,
                l->tracks[f->sku].len);
        }
    }
    for (uint32_t sku = 1; sku <= h->skus.len; sku++) {
        if (!seen[sku] && l->tracks[sku].len > 0) {
            report_add(report, "I2", "%s has movements and no last level", table_name(&h->skus, sku));
        }
    }
    free(seen);
}

void ledger_init(struct ledger *l, struct history *h, struct report *report)
{
    *l = (struct ledger){.history = h};
    for (size_t i = 0; i < h->movements_len; i++) {
        l->last_seq = h->movements[i].seq > l->last_seq ? h->movements[i].seq : l->last_seq;
    }
    l->movement_at = memory_new(l->last_seq + 1, sizeof(*l->movement_at));
    l->state_at = memory_new(l->last_seq + 1, sizeof(*l->state_at));
    l->hold_at = memory_new(l->last_seq + 1, sizeof(*l->hold_at));
    l->tracks = memory_new(h->skus.len + 1, sizeof(*l->tracks));
    index_movements(l, report);
    replay(l, report);
    compare_finals(l, report);
}

void ledger_release(struct ledger *l)
{
    for (size_t sku = 0; sku <= l->history->skus.len; sku++) {
        free(l->tracks[sku].seqs);
    }
    free(l->tracks);
    free(l->hold_at);
    free(l->holds);
    free(l->state_at);
    free(l->movement_at);
}
