#include "inventory/lookup.h"

#include "base/mem.h"

/* The largest answer that can have been kept. */
#define ANSWER_BYTES_MAX (4u * 1024 * 1024)

struct lookup *lookup_new(enum lookup_kind kind)
{
    struct lookup *l = mem_new(sizeof(*l));
    l->kind = kind;
    l->waiting_end = &l->waiting;
    buf_init(&l->bytes, ANSWER_BYTES_MAX);
    return l;
}

void lookup_free(struct lookup *l)
{
    check(l->waiting == NULL);
    buf_release(&l->bytes);
    mem_free(l->reservation.lines);
    mem_free(l->oldest);
    mem_free(l);
}

void lookup_wait(struct lookup *l, struct request *r)
{
    r->next = NULL;
    *l->waiting_end = r;
    l->waiting_end = &r->next;
}

uint64_t key_hash(struct str operation, struct str key)
{
    uint64_t hash = str_hash(key);
    return (hash << 7 | hash >> 57) ^ str_hash(operation);
}

/* Copies all strings of the row behind each other into `bytes`, then points at them. */
static bool take_key(void *ctx, const struct key_row *row)
{
    struct lookup *l = ctx;
    const struct str parts[] = {row->operation, row->key, row->location, row->answer};
    struct str *const places[] = {&l->key.operation, &l->key.key, &l->key.location, &l->key.answer};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_put_str(&l->bytes, parts[i]);
    }
    check(!l->bytes.overflowed);
    l->key = *row;
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        *places[i] = str_is_absent(parts[i]) ? STR_NONE : (struct str){l->bytes.ptr + at, parts[i].len};
        at += parts[i].len;
    }
    return true;
}

static bool take_reservation(void *ctx, const struct reservation *row)
{
    struct lookup *l = ctx;
    l->reservation = *row;
    l->reservation.lines = mem_new_array(row->lines_len, sizeof(*row->lines));
    memcpy(l->reservation.lines, row->lines, row->lines_len * sizeof(*row->lines));
    buf_put_str(&l->bytes, row->reference);
    if (!str_is_absent(row->reference)) {
        l->reservation.reference = (struct str){row->reference.len == 0 ? "" : l->bytes.ptr, row->reference.len};
    }
    return true;
}

static bool take_oldest(void *ctx, const struct key_row *row)
{
    struct lookup *l = ctx;
    check(l->oldest_len < LOOKUP_OLDEST_MAX);
    l->oldest[l->oldest_len++] =
        (struct lookup_key){.row = row->row, .hash = key_hash(row->operation, row->key), .time_ms = row->time_ms};
    return true;
}

void lookup_run(struct lookup *l, struct store_reader *reader)
{
    switch (l->kind) {
    case LOOKUP_KEY:
        l->err = reader->ops->key(reader, l->row, take_key, l);
        return;
    case LOOKUP_RESERVATION:
        l->err = reader->ops->reservation(reader, l->id, take_reservation, l);
        return;
    case LOOKUP_OLDEST_KEYS:
        l->oldest = mem_new_array(LOOKUP_OLDEST_MAX, sizeof(*l->oldest));
        l->err = reader->ops->oldest_keys(reader, LOOKUP_OLDEST_MAX, take_oldest, l);
        return;
    }
    unreachable("lookup kind");
}
