#include "core/ledger.h"

#include "base/mem.h"
#include "core/ledger_state.h"

struct ledger *ledger_new(void)
{
    struct ledger *l = mem_new(sizeof(*l));
    pool_init(&l->pool);
    map_init(&l->item_by_sku);
    map_init(&l->location_by_id);
    map_init(&l->kept_by_id);
    mem_grow((void **)&l->items, &l->items_cap, 1, sizeof(*l->items));
    mem_grow((void **)&l->locations, &l->locations_cap, 1, sizeof(*l->locations));
    l->items[0] = (struct item){0};
    l->locations[0] = (struct location){0};
    l->items_len = 1;
    l->locations_len = 1;
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL) {
        return;
    }
    map_release(&l->item_by_sku);
    map_release(&l->location_by_id);
    map_release(&l->kept_by_id);
    mem_free(l->items);
    mem_free(l->locations);
    mem_free(l->ranks);
    mem_free(l->heap);
    mem_free(l->steps);
    mem_free(l->demands);
    mem_free(l->shortfalls);
    mem_free(l->supply);
    mem_free(l->candidates);
    mem_free(l->chosen);
    mem_free(l->taken);
    mem_free(l->planned);
    pool_release(&l->pool);
    mem_free(l);
}

void ledger_begin(struct ledger *l, struct changes *c)
{
    c->number = ++l->runs;
    c->sealed = false;
    c->movements_len = 0;
    c->levels_len = 0;
    c->reservations_len = 0;
    c->items_len = 0;
    c->locations_len = 0;
    c->lines_len = 0;
}

typedef enum outcome (*decide_fn)(struct decision *d);

static const decide_fn DECIDE[COMMAND_KIND_END] = {
    [COMMAND_DEFINE_ITEM] = decide_define_item,
    [COMMAND_DEFINE_LOCATION] = decide_define_location,
    [COMMAND_RECEIVE] = decide_receive,
    [COMMAND_ADJUST] = decide_adjust,
    [COMMAND_SET] = decide_set,
    [COMMAND_TRANSFER] = decide_transfer,
    [COMMAND_RESERVE] = decide_reserve,
    [COMMAND_EXTEND] = decide_extend,
    [COMMAND_COMMIT] = decide_commit,
    [COMMAND_RELEASE] = decide_release,
    [COMMAND_CANCEL] = decide_cancel,
    [COMMAND_FULFILL] = decide_fulfill,
    [COMMAND_RETURN] = decide_return,
    [COMMAND_EXPIRE] = decide_expire,
};

enum outcome
ledger_apply(struct ledger *l, const struct command *command, int64_t now_ms, struct changes *c, struct result *result)
{
    check(command->kind > 0 && command->kind < COMMAND_KIND_END);
    check(!c->sealed && c->number == l->runs);
    check(command->lines_len <= LINES_MAX);
    l->steps_len = 0;
    l->shortfalls_len = 0;
    *result = (struct result){.movements_at = (uint32_t)c->movements_len};
    struct decision d = {.l = l, .command = command, .now_ms = now_ms, .changes = c, .result = result};
    result->outcome = DECIDE[command->kind](&d);
    result->movements_len = (uint32_t)c->movements_len - result->movements_at;
    result->seq = l->seq;
    check(result->outcome == OUTCOME_OK || result->movements_len == 0);
    return result->outcome;
}

/* Copies what may change while the store reads: the reservations and their lines. */
void ledger_seal(struct ledger *l, struct changes *c)
{
    check(!c->sealed && c->number == l->runs);
    size_t lines = 0;
    for (size_t i = 0; i < c->reservations_len; i++) {
        lines += ((struct kept *)c->reservations[i].live)->r.lines_len;
    }
    mem_grow((void **)&c->lines, &c->lines_cap, lines, sizeof(*c->lines));
    for (size_t i = 0; i < c->reservations_len; i++) {
        struct reservation_change *change = &c->reservations[i];
        const struct reservation *live = &((struct kept *)change->live)->r;
        change->row = *live;
        change->row.lines = &c->lines[c->lines_len];
        memcpy(change->row.lines, live->lines, live->lines_len * sizeof(*live->lines));
        c->lines_len += live->lines_len;
    }
    c->sealed = true;
}

static void recalled_forget(struct ledger *l)
{
    struct kept *next;
    for (struct kept *k = l->recalled; k != NULL; k = next) {
        next = k->recalled_next;
        k->recalled_next = NULL;
        if (k->touched_in == 0) {
            kept_remove(l, k);
        }
    }
    l->recalled = NULL;
}

void ledger_committed(struct ledger *l, const struct changes *c)
{
    check(c->sealed);
    recalled_forget(l);
    for (size_t i = 0; i < c->reservations_len; i++) {
        struct kept *k = c->reservations[i].live;
        if (k->touched_in == c->number && !reservation_state_is_open(k->r.state)) {
            kept_remove(l, k);
        }
    }
}

uint64_t ledger_seq(const struct ledger *l)
{
    return l->seq;
}

struct ledger_counts ledger_counts(const struct ledger *l)
{
    return (struct ledger_counts){
        .items = l->items_len - 1,
        .locations = l->locations_len - 1,
        .levels = l->levels_len,
        .held = l->heap_len,
        .committed = l->committed_len,
        .in_memory = l->kept_len,
    };
}
