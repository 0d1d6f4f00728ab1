/* Decisions about items, locations and stock itself: define, receive, adjust, set, transfer. And how steps are done. */
#include "base/mem.h"
#include "core/ledger_state.h"

enum outcome refuse(struct decision *d, enum outcome outcome, uint32_t line)
{
    d->result->line = line;
    return outcome;
}

void shortfall_add(struct decision *d, uint32_t line, bool any, int64_t requested, int64_t available)
{
    struct ledger *l = d->l;
    const struct command_line *asked = &d->command->lines[line];
    mem_grow((void **)&l->shortfalls, &l->shortfalls_cap, l->shortfalls_len + 1, sizeof(*l->shortfalls));
    l->shortfalls[l->shortfalls_len++] = (struct shortfall){
        .line = line,
        .sku = asked->sku,
        .location = any ? STR_NONE : asked->location,
        .requested = requested,
        .available = available < 0 ? 0 : available,
    };
}

enum outcome refuse_short(struct decision *d, enum outcome outcome)
{
    check(d->l->shortfalls_len > 0);
    d->result->shortfalls = d->l->shortfalls;
    d->result->shortfalls_len = (uint32_t)d->l->shortfalls_len;
    d->result->line = d->l->shortfalls[0].line;
    return outcome;
}

/* The step for this level; lines on the same level share one. */
struct step *step_at(struct decision *d, uint32_t item, uint32_t location, uint32_t line)
{
    struct ledger *l = d->l;
    for (size_t i = 0; i < l->steps_len; i++) {
        if (l->steps[i].item == item && l->steps[i].location == location) {
            return &l->steps[i];
        }
    }
    mem_grow((void **)&l->steps, &l->steps_cap, l->steps_len + 1, sizeof(*l->steps));
    struct step *s = &l->steps[l->steps_len++];
    *s = (struct step){.item = item, .location = location, .line = line, .level = ledger_level(l, item, location)};
    return s;
}

int64_t step_value(const struct step *s, enum quantity q)
{
    return (s->level == NULL ? 0 : s->level->q.of[q]) + s->delta.of[q];
}

static void level_note(struct changes *c, struct level *level, bool created)
{
    if (level->touched_in != c->number) {
        mem_grow((void **)&c->levels, &c->levels_cap, c->levels_len + 1, sizeof(*c->levels));
        level->touched_in = c->number;
        level->change = (uint32_t)c->levels_len++;
        c->levels[level->change] = (struct level_change){.created = created};
    }
    c->levels[level->change].movement = (uint32_t)c->movements_len;
}

/* The one place where a level changes. */
void move(
    struct decision *d,
    struct level *level,
    const struct quantities *delta,
    enum movement_kind kind,
    uint64_t reservation)
{
    struct ledger *l = d->l;
    struct changes *c = d->changes;
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        level->q.of[q] += delta->of[q];
        check(level->q.of[q] >= 0 && level->q.of[q] <= QUANTITY_MAX);
    }
    level_note(c, level, level->version == 0);
    level->version++;
    level->seq = ++l->seq;
    level->time_ms = d->now_ms;
    mem_grow((void **)&c->movements, &c->movements_cap, c->movements_len + 1, sizeof(*c->movements));
    c->movements[c->movements_len++] = (struct movement){
        .seq = l->seq,
        .time_ms = d->now_ms,
        .kind = kind,
        .item = level->item,
        .location = level->location,
        .sku = l->items[level->item].sku,
        .location_id = l->locations[level->location].id,
        .delta = *delta,
        .after = level->q,
        .version = level->version,
        .reservation = reservation,
        .reason = d->command->reason,
        .reference = d->command->reference,
        .actor = d->command->actor,
    };
}

void steps_do(struct decision *d, enum movement_kind kind, uint64_t reservation)
{
    for (size_t i = 0; i < d->l->steps_len; i++) {
        struct step *s = &d->l->steps[i];
        if (s->level == NULL) {
            s->level = ledger_level_add(d->l, s->item, s->location);
        }
        move(d, s->level, &s->delta, kind, reservation);
    }
}

/* No quantity of any step below zero (names every line) or above the maximum. */
static enum outcome steps_check(struct decision *d)
{
    struct ledger *l = d->l;
    for (size_t i = 0; i < l->steps_len; i++) {
        const struct step *s = &l->steps[i];
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            if (step_value(s, q) < 0) {
                shortfall_add(d, s->line, false, -s->delta.of[q], step_value(s, q) - s->delta.of[q]);
                break;
            }
        }
    }
    if (l->shortfalls_len > 0) {
        return refuse_short(d, OUTCOME_NEGATIVE_QUANTITY);
    }
    for (size_t i = 0; i < l->steps_len; i++) {
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            if (step_value(&l->steps[i], q) > QUANTITY_MAX) {
                return refuse(d, OUTCOME_QUANTITY_OVERFLOW, l->steps[i].line);
            }
        }
    }
    return OUTCOME_OK;
}

