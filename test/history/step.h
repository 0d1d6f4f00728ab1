/*
 * The operations on one level, as the search puts them in order, and the model of a level that they run against.
 */
#ifndef HISTORY_STEP_H
#define HISTORY_STEP_H

#include "ledger.h"

enum step_kind {
    STEP_CHANGE,      /* on_hand changes by `units` */
    STEP_NO_CHANGE,   /* refused: on_hand would be negative */
    STEP_HOLD,        /* `units` are promised to `hold` */
    STEP_NO_HOLD,     /* refused: this line was short */
    STEP_OTHER_SHORT, /* refused: another line was short, this one was not */
    STEP_END,         /* commit or release */
    STEP_NO_END,      /* refused: the hold was in state `told` */
    STEP_RAN_OUT,     /* refused: the hold had run out */
    STEP_EXPIRE,      /* the clock */
    STEP_READ
};

/* A hold that ran out and still has its units: nobody can commit it any more. */
#define HOLD_RAN_OUT HOLD_STATE_END

struct step {
    enum step_kind kind;
    const struct op *op; /* what is told of it; of an expiry: the op that made the hold */
    uint32_t hold;       /* index into the holds of this level */
    int64_t units;
    int64_t said; /* NO_HOLD: what was available */
    enum hold_state told;
    bool is_answered; /* version and quantities are known from the answer */
    bool in_time;     /* END: it may have come before the hold ran out; RAN_OUT: after */
    int64_t invoke_ns, return_ns;
    uint64_t hint;
};

struct steps {
    struct step *rows;
    size_t len, cap;
    size_t holds_len;
};

/* All operations of the history on the level. free() gives `rows` back. */
void steps_gather(const struct history *h, const struct ledger *l, uint32_t sku, struct steps *out);

struct level_model {
    struct amounts amounts;
    uint64_t version;
    uint8_t *states; /* by hold: enum hold_state or HOLD_RAN_OUT */
    uint64_t hash;   /* of the states of the holds */
};

/* What a step would do now. */
enum step_effect {
    STEP_WRONG,   /* it cannot be so */
    STEP_IDLE,    /* it is so, and changes nothing */
    STEP_CERTAIN, /* it is so, and changes nothing that forbids what else could have come first */
    STEP_MOVES    /* it is so, and changes the level */
};

enum step_effect model_try(const struct level_model *m, const struct step *s);

/* Does what was tried and is certain or moves. Returns the state that the hold had, for model_undo(). */
uint8_t model_do(struct level_model *m, const struct step *s);
void model_undo(struct level_model *m, const struct step *s, uint8_t state);

/* Well mixed bits of `x`. */
uint64_t hash_mix(uint64_t x);

#endif
