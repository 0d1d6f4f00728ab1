/* What happens next: drawn step by step, first with faults, then without until everything has healed. */
#include "base/mem.h"
#include "stream.h"

#include <stdarg.h>
#include <stdio.h>

#define NS_PER_MS 1000000LL
#define YEAR_MS (365LL * 86400 * 1000)
#define HEAL_TURN_MS 50

/* Bytes that have to be escaped, or are several to a character, on their way too. */
static const char *const skus[SKUS] = {"BOLT-1",  "BOLT-2", "M6 \"x\" 20", "Öse",       "a\\b", "7",
                                       "LANTERN", "ÅÄÖ/1",  "x y z",       "nut,small", "</p>", "木"};
static const char *const locations[LOCATIONS] = {"leeds", "york-2", "Z_9.x"};

struct str stream_sku(uint32_t sku)
{
    return str_from(skus[sku]);
}

struct str stream_location(uint32_t location)
{
    return str_from(locations[location]);
}

static uint32_t name_of(const char *const *names, uint32_t len, struct str name)
{
    uint32_t i = 0;
    while (i < len && !str_equal(str_from(names[i]), name)) {
        i++;
    }
    return i;
}

uint32_t stream_sku_of(struct str name)
{
    return name_of(skus, SKUS, name);
}

uint32_t stream_location_of(struct str name)
{
    return name_of(locations, LOCATIONS, name);
}

/* --- chance, time and what is told of them ------------------------------------------------------------------------ */

uint64_t stream_below(struct stream *w, uint64_t bound)
{
    return random_below(&w->random, bound);
}

bool stream_fault(struct stream *w, bool planned, uint64_t one_in)
{
    return planned && w->faults_on && stream_below(w, one_in) == 0;
}

void stream_trace(struct stream *w, uint64_t value)
{
    w->trace = (w->trace ^ value) * 1099511628211u;
}

void stream_trace_bytes(struct stream *w, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        stream_trace(w, ((const unsigned char *)bytes)[i]);
    }
}

int64_t stream_mono_ms(const struct stream *w)
{
    return w->clock.mono_ns / NS_PER_MS;
}

int64_t stream_wall_ms(const struct stream *w)
{
    return stream_mono_ms(w) + w->clock.wall_ahead_ms;
}

void stream_pass_ms(struct stream *w, int64_t ms)
{
    w->clock.mono_ns += ms * NS_PER_MS;
}

struct past *stream_past(struct stream *w)
{
    return &w->pasts[w->past];
}

static struct stream *the_world;