/* Looks up item and location of line `n`; the location of transfers is the command's. */
static enum outcome
line_find(struct decision *d, uint32_t n, struct str location_id, uint32_t *item, uint32_t *location)
{
    *item = ledger_item(d->l, d->command->lines[n].sku);
    if (*item == 0) {
        return refuse(d, OUTCOME_UNKNOWN_ITEM, n);
    }
    *location = ledger_location(d->l, location_id);
    return *location == 0 ? refuse(d, OUTCOME_UNKNOWN_LOCATION, n) : OUTCOME_OK;
}

/* The item's change of this run: the one that there is, so that a store meets no item twice, or a new one. */
static struct item_change *item_change_of(struct decision *d, uint32_t item)
{
    struct changes *c = d->changes;
    uint32_t *at = &d->l->items[item].change;
    if (*at >= c->items_len || c->items[*at].item != item) {
        mem_grow((void **)&c->items, &c->items_cap, c->items_len + 1, sizeof(*c->items));
        *at = (uint32_t)c->items_len++;
        c->items[*at] = (struct item_change){.item = item, .created = d->result->created};
    }
    return &c->items[*at];
}

enum outcome decide_define_item(struct decision *d)
{
    struct ledger *l = d->l;
    const struct command *cmd = d->command;
    uint32_t item = ledger_item(l, cmd->sku);
    d->result->created = item == 0;
    if (item == 0) {
        if (l->items_len > ITEMS_MAX) {
            return OUTCOME_LIMIT_REACHED;
        }
        item = ledger_item_add(l, cmd->sku, d->now_ms);
    }
    struct item_change *i = item_change_of(d, item);
    i->sku = l->items[item].sku;
    i->name = cmd->name;
    i->attributes = str_is_absent(cmd->attributes) ? STR("{}") : cmd->attributes;
    i->time_ms = l->items[item].defined_ms;
    return OUTCOME_OK;
}

static struct location_change *location_change_of(struct decision *d, uint32_t location)
{
    struct changes *c = d->changes;
    uint32_t *at = &d->l->locations[location].change;
    if (*at >= c->locations_len || c->locations[*at].location != location) {
        mem_grow((void **)&c->locations, &c->locations_cap, c->locations_len + 1, sizeof(*c->locations));
        *at = (uint32_t)c->locations_len++;
        c->locations[*at] = (struct location_change){.location = location, .created = d->result->created};
    }
    return &c->locations[*at];
}

enum outcome decide_define_location(struct decision *d)
{
    struct ledger *l = d->l;
    const struct command *cmd = d->command;
    check(cmd->priority <= PRIORITY_MAX);
    uint32_t location = ledger_location(l, cmd->location);
    d->result->created = location == 0;
    if (location == 0) {
        if (l->locations_len > LOCATIONS_MAX) {
            return OUTCOME_LIMIT_REACHED;
        }
        location = ledger_location_add(l, cmd->location, cmd->priority);
    } else {
        ledger_location_rank(l, location, cmd->priority);
    }
    struct location_change *v = location_change_of(d, location);
    v->id = l->locations[location].id;
    v->name = cmd->name;
    v->priority = cmd->priority;
    return OUTCOME_OK;
}

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Goods arrive: on_hand rises; what was announced as incoming falls by as much, but not below zero. */
enum outcome decide_receive(struct decision *d)
{
    const struct command *cmd = d->command;
    for (uint32_t n = 0; n < cmd->lines_len; n++) {
        uint32_t item;
        uint32_t location;
        int64_t quantity = cmd->lines[n].quantity;
        check(quantity >= 1 && quantity <= LINE_QUANTITY_MAX);
        enum outcome found = line_find(d, n, cmd->lines[n].location, &item, &location);
        if (found != OUTCOME_OK) {
            return found;
        }
        struct step *s = step_at(d, item, location, n);
        s->delta.of[QUANTITY_ON_HAND] += quantity;
        s->delta.of[QUANTITY_INCOMING] -= min_i64(quantity, step_value(s, QUANTITY_INCOMING));
    }
    enum outcome sound = steps_check(d);
    if (sound == OUTCOME_OK) {
        steps_do(d, MOVEMENT_RECEIVE, 0);
    }
    return sound;
}

