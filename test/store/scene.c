#include "scene.h"

#include <string.h>

static void ignore_key(void *ctx, const struct key_row *row)
{
    ((struct scene *)ctx)->last_key_row = row->row;
}

void scene_begin(struct scene *s, struct store *store)
{
    struct err_note note = {""};
    *s = (struct scene){.store = store, .ledger = ledger_new()};
    struct store_key_sink sink = {.ctx = s, .key = ignore_key};
    assert_int_equal(store_claim(store, "", &s->head, &note), ERR_OK);
    assert_int_equal(store_load(store, s->ledger, &sink, &note), ERR_OK);
    s->now_ms = s->head.time_ms > 0 ? s->head.time_ms : 1700000000000;
    uuid7_init(&s->ids, 7 + s->head.epoch);
    changes_init(&s->changes);
    ledger_begin(s->ledger, &s->changes);
}

void scene_end(struct scene *s)
{
    changes_release(&s->changes);
    ledger_free(s->ledger);
}

enum err scene_commit(struct scene *s)
{
    struct err_note note = {""};
    if (!s->changes.sealed) { /* it is when an earlier try failed */
        ledger_seal(s->ledger, &s->changes);
    }
    struct batch b = {
        .epoch = s->head.epoch,
        .seq_before = s->head.seq,
        .seq_after = ledger_seq(s->ledger),
        .time_ms = s->now_ms,
        .changes = &s->changes,
        .keys = s->keys,
        .keys_len = s->keys_len,
        .purge_keys_to = s->purge_keys_to,
    };
    enum err e = store_commit(s->store, &b, &note);
    if (e == ERR_OK) {
        s->head.seq = b.seq_after;
        s->keys_len = 0;
        s->purge_keys_to = 0;
        ledger_committed(s->ledger, &s->changes);
        ledger_begin(s->ledger, &s->changes);
    }
    return e;
}

void scene_must_commit(struct scene *s)
{
    assert_int_equal(scene_commit(s), ERR_OK);
}

enum outcome scene_apply(struct scene *s, const struct command *command)
{
    return ledger_apply(s->ledger, command, s->now_ms, &s->changes, &s->result);
}

static void must_apply(struct scene *s, const struct command *command)
{
    assert_int_equal(scene_apply(s, command), OUTCOME_OK);
}

void scene_item(struct scene *s, const char *sku, const char *name)
{
    must_apply(s, &(struct command){.kind = COMMAND_DEFINE_ITEM, .sku = str_from(sku), .name = str_from(name)});
}

void scene_location(struct scene *s, const char *id, uint32_t priority)
{
    must_apply(
        s,
        &(struct command){
            .kind = COMMAND_DEFINE_LOCATION, .location = str_from(id), .name = STR("A place"), .priority = priority});
}

void scene_receive(struct scene *s, const char *sku, const char *location, int64_t quantity)
{
    struct command_line line = {.sku = str_from(sku), .location = str_from(location), .quantity = quantity};
    must_apply(s, &(struct command){.kind = COMMAND_RECEIVE, .lines = &line, .lines_len = 1});
}

void scene_transfer(struct scene *s, const char *sku, const char *from, const char *to, int64_t quantity)
{
    struct command_line line = {.sku = str_from(sku), .quantity = quantity};
    must_apply(
        s,
        &(struct command){
            .kind = COMMAND_TRANSFER, .location = str_from(from), .to = str_from(to), .lines = &line, .lines_len = 1});
}

struct uuid scene_reserve(
    struct scene *s, const char *reference, const char *sku, int64_t quantity, const char *sku2, int64_t quantity2)
{
    struct command_line lines[2] = {
        {.sku = str_from(sku), .quantity = quantity}, {.sku = str_from(sku2), .quantity = quantity2}};
    struct command c = {
        .kind = COMMAND_RESERVE,
        .id = uuid7_next(&s->ids, s->now_ms),
        .reference = str_from(reference),
        .lines = lines,
        .lines_len = sku2 == NULL ? 1 : 2,
        .ttl_s = 900};
    must_apply(s, &c);
    return c.id;
}

void scene_move(struct scene *s, enum command_kind kind, struct uuid id)
{
    must_apply(s, &(struct command){.kind = kind, .id = id, .ttl_s = 1800});
}

void scene_move_part(struct scene *s, enum command_kind kind, struct uuid id, const char *sku, int64_t quantity)
{
    struct command_line line = {.sku = str_from(sku), .quantity = quantity};
    must_apply(s, &(struct command){.kind = kind, .id = id, .lines = &line, .lines_len = 1});
}

void scene_key(struct scene *s, const char *operation, const char *key, uint16_t status, const char *answer)
{
    assert_true(s->keys_len < SCENE_KEYS_MAX);
    s->keys[s->keys_len++] = (struct key_row){
        .row = ++s->last_key_row,
        .time_ms = s->now_ms,
        .operation = str_from(operation),
        .key = str_from(key),
        .fingerprint = {1, 2, 3, (uint8_t)s->last_key_row},
        .status = status,
        .answer = str_from(answer),
    };
}

struct level_list {
    size_t len;
    struct level_row rows[16];
};

static void add_level(void *ctx, const struct level_row *row)
{
    struct level_list *list = ctx;
    assert_true(list->len < 16);
    list->rows[list->len++] = *row;
}

void scene_assert_same_ledgers(const struct ledger *a, const struct ledger *b)
{
    struct level_list x = {0};
    struct level_list y = {0};
    ledger_each_level(a, add_level, &x);
    ledger_each_level(b, add_level, &y);
    assert_int_equal(x.len, y.len);
    for (size_t i = 0; i < x.len; i++) {
        assert_true(str_equal(x.rows[i].sku, y.rows[i].sku));
        assert_true(str_equal(x.rows[i].location_id, y.rows[i].location_id));
        assert_memory_equal(&x.rows[i].quantities, &y.rows[i].quantities, sizeof(x.rows[i].quantities));
        assert_int_equal(x.rows[i].version, y.rows[i].version);
        assert_int_equal(x.rows[i].seq, y.rows[i].seq);
        assert_int_equal(x.rows[i].time_ms, y.rows[i].time_ms);
    }
    struct ledger_counts m = ledger_counts(a);
    struct ledger_counts n = ledger_counts(b);
    assert_memory_equal(&m, &n, sizeof(m));
    assert_int_equal(ledger_seq(a), ledger_seq(b));
}
