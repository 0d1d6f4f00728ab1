/*
 * Deciding a reservation.
 *
 * Lines are merged into demands (item, and location or "any"). Every demand must be met, or the order is refused and
 * every short line is named. Lines with a location take from it; then "any" lines are sourced:
 *
 *   - the whole order from one location if one can; otherwise from the fewest locations;
 *   - among equally few, the set that comes first by rank (priority, then order of definition);
 *   - within the set, each line takes what it can from the first location, then the next.
 *
 * The fewest locations is a set-cover problem. It is solved exactly while no more than SOURCING_SETS_MAX sets have to
 * be tried, which covers a hundred locations when one or two suffice; past that the classic greedy rule chooses (the
 * location that covers most of what is missing, ties by rank). Both are deterministic, and an order that the
 * locations together can meet is refused only when it would be split into more than RESERVATION_PARTS_MAX parts.
 */
#include "base/mem.h"
#include "core/ledger_state.h"

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Adds the line to the demand for the same item and place, or begins a new one. */
static void demand_add(struct ledger *l, uint32_t item, uint32_t location, int64_t quantity, uint32_t line)
{
    for (size_t i = 0; i < l->demands_len; i++) {
        if (l->demands[i].item == item && l->demands[i].location == location) {
            l->demands[i].quantity += quantity;
            return;
        }
    }
    mem_grow((void **)&l->demands, &l->demands_cap, l->demands_len + 1, sizeof(*l->demands));
    l->demands[l->demands_len++] =
        (struct demand){.item = item, .location = location, .quantity = quantity, .line = line};
}

static enum outcome demands_gather(struct decision *d)
{
    struct ledger *l = d->l;
    l->demands_len = 0;
    for (uint32_t n = 0; n < d->command->lines_len; n++) {
        const struct command_line *line = &d->command->lines[n];
        check(line->quantity >= 1 && line->quantity <= LINE_QUANTITY_MAX);
        uint32_t item = ledger_item(l, line->sku);
        if (item == 0) {
            return refuse(d, OUTCOME_UNKNOWN_ITEM, n);
        }
        uint32_t location = 0;
        if (!str_is_absent(line->location)) {
            location = ledger_location(l, line->location);
            if (location == 0) {
                return refuse(d, OUTCOME_UNKNOWN_LOCATION, n);
            }
        }
        demand_add(l, item, location, line->quantity, n);
    }
    return OUTCOME_OK;
}

static int64_t level_available(const struct level *level)
{
    int64_t available = level == NULL ? 0 : quantities_available(&level->q);
    return available < 0 ? 0 : available;
}

/* Units of `item` at `location` that this order takes by lines that name the location. */
static int64_t named_quantity(const struct ledger *l, uint32_t item, uint32_t location)
{
    for (size_t i = 0; i < l->demands_len; i++) {
        if (l->demands[i].item == item && l->demands[i].location == location) {
            return l->demands[i].quantity;
        }
    }
    return 0;
}

/* What is left for "any" lines; negative never, for the named demands were met first. */
static int64_t level_left(const struct ledger *l, const struct level *level, bool some_named)
{
    int64_t named = some_named ? named_quantity(l, level->item, level->location) : 0;
    int64_t left = level_available(level) - named;
    return left < 0 ? 0 : left;
}

static int64_t demand_supply(const struct ledger *l, const struct demand *want, bool some_named)
{
    if (want->location != 0) {
        return level_available(ledger_level(l, want->item, want->location));
    }
    const struct item *item = &l->items[want->item];
    int64_t supply = 0;
    for (uint32_t i = 0; i < item->levels_len; i++) {
        supply += level_left(l, item->levels[i], some_named);
    }
    return supply;
}

static bool some_are(const struct ledger *l, bool named)
{
    for (size_t i = 0; i < l->demands_len; i++) {
        if ((l->demands[i].location != 0) == named) {
            return true;
        }
    }
    return false;
}

/* Names every short line, in the order of the request. */
static bool demands_are_met(struct decision *d, bool some_named)
{
    const struct ledger *l = d->l;
    for (size_t i = 0; i < l->demands_len; i++) {
        const struct demand *want = &l->demands[i];
        int64_t supply = demand_supply(l, want, some_named);
        if (supply < want->quantity) {
            shortfall_add(d, want->line, want->location == 0, want->quantity, supply);
        }
    }
    return l->shortfalls_len == 0;
}

