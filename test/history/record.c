#include "record.h"

#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000
#define SEQ_MAX 100000000 /* arrays are as long as the highest seq */

static const char *const KINDS[OP_KIND_END] = {"receive", "adjust", "reserve",     "commit",
                                               "release", "level",  "availability"};
static const char *const STATES[HOLD_STATE_END] = {"none", "held", "committed", "released", "expired"};

/* A line that is being taken apart; a part that is not there or not right sets `why`. */
struct parts {
    char *rest;
    const char *why;
};

void history_init(struct history *h)
{
    *h = (struct history){.late_ns = 1000LL * NS_PER_MS, .slack_ns = 100LL * NS_PER_MS};
}

void history_release(struct history *h)
{
    free(h->ops);
    free(h->movements);
    free(h->finals);
    free(h->first_of_key);
    table_release(&h->skus);
    table_release(&h->keys);
    table_release(&h->holds);
}

const char *hold_state_name(enum hold_state state)
{
    return STATES[state];
}

const char *op_name(const struct history *h, const struct op *op)
{
    static char room[2][256];
    static unsigned turn;
    char *text = room[turn++ % 2];
    (void)snprintf(
        text, sizeof(room[0]), "%s of client %u, key %s, line %u", KINDS[op->kind], op->client,
        table_name(&h->keys, op->key), op->text_line);
    return text;
}

static const char *part(struct parts *p)
{
    char *found = p->rest == NULL ? NULL : strsep(&p->rest, " ");
    if (found == NULL || *found == '\0') {
        p->why = "a part is missing";
        return "";
    }
    return found;
}

static int64_t number_of(struct parts *p, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        p->why = p->why == NULL ? "a number is not one" : p->why;
        return 0;
    }
    return value;
}

static int64_t part_number(struct parts *p)
{
    return number_of(p, part(p));
}

static uint64_t part_count(struct parts *p, int64_t max)
{
    int64_t value = part_number(p);
    if (value < 0 || value > max) {
        p->why = "a number is out of range";
        return 0;
    }
    return (uint64_t)value;
}

static uint32_t part_name(struct parts *p, struct table *names)
{
    const char *text = part(p);
    return strcmp(text, "-") == 0 ? 0 : table_put(names, text);
}

/* A name that must be there. */
static uint32_t part_named(struct parts *p, struct table *names)
{
    uint32_t name = part_name(p, names);
    if (name == 0 && p->why == NULL) {
        p->why = "a name is missing";
    }
    return name;
}

static struct amounts part_amounts(struct parts *p)
{
    struct amounts a;
    a.on_hand = part_number(p);
    a.reserved = part_number(p);
    a.committed = part_number(p);
    return a;
}

