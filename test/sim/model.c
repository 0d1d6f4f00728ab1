#include "model.h"

#include "base/mem.h"
#include "broken.h"
#include "marks.h"

#include <stdio.h>

void model_init(struct model *m)
{
    *m = (struct model){0};
}

void model_release(struct model *m)
{
    for (uint32_t i = 1; i <= m->items_len; i++) {
        mem_free(m->items[i].shown);
    }
    mem_free(m->reservations);
    mem_free(m->lines);
    mem_free(m->facts);
}

void commit_free(struct commit *c)
{
    if (c != NULL) {
        for (size_t i = 0; i < c->decided_len; i++) {
            mem_free(c->decided[i].answer);
        }
        mem_free(c->facts);
        mem_free(c->decided);
        mem_free(c->key_rows);
        mem_free(c);
    }
}

struct fact fact_of(const struct movement *m)
{
    return (struct fact){
        .seq = m->seq,
        .time_ms = m->time_ms,
        .kind = m->kind,
        .item = m->item,
        .location = m->location,
        .delta = m->delta,
        .after = m->after,
        .version = m->version,
        .reservation = m->reservation,
    };
}

uint64_t model_seq(const struct model *m)
{
    return m->facts_len;
}

uint32_t model_item(const struct model *m, struct str sku)
{
    for (uint32_t i = 1; i <= m->items_len; i++) {
        if (str_equal(sku, str_from(m->items[i].sku))) {
            return i;
        }
    }
    return 0;
}

uint32_t model_location(const struct model *m, struct str id)
{
    for (uint32_t i = 1; i <= m->locations_len; i++) {
        if (str_equal(id, str_from(m->locations[i]))) {
            return i;
        }
    }
    return 0;
}

/* Most commands are on recent ones. */
struct model_reservation *model_reservation(const struct model *m, struct uuid id)
{
    for (size_t i = m->reservations_len; i > 0; i--) {
        if (uuid_equal(m->reservations[i - 1].id, id)) {
            return &m->reservations[i - 1];
        }
    }
    return NULL;
}

static int64_t available(const struct model_level *l)
{
    return l->of[QUANTITY_ON_HAND] - l->of[QUANTITY_RESERVED] - l->of[QUANTITY_COMMITTED] - l->of[QUANTITY_DAMAGED] -
        l->of[QUANTITY_QUALITY_CONTROL] - l->of[QUANTITY_SAFETY_STOCK];
}

static int64_t at_least_zero(int64_t v)
{
    return v > 0 ? v : 0;
}

/* --- what shoppers may see ------------------------------------------------------------------------------------- */

const struct model_shown *model_shown(const struct model *m, uint32_t item, uint64_t version)
{
    const struct model_item *i = &m->items[item];
    size_t low = 0;
    size_t high = i->shown_len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (i->shown[mid].version < version) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < i->shown_len && i->shown[low].version == version ? &i->shown[low] : NULL;
}

const struct model_shown *model_shown_at(const struct model *m, uint32_t item, uint64_t seq)
{
    const struct model_item *i = &m->items[item];
    size_t at = i->shown_len;
    while (at > 1 && i->shown[at - 1].seq > seq) {
        at--;
    }
    return &i->shown[at - 1];
}

static void show(struct model *m, uint32_t item)
{
    struct model_item *i = &m->items[item];
    struct model_shown s = {0};
    for (uint32_t l = 1; l <= m->locations_len; l++) {
        const struct model_level *level = &m->levels[item][l];
        s.version += level->version;
        s.seq = level->seq > s.seq ? level->seq : s.seq;
        s.available += at_least_zero(available(level));
    }
    if (i->shown_len > 0 && i->shown[i->shown_len - 1].version == s.version) {
        return;
    }
    if (i->shown_len > 0 && (s.available == 0) != (i->shown[i->shown_len - 1].available == 0)) {
        mark(s.available == 0 ? MARK_STOCK_SOLD_OUT : MARK_STOCK_BACK);
    }
    mem_grow((void **)&i->shown, &i->shown_cap, i->shown_len + 1, sizeof(*i->shown));
    i->shown[i->shown_len++] = s;
}

