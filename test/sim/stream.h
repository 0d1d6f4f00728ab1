/*
 * The simulated stream: one store with leaders that follow one another, a broker that cannot be relied on, and the
 * availability nodes that follow it. The relay, the follower with its shell, the codec of events, the view and the kept
 * file are the product's; what lies between them is made up here. One thread; whatever happens next is drawn from the seed.
 *
 * What happened is told by commits alone: a `past` is what one store has committed. A store that is set back, or replaced,
 * begins another past, which shares its beginning, or nothing, with the one before.
 */
#ifndef TEST_SIM_STREAM_H
#define TEST_SIM_STREAM_H

#include "availability/follow.h"
#include "availability/follower.h"
#include "availability/service.h"
#include "base/log.h"
#include "base/random.h"
#include "broken.h"
#include "bus/intake.h"
#include "clock.h"
#include "inventory/relay.h"
#include "marks.h"

#define SKUS 12
#define LOCATIONS 3
#define NODES_MAX 3
#define PASTS_MAX 4
/* After the faults have ended everything is as it should be within this time. */
#define HEAL_MS 5000

struct stream;
struct node;

/* --- what is true ------------------------------------------------------------------------------------------------- */

/* One movement, as it left its level. */
struct fact {
    uint32_t sku, location; /* indexes of the world's names */
    struct quantities after;
    uint64_t version;
    int64_t time_ms;
    int64_t committed_ms; /* wall clock */
};

struct definition {
    uint32_t sku;
    int64_t time_ms;
    int64_t committed_ms;
};

/* Something that a leader did, so that a store can be built again up to there. */
enum deed_kind { DEED_CLAIM, DEED_COMMAND, DEED_COMMIT };
struct deed {
    enum deed_kind kind;
    enum command_kind command;
    uint32_t sku, location, to;
    int64_t quantity;
    enum quantity bucket;
    struct uuid id;
    int64_t now_ms;
    int64_t committed_ms;
};

struct past {
    struct fact *facts; /* by seq - 1 */
    size_t facts_len, facts_cap;
    struct definition items[SKUS]; /* by number - 1 */
    size_t items_len;
    uint64_t shared; /* the first so many movements are those of the past before it, too */
    uint64_t shared_items;
    int64_t began_ms; /* wall clock; who claims to know what was true later knows this store */
    struct deed *deeds;
    size_t deeds_len, deeds_cap;

    /* What relays have published of it: the broker took it, whatever it did with it then. */
    bool *published; /* by seq - 1 */
    size_t published_cap;
    bool published_items[SKUS];
    /* Need not be published: so far back that nobody begins there, or the broker said that it has it. */
    uint64_t excused, excused_items;
};

/* --- the inventory service ---------------------------------------------------------------------------------------- */

/* A reader that can fail, and during whose calls the world goes on. */
struct lane {
    struct store_reader base;
    struct stream *world;
    struct store_reader *inner;
};

struct leader {
    struct stream *world;
    uint64_t epoch, seq;
    int64_t now_ms; /* ledger time */
    struct ledger *ledger;
    struct changes changes;
    struct lane lane;
    struct relay *relay; /* NULL: it has ended */
    int64_t relay_due_ms;
    bool writes;
    bool stepping;
};

struct shop {
    struct store *store;
    struct lane answers;     /* what questions are answered from */
    struct leader **leaders; /* the last one leads */
    size_t leaders_len, leaders_cap;
    struct uuid holds[32];
    size_t holds_len;
    struct uuid7 ids;
};

/* --- the broker --------------------------------------------------------------------------------------------------- */

/* One event at the broker, or on its way; shared by all that wait for it. */
struct told {
    char *json;
    size_t len;
    uint64_t seq, items; /* what it names */
    bool is_position;
    size_t past;
    unsigned holders;
};

struct told_list {
    struct told **all;
    size_t len, cap;
};

enum broker_last { BROKER_TELLS, BROKER_CANNOT_TELL };

struct broker {
    struct bus base;
    struct stream *world;
    enum broker_last tells;
    bool away;
    struct told_list kept; /* what it holds; the newest last */
    struct told_list late; /* taken, but not there yet */
};

/* --- an availability node ----------------------------------------------------------------------------------------- */

/* A level as this node was given it. */
struct given {
    uint64_t version, seq;
    struct quantities quantities;
    int64_t time_ms;
};

struct node {
    struct bus base; /* its end of the broker */
    struct stream *world;
    uint32_t number;
    bool on;
    bool opened; /* what it kept is taken in */
    bool cut;    /* it said that it has to begin anew */
    bool connected;
    int64_t away_until_ms; /* off until then */
    struct availability availability;
    struct follow *follow;
    struct intake intake;
    struct told_list queue;
    struct sqlite3 *dir, *dir_before; /* its kept file, which lives here, and an older state of it */

