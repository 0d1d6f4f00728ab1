#include "api/encode.h"

struct level_shown level_shown_after(const struct movement *m)
{
    return (struct level_shown){m->sku, m->location_id, &m->after, m->version, m->time_ms};
}

struct level_shown level_shown_row(const struct level_row *row)
{
    return (struct level_shown){row->sku, row->location_id, &row->quantities, row->version, row->time_ms};
}

static void put_quantity(struct buf *b, enum quantity q, int64_t value)
{
    buf_put_char(b, '"');
    buf_put_str(b, quantity_name(q));
    buf_put_literal(b, "\":");
    buf_put_i64(b, value);
}

static void put_quantities(struct buf *b, const struct quantities *quantities)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        put_quantity(b, (enum quantity)q, quantities->of[q]);
        buf_put_char(b, ',');
    }
    buf_put_literal(b, "\"available\":");
    buf_put_i64(b, quantities_available(quantities));
}

static void put_time(struct buf *b, int64_t ms)
{
    buf_put_char(b, '"');
    buf_put_time(b, ms);
    buf_put_char(b, '"');
}

static void put_level_members(struct buf *b, const struct level_shown *level)
{
    buf_put_literal(b, "\"location\":");
    buf_put_json(b, level->location);
    buf_put_char(b, ',');
    put_quantities(b, level->quantities);
    buf_put_literal(b, ",\"version\":");
    buf_put_u64(b, level->version);
    buf_put_literal(b, ",\"updated_at\":");
    put_time(b, level->time_ms);
}

static void put_level_open(struct buf *b, const struct level_shown *level)
{
    buf_put_literal(b, "{\"sku\":");
    buf_put_json(b, level->sku);
    buf_put_char(b, ',');
    put_level_members(b, level);
}

void encode_level_of_item(struct buf *b, const struct level_row *row)
{
    struct level_shown level = level_shown_row(row);
    buf_put_char(b, '{');
    put_level_members(b, &level);
    encode_seq_close(b, row->seq);
}

void encode_level(struct buf *b, const struct level_shown *level)
{
    put_level_open(b, level);
    buf_put_char(b, '}');
}

void encode_seq_close(struct buf *b, uint64_t seq)
{
    buf_put_literal(b, ",\"seq\":");
    buf_put_u64(b, seq);
    buf_put_char(b, '}');
}

void encode_level_written(struct buf *b, const struct level_shown *level, uint64_t seq)
{
    put_level_open(b, level);
    encode_seq_close(b, seq);
}

void encode_item_open(struct buf *b, struct str sku, struct str name, struct str attributes)
{
    buf_put_literal(b, "{\"sku\":");
    buf_put_json(b, sku);
    buf_put_literal(b, ",\"name\":");
    buf_put_json(b, name);
    buf_put_literal(b, ",\"attributes\":");
    buf_put_str(b, attributes.len == 0 ? STR("{}") : attributes);
}

void encode_location_open(struct buf *b, struct str id, struct str name, uint32_t priority)
{
    buf_put_literal(b, "{\"id\":");
    buf_put_json(b, id);
    buf_put_literal(b, ",\"name\":");
    buf_put_json(b, name);
    buf_put_literal(b, ",\"priority\":");
    buf_put_u64(b, priority);
}

static void put_reservation_line(struct buf *b, const struct reservation_line *line)
{
    buf_put_literal(b, "{\"sku\":");
    buf_put_json(b, line->sku);
    buf_put_literal(b, ",\"location\":");
    buf_put_json(b, line->location_id);
    buf_put_literal(b, ",\"quantity\":");
    buf_put_i64(b, line->quantity);
    buf_put_literal(b, ",\"fulfilled\":");
    buf_put_i64(b, line->fulfilled);
    buf_put_literal(b, ",\"returned\":");
    buf_put_i64(b, line->returned);
    buf_put_char(b, '}');
}

static void put_reservation_head(struct buf *b, const struct reservation *r)
{
    char id[UUID_TEXT_LEN];
    uuid_to_text(r->id, id);
    buf_put_literal(b, "{\"id\":\"");
    buf_put(b, id, sizeof(id));
    buf_put_literal(b, "\",\"state\":\"");
    buf_put_str(b, reservation_state_name(r->state));
    buf_put_char(b, '"');
    if (r->reference.len > 0) {
        buf_put_literal(b, ",\"reference\":");
        buf_put_json(b, r->reference);
    }
    buf_put_literal(b, ",\"created_at\":");
    put_time(b, r->created_ms);
    buf_put_literal(b, ",\"expires_at\":");
    put_time(b, r->expires_ms);
    buf_put_literal(b, ",\"updated_at\":");
    put_time(b, r->updated_ms);
}

void encode_reservation_open(struct buf *b, const struct reservation *r)
{
    put_reservation_head(b, r);
    buf_put_literal(b, ",\"lines\":[");
    for (uint32_t i = 0; i < r->lines_len; i++) {
        if (i > 0) {
            buf_put_char(b, ',');
        }
        put_reservation_line(b, &r->lines[i]);
    }
    buf_put_char(b, ']');
}

static void put_delta(struct buf *b, const struct quantities *delta)
{
    bool first = true;
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        if (delta->of[q] == 0) {
            continue;
        }
        if (!first) {
            buf_put_char(b, ',');
        }
        put_quantity(b, (enum quantity)q, delta->of[q]);
        first = false;
    }
}

static void put_text_member(struct buf *b, const char *name, struct str text)
{
    if (text.len > 0) {
        buf_printf(b, ",\"%s\":", name);
        buf_put_json(b, text);
    }
}

void encode_movement(struct buf *b, const struct movement *m)
{
    buf_put_literal(b, "{\"seq\":");
    buf_put_u64(b, m->seq);
    buf_put_literal(b, ",\"kind\":");
    buf_put_json(b, movement_kind_name(m->kind));
    buf_put_literal(b, ",\"sku\":");
    buf_put_json(b, m->sku);
    buf_put_literal(b, ",\"location\":");
    buf_put_json(b, m->location_id);
    buf_put_literal(b, ",\"delta\":{");
    put_delta(b, &m->delta);
    buf_put_literal(b, "},\"after\":{");
    put_quantities(b, &m->after);
    buf_put_literal(b, "},\"version\":");
    buf_put_u64(b, m->version);
    if (m->reservation != 0) {
        buf_put_literal(b, ",\"reservation_seq\":");
        buf_put_u64(b, m->reservation);
    }
    put_text_member(b, "reason", m->reason);
    put_text_member(b, "reference", m->reference);
    put_text_member(b, "actor", m->actor);
    buf_put_literal(b, ",\"at\":");
    put_time(b, m->time_ms);
    buf_put_char(b, '}');
}

bool encode_seq_of(struct str body, uint64_t *out)
{
    static const char before[] = "\"seq\":";
    size_t before_len = sizeof(before) - 1;
    if (body.len == 0 || body.ptr[body.len - 1] != '}') {
        return false;
    }
    size_t end = body.len - 1;
    size_t begin = end;
    while (begin > 0 && body.ptr[begin - 1] >= '0' && body.ptr[begin - 1] <= '9') {
        begin--;
    }
    return begin >= before_len && memcmp(body.ptr + begin - before_len, before, before_len) == 0 &&
        str_to_u64((struct str){body.ptr + begin, end - begin}, INT64_MAX, out);
}