static unsigned part_choice(struct parts *p, const char *const *names, unsigned names_len)
{
    const char *text = part(p);
    for (unsigned i = 0; i < names_len; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    p->why = "a word is unknown";
    return 0;
}

/* `SKU:UNITS,...`; gives each pair to `take`. */
static void part_pairs(
    struct parts *p, struct history *h, struct op *op, void (*take)(struct parts *, struct op *, uint32_t, int64_t))
{
    char *list = p->rest == NULL ? NULL : strsep(&p->rest, " ");
    if (list == NULL) {
        p->why = "a part is missing";
    }
    for (char *pair; (pair = strsep(&list, ",")) != NULL;) {
        char *units = strrchr(pair, ':');
        if (units == NULL) {
            p->why = "a pair has no colon";
            return;
        }
        *units++ = '\0';
        take(p, op, table_put(&h->skus, pair), number_of(p, units));
    }
}

static struct op_line *line_of(struct op *op, uint32_t sku)
{
    for (uint32_t i = 0; i < op->lines_len; i++) {
        if (op->lines[i].sku == sku) {
            return &op->lines[i];
        }
    }
    return NULL;
}

static void take_line(struct parts *p, struct op *op, uint32_t sku, int64_t units)
{
    if (op->lines_len == ORDER_LINES_MAX || line_of(op, sku) != NULL) {
        p->why = "an order has too many lines, or a SKU twice";
        return;
    }
    op->lines[op->lines_len++] = (struct op_line){.sku = sku, .units = units, .available = -1};
}

static void take_shortfall(struct parts *p, struct op *op, uint32_t sku, int64_t available)
{
    struct op_line *line = line_of(op, sku);
    if (line == NULL || available < 0) {
        p->why = "a shortfall is of no line, or below zero";
        return;
    }
    line->available = available;
}

static void take_what(struct parts *p, struct history *h, struct op *op)
{
    op->kind = (enum op_kind)part_choice(p, KINDS, OP_KIND_END);
    switch (op->kind) {
    case OP_RESERVE:
        op->ttl_ms = (int64_t)part_count(p, INT64_MAX / NS_PER_MS);
        part_pairs(p, h, op, take_line);
        break;
    case OP_COMMIT:
    case OP_RELEASE:
        op->hold = part_named(p, &h->holds);
        break;
    default:
        take_line(p, op, part_named(p, &h->skus), 0);
        if (op->kind == OP_AVAILABILITY) {
            op->min_seq = part_count(p, SEQ_MAX);
        } else if (op->kind != OP_LEVEL) {
            op->lines[0].units = part_number(p);
        }
    }
}

static void take_ok(struct parts *p, struct history *h, struct op *op)
{
    op->result = RESULT_OK;
    if (op->kind != OP_LEVEL) {
        op->seq = part_count(p, SEQ_MAX);
    }
    switch (op->kind) {
    case OP_RESERVE:
        op->hold = part_named(p, &h->holds);
        op->expires_ms = part_number(p);
        break;
    case OP_COMMIT:
    case OP_RELEASE:
        op->state = (enum hold_state)part_choice(p, STATES, HOLD_STATE_END);
        break;
    case OP_AVAILABILITY:
        op->version = part_count(p, INT64_MAX);
        op->after.on_hand = part_number(p);
        break;
    default:
        op->version = part_count(p, INT64_MAX);
        op->after = part_amounts(p);
    }
}

static void take_refusal(struct parts *p, struct history *h, struct op *op)
{
    static const char *const whys[] = {"negative", "short", "expired", "state"};
    static const enum op_result results[] = {RESULT_NEGATIVE, RESULT_SHORT, RESULT_EXPIRED, RESULT_STATE};
    op->result = results[part_choice(p, whys, 4)];
    bool of_hold = op->kind == OP_COMMIT || op->kind == OP_RELEASE;
    if (op->result == RESULT_NEGATIVE && op->kind == OP_ADJUST) {
        op->after.on_hand = part_number(p);
    } else if (op->result == RESULT_SHORT && op->kind == OP_RESERVE) {
        part_pairs(p, h, op, take_shortfall);
    } else if (op->result >= RESULT_EXPIRED && of_hold) {
        op->state = (enum hold_state)part_choice(p, STATES, HOLD_STATE_END);
    } else {
        p->why = "no such refusal of this operation";
    }
}

static void take_result(struct parts *p, struct history *h, struct op *op)
{
    static const char *const words[] = {"ok", "refused", "unknown"};
    unsigned word = part_choice(p, words, 3);
    if (word == 0) {
        take_ok(p, h, op);
    } else if (word == 1) {
        take_refusal(p, h, op);
    } else {
        op->result = RESULT_UNKNOWN;
    }
    if (p->why == NULL && (op->result == RESULT_UNKNOWN) != (op->return_ns == TIME_NEVER)) {
        p->why = "unknown is what did not return, and nothing else";
    }
}

static void take_key(struct history *h, const struct parts *p, struct op *op)
{
    if (p->why != NULL || op->key == 0) {
        return;
    }
    memory_grow((void **)&h->first_of_key, &h->first_of_key_cap, op->key + 1, sizeof(*h->first_of_key));
    uint32_t *first = &h->first_of_key[op->key];
    op->repeats = *first;
    *first = *first == 0 ? (uint32_t)h->ops_len + 1 : *first;
}

static void take_op(struct parts *p, struct history *h, uint32_t text_line)
{
    struct op op = {.text_line = text_line};
    op.client = (uint32_t)part_count(p, UINT32_MAX);
    op.key = part_name(p, &h->keys);
    take_what(p, h, &op);
    op.invoke_ns = (int64_t)part_count(p, INT64_MAX);
    const char *text = part(p);
    op.return_ns = strcmp(text, "-") == 0 ? TIME_NEVER : number_of(p, text);
    take_result(p, h, &op);
    if (p->why == NULL && op.return_ns < op.invoke_ns) {
        p->why = "it returned before it was invoked";
    }
    if (p->why == NULL && (op.key == 0) != (op.kind >= OP_LEVEL)) {
        p->why = "writes have a key, reads have none";
    }
    take_key(h, p, &op);
    memory_grow((void **)&h->ops, &h->ops_cap, h->ops_len + 1, sizeof(op));
    h->ops[h->ops_len++] = op;
}

static enum movement_kind kind_of_movement(const char *text)
{
    static const char *const names[] = {"receive", "adjust", "reserve", "commit", "release", "expire"};
    unsigned kind = 0;
    while (kind < MOVEMENT_OTHER && strcmp(text, names[kind]) != 0) {
        kind++;
    }
    return (enum movement_kind)kind;
}

static void take_movement(struct parts *p, struct history *h, uint32_t text_line)
{
    struct movement m = {.text_line = text_line};
    m.seq = part_count(p, SEQ_MAX);
    m.kind = kind_of_movement(part(p));
    m.sku = part_named(p, &h->skus);
    m.delta = part_amounts(p);
    m.after = part_amounts(p);
    m.version = part_count(p, INT64_MAX);
    const char *text = part(p);
    m.reservation = strcmp(text, "-") == 0 ? 0 : (uint64_t)number_of(p, text);
    m.at_ms = part_number(p);
    m.reference = part_name(p, &h->keys);
    if (m.seq == 0 && p->why == NULL) {
        p->why = "seq counts from 1";
    }
    memory_grow((void **)&h->movements, &h->movements_cap, h->movements_len + 1, sizeof(m));
    h->movements[h->movements_len++] = m;
}

static void take_final(struct parts *p, struct history *h, uint32_t text_line)
{
    struct final f = {.text_line = text_line};
    f.sku = part_named(p, &h->skus);
    f.version = part_count(p, INT64_MAX);
    f.amounts = part_amounts(p);
    memory_grow((void **)&h->finals, &h->finals_cap, h->finals_len + 1, sizeof(f));
    h->finals[h->finals_len++] = f;
}

bool history_take(struct history *h, uint32_t text_line, char *line, const char **why)
{
    if (*line == '\0' || *line == '#') {
        return true;
    }
    struct parts p = {.rest = line};
    const char *what = part(&p);
    if (strcmp(what, "op") == 0) {
        take_op(&p, h, text_line);
    } else if (strcmp(what, "movement") == 0) {
        take_movement(&p, h, text_line);
    } else if (strcmp(what, "final") == 0) {
        take_final(&p, h, text_line);
    } else if (strcmp(what, "bounds") == 0) {
        h->late_ns = (int64_t)part_count(&p, INT64_MAX / NS_PER_MS) * NS_PER_MS;
        h->slack_ns = (int64_t)part_count(&p, INT64_MAX / NS_PER_MS) * NS_PER_MS;
    } else {
        p.why = "it is no record";
    }
    *why = p.why == NULL && p.rest != NULL ? "there is more than the record" : p.why;
    return *why == NULL;
}

bool history_read(struct history *h, FILE *in)
{
    char *line = NULL;
    size_t cap = 0;
    const char *why = NULL;
    uint32_t text_line = 0;
    ssize_t len;
    while (why == NULL && (len = getline(&line, &cap, in)) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        text_line++;
        (void)history_take(h, text_line, line, &why);
    }
    free(line);
    if (why == NULL && ferror(in) != 0) {
        why = "reading failed";
    }
    if (why != NULL) {
        (void)fprintf(stderr, "history: line %u: %s\n", text_line, why);
    }
    return why == NULL;
}
