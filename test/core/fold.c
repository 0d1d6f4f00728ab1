#include "fold.h"

#include "base/mem.h"
#include "test.h"

struct cell {
    uint32_t item, location;
    int64_t of[QUANTITY_COUNT];
    uint64_t version, seq;
    int64_t time_ms;
};

struct fold {
    struct cell *cells;
    size_t len, cap;
    uint64_t seq;
    uint64_t hash;
};

struct fold *fold_new(void)
{
    return mem_new(sizeof(struct fold));
}

void fold_free(struct fold *f)
{
    mem_free(f->cells);
    mem_free(f);
}

static struct cell *cell_at(struct fold *f, uint32_t item, uint32_t location)
{
    for (size_t i = 0; i < f->len; i++) {
        if (f->cells[i].item == item && f->cells[i].location == location) {
            return &f->cells[i];
        }
    }
    mem_grow((void **)&f->cells, &f->cap, f->len + 1, sizeof(*f->cells));
    f->cells[f->len] = (struct cell){.item = item, .location = location};
    return &f->cells[f->len++];
}

static void hash_add(struct fold *f, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < len; i++) {
        f->hash = (f->hash ^ b[i]) * 1099511628211u;
    }
}

static void movement_hash(struct fold *f, const struct movement *m)
{
    hash_add(f, &m->seq, sizeof(m->seq));
    hash_add(f, &m->time_ms, sizeof(m->time_ms));
    hash_add(f, &m->kind, sizeof(m->kind));
    hash_add(f, &m->item, sizeof(m->item));
    hash_add(f, &m->location, sizeof(m->location));
    hash_add(f, &m->delta, sizeof(m->delta));
    hash_add(f, &m->after, sizeof(m->after));
    hash_add(f, &m->version, sizeof(m->version));
    hash_add(f, &m->reservation, sizeof(m->reservation));
    hash_add(f, m->reason.ptr, m->reason.len);
}

void fold_add(struct fold *f, const struct changes *c, size_t from)
{
    for (size_t i = from; i < c->movements_len; i++) {
        const struct movement *m = &c->movements[i];
        struct cell *cell = cell_at(f, m->item, m->location);
        assert_int_equal(m->seq, f->seq + 1);
        f->seq = m->seq;
        assert_int_equal(m->version, cell->version + 1);
        cell->version = m->version;
        cell->seq = m->seq;
        assert_true(m->time_ms >= cell->time_ms);
        cell->time_ms = m->time_ms;
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            cell->of[q] += m->delta.of[q];
            assert_int_equal(cell->of[q], m->after.of[q]);
            assert_true(cell->of[q] >= 0);
        }
        if (m->kind == MOVEMENT_RESERVE) {
            assert_true(cell->of[0] - cell->of[1] - cell->of[2] - cell->of[3] - cell->of[4] - cell->of[5] >= 0);
        }
        movement_hash(f, m);
    }
}

struct compare {
    const struct fold *f;
    size_t seen;
};

static void level_compare(void *ctx, const struct level_row *row)
{
    struct compare *c = ctx;
    const struct cell *cell = cell_at((struct fold *)(uintptr_t)c->f, row->item, row->location);
    for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
        assert_int_equal(row->quantities.of[q], cell->of[q]);
    }
    assert_int_equal(row->version, cell->version);
    assert_int_equal(row->seq, cell->seq);
    assert_int_equal(row->time_ms, cell->time_ms);
    c->seen++;
}

void fold_check_levels(const struct fold *f, const struct ledger *l)
{
    struct compare c = {.f = f};
    size_t cells = f->len;
    ledger_each_level(l, level_compare, &c);
    assert_int_equal(c.seen, cells);
    assert_int_equal(f->len, cells);
}

static int64_t promised(const struct reservation *r, const struct cell *cell, enum reservation_state state)
{
    int64_t units = 0;
    for (uint32_t i = 0; r->state == state && i < r->lines_len; i++) {
        const struct reservation_line *line = &r->lines[i];
        bool here = line->item == cell->item && line->location == cell->location;
        units += here ? line->quantity - line->fulfilled : 0;
    }
    return units;
}

void fold_check_promises(const struct fold *f, const struct reservation *const *open, size_t open_len)
{
    for (size_t i = 0; i < f->len; i++) {
        int64_t reserved = 0;
        int64_t committed = 0;
        for (size_t n = 0; n < open_len; n++) {
            reserved += promised(open[n], &f->cells[i], RESERVATION_HELD);
            committed += promised(open[n], &f->cells[i], RESERVATION_COMMITTED);
        }
        assert_int_equal(f->cells[i].of[QUANTITY_RESERVED], reserved);
        assert_int_equal(f->cells[i].of[QUANTITY_COMMITTED], committed);
    }
}

uint64_t fold_hash(const struct fold *f)
{
    return f->hash;
}
