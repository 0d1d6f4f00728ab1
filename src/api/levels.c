/* Levels: GET /v1/levels/{sku}, GET and PUT /v1/levels/{sku}/{location}. */

#include "api/encode.h"
#include "api/read.h"
#include "api/write.h"

static bool put_level_row(void *ctx, const struct level_row *row)
{
    struct read *r = ctx;
    struct level_shown level = level_shown_row(row);
    encode_level(&r->body, &level);
    r->version = row->version;
    r->has_version = true;
    return true;
}

static enum err run_level(struct read *r, struct store_reader *reader)
{
    return reader->ops->level(reader, r->sku, r->location, put_level_row, r);
}

void api_get_level(struct exchange *x, void *app)
{
    struct str sku;
    struct str location;
    if (!api_no_arguments(x) || !api_path_sku(x, 0, &sku) || !api_path_location(x, 1, &location)) {
        return;
    }
    struct read *r = read_new(x, app, run_level);
    r->sku = sku;
    r->location = location;
    read_start(r);
}

static bool put_levels_row(void *ctx, const struct level_row *row)
{
    struct read *r = ctx;
    if (!read_row(r, LOCATIONS_MAX)) {
        return false;
    }
    struct level_shown level = level_shown_row(row);
    encode_level(&r->body, &level);
    r->version += row->version;
    r->sum += quantities_available(&row->quantities);
    return true;
}

static enum err run_levels(struct read *r, struct store_reader *reader)
{
    buf_put_literal(&r->body, "{\"sku\":");
    buf_put_json(&r->body, r->sku);
    buf_put_literal(&r->body, ",\"levels\":[");
    TRY(reader->ops->levels(reader, r->sku, put_levels_row, r));
    buf_put_literal(&r->body, "],\"available\":");
    buf_put_i64(&r->body, r->sum);
    buf_put_char(&r->body, '}');
    r->has_version = true;
    return ERR_OK;
}

void api_get_levels(struct exchange *x, void *app)
{
    struct str sku;
    if (!api_no_arguments(x) || !api_path_sku(x, 0, &sku)) {
        return;
    }
    struct read *r = read_new(x, app, run_levels);
    r->sku = sku;
    read_start(r);
}

/* PUT. */

static bool refuse_precondition(struct exchange *x, enum err e, const char *detail)
{
    api_refuse(x, e, detail);
    return false;
}

static bool take_if_match(struct exchange *x, struct str header, struct command *command)
{
    switch (etag_if_match(header, &command->expected_version)) {
    case ETAG_ANY:
        command->set_any_version = true;
        return true;
    case ETAG_VERSION:
        return true;
    case ETAG_NEVER:
        return refuse_precondition(x, ERR_VERSION_MISMATCH, "No tag in If-Match can be the version of a level.");
    case ETAG_SEVERAL:
        return refuse_precondition(x, ERR_MALFORMED, "If-Match must name one version here.");
    case ETAG_BROKEN:
        break;
    }
    return refuse_precondition(x, ERR_MALFORMED, "If-Match is not an entity tag in double quotes.");
}

/* The precondition headers. False: it has answered. */
static bool take_precondition(struct exchange *x, struct command *command)
{
    struct str match = exchange_header(x, "If-Match");
    struct str none_match = exchange_header(x, "If-None-Match");
    if (!str_is_absent(match) && !str_is_absent(none_match)) {
        return refuse_precondition(x, ERR_MALFORMED, "Send If-Match or If-None-Match, not both.");
    }
    if (!str_is_absent(match)) {
        return take_if_match(x, match, command);
    }
    if (str_is_absent(none_match)) {
        return refuse_precondition(x, ERR_PRECONDITION_REQUIRED, NULL);
    }
    if (!str_equal(none_match, STR("*"))) {
        return refuse_precondition(x, ERR_MALFORMED, "Only If-None-Match: * is supported here.");
    }
    command->expected_version = 0;
    return true;
}

void api_put_level(struct exchange *x, void *app)
{
    struct str sku;
    struct str location;
    if (!api_no_arguments(x) || !api_path_sku(x, 0, &sku) || !api_path_location(x, 1, &location)) {
        return;
    }
    struct write *w = write_new(x, app);
    struct command *command = &w->request.command;
    if (!write_decode(w, &level_request, COMMAND_SET, false) || !take_precondition(x, command)) {
        return;
    }
    command->sku = sku;
    command->location = location;
    write_submit(w);
}
