/* Decisions about an existing reservation: extend, commit, release, cancel, fulfill, return, expire. */
#include "base/mem.h"
#include "core/ledger_state.h"

/*
 * Finds the reservation and says whether it can go from `from` to its next state. When it already is in `done`, the
 * transition was made before and nothing happens.
 */
static enum outcome
enter(struct decision *d, enum reservation_state from, enum reservation_state done, struct kept **out)
{
    struct kept *k = kept_find(d->l, d->command->id);
    if (k == NULL) {
        return OUTCOME_UNKNOWN_RESERVATION;
    }
    *out = k;
    d->result->reservation = &k->r;
    bool ran_out = k->r.state == RESERVATION_HELD && d->now_ms >= k->r.expires_ms;
    if (k->r.state == RESERVATION_EXPIRED || (ran_out && from == RESERVATION_HELD)) {
        return OUTCOME_HOLD_EXPIRED;
    }
    if (k->r.state == done) {
        return OUTCOME_UNCHANGED;
    }
    return k->r.state == from ? OUTCOME_OK : OUTCOME_WRONG_STATE;
}

/* One movement for a line of the reservation. */
static void move_line(
    struct decision *d,
    const struct kept *k,
    const struct reservation_line *line,
    const struct quantities *delta,
    enum movement_kind kind)
{
    struct level *level = ledger_level(d->l, line->item, line->location);
    check(level != NULL);
    move(d, level, delta, kind, k->r.seq);
}

/* The whole hold leaves `reserved`; `to_committed`: into `committed`. */
static void move_hold(struct decision *d, struct kept *k, enum movement_kind kind, bool to_committed)
{
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        struct quantities delta = {0};
        delta.of[QUANTITY_RESERVED] = -k->r.lines[i].quantity;
        delta.of[QUANTITY_COMMITTED] = to_committed ? k->r.lines[i].quantity : 0;
        move_line(d, k, &k->r.lines[i], &delta, kind);
    }
}

/* Never shortens a hold. */
enum outcome decide_extend(struct decision *d)
{
    struct kept *k;
    check(d->command->ttl_s >= TTL_S_MIN && d->command->ttl_s <= TTL_S_MAX);
    enum outcome may = enter(d, RESERVATION_HELD, RESERVATION_STATE_END, &k);
    if (may != OUTCOME_OK) {
        return may;
    }
    int64_t expires_ms = d->now_ms + (int64_t)d->command->ttl_s * 1000;
    if (expires_ms <= k->r.expires_ms) {
        return OUTCOME_UNCHANGED;
    }
    k->r.expires_ms = expires_ms;
    kept_hold_moved(d->l, k);
    (void)kept_touch(d, k);
    return OUTCOME_OK;
}

enum outcome decide_commit(struct decision *d)
{
    struct kept *k;
    enum outcome may = enter(d, RESERVATION_HELD, RESERVATION_COMMITTED, &k);
    if (may == OUTCOME_OK) {
        kept_become(d, k, RESERVATION_COMMITTED);
        move_hold(d, k, MOVEMENT_COMMIT, true);
    }
    return may;
}

enum outcome decide_release(struct decision *d)
{
    struct kept *k;
    enum outcome may = enter(d, RESERVATION_HELD, RESERVATION_RELEASED, &k);
    if (may == OUTCOME_OK) {
        kept_become(d, k, RESERVATION_RELEASED);
        move_hold(d, k, MOVEMENT_RELEASE, false);
    }
    return may;
}

enum outcome decide_expire(struct decision *d)
{
    struct kept *k = kept_find(d->l, d->command->id);
    check(k != NULL && k->r.state == RESERVATION_HELD && d->now_ms >= k->r.expires_ms);
    d->result->reservation = &k->r;
    kept_become(d, k, RESERVATION_EXPIRED);
    move_hold(d, k, MOVEMENT_EXPIRE, false);
    return OUTCOME_OK;
}