/* --- planning: what a command should do --------------------------------------------------------------------------- */

static struct model_move *move_at(struct model *m, uint32_t item, uint32_t location, enum movement_kind kind)
{
    for (size_t i = 0; i < m->moves_len; i++) {
        if (m->moves[i].item == item && m->moves[i].location == location) {
            return &m->moves[i];
        }
    }
    check(m->moves_len < MODEL_MOVES_MAX);
    struct model_move *v = &m->moves[m->moves_len++];
    *v = (struct model_move){.item = item, .location = location, .kind = kind};
    return v;
}

static int64_t would_be(const struct model *m, const struct model_move *v, enum quantity q)
{
    return m->levels[v->item][v->location].of[q] + v->delta[q];
}

static enum outcome find(const struct model *m, struct str sku, struct str id, uint32_t *item, uint32_t *location)
{
    *item = model_item(m, sku);
    *location = model_location(m, id);
    if (*item == 0) {
        return OUTCOME_UNKNOWN_ITEM;
    }
    return *location == 0 ? OUTCOME_UNKNOWN_LOCATION : OUTCOME_OK;
}

static enum outcome none_negative(const struct model *m)
{
    for (size_t i = 0; i < m->moves_len; i++) {
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            if (would_be(m, &m->moves[i], q) < 0) {
                return OUTCOME_NEGATIVE_QUANTITY;
            }
        }
    }
    for (size_t i = 0; i < m->moves_len; i++) {
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            if (would_be(m, &m->moves[i], q) > QUANTITY_MAX) {
                return OUTCOME_QUANTITY_OVERFLOW;
            }
        }
    }
    return OUTCOME_OK;
}

static enum outcome plan_receive(struct model *m, const struct command *c)
{
    for (uint32_t n = 0; n < c->lines_len; n++) {
        uint32_t item;
        uint32_t location;
        enum outcome found = find(m, c->lines[n].sku, c->lines[n].location, &item, &location);
        if (found != OUTCOME_OK) {
            return found;
        }
        struct model_move *v = move_at(m, item, location, MOVEMENT_RECEIVE);
        int64_t announced = would_be(m, v, QUANTITY_INCOMING);
        v->delta[QUANTITY_ON_HAND] += c->lines[n].quantity;
        v->delta[QUANTITY_INCOMING] -= announced < c->lines[n].quantity ? announced : c->lines[n].quantity;
    }
    return none_negative(m);
}

static enum outcome plan_adjust(struct model *m, const struct command *c)
{
    for (uint32_t n = 0; n < c->lines_len; n++) {
        uint32_t item;
        uint32_t location;
        enum outcome found = find(m, c->lines[n].sku, c->lines[n].location, &item, &location);
        if (found != OUTCOME_OK) {
            return found;
        }
        move_at(m, item, location, MOVEMENT_ADJUST)->delta[c->lines[n].bucket] += c->lines[n].quantity;
    }
    return none_negative(m);
}

static enum outcome plan_set(struct model *m, const struct command *c)
{
    uint32_t item;
    uint32_t location;
    enum outcome found = find(m, c->sku, c->location, &item, &location);
    if (found != OUTCOME_OK) {
        return found;
    }
    uint64_t version = m->levels[item][location].version;
    if (c->set_any_version ? version == 0 : version != c->expected_version) {
        return OUTCOME_VERSION_MISMATCH;
    }
    struct model_move *v = move_at(m, item, location, MOVEMENT_SET);
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        v->delta[q] = c->set_given[q] ? c->set.of[q] - m->levels[item][location].of[q] : 0;
    }
    return OUTCOME_OK;
}

