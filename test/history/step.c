#include "step.h"

#include "memory.h"

#include <stdlib.h>

#define NS_PER_MS 1000000

uint64_t hash_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15U; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

/* Gathering: which holds have a line here, and when they run out by the clients' clock. */
struct local_hold {
    const struct op *maker;
    uint32_t index;
    int64_t earliest_ns, latest_ns;
};

struct gather {
    const struct history *h;
    const struct ledger *l;
    uint32_t sku;
    struct steps *out;
    struct local_hold *holds; /* by number of the id; maker is NULL: not here */
    int64_t end_ns;           /* the last answer of all */
};

static struct step *step_add(struct gather *g, enum step_kind kind, const struct op *op)
{
    struct steps *out = g->out;
    memory_grow((void **)&out->rows, &out->cap, out->len + 1, sizeof(*out->rows));
    struct step *s = &out->rows[out->len++];
    *s = (struct step){.kind = kind, .op = op, .invoke_ns = op->invoke_ns, .return_ns = op->return_ns};
    uint64_t known = op->seq != 0 ? op->seq : op->last_seq;
    s->hint = known != 0 ? known : UINT64_MAX;
    return s;
}

static const struct op_line *line_here(const struct gather *g, const struct op *op)
{
    for (uint32_t i = 0; i < op->lines_len; i++) {
        if (op->lines[i].sku == g->sku) {
            return &op->lines[i];
        }
    }
    return NULL;
}

static int64_t later(int64_t time_ns, int64_t by_ns)
{
    return time_ns > TIME_NEVER - by_ns ? TIME_NEVER : time_ns + by_ns;
}

static uint64_t expiry_hint(const struct gather *g, const struct op *maker)
{
    const struct hold *hold = g->l == NULL ? NULL : ledger_hold(g->l, maker->first_seq);
    return hold != NULL && hold->state == HOLD_EXPIRED ? hold->end_last : UINT64_MAX;
}

static void add_hold(struct gather *g, const struct op *op, const struct op_line *line)
{
    uint32_t index = (uint32_t)g->out->holds_len++;
    struct step *made = step_add(g, STEP_HOLD, op);
    made->hold = index;
    made->units = line->units;
    struct local_hold local = {.maker = op, .index = index};
    local.earliest_ns = later(op->invoke_ns, op->ttl_ms * NS_PER_MS) - g->h->slack_ns;
    local.latest_ns =
        op->return_ns == TIME_NEVER ? TIME_NEVER : later(op->return_ns, op->ttl_ms * NS_PER_MS + g->h->slack_ns);
    if (op->hold != 0) {
        g->holds[op->hold] = local;
    }
    if (local.earliest_ns > g->end_ns) {
        return; /* nobody can have seen it */
    }
    struct step *expiry = step_add(g, STEP_EXPIRE, op);
    expiry->hold = index;
    expiry->units = line->units;
    expiry->invoke_ns = local.earliest_ns < op->invoke_ns ? op->invoke_ns : local.earliest_ns;
    expiry->return_ns = local.latest_ns == TIME_NEVER ? TIME_NEVER : later(local.latest_ns, g->h->late_ns);
    expiry->return_ns = expiry->return_ns > g->end_ns ? TIME_NEVER : expiry->return_ns;
    expiry->hint = expiry_hint(g, op);
}

static void gather_reserve(struct gather *g, const struct op *op)
{
    const struct op_line *line = line_here(g, op);
    if (line == NULL) {
        return;
    }
    if (op->result != RESULT_SHORT) {
        add_hold(g, op, line);
        return;
    }
    struct step *s = step_add(g, line->available >= 0 ? STEP_NO_HOLD : STEP_OTHER_SHORT, op);
    s->units = line->units;
    s->said = line->available;
}

static void gather_change(struct gather *g, const struct op *op)
{
    struct step *s = step_add(g, op->result == RESULT_NEGATIVE ? STEP_NO_CHANGE : STEP_CHANGE, op);
    s->units = op->lines[0].units;
    s->is_answered = op->result == RESULT_OK;
}

static void gather_end(struct gather *g, const struct op *op)
{
    const struct local_hold *hold = &g->holds[op->hold];
    if (hold->maker == NULL) {
        return;
    }
    enum step_kind kind = op->result == RESULT_EXPIRED ? STEP_RAN_OUT
        : op->result == RESULT_STATE                   ? STEP_NO_END
                                                       : STEP_END;
    struct step *s = step_add(g, kind, op);
    s->hold = hold->index;
    s->units = line_here(g, hold->maker)->units;
    s->told = kind == STEP_END ? (op->kind == OP_COMMIT ? HOLD_COMMITTED : HOLD_RELEASED) : op->state;
    s->in_time = kind == STEP_RAN_OUT ? op->return_ns >= hold->earliest_ns : op->invoke_ns <= hold->latest_ns;
}

static void gather_op(struct gather *g, const struct op *op)
{
    if (op->repeats != 0) {
        return;
    }
    switch (op->kind) {
    case OP_RECEIVE:
    case OP_ADJUST:
        if (op->lines[0].sku == g->sku) {
            gather_change(g, op);
        }
        break;
    case OP_COMMIT:
    case OP_RELEASE:
        gather_end(g, op);
        break;
    case OP_LEVEL:
        if (op->lines[0].sku == g->sku) {
            step_add(g, STEP_READ, op)->is_answered = true;
        }
        break;
    default:
        break;
    }
}

