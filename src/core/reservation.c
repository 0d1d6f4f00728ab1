#include "core/reservation.h"

/*
 * The lifecycle, as data. `next` is a set of states. A committed reservation of which a part was fulfilled before the
 * rest was cancelled becomes fulfilled.
 */
#define TO(state) (1u << RESERVATION_##state)

static const struct {
    const char *name;
    unsigned next;
    bool open;
} STATES[RESERVATION_STATE_END] = {
    [RESERVATION_HELD] = {"held", TO(COMMITTED) | TO(RELEASED) | TO(EXPIRED), true},
    [RESERVATION_COMMITTED] = {"committed", TO(FULFILLED) | TO(CANCELLED), true},
    [RESERVATION_FULFILLED] = {"fulfilled", TO(RETURNED), false},
    [RESERVATION_RELEASED] = {"released", 0, false},
    [RESERVATION_EXPIRED] = {"expired", 0, false},
    [RESERVATION_CANCELLED] = {"cancelled", 0, false},
    [RESERVATION_RETURNED] = {"returned", 0, false},
};

static bool is_state(enum reservation_state state)
{
    return state > 0 && state < RESERVATION_STATE_END;
}

struct str reservation_state_name(enum reservation_state state)
{
    check(is_state(state));
    return str_from(STATES[state].name);
}

bool reservation_state_parse(struct str name, enum reservation_state *out)
{
    for (unsigned state = 1; state < RESERVATION_STATE_END; state++) {
        if (str_equal(name, str_from(STATES[state].name))) {
            *out = (enum reservation_state)state;
            return true;
        }
    }
    return false;
}

bool reservation_state_may_become(enum reservation_state from, enum reservation_state to)
{
    check(is_state(from) && is_state(to));
    return (STATES[from].next >> to & 1u) != 0;
}

bool reservation_state_is_open(enum reservation_state state)
{
    check(is_state(state));
    return STATES[state].open;
}
