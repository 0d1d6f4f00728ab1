#include "store/postgres/rows.h"

static uint32_t column_u32(const PGresult *r, int row, int column)
{
    int64_t v = pg_i64(r, row, column);
    return v < 0 || v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint64_t column_u64(const PGresult *r, int row, int column)
{
    return (uint64_t)pg_i64(r, row, column);
}

static void read_quantities(const PGresult *r, int row, int column, struct quantities *out)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        out->of[q] = pg_i64(r, row, column + q);
    }
}

void pg_row_item(const PGresult *r, int row, struct item_row *out)
{
    *out = (struct item_row){
        .item = column_u32(r, row, 0),
        .sku = pg_text(r, row, 1),
        .name = pg_text(r, row, 2),
        .attributes = pg_text(r, row, 3),
        .defined_ms = pg_i64(r, row, 4),
    };
}

void pg_row_location(const PGresult *r, int row, struct location_row *out)
{
    *out = (struct location_row){
        .location = column_u32(r, row, 0),
        .id = pg_text(r, row, 1),
        .name = pg_text(r, row, 2),
        .priority = column_u32(r, row, 3),
    };
}

void pg_row_level(const PGresult *r, int row, struct level_row *out)
{
    *out = (struct level_row){
        .item = column_u32(r, row, 0),
        .location = column_u32(r, row, 1),
        .sku = pg_text(r, row, 2),
        .location_id = pg_text(r, row, 3),
        .version = column_u64(r, row, 4 + QUANTITY_COUNT),
        .seq = column_u64(r, row, 5 + QUANTITY_COUNT),
        .time_ms = pg_i64(r, row, 6 + QUANTITY_COUNT),
    };
    read_quantities(r, row, 4, &out->quantities);
}

enum err pg_row_movement(const PGresult *r, int row, struct movement *out)
{
    enum { AFTER = 7 + QUANTITY_COUNT, REST = AFTER + QUANTITY_COUNT };
    int64_t kind = pg_i64(r, row, 2);
    if (kind < 1 || kind >= MOVEMENT_KIND_END) {
        return ERR_IO;
    }
    *out = (struct movement){
        .seq = column_u64(r, row, 0),
        .time_ms = pg_i64(r, row, 1),
        .kind = (enum movement_kind)kind,
        .item = column_u32(r, row, 3),
        .location = column_u32(r, row, 4),
        .sku = pg_text(r, row, 5),
        .location_id = pg_text(r, row, 6),
        .version = column_u64(r, row, REST),
        .reservation = column_u64(r, row, REST + 1), /* NULL reads as 0 */
        .reason = pg_text(r, row, REST + 2),
        .reference = pg_text(r, row, REST + 3),
        .actor = pg_text(r, row, REST + 4),
    };
    read_quantities(r, row, 7, &out->delta);
    read_quantities(r, row, AFTER, &out->after);
    return ERR_OK;
}

enum err pg_row_key(const PGresult *r, int row, bool answered, struct key_row *out)
{
    *out = (struct key_row){
        .row = column_u64(r, row, 0),
        .time_ms = pg_i64(r, row, 1),
        .operation = pg_text(r, row, 2),
        .key = pg_text(r, row, 3),
        .status = (uint16_t)pg_i64(r, row, 5),
    };
    if (answered) {
        out->location = pg_text(r, row, 6);
        out->answer = pg_text(r, row, 7);
    }
    return pg_bytes(r, row, 4, out->fingerprint, sizeof(out->fingerprint)) ? ERR_OK : ERR_IO;
}

static void read_line(const PGresult *r, int row, struct reservation_line *out)
{
    *out = (struct reservation_line){
        .item = column_u32(r, row, 9),
        .location = column_u32(r, row, 10),
        .sku = pg_text(r, row, 11),
        .location_id = pg_text(r, row, 12),
        .quantity = pg_i64(r, row, 13),
        .fulfilled = pg_i64(r, row, 14),
        .returned = pg_i64(r, row, 15),
    };
}

enum err pg_row_reservation(
    const PGresult *r, int row, struct reservation_line lines[RESERVATION_PARTS_MAX], struct reservation *out)
{
    int64_t state = pg_i64(r, row, 2);
    int64_t count = pg_i64(r, row, 7);
    if (state < 1 || state >= RESERVATION_STATE_END || count < 1 || count > RESERVATION_PARTS_MAX ||
        count > PQntuples(r) - row) {
        return ERR_IO;
    }
    *out = (struct reservation){
        .seq = column_u64(r, row, 0),
        .state = (enum reservation_state)state,
        .created_ms = pg_i64(r, row, 3),
        .expires_ms = pg_i64(r, row, 4),
        .updated_ms = pg_i64(r, row, 5),
        .reference = pg_text(r, row, 6),
        .lines = lines,
        .lines_len = (uint32_t)count,
    };
    for (uint32_t n = 0; n < out->lines_len; n++) {
        if (column_u64(r, row + (int)n, 8) != out->seq + n) {
            return ERR_IO;
        }
        read_line(r, row + (int)n, &lines[n]);
    }
    return pg_bytes(r, row, 1, out->id.bytes, sizeof(out->id.bytes)) ? ERR_OK : ERR_IO;
}
