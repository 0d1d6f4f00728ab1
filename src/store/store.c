#include "store/store.h"

#include <string.h>

enum err store_claim(struct store *s, const char *leader, struct store_head *out, struct err_note *note)
{
    check(strlen(leader) <= STORE_LEADER_MAX);
    enum err e = s->ops->claim(s, leader, out, note);
    check(e != ERR_OK || (out->epoch > 0 && out->time_ms >= 0));
    return e;
}

enum err store_renew(struct store *s, struct err_note *note)
{
    return s->ops->renew == NULL ? ERR_OK : s->ops->renew(s, note);
}

bool store_has_lease(const struct store *s)
{
    return s->ops->renew != NULL;
}

enum err store_load(struct store *s, struct ledger *l, const struct store_key_sink *keys, struct err_note *note)
{
    struct ledger_counts counts = ledger_counts(l);
    check(counts.items == 0 && counts.locations == 0 && ledger_seq(l) == 0);
    return s->ops->load(s, l, keys, note);
}

/* Movements follow each other from the stored seq, and each touched level was left by one of them. */
static void check_movements(const struct batch *b)
{
    const struct changes *c = b->changes;
    check(b->seq_after == b->seq_before + c->movements_len);
    for (size_t i = 0; i < c->movements_len; i++) {
        const struct movement *m = &c->movements[i];
        check(m->seq == b->seq_before + i + 1);
        check(m->item > 0 && m->location > 0 && m->version > 0);
        check(m->time_ms <= b->time_ms);
        check(m->reservation <= m->seq);
    }
    check(c->levels_len <= c->movements_len);
    for (size_t i = 0; i < c->levels_len; i++) {
        check(c->levels[i].movement < c->movements_len);
    }
}

static void check_reservations(const struct batch *b)
{
    for (size_t i = 0; i < b->changes->reservations_len; i++) {
        const struct reservation_change *c = &b->changes->reservations[i];
        check(c->row.seq > 0 && c->row.seq <= b->seq_after);
        check(c->created == (c->row.seq > b->seq_before));
        check(c->row.lines_len >= 1 && c->row.lines_len <= RESERVATION_PARTS_MAX);
        check(c->row.state > 0 && c->row.state < RESERVATION_STATE_END);
    }
}

static void check_keys(const struct batch *b)
{
    for (size_t i = 0; i < b->keys_len; i++) {
        check(b->keys[i].row == b->keys[0].row + i && b->keys[i].row > 0);
        check(!str_is_absent(b->keys[i].key) && !str_is_absent(b->keys[i].operation));
        check(!str_is_absent(b->keys[i].answer));
    }
    check(b->keys_len == 0 || b->purge_keys_to < b->keys[0].row);
}

enum err store_commit(struct store *s, const struct batch *b, struct err_note *note)
{
    check(b->changes != NULL && b->changes->sealed);
    check(b->epoch > 0);
    check_movements(b);
    check_reservations(b);
    check_keys(b);
    return s->ops->commit(s, b, note);
}

enum err store_reader_open(struct store *s, struct store_reader **out, struct err_note *note)
{
    enum err e = s->ops->reader_open(s, out, note);
    check(e != ERR_OK || (*out)->ops != NULL);
    return e;
}

void store_free(struct store *s)
{
    if (s != NULL) {
        s->ops->free(s);
    }
}

void store_reader_free(struct store_reader *r)
{
    if (r != NULL) {
        r->ops->free(r);
    }
}
