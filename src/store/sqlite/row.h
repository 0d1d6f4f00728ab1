/*
 * From columns to rows of the port. Each reader of a row expects the columns of its list, in that order, from
 * column 0. A value that no commit can have written is ERR_IO: the file is damaged.
 */
#ifndef STORE_SQLITE_ROW_H
#define STORE_SQLITE_ROW_H

#include "store/sqlite/database.h"
#include "store/store.h"

/* Movements in a sorted run, see sql/sqlite. */
#define RUN_MOVEMENTS 4096

#define QUANTITY_COLUMNS(t) \
    t "on_hand, " t "reserved, " t "committed, " t "damaged, " t "quality_control, " t "safety_stock, " t "incoming"
#define DELTA_COLUMNS(t)                                                                                             \
    t "on_hand_delta, " t "reserved_delta, " t "committed_delta, " t "damaged_delta, " t "quality_control_delta, " t \
      "safety_stock_delta, " t "incoming_delta"

#define ITEM_COLUMNS "item, sku, name, attributes, defined_ms"
#define LOCATION_COLUMNS "location, id, name, priority"
/* Of level v, item i, location l. */
#define LEVEL_COLUMNS "v.item, v.location, i.sku, l.id, " QUANTITY_COLUMNS("v.") ", v.version, v.seq, v.time_ms"
/* ?1 seq, ?2 item, ?3 location */
#define ROW_AFTER_SQL           \
    "SELECT " QUANTITY_COLUMNS( \
        "") ", version, seq, time_ms FROM movement WHERE seq = ?1 AND item = ?2 AND location = ?3"
/* Of movement m, item i, location l. */
#define MOVEMENT_COLUMNS                                                                                     \
    "m.seq, m.time_ms, m.kind, m.item, m.location, i.sku, l.id, " DELTA_COLUMNS("m.") ", " QUANTITY_COLUMNS( \
        "m.") ", m.version, m.reservation, m.reason, m.reference, m.actor"
/* Of reservation r. */
#define RESERVATION_COLUMNS "r.seq, r.id, r.state, r.created_ms, r.expires_ms, r.updated_ms, r.reference, r.lines"
#define KEY_COLUMNS "row, time_ms, operation, key, fingerprint, status"
#define KEY_ANSWER_COLUMNS "location, answer"

void row_item(sqlite3_stmt *s, struct item_row *out);
void row_location(sqlite3_stmt *s, struct location_row *out);
void row_level(sqlite3_stmt *s, struct level_row *out);
MUST_CHECK enum err row_movement(sqlite3_stmt *s, struct movement *out);
/*
 * The state after movement `seq`, for a level whose row is behind. `s` is of ROW_AFTER_SQL. ERR_IO also when there is no
 * such movement of that level.
 */
MUST_CHECK enum err row_catch_up(sqlite3_stmt *s, uint64_t seq, struct level_row *row);
/* `answered`: the columns of the answer follow. */
MUST_CHECK enum err row_key(sqlite3_stmt *s, bool answered, struct key_row *out);

/* Room for the lines of one reservation and their strings. */
struct row_lines {
    sqlite3_stmt *select; /* ROW_LINES_SQL, owned by whoever prepared it */
    struct reservation_line lines[RESERVATION_PARTS_MAX];
    char text[RESERVATION_PARTS_MAX * (SKU_BYTES_MAX + LOCATION_BYTES_MAX)];
    size_t text_len;
};

#define ROW_LINES_SQL                                                                                             \
    "SELECT n.seq, n.item, n.location, i.sku, l.id, n.quantity, n.fulfilled, n.returned FROM reservation_line n " \
    "CROSS JOIN item i ON i.item = n.item CROSS JOIN location l ON l.location = n.location "                      \
    "WHERE n.seq BETWEEN ?1 AND ?2 ORDER BY n.seq"

/* Also reads the lines, into `lines`, where they stay until the next call. */
MUST_CHECK enum err row_reservation(sqlite3_stmt *s, struct row_lines *lines, struct reservation *out);

#endif