/* Fulfilled, but with less than was promised: only a cancel does that. */
static bool rest_was_cancelled(const struct kept *k)
{
    bool less = false;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        less = less || k->r.lines[i].fulfilled < k->r.lines[i].quantity;
    }
    return less && k->r.state == RESERVATION_FULFILLED;
}

/* Cancels what was not fulfilled. When a part was, the reservation is fulfilled with less than was promised. */
enum outcome decide_cancel(struct decision *d)
{
    struct kept *k;
    enum outcome may = enter(d, RESERVATION_COMMITTED, RESERVATION_CANCELLED, &k);
    if (may == OUTCOME_WRONG_STATE && rest_was_cancelled(k)) {
        return OUTCOME_UNCHANGED;
    }
    if (may != OUTCOME_OK) {
        return may;
    }
    bool some_fulfilled = false;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        const struct reservation_line *line = &k->r.lines[i];
        struct quantities delta = {0};
        delta.of[QUANTITY_COMMITTED] = -(line->quantity - line->fulfilled);
        some_fulfilled = some_fulfilled || line->fulfilled > 0;
        if (line->fulfilled < line->quantity) {
            move_line(d, k, line, &delta, MOVEMENT_CANCEL);
        }
    }
    kept_become(d, k, some_fulfilled ? RESERVATION_FULFILLED : RESERVATION_CANCELLED);
    return OUTCOME_OK;
}

/*
 * Fulfilling and returning, whole or in part: plan units per line of the reservation, check, do.
 */

/* Units that could still be fulfilled or returned on a line. */
static int64_t line_rest(const struct reservation_line *line, enum movement_kind kind)
{
    return kind == MOVEMENT_FULFILL ? line->quantity - line->fulfilled : line->fulfilled - line->returned;
}

static bool line_matches(const struct reservation_line *line, const struct command_line *asked)
{
    return str_equal(line->sku, asked->sku) &&
        (str_is_absent(asked->location) || str_equal(line->location_id, asked->location));
}

/* Spreads one line of the command over the matching lines of the reservation, in their order. */
static enum outcome plan_line(struct decision *d, const struct kept *k, uint32_t n, enum movement_kind kind)
{
    const struct command_line *asked = &d->command->lines[n];
    check(asked->quantity >= 1 && asked->quantity <= LINE_QUANTITY_MAX);
    int64_t need = asked->quantity;
    bool known = false;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        if (!line_matches(&k->r.lines[i], asked)) {
            continue;
        }
        known = true;
        int64_t rest = line_rest(&k->r.lines[i], kind) - d->l->planned[i];
        int64_t take = need < rest ? need : rest;
        d->l->planned[i] += take;
        need -= take;
    }
    if (!known) {
        return refuse(d, OUTCOME_UNKNOWN_LINE, n);
    }
    if (need > 0) {
        shortfall_add(d, n, str_is_absent(asked->location), asked->quantity, asked->quantity - need);
    }
    return OUTCOME_OK;
}

static enum outcome plan(struct decision *d, const struct kept *k, enum movement_kind kind)
{
    struct ledger *l = d->l;
    mem_grow((void **)&l->planned, &l->planned_cap, k->r.lines_len, sizeof(*l->planned));
    bool whole = d->command->lines_len == 0;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        l->planned[i] = whole ? line_rest(&k->r.lines[i], kind) : 0;
    }
    for (uint32_t n = 0; n < d->command->lines_len; n++) {
        enum outcome known = plan_line(d, k, n, kind);
        if (known != OUTCOME_OK) {
            return known;
        }
    }
    return l->shortfalls_len > 0 ? refuse_short(d, OUTCOME_QUANTITY_EXCEEDED) : OUTCOME_OK;
}

/* A correction may have taken units that were promised: then they cannot be shipped. */
static void
short_line_add(struct decision *d, const struct reservation_line *line, int64_t requested, int64_t available)
{
    struct ledger *l = d->l;
    mem_grow((void **)&l->shortfalls, &l->shortfalls_cap, l->shortfalls_len + 1, sizeof(*l->shortfalls));
    l->shortfalls[l->shortfalls_len++] = (struct shortfall){
        .sku = line->sku, .location = line->location_id, .requested = requested, .available = available};
}

