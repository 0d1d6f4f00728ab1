/* The audit must call a sound store clean, and find every sort of damage. */
#include "app/audit.h"

#include "base/mem.h"
#include "place.h"
#include "scene.h"
#include "store/sqlite/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store *open_store(const struct place *p)
{
    struct store *s = NULL;
    struct err_note note = {""};
    if (store_sqlite_open(p->dir, 0, &s, &note) != ERR_OK) {
        fail_msg("cannot open: %s", note.text);
    }
    return s;
}

/* Runs the audit and gives its output, freed by the caller. */
static int audit(const char *dir, char **out_text)
{
    size_t len = 0;
    FILE *f = open_memstream(out_text, &len);
    assert_non_null(f);
    int status = audit_run(dir, f);
    fclose(f);
    return status;
}

static void assert_audit(const char *dir, int expected, const char *words)
{
    char *text = NULL;
    int status = audit(dir, &text);
    if (status != expected || strstr(text, words) == NULL) {
        fail_msg("status %d, and no \"%s\" in:\n%s", status, words, text);
    }
    free(text);
}

/* The answer to a reservation as the API writes it. */
static char *answer_of(const struct reservation *r, char *out, size_t size)
{
    char id[UUID_TEXT_LEN + 1] = "";
    uuid_to_text(r->id, id);
    int len = snprintf(out, size, "{\"id\":\"%s\",\"state\":\"held\",\"lines\":[", id);
    for (uint32_t n = 0; n < r->lines_len; n++) {
        const struct reservation_line *line = &r->lines[n];
        len += snprintf(
            out + len, size - (size_t)len, "%s{\"sku\":\"%.*s\",\"location\":\"%.*s\",\"quantity\":%d}",
            n == 0 ? "" : ",", STR_ARG(line->sku), STR_ARG(line->location_id), (int)line->quantity);
    }
    snprintf(out + len, size - (size_t)len, "]}");
    return out;
}

static void begin_shop(struct scene *s, struct store *store)
{
    scene_begin(s, store);
    scene_location(s, "w1", 1);
    scene_location(s, "w2", 2);
    scene_item(s, "a", "Ay");
    scene_item(s, "b", "Bee");
    scene_receive(s, "a", "w1", 1000); /* seq 1 */
    scene_receive(s, "b", "w1", 20);
    scene_receive(s, "b", "w2", 1000);
    scene_must_commit(s);
}

/* A store with a reservation in every state; what stands at which seq is used by the rows below. */
static void trade(struct scene *s)
{
    static char answers[2][512];
    s->now_ms += 1000;
    struct uuid held = scene_reserve(s, "held", "a", 3, "b", 30); /* 4: a, 5 and 6: b at w1 and w2 */
    scene_key(s, "reserve", "key-1", 201, answer_of(s->result.reservation, answers[0], sizeof(answers[0])));
    struct uuid committed = scene_reserve(s, "committed", "a", 5, NULL, 0); /* 7 */
    scene_key(s, "reserve", "key-2", 201, answer_of(s->result.reservation, answers[1], sizeof(answers[1])));
    scene_key(s, "reserve", "key-3", 409, "{\"code\":\"insufficient_stock\"}");
    scene_key(s, "commit", "key-1", 200, "{}");
    scene_move(s, COMMAND_COMMIT, committed); /* 8 */
    scene_must_commit(s);
    s->now_ms += 1000;
    scene_move_part(s, COMMAND_FULFILL, committed, "a", 2);    /* 9 */
    struct uuid part = scene_reserve(s, NULL, "a", 4, "b", 1); /* 10, 11 */
    scene_move(s, COMMAND_COMMIT, part);                       /* 12, 13 */
    scene_move_part(s, COMMAND_FULFILL, part, "a", 4);         /* 14 */
    scene_move(s, COMMAND_CANCEL, part);                       /* 15 */
    scene_must_commit(s);
    struct uuid returned = scene_reserve(s, NULL, "a", 4, NULL, 0);  /* 16 */
    scene_move(s, COMMAND_COMMIT, returned);                         /* 17 */
    scene_move(s, COMMAND_FULFILL, returned);                        /* 18 */
    scene_move_part(s, COMMAND_RETURN, returned, "a", 1);            /* 19 */
    scene_move(s, COMMAND_RETURN, returned);                         /* 20 */
    struct uuid released = scene_reserve(s, NULL, "a", 4, NULL, 0);  /* 21 */
    scene_move(s, COMMAND_RELEASE, released);                        /* 22 */
    struct uuid cancelled = scene_reserve(s, NULL, "a", 4, NULL, 0); /* 23 */
    scene_move(s, COMMAND_COMMIT, cancelled);                        /* 24 */
    scene_move(s, COMMAND_CANCEL, cancelled);                        /* 25 */
    scene_transfer(s, "a", "w1", "w2", 10);                          /* 26, 27 */
    scene_must_commit(s);
    struct uuid expired = scene_reserve(s, NULL, "a", 1, NULL, 0); /* 28 */
    scene_move(s, COMMAND_EXTEND, held);
    scene_must_commit(s);
    s->now_ms += 900 * 1000;
    scene_move(s, COMMAND_EXPIRE, expired); /* 29 */
    scene_must_commit(s);
}