/* What is said is part of the trace. */
void stream_say(struct stream *w, const char *format, ...)
{
    char what[SAID_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    long long ms = (w->clock.mono_ns - w->began_ns) / NS_PER_MS;
    char *line = w->said[w->said_len++ % SAID];
    int len = snprintf(line, SAID_BYTES, "step %llu, %lld ms: %s", (unsigned long long)place.step, ms, what);
    check(len > 0);
    stream_trace_bytes(w, line, strlen(line));
}

static void tell(void)
{
    const struct stream *w = the_world;
    uint64_t from = w == NULL || w->said_len < SAID ? 0 : w->said_len - SAID;
    for (uint64_t i = from; w != NULL && i < w->said_len; i++) {
        printf("%s\n", w->said[i % SAID]);
    }
}

/* --- birth and death of the world --------------------------------------------------------------------------------- */

static void draw_plan(struct stream *w)
{
    bool *may = (bool *)&w->plan;
    for (size_t i = 0; i < sizeof(w->plan) / sizeof(bool); i++) {
        may[i] = stream_below(w, 2) == 0;
    }
    w->plan.keeps = stream_below(w, 4) == 0;
    w->plan.replaces = stream_below(w, 4) == 0;
    w->nodes_len = 1 + (uint32_t)stream_below(w, NODES_MAX);
    w->page = 1 + (uint32_t)stream_below(w, 8);
}

struct stream *stream_new(uint64_t seed)
{
    struct stream *w = mem_new(sizeof(*w));
    w->seed = seed;
    random_init(&w->random, seed);
    w->clock.mono_ns = 1000000 * NS_PER_MS;
    w->clock.wall_ahead_ms = 1750000000000LL + (int64_t)stream_below(w, YEAR_MS);
    w->began_ns = w->clock.mono_ns;
    w->faults_on = true;
    the_world = w;
    place.step = 0;
    place.tell = tell;
    clock_is(&w->clock);
    draw_plan(w);
    broker_open(w);
    shop_open(w);
    nodes_open(w);
    return w;
}

void stream_free(struct stream *w)
{
    nodes_close(w);
    shop_close(w);
    broker_close(w);
    for (size_t i = 0; i <= w->past; i++) {
        mem_free(w->pasts[i].facts);
        mem_free(w->pasts[i].deeds);
        mem_free(w->pasts[i].published);
    }
    clock_is(NULL);
    the_world = NULL;
    mem_free(w);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

void stream_meanwhile(struct stream *w)
{
    if (!w->faults_on || w->depth > 0 || stream_below(w, 4) != 0) {
        return;
    }
    w->depth++;
    stream_pass_ms(w, (int64_t)stream_below(w, 20));
    switch (stream_below(w, 8)) {
    case 0:
        if (w->plan.takeovers) {
            shop_take_over(w);
            mark(MARK_TAKE_OVER_MEANWHILE);
        }
        break;
    case 1:
    case 2:
        shop_step_relay(w, w->shop.leaders[stream_below(w, w->shop.leaders_len)]);
        break;
    default:
        shop_commit(w);
    }
    w->depth--;
}

static struct node *any_node(struct stream *w)
{
    return &w->nodes[stream_below(w, w->nodes_len)];
}

static void end_a_node(struct stream *w)
{
    struct node *n = any_node(w);
    if (n->on) {
        node_stop(n, stream_below(w, 2) == 0);
        n->away_until_ms = stream_mono_ms(w) + (int64_t)stream_below(w, 4000);
        if (stream_fault(w, w->plan.power_cuts && w->plan.keeps && n->past == w->past, 2)) {
            node_cut_power(n);
        }
    } else if (n->dir != NULL && stream_below(w, 4) == 0) {
        node_forget(n);
        mark(MARK_KEPT_DELETED);
    }
}

static void turn_a_connection(struct stream *w)
{
    struct node *n = any_node(w);
    if (n->on && n->connected) {
        broker_disconnect(n);
        mark(MARK_NODE_DISCONNECTED);
    } else if (n->on) {
        broker_connect(w, n);
    }
}

/* A store only once all have noticed the one before: the guides ask for no less. */
static bool all_have_noticed(const struct stream *w)
{
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        if (w->nodes[i].past != w->past) {
            return false;
        }
    }
    return true;
}

/*
 * What it heard before its first catalogue, or of an item whose definition it missed, has nothing beside it that would tell
 * that it is of another store, if that one has more: such a node is started after its store was replaced.
 */
static bool knows_in_part(const struct node *n)
{
    bool in_part = atomic_load(&n->availability.view.seq) == 0;
    for (uint32_t sku = 0; sku < SKUS && !in_part; sku++) {
        in_part = n->known[sku] && n->defined_ms[sku] == 0;
    }
    return in_part;
}

static void end_if_in_part(struct node *n)
{
    if (!knows_in_part(n)) {
        return;
    }
    if (n->on) {
        node_stop(n, false);
    }
    node_forget(n);
}

/* They come back when it has grown past what they know. */
static void end_all_nodes(struct stream *w)
{
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        if (w->nodes[i].on) {
            node_stop(&w->nodes[i], stream_below(w, 2) == 0);
        }
        w->nodes[i].away_until_ms = stream_mono_ms(w) + (int64_t)stream_below(w, 2000);
    }
}

static void grow(struct stream *w)
{
    uint64_t before = stream_past(w)->facts_len;
    for (uint64_t n = 2 + stream_below(w, 12); n > 0; n--) {
        shop_commit(w);
    }
    if (stream_past(w)->facts_len > before) {
        mark(MARK_STORE_GROWS_UNSEEN);
    }
}

static void replace_store(struct stream *w, bool by_another)
{
    if (w->past + 1 == PASTS_MAX || !all_have_noticed(w)) {
        return;
    }
    bool unseen = stream_below(w, 2) == 0;
    if (unseen) {
        end_all_nodes(w);
    }
    if (stream_below(w, 2) == 0) {
        for (uint32_t i = 0; i < w->nodes_len; i++) {
            told_drop_all(&w->nodes[i].queue);
        }
    }
    for (uint32_t i = 0; i < w->nodes_len && by_another; i++) {
        end_if_in_part(&w->nodes[i]);
    }
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        struct availability_metrics m = {0};
        if (w->nodes[i].on) {
            follow_metrics(w->nodes[i].follow, &m);
        }
        w->nodes[i].is_mixed = w->nodes[i].is_mixed || m.doubts;
    }
    shop_restore(w, by_another);
    if (unseen) {
        grow(w);
    }
}

