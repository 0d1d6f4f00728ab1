/* Idempotency records, and the sorted runs. */
#include "app/audit_state.h"
#include "base/mem.h"

#include <jansson.h>

#define KEPT_MS (24LL * 3600 * 1000)

/*
 * Sorted runs: the same seqs as the movements and the references, no more and no fewer.
 */

static void read_run(struct audit *a, sqlite3_stmt *s)
{
    int64_t seq = number(s, 3);
    ptrdiff_t at = audit_find_seq(a->places, a->places_len, sizeof(*a->places), seq);
    const struct audit_place *place = at < 0 ? NULL : &a->places[at];
    a->runs++;
    if (place == NULL || place->item != number(s, 1) || place->location != number(s, 2) ||
        number(s, 0) != (seq - 1) / RUN) {
        audit_differs(a, D_RUN, "movement_run: seq %" PRId64 " is not that movement", seq);
    }
}

static void read_reference_run(struct audit *a, sqlite3_stmt *s)
{
    a->reference_runs++;
    if (number(s, 2) != 1 || number(s, 0) != (number(s, 1) - 1) / RUN) {
        audit_differs(a, D_RUN, "reference_run: seq %" PRId64 " is not that reservation", number(s, 1));
    }
}

bool audit_check_runs(struct audit *a)
{
    if (!audit_each(a, "SELECT run, item, location, seq FROM movement_run", read_run) ||
        !audit_each(
            a,
            "SELECT n.run, n.seq, r.reference IS n.reference FROM reference_run n "
            "LEFT JOIN reservation r ON r.seq = n.seq",
            read_reference_run)) {
        return false;
    }
    uint64_t expected = (uint64_t)(a->seq / RUN * RUN);
    if (a->runs != expected) {
        audit_differs(a, D_RUN, "movement_run has %" PRIu64 " rows of %" PRIu64, a->runs, expected);
    }
    if (a->reference_runs != a->references) {
        audit_differs(a, D_RUN, "reference_run has %" PRIu64 " rows of %" PRIu64, a->reference_runs, a->references);
    }
    return true;
}

/*
 * Idempotency records.
 */

/* Equal keys for the same operation must be a day apart. */
static void check_key_is_new(struct audit *a, int64_t row, struct audit_key key)
{
    struct map_cursor cursor;
    uint64_t hash = str_hash(str_from(key.text));
    uint64_t at = map_first(&a->key_by_text, hash, &cursor);
    for (; at != 0; at = map_next(&a->key_by_text, &cursor)) {
        const struct audit_key *other = &a->keys[at - 1];
        if (str_equal(str_from(other->text), str_from(key.text)) && key.time_ms - other->time_ms < KEPT_MS) {
            audit_differs(a, D_KEY, "row %" PRId64 ": the key was used before within 24 hours", row);
        }
    }
    mem_grow((void **)&a->keys, &a->keys_cap, a->keys_len + 1, sizeof(*a->keys));
    a->keys[a->keys_len++] = key;
    map_add(&a->key_by_text, hash, a->keys_len);
}

static const struct audit_reservation *find_reservation_by_text(const struct audit *a, const char *text)
{
    struct uuid id;
    struct map_cursor cursor;
    if (text == NULL || !uuid_parse(str_from(text), &id)) {
        return NULL;
    }
    uint64_t at = map_first(&a->reservation_by_id, uuid_hash(id), &cursor);
    while (at != 0 && !uuid_equal(a->reservations[at - 1].id, id)) {
        at = map_next(&a->reservation_by_id, &cursor);
    }
    return at == 0 ? NULL : &a->reservations[at - 1];
}

static bool names_index(const struct audit_names *names, int64_t index, const json_t *text)
{
    return index >= 1 && index <= (int64_t)names->len && json_is_string(text) &&
        str_equal(str_from(json_string_value(text)), str_from(names->text[index - 1]));
}

static bool line_is_promised(const struct audit *a, const struct audit_line *line, const json_t *said)
{
    const json_t *quantity = json_object_get(said, "quantity");
    return names_index(&a->items, line->item, json_object_get(said, "sku")) &&
        names_index(&a->locations, line->location, json_object_get(said, "location")) && json_is_integer(quantity) &&
        json_integer_value(quantity) == line->quantity;
}

/* What a customer was told must be what was promised. */
static void check_promise(struct audit *a, int64_t row, struct str answer)
{
    json_t *body = json_loadb(answer.ptr, answer.len, 0, NULL);
    const struct audit_reservation *r = find_reservation_by_text(a, json_string_value(json_object_get(body, "id")));
    const json_t *lines = json_object_get(body, "lines");
    if (r == NULL) {
        audit_differs(a, D_KEY, "row %" PRId64 ": the reservation that it answers does not exist", row);
    } else if (json_array_size(lines) != r->lines_len) {
        audit_differs(
            a, D_KEY, "row %" PRId64 ": answers %zu lines, reservation %" PRId64 " has %zu", row,
            json_array_size(lines), r->seq, r->lines_len);
    } else {
        for (size_t n = 0; n < r->lines_len; n++) {
            if (!line_is_promised(a, &a->lines[r->lines_at + n], json_array_get(lines, n))) {
                audit_differs(
                    a, D_KEY, "row %" PRId64 ": line %zu is not line %" PRId64, row, n, a->lines[r->lines_at + n].seq);
            }
        }
    }
    json_decref(body);
}

static void read_key(struct audit *a, sqlite3_stmt *s)
{
    int64_t row = number(s, 0);
    int64_t time_ms = number(s, 1);
    int64_t status = number(s, 4);
    struct str text = column_str(s, 2);
    if (a->last_row != 0 && row != a->last_row + 1) {
        audit_differs(a, D_KEY, "row %" PRId64 " follows row %" PRId64, row, a->last_row);
    }
    a->last_row = row;
    if ((a->keys_len > 0 && time_ms < a->keys[a->keys_len - 1].time_ms) || time_ms > a->time_ms) {
        audit_differs(a, D_KEY, "row %" PRId64 ": its time is out of order", row);
    }
    check_key_is_new(a, row, (struct audit_key){time_ms, mem_copy_str(str_is_absent(text) ? STR("") : text)});
    if (status < 200 || status > 599) {
        audit_differs(a, D_KEY, "row %" PRId64 ": status %" PRId64 " is out of range", row, status);
    }
    if (number(s, 6) != 1) {
        audit_differs(a, D_KEY, "row %" PRId64 ": its answer is not JSON", row);
    } else if (status == 201 && str_equal(column_str(s, 3), STR("reserve"))) {
        check_promise(a, row, column_str(s, 5));
    }
}

bool audit_check_keys(struct audit *a)
{
    return audit_each(
        a,
        "SELECT row, time_ms, operation || ' ' || key, operation, status, answer, "
        "answer IS NOT NULL AND json_valid(answer) FROM idempotency ORDER BY row",
        read_key);
}