static int setup(void **state)
{
    struct place *p = mem_new(sizeof(*p));
    place_make(p);
    *state = p;
    struct store *store = open_store(p);
    struct scene s;
    begin_shop(&s, store);
    trade(&s);
    assert_int_equal(ledger_seq(s.ledger), 29);
    scene_end(&s);
    store_free(store);
    return 0;
}

static int teardown(void **state)
{
    place_remove(*state);
    mem_free(*state);
    return 0;
}

static void a_sound_store_is_clean(void **state)
{
    struct place *p = *state;
    assert_audit(p->dir, 0, "audit: clean\n");
    assert_audit(p->dir, 0, "seq 29: 29 movements, 4 levels, 7 reservations with 10 lines, 4 idempotency records");
}

static void a_store_in_use_can_be_audited(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    scene_begin(&s, store);
    scene_receive(&s, "a", "w1", 1);
    scene_must_commit(&s);
    assert_audit(p->dir, 0, "epoch 2, seq 30");
    scene_receive(&s, "a", "w1", 1);
    scene_must_commit(&s);
    assert_audit(p->dir, 0, "seq 31");
    scene_end(&s);
    store_free(store);
}

static void an_empty_store_is_clean(void **state)
{
    struct place *p = *state;
    snprintf(p->dir, sizeof(p->dir), "%s/other", p->root);
    store_free(open_store(p));
    assert_audit(p->dir, 0, "audit: clean");
}

static void what_is_not_a_store_cannot_be_audited(void **state)
{
    struct place *p = *state;
    assert_audit("/nonexistent/onhand", 2, "cannot run");
    assert_audit(p->root, 2, "cannot run");
    assert_int_equal(place_sql(p, "PRAGMA user_version = 99"), SQLITE_OK);
    assert_audit(p->dir, 2, "newer version");
}

/* Puts a row back to what its level was after its first movement. */
#define ROW_BEHIND                                                                                                                \
    "UPDATE level SET (version, seq, time_ms, on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming) = " \
    "(SELECT version, seq, time_ms, on_hand, reserved, committed, damaged, quality_control, safety_stock, incoming "              \
    "FROM movement WHERE item = 1 AND location = 1 ORDER BY seq LIMIT 1) WHERE item = 1 AND location = 1"