static void something_rare(struct stream *w)
{
    switch (stream_below(w, 12)) {
    case 0:
    case 1:
        if (w->plan.takeovers) {
            shop_take_over(w);
        }
        break;
    case 2:
    case 3:
        broker_act(w);
        break;
    case 4:
        if (w->plan.disconnects) {
            turn_a_connection(w);
        }
        break;
    case 5:
    case 6:
        if (w->plan.kills) {
            end_a_node(w);
        }
        break;
    case 7:
        if (stream_fault(w, w->plan.inventory_away, 2)) {
            w->inventory_away_until_ms = stream_mono_ms(w) + (int64_t)stream_below(w, 4000);
        }
        break;
    case 8:
        if (stream_fault(w, w->plan.restores, 3)) {
            replace_store(w, false);
        } else if (stream_fault(w, w->plan.replaces, 3)) {
            replace_store(w, true);
        }
        break;
    case 9:
        stream_pass_ms(w, (int64_t)stream_below(w, 3000));
        break;
    default:
        turn_a_connection(w);
    }
}

static void step(struct stream *w)
{
    stream_pass_ms(w, (int64_t)stream_below(w, 40));
    uint64_t what = stream_below(w, 24);
    if (what < 6) {
        shop_commit(w);
    } else if (what < 12) {
        shop_turn(w);
    } else if (what < 20) {
        node_turn(any_node(w));
    } else if (what < 22) {
        broker_deliver_late(w);
    } else {
        something_rare(w);
    }
    stream_trace(w, what);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static bool all_are_equal(struct stream *w)
{
    bool equal = true;
    for (uint32_t i = 0; i < w->nodes_len && equal; i++) {
        equal = node_is_equal(&w->nodes[i]);
    }
    return equal;
}

static void mend(struct stream *w)
{
    w->faults_on = false;
    w->inventory_away_until_ms = 0;
    broker_mend(w);
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        struct node *n = &w->nodes[i];
        n->away_until_ms = stream_mono_ms(w);
        if (n->on && !n->connected) {
            broker_connect(w, n);
        }
    }
    stream_say(w, "the faults have ended");
}

static void heal(struct stream *w)
{
    int64_t until_ms = stream_mono_ms(w) + HEAL_MS;
    while (!all_are_equal(w)) {
        promise(stream_mono_ms(w) < until_ms, "I10", "not all nodes have the present state after %d ms", HEAL_MS);
        stream_pass_ms(w, HEAL_TURN_MS);
        shop_turn(w);
        for (uint32_t i = 0; i < w->nodes_len; i++) {
            node_turn(&w->nodes[i]);
        }
    }
    prove_equal(w);
}

/* Inventory alone says enough, once it was asked again. */
static void go_on_without_broker(struct stream *w)
{
    const int64_t most_ms = FOLLOWER_SILENCE_MS + 2 * HEAL_TURN_MS;
    w->broker.away = true;
    stream_say(w, "the broker is away, and nothing else");
    const int turns = FOLLOWER_SILENCE_MS / HEAL_TURN_MS;
    for (int turn = 0; turn < 3 * turns; turn++) {
        stream_pass_ms(w, HEAL_TURN_MS);
        shop_commit(w);
        shop_turn(w);
        for (uint32_t i = 0; i < w->nodes_len; i++) {
            struct node *n = &w->nodes[i];
            node_turn(n);
            int64_t age_ms = n->on ? follow_age_ms(n->follow) : 0; /* it may have to begin anew */
            promise(
                turn < turns || age_ms <= most_ms, "I23", "node %u is %lld ms old, but inventory answers", i,
                (long long)age_ms);
        }
    }
    broker_mend(w);
    heal(w);
}

/* Another life on what was kept comes to the same. */
static void live_again(struct stream *w)
{
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        node_stop(&w->nodes[i], stream_below(w, 2) == 0);
    }
    heal(w);
}

void stream_run(struct stream *w, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        place.step = i;
        step(w);
    }
    mend(w);
    heal(w);
    shop_commit(w);
    heal(w);
    go_on_without_broker(w);
    live_again(w);
    stream_pass_ms(w, RELAY_POSITION_MS);
    shop_turn(w);
    prove_one_relay(w);
    mark(MARK_HEALED);
}
