/* The broker between them: takes events as bytes, and gives each node what it likes of them, in an order that it likes. */
#include "base/mem.h"
#include "bus/event.h"
#include "stream.h"

/* What a broker keeps of the stream. */
#define KEPT_MAX 64
/* Events change places within this distance. */
#define REORDER_MAX 12
#define RECEIVE_MAX 8

/* --- lists of events ---------------------------------------------------------------------------------------------- */

static void told_drop(struct told *t)
{
    check(t->holders > 0);
    if (--t->holders == 0) {
        mem_free(t->json);
        mem_free(t);
    }
}

void told_drop_all(struct told_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        told_drop(list->all[i]);
    }
    mem_free(list->all);
    *list = (struct told_list){0};
}

static bool is_old(const struct stream *w, const struct told *t)
{
    bool old = false;
    for (size_t p = t->past + 1; p <= w->past && !old; p++) {
        old = t->seq > w->pasts[p].shared || t->items > w->pasts[p].shared_items;
    }
    return old;
}

bool told_has_old(const struct stream *w, const struct told_list *list)
{
    bool found = false;
    for (size_t i = 0; i < list->len && !found; i++) {
        found = is_old(w, list->all[i]);
    }
    return found;
}

static void told_put(struct told_list *list, struct told *t, size_t at)
{
    mem_grow((void **)&list->all, &list->cap, list->len + 1, sizeof(struct told *));
    memmove(&list->all[at + 1], &list->all[at], (list->len - at) * sizeof(struct told *));
    list->all[at] = t;
    list->len++;
    t->holders++;
}

/* The caller drops it. */
static struct told *told_take(struct told_list *list, size_t at)
{
    struct told *t = list->all[at];
    list->len--;
    memmove(&list->all[at], &list->all[at + 1], (list->len - at) * sizeof(struct told *));
    return t;
}

/* --- the publishing end ------------------------------------------------------------------------------------------- */

static struct stream *world_of(struct bus *b)
{
    return CONTAINER_OF(b, struct broker, base)->world;
}

struct encoding {
    struct stream *world;
    const struct bus_message *m;
    struct told_list events;
};

/* Items come first, then levels, then the position: what the event names. */
static void name_told(struct told *t, const struct bus_message *m, size_t at)
{
    if (at < m->items_len) {
        t->items = m->items[at].item;
    } else if (at < m->items_len + m->levels_len) {
        t->seq = m->levels[at - m->items_len].seq;
    } else {
        t->is_position = true;
        t->seq = m->position.seq;
        t->items = m->position.items;
    }
}

static bool encode_cb(void *ctx, const struct event *e)
{
    struct encoding *c = ctx;
    struct told *t = mem_new(sizeof(*t));
    t->json = mem_copy_str(e->json);
    t->len = e->json.len;
    t->past = c->world->past;
    name_told(t, c->m, c->events.len);
    told_put(&c->events, t, c->events.len);
    stream_trace_bytes(c->world, e->json.ptr, e->json.len);
    return true;
}

static void queue_event(struct stream *w, struct node *n, struct told *t)
{
    size_t at = n->queue.len;
    if (stream_fault(w, w->plan.reorders, 6)) {
        uint64_t back = stream_below(w, REORDER_MAX);
        at -= back < at ? back : at;
        mark(MARK_EVENT_OVERTAKES);
    }
    told_put(&n->queue, t, at);
}

static void note_published(struct stream *w, const struct told *t)
{
    struct past *p = stream_past(w);
    if (t->is_position) {
        return;
    }
    if (t->seq > 0) {
        size_t before = p->published_cap;
        mem_grow((void **)&p->published, &p->published_cap, t->seq, sizeof(*p->published));
        memset(p->published + before, 0, p->published_cap - before);
        p->published[t->seq - 1] = true;
    } else {
        p->published_items[t->items - 1] = true;
    }
}

