/*
 * The clients: what they want, when they ask again, and what they may be answered. There is no HTTP between them and the
 * service: a request is given as it comes out of the decoder.
 */
#include "world.h"

#include "api/outcome.h"
#include "api/render.h"
#include "base/mem.h"

#include <stdio.h>

#define ITEMS 12
#define PLACES 5
#define OPEN_MAX 40
#define FLOOD (BATCH_REQUESTS_MAX + 100)
#define ANSWER_BYTES_MAX (256 * 1024)

static const char *const SKUS[ITEMS] = {"s-1", "s-2", "s-3", "s-4",  "s-5",  "s-6",
                                        "s-7", "s-8", "s-9", "s-10", "s-11", "s-12"};
static const char *const PLACE_IDS[PLACES] = {"leeds", "york", "hull", "bath", "kent"};

/* --- what the service is given ------------------------------------------------------------------------------------ */

static void log_add(struct life *l, struct attempt *a, const struct decided *d)
{
    struct decision_log *log = &l->log;
    mem_grow((void **)&log->decided, &log->decided_cap, log->len + 1, sizeof(*log->decided));
    mem_grow((void **)&log->attempts, &log->attempts_cap, log->len + 1, sizeof(struct attempt *));
    log->decided[log->len] = *d;
    log->attempts[log->len++] = a;
    a->log_at = log->len - 1;
    a->logged = true;
    a->decided = true;
}

static void mark_decision(const struct command *c, const struct decided *d, const struct result *result)
{
    const struct reservation *r = result->reservation;
    switch (d->outcome) {
    case OUTCOME_INSUFFICIENT_STOCK:
        mark(MARK_REFUSED_SHORT);
        break;
    case OUTCOME_VERSION_MISMATCH:
        mark(MARK_REFUSED_VERSION);
        break;
    case OUTCOME_NEGATIVE_QUANTITY:
        mark(MARK_REFUSED_NEGATIVE);
        break;
    case OUTCOME_WRONG_STATE:
        mark(MARK_REFUSED_STATE);
        break;
    case OUTCOME_UNKNOWN_RESERVATION:
        mark(MARK_REFUSED_UNKNOWN);
        break;
    case OUTCOME_HOLD_EXPIRED:
        mark(MARK_LATE_COMMIT_REFUSED);
        break;
    case OUTCOME_OK:
        if (c->kind == COMMAND_EXTEND) {
            mark(MARK_EXTENDED);
        } else if (c->kind == COMMAND_TRANSFER) {
            mark(MARK_TRANSFERRED);
        } else if (c->kind == COMMAND_RESERVE && d->facts_len > c->lines_len) {
            mark(MARK_RESERVED_OVER_PLACES);
        } else if (c->kind == COMMAND_COMMIT && r->expires_ms - d->now_ms <= 1000) {
            mark(MARK_COMMIT_IN_LAST_SECOND);
        } else if (c->kind == COMMAND_CANCEL && d->state == RESERVATION_FULFILLED) {
            mark(MARK_CANCELLED_REST);
        } else if (c->kind == COMMAND_FULFILL && d->state == RESERVATION_COMMITTED) {
            mark(MARK_FULFILLED_PART);
        } else if (c->kind == COMMAND_RETURN && d->state == RESERVATION_FULFILLED) {
            mark(MARK_RETURNED_PART);
        }
        break;
    default:
        break;
    }
}

/* As the API answers, so that the audit finds in the store what it finds in a real one. */
static void put_answer(struct request *r, const struct result *result, const struct changes *changes)
{
    enum err e = outcome_err(result->outcome, r->command.kind);
    buf_clear(&r->answer);
    if (e == ERR_OK) {
        r->status = (uint16_t)render_body(&r->answer, &r->command, result, changes);
    } else {
        r->status = (uint16_t)err_info(e)->status;
        outcome_render(&r->answer, &r->command, result);
    }
    r->location[0] = '\0';
    if (e == ERR_OK && r->command.kind == COMMAND_RESERVE) {
        char id[UUID_TEXT_LEN];
        uuid_to_text(result->reservation->id, id);
        snprintf(r->location, sizeof(r->location), "/v1/reservations/%.*s", UUID_TEXT_LEN, id);
    }
}

