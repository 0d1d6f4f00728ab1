/*
 * The simulated world: one process of the product after the other on one disk, its clients, open pages, and the clock.
 * One thread; whatever happens next is drawn from the seed.
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include "availability/view.h"
#include "base/clock.h"
#include "base/map.h"
#include "broken.h"
#include "clock.h"
#include "disk.h"
#include "inventory/sequencer.h"
#include "marks.h"
#include "model.h"
#include "push/push.h"

/* Data directory of every life; on the simulated disk its name means nothing. */
#define WORLD_DATA "sim"

/*
 * What a client wants: one command under one key, sent until there is an answer.
 */

/* One key within one operation: what it stands for. Intents with the same key share it. */
struct key_story {
    char key[24];
    enum command_kind kind;
    struct intent *owner; /* whose effect is stored; NULL: none yet */
    int64_t owned_ms;
    uint64_t owned_as; /* count of keys stored until then */
    uint32_t in_flight;
};

struct intent {
    struct command command; /* lines are owned; strings are constants, or the model's */
    struct command_line *lines;
    struct key_story *story; /* NULL: sent without a key */
    uint8_t fingerprint[32];

    /* The truth. */
    bool stored; /* decided, and the decision is durable */
    uint64_t stored_in_life;
    bool was_in_doubt;
    char *answer; /* the bytes that were stored */
    size_t answer_len;
    uint16_t status, status_before;
    char *answer_before; /* the one that was stored for it before its key was forgotten */

    /* What the client knows. */
    bool answered;
    bool given_up;
    bool urgent; /* sends again before it has an answer */
    uint32_t in_flight;
    uint32_t sent;
    struct uuid id; /* of the reservation it made */
    bool has_id;
    struct intent *next;
};

/* One sending of an intent. */
struct attempt {
    struct request request;
    struct intent *intent;
    struct life *life;
    const struct intent *owner_when_sent; /* of its key: a lookup may have begun before the key was forgotten */
    size_t log_at;
    bool handed_over; /* in a batch that the store was given */
    bool logged;      /* decided, in the life's log, not handed over */
    bool decided;
    bool has_rows;
    bool durable;
    struct attempt *prev, *next; /* all attempts of a life */
};

/*
 * One life of the process.
 */

/* Decisions since the last batch was handed over, in order. */
struct decision_log {
    struct decided *decided;
    struct attempt **attempts;
    size_t len, decided_cap, attempts_cap;
    size_t done; /* answered although no batch was handed over: refusals that need no commit */
};

struct life {
    struct world *world;
    uint64_t number;
    bool over;            /* nobody hears it any more */
    bool ledger_is_whole; /* it was loaded to the end */
    struct store *store;
    struct store_reader *lookup_reader, *query_reader;
    struct sequencer *sequencer;
    struct ledger_clock clock;
    struct store_head head;
    int64_t tick_ms;

    /* The hand-overs between its threads. */
    const struct batch *batch;
    struct commit *commit; /* copy of the batch, until its outcome is known */
    struct attempt **committing;
    size_t committing_len;
    bool committed; /* the commit was run; the sequencer does not know yet */
    enum err commit_err;
    struct lookup *asked, *answered;
    struct attempt *attempts;                /* all */
    struct request *queue_head, **queue_end; /* not yet given to the sequencer */
    size_t queue_len;
    struct bus *bus;
    size_t bus_len;

    struct decision_log log;

    struct view view;
    struct hub *hub;
    struct view shadow; /* the same rows, repeated and in another order */
    struct level_row *shadow_rows;
    size_t shadow_len, shadow_cap;
};

/*
 * One open page.
 */
struct page {
    struct world *world;
    uint32_t items[MODEL_ITEMS_MAX];
    size_t items_len;
    struct stream *stream; /* NULL: not connected */
    bool awake;            /* the stream has something to write, or may have */
    bool slow;
    bool unread; /* nothing was read since it connected */
    int64_t opened_ms;
    bool fresh;                     /* no frame since it connected */
    bool expect_reset;              /* it came back with an id of another life */
    bool told[MODEL_ITEMS_MAX + 1]; /* on this connection */
    uint64_t version[MODEL_ITEMS_MAX + 1];
    bool known[MODEL_ITEMS_MAX + 1];
    char last_id[64];
    struct buf text;
    uint64_t frames;
};

#define PAGES 6

