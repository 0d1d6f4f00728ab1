#include "store/sqlite/row.h"

#include <string.h>

static uint64_t column_u64(sqlite3_stmt *s, int at)
{
    return (uint64_t)sqlite3_column_int64(s, at);
}

static uint32_t column_u32(sqlite3_stmt *s, int at)
{
    return (uint32_t)sqlite3_column_int64(s, at);
}

static void read_quantities(sqlite3_stmt *s, int at, struct quantities *out)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        out->of[q] = sqlite3_column_int64(s, at + q);
    }
}

void row_item(sqlite3_stmt *s, struct item_row *out)
{
    *out = (struct item_row){
        .item = column_u32(s, 0),
        .sku = column_str(s, 1),
        .name = column_str(s, 2),
        .attributes = column_str(s, 3),
        .defined_ms = sqlite3_column_int64(s, 4),
    };
}

void row_location(sqlite3_stmt *s, struct location_row *out)
{
    *out = (struct location_row){
        .location = column_u32(s, 0),
        .id = column_str(s, 1),
        .name = column_str(s, 2),
        .priority = column_u32(s, 3),
    };
}

void row_level(sqlite3_stmt *s, struct level_row *out)
{
    *out = (struct level_row){
        .item = column_u32(s, 0),
        .location = column_u32(s, 1),
        .sku = column_str(s, 2),
        .location_id = column_str(s, 3),
        .version = column_u64(s, 4 + QUANTITY_COUNT),
        .seq = column_u64(s, 5 + QUANTITY_COUNT),
        .time_ms = sqlite3_column_int64(s, 6 + QUANTITY_COUNT),
    };
    read_quantities(s, 4, &out->quantities);
}

enum err row_catch_up(sqlite3_stmt *s, uint64_t seq, struct level_row *row)
{
    bool found = false;
    bind_i64(s, 1, (int64_t)seq);
    bind_i64(s, 2, row->item);
    bind_i64(s, 3, row->location);
    enum err e = database_step(s, &found, NULL);
    if (e == ERR_OK && found) {
        read_quantities(s, 0, &row->quantities);
        row->version = column_u64(s, QUANTITY_COUNT);
        row->seq = column_u64(s, 1 + QUANTITY_COUNT);
        row->time_ms = sqlite3_column_int64(s, 2 + QUANTITY_COUNT);
    }
    sqlite3_reset(s);
    return e == ERR_OK && !found ? ERR_IO : e;
}

enum err row_movement(sqlite3_stmt *s, struct movement *out)
{
    enum { AFTER = 7 + QUANTITY_COUNT, REST = AFTER + QUANTITY_COUNT };
    int64_t kind = sqlite3_column_int64(s, 2);
    if (kind < 1 || kind >= MOVEMENT_KIND_END) {
        return ERR_IO;
    }
    *out = (struct movement){
        .seq = column_u64(s, 0),
        .time_ms = sqlite3_column_int64(s, 1),
        .kind = (enum movement_kind)kind,
        .item = column_u32(s, 3),
        .location = column_u32(s, 4),
        .sku = column_str(s, 5),
        .location_id = column_str(s, 6),
        .version = column_u64(s, REST),
        .reservation = column_u64(s, REST + 1), /* NULL reads as 0 */
        .reason = column_str(s, REST + 2),
        .reference = column_str(s, REST + 3),
        .actor = column_str(s, REST + 4),
    };
    read_quantities(s, 7, &out->delta);
    read_quantities(s, AFTER, &out->after);
    return ERR_OK;
}

enum err row_key(sqlite3_stmt *s, bool answered, struct key_row *out)
{
    *out = (struct key_row){
        .row = column_u64(s, 0),
        .time_ms = sqlite3_column_int64(s, 1),
        .operation = column_str(s, 2),
        .key = column_str(s, 3),
        .status = (uint16_t)sqlite3_column_int64(s, 5),
    };
    if (answered) {
        out->location = column_str(s, 6);
        out->answer = column_str(s, 7);
    }
    return column_blob(s, 4, out->fingerprint, sizeof(out->fingerprint)) ? ERR_OK : ERR_IO;
}

/* Columns live only until the next line is read. */
static struct str keep(struct row_lines *lines, struct str s)
{
    char *text = &lines->text[lines->text_len];
    memcpy(text, s.ptr, s.len);
    lines->text_len += s.len;
    return (struct str){text, s.len};
}

static enum err read_line(struct row_lines *lines, uint64_t seq, struct reservation_line *out)
{
    sqlite3_stmt *s = lines->select;
    bool row = false;
    TRY(database_step(s, &row, NULL));
    if (!row || column_u64(s, 0) != seq) {
        return ERR_IO;
    }
    struct str sku = column_str(s, 3);
    struct str location_id = column_str(s, 4);
    if (sku.len > SKU_BYTES_MAX || location_id.len > LOCATION_BYTES_MAX) {
        return ERR_IO;
    }
    *out = (struct reservation_line){
        .item = column_u32(s, 1),
        .location = column_u32(s, 2),
        .sku = keep(lines, sku),
        .location_id = keep(lines, location_id),
        .quantity = sqlite3_column_int64(s, 5),
        .fulfilled = sqlite3_column_int64(s, 6),
        .returned = sqlite3_column_int64(s, 7),
    };
    return ERR_OK;
}

static enum err read_lines(struct row_lines *lines, const struct reservation *r)
{
    lines->text_len = 0;
    bind_i64(lines->select, 1, (int64_t)r->seq);
    bind_i64(lines->select, 2, (int64_t)(r->seq + r->lines_len - 1));
    enum err e = ERR_OK;
    for (uint32_t n = 0; n < r->lines_len && e == ERR_OK; n++) {
        e = read_line(lines, r->seq + n, &lines->lines[n]);
    }
    sqlite3_reset(lines->select);
    return e;
}

enum err row_reservation(sqlite3_stmt *s, struct row_lines *lines, struct reservation *out)
{
    int64_t state = sqlite3_column_int64(s, 2);
    int64_t count = sqlite3_column_int64(s, 7);
    if (state < 1 || state >= RESERVATION_STATE_END || count < 1 || count > RESERVATION_PARTS_MAX) {
        return ERR_IO;
    }
    *out = (struct reservation){
        .seq = column_u64(s, 0),
        .state = (enum reservation_state)state,
        .created_ms = sqlite3_column_int64(s, 3),
        .expires_ms = sqlite3_column_int64(s, 4),
        .updated_ms = sqlite3_column_int64(s, 5),
        .reference = column_str(s, 6),
        .lines = lines->lines,
        .lines_len = (uint32_t)count,
    };
    if (!column_blob(s, 1, out->id.bytes, sizeof(out->id.bytes))) {
        return ERR_IO;
    }
    return read_lines(lines, out);
}