void steps_gather(const struct history *h, const struct ledger *l, uint32_t sku, struct steps *out)
{
    struct gather g = {.h = h, .l = l, .sku = sku, .out = out};
    g.holds = memory_new(h->holds.len + 1, sizeof(*g.holds));
    *out = (struct steps){0};
    for (size_t i = 0; i < h->ops_len; i++) {
        const struct op *op = &h->ops[i];
        g.end_ns = op->return_ns != TIME_NEVER && op->return_ns > g.end_ns ? op->return_ns : g.end_ns;
    }
    for (size_t i = 0; i < h->ops_len; i++) { /* holds first: others refer to them */
        if (h->ops[i].kind == OP_RESERVE && h->ops[i].repeats == 0) {
            gather_reserve(&g, &h->ops[i]);
        }
    }
    for (size_t i = 0; i < h->ops_len; i++) {
        gather_op(&g, &h->ops[i]);
    }
    free(g.holds);
}

/* The model. */

static bool is_as_answered(const struct step *s, struct amounts amounts, uint64_t version)
{
    return !s->is_answered || (version == s->op->version && amounts_equal(amounts, s->op->after));
}

static enum step_effect try_change(const struct level_model *m, const struct step *s)
{
    struct amounts after = m->amounts;
    after.on_hand += s->units;
    return after.on_hand >= 0 && is_as_answered(s, after, m->version + 1) ? STEP_MOVES : STEP_WRONG;
}

static bool is_refusal_right(const struct level_model *m, const struct step *s)
{
    int64_t available = amounts_available(m->amounts);
    available = available < 0 ? 0 : available;
    if (s->kind == STEP_OTHER_SHORT) {
        return available >= s->units;
    }
    return available < s->units && available == s->said;
}

static enum step_effect try_end(uint8_t state, const struct step *s)
{
    if (state == s->told) {
        return STEP_IDLE;
    }
    return state == HOLD_HELD && s->in_time ? STEP_MOVES : STEP_WRONG;
}

/*
 * Running out changes nothing but that nobody can end the hold any more; nobody did before this step, so it may as well
 * come at once.
 */
static enum step_effect try_ran_out(uint8_t state, const struct step *s)
{
    if (s->told == HOLD_EXPIRED) {
        return state == HOLD_EXPIRED && s->in_time ? STEP_IDLE : STEP_WRONG;
    }
    if (state == HOLD_HELD && s->in_time) {
        return STEP_CERTAIN;
    }
    return state == HOLD_RAN_OUT ? STEP_IDLE : STEP_WRONG;
}

static enum step_effect try_expire(uint8_t state)
{
    if (state == HOLD_NONE) {
        return STEP_WRONG;
    }
    return state == HOLD_HELD || state == HOLD_RAN_OUT ? STEP_MOVES : STEP_IDLE;
}

enum step_effect model_try(const struct level_model *m, const struct step *s)
{
    switch (s->kind) {
    case STEP_CHANGE:
        return try_change(m, s);
    case STEP_NO_CHANGE:
        return m->amounts.on_hand == s->op->after.on_hand && m->amounts.on_hand + s->units < 0 ? STEP_IDLE : STEP_WRONG;
    case STEP_HOLD:
        return m->states[s->hold] == HOLD_NONE && amounts_available(m->amounts) >= s->units ? STEP_MOVES : STEP_WRONG;
    case STEP_NO_HOLD:
    case STEP_OTHER_SHORT:
        return is_refusal_right(m, s) ? STEP_IDLE : STEP_WRONG;
    case STEP_END:
        return try_end(m->states[s->hold], s);
    case STEP_NO_END:
        return m->states[s->hold] == s->told ? STEP_IDLE : STEP_WRONG;
    case STEP_RAN_OUT:
        return try_ran_out(m->states[s->hold], s);
    case STEP_EXPIRE:
        return try_expire(m->states[s->hold]);
    case STEP_READ:
        return is_as_answered(s, m->amounts, m->version) ? STEP_IDLE : STEP_WRONG;
    }
    abort();
}

static void set_state(struct level_model *m, uint32_t hold, uint8_t state)
{
    m->hash ^= hash_mix(((uint64_t)hold << 8) | m->states[hold]);
    m->hash ^= hash_mix(((uint64_t)hold << 8) | state);
    m->states[hold] = state;
}

/* Adds what the step does `sign` times to the amounts; `committed`: what leaves `reserved` goes there. */
static void move(struct level_model *m, const struct step *s, int64_t sign)
{
    int64_t units = sign * s->units;
    switch (s->kind) {
    case STEP_CHANGE:
        m->amounts.on_hand += units;
        break;
    case STEP_HOLD:
        m->amounts.reserved += units;
        break;
    case STEP_END:
        m->amounts.reserved -= units;
        m->amounts.committed += s->told == HOLD_COMMITTED ? units : 0;
        break;
    case STEP_EXPIRE:
        m->amounts.reserved -= units;
        break;
    default: /* ran out: nothing moves yet */
        return;
    }
    m->version += (uint64_t)sign;
}

uint8_t model_do(struct level_model *m, const struct step *s)
{
    if (s->kind == STEP_CHANGE) {
        move(m, s, 1);
        return 0;
    }
    uint8_t before = m->states[s->hold];
    uint8_t after = s->kind == STEP_HOLD ? HOLD_HELD
        : s->kind == STEP_END            ? (uint8_t)s->told
        : s->kind == STEP_RAN_OUT        ? HOLD_RAN_OUT
                                         : HOLD_EXPIRED;
    move(m, s, 1);
    set_state(m, s->hold, after);
    return before;
}

void model_undo(struct level_model *m, const struct step *s, uint8_t state)
{
    move(m, s, -1);
    if (s->kind != STEP_CHANGE) {
        set_state(m, s->hold, state);
    }
}
