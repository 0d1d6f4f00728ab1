/*
 * The model: what has happened, told by commits alone, and what each command should have answered. Sequential, simple,
 * and shares nothing with the ledger but the structs of commands and movements.
 *
 * A commit is applied when it is surely stored; then every decision in it is decided again here and compared.
 */
#ifndef TEST_SIM_MODEL_H
#define TEST_SIM_MODEL_H

#include "core/changes.h"
#include "core/command.h"
#include "core/result.h"

#define MODEL_ITEMS_MAX 24
#define MODEL_LOCATIONS_MAX 8

/* A movement without its strings. */
struct fact {
    uint64_t seq;
    int64_t time_ms;
    enum movement_kind kind;
    uint32_t item;
    uint32_t location;
    struct quantities delta;
    struct quantities after;
    uint64_t version;
    uint64_t reservation;
};

struct intent;

/* One command that was decided: noted down when its answer was rendered. */
struct decided {
    struct intent *intent;
    int64_t now_ms; /* ledger time of the decision */
    enum outcome outcome;
    uint32_t facts_at; /* in its commit */
    uint32_t facts_len;
    uint64_t seq;
    struct uuid id; /* of the reservation, when it has one */
    bool has_reservation;
    bool created;
    enum reservation_state state;
    int64_t expires_ms;
    char *answer; /* its bytes; owned by the commit */
    size_t answer_len;
    uint16_t status;
    bool keyed;
};

/* One batch, copied so that it outlives the process that made it. */
struct commit {
    struct fact *facts;
    size_t facts_len;
    struct decided *decided;
    size_t decided_len;
    uint64_t *key_rows;
    size_t keys_len;
    uint32_t items_created;
    uint64_t epoch;
    uint64_t seq_before;
    uint64_t seq_after;
    int64_t time_ms;
};

struct model_level {
    int64_t of[QUANTITY_COUNT];
    uint64_t version;
    uint64_t seq;
    int64_t time_ms;
};

struct model_reservation {
    struct uuid id;
    uint64_t seq;
    enum reservation_state state;
    int64_t expires_ms;
    uint32_t lines_at; /* in `lines` */
    uint32_t lines_len;
};

struct model_line {
    uint32_t item, location;
    int64_t quantity, fulfilled, returned;
};

/* What shoppers may be shown of an item: one row for each commit that changed it. */
struct model_shown {
    uint64_t version; /* sum over its levels */
    uint64_t seq;
    int64_t available;
};

struct model_item {
    char sku[SKU_BYTES_MAX + 1];
    struct model_shown *shown; /* [0]: without any level */
    size_t shown_len, shown_cap;
};

struct model_move {
    uint32_t item, location;
    int64_t delta[QUANTITY_COUNT];
    enum movement_kind kind;
};

#define MODEL_MOVES_MAX 512

struct model {
    struct model_item items[MODEL_ITEMS_MAX + 1]; /* [0] unused, as in the ledger */
    uint32_t items_len;
    char locations[MODEL_LOCATIONS_MAX + 1][LOCATION_BYTES_MAX + 1];
    uint32_t locations_len;
    struct model_level levels[MODEL_ITEMS_MAX + 1][MODEL_LOCATIONS_MAX + 1];
    struct model_reservation *reservations;
    size_t reservations_len, reservations_cap;
    struct model_line *lines;
    size_t lines_len, lines_cap;
    struct fact *facts; /* all, by seq */
    size_t facts_len, facts_cap;
    int64_t time_ms;

    /* The clock's promise: holds that ran out after this moment end within EXPIRY_LATE_MS. */
    int64_t healthy_since_ms;

    /* The command at hand. */
    struct model_move moves[MODEL_MOVES_MAX];
    size_t moves_len;
};

#define EXPIRY_LATE_MS 1000

void model_init(struct model *m);
void model_release(struct model *m);
/* The batch is stored. */
void model_apply(struct model *m, const struct commit *c);
/* A refusal that was not stored, decided on exactly the present state. */
void model_check_refusal(struct model *m, const struct decided *d);

uint64_t model_seq(const struct model *m);
/* 0 when there is none. */
uint32_t model_item(const struct model *m, struct str sku);
uint32_t model_location(const struct model *m, struct str id);
struct model_reservation *model_reservation(const struct model *m, struct uuid id);
/* May an item be shown with this version? NULL when not. */
const struct model_shown *model_shown(const struct model *m, uint32_t item, uint64_t version);
/* What is shown once everything up to `seq` is. */
const struct model_shown *model_shown_at(const struct model *m, uint32_t item, uint64_t seq);

struct fact fact_of(const struct movement *m);
void commit_free(struct commit *c); /* accepts NULL */

/* intent.h has the command. */
const struct command *intent_command(const struct intent *i);

#endif