/* Damage, one at a time, and the words with which the audit must find it. */
static const struct {
    const char *sql;
    const char *words;
} damages[] = {
    /* levels */
    {"UPDATE level SET on_hand = on_hand + 1 WHERE item = 1 AND location = 1",
     "level: location 1 of item 1: on_hand is"},
    {"UPDATE level SET reserved = reserved - 1 WHERE item = 1 AND location = 1", "reserved is"},
    {"UPDATE level SET incoming = 5 WHERE item = 2 AND location = 2", "incoming is 5, the movements give 0"},
    {"UPDATE level SET version = version + 1 WHERE item = 1 AND location = 1", "version is"},
    {"UPDATE level SET seq = seq - 1 WHERE item = 1 AND location = 1", "seq is"},
    {"UPDATE level SET time_ms = time_ms - 1 WHERE item = 1 AND location = 1", "time_ms is"},
    {"DELETE FROM level WHERE item = 1 AND location = 2", "level: item 1, location 2: has movements but no row"},
    {"INSERT INTO level SELECT 1, 9, partition, on_hand, reserved, committed, damaged, quality_control, safety_stock, "
     "incoming, version, seq, time_ms FROM level WHERE item = 1 AND location = 1",
     "level: item 1, location 9: a row without movements"},
    {ROW_BEHIND, "seq is"},
    {ROW_BEHIND
     "; UPDATE partition SET levels_seq = 4; UPDATE level SET on_hand = on_hand + 1 WHERE item = 1 AND location = 1",
     "on_hand is"},
    /* movements */
    {"UPDATE movement SET on_hand = on_hand + 1 WHERE seq = 9", "movement: seq 9: on_hand"},
    {"UPDATE movement SET reserved_delta = 4, reserved = 4 WHERE seq = 4", "movement: seq 7: reserved"},
    {"UPDATE movement SET safety_stock_delta = 9 WHERE seq = 1", "movement: seq 1: safety_stock 0 and +9"},
    {"UPDATE movement SET on_hand_delta = 9223372036854775807 WHERE seq = 4", "movement: seq 4: on_hand"},
    {"UPDATE movement SET reserved_delta = -9223372036854775808 WHERE seq = 4", "its deltas are not those of its kind"},
    {"UPDATE movement SET on_hand = -5, on_hand_delta = -5 WHERE seq = 1", "on_hand -5 is out of range"},
    {"UPDATE movement SET version = 7 WHERE seq = 9", "movement: seq 9: version 7 follows version"},
    {"UPDATE movement SET time_ms = time_ms - 5000 WHERE seq = 9", "movement: seq 9: time runs backwards"},
    {"UPDATE movement SET kind = 9 WHERE seq = 22", "the movements give expired"},
    {"UPDATE movement SET kind = 77 WHERE seq = 22", "there is no kind 77"},
    {"UPDATE movement SET kind = 1 WHERE seq = 4", "movement: seq 4: reservation 4 does not go with kind 1"},
    {"UPDATE movement SET kind = 7 WHERE seq = 9", "movement: seq 9: its deltas are not those of its kind"},
    {"UPDATE movement SET item = 2 WHERE seq = 9", "movement: seq 9: reservation 7 has no such line"},
    {"UPDATE movement SET item = 44 WHERE seq = 1", "movement: seq 1: item 44 or location 1 does not exist"},
    {"UPDATE movement SET location = -1 WHERE seq = 1", "item 1 or location -1 does not exist"},
    {"UPDATE movement SET reservation = NULL WHERE seq = 9", "reservation 0 does not go with kind 11"},
    {"UPDATE movement SET reservation = 1 WHERE seq = 9", "reservation 1 has no such line"},
    {"UPDATE movement SET reservation = 4 WHERE seq = 11", "a reserve of reservation 4 stands apart from it"},
    {"UPDATE movement SET damaged = 1000, damaged_delta = 1000 WHERE seq = 4", "movement: seq 4: oversold"},
    {"UPDATE movement SET reserved_delta = 1 WHERE seq = 1", "moves promised units without a reservation"},
    {"UPDATE movement SET on_hand_delta = -9, committed_delta = -9 WHERE seq = 9", "seq 9: moves 9 units"},
    {"UPDATE movement SET on_hand_delta = 9 WHERE seq = 20", "seq 20: moves 9 units that line 16 does not have"},
    {"UPDATE movement SET reserved_delta = -3 WHERE seq = 22", "seq 22: moves 3 units that line 21 does not have"},
    {"UPDATE movement SET committed_delta = -3 WHERE seq = 25", "seq 25: moves 3 units that line 23 does not have"},
    {"DELETE FROM movement WHERE seq = 9", "movement: seq 10 follows seq 8"},
    {"DELETE FROM movement WHERE seq = 1", "movement: seq 2 follows seq 0"},
    {"DELETE FROM movement WHERE seq = 29", "store: the partition is at seq 29, the last movement is 28"},
    {"DELETE FROM movement WHERE seq = 13", "the movements give torn"},
    /* reservations */
    {"UPDATE reservation SET state = 2 WHERE seq = 4", "seq 4: state is committed, the movements give held"},
    {"UPDATE reservation SET state = 6 WHERE seq = 10", "seq 10: state is cancelled, the movements give fulfilled"},
    {"UPDATE reservation SET state = 3 WHERE seq = 16", "seq 16: state is fulfilled, the movements give returned"},
    {"UPDATE reservation SET state = 5 WHERE seq = 21", "seq 21: state is expired, the movements give released"},
    {"UPDATE reservation SET state = 2 WHERE seq = 23", "seq 23: state is committed, the movements give cancelled"},
    {"UPDATE reservation SET state = 1 WHERE seq = 28", "seq 28: state is held, the movements give expired"},
    {"UPDATE reservation SET state = 99 WHERE seq = 28", "seq 28: state is torn, the movements give expired"},
    {"UPDATE reservation SET created_ms = created_ms - 1 WHERE seq = 7", "reservation: seq 7: created_ms is"},
    {"UPDATE reservation SET updated_ms = created_ms WHERE seq = 7", "updated_ms is before its last movement"},
    {"UPDATE reservation SET expires_ms = expires_ms + 1 WHERE seq = 28", "reservation: seq 28: expired 1 ms early"},
    {"UPDATE reservation SET expires_ms = created_ms - 1 WHERE seq = 21", "the hold was used after it ran out"},
    {"UPDATE reservation SET expires_ms = created_ms - 1 WHERE seq = 4", "expires before it was made"},
    {"UPDATE reservation SET lines = 2 WHERE seq = 4", "lines is 2, the movements give 3"},
    {"UPDATE reservation SET id = x'00' WHERE seq = 4", "its id is not 16 bytes"},
    {"DELETE FROM reservation WHERE seq = 10", "reservation: seq 10: has movements but no row"},
    {"INSERT INTO reservation SELECT 2, partition, zeroblob(16), state, created_ms, expires_ms, updated_ms, reference, "
     "lines FROM reservation WHERE seq = 4",
     "reservation: seq 2: a row without movements"},
    {"UPDATE reservation_line SET item = 2 WHERE seq = 4", "reservation_line: seq 4: item is 2"},
    {"UPDATE reservation_line SET location = 1 WHERE seq = 6", "reservation_line: seq 6: location is 1"},
    {"UPDATE reservation_line SET quantity = quantity + 1 WHERE seq = 4", "seq 4: quantity is 4, the movements give 3"},
    {"UPDATE reservation_line SET fulfilled = 1 WHERE seq = 7", "seq 7: fulfilled is 1, the movements give 2"},
    {"UPDATE reservation_line SET returned = 0 WHERE seq = 16", "seq 16: returned is 0, the movements give 4"},
    {"DELETE FROM reservation_line WHERE seq = 11", "reservation_line: seq 11: has a movement but no row"},
    {"INSERT INTO reservation_line VALUES (3, 0, 1, 1, 1, 0, 0)", "reservation_line: seq 3: a row without a movement"},
    /* idempotency records */
    {"UPDATE idempotency SET row = 9 WHERE row = 4", "idempotency: row 9 follows row 3"},
    {"DELETE FROM idempotency WHERE row = 2", "idempotency: row 3 follows row 1"},
    {"UPDATE idempotency SET time_ms = time_ms + 1 WHERE row = 1", "row 2: its time is out of order"},
    {"UPDATE idempotency SET time_ms = 1900000000000 WHERE row = 4", "row 4: its time is out of order"},
    {"UPDATE idempotency SET status = 999 WHERE row = 4", "row 4: status 999 is out of range"},
    {"UPDATE idempotency SET answer = '{\"cut' WHERE row = 3", "row 3: its answer is not JSON"},
    {"UPDATE idempotency SET key = 'key-1' WHERE row = 2", "row 2: the key was used before within 24 hours"},
    {"UPDATE idempotency SET answer = replace(answer, '\"quantity\":5', '\"quantity\":6') WHERE row = 2",
     "row 2: line 0 is not line 7"},
    {"UPDATE idempotency SET answer = replace(answer, '\"location\":\"w2\"', '\"location\":\"w1\"') WHERE row = 1",
     "row 1: line 2 is not line 6"},
    {"UPDATE idempotency SET answer = replace(answer, '\"sku\":\"a\"', '\"sku\":\"b\"') WHERE row = 1",
     "row 1: line 0 is not line 4"},
    {"UPDATE idempotency SET answer = json_remove(answer, '$.lines[2]') WHERE row = 1",
     "row 1: answers 2 lines, reservation 4 has 3"},
    {"UPDATE idempotency SET answer = '{\"id\":\"01890000-0000-7000-8000-000000000000\",\"lines\":[]}' WHERE row = 1",
     "row 1: the reservation that it answers does not exist"},
    {"UPDATE idempotency SET answer = '[]' WHERE row = 1", "row 1: the reservation that it answers does not exist"},
    /* the store itself */
    {"UPDATE partition SET seq = 28", "store: the partition is at seq 28, the last movement is 29"},
    {"UPDATE partition SET time_ms = 5", "store: the partition's time is before the last movement's"},
    {"DELETE FROM partition", "store: there is no partition row"},
    {"INSERT INTO partition VALUES (1, 1, 1, 1, 1)", "store: there is more than one partition row"},
    {"UPDATE movement SET partition = 7 WHERE seq = 3", "store: table movement has 1 rows of another partition"},
    {"UPDATE idempotency SET partition = 7", "store: table idempotency has 4 rows of another partition"},
    {"DELETE FROM item WHERE item = 1", "store: item 2 follows item 0"},
    {"UPDATE item SET attributes = '{' WHERE item = 1", "store: item 1: its attributes are not JSON"},
    {"INSERT INTO movement_run VALUES (0, 1, 1, 1)", "run: movement_run has 1 rows of 0"},
    {"INSERT INTO reference_run VALUES (0, 'held', 4)", "run: reference_run has 1 rows of 0"},
};