static enum outcome plan_transfer(struct model *m, const struct command *c)
{
    for (int way = 0; way < 2; way++) {
        for (uint32_t n = 0; n < c->lines_len; n++) {
            uint32_t item;
            uint32_t location;
            enum outcome found = find(m, c->lines[n].sku, way == 0 ? c->location : c->to, &item, &location);
            if (found != OUTCOME_OK) {
                return found;
            }
            move_at(m, item, location, way == 0 ? MOVEMENT_TRANSFER_OUT : MOVEMENT_TRANSFER_IN)
                ->delta[QUANTITY_ON_HAND] += way == 0 ? -c->lines[n].quantity : c->lines[n].quantity;
        }
    }
    for (size_t i = 0; i < m->moves_len; i++) {
        const struct model_move *v = &m->moves[i];
        if (v->kind == MOVEMENT_TRANSFER_OUT &&
            available(&m->levels[v->item][v->location]) + v->delta[QUANTITY_ON_HAND] < 0) {
            return OUTCOME_INSUFFICIENT_STOCK;
        }
    }
    return none_negative(m);
}

/* Whether the order can be met at all; which locations it is taken from is compared afterwards. */
static enum outcome plan_reserve(struct model *m, const struct command *c)
{
    int64_t named[MODEL_ITEMS_MAX + 1][MODEL_LOCATIONS_MAX + 1] = {{0}};
    int64_t any[MODEL_ITEMS_MAX + 1] = {0};
    for (uint32_t n = 0; n < c->lines_len; n++) {
        uint32_t item = model_item(m, c->lines[n].sku);
        uint32_t location = model_location(m, c->lines[n].location);
        if (item == 0) {
            return OUTCOME_UNKNOWN_ITEM;
        }
        if (str_is_absent(c->lines[n].location)) {
            any[item] += c->lines[n].quantity;
        } else if (location == 0) {
            return OUTCOME_UNKNOWN_LOCATION;
        } else {
            named[item][location] += c->lines[n].quantity;
        }
    }
    for (uint32_t i = 1; i <= m->items_len; i++) {
        int64_t left = 0;
        for (uint32_t l = 1; l <= m->locations_len; l++) {
            int64_t here = at_least_zero(available(&m->levels[i][l])) - named[i][l];
            if (named[i][l] > 0 && here < 0) {
                return OUTCOME_INSUFFICIENT_STOCK;
            }
            left += at_least_zero(here);
        }
        if (any[i] > left) {
            return OUTCOME_INSUFFICIENT_STOCK;
        }
    }
    return OUTCOME_OK;
}

static enum outcome
may_become(const struct model_reservation *r, int64_t now_ms, enum reservation_state from, enum reservation_state done)
{
    if (r == NULL) {
        return OUTCOME_UNKNOWN_RESERVATION;
    }
    bool ran_out = r->state == RESERVATION_HELD && now_ms >= r->expires_ms && from == RESERVATION_HELD;
    if (r->state == RESERVATION_EXPIRED || ran_out) {
        return OUTCOME_HOLD_EXPIRED;
    }
    if (r->state == done) {
        return OUTCOME_UNCHANGED;
    }
    return r->state == from ? OUTCOME_OK : OUTCOME_WRONG_STATE;
}

/* Each line of a reservation, moved on its own. */
static void
move_line(struct model *m, const struct model_line *l, enum movement_kind kind, enum quantity q, int64_t units)
{
    if (units != 0) {
        move_at(m, l->item, l->location, kind)->delta[q] += units;
    }
}

static const struct model_line *lines_of(const struct model *m, const struct model_reservation *r)
{
    return m->lines + r->lines_at;
}

static void plan_hold_ends(struct model *m, const struct model_reservation *r, enum movement_kind kind)
{
    for (uint32_t i = 0; i < r->lines_len; i++) {
        const struct model_line *l = &lines_of(m, r)[i];
        move_line(m, l, kind, QUANTITY_RESERVED, -l->quantity);
        move_line(m, l, kind, QUANTITY_COMMITTED, kind == MOVEMENT_COMMIT ? l->quantity : 0);
    }
}

