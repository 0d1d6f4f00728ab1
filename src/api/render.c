#include "api/render.h"

#include "api/outcome.h"
#include "api/write.h"

#include <stdio.h>

static const struct movement *movements_of(const struct result *result, const struct changes *changes)
{
    check((size_t)result->movements_at + result->movements_len <= changes->movements_len);
    return changes->movements + result->movements_at;
}

static bool moves_again(const struct movement *movements, uint32_t len, uint32_t at)
{
    for (uint32_t i = at + 1; i < len; i++) {
        if (movements[i].item == movements[at].item && movements[i].location == movements[at].location) {
            return true;
        }
    }
    return false;
}

/* Each level that changed, once, as its last movement left it. */
static int render_lines(struct buf *out, const struct result *result, const struct changes *changes)
{
    const struct movement *movements = movements_of(result, changes);
    bool first = true;
    buf_put_literal(out, "{\"lines\":[");
    for (uint32_t i = 0; i < result->movements_len; i++) {
        if (moves_again(movements, result->movements_len, i)) {
            continue;
        }
        if (!first) {
            buf_put_char(out, ',');
        }
        struct level_shown level = level_shown_after(&movements[i]);
        encode_level(out, &level);
        first = false;
    }
    buf_put_char(out, ']');
    encode_seq_close(out, result->seq);
    return 201;
}

static int render_set(struct buf *out, const struct result *result, const struct changes *changes)
{
    struct level_shown level = level_shown_after(movements_of(result, changes));
    encode_level_written(out, &level, result->seq);
    return result->created ? 201 : 200;
}

static int render_item(struct buf *out, const struct command *command, const struct result *result)
{
    encode_item_open(out, command->sku, command->name, command->attributes);
    encode_seq_close(out, result->seq);
    return result->created ? 201 : 200;
}

static int render_location(struct buf *out, const struct command *command, const struct result *result)
{
    encode_location_open(out, command->location, command->name, command->priority);
    encode_seq_close(out, result->seq);
    return result->created ? 201 : 200;
}

static int render_reservation(struct buf *out, const struct command *command, const struct result *result)
{
    check(result->reservation != NULL);
    encode_reservation_open(out, result->reservation);
    encode_seq_close(out, result->seq);
    return command->kind == COMMAND_RESERVE ? 201 : 200;
}

int render_body(
    struct buf *out, const struct command *command, const struct result *result, const struct changes *changes)
{
    switch (command->kind) {
    case COMMAND_DEFINE_ITEM:
        return render_item(out, command, result);
    case COMMAND_DEFINE_LOCATION:
        return render_location(out, command, result);
    case COMMAND_SET:
        return render_set(out, result, changes);
    case COMMAND_RECEIVE:
    case COMMAND_ADJUST:
    case COMMAND_TRANSFER:
        return render_lines(out, result, changes);
    default:
        return render_reservation(out, command, result);
    }
}

/* The level's version after a set that moved it; 0: no level to name. */
static uint64_t version_of(const struct command *command, const struct result *result, const struct changes *changes)
{
    bool moved = command->kind == COMMAND_SET && result->movements_len > 0;
    return moved ? movements_of(result, changes)->version : 0;
}

static void put_location(struct request *r, const struct result *result)
{
    char id[UUID_TEXT_LEN];
    uuid_to_text(result->reservation->id, id);
    int len = snprintf(r->location, sizeof(r->location), "/v1/reservations/%.*s", UUID_TEXT_LEN, id);
    check(len > 0 && (size_t)len < sizeof(r->location));
}

void write_render(struct request *r, const struct result *result, const struct changes *changes)
{
    struct write *w = CONTAINER_OF(r, struct write, request);
    enum err e = outcome_err(result->outcome, r->command.kind);
    if (e != ERR_OK) {
        r->status = (uint16_t)err_info(e)->status;
        outcome_render(&r->answer, &r->command, result);
    } else {
        r->status = (uint16_t)render_body(&r->answer, &r->command, result, changes);
        w->version = version_of(&r->command, result, changes);
    }
    if (e == ERR_OK && r->command.kind == COMMAND_RESERVE) {
        put_location(r, result);
    }
    check(!r->answer.overflowed);
}
