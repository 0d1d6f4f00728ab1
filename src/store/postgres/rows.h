/*
 * From columns to rows of the port. Each reader of a row expects the columns of its list, in that order, from column 0.
 * Strings are borrowed from the result. A value that no commit can have written is ERR_IO: the database is damaged.
 */
#ifndef STORE_POSTGRES_ROWS_H
#define STORE_POSTGRES_ROWS_H

#include "store/postgres/link.h"
#include "store/store.h"

#define QUANTITY_COLUMNS(t) \
    t "on_hand, " t "reserved, " t "committed, " t "damaged, " t "quality_control, " t "safety_stock, " t "incoming"
#define DELTA_COLUMNS(t)                                                                                             \
    t "on_hand_delta, " t "reserved_delta, " t "committed_delta, " t "damaged_delta, " t "quality_control_delta, " t \
      "safety_stock_delta, " t "incoming_delta"

#define ITEM_COLUMNS "item, sku, name, attributes, defined_ms"
#define LOCATION_COLUMNS "location, id, name, priority"
/* Of level v, item i, location l. */
#define LEVEL_COLUMNS "v.item, v.location, i.sku, l.id, " QUANTITY_COLUMNS("v.") ", v.version, v.seq, v.time_ms"
/* Of movement m, item i, location l. */
#define MOVEMENT_COLUMNS                                                                                             \
    "m.seq, m.time_ms, m.kind::bigint, m.item, m.location, i.sku, l.id, " DELTA_COLUMNS("m.") ", " QUANTITY_COLUMNS( \
        "m.") ", m.version, m.reservation, m.reason, m.reference, m.actor"
#define MOVEMENT_NAMES " JOIN item i ON i.item = m.item JOIN location l ON l.location = m.location "
/* A reservation and one of its lines: of reservation r, reservation_line n, item i, location l. */
#define RESERVATION_COLUMNS                                                                                         \
    "r.seq, r.id, r.state::bigint, r.created_ms, r.expires_ms, r.updated_ms, r.reference, r.lines::bigint, n.seq, " \
    "n.item, n.location, i.sku, l.id, n.quantity, n.fulfilled, n.returned"
/* OFFSET 0: the lines of each reservation are looked up, and not the reservation of each line that there is. */
#define RESERVATION_LINES                                                                                  \
    " CROSS JOIN LATERAL (SELECT * FROM reservation_line WHERE seq BETWEEN r.seq AND r.seq + r.lines - 1 " \
    "OFFSET 0) n JOIN item i ON i.item = n.item JOIN location l ON l.location = n.location ORDER BY r.seq, n.seq"
#define KEY_COLUMNS "\"row\", time_ms, operation, key, fingerprint, status::bigint"
#define KEY_ANSWER_COLUMNS "location, answer"

void pg_row_item(const PGresult *r, int row, struct item_row *out);
void pg_row_location(const PGresult *r, int row, struct location_row *out);
void pg_row_level(const PGresult *r, int row, struct level_row *out);
MUST_CHECK enum err pg_row_movement(const PGresult *r, int row, struct movement *out);
/* `answered`: the columns of the answer follow. */
MUST_CHECK enum err pg_row_key(const PGresult *r, int row, bool answered, struct key_row *out);
/* A reservation and all of its lines, which stand in as many rows from `row` on. `lines` has room for the most. */
MUST_CHECK enum err pg_row_reservation(
    const PGresult *r, int row, struct reservation_line lines[RESERVATION_PARTS_MAX], struct reservation *out);

#endif