static enum outcome plan_cancel(struct model *m, const struct model_reservation *r, int64_t now_ms)
{
    enum outcome may = may_become(r, now_ms, RESERVATION_COMMITTED, RESERVATION_CANCELLED);
    bool less = false;
    for (uint32_t i = 0; r != NULL && i < r->lines_len; i++) {
        less = less || lines_of(m, r)[i].fulfilled < lines_of(m, r)[i].quantity;
    }
    if (may == OUTCOME_WRONG_STATE && r->state == RESERVATION_FULFILLED && less) {
        return OUTCOME_UNCHANGED; /* its rest was cancelled before */
    }
    for (uint32_t i = 0; may == OUTCOME_OK && i < r->lines_len; i++) {
        const struct model_line *l = &lines_of(m, r)[i];
        move_line(m, l, MOVEMENT_CANCEL, QUANTITY_COMMITTED, l->fulfilled - l->quantity);
    }
    return may;
}

static int64_t line_rest(const struct model_line *l, enum movement_kind kind)
{
    return kind == MOVEMENT_FULFILL ? l->quantity - l->fulfilled : l->fulfilled - l->returned;
}

/* How many units of each line are to be fulfilled or returned. */
static enum outcome spread(
    const struct model *m,
    const struct command *c,
    const struct model_reservation *r,
    enum movement_kind kind,
    int64_t units[MODEL_MOVES_MAX])
{
    bool short_line = false;
    for (uint32_t i = 0; i < r->lines_len; i++) {
        units[i] = c->lines_len == 0 ? line_rest(&lines_of(m, r)[i], kind) : 0;
    }
    for (uint32_t n = 0; n < c->lines_len; n++) {
        bool known = false;
        int64_t need = c->lines[n].quantity;
        for (uint32_t i = 0; i < r->lines_len; i++) {
            const struct model_line *l = &lines_of(m, r)[i];
            bool here = str_is_absent(c->lines[n].location) || model_location(m, c->lines[n].location) == l->location;
            if (model_item(m, c->lines[n].sku) != l->item || !here) {
                continue;
            }
            known = true;
            int64_t rest = line_rest(l, kind) - units[i];
            int64_t take = need < rest ? need : rest;
            units[i] += take;
            need -= take;
        }
        if (!known) {
            return OUTCOME_UNKNOWN_LINE;
        }
        short_line = short_line || need > 0;
    }
    return short_line ? OUTCOME_QUANTITY_EXCEEDED : OUTCOME_OK;
}

static enum outcome
plan_part(struct model *m, const struct command *c, const struct model_reservation *r, int64_t now_ms)
{
    bool fulfill = c->kind == COMMAND_FULFILL;
    enum movement_kind kind = fulfill ? MOVEMENT_FULFILL : MOVEMENT_RETURN;
    enum reservation_state done = fulfill ? RESERVATION_FULFILLED : RESERVATION_RETURNED;
    int64_t units[MODEL_MOVES_MAX];
    enum outcome may = may_become(
        r, now_ms, fulfill ? RESERVATION_COMMITTED : RESERVATION_FULFILLED,
        c->lines_len == 0 ? done : RESERVATION_STATE_END);
    if (may == OUTCOME_OK) {
        may = spread(m, c, r, kind, units);
    }
    if (may != OUTCOME_OK) {
        return may;
    }
    for (uint32_t i = 0; i < r->lines_len; i++) {
        const struct model_line *l = &lines_of(m, r)[i];
        if (fulfill && m->levels[l->item][l->location].of[QUANTITY_ON_HAND] < units[i]) {
            return OUTCOME_INSUFFICIENT_STOCK;
        }
        int64_t damaged = !fulfill && c->return_to == RETURN_DAMAGED ? units[i] : 0;
        move_line(m, l, kind, QUANTITY_ON_HAND, fulfill ? -units[i] : units[i]);
        move_line(m, l, kind, QUANTITY_COMMITTED, fulfill ? -units[i] : 0);
        move_line(m, l, kind, QUANTITY_DAMAGED, damaged);
    }
    return OUTCOME_OK;
}