static void copy_file(const char *from, const char *to)
{
    static char block[1 << 20];
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    ssize_t len = 0;
    while ((len = read(in, block, sizeof(block))) > 0) {
        assert_int_equal(write(out, block, (size_t)len), len);
    }
    assert_int_equal(len, 0);
    close(in);
    close(out);
}

static void every_sort_of_damage_is_found(void **state)
{
    struct place *p = *state;
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct place copy;
        place_make(&copy);
        assert_int_equal(mkdir(copy.dir, 0700), 0);
        copy_file(p->file, copy.file);
        if (place_sql(&copy, damages[i].sql) != SQLITE_OK) {
            fail_msg("not done: %s", damages[i].sql);
        }
        char *text = NULL;
        int status = audit(copy.dir, &text);
        if (status != 1 || strstr(text, damages[i].words) == NULL || strstr(text, "audit: clean") != NULL) {
            fail_msg("%s\nstatus %d, and no \"%s\" in:\n%s", damages[i].sql, status, damages[i].words, text);
        }
        free(text);
        place_remove(&copy);
    }
}

/* Damage that nothing else depends on gives exactly one difference: the audit does not cry wolf behind it. */
static void a_row_may_be_as_far_behind_as_the_store_says(void **state)
{
    struct place *p = *state;
    assert_int_equal(place_sql(p, ROW_BEHIND), SQLITE_OK);
    assert_audit(p->dir, 1, "seq is");
    assert_int_equal(
        place_sql(p, "UPDATE partition SET levels_seq = (SELECT seq FROM level WHERE item = 1 AND location = 1)"),
        SQLITE_OK);
    assert_audit(p->dir, 0, "audit: clean");
}

