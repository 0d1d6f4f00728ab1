/* Inventory's answers, in place of src/availability/source.c: from the store, while the world goes on, late, cut off, or none. */
#include "availability/source.h"

#include "base/mem.h"
#include "stream.h"

struct source {
    struct node *node;
};

static struct node *asker;

void source_asks(struct node *n)
{
    asker = n;
}

struct source *source_new(const char *urls)
{
    (void)urls;
    struct source *s = mem_new(sizeof(*s));
    s->node = asker;
    return s;
}

void source_free(struct source *s)
{
    mem_free(s);
}

void source_end(struct source *s)
{
    (void)s;
}

struct answer {
    struct collect *out;
    uint32_t items, limit;
    bool more;
};

static bool take_item(void *ctx, const struct item_row *row)
{
    struct answer *a = ctx;
    a->more = a->items == a->limit;
    if (a->more) {
        return false;
    }
    struct bus_item item = {.item = row->item, .sku = row->sku, .time_ms = row->defined_ms};
    collect_item(a->out, &item);
    a->items++;
    return true;
}

static bool take_level(void *ctx, const struct level_row *row)
{
    struct answer *a = ctx;
    struct level_row level = *row;
    level.item = 0;
    level.location = 0;
    collect_level(a->out, &level);
    return true;
}

static bool take_movement(void *ctx, const struct movement *m)
{
    struct level_row row = {
        .sku = m->sku,
        .location_id = m->location_id,
        .quantities = m->after,
        .version = m->version,
        .seq = m->seq,
        .time_ms = m->time_ms,
    };
    return take_level(ctx, &row);
}

/* Before and behind what is read others go on; an answer may come very late. */
static enum err travel(struct stream *w, struct err_note *note)
{
    stream_meanwhile(w);
    if (stream_mono_ms(w) < w->inventory_away_until_ms) {
        mark(MARK_INVENTORY_AWAY);
        return err_note_set(note, ERR_IO, "inventory is away");
    }
    if (stream_fault(w, w->plan.answers_late, 8)) {
        stream_pass_ms(w, (int64_t)stream_below(w, 3000));
        stream_meanwhile(w);
        mark(MARK_ANSWER_LATE);
    }
    if (stream_fault(w, w->plan.answers_fail, 6)) {
        mark(MARK_ANSWER_CUT_OFF);
        return err_note_set(note, ERR_IO, "the connection broke off");
    }
    return ERR_OK;
}

/* The position is read before the rows. */
static enum err read_catalogue(struct stream *w, uint64_t after, struct answer *a)
{
    struct store_reader *r = &w->shop.answers.base;
    struct store_head head;
    TRY(r->ops->head(r, &head));
    int64_t wall_ms = stream_wall_ms(w);
    stream_meanwhile(w);
    TRY(r->ops->catalogue(r, (uint32_t)after, a->limit + 1, take_item, take_level, a));
    a->out->position = (struct bus_position){head.epoch, head.seq, head.items, wall_ms};
    return ERR_OK;
}

static enum err
answer_catalogue(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note)
{
    struct stream *w = s->node->world;
    struct answer a = {.out = out, .limit = w->page};
    collect_clear(out);
    TRY(travel(w, note));
    TRY(read_catalogue(w, after, &a));
    TRY(travel(w, note));
    *last = !a.more;
    mark(after > 0 ? MARK_CATALOGUE_GOES_ON : MARK_CATALOGUE_BEGINS);
    stream_say(
        w, "node %u: items behind %llu: %zu, position %llu/%llu/%llu", s->node->number, (unsigned long long)after,
        out->items_len, (unsigned long long)out->position.epoch, (unsigned long long)out->position.seq,
        (unsigned long long)out->position.items);
    return ERR_OK;
}

enum err source_catalogue(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note)
{
    return answer_catalogue(s, after, out, last, note);
}

enum err source_position(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note)
{
    mark(MARK_POSITION_ASKED);
    return answer_catalogue(s, after, out, last, note);
}

enum err source_movements(struct source *s, uint64_t after, struct collect *out, struct err_note *note)
{
    struct stream *w = s->node->world;
    struct answer a = {.out = out};
    collect_clear(out);
    TRY(travel(w, note));
    struct store_reader *r = &w->shop.answers.base;
    const struct movement_filter filter = {.after_seq = after, .limit = w->page};
    TRY(r->ops->movements(r, &filter, take_movement, &a));
    TRY(travel(w, note));
    mark(MARK_MOVEMENTS_ASKED);
    stream_say(w, "node %u: movements behind %llu: %zu", s->node->number, (unsigned long long)after, out->levels_len);
    return ERR_OK;
}