void attempt_render(struct request *r, const struct result *result, const struct changes *changes)
{
    struct attempt *a = CONTAINER_OF(r, struct attempt, request);
    struct decided d = {
        .intent = a->intent,
        .now_ms = a->life->tick_ms,
        .outcome = result->outcome,
        .facts_at = result->movements_at,
        .facts_len = result->movements_len,
        .seq = result->seq,
        .created = result->created,
        .keyed = a->intent->story != NULL,
    };
    if (result->reservation != NULL) {
        d.has_reservation = true;
        d.id = result->reservation->id;
        d.state = result->reservation->state;
        d.expires_ms = result->reservation->expires_ms;
    }
    put_answer(r, result, changes);
    a->has_rows = d.outcome == OUTCOME_OK || d.keyed;
    mark_decision(&r->command, &d, result);
    log_add(a->life, a, &d);
    world_trace(a->life->world, d.outcome * 1000 + (uint64_t)r->command.kind);
}

static void request_done(struct request *r)
{
    attempt_done(CONTAINER_OF(r, struct attempt, request));
}

static const struct request_ops OPS = {.render = attempt_render, .done = request_done};

/* --- intents -------------------------------------------------------------------------------------------------------- */

const struct command *intent_command(const struct intent *i)
{
    return &i->command;
}

static void open_add(struct world *w, struct intent *i)
{
    mem_grow((void **)&w->open, &w->open_cap, w->open_len + 1, sizeof(struct intent *));
    w->open[w->open_len++] = i;
}

static void open_remove(struct world *w, const struct intent *i)
{
    for (size_t n = 0; n < w->open_len; n++) {
        if (w->open[n] == i) {
            w->open[n] = w->open[--w->open_len];
            return;
        }
    }
}

/* The story of this key and operation, made when it is the first that is heard of it. NULL: a key of its own. */
static struct key_story *story_of(struct world *w, enum command_kind kind, const char *key)
{
    for (size_t n = 0; key != NULL && n < w->stories_len; n++) {
        if (w->stories[n]->kind == kind && strcmp(w->stories[n]->key, key) == 0) {
            return w->stories[n];
        }
    }
    struct key_story *s = mem_new(sizeof(*s));
    mem_grow((void **)&w->stories, &w->stories_cap, w->stories_len + 1, sizeof(struct key_story *));
    w->stories[w->stories_len++] = s;
    s->kind = kind;
    if (key == NULL) {
        snprintf(s->key, sizeof(s->key), "k%zu", w->stories_len);
    } else {
        snprintf(s->key, sizeof(s->key), "%s", key);
    }
    return s;
}

static struct intent *intent_new(struct world *w, enum command_kind kind)
{
    struct intent *i = mem_new(sizeof(*i));
    i->command.kind = kind;
    i->next = w->intents;
    w->intents = i;
    uint64_t number = ++w->operations;
    memcpy(i->fingerprint, &number, sizeof(number));
    i->urgent = world_chance(w, 5);
    open_add(w, i);
    return i;
}

static struct str some_sku(struct world *w)
{
    uint64_t at = world_chance(w, 3) ? 0 : world_below(w, ITEMS);
    return world_chance(w, 200) ? STR("nowhere-1") : str_from(SKUS[at]);
}

static struct str some_place(struct world *w)
{
    return world_chance(w, 200) ? STR("nowhere") : str_from(PLACE_IDS[world_below(w, PLACES)]);
}