static void one_wrong_number_is_one_difference(void **state)
{
    static const char *const single[] = {
        "UPDATE level SET incoming = 5 WHERE item = 2 AND location = 2",
        "UPDATE movement SET incoming_delta = 5 WHERE seq = 2",
        "UPDATE reservation SET state = 2 WHERE seq = 4",
        "UPDATE reservation_line SET fulfilled = 1 WHERE seq = 7",
        "UPDATE idempotency SET status = 999 WHERE row = 4",
    };
    struct place *p = *state;
    for (size_t i = 0; i < ARRAY_LEN(single); i++) {
        struct place copy;
        place_make(&copy);
        assert_int_equal(mkdir(copy.dir, 0700), 0);
        copy_file(p->file, copy.file);
        assert_int_equal(place_sql(&copy, single[i]), SQLITE_OK);
        assert_audit(copy.dir, 1, "audit: 1 differences\n");
        place_remove(&copy);
    }
}

/* The log of a busy store: several sorted runs, keys that come again after a day. */
static void trade_much(struct scene *s)
{
    for (int round = 0; round < 200; round++) {
        char reference[16];
        char key[16];
        char answer[512];
        snprintf(reference, sizeof(reference), "order-%d", round);
        snprintf(key, sizeof(key), "again-%d", round % 100);
        scene_receive(s, "a", "w1", 100);
        scene_receive(s, "b", "w2", 100);
        for (int i = 0; i < 10; i++) {
            struct uuid id = scene_reserve(s, i == 0 ? reference : NULL, "a", 1, "b", 30);
            if (i == 0) {
                scene_key(s, "reserve", key, 201, answer_of(s->result.reservation, answer, sizeof(answer)));
            }
            scene_move(s, i < 8 ? COMMAND_COMMIT : COMMAND_RELEASE, id);
        }
        scene_receive(s, "b", "w1", 200);
        scene_must_commit(s);
        s->now_ms += 24 * 3600 * 1000 / 100;
    }
}