enum outcome decide_adjust(struct decision *d)
{
    const struct command *cmd = d->command;
    for (uint32_t n = 0; n < cmd->lines_len; n++) {
        uint32_t item;
        uint32_t location;
        const struct command_line *line = &cmd->lines[n];
        check(line->quantity != 0 && line->quantity >= -LINE_QUANTITY_MAX && line->quantity <= LINE_QUANTITY_MAX);
        check(quantity_is_adjustable(line->bucket));
        enum outcome found = line_find(d, n, line->location, &item, &location);
        if (found != OUTCOME_OK) {
            return found;
        }
        step_at(d, item, location, n)->delta.of[line->bucket] += line->quantity;
    }
    enum outcome sound = steps_check(d);
    if (sound == OUTCOME_OK) {
        steps_do(d, MOVEMENT_ADJUST, 0);
    }
    return sound;
}

static bool version_is_expected(const struct command *cmd, uint64_t version)
{
    return cmd->set_any_version ? version > 0 : version == cmd->expected_version;
}

enum outcome decide_set(struct decision *d)
{
    const struct command *cmd = d->command;
    uint32_t item = ledger_item(d->l, cmd->sku);
    uint32_t location = ledger_location(d->l, cmd->location);
    if (item == 0 || location == 0) {
        return refuse(d, item == 0 ? OUTCOME_UNKNOWN_ITEM : OUTCOME_UNKNOWN_LOCATION, 0);
    }
    struct step *s = step_at(d, item, location, 0);
    uint64_t version = s->level == NULL ? 0 : s->level->version;
    if (!version_is_expected(cmd, version)) {
        d->result->version = version;
        return OUTCOME_VERSION_MISMATCH;
    }
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        if (cmd->set_given[q]) {
            check(quantity_is_adjustable(q));
            check(cmd->set.of[q] >= 0 && cmd->set.of[q] <= QUANTITY_MAX);
            s->delta.of[q] = cmd->set.of[q] - step_value(s, q);
        }
    }
    d->result->created = s->level == NULL;
    steps_do(d, MOVEMENT_SET, 0);
    return OUTCOME_OK;
}

/* Only units that are available can leave: promised ones stay where they were promised. */
static enum outcome transfer_check(struct decision *d, size_t steps_out)
{
    struct ledger *l = d->l;
    for (size_t i = 0; i < steps_out; i++) {
        const struct step *s = &l->steps[i];
        int64_t available = s->level == NULL ? 0 : quantities_available(&s->level->q);
        int64_t requested = -s->delta.of[QUANTITY_ON_HAND];
        if (available < requested) {
            shortfall_add(d, s->line, true, requested, available);
            l->shortfalls[l->shortfalls_len - 1].location = d->command->location;
        }
    }
    return l->shortfalls_len > 0 ? refuse_short(d, OUTCOME_INSUFFICIENT_STOCK) : steps_check(d);
}

enum outcome decide_transfer(struct decision *d)
{
    const struct command *cmd = d->command;
    check(!str_equal(cmd->location, cmd->to));
    for (unsigned way = 0; way < 2; way++) {
        for (uint32_t n = 0; n < cmd->lines_len; n++) {
            uint32_t item;
            uint32_t location;
            check(cmd->lines[n].quantity >= 1 && cmd->lines[n].quantity <= LINE_QUANTITY_MAX);
            enum outcome found = line_find(d, n, way == 0 ? cmd->location : cmd->to, &item, &location);
            if (found != OUTCOME_OK) {
                return found;
            }
            int64_t delta = way == 0 ? -cmd->lines[n].quantity : cmd->lines[n].quantity;
            step_at(d, item, location, n)->delta.of[QUANTITY_ON_HAND] += delta;
        }
    }
    /* The same items leave and arrive, so the first half of the steps is those that leave. */
    size_t steps_out = d->l->steps_len / 2;
    enum outcome sound = transfer_check(d, steps_out);
    if (sound != OUTCOME_OK) {
        return sound;
    }
    for (size_t i = 0; i < d->l->steps_len; i++) {
        struct step *s = &d->l->steps[i];
        if (s->level == NULL) {
            s->level = ledger_level_add(d->l, s->item, s->location);
        }
        move(d, s->level, &s->delta, i < steps_out ? MOVEMENT_TRANSFER_OUT : MOVEMENT_TRANSFER_IN, 0);
    }
    return OUTCOME_OK;
}
