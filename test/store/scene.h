/*
 * A ledger that writes to a store, for tests that need real trade: each call decides one command, and scene_commit()
 * stores what was decided since the last one.
 */
#ifndef TEST_STORE_SCENE_H
#define TEST_STORE_SCENE_H

#include "store/store.h"
#include "test.h"

#define SCENE_KEYS_MAX 64

struct scene {
    struct store *store; /* borrowed */
    struct store_head head;
    struct ledger *ledger;
    struct changes changes;
    struct result result; /* of the last command */
    struct uuid7 ids;
    int64_t now_ms;
    uint64_t last_key_row;
    struct key_row keys[SCENE_KEYS_MAX]; /* of the open batch */
    size_t keys_len;
    uint64_t purge_keys_to;
};

/* Claims the store and loads the ledger from it; what fails, fails the test. */
void scene_begin(struct scene *s, struct store *store);
void scene_end(struct scene *s);
/* Stores the open batch and begins the next. */
enum err scene_commit(struct scene *s);
void scene_must_commit(struct scene *s);

enum outcome scene_apply(struct scene *s, const struct command *command);
void scene_item(struct scene *s, const char *sku, const char *name);
void scene_location(struct scene *s, const char *id, uint32_t priority);
void scene_receive(struct scene *s, const char *sku, const char *location, int64_t quantity);
void scene_transfer(struct scene *s, const char *sku, const char *from, const char *to, int64_t quantity);
/* Two lines at most: `sku2` may be NULL. Any location. */
struct uuid scene_reserve(
    struct scene *s, const char *reference, const char *sku, int64_t quantity, const char *sku2, int64_t quantity2);
void scene_move(struct scene *s, enum command_kind kind, struct uuid id);
/* Fulfill or return part of one line. */
void scene_move_part(struct scene *s, enum command_kind kind, struct uuid id, const char *sku, int64_t quantity);
/* A record in the open batch; texts are borrowed until it is stored. */
void scene_key(struct scene *s, const char *operation, const char *key, uint16_t status, const char *answer);

/* The same levels, counts and seq. */
void scene_assert_same_ledgers(const struct ledger *a, const struct ledger *b);

#endif