static void some_lines(struct world *w, struct intent *i, int64_t quantity_max, bool any)
{
    size_t len = 1 + world_below(w, world_chance(w, 3) ? 5 : 1);
    if (w->plan.big_orders && world_chance(w, 20)) {
        len = 1 + world_below(w, LINES_MAX);
    }
    i->lines = mem_new_array(len, sizeof(*i->lines));
    for (size_t n = 0; n < len; n++) {
        i->lines[n] =
            (struct command_line){.sku = some_sku(w), .quantity = 1 + (int64_t)world_below(w, (uint64_t)quantity_max)};
        i->lines[n].location = any && world_below(w, 4) > 0 ? STR_NONE : some_place(w);
    }
    i->command.lines = i->lines;
    i->command.lines_len = (uint32_t)len;
}

static struct uuid some_id(struct world *w)
{
    if (w->ids_len == 0 || world_chance(w, 60)) {
        struct uuid unknown = {.bytes = {(uint8_t)world_below(w, 256), 1, 2, 3}};
        return unknown;
    }
    size_t recent = world_chance(w, 4) || w->ids_len < 12 ? w->ids_len : 12;
    return w->ids[w->ids_len - 1 - world_below(w, recent)];
}

static void adjust_some(struct world *w, struct intent *i)
{
    static const enum quantity BUCKETS[] = {QUANTITY_ON_HAND, QUANTITY_ON_HAND,         QUANTITY_ON_HAND,
                                            QUANTITY_DAMAGED, QUANTITY_QUALITY_CONTROL, QUANTITY_SAFETY_STOCK,
                                            QUANTITY_INCOMING};
    some_lines(w, i, 8, false);
    for (uint32_t n = 0; n < i->command.lines_len; n++) {
        i->lines[n].bucket = BUCKETS[world_below(w, ARRAY_LEN(BUCKETS))];
        i->lines[n].quantity *= world_chance(w, 2) ? -1 : 1;
    }
    i->command.reason = STR("count");
}

static void set_some(struct world *w, struct intent *i)
{
    struct command *c = &i->command;
    c->sku = some_sku(w);
    c->location = some_place(w);
    uint32_t item = model_item(&w->model, c->sku);
    uint32_t location = model_location(&w->model, c->location);
    uint64_t version = item == 0 || location == 0 ? 0 : w->model.levels[item][location].version;
    c->set_any_version = world_chance(w, 4);
    c->expected_version = version + (world_chance(w, 4) ? world_below(w, 3) : 0);
    c->set_given[QUANTITY_ON_HAND] = true;
    c->set.of[QUANTITY_ON_HAND] = world_chance(w, 8) ? 5000000000LL : (int64_t)world_below(w, 30);
    if (world_chance(w, 3)) {
        c->set_given[QUANTITY_SAFETY_STOCK] = true;
        c->set.of[QUANTITY_SAFETY_STOCK] = (int64_t)world_below(w, 4);
    }
    c->reason = STR("stocktake");
}

static void transfer_some(struct world *w, struct intent *i)
{
    size_t from = world_below(w, PLACES);
    i->command.location = str_from(PLACE_IDS[from]);
    i->command.to = str_from(PLACE_IDS[(from + 1 + world_below(w, PLACES - 1)) % PLACES]);
    some_lines(w, i, 6, true);
    for (uint32_t n = 0; n < i->command.lines_len; n++) {
        i->lines[n].location = STR_NONE;
    }
}

static void reserve_some(struct world *w, struct intent *i)
{
    some_lines(w, i, 4, true);
    i->command.ttl_s = world_chance(w, 10) ? TTL_S_MAX : 1 + (uint32_t)world_below(w, 60);
    i->command.reference = STR("cart");
}

