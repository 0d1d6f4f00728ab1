/* Folding the movements from zero: rebuilds every level, and every line of every reservation. */
#include "app/audit_state.h"
#include "base/mem.h"

#define BUCKET_MAX 1000000000000

static bool sums_to(int64_t before, int64_t delta, int64_t after)
{
    int64_t sum = 0;
    return !__builtin_add_overflow(before, delta, &sum) && sum == after;
}

static uint64_t place_hash(int64_t item, int64_t location)
{
    return ((uint64_t)item * 0x9e3779b97f4a7c15u) ^ ((uint64_t)location * 0xc2b2ae3d27d4eb4fu);
}

struct audit_level *audit_find_level(const struct audit *a, int64_t item, int64_t location)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&a->level_by_place, place_hash(item, location), &cursor);
    while (at != 0 && (a->levels[at - 1].item != item || a->levels[at - 1].location != location)) {
        at = map_next(&a->level_by_place, &cursor);
    }
    return at == 0 ? NULL : &a->levels[at - 1];
}

static struct audit_level *find_or_add_level(struct audit *a, int64_t item, int64_t location)
{
    struct audit_level *level = audit_find_level(a, item, location);
    if (level == NULL) {
        mem_grow((void **)&a->levels, &a->levels_cap, a->levels_len + 1, sizeof(*a->levels));
        level = &a->levels[a->levels_len++];
        *level = (struct audit_level){.item = item, .location = location};
        map_add(&a->level_by_place, place_hash(item, location), a->levels_len);
    }
    return level;
}

struct audit_movement {
    int64_t seq, time_ms, kind, item, location, version, reservation;
    int64_t delta[BUCKETS], after[BUCKETS];
};

#define MOVEMENT_SQL                                                                                                 \
    "SELECT seq, time_ms, kind, item, location, version, reservation, on_hand_delta, reserved_delta, "               \
    "committed_delta, damaged_delta, quality_control_delta, safety_stock_delta, incoming_delta, on_hand, reserved, " \
    "committed, damaged, quality_control, safety_stock, incoming FROM movement ORDER BY seq"

/* How many units of which bucket each kind on a reservation moves; the units are those of `unit_bucket`. */
static const struct {
    enum bucket unit_bucket;
    int sign[BUCKETS];
} shapes[RETURN + 1] = {
    [RESERVE] = {RESERVED, {[RESERVED] = 1}},   [COMMIT] = {COMMITTED, {[RESERVED] = -1, [COMMITTED] = 1}},
    [RELEASE] = {RESERVED, {[RESERVED] = -1}},  [EXPIRE] = {RESERVED, {[RESERVED] = -1}},
    [CANCEL] = {COMMITTED, {[COMMITTED] = -1}}, [FULFILL] = {COMMITTED, {[ON_HAND] = -1, [COMMITTED] = -1}},
    [RETURN] = {ON_HAND, {[ON_HAND] = 1}},
};

/* Units that a movement on a reservation moves; 0 when it does not have the shape of its kind. */
static int64_t units_moved(const struct audit_movement *m)
{
    enum bucket unit = shapes[m->kind].unit_bucket;
    int64_t units = m->delta[unit] * shapes[m->kind].sign[unit];
    if (m->delta[unit] > BUCKET_MAX || m->delta[unit] < -BUCKET_MAX || units < 1) {
        return 0;
    }
    for (int q = 0; q < BUCKETS; q++) {
        bool to_damaged = m->kind == RETURN && q == DAMAGED && m->delta[q] == units;
        if (m->delta[q] != units * shapes[m->kind].sign[q] && !to_damaged) {
            return 0;
        }
    }
    return units;
}

static void add_line(struct audit *a, const struct audit_movement *m, int64_t units)
{
    struct audit_reservation *r = a->reservations_len == 0 ? NULL : &a->reservations[a->reservations_len - 1];
    if (m->reservation == m->seq) {
        mem_grow((void **)&a->reservations, &a->reservations_cap, a->reservations_len + 1, sizeof(*a->reservations));
        r = &a->reservations[a->reservations_len++];
        *r = (struct audit_reservation){.seq = m->seq, .lines_at = a->lines_len, .created_ms = m->time_ms};
    } else if (r == NULL || m->reservation != r->seq || m->seq != r->seq + (int64_t)r->lines_len) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": a reserve of reservation %" PRId64 " stands apart from it", m->seq,
            m->reservation);
        return;
    }
    mem_grow((void **)&a->lines, &a->lines_cap, a->lines_len + 1, sizeof(*a->lines));
    a->lines[a->lines_len++] =
        (struct audit_line){.seq = m->seq, .item = m->item, .location = m->location, .quantity = units, .held = units};
    r->lines_len++;
    r->last_ms = m->time_ms;
}

static struct audit_line *find_line(struct audit *a, const struct audit_reservation *r, const struct audit_movement *m)
{
    for (size_t n = 0; n < r->lines_len; n++) {
        struct audit_line *line = &a->lines[r->lines_at + n];
        if (line->item == m->item && line->location == m->location) {
            return line;
        }
    }
    return NULL;
}

/* False when the line does not have the units to do it. Holds and rests move whole. */
static bool
move_line(struct audit_reservation *r, struct audit_line *line, const struct audit_movement *m, int64_t units)
{
    switch (m->kind) {
    case COMMIT:
    case RELEASE:
    case EXPIRE: {
        bool whole = line->held == units;
        line->held = 0;
        line->committed += m->kind == COMMIT ? units : 0;
        r->released = r->released || m->kind == RELEASE;
        *(m->kind == EXPIRE ? &r->expired_ms : &r->held_until_ms) = m->time_ms;
        return whole;
    }
    case CANCEL: {
        bool whole = line->committed == units;
        line->committed = 0;
        line->cancelled += units;
        return whole;
    }
    case FULFILL:
        line->committed -= units;
        line->fulfilled += units;
        return line->committed >= 0;
    default:
        line->returned += units;
        return line->returned <= line->fulfilled;
    }
}

