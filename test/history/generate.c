#include "generate.h"

#include "memory.h"
#include "step.h"

#include <stdlib.h>
#include <string.h>

#define SKUS 3
#define CLIENTS 6
#define HOLDS_MAX 256
#define VERSIONS_MAX 512
#define NS_PER_MS 1000000
#define LATE_MS_MAX 500 /* below the bound of 1000 */
#define TEXT_MAX 160

enum phase { PHASE_IDLE, PHASE_ASKED, PHASE_DECIDED };

struct sold {
    uint32_t skus[SKUS];
    int64_t units[SKUS];
    uint32_t lines_len;
    enum hold_state state;
    uint64_t first_seq;
    int64_t expires_ms;
};

struct shown {
    uint64_t seq;
    int64_t available;
};

struct client {
    enum phase phase;
    int64_t next_ns;
    int64_t invoke_ns;
    enum op_kind kind;
    struct op_line lines[SKUS];
    uint32_t lines_len;
    uint32_t hold;
    int64_t ttl_ms;
    uint64_t min_seq;
    unsigned key;
    bool is_lost; /* its answer will not come */
    char result[TEXT_MAX];
    uint32_t learns; /* 1 + the hold that the answer tells of */
    uint64_t seq;    /* that the answer tells */
};

struct world {
    uint64_t random;
    FILE *out;
    FILE *log;
    struct amounts levels[SKUS];
    uint64_t versions[SKUS], view[SKUS];
    struct shown shown[SKUS][VERSIONS_MAX];
    uint64_t seq, known_seq;
    struct sold holds[HOLDS_MAX];
    uint32_t holds_len;
    uint32_t known[HOLDS_MAX];
    uint32_t known_len;
    struct client clients[CLIENTS];
    unsigned keys;
    int64_t now_ns;
};

static int64_t below(struct world *w, int64_t n)
{
    w->random = hash_mix(w->random);
    return (int64_t)((w->random >> 16) % (uint64_t)n);
}

static int64_t at_ms(const struct world *w)
{
    return 1000 + w->now_ns / NS_PER_MS;
}

static char name_of(uint32_t sku)
{
    return (char)('A' + sku);
}

/* The one place where a level changes. */
static void
move(struct world *w, const char *kind, uint32_t sku, struct amounts delta, uint64_t reservation, const char *key)
{
    struct amounts *a = &w->levels[sku];
    a->on_hand += delta.on_hand;
    a->reserved += delta.reserved;
    a->committed += delta.committed;
    w->seq++;
    w->versions[sku]++;
    w->shown[sku][w->versions[sku]] = (struct shown){.seq = w->seq, .available = amounts_available(*a)};
    (void)fprintf(
        w->log, "movement %lu %s %c %ld %ld %ld %ld %ld %ld %lu ", w->seq, kind, name_of(sku), delta.on_hand,
        delta.reserved, delta.committed, a->on_hand, a->reserved, a->committed, w->versions[sku]);
    (void)fprintf(w->log, reservation == 0 ? "-" : "%lu", reservation);
    (void)fprintf(w->log, " %ld %s\n", at_ms(w), key);
}

static void end_hold(struct world *w, struct sold *hold, enum hold_state state)
{
    static const char *const kinds[] = {
        [HOLD_COMMITTED] = "commit", [HOLD_RELEASED] = "release", [HOLD_EXPIRED] = "expire"};
    hold->state = state;
    for (uint32_t i = 0; i < hold->lines_len; i++) {
        struct amounts delta = {.reserved = -hold->units[i]};
        delta.committed = state == HOLD_COMMITTED ? hold->units[i] : 0;
        move(w, kinds[state], hold->skus[i], delta, hold->first_seq, "-");
    }
}

/* Some holds expire at once, some a little late. */
static void expire_due(struct world *w)
{
    for (uint32_t i = 0; i < w->holds_len; i++) {
        struct sold *hold = &w->holds[i];
        int64_t over_ms = at_ms(w) - hold->expires_ms;
        if (hold->state == HOLD_HELD && over_ms >= 0 && (over_ms > LATE_MS_MAX || below(w, 2) == 0)) {
            end_hold(w, hold, HOLD_EXPIRED);
        }
    }
}

/* Deciding: each writes the result of the client's operation. */

static void decide_change(struct world *w, struct client *c, const char *key)
{
    uint32_t sku = c->lines[0].sku;
    struct amounts *a = &w->levels[sku];
    if (a->on_hand + c->lines[0].units < 0) {
        (void)snprintf(c->result, TEXT_MAX, "refused negative %ld", a->on_hand);
        return;
    }
    const char *kind = c->kind == OP_RECEIVE ? "receive" : "adjust";
    move(w, kind, sku, (struct amounts){.on_hand = c->lines[0].units}, 0, key);
    c->seq = w->seq;
    (void)snprintf(
        c->result, TEXT_MAX, "ok %lu %lu %ld %ld %ld", w->seq, w->versions[sku], a->on_hand, a->reserved, a->committed);
}