static enum outcome plan_transition(struct model *m, const struct decided *d)
{
    const struct command *c = intent_command(d->intent);
    struct model_reservation *r = model_reservation(m, c->id);
    enum outcome may;
    switch (c->kind) {
    case COMMAND_EXTEND:
        may = may_become(r, d->now_ms, RESERVATION_HELD, RESERVATION_STATE_END);
        return may == OUTCOME_OK && d->now_ms + c->ttl_s * 1000LL <= r->expires_ms ? OUTCOME_UNCHANGED : may;
    case COMMAND_COMMIT:
        may = may_become(r, d->now_ms, RESERVATION_HELD, RESERVATION_COMMITTED);
        if (may == OUTCOME_OK) {
            plan_hold_ends(m, r, MOVEMENT_COMMIT);
        }
        return may;
    case COMMAND_RELEASE:
        may = may_become(r, d->now_ms, RESERVATION_HELD, RESERVATION_RELEASED);
        if (may == OUTCOME_OK) {
            plan_hold_ends(m, r, MOVEMENT_RELEASE);
        }
        return may;
    case COMMAND_CANCEL:
        return plan_cancel(m, r, d->now_ms);
    default:
        return plan_part(m, c, r, d->now_ms);
    }
}

static enum outcome plan(struct model *m, const struct decided *d)
{
    const struct command *c = intent_command(d->intent);
    m->moves_len = 0;
    switch (c->kind) {
    case COMMAND_DEFINE_ITEM:
    case COMMAND_DEFINE_LOCATION:
        return OUTCOME_OK;
    case COMMAND_RECEIVE:
        return plan_receive(m, c);
    case COMMAND_ADJUST:
        return plan_adjust(m, c);
    case COMMAND_SET:
        return plan_set(m, c);
    case COMMAND_TRANSFER:
        return plan_transfer(m, c);
    case COMMAND_RESERVE:
        return plan_reserve(m, c);
    default:
        return plan_transition(m, d);
    }
}

/* --- applying ------------------------------------------------------------------------------------------------------ */

static void fact_apply(struct model *m, const struct fact *f)
{
    promise(f->seq == model_seq(m) + 1, "I2", "seq %llu follows %zu", (unsigned long long)f->seq, m->facts_len);
    promise(
        f->item >= 1 && f->item <= m->items_len && f->location >= 1 && f->location <= m->locations_len, "I2",
        "seq %llu moves item %u at location %u", (unsigned long long)f->seq, f->item, f->location);
    promise(f->time_ms >= m->time_ms, "I19", "time runs backwards at seq %llu", (unsigned long long)f->seq);
    struct model_level *level = &m->levels[f->item][f->location];
    promise(
        f->version == level->version + 1, "I9", "version %llu follows %llu", (unsigned long long)f->version,
        (unsigned long long)level->version);
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        level->of[q] += f->delta.of[q];
        promise(
            level->of[q] == f->after.of[q] && level->of[q] >= 0, "I2", "seq %llu leaves quantity %u at %lld, told %lld",
            (unsigned long long)f->seq, q, (long long)level->of[q], (long long)f->after.of[q]);
    }
    if (f->kind == MOVEMENT_RESERVE) {
        promise(
            available(level) >= 0, "I1", "seq %llu oversells: %lld", (unsigned long long)f->seq,
            (long long)available(level));
    }
    if (available(level) < 0) {
        mark(MARK_STOCK_UNDERCUT);
    }
    if (level->of[QUANTITY_ON_HAND] > INT32_MAX) {
        mark(MARK_STOCK_OVER_INT32);
    }
    level->version = f->version;
    level->seq = f->seq;
    level->time_ms = f->time_ms;
    m->time_ms = f->time_ms;
    mem_grow((void **)&m->facts, &m->facts_cap, m->facts_len + 1, sizeof(*m->facts));
    m->facts[m->facts_len++] = *f;
}

/* The movements are those that were planned, in this order. */
static void expect_moves(const struct model *m, const struct fact *facts, size_t len, const char *what)
{
    promise(len == m->moves_len, "I7", "%s made %zu movements and not %zu", what, len, m->moves_len);
    for (size_t i = 0; i < len; i++) {
        const struct model_move *v = &m->moves[i];
        bool same = facts[i].item == v->item && facts[i].location == v->location && facts[i].kind == v->kind;
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            same = same && facts[i].delta.of[q] == v->delta[q];
        }
        promise(same, "I2", "%s: movement %llu is not what it should be", what, (unsigned long long)facts[i].seq);
    }
}