    /* What it was given in this life. */
    struct given given[SKUS][LOCATIONS];
    int64_t defined_ms[SKUS]; /* 0: not told */
    bool known[SKUS];
    uint64_t shown_version[SKUS];
    bool is_mixed;      /* rows of an older store came while it doubted, or after that store was no more */
    int64_t foreign_ms; /* when the newest row came that an older store had, wall clock; 0: none did */
    size_t first_past;  /* what it knows may be of this past, or of a later one */
    size_t past;        /* what it follows now; an older one while it has not noticed */
    uint64_t claimed;   /* movements that it was seen to have because it said so */
    uint64_t fresh;     /* movements and items that it was seen to have because of its age */
    size_t fresh_items;
    uint64_t starts;
};

/* --- the world ---------------------------------------------------------------------------------------------------- */

/* What may happen in a run: each seed allows about half. */
struct plan {
    bool loses, repeats, reorders, fails, wipes, forgets, away, disconnects, kills, keeps, power_cuts, store_fails,
        answers_fail, answers_late, inventory_away, takeovers, restores, replaces;
};

#ifndef SAID /* may be more, to see all of a run */
#define SAID 40
#endif
#define SAID_BYTES 120

struct stream {
    uint64_t seed;
    struct random random;
    struct plan plan;
    struct sim_clock clock;
    int64_t began_ns;
    uint64_t trace;
    bool faults_on;
    unsigned depth; /* calls during which the world goes on */
    uint32_t nodes_len;
    uint32_t page; /* items and movements of an answer */

    struct past pasts[PASTS_MAX];
    size_t past; /* the present one */
    struct shop shop;
    int64_t inventory_away_until_ms;
    struct broker broker;
    struct node nodes[NODES_MAX];
    uint64_t commits;

    char said[SAID][SAID_BYTES]; /* the last things that happened */
    uint64_t said_len;
};

/* --- stream_world.c ----------------------------------------------------------------------------------------------- */
struct stream *stream_new(uint64_t seed);
void stream_free(struct stream *w);
/* `steps` with faults, then none until everything has healed. */
void stream_run(struct stream *w, uint64_t steps);
uint64_t stream_below(struct stream *w, uint64_t bound);
/* One in so many, if the plan has it and faults are on. */
bool stream_fault(struct stream *w, bool planned, uint64_t one_in);
void stream_trace(struct stream *w, uint64_t value);
void stream_trace_bytes(struct stream *w, const void *bytes, size_t len);
void stream_say(struct stream *w, const char *format, ...) PRINTF_LIKE(2, 3);
void stream_pass_ms(struct stream *w, int64_t ms);
int64_t stream_mono_ms(const struct stream *w);
int64_t stream_wall_ms(const struct stream *w);
/* Within a call of the product: others go on. */
void stream_meanwhile(struct stream *w);
struct past *stream_past(struct stream *w);
struct str stream_sku(uint32_t sku);
struct str stream_location(uint32_t location);
/* SKUS, LOCATIONS: it has no such name. */
uint32_t stream_sku_of(struct str name);
uint32_t stream_location_of(struct str name);

/* --- stream_shop.c ------------------------------------------------------------------------------------------------ */
void shop_open(struct stream *w);
void shop_close(struct stream *w);
/* A new leader; the old one goes on until it notices. */
void shop_take_over(struct stream *w);
/* The present leader commits something; nothing happens when there is a reason not to. */
void shop_commit(struct stream *w);
void shop_step_relay(struct stream *w, struct leader *l);
/* The relays that are due, and leaders that are over. */
void shop_turn(struct stream *w);
/* Everybody stops, and begins again on an older state of the store, or on another store. */
void shop_restore(struct stream *w, bool replaced);

/* --- stream_broker.c ---------------------------------------------------------------------------------------------- */
void broker_open(struct stream *w);
void broker_close(struct stream *w);
void broker_act(struct stream *w); /* goes away, comes back, forgets */
void broker_deliver_late(struct stream *w);
void broker_mend(struct stream *w);
void told_drop_all(struct told_list *list);
/* Is there something in it that only an older store had? */
bool told_has_old(const struct stream *w, const struct told_list *list);
/* A node's subscription. */
void broker_connect(struct stream *w, struct node *n);
void broker_disconnect(struct node *n);
extern const struct bus_ops node_bus_ops;

/* --- stream_node.c ------------------------------------------------------------------------------------------------ */
void nodes_open(struct stream *w);
void nodes_close(struct stream *w);
void node_start(struct node *n);
void node_turn(struct node *n);
void node_stop(struct node *n, bool in_peace);
void node_forget(struct node *n); /* its directory is deleted; it is off */
void node_cut_power(struct node *n);

/* --- stream_source.c ---------------------------------------------------------------------------------------------- */
void source_asks(struct node *n); /* whose questions come next */

/* --- stream_proof.c ----------------------------------------------------------------------------------------------- */
void prove_published(struct stream *w, const struct bus_position *p); /* it is being said */
void prove_one_relay(struct stream *w);
void prove_given(struct node *n, const struct bus_message *m);
void prove_view(struct node *n); /* after it was applied */
void prove_age(struct node *n);
void prove_cut(struct node *n);
/* Does it know only what the present store has? */
bool node_is_settled(const struct node *n);
bool node_is_equal(struct node *n);
/* Everything has healed: each node shows what a node shows that is made anew from the store. */
void prove_equal(struct stream *w);

#endif