static void fold_reservation(struct audit *a, const struct audit_movement *m)
{
    int64_t units = units_moved(m);
    if (units == 0) {
        audit_differs(a, D_MOVEMENT, "seq %" PRId64 ": its deltas are not those of its kind", m->seq);
        return;
    }
    if (m->kind == RESERVE) {
        add_line(a, m, units);
        return;
    }
    struct audit_reservation *r = audit_find_reservation(a, m->reservation);
    struct audit_line *line = r == NULL ? NULL : find_line(a, r, m);
    if (line == NULL) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": reservation %" PRId64 " has no such line", m->seq, m->reservation);
        return;
    }
    r->last_ms = m->time_ms;
    if (!move_line(r, line, m, units)) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": moves %" PRId64 " units that line %" PRId64 " does not have so", m->seq,
            units, line->seq);
    }
}

static void fold_level(struct audit *a, const struct audit_movement *m)
{
    struct audit_level *level = find_or_add_level(a, m->item, m->location);
    if (m->version != level->version + 1) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": version %" PRId64 " follows version %" PRId64, m->seq, m->version,
            level->version);
    }
    for (int q = 0; q < BUCKETS; q++) {
        if (!sums_to(level->of[q], m->delta[q], m->after[q])) {
            audit_differs(
                a, D_MOVEMENT, "seq %" PRId64 ": %s %" PRId64 " and %+" PRId64 " does not give %" PRId64, m->seq,
                audit_bucket_names[q], level->of[q], m->delta[q], m->after[q]);
        }
        if (m->after[q] < 0 || m->after[q] > BUCKET_MAX) {
            audit_differs(
                a, D_MOVEMENT, "seq %" PRId64 ": %s %" PRId64 " is out of range", m->seq, audit_bucket_names[q],
                m->after[q]);
        }
        level->of[q] = m->after[q];
    }
    level->version = m->version;
    level->seq = m->seq;
    level->due_seq = m->seq <= a->levels_seq ? m->seq : level->due_seq;
    level->time_ms = m->time_ms;
}

static void check_kind(struct audit *a, const struct audit_movement *m)
{
    const int64_t *q = m->after;
    __int128 promised = (__int128)q[RESERVED] + q[COMMITTED] + q[DAMAGED] + q[QUALITY_CONTROL] + q[SAFETY_STOCK];
    if (m->kind == RESERVE && promised > q[ON_HAND]) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": oversold: the reserve leaves less than nothing available", m->seq);
    }
    if ((m->kind >= RESERVE) != (m->reservation != 0)) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": reservation %" PRId64 " does not go with kind %" PRId64, m->seq,
            m->reservation, m->kind);
    } else if (m->kind >= RESERVE) {
        fold_reservation(a, m);
    } else if (m->delta[RESERVED] != 0 || m->delta[COMMITTED] != 0) {
        audit_differs(a, D_MOVEMENT, "seq %" PRId64 ": moves promised units without a reservation", m->seq);
    }
}

static void read_movement(struct audit *a, sqlite3_stmt *s)
{
    struct audit_movement m = {number(s, 0), number(s, 1), number(s, 2), number(s, 3), number(s, 4),
                               number(s, 5), number(s, 6), {0},          {0}};
    for (int q = 0; q < BUCKETS; q++) {
        m.delta[q] = number(s, 7 + q);
        m.after[q] = number(s, 7 + BUCKETS + q);
    }
    if (m.seq != a->last_seq + 1) {
        audit_differs(a, D_MOVEMENT, "seq %" PRId64 " follows seq %" PRId64, m.seq, a->last_seq);
    }
    if (m.time_ms < a->last_ms) {
        audit_differs(a, D_MOVEMENT, "seq %" PRId64 ": time runs backwards", m.seq);
    }
    a->last_seq = m.seq;
    a->last_ms = m.time_ms;
    mem_grow((void **)&a->places, &a->places_cap, a->places_len + 1, sizeof(*a->places));
    a->places[a->places_len++] = (struct audit_place){m.seq, m.item, m.location};
    if (m.item < 1 || m.item > (int64_t)a->items.len || m.location < 1 || m.location > (int64_t)a->locations.len) {
        audit_differs(
            a, D_MOVEMENT, "seq %" PRId64 ": item %" PRId64 " or location %" PRId64 " does not exist", m.seq, m.item,
            m.location);
    }
    if (m.kind < RECEIVE || m.kind > RETURN) {
        audit_differs(a, D_MOVEMENT, "seq %" PRId64 ": there is no kind %" PRId64, m.seq, m.kind);
    } else {
        check_kind(a, &m);
    }
    fold_level(a, &m);
}

bool audit_fold_movements(struct audit *a)
{
    if (!audit_each(a, MOVEMENT_SQL, read_movement)) {
        return false;
    }
    if (a->seq != a->last_seq) {
        audit_differs(
            a, D_STORE, "the partition is at seq %" PRId64 ", the last movement is %" PRId64, a->seq, a->last_seq);
    }
    if (a->time_ms < a->last_ms) {
        audit_differs(a, D_STORE, "the partition's time is before the last movement's");
    }
    return true;
}