static void transition_some(struct world *w, struct intent *i)
{
    i->command.id = some_id(w);
    i->command.ttl_s = 1 + (uint32_t)world_below(w, 120);
    i->command.return_to = world_chance(w, 3) ? RETURN_DAMAGED : RETURN_RESTOCKED;
    bool in_parts = i->command.kind == COMMAND_FULFILL || i->command.kind == COMMAND_RETURN;
    const struct model_reservation *r = model_reservation(&w->model, i->command.id);
    if (!in_parts || world_chance(w, 3) || r == NULL) {
        return;
    }
    some_lines(w, i, 3, true);
    for (uint32_t n = 0; n < i->command.lines_len; n++) {
        const struct model_line *l = &w->model.lines[r->lines_at + world_below(w, r->lines_len)];
        if (world_below(w, 6) > 0) {
            i->lines[n].sku = str_from(w->model.items[l->item].sku);
            i->lines[n].location = STR_NONE;
            i->lines[n].quantity = 1 + (int64_t)world_below(w, (uint64_t)l->quantity);
        }
    }
}

static void define_some(struct world *w, struct intent *i)
{
    i->command.name = STR("name");
    if (i->command.kind == COMMAND_DEFINE_ITEM) {
        i->command.sku = str_from(SKUS[world_below(w, ITEMS)]);
    } else {
        i->command.location = str_from(PLACE_IDS[world_below(w, PLACES)]);
        i->command.priority = (uint32_t)world_below(w, 3);
    }
}