static void reservation_make(struct model *m, const struct decided *d, const struct fact *facts)
{
    mem_grow((void **)&m->reservations, &m->reservations_cap, m->reservations_len + 1, sizeof(*m->reservations));
    promise(model_reservation(m, d->id) == NULL, "I4", "an id was given twice");
    m->reservations[m->reservations_len++] = (struct model_reservation){
        .id = d->id,
        .seq = facts[0].seq,
        .state = RESERVATION_HELD,
        .expires_ms = d->now_ms + intent_command(d->intent)->ttl_s * 1000LL,
        .lines_at = (uint32_t)m->lines_len,
        .lines_len = d->facts_len,
    };
    for (uint32_t i = 0; i < d->facts_len; i++) {
        mem_grow((void **)&m->lines, &m->lines_cap, m->lines_len + 1, sizeof(*m->lines));
        m->lines[m->lines_len++] = (struct model_line){
            .item = facts[i].item, .location = facts[i].location, .quantity = facts[i].delta.of[QUANTITY_RESERVED]};
    }
}

/* The parts of a reservation are the lines of the order: no more, no less, and each line that names a place is there. */
static void expect_parts(const struct model *m, const struct decided *d, const struct fact *facts)
{
    const struct command *c = intent_command(d->intent);
    int64_t rest[MODEL_ITEMS_MAX + 1][MODEL_LOCATIONS_MAX + 1] = {{0}};
    int64_t wanted[MODEL_ITEMS_MAX + 1] = {0};
    for (uint32_t i = 0; i < d->facts_len; i++) {
        promise(facts[i].kind == MOVEMENT_RESERVE, "I7", "a reservation moves otherwise");
        promise(facts[i].delta.of[QUANTITY_RESERVED] > 0, "I7", "a part of nothing");
        promise(facts[i].reservation == facts[0].seq, "I7", "a part of another reservation");
        rest[facts[i].item][facts[i].location] += facts[i].delta.of[QUANTITY_RESERVED];
        wanted[facts[i].item] -= facts[i].delta.of[QUANTITY_RESERVED];
    }
    for (uint32_t n = 0; n < c->lines_len; n++) {
        uint32_t item = model_item(m, c->lines[n].sku);
        wanted[item] += c->lines[n].quantity;
        if (!str_is_absent(c->lines[n].location)) {
            rest[item][model_location(m, c->lines[n].location)] -= c->lines[n].quantity;
        }
    }
    for (uint32_t i = 1; i <= m->items_len; i++) {
        promise(wanted[i] == 0, "I7", "item %u: %lld units too few promised", i, (long long)wanted[i]);
        for (uint32_t l = 1; l <= m->locations_len; l++) {
            promise(rest[i][l] >= 0, "I7", "item %u: too few from location %u", i, l);
        }
    }
}

/* The state after the transition, told by the movements alone. */
static void reservation_moved(struct model *m, struct model_reservation *r, const struct decided *d)
{
    const struct command *c = intent_command(d->intent);
    struct model_line *lines = m->lines + r->lines_at;
    int64_t left = 0;
    int64_t fulfilled = 0;
    int64_t to_return = 0;
    for (uint32_t i = 0; i < r->lines_len; i++) {
        for (size_t v = 0; v < m->moves_len; v++) {
            if (m->moves[v].item == lines[i].item && m->moves[v].location == lines[i].location) {
                lines[i].fulfilled += c->kind == COMMAND_FULFILL ? -m->moves[v].delta[QUANTITY_COMMITTED] : 0;
                lines[i].returned += c->kind == COMMAND_RETURN ? m->moves[v].delta[QUANTITY_ON_HAND] : 0;
            }
        }
        left += lines[i].quantity - lines[i].fulfilled;
        fulfilled += lines[i].fulfilled;
        to_return += lines[i].fulfilled - lines[i].returned;
    }
    switch (c->kind) {
    case COMMAND_EXTEND:
        r->expires_ms = d->now_ms + c->ttl_s * 1000LL;
        break;
    case COMMAND_COMMIT:
        r->state = RESERVATION_COMMITTED;
        break;
    case COMMAND_RELEASE:
        r->state = RESERVATION_RELEASED;
        break;
    case COMMAND_CANCEL:
        r->state = fulfilled > 0 ? RESERVATION_FULFILLED : RESERVATION_CANCELLED;
        break;
    case COMMAND_FULFILL:
        r->state = left == 0 ? RESERVATION_FULFILLED : RESERVATION_COMMITTED;
        break;
    default:
        r->state = to_return == 0 ? RESERVATION_RETURNED : RESERVATION_FULFILLED;
        break;
    }
}

