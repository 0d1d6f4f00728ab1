/* Locations: PUT and GET /v1/locations/{location}, GET /v1/locations. */
#include "api/encode.h"
#include "api/read.h"
#include "api/write.h"

void api_put_location(struct exchange *x, void *app)
{
    struct str location;
    if (!api_no_arguments(x) || !api_path_location(x, 0, &location)) {
        return;
    }
    struct write *w = write_new(x, app);
    if (write_decode(w, &location_request, COMMAND_DEFINE_LOCATION, false)) {
        w->request.command.location = location;
        write_submit(w);
    }
}

static bool put_location_row(void *ctx, const struct location_row *row)
{
    struct read *r = ctx;
    encode_location_open(&r->body, row->id, row->name, row->priority);
    buf_put_char(&r->body, '}');
    return true;
}

static enum err run_location(struct read *r, struct store_reader *reader)
{
    return reader->ops->location(reader, r->location, put_location_row, r);
}

void api_get_location(struct exchange *x, void *app)
{
    struct str location;
    if (!api_no_arguments(x) || !api_path_location(x, 0, &location)) {
        return;
    }
    struct read *r = read_new(x, app, run_location);
    r->location = location;
    read_start(r);
}

static bool list_location_row(void *ctx, const struct location_row *row)
{
    struct read *r = ctx;
    return read_row(r, LOCATIONS_MAX) && put_location_row(r, row);
}

static enum err run_locations(struct read *r, struct store_reader *reader)
{
    read_open(r);
    TRY(reader->ops->locations(reader, list_location_row, r));
    read_close(r, LOCATIONS_MAX);
    return ERR_OK;
}

void api_list_locations(struct exchange *x, void *app)
{
    if (api_no_arguments(x)) {
        read_start(read_new(x, app, run_locations));
    }
}