static struct intent *some_intent(struct world *w)
{
    static const enum command_kind KINDS[] = {
        COMMAND_RESERVE, COMMAND_RESERVE, COMMAND_RESERVE, COMMAND_RESERVE, COMMAND_RESERVE, COMMAND_RESERVE,
        COMMAND_RESERVE, COMMAND_RESERVE, COMMAND_COMMIT,  COMMAND_COMMIT,  COMMAND_COMMIT,  COMMAND_RELEASE,
        COMMAND_CANCEL,  COMMAND_FULFILL, COMMAND_FULFILL, COMMAND_RETURN,  COMMAND_RETURN,  COMMAND_EXTEND,
        COMMAND_RECEIVE, COMMAND_RECEIVE, COMMAND_ADJUST,  COMMAND_ADJUST,  COMMAND_SET,     COMMAND_TRANSFER};
    enum command_kind kind = KINDS[world_below(w, ARRAY_LEN(KINDS))];
    if (world_chance(w, 40)) {
        kind = world_chance(w, 2) ? COMMAND_DEFINE_ITEM : COMMAND_DEFINE_LOCATION;
    }
    struct intent *i = intent_new(w, kind);
    if (kind == COMMAND_RESERVE) {
        reserve_some(w, i);
    } else if (kind == COMMAND_RECEIVE) {
        some_lines(w, i, 30, false);
    } else if (kind == COMMAND_ADJUST) {
        adjust_some(w, i);
    } else if (kind == COMMAND_SET) {
        set_some(w, i);
    } else if (kind == COMMAND_TRANSFER) {
        transfer_some(w, i);
    } else if (kind == COMMAND_DEFINE_ITEM || kind == COMMAND_DEFINE_LOCATION) {
        define_some(w, i);
    } else {
        transition_some(w, i);
    }
    /* As in the API: what is put has no key; what is posted has one. Now and then none, so that refusals need no row. */
    bool put = kind == COMMAND_SET || kind == COMMAND_DEFINE_ITEM || kind == COMMAND_DEFINE_LOCATION;
    if (!put && (kind == COMMAND_EXTEND || !world_chance(w, 10))) {
        i->story = story_of(w, kind, NULL);
    }
    return i;
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

static void attempt_link(struct life *l, struct attempt *a)
{
    a->next = l->attempts;
    a->prev = NULL;
    if (l->attempts != NULL) {
        l->attempts->prev = a;
    }
    l->attempts = a;
}

static void attempt_free(struct attempt *a)
{
    if (a->prev != NULL) {
        a->prev->next = a->next;
    } else {
        a->life->attempts = a->next;
    }
    if (a->next != NULL) {
        a->next->prev = a->prev;
    }
    a->intent->in_flight--;
    if (a->intent->story != NULL) {
        a->intent->story->in_flight--;
    }
    buf_release(&a->request.answer);
    mem_free(a);
}

static void send(struct world *w, struct intent *i)
{
    if (w->life == NULL) {
        return;
    }
    struct attempt *a = mem_new(sizeof(*a));
    a->intent = i;
    a->life = w->life;
    a->request.ops = &OPS;
    a->request.command = i->command;
    if (i->story != NULL) {
        a->request.key = str_from(i->story->key);
        memcpy(a->request.fingerprint, i->fingerprint, sizeof(i->fingerprint));
        i->story->in_flight++;
        a->owner_when_sent = i->story->owner;
    }
    buf_init(&a->request.answer, ANSWER_BYTES_MAX);
    attempt_link(w->life, a);
    if (i->sent++ > 0) {
        mark(MARK_CLIENT_RETRIED);
    }
    i->in_flight++;
    life_submit(w->life, a);
}

static void give_up(struct world *w, struct intent *i)
{
    if (!i->answered && !i->given_up) {
        i->given_up = true;
        open_remove(w, i);
    }
}

/* Another content under the same key, or another operation under the same key. */
static void twin(struct world *w)
{
    if (w->stories_len == 0) {
        return;
    }
    struct key_story *s = w->stories[w->stories_len - 1 - world_below(w, w->stories_len < 30 ? w->stories_len : 30)];
    if (s->owner == NULL) {
        return;
    }
    struct intent *i = some_intent(w);
    if (i->story != NULL) {
        if (i->command.kind != s->kind) {
            mark(MARK_KEY_OTHER_OPERATION);
        }
        i->story = story_of(w, i->command.kind, s->key);
    }
    send(w, i);
}

/* Much later, or twice at once: the same request again. */
static void again(struct world *w)
{
    struct intent *i = w->intents;
    for (uint64_t n = world_below(w, 60); n > 0 && i != NULL; n--) {
        i = i->next;
    }
    if (i != NULL && i->story != NULL) {
        send(w, i);
    }
}

void clients_act(struct world *w)
{
    uint64_t what = world_below(w, 100);
    if (what < 60 && w->open_len < OPEN_MAX) {
        send(w, some_intent(w));
    } else if (what < 85 && w->open_len > 0) {
        struct intent *i = w->open[world_below(w, w->open_len)];
        if (i->in_flight == 0 || (i->urgent && i->story != NULL)) {
            send(w, i);
        }
    } else if (what < 90 && w->plan.twins) {
        twin(w);
    } else if (what < 96) {
        again(w);
    } else if (what < 98 && w->open_len > 0) {
        mark(MARK_CLIENT_VANISHED);
        give_up(w, w->open[world_below(w, w->open_len)]);
    }
}

static void stock_up(struct world *w, size_t item, int64_t units)
{
    struct intent *i = intent_new(w, COMMAND_RECEIVE);
    i->lines = mem_new_array(1, sizeof(*i->lines));
    i->lines[0] = (struct command_line){
        .sku = str_from(SKUS[item]), .location = str_from(PLACE_IDS[world_below(w, 2)]), .quantity = units};
    i->command.lines = i->lines;
    i->command.lines_len = 1;
    i->story = story_of(w, COMMAND_RECEIVE, NULL);
    send(w, i);
}

/* More than a batch takes, on one item. */
void clients_flood(struct world *w)
{
    stock_up(w, 0, 20000);
    for (int n = 0; n < FLOOD; n++) {
        struct intent *i = intent_new(w, COMMAND_RESERVE);
        reserve_some(w, i);
        i->lines[0].sku = str_from(SKUS[0]);
        i->lines[0].location = STR_NONE;
        i->command.lines_len = 1;
        i->urgent = false;
        send(w, i);
    }
}

void clients_insist(struct world *w)
{
    for (size_t n = 0; n < w->open_len; n++) {
        if (w->open[n]->in_flight == 0) {
            send(w, w->open[n]);
        }
    }
}

bool clients_are_done(struct world *w)
{
    return w->open_len == 0;
}

void clients_set_up(struct world *w)
{
    for (size_t n = 0; n < 2 + world_below(w, PLACES - 1); n++) {
        struct intent *i = intent_new(w, COMMAND_DEFINE_LOCATION);
        i->command.location = str_from(PLACE_IDS[n]);
        i->command.name = STR("name");
        i->command.priority = (uint32_t)world_below(w, 3);
        send(w, i);
    }
    for (size_t n = 0; n < 3 + world_below(w, ITEMS - 2); n++) {
        struct intent *i = intent_new(w, COMMAND_DEFINE_ITEM);
        i->command.sku = str_from(SKUS[n]);
        i->command.name = STR("name");
        send(w, i);
        stock_up(w, n, 5 + (int64_t)world_below(w, 60));
    }
}

/* --- answers ---------------------------------------------------------------------------------------------------------- */

static bool same_request(const struct intent *a, const struct intent *b)
{
    return memcmp(a->fingerprint, b->fingerprint, sizeof(a->fingerprint)) == 0;
}

static void is_answered(struct world *w, struct intent *i)
{
    if (i->answered) {
        return;
    }
    i->answered = true;
    if (!i->given_up) {
        open_remove(w, i);
    }
    if (i->has_id) {
        mem_grow((void **)&w->ids, &w->ids_cap, w->ids_len + 1, sizeof(*w->ids));
        w->ids[w->ids_len++] = i->id;
    }
}

static void replay_came(struct world *w, struct attempt *a)
{
    struct intent *i = a->intent;
    const struct intent *owner = i->story == NULL ? NULL : i->story->owner;
    promise(owner != NULL && same_request(owner, i), "I3", "an answer is given again that was never given");
    promise(
        str_equal(buf_str(&a->request.answer), (struct str){owner->answer, owner->answer_len}) ||
            str_equal(buf_str(&a->request.answer), str_from(owner->answer_before)),
        "I3", "the answer given again differs: \"%.*s\" and not \"%s\"", STR_ARG(buf_str(&a->request.answer)),
        owner->answer);
    promise(
        a->request.status == owner->status || a->request.status == owner->status_before, "I3",
        "the answer given again has status %u", a->request.status);
    mark(MARK_REPLAYED);
    if (owner->stored_in_life != a->life->number) {
        mark(MARK_REPLAYED_LATER_LIFE);
    }
    if (owner->was_in_doubt && !i->answered) {
        mark(MARK_REPLAYED_AFTER_DOUBT);
    }
    is_answered(w, i);
}

static void decision_came(struct world *w, struct attempt *a)
{
    promise(a->decided, "I18", "an answer without a decision");
    if (!a->durable) {
        promise(!a->has_rows, "I6", "answered before it is stored");
        promise(a->logged, "I6", "a refusal is answered before the batch it belongs to");
        model_check_refusal(&w->model, &a->life->log.decided[a->log_at]);
        a->life->log.done++;
    }
    is_answered(w, a->intent);
}

static void refusal_came(struct world *w, struct attempt *a)
{
    struct intent *i = a->intent;
    const struct intent *owner = i->story == NULL ? NULL : i->story->owner;
    switch (a->request.err) {
    case ERR_KEY_IN_FLIGHT:
        promise(i->story != NULL && i->story->in_flight > 1, "I3", "a key is called busy that nobody uses");
        mark(MARK_KEY_IN_FLIGHT);
        return;
    case ERR_KEY_REUSED:
        promise(
            (owner != NULL && !same_request(owner, i)) ||
                (a->owner_when_sent != NULL && !same_request(a->owner_when_sent, i)),
            "I3", "a key is called used that is not");
        mark(MARK_KEY_REUSED);
        is_answered(w, i);
        return;
    case ERR_NOT_COMMITTED:
        promise(!a->durable, "I18", "stored, and called not stored");
        promise(!a->handed_over || a->life->commit_err != ERR_IO, "I18", "perhaps stored, and called not stored");
        mark(MARK_TOLD_NOT_COMMITTED);
        return;
    case ERR_OUTCOME_UNKNOWN:
        if (i->story == NULL) {
            give_up(w, i);
        }
        return;
    case ERR_INTERNAL:
        promise(w->plan.read_errors, "I18", "a lookup failed on a sound disk");
        mark(MARK_TOLD_INTERNAL);
        return;
    default:
        broken("I18", "answered with %s", err_info(a->request.err)->slug);
    }
}

void attempt_done(struct attempt *a)
{
    struct world *w = a->life->world;
    if (a->life->over) {
        return; /* nobody is there to hear it: see attempt_lost */
    }
    world_trace(w, (uint64_t)a->request.err * 10 + a->request.replayed);
    if (a->request.err != ERR_OK) {
        refusal_came(w, a);
    } else if (a->request.replayed) {
        replay_came(w, a);
    } else {
        decision_came(w, a);
    }
    attempt_free(a);
}

void attempt_lost(struct attempt *a)
{
    struct world *w = a->life->world;
    if (a->intent->story == NULL) {
        give_up(w, a->intent); /* without a key it cannot ask again */
    }
    attempt_free(a);
}

/* --- the truth ---------------------------------------------------------------------------------------------------------- */

/* A key has one effect; another one only when it was forgotten as announced. */
static void story_take(struct world *w, struct key_story *s, struct intent *i, int64_t now_ms)
{
    if (s->owner != NULL && now_ms - s->owned_ms >= IDEMPOTENCY_KEPT_MS) {
        mark(MARK_KEY_FORGOTTEN_BY_TIME);
    } else if (s->owner != NULL) {
        promise(w->keys_stored - s->owned_as > w->keys_max, "I3", "the key %s has a second effect", s->key);
        mark(MARK_KEY_FORGOTTEN_BY_COUNT);
    }
    s->owner = i;
    s->owned_ms = now_ms;
    s->owned_as = w->keys_stored++;
}

void intent_stored(struct world *w, struct intent *i, const struct decided *d, struct str answer, uint64_t life)
{
    if (i->story != NULL) {
        story_take(w, i->story, i, d->now_ms);
    }
    i->stored = true;
    i->stored_in_life = life;
    mem_free(i->answer_before);
    i->answer_before = i->answer;
    i->status_before = i->status;
    i->status = d->status;
    i->answer = mem_copy_str(answer);
    i->answer_len = answer.len;
    if (i->command.kind == COMMAND_RESERVE && d->outcome == OUTCOME_OK) {
        i->id = d->id;
        i->has_id = true;
    }
}

void intents_free(struct world *w)
{
    struct intent *next;
    for (struct intent *i = w->intents; i != NULL; i = next) {
        next = i->next;
        mem_free(i->lines);
        mem_free(i->answer);
        mem_free(i->answer_before);
        mem_free(i);
    }
    for (size_t n = 0; n < w->stories_len; n++) {
        mem_free(w->stories[n]);
    }
    mem_free(w->stories);
    mem_free(w->open);
    mem_free(w->ids);
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

void clients_read(struct world *w)
{
    if (w->life == NULL || w->model.items_len == 0) {
        return;
    }
    uint32_t item = 1 + (uint32_t)world_below(w, w->model.items_len);
    uint64_t token = model_seq(&w->model) - world_below(w, model_seq(&w->model) < 20 ? model_seq(&w->model) + 1 : 20);
    uint64_t reached = atomic_load(&w->life->view.seq);
    mark(reached < token ? MARK_READ_WAITED : MARK_READ_CAUGHT_UP);
    const struct shelf_entry *e = view_find(&w->life->view, str_from(w->model.items[item].sku));
    if (e == NULL) {
        promise(w->life->bus_len > 0 || w->life->committed, "I11", "item %u is nowhere to be seen", item);
        return;
    }
    const struct shown *s = shelf_entry_shown(e);
    verify_shown(w, item, s);
    promise(
        s->version >= model_shown_at(&w->model, item, reached)->version, "I8",
        "item %u: the view says it is at seq %llu and shows version %llu", item, (unsigned long long)reached,
        (unsigned long long)s->version);
}