static void define(struct model *m, const struct decided *d)
{
    const struct command *c = intent_command(d->intent);
    bool is_item = c->kind == COMMAND_DEFINE_ITEM;
    bool known = is_item ? model_item(m, c->sku) != 0 : model_location(m, c->location) != 0;
    promise(d->created == !known, "I2", "something is defined twice");
    if (known) {
        return;
    }
    if (is_item) {
        check(m->items_len < MODEL_ITEMS_MAX);
        struct model_item *i = &m->items[++m->items_len];
        snprintf(i->sku, sizeof(i->sku), "%.*s", STR_ARG(c->sku));
        show(m, m->items_len);
    } else {
        check(m->locations_len < MODEL_LOCATIONS_MAX);
        snprintf(m->locations[++m->locations_len], sizeof(m->locations[0]), "%.*s", STR_ARG(c->location));
    }
}

static void expect_reservation(const struct model *m, const struct decided *d)
{
    const struct command *c = intent_command(d->intent);
    if (!d->has_reservation) {
        return;
    }
    const struct model_reservation *r = model_reservation(m, c->kind == COMMAND_RESERVE ? d->id : c->id);
    promise(r != NULL, "I4", "the answer shows a reservation that is not there");
    promise(
        d->state == r->state && d->expires_ms == r->expires_ms, "I4",
        "the answer shows state %d until %lld, it is %d until %lld", d->state, (long long)d->expires_ms, r->state,
        (long long)r->expires_ms);
}

static void decided_apply(struct model *m, const struct decided *d, const struct fact *facts)
{
    const struct command *c = intent_command(d->intent);
    enum outcome expected = plan(m, d);
    struct str told = outcome_name(d->outcome);
    struct str due = outcome_name(expected);
    struct str kind = command_kind_name(c->kind);
    promise(
        d->outcome == expected, expected == OUTCOME_INSUFFICIENT_STOCK ? "I1" : "I4",
        "%.*s was answered %.*s and not %.*s", STR_ARG(kind), STR_ARG(told), STR_ARG(due));
    if (expected != OUTCOME_OK) {
        promise(d->facts_len == 0, "I7", "a refused %.*s moved something", STR_ARG(kind));
        expect_reservation(m, d);
        return;
    }
    char what[32];
    snprintf(what, sizeof(what), "%.*s", STR_ARG(kind));
    if (c->kind == COMMAND_RESERVE) {
        promise(d->facts_len > 0, "I7", "a reservation of nothing");
        expect_parts(m, d, facts);
        reservation_make(m, d, facts);
    } else {
        expect_moves(m, facts, d->facts_len, what);
    }
    if (c->kind == COMMAND_DEFINE_ITEM || c->kind == COMMAND_DEFINE_LOCATION) {
        define(m, d);
    }
    if (command_kind_has_reservation(c->kind)) {
        reservation_moved(m, model_reservation(m, c->id), d);
    }
    for (uint32_t i = 0; i < d->facts_len; i++) {
        fact_apply(m, &facts[i]);
    }
    expect_reservation(m, d);
    promise(d->seq == model_seq(m), "I8", "%s answers seq %llu at %zu", what, (unsigned long long)d->seq, m->facts_len);
}

static struct model_reservation *by_seq(const struct model *m, uint64_t seq)
{
    for (size_t i = m->reservations_len; i > 0; i--) {
        if (m->reservations[i - 1].seq == seq) {
            return &m->reservations[i - 1];
        }
    }
    return NULL;
}

