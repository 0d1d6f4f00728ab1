/*
 * Inside the replay: a worker is one connection and the piece of work it is at. Each kind of work is a start function
 * and a handler for each of its answers.
 */
#ifndef APP_DEMO_REPLAY_WORK_H
#define APP_DEMO_REPLAY_WORK_H

#include "app/demo/replay.h"
#include "base/buf.h"

struct worker {
    enum replay_step step; /* of the request that is out; STEP_NONE: idle */
    const struct trade_event *event;
    uint32_t event_index;
    char id[RESERVATION_ID_LEN]; /* the reservation */
    struct book_units *units;    /* parts of the reservation, of the returns, of the adjustment */
    size_t units_len, units_cap;
    size_t units_from, units_to; /* returns: those in the request that is out */
    struct trade_line unsold[TRADE_LINES_MAX];
    uint32_t unsold_len;
    size_t slice_at, slice_len; /* define, receive: which part of the list; check: which SKU */
    bool is_opening;

    /* The request as it went out, for the next try. */
    const char *method;
    struct buf path;
    struct buf key;
    struct buf body;
    bool has_body;
    unsigned tries;
    int64_t wake_ms; /* when to try again; 0: not waiting */
};

/* Which work is given to idle workers. `next` begins some, or returns false: nothing now. */
struct replay_phase {
    bool (*next)(struct replay *r, struct worker *w);
    bool (*is_over)(const struct replay *r); /* nothing is left to begin */
};

struct replay {
    struct replay_options options;
    struct load_client *client;
    struct replay_stats stats;
    struct worker *workers;
    unsigned busy;
    const struct replay_phase *phase;
    bool stopping; /* no new work begins */

    size_t next_slice; /* set-up, check: what comes next */
    size_t slices_len;
    size_t next_delivery; /* of the plan */
    size_t delivery_at;   /* lines of it that were sent */
    unsigned open_receipts;
    uint32_t next_event;
    uint32_t *waiting; /* returns that wait for earlier orders: a queue of event indices */
    size_t waiting_at, waiting_len;
    uint64_t orders_begun;
    int64_t started_us;
    int64_t shown_us;
    const struct trade_event *now;

    int64_t *balance; /* per SKU, all 0 between uses */
    struct replay_check *check;
};

/* Begins a request: the caller fills path, key and body (each cleared) and then calls worker_send. */
void worker_begin(struct worker *w, enum replay_step step, const char *method);
void worker_send(struct replay *r, struct worker *w);
/* The work is over. */
void worker_end(struct replay *r, struct worker *w);
/* Path /v1/reservations/{id}/VERB with an empty body. */
void worker_send_transition(struct replay *r, struct worker *w, enum replay_step step, const char *verb);

/* Counts and shows an answer that nobody expected. */
void replay_error(struct replay *r, struct worker *w, const struct load_answer *answer, const char *what);
/* Is it a 409 with this code? */
bool answer_is_refusal(const struct load_answer *answer, const char *code);
/* Seeks the location in the plan; false when it is none of ours. */
bool plan_location_find(struct str id, uint32_t *out);

/* orders.c */
void order_start(struct replay *r, struct worker *w);
void order_reserved(struct replay *r, struct worker *w, const struct load_answer *answer);
void order_committed(struct replay *r, struct worker *w, const struct load_answer *answer);
void order_fulfilled(struct replay *r, struct worker *w, const struct load_answer *answer);
void order_cancelled(struct replay *r, struct worker *w, const struct load_answer *answer);

/* stock.c */
void receipt_start(struct replay *r, struct worker *w, size_t delivery, size_t lines_at, size_t lines_len);
void receipt_received(struct replay *r, struct worker *w, const struct load_answer *answer);
void adjustment_start(struct replay *r, struct worker *w);
void adjustment_made(struct replay *r, struct worker *w, const struct load_answer *answer);
/* Units that came back without a sale: worker's `unsold`. */
void unsold_start(struct replay *r, struct worker *w);
void unsold_made(struct replay *r, struct worker *w, const struct load_answer *answer);

/* returns.c */
void return_start(struct replay *r, struct worker *w);
void return_taken(struct replay *r, struct worker *w, const struct load_answer *answer);

/* setup.c */
extern const struct replay_phase define_phase, opening_phase;
void define_done(struct replay *r, struct worker *w, const struct load_answer *answer);

/* check.c */
extern const struct replay_phase check_phase;
void check_level_read(struct replay *r, struct worker *w, const struct load_answer *answer);

#endif