static void arrive(struct stream *w, struct told *t)
{
    struct broker *b = &w->broker;
    if (!stream_fault(w, w->plan.forgets, 12)) {
        told_put(&b->kept, t, b->kept.len);
    }
    if (b->kept.len > KEPT_MAX) {
        told_drop(told_take(&b->kept, 0));
    }
    for (uint32_t i = 0; i < w->nodes_len; i++) {
        struct node *n = &w->nodes[i];
        if (!n->on || !n->connected) {
            continue;
        }
        if (stream_fault(w, w->plan.loses, 8)) {
            mark(MARK_EVENT_LOST);
            continue;
        }
        queue_event(w, n, t);
        if (stream_fault(w, w->plan.repeats, 10)) {
            queue_event(w, n, t);
            mark(MARK_EVENT_REPEATED);
        }
    }
}

void broker_deliver_late(struct stream *w)
{
    struct broker *b = &w->broker;
    if (b->late.len > 0 && !b->away) {
        struct told *t = told_take(&b->late, stream_below(w, b->late.len));
        arrive(w, t);
        told_drop(t);
    }
}

static void take_first(struct stream *w, struct told_list *events, size_t len)
{
    struct broker *b = &w->broker;
    for (size_t i = 0; i < len; i++) {
        note_published(w, events->all[i]);
        if (stream_fault(w, w->plan.reorders, 12)) {
            told_put(&b->late, events->all[i], b->late.len);
            mark(MARK_EVENT_LATE);
        } else {
            arrive(w, events->all[i]);
        }
    }
}

static enum err publish(struct bus *base, const struct bus_message *m, struct err_note *note)
{
    struct stream *w = world_of(base);
    stream_meanwhile(w);
    if (w->broker.away) {
        mark(MARK_PUBLISH_AWAY);
        return err_note_set(note, ERR_IO, "the broker is away");
    }
    struct encoding c = {.world = w, .m = m};
    bool all = event_each(m, encode_cb, &c);
    check(all);
    bool fails = stream_fault(w, w->plan.fails, 8);
    size_t len = fails ? stream_below(w, c.events.len + 1) : c.events.len;
    stream_say(
        w, "published %zu of %zu events, up to seq %llu items %llu, position %llu/%llu/%llu", len, c.events.len,
        (unsigned long long)bus_message_end(m).seq, (unsigned long long)bus_message_end(m).items,
        (unsigned long long)m->position.epoch, (unsigned long long)m->position.seq,
        (unsigned long long)m->position.items);
    take_first(w, &c.events, len);
    if (len == c.events.len && m->position.time_ms != 0) {
        prove_published(w, &m->position);
    }
    if (fails) {
        mark(len > 0 ? MARK_PUBLISH_FAILS_IN_PART : MARK_PUBLISH_FAILS);
    }
    told_drop_all(&c.events);
    stream_meanwhile(w);
    return fails ? err_note_set(note, ERR_IO, "the broker did not confirm") : ERR_OK;
}

/* A relay that asks begins not too far back, and believes the broker. */
static void excuse(struct stream *w, const struct bus_position *said)
{
    struct past *p = stream_past(w);
    uint64_t seq = p->facts_len > RELAY_AGAIN ? p->facts_len - RELAY_AGAIN : 0;
    seq = said->seq > seq && said->seq <= p->facts_len ? said->seq : seq;
    p->excused = seq > p->excused ? seq : p->excused;
    p->excused_items = said->items > p->excused_items ? said->items : p->excused_items;
}

static enum err last(struct bus *base, struct bus_position *out, struct err_note *note)
{
    struct stream *w = world_of(base);
    const struct broker *b = &w->broker;
    if (b->away) {
        return err_note_set(note, ERR_IO, "the broker is away");
    }
    excuse(w, &(struct bus_position){0});
    if (b->tells == BROKER_CANNOT_TELL) {
        mark(MARK_LAST_CANNOT_TELL);
        return ERR_NOT_FOUND;
    }
    *out = (struct bus_position){0};
    for (size_t i = 0; i < b->kept.len; i++) {
        const struct told *t = b->kept.all[i];
        out->seq = t->seq > out->seq ? t->seq : out->seq;
        out->items = t->items > out->items ? t->items : out->items;
    }
    excuse(w, out);
    mark(b->kept.len > 0 ? MARK_LAST_TELLS : MARK_LAST_IS_EMPTY);
    stream_say(
        w, "the broker ends at seq %llu items %llu", (unsigned long long)out->seq, (unsigned long long)out->items);
    return ERR_OK;
}