/*
 * Sourcing. `candidates` are the locations with anything to give, by rank; `supply` is a table of what each candidate
 * has left for each demand; `chosen` are indexes into the candidates.
 */

static int64_t *supply_row(const struct ledger *l, size_t candidate)
{
    return &l->supply[candidate * l->demands_len];
}

static bool candidate_fill(struct ledger *l, uint32_t location, bool some_named, int64_t *row)
{
    bool gives = false;
    for (size_t i = 0; i < l->demands_len; i++) {
        const struct demand *want = &l->demands[i];
        const struct level *level = want->location == 0 ? ledger_level(l, want->item, location) : NULL;
        row[i] = level == NULL ? 0 : level_left(l, level, some_named);
        gives = gives || row[i] > 0;
    }
    return gives;
}

static void candidates_gather(struct ledger *l, bool some_named)
{
    mem_grow((void **)&l->candidates, &l->candidates_cap, l->ranks_len, sizeof(*l->candidates));
    mem_grow((void **)&l->supply, &l->supply_cap, l->ranks_len * l->demands_len, sizeof(*l->supply));
    l->candidates_len = 0;
    for (size_t i = 0; i < l->ranks_len; i++) {
        if (candidate_fill(l, l->ranks[i], some_named, supply_row(l, l->candidates_len))) {
            l->candidates[l->candidates_len++] = l->ranks[i];
        }
    }
}

static bool chosen_suffice(const struct ledger *l)
{
    for (size_t i = 0; i < l->demands_len; i++) {
        int64_t need = l->demands[i].location == 0 ? l->demands[i].quantity : 0;
        for (size_t c = 0; c < l->chosen_len && need > 0; c++) {
            need -= supply_row(l, l->chosen[c])[i];
        }
        if (need > 0) {
            return false;
        }
    }
    return true;
}

/* The next set of the same size in rank order; false after the last. */
static bool chosen_next(struct ledger *l)
{
    size_t at = l->chosen_len;
    while (at > 0 && l->chosen[at - 1] == l->candidates_len - l->chosen_len + at - 1) {
        at--;
    }
    if (at == 0) {
        return false;
    }
    uint32_t value = l->chosen[at - 1] + 1;
    for (size_t c = at - 1; c < l->chosen_len; c++) {
        l->chosen[c] = value++;
    }
    return true;
}

static bool choose_exact(struct ledger *l)
{
    size_t tried = 0;
    for (l->chosen_len = 1; l->chosen_len <= l->candidates_len; l->chosen_len++) {
        for (size_t c = 0; c < l->chosen_len; c++) {
            l->chosen[c] = (uint32_t)c;
        }
        do {
            if (chosen_suffice(l)) {
                return true;
            }
            if (++tried == SOURCING_SETS_MAX) {
                return false;
            }
        } while (chosen_next(l));
    }
    unreachable("all candidates together meet the order");
}

/* Units still missing that `candidate` could give; `planned` holds what is missing of each demand. */
static int64_t candidate_covers(const struct ledger *l, size_t candidate)
{
    int64_t covers = 0;
    for (size_t i = 0; i < l->demands_len; i++) {
        covers += min_i64(l->planned[i], supply_row(l, candidate)[i]);
    }
    return covers;
}

/* The candidate that covers most, the first by rank of those; all candidates together meet the order. */
static size_t candidate_best(const struct ledger *l)
{
    size_t best = l->candidates_len;
    int64_t most = 0;
    for (size_t c = 0; c < l->candidates_len; c++) {
        int64_t covers = l->taken[c] ? 0 : candidate_covers(l, c);
        if (covers > most) {
            best = c;
            most = covers;
        }
    }
    check(best < l->candidates_len);
    return best;
}

static bool some_missing(const struct ledger *l)
{
    for (size_t i = 0; i < l->demands_len; i++) {
        if (l->planned[i] > 0) {
            return true;
        }
    }
    return false;
}

static void candidate_take(struct ledger *l, size_t candidate)
{
    l->taken[candidate] = true;
    for (size_t i = 0; i < l->demands_len; i++) {
        l->planned[i] -= min_i64(l->planned[i], supply_row(l, candidate)[i]);
    }
}