/* What may happen in a run: each seed allows about half. */
struct plan {
    bool kills, power_cuts, deaths, stops, zombies, pauses, stalls, full_disk, write_errors, read_errors, sync_errors,
        lies, clock_jumps, long_waits, few_keys, floods, pages, twins, big_orders;
};

struct world {
    uint64_t seed;
    struct random random;
    struct disk *disk;
    struct plan plan;
    struct sim_clock clock;
    int64_t began_ns;
    uint64_t trace;

    struct life *life;   /* NULL: none is running */
    struct life *zombie; /* deposed, with a batch that it still wants to commit */
    uint64_t lives;
    uint64_t starts_died;
    uint64_t epoch_seen;
    struct commit *doubt; /* handed over, outcome unknown; of the last life */
    bool faults_on;       /* safety phase; off: everything has to settle */
    int64_t full_until_ns;
    bool was_full;

    struct model model;
    uint64_t keys_stored;
    uint64_t keys_max;
    struct intent *intents; /* all, newest first */
    struct intent **open;
    size_t open_len, open_cap;
    struct key_story **stories;
    size_t stories_len, stories_cap;
    struct uuid *ids; /* reservations that clients know */
    size_t ids_len, ids_cap;
    struct map shown; /* hash of item and version -> hash of the bytes shown */
    uint64_t operations;

    struct page pages[PAGES];
};

/* --- world.c --- */
struct world *world_new(uint64_t seed);
void world_free(struct world *w);
/* `steps` with faults, in some seeds four times as many, then without until everything has settled. */
void world_run(struct world *w, uint64_t steps);
uint64_t world_below(struct world *w, uint64_t bound);
bool world_chance(struct world *w, uint64_t one_in);
void world_trace(struct world *w, uint64_t value);
int64_t world_mono_ms(const struct world *w);
void world_pass_ns(struct world *w, int64_t ns);

/* --- life.c --- */
/* NULL when the start failed or the disk died in it; then the disk is to be ended as after any other death. */
struct life *life_begin(struct world *w);
/* What the threads do, one thing at a time. */
void life_turn(struct life *l);        /* sequencer thread */
bool life_run_commit(struct life *l);  /* store thread; false: nothing to do */
bool life_run_lookup(struct life *l);  /* lookup thread */
bool life_run_project(struct life *l); /* projector thread */
void life_run_hub(struct life *l);     /* HTTP thread */
bool life_is_idle(const struct life *l);
int64_t life_next_wake_ms(const struct life *l);
/* The process is gone: nothing of it has any effect any more. Attempts are without an answer. Also frees it. */
void life_end(struct life *l);
/* Asked to stop, it finishes first. False: it failed meanwhile. */
bool life_stop(struct life *l);
/* The shadow has all rows that the view has. */
void life_settle_shadow(struct life *l);
void life_submit(struct life *l, struct attempt *a);

/* --- verify.c: the store, the ledger and the view are what the model says --- */
bool verify_doubt(struct life *l); /* resolves the commit without an answer; false: it died before */
void verify_ledger(struct life *l);
void verify_view(struct life *l);  /* all is told */
void verify_store(struct life *l); /* rows */
void verify_audit(void);           /* the product's own audit, and the library's */
void verify_shown(struct world *w, uint32_t item, const struct shown *s);
void verify_queries(struct life *l); /* a random read of the store */
void verify_prefix(struct life *l);  /* after a lie: an older, consistent state */

/* --- clients.c --- */
void clients_act(struct world *w);      /* something new, or a retry */
void clients_set_up(struct world *w);   /* items, places, stock */
void clients_insist(struct world *w);   /* everyone without an answer asks again */
bool clients_are_done(struct world *w); /* everyone has an answer, or has given up */
void clients_flood(struct world *w);
void clients_read(struct world *w);
/* From the life: an attempt is over. */
void attempt_done(struct attempt *a);
void attempt_lost(struct attempt *a);
void attempt_render(struct request *r, const struct result *result, const struct changes *changes);
/* The decision is durable. */
void intent_stored(struct world *w, struct intent *i, const struct decided *d, struct str answer, uint64_t life);
void intents_free(struct world *w);

/* --- pages.c --- */
void pages_init(struct world *w);
void pages_act(struct world *w);
void pages_settle(struct world *w);   /* everyone connects and reads all; then each has what the model says */
void pages_read_all(struct world *w); /* those who read */
void pages_check(struct world *w);    /* after the hub's turn: none is kept that does not read */
void pages_lose(struct world *w);     /* the process is gone */
void pages_release(struct world *w);

#endif