static bool is_refused_short(struct world *w, struct client *c)
{
    int len = snprintf(c->result, TEXT_MAX, "refused short ");
    bool some = false;
    for (uint32_t i = 0; i < c->lines_len; i++) {
        int64_t available = amounts_available(w->levels[c->lines[i].sku]);
        available = available < 0 ? 0 : available;
        if (available < c->lines[i].units) {
            len += snprintf(
                c->result + len, TEXT_MAX - (size_t)len, "%s%c:%ld", some ? "," : "", name_of(c->lines[i].sku),
                available);
            some = true;
        }
    }
    return some;
}

static void decide_reserve(struct world *w, struct client *c, const char *key)
{
    if (is_refused_short(w, c)) {
        return;
    }
    struct sold *hold = &w->holds[w->holds_len++];
    *hold = (struct sold){.lines_len = c->lines_len, .state = HOLD_HELD, .first_seq = w->seq + 1};
    hold->expires_ms = at_ms(w) + c->ttl_ms;
    for (uint32_t i = 0; i < c->lines_len; i++) {
        hold->skus[i] = c->lines[i].sku;
        hold->units[i] = c->lines[i].units;
        move(w, "reserve", hold->skus[i], (struct amounts){.reserved = hold->units[i]}, hold->first_seq, key);
    }
    c->learns = w->holds_len;
    c->seq = w->seq;
    (void)snprintf(c->result, TEXT_MAX, "ok %lu r%u %ld", w->seq, w->holds_len - 1, hold->expires_ms);
}

static void decide_end(struct world *w, struct client *c)
{
    struct sold *hold = &w->holds[c->hold];
    enum hold_state wanted = c->kind == OP_COMMIT ? HOLD_COMMITTED : HOLD_RELEASED;
    const char *state = hold_state_name(hold->state);
    if (hold->state == HOLD_EXPIRED || (hold->state == HOLD_HELD && at_ms(w) >= hold->expires_ms)) {
        (void)snprintf(c->result, TEXT_MAX, "refused expired %s", state);
        return;
    }
    if (hold->state == HOLD_HELD) {
        end_hold(w, hold, wanted);
    } else if (hold->state != wanted) {
        (void)snprintf(c->result, TEXT_MAX, "refused state %s", state);
        return;
    }
    c->seq = w->seq;
    (void)snprintf(c->result, TEXT_MAX, "ok %lu %s", w->seq, hold_state_name(wanted));
}

static void decide_level(struct world *w, struct client *c)
{
    uint32_t sku = c->lines[0].sku;
    const struct amounts *a = &w->levels[sku];
    (void)snprintf(c->result, TEXT_MAX, "ok %lu %ld %ld %ld", w->versions[sku], a->on_hand, a->reserved, a->committed);
}

/* Shows a version that may be old, but not older than what was shown or asked for. */
static void decide_availability(struct world *w, struct client *c)
{
    uint32_t sku = c->lines[0].sku;
    uint64_t version = w->view[sku];
    while (version < w->versions[sku] && (w->shown[sku][version + 1].seq <= c->min_seq || below(w, 2) == 0)) {
        version++;
    }
    w->view[sku] = version;
    const struct shown *s = &w->shown[sku][version];
    (void)snprintf(c->result, TEXT_MAX, "ok %lu %lu %ld", s->seq, version, s->available < 0 ? 0 : s->available);
}

static void decide(struct world *w, struct client *c)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "k%u", c->key);
    switch (c->kind) {
    case OP_RECEIVE:
    case OP_ADJUST:
        decide_change(w, c, key);
        break;
    case OP_RESERVE:
        decide_reserve(w, c, key);
        break;
    case OP_COMMIT:
    case OP_RELEASE:
        decide_end(w, c);
        break;
    case OP_LEVEL:
        decide_level(w, c);
        break;
    default:
        decide_availability(w, c);
    }
}

/* Asking. */

static void ask_order(struct world *w, struct client *c)
{
    uint32_t first = (uint32_t)below(w, SKUS);
    c->kind = OP_RESERVE;
    c->ttl_ms = below(w, 2) == 0 ? 50 + below(w, 200) : 60000;
    c->lines_len = 1 + (uint32_t)below(w, SKUS);
    for (uint32_t i = 0; i < c->lines_len; i++) {
        c->lines[i] = (struct op_line){.sku = (first + i) % SKUS, .units = 1 + below(w, 3)};
    }
}

