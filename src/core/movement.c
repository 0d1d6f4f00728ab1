#include "core/movement.h"

static const char *const NAMES[MOVEMENT_KIND_END] = {
    [MOVEMENT_RECEIVE] = "receive",
    [MOVEMENT_ADJUST] = "adjust",
    [MOVEMENT_SET] = "set",
    [MOVEMENT_TRANSFER_OUT] = "transfer_out",
    [MOVEMENT_TRANSFER_IN] = "transfer_in",
    [MOVEMENT_RESERVE] = "reserve",
    [MOVEMENT_COMMIT] = "commit",
    [MOVEMENT_RELEASE] = "release",
    [MOVEMENT_EXPIRE] = "expire",
    [MOVEMENT_CANCEL] = "cancel",
    [MOVEMENT_FULFILL] = "fulfill",
    [MOVEMENT_RETURN] = "return",
};

struct str movement_kind_name(enum movement_kind kind)
{
    check(kind > 0 && kind < MOVEMENT_KIND_END);
    return str_from(NAMES[kind]);
}

bool movement_kind_parse(struct str name, enum movement_kind *out)
{
    for (unsigned kind = 1; kind < MOVEMENT_KIND_END; kind++) {
        if (str_equal(name, str_from(NAMES[kind]))) {
            *out = (enum movement_kind)kind;
            return true;
        }
    }
    return false;
}