/* False when that would be more locations than a reservation has parts. */
static bool choose_greedy(struct ledger *l)
{
    mem_grow((void **)&l->planned, &l->planned_cap, l->demands_len, sizeof(*l->planned));
    mem_grow((void **)&l->taken, &l->taken_cap, l->candidates_len, sizeof(*l->taken));
    memset(l->taken, 0, l->candidates_len * sizeof(*l->taken));
    for (size_t i = 0; i < l->demands_len; i++) {
        l->planned[i] = l->demands[i].location == 0 ? l->demands[i].quantity : 0;
    }
    for (size_t taken = 0; some_missing(l); taken++) {
        if (taken == RESERVATION_PARTS_MAX) {
            return false;
        }
        candidate_take(l, candidate_best(l));
    }
    l->chosen_len = 0;
    for (size_t c = 0; c < l->candidates_len; c++) {
        if (l->taken[c]) {
            l->chosen[l->chosen_len++] = (uint32_t)c;
        }
    }
    return true;
}

static bool choose(struct ledger *l, bool some_named)
{
    candidates_gather(l, some_named);
    mem_grow((void **)&l->chosen, &l->chosen_cap, l->candidates_len, sizeof(*l->chosen));
    return choose_exact(l) || choose_greedy(l);
}

static void demand_allocate(struct decision *d, size_t i)
{
    struct ledger *l = d->l;
    const struct demand *want = &l->demands[i];
    if (want->location != 0) {
        step_at(d, want->item, want->location, want->line)->delta.of[QUANTITY_RESERVED] += want->quantity;
        return;
    }
    int64_t need = want->quantity;
    for (size_t c = 0; need > 0; c++) {
        check(c < l->chosen_len);
        int64_t take = min_i64(need, supply_row(l, l->chosen[c])[i]);
        if (take > 0) {
            uint32_t location = l->candidates[l->chosen[c]];
            step_at(d, want->item, location, want->line)->delta.of[QUANTITY_RESERVED] += take;
            need -= take;
        }
    }
}

static void reservation_make(struct decision *d)
{
    struct ledger *l = d->l;
    const struct command *cmd = d->command;
    struct kept *k = kept_add(l, cmd->id, cmd->reference, (uint32_t)l->steps_len);
    k->r.seq = l->seq + 1;
    k->r.state = RESERVATION_HELD;
    k->r.created_ms = d->now_ms;
    k->r.expires_ms = d->now_ms + (int64_t)cmd->ttl_s * 1000;
    for (size_t i = 0; i < l->steps_len; i++) {
        const struct step *s = &l->steps[i];
        k->r.lines[i] = (struct reservation_line){
            .item = s->item,
            .location = s->location,
            .sku = l->items[s->item].sku,
            .location_id = l->locations[s->location].id,
            .quantity = s->delta.of[QUANTITY_RESERVED],
        };
    }
    kept_hold_add(l, k);
    kept_touch(d, k)->created = true;
    steps_do(d, MOVEMENT_RESERVE, k->r.seq);
    for (size_t i = 0; i < l->steps_len; i++) {
        check(quantities_available(&l->steps[i].level->q) >= 0);
    }
    d->result->reservation = &k->r;
}

enum outcome decide_reserve(struct decision *d)
{
    struct ledger *l = d->l;
    check(d->command->lines_len >= 1 && d->command->lines_len <= LINES_MAX);
    check(d->command->ttl_s >= TTL_S_MIN && d->command->ttl_s <= TTL_S_MAX);
    enum outcome known = demands_gather(d);
    if (known != OUTCOME_OK) {
        return known;
    }
    bool some_named = some_are(l, true);
    if (!demands_are_met(d, some_named)) {
        return refuse_short(d, OUTCOME_INSUFFICIENT_STOCK);
    }
    if (some_are(l, false) && !choose(l, some_named)) {
        return OUTCOME_TOO_FRAGMENTED;
    }
    for (size_t i = 0; i < l->demands_len; i++) {
        demand_allocate(d, i);
        if (l->steps_len > RESERVATION_PARTS_MAX) {
            return OUTCOME_TOO_FRAGMENTED;
        }
    }
    reservation_make(d);
    return OUTCOME_OK;
}
