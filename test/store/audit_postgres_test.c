/* The audit of a PostgreSQL: sound books are clean, and damage is found although the copy would refuse some of it. */
#include "app/audit.h"

#include "pg_server.h"
#include "scene.h"
#include "store/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_server server;

/* More than a run of movements, so that there is one. */
static int setup(void **state)
{
    struct store *store = NULL;
    struct scene s;
    struct err_note note;
    (void)state;
    pg_server_exec(&server, "DROP SCHEMA IF EXISTS onhand CASCADE");
    assert_int_equal(store_postgres_open(server.url, 0, false, &store, &note), ERR_OK);
    scene_begin(&s, store);
    scene_location(&s, "w1", 1);
    scene_item(&s, "a", "Größe \"42\"");
    scene_receive(&s, "a", "w1", 100000);
    scene_must_commit(&s);
    for (int i = 0; i < 4200; i++) {
        struct uuid id = scene_reserve(&s, i % 2 == 0 ? "order" : NULL, "a", 1, NULL, 0);
        if (i == 0) {
            scene_key(&s, "commit", "key", 200, "{}");
            scene_move(&s, COMMAND_COMMIT, id);
        }
        if (i % 100 == 0) {
            scene_must_commit(&s);
        }
    }
    scene_must_commit(&s);
    scene_end(&s);
    store_free(store);
    return 0;
}

static void assert_audit(int expected, const char *words)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    int status = audit_run_postgres(server.url, f);
    fclose(f);
    if (status != expected || strstr(text, words) == NULL) {
        fail_msg("status %d, and no \"%s\" in:\n%s", status, words, text);
    }
    free(text);
}

static void sound_books_are_clean(void **state)
{
    (void)state;
    assert_audit(0, "seq 4202: 4202 movements, 1 levels, 4200 reservations with 4200 lines, 1 idempotency records");
    assert_audit(0, "audit: clean\n");
}

static void damage_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *words;
    } rows[] = {
        {"UPDATE level SET on_hand = on_hand + 1", "on_hand is 100001"},
        {"UPDATE movement SET reserved = reserved + 1, reserved_delta = reserved_delta + 1 WHERE seq = 7", "movement"},
        {"DELETE FROM movement WHERE seq = 4000", "movement"},
        {"UPDATE reservation SET state = 4 WHERE seq = 5", "state is released, the movements give held"},
        {"UPDATE reservation_line SET quantity = 2 WHERE seq = 5", "quantity is 2"},
        {"DELETE FROM movement_run WHERE seq = 5", "run"},
        {"DELETE FROM reference_run WHERE seq = 5", "run"},
        {"UPDATE item SET attributes = '{'", "not JSON"},
        {"UPDATE partition SET seq = 4203", "seq"},
        {"ALTER TABLE location DROP CONSTRAINT location_priority_check; UPDATE location SET priority = -1",
         "table location, the row that begins with 1: CHECK constraint failed"},
        {"ALTER TABLE idempotency DROP CONSTRAINT idempotency_fingerprint_check; "
         "UPDATE idempotency SET fingerprint = 'x'",
         "table idempotency"},
        {"ALTER TABLE movement DROP CONSTRAINT movement_pkey; INSERT INTO movement SELECT * FROM movement WHERE seq = 9",
         "table movement, the row that begins with 9: UNIQUE constraint failed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        setup(NULL);
        pg_server_exec(&server, rows[i].sql);
        assert_audit(1, rows[i].words);
    }
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    pg_server_exec(&server, "INSERT INTO onhand.migration (number, name) VALUES (99, 'later')");
    assert_audit(2, "cannot run on the database: the store was written by a newer version");
    pg_server_exec(&server, "DROP SCHEMA onhand CASCADE");
    assert_audit(2, "cannot run on the database: cannot read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sound_books_are_clean, setup),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test_setup(what_cannot_be_read_is_said, setup),
    };
    pg_server_make(&server, "");
    int failed = cmocka_run_group_tests_name("audit: postgres", tests, NULL, NULL);
    pg_server_remove(&server);
    return failed;
}
