#include "commands.h"

static void check_text(struct str text, size_t len_max)
{
    check(str_is_absent(text) || (text.len >= 1 && text.len <= len_max && str_is_text(text)));
}

static void check_line(enum command_kind kind, const struct command_line *line)
{
    bool anywhere = kind == COMMAND_RESERVE || kind == COMMAND_FULFILL || kind == COMMAND_RETURN;
    check(line->sku.len >= 1 && line->sku.len <= SKU_BYTES_MAX && str_is_sku(line->sku));
    check(line->quantity >= (kind == COMMAND_ADJUST ? -LINE_QUANTITY_MAX : 1));
    check(line->quantity <= LINE_QUANTITY_MAX && line->quantity != 0);
    check(kind != COMMAND_ADJUST || quantity_is_adjustable(line->bucket));
    if (str_is_absent(line->location)) {
        check(anywhere || kind == COMMAND_TRANSFER);
    } else {
        check(str_is_location(line->location));
    }
}

static void check_lines(const struct command *c)
{
    bool needed = c->kind == COMMAND_RECEIVE || c->kind == COMMAND_ADJUST || c->kind == COMMAND_TRANSFER ||
        c->kind == COMMAND_RESERVE;
    check(c->lines_len <= LINES_MAX && (c->lines_len > 0 || !needed));
    for (uint32_t i = 0; i < c->lines_len; i++) {
        check_line(c->kind, &c->lines[i]);
    }
}

static void check_set(const struct command *c)
{
    bool any = false;
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        any |= c->set_given[q];
        check(!c->set_given[q] || quantity_is_adjustable((enum quantity)q));
        check(c->set.of[q] >= 0 && c->set.of[q] <= QUANTITY_MAX);
    }
    check(any);
}

void command_check(const struct command *c, bool named)
{
    bool timed = c->kind == COMMAND_RESERVE || c->kind == COMMAND_EXTEND;
    check_lines(c);
    check_text(c->reason, REASON_BYTES_MAX);
    check_text(c->reference, REFERENCE_BYTES_MAX);
    check_text(c->name, NAME_BYTES_MAX);
    check(c->attributes.len <= ATTRIBUTES_BYTES_MAX && c->priority <= PRIORITY_MAX);
    check(c->kind != COMMAND_ADJUST || !str_is_absent(c->reason));
    check(!timed || (c->ttl_s >= TTL_S_MIN && c->ttl_s <= TTL_S_MAX));
    if (c->kind == COMMAND_DEFINE_ITEM || c->kind == COMMAND_DEFINE_LOCATION) {
        check(!str_is_absent(c->name));
        check(!named || str_is_sku(c->sku) || str_is_location(c->location));
    } else if (c->kind == COMMAND_SET) {
        check_set(c);
        check(!named || (str_is_sku(c->sku) && str_is_location(c->location)));
    } else if (c->kind == COMMAND_TRANSFER) {
        check(str_is_location(c->location) && str_is_location(c->to) && !str_equal(c->location, c->to));
    }
}