/* Its owner is the world. */
static void nothing(struct bus *b)
{
    (void)b;
}

static const struct bus_ops broker_ops = {
    .name = "simulated", .publish = publish, .last = last, .close = nothing, .free = nothing};

void broker_open(struct stream *w)
{
    w->broker = (struct broker){.base = {.ops = &broker_ops}, .world = w};
    w->broker.tells = stream_below(w, 3) == 0 ? BROKER_CANNOT_TELL : BROKER_TELLS;
}

void broker_close(struct stream *w)
{
    told_drop_all(&w->broker.kept);
    told_drop_all(&w->broker.late);
}

static void wipe(struct stream *w)
{
    told_drop_all(&w->broker.kept);
    told_drop_all(&w->broker.late);
    for (uint32_t i = 0; i < w->nodes_len && stream_below(w, 2) == 0; i++) {
        told_drop_all(&w->nodes[i].queue);
    }
    mark(MARK_BROKER_WIPED);
    stream_say(w, "the broker is wiped");
}

void broker_act(struct stream *w)
{
    struct broker *b = &w->broker;
    if (b->away ? stream_below(w, 4) == 0 : stream_fault(w, w->plan.away, 4)) {
        b->away = !b->away;
        stream_say(w, "the broker is %s", b->away ? "away" : "back");
    }
    if (stream_fault(w, w->plan.wipes, 8)) {
        wipe(w);
    }
}

void broker_mend(struct stream *w)
{
    w->broker.away = false;
    while (w->broker.late.len > 0) {
        broker_deliver_late(w);
    }
}

/* --- the following end -------------------------------------------------------------------------------------------- */

/* Some brokers send a part again. */
void broker_connect(struct stream *w, struct node *n)
{
    n->connected = true;
    const struct told_list *kept = &w->broker.kept;
    size_t again = stream_fault(w, w->plan.repeats, 2) ? stream_below(w, kept->len + 1) : 0;
    const struct past *p = stream_past(w);
    for (size_t i = kept->len - again; i < kept->len; i++) {
        /*
         * What a store said that is no more is not sent to who came after it, or was taken to know the present one; nor once
         * that one has grown.
         */
        struct told *t = kept->all[i];
        if (t->past >= n->past && (!is_old(w, t) || p->facts_len == p->shared)) {
            told_put(&n->queue, t, n->queue.len);
        }
    }
}

void broker_disconnect(struct node *n)
{
    n->connected = false;
    told_drop_all(&n->queue);
}

static const struct bus_message *receive(struct bus *base, int timeout_ms)
{
    struct node *n = CONTAINER_OF(base, struct node, base);
    struct stream *w = n->world;
    (void)timeout_ms;
    uint64_t most = w->faults_on ? 1 + stream_below(w, RECEIVE_MAX) : EVENT_BOX_EVENTS_MAX;
    for (uint64_t i = 0; i < most && n->queue.len > 0; i++) {
        struct told *t = told_take(&n->queue, 0);
        intake_take(&n->intake, (struct str){t->json, t->len}, stream_mono_ms(w));
        if (t->past < w->past && !t->is_position) {
            n->foreign_ms = stream_wall_ms(w);
        }
        told_drop(t);
    }
    return intake_lend(&n->intake);
}

static void done(struct bus *base, const struct bus_message *m)
{
    intake_done(&CONTAINER_OF(base, struct node, base)->intake, m);
}

const struct bus_ops node_bus_ops = {
    .name = "simulated", .receive = receive, .done = done, .close = nothing, .free = nothing};
