#include "core/command.h"

static const struct {
    const char *name;
    bool has_reservation;
} KINDS[COMMAND_KIND_END] = {
    [COMMAND_DEFINE_ITEM] = {"define_item", false},
    [COMMAND_DEFINE_LOCATION] = {"define_location", false},
    [COMMAND_RECEIVE] = {"receive", false},
    [COMMAND_ADJUST] = {"adjust", false},
    [COMMAND_SET] = {"set", false},
    [COMMAND_TRANSFER] = {"transfer", false},
    [COMMAND_RESERVE] = {"reserve", false},
    [COMMAND_EXTEND] = {"extend", true},
    [COMMAND_COMMIT] = {"commit", true},
    [COMMAND_RELEASE] = {"release", true},
    [COMMAND_CANCEL] = {"cancel", true},
    [COMMAND_FULFILL] = {"fulfill", true},
    [COMMAND_RETURN] = {"return", true},
    [COMMAND_EXPIRE] = {"expire", true},
};

struct str command_kind_name(enum command_kind kind)
{
    check(kind > 0 && kind < COMMAND_KIND_END);
    return str_from(KINDS[kind].name);
}

bool command_kind_has_reservation(enum command_kind kind)
{
    check(kind > 0 && kind < COMMAND_KIND_END);
    return KINDS[kind].has_reservation;
}