static void ask(struct world *w, struct client *c)
{
    static const enum op_kind kinds[] = {OP_RECEIVE, OP_ADJUST, OP_LEVEL, OP_LEVEL, OP_AVAILABILITY};
    int64_t n = below(w, 14);
    *c = (struct client){.invoke_ns = w->now_ns, .lines_len = 1, .phase = PHASE_ASKED};
    if (n < 5 && w->holds_len + CLIENTS < HOLDS_MAX) {
        ask_order(w, c);
    } else if (n < 9 && w->known_len > 0) {
        c->kind = below(w, 2) == 0 ? OP_COMMIT : OP_RELEASE;
        c->hold = w->known[w->known_len - 1 - (uint32_t)below(w, w->known_len < 8 ? w->known_len : 8)];
    } else {
        c->kind = kinds[n % 5];
        c->lines[0].sku = (uint32_t)below(w, SKUS);
        c->lines[0].units = c->kind == OP_RECEIVE ? 1 + below(w, 4) : below(w, 2) == 0 ? 1 : -1 - below(w, 6);
        c->min_seq = below(w, 2) == 0 ? 0 : w->known_seq;
    }
    if (c->kind < OP_LEVEL) {
        c->key = ++w->keys;
        c->is_lost = below(w, 20) == 0;
    }
    c->next_ns = w->now_ns + 1 + below(w, 50 * NS_PER_MS);
}

static void put_what(const struct client *c, FILE *out)
{
    static const char *const names[] = {"receive", "adjust", "reserve", "commit", "release", "level", "availability"};
    (void)fprintf(out, "%s ", names[c->kind]);
    switch (c->kind) {
    case OP_RESERVE:
        (void)fprintf(out, "%ld ", c->ttl_ms);
        for (uint32_t i = 0; i < c->lines_len; i++) {
            (void)fprintf(out, "%s%c:%ld", i == 0 ? "" : ",", name_of(c->lines[i].sku), c->lines[i].units);
        }
        break;
    case OP_COMMIT:
    case OP_RELEASE:
        (void)fprintf(out, "r%u", c->hold);
        break;
    case OP_LEVEL:
        (void)fprintf(out, "%c", name_of(c->lines[0].sku));
        break;
    case OP_AVAILABILITY:
        (void)fprintf(out, "%c %lu", name_of(c->lines[0].sku), c->min_seq);
        break;
    default:
        (void)fprintf(out, "%c %ld", name_of(c->lines[0].sku), c->lines[0].units);
    }
}

static void put_record(struct world *w, const struct client *c, int64_t invoke_ns, int64_t return_ns)
{
    (void)fprintf(w->out, "op %ld ", (long)(c - w->clients));
    (void)fprintf(w->out, c->key == 0 ? "-" : "k%u", c->key);
    (void)fputc(' ', w->out);
    put_what(c, w->out);
    if (c->is_lost) {
        (void)fprintf(w->out, " %ld - unknown\n", invoke_ns);
    } else {
        (void)fprintf(w->out, " %ld %ld %s\n", invoke_ns, return_ns, c->result);
    }
}

static void hear(struct world *w, struct client *c)
{
    put_record(w, c, c->invoke_ns, w->now_ns);
    if (!c->is_lost) {
        w->known_seq = c->seq > w->known_seq ? c->seq : w->known_seq;
        if (c->learns != 0) {
            w->known[w->known_len++] = c->learns - 1;
        }
        if (c->key != 0 && below(w, 15) == 0) {
            put_record(w, c, w->now_ns + 1, w->now_ns + 2);
        }
    }
    c->phase = PHASE_IDLE;
    c->next_ns = w->now_ns + 1 + below(w, 20 * NS_PER_MS);
}

static void go_on(struct world *w, struct client *c)
{
    w->now_ns = c->next_ns;
    expire_due(w);
    if (c->phase == PHASE_IDLE) {
        ask(w, c);
    } else if (c->phase == PHASE_DECIDED) {
        hear(w, c);
    } else {
        if (!c->is_lost || below(w, 2) == 0) {
            decide(w, c);
        }
        c->phase = PHASE_DECIDED;
        c->next_ns = w->now_ns + 1 + below(w, 50 * NS_PER_MS);
    }
}

static struct client *next_client(struct world *w)
{
    struct client *next = &w->clients[0];
    for (size_t i = 1; i < CLIENTS; i++) {
        next = w->clients[i].next_ns < next->next_ns ? &w->clients[i] : next;
    }
    return next;
}

static void put_end(struct world *w, char *log)
{
    (void)fputs(log, w->out);
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        const struct amounts *a = &w->levels[sku];
        (void)fprintf(
            w->out, "final %c %lu %ld %ld %ld\n", name_of(sku), w->versions[sku], a->on_hand, a->reserved,
            a->committed);
    }
}

void generate(uint64_t seed, FILE *out)
{
    char *log = NULL;
    size_t log_len;
    struct world *w = memory_new(1, sizeof(*w));
    w->random = seed;
    w->out = out;
    w->log = open_memstream(&log, &log_len);
    int64_t turns = 100 + below(w, 400);
    for (int64_t i = 0; i < turns; i++) {
        go_on(w, next_client(w));
    }
    for (size_t i = 0; i < CLIENTS; i++) { /* who waits for an answer gets none */
        struct client *c = &w->clients[i];
        if (c->phase != PHASE_IDLE && c->key != 0) {
            c->is_lost = true;
            put_record(w, c, c->invoke_ns, 0);
        }
    }
    (void)fclose(w->log);
    put_end(w, log);
    free(log);
    free(w);
}