/* A hold that ended by the clock: the only thing that happens without a command. Returns how many movements it took. */
static size_t expiry_apply(struct model *m, const struct fact *facts, size_t len)
{
    struct model_reservation *r = by_seq(m, facts[0].reservation);
    promise(
        facts[0].kind == MOVEMENT_EXPIRE && r != NULL, "I7", "movement %llu belongs to no command",
        (unsigned long long)facts[0].seq);
    promise(r->state == RESERVATION_HELD, "I4", "a reservation in state %d expires", r->state);
    promise(
        facts[0].time_ms >= r->expires_ms, "I5", "a hold ends %lld ms early",
        (long long)(r->expires_ms - facts[0].time_ms));
    int64_t due_ms = r->expires_ms > m->healthy_since_ms ? r->expires_ms : m->healthy_since_ms;
    promise(
        facts[0].time_ms <= due_ms + EXPIRY_LATE_MS, "I5", "a hold ends %lld ms late",
        (long long)(facts[0].time_ms - due_ms));
    m->moves_len = 0;
    plan_hold_ends(m, r, MOVEMENT_EXPIRE);
    promise(len >= m->moves_len, "I7", "a hold expires in part");
    expect_moves(m, facts, m->moves_len, "expire");
    r->state = RESERVATION_EXPIRED;
    for (size_t i = 0; i < m->moves_len; i++) {
        fact_apply(m, &facts[i]);
    }
    return m->moves_len;
}

static void expiries_apply(struct model *m, const struct commit *c, size_t from, size_t to)
{
    for (unsigned holds = 0; from < to; holds++) {
        mark(holds == 0 ? MARK_HOLD_ENDED : MARK_HOLDS_END_TOGETHER);
        from += expiry_apply(m, &c->facts[from], to - from);
    }
}

/* Reserved and committed are the units of open reservations, and of nothing else. */
static void expect_promises(const struct model *m)
{
    int64_t sum[MODEL_ITEMS_MAX + 1][MODEL_LOCATIONS_MAX + 1][2] = {{{0}}};
    for (size_t i = 0; i < m->reservations_len; i++) {
        const struct model_reservation *r = &m->reservations[i];
        for (uint32_t n = 0; reservation_state_is_open(r->state) && n < r->lines_len; n++) {
            const struct model_line *l = &lines_of(m, r)[n];
            sum[l->item][l->location][r->state == RESERVATION_HELD ? 0 : 1] += l->quantity - l->fulfilled;
        }
    }
    for (uint32_t i = 1; i <= m->items_len; i++) {
        for (uint32_t l = 1; l <= m->locations_len; l++) {
            promise(
                m->levels[i][l].of[QUANTITY_RESERVED] == sum[i][l][0] &&
                    m->levels[i][l].of[QUANTITY_COMMITTED] == sum[i][l][1],
                "I2", "item %u at %u: promised units belong to nobody", i, l);
        }
    }
}

void model_apply(struct model *m, const struct commit *c)
{
    promise(
        c->seq_before == model_seq(m), "I13", "a batch at seq %llu is stored on %zu", (unsigned long long)c->seq_before,
        m->facts_len);
    size_t at = 0;
    for (size_t i = 0; i < c->decided_len; i++) {
        const struct decided *d = &c->decided[i];
        expiries_apply(m, c, at, d->facts_at);
        decided_apply(m, d, c->facts + d->facts_at);
        at = d->facts_at + d->facts_len;
    }
    expiries_apply(m, c, at, c->facts_len);
    promise(c->seq_after == model_seq(m), "I2", "a batch ends at %llu", (unsigned long long)c->seq_after);
    for (size_t i = 0; i < c->facts_len; i++) {
        show(m, c->facts[i].item);
    }
    if (c->facts_len > 0) {
        expect_promises(m);
    }
}

void model_check_refusal(struct model *m, const struct decided *d)
{
    enum outcome expected = plan(m, d);
    struct str told = outcome_name(d->outcome);
    struct str due = outcome_name(expected);
    promise(
        d->outcome == expected && expected != OUTCOME_OK, "I8", "answered %.*s and not %.*s", STR_ARG(told),
        STR_ARG(due));
}