static enum outcome plan_fits_levels(struct decision *d, const struct kept *k, enum movement_kind kind)
{
    struct ledger *l = d->l;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        const struct reservation_line *line = &k->r.lines[i];
        const struct level *level = ledger_level(l, line->item, line->location);
        check(level != NULL);
        int64_t on_hand = level->q.of[QUANTITY_ON_HAND];
        if (kind == MOVEMENT_FULFILL && on_hand < l->planned[i]) {
            short_line_add(d, line, l->planned[i], on_hand);
        }
        int64_t damaged = level->q.of[QUANTITY_DAMAGED];
        int64_t most = on_hand > damaged ? on_hand : damaged;
        if (kind == MOVEMENT_RETURN && most + l->planned[i] > QUANTITY_MAX) {
            return refuse(d, OUTCOME_QUANTITY_OVERFLOW, 0);
        }
    }
    return l->shortfalls_len > 0 ? refuse_short(d, OUTCOME_INSUFFICIENT_STOCK) : OUTCOME_OK;
}

static void fulfill_line(struct decision *d, struct kept *k, uint32_t i)
{
    struct quantities delta = {0};
    int64_t units = d->l->planned[i];
    delta.of[QUANTITY_ON_HAND] = -units;
    delta.of[QUANTITY_COMMITTED] = -units;
    k->r.lines[i].fulfilled += units;
    check(k->r.lines[i].fulfilled <= k->r.lines[i].quantity);
    move_line(d, k, &k->r.lines[i], &delta, MOVEMENT_FULFILL);
}

/* Damaged units are on hand too, only not available. */
static void return_line(struct decision *d, struct kept *k, uint32_t i)
{
    struct quantities delta = {0};
    int64_t units = d->l->planned[i];
    delta.of[QUANTITY_ON_HAND] = units;
    delta.of[QUANTITY_DAMAGED] = d->command->return_to == RETURN_DAMAGED ? units : 0;
    k->r.lines[i].returned += units;
    check(k->r.lines[i].returned <= k->r.lines[i].fulfilled);
    move_line(d, k, &k->r.lines[i], &delta, MOVEMENT_RETURN);
}

/* Does what was planned; true when nothing is left to do of this kind. */
static bool do_planned(struct decision *d, struct kept *k, enum movement_kind kind)
{
    int64_t rest = 0;
    for (uint32_t i = 0; i < k->r.lines_len; i++) {
        if (d->l->planned[i] > 0 && kind == MOVEMENT_FULFILL) {
            fulfill_line(d, k, i);
        } else if (d->l->planned[i] > 0) {
            return_line(d, k, i);
        }
        rest += line_rest(&k->r.lines[i], kind);
    }
    kept_touch(d, k)->lines_touched = true;
    return rest == 0;
}

static enum outcome
decide_part(struct decision *d, enum movement_kind kind, enum reservation_state from, enum reservation_state done)
{
    struct kept *k;
    bool whole = d->command->lines_len == 0;
    enum outcome may = enter(d, from, whole ? done : RESERVATION_STATE_END, &k);
    if (may == OUTCOME_OK) {
        may = plan(d, k, kind);
    }
    if (may == OUTCOME_OK) {
        may = plan_fits_levels(d, k, kind);
    }
    if (may == OUTCOME_OK && do_planned(d, k, kind)) {
        kept_become(d, k, done);
    }
    return may;
}

enum outcome decide_fulfill(struct decision *d)
{
    return decide_part(d, MOVEMENT_FULFILL, RESERVATION_COMMITTED, RESERVATION_FULFILLED);
}

enum outcome decide_return(struct decision *d)
{
    return decide_part(d, MOVEMENT_RETURN, RESERVATION_FULFILLED, RESERVATION_RETURNED);
}