static void a_long_log_is_audited_with_its_runs(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    scene_begin(&s, store);
    scene_receive(&s, "b", "w2", 100000);
    trade_much(&s);
    assert_true(ledger_seq(s.ledger) > 2 * 4096);
    scene_end(&s);
    store_free(store);
    assert_audit(p->dir, 0, "audit: clean");
    static const struct {
        const char *sql;
        const char *undo;
        const char *words;
    } wrongs[] = {
        {"UPDATE movement_run SET item = item + 1 WHERE seq = 4100",
         "UPDATE movement_run SET item = item - 1 WHERE seq = 4100", "seq 4100 is not that movement"},
        {"UPDATE movement_run SET run = 0 WHERE seq = 4100", "UPDATE movement_run SET run = 1 WHERE seq = 4100",
         "seq 4100 is not that movement"},
        {"UPDATE reference_run SET reference = 'x' WHERE reference = 'order-9'",
         "UPDATE reference_run SET reference = 'order-9' WHERE reference = 'x'", "is not that reservation"},
        {"DELETE FROM reference_run WHERE reference = 'order-9'", "SELECT 1", "reference_run has"},
        {"DELETE FROM movement_run WHERE seq = 4100", "SELECT 1", "movement_run has 8191 rows of 8192"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
        assert_int_equal(place_sql(p, wrongs[i].sql), SQLITE_OK);
        assert_audit(p->dir, 1, wrongs[i].words);
        assert_int_equal(place_sql(p, wrongs[i].undo), SQLITE_OK);
    }
}

static void a_flood_of_differences_is_counted_but_not_printed(void **state)
{
    struct place *p = *state;
    struct store *store = open_store(p);
    struct scene s;
    scene_begin(&s, store);
    for (int i = 0; i < 500; i++) {
        scene_receive(&s, "a", "w1", 1);
    }
    scene_must_commit(&s);
    scene_end(&s);
    store_free(store);
    assert_int_equal(place_sql(p, "UPDATE movement SET safety_stock_delta = 1 WHERE seq > 29"), SQLITE_OK);
    char *text = NULL;
    assert_int_equal(audit(p->dir, &text), 1);
    size_t printed = 0;
    for (const char *at = text; (at = strstr(at, "movement: seq")) != NULL; at++) {
        printed++;
    }
    assert_int_equal(printed, 100);
    assert_non_null(strstr(text, "audit: 500 differences in movement\n"));
    assert_non_null(strstr(text, "audit: 500 differences\n"));
    free(text);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_store_is_clean),
        TEST(a_store_in_use_can_be_audited),
        TEST(an_empty_store_is_clean),
        TEST(what_is_not_a_store_cannot_be_audited),
        TEST(every_sort_of_damage_is_found),
        TEST(a_row_may_be_as_far_behind_as_the_store_says),
        TEST(one_wrong_number_is_one_difference),
        TEST(a_long_log_is_audited_with_its_runs),
        TEST(a_flood_of_differences_is_counted_but_not_printed),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
