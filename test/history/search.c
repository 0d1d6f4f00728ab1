#include "search.h"

#include "memory.h"
#include "step.h"

#include <stdlib.h>
#include <time.h>

#define TRIED_MAX ((size_t)1 << 22)
#define STEPS_BETWEEN_LOOKS 4096
#define GAVE_UP_PERCENT_MAX 1

/* A node of the list of events by time; what has been put in order is not in it. */
struct node {
    uint32_t step;
    bool is_return;
    uint32_t next, prev; /* indexes; 0 is the head */
};

/* Which step was put at a place of the order, and how to take it away. */
struct frame {
    uint32_t step;
    uint8_t state;
    enum step_effect effect; /* only what moves was a choice */
};

struct tried {
    uint64_t (*rows)[2];
    size_t len, cap;
};

struct search {
    struct steps steps;
    struct node *nodes;
    uint32_t *invoke_node, *return_node; /* by step; return: 0 if never */
    uint32_t *rank;                      /* by step: the order of trying */
    struct frame *frames;
    size_t depth, deepest;
    uint32_t stuck; /* the step that nothing could be put before, at the deepest */
    size_t open;    /* steps with an answer that are not in order yet */
    struct level_model model;
    uint64_t set[2]; /* hash of the set of steps in order */
    struct tried tried;
    int64_t end_ms;
    uint64_t looks;
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What was tried. */

static uint64_t (*tried_slot(const struct tried *t, const uint64_t key[2]))[2]
{
    size_t at = key[0] & (t->cap - 1);
    while ((t->rows[at][0] | t->rows[at][1]) != 0 && (t->rows[at][0] != key[0] || t->rows[at][1] != key[1])) {
        at = (at + 1) & (t->cap - 1);
    }
    return &t->rows[at];
}

static void tried_grow(struct tried *t)
{
    struct tried old = *t;
    t->cap = old.cap == 0 ? 1024 : old.cap * 2;
    t->rows = memory_new(t->cap, sizeof(*t->rows));
    for (size_t i = 0; i < old.cap; i++) {
        if ((old.rows[i][0] | old.rows[i][1]) != 0) {
            uint64_t(*slot)[2] = tried_slot(t, old.rows[i]);
            (*slot)[0] = old.rows[i][0];
            (*slot)[1] = old.rows[i][1];
        }
    }
    free(old.rows);
}

/* False: it was there. */
static bool tried_add(struct tried *t, const uint64_t key[2])
{
    if ((t->len + 1) * 2 > t->cap) {
        tried_grow(t);
    }
    uint64_t(*slot)[2] = tried_slot(t, key);
    if (((*slot)[0] | (*slot)[1]) != 0) {
        return false;
    }
    (*slot)[0] = key[0];
    (*slot)[1] = key[1];
    t->len++;
    return true;
}

/* The list of events. */

struct moment {
    int64_t time_ns;
    uint32_t step;
    bool is_return;
};

static int moment_compare(const void *a, const void *b)
{
    const struct moment *x = a;
    const struct moment *y = b;
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    if (x->is_return != y->is_return) {
        return x->is_return ? 1 : -1;
    }
    return x->step < y->step ? -1 : 1;
}

static void make_list(struct search *s)
{
    size_t len = 0;
    struct moment *moments = memory_new(s->steps.len * 2, sizeof(*moments));
    for (uint32_t i = 0; i < s->steps.len; i++) {
        const struct step *step = &s->steps.rows[i];
        moments[len++] = (struct moment){.time_ns = step->invoke_ns, .step = i};
        if (step->return_ns != TIME_NEVER) {
            moments[len++] = (struct moment){.time_ns = step->return_ns, .step = i, .is_return = true};
            s->open++;
        }
    }
    qsort(moments, len, sizeof(*moments), moment_compare);
    s->nodes = memory_new(len + 1, sizeof(*s->nodes));
    for (uint32_t i = 1; i <= len; i++) {
        const struct moment *m = &moments[i - 1];
        s->nodes[i] = (struct node){.step = m->step, .is_return = m->is_return, .next = i + 1, .prev = i - 1};
        (m->is_return ? s->return_node : s->invoke_node)[m->step] = i;
    }
    s->nodes[len].next = 0;
    s->nodes[0].next = len == 0 ? 0 : 1;
    s->nodes[0].prev = (uint32_t)len;
    free(moments);
}

static void unlink_node(struct search *s, uint32_t at)
{
    if (at != 0) {
        s->nodes[s->nodes[at].prev].next = s->nodes[at].next;
        s->nodes[s->nodes[at].next].prev = s->nodes[at].prev;
    }
}

static void relink_node(struct search *s, uint32_t at)
{
    if (at != 0) {
        s->nodes[s->nodes[at].prev].next = at;
        s->nodes[s->nodes[at].next].prev = at;
    }
}

static int hint_compare(const void *a, const void *b, void *ctx)
{
    const struct step *rows = ctx;
    const struct step *x = &rows[*(const uint32_t *)a];
    const struct step *y = &rows[*(const uint32_t *)b];
    if (x->hint != y->hint) {
        return x->hint < y->hint ? -1 : 1;
    }
    if (x->invoke_ns != y->invoke_ns) {
        return x->invoke_ns < y->invoke_ns ? -1 : 1;
    }
    return x < y ? -1 : 1;
}

static void rank_steps(struct search *s)
{
    uint32_t *order = memory_new(s->steps.len, sizeof(*order));
    for (uint32_t i = 0; i < s->steps.len; i++) {
        order[i] = i;
    }
    qsort_r(order, s->steps.len, sizeof(*order), hint_compare, s->steps.rows);
    for (uint32_t i = 0; i < s->steps.len; i++) {
        s->rank[order[i]] = i + 1;
    }
    free(order);
}

/* The search. */

static void count_step(struct search *s, uint32_t step, int by)
{
    s->set[0] ^= hash_mix(step * 2U + 1);
    s->set[1] ^= hash_mix(~(uint64_t)step);
    if (s->steps.rows[step].return_ns != TIME_NEVER) {
        s->open += (size_t)by;
    }
}

static void push(struct search *s, uint32_t step, enum step_effect effect)
{
    struct frame *f = &s->frames[s->depth++];
    *f = (struct frame){.step = step, .effect = effect};
    if (effect != STEP_IDLE) {
        f->state = model_do(&s->model, &s->steps.rows[step]);
    }
    unlink_node(s, s->return_node[step]);
    unlink_node(s, s->invoke_node[step]);
    count_step(s, step, -1);
}

static struct frame pop(struct search *s)
{
    struct frame f = s->frames[--s->depth];
    count_step(s, f.step, 1);
    relink_node(s, s->invoke_node[f.step]);
    relink_node(s, s->return_node[f.step]);
    if (f.effect != STEP_IDLE) {
        model_undo(&s->model, &s->steps.rows[f.step], f.state);
    }
    return f;
}

static bool is_new(struct search *s)
{
    const struct level_model *m = &s->model;
    uint64_t state = hash_mix((uint64_t)m->amounts.on_hand);
    state = hash_mix(state ^ (uint64_t)m->amounts.reserved);
    state = hash_mix(state ^ (uint64_t)m->amounts.committed);
    state = hash_mix(state ^ m->version);
    const uint64_t key[2] = {s->set[0] ^ state, s->set[1] ^ hash_mix(m->hash) ^ state};
    return tried_add(&s->tried, key);
}

/* A step that may come next: one that is no choice, else the first by rank behind `rank`. 0: none; else its number. */
static uint32_t candidate(const struct search *s, uint32_t rank, enum step_effect *out_effect)
{
    uint32_t best = 0;
    for (uint32_t at = s->nodes[0].next; at != 0 && !s->nodes[at].is_return; at = s->nodes[at].next) {
        uint32_t step = s->nodes[at].step;
        enum step_effect effect = model_try(&s->model, &s->steps.rows[step]);
        if (effect == STEP_IDLE || effect == STEP_CERTAIN) {
            *out_effect = effect;
            return step + 1;
        }
        if (effect == STEP_MOVES && s->rank[step] > rank && (best == 0 || s->rank[step] < s->rank[best - 1])) {
            best = step + 1;
        }
    }
    *out_effect = STEP_MOVES;
    return best;
}

static void note_stuck(struct search *s)
{
    uint32_t at = s->nodes[0].next;
    while (at != 0 && !s->nodes[at].is_return) {
        at = s->nodes[at].next;
    }
    if (at != 0 && s->depth >= s->deepest) {
        s->deepest = s->depth;
        s->stuck = s->nodes[at].step;
    }
}

/* Takes back to the last choice. False: there is none left. */
static bool back(struct search *s, uint32_t *out_rank)
{
    note_stuck(s);
    while (s->depth > 0) {
        struct frame f = pop(s);
        if (f.effect == STEP_MOVES) {
            *out_rank = s->rank[f.step];
            return true;
        }
    }
    return false;
}

static bool is_out_of_time(struct search *s)
{
    return s->tried.len >= TRIED_MAX || (++s->looks % STEPS_BETWEEN_LOOKS == 0 && now_ms() > s->end_ms);
}

static enum search_end run(struct search *s)
{
    uint32_t rank = 0;
    while (s->open > 0) {
        enum step_effect effect;
        uint32_t next = candidate(s, rank, &effect);
        if (next == 0) {
            if (!back(s, &rank)) {
                return SEARCH_NONE;
            }
            continue;
        }
        if (is_out_of_time(s)) {
            return SEARCH_GAVE_UP;
        }
        push(s, next - 1, effect);
        rank = 0;
        if (effect == STEP_MOVES && !is_new(s)) {
            rank = s->rank[pop(s).step];
        }
    }
    return SEARCH_FOUND;
}

static void
search_init(struct search *s, const struct history *h, const struct ledger *l, uint32_t sku, int64_t limit_ms)
{
    *s = (struct search){.end_ms = now_ms() + limit_ms};
    steps_gather(h, l, sku, &s->steps);
    s->invoke_node = memory_new(s->steps.len, sizeof(*s->invoke_node));
    s->return_node = memory_new(s->steps.len, sizeof(*s->return_node));
    s->rank = memory_new(s->steps.len, sizeof(*s->rank));
    s->frames = memory_new(s->steps.len, sizeof(*s->frames));
    s->model.states = memory_new(s->steps.holds_len, sizeof(*s->model.states));
    make_list(s);
    rank_steps(s);
}

static void search_release(struct search *s)
{
    free(s->steps.rows);
    free(s->nodes);
    free(s->invoke_node);
    free(s->return_node);
    free(s->rank);
    free(s->frames);
    free(s->model.states);
    free(s->tried.rows);
}

enum search_end
search_level(const struct history *h, const struct ledger *l, uint32_t sku, int64_t limit_ms, struct report *report)
{
    struct search s;
    search_init(&s, h, l, sku, limit_ms);
    enum search_end end = run(&s);
    if (end == SEARCH_NONE) {
        const struct step *stuck = &s.steps.rows[s.stuck];
        report_add(
            report, "I8",
            "no order of the %zu operations on %s explains their answers; after %zu there is no way to %s%s",
            s.steps.len, table_name(&h->skus, sku), s.deepest, stuck->kind == STEP_EXPIRE ? "the expiry of the " : "",
            op_name(h, stuck->op));
    }
    search_release(&s);
    return end;
}

size_t search_check(const struct history *h, const struct ledger *l, int64_t limit_ms, struct report *report)
{
    size_t gave_up = 0;
    for (uint32_t sku = 1; sku <= h->skus.len; sku++) {
        gave_up += search_level(h, l, sku, limit_ms, report) == SEARCH_GAVE_UP;
    }
    if (gave_up * 100 > h->skus.len * GAVE_UP_PERCENT_MAX) {
        report_add(report, "I8", "the search gave up on %zu of %zu levels", gave_up, h->skus.len);
    }
    return gave_up;
}
