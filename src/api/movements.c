/* GET /v1/movements. */
#include "api/encode.h"
#include "api/read.h"

static bool list_movement_row(void *ctx, const struct movement *row)
{
    struct read *r = ctx;
    if (!read_row(r, r->arguments.limit)) {
        return false;
    }
    buf_clear(&r->next);
    cursor_put_seq(&r->next, row->seq);
    encode_movement(&r->body, row);
    return true;
}

static enum err run_movements(struct read *r, struct store_reader *reader)
{
    const struct movement_filter filter = {
        .sku = r->arguments.sku,
        .location = r->arguments.location,
        .after_seq = r->after_seq,
        .limit = r->arguments.limit + 1,
    };
    read_open(r);
    TRY(reader->ops->movements(reader, &filter, list_movement_row, r));
    read_close(r, r->arguments.limit);
    return ERR_OK;
}

void api_list_movements(struct exchange *x, void *app)
{
    struct read *r = read_list(x, app, &movements_query, run_movements);
    if (r == NULL) {
        return;
    }
    struct str after = r->arguments.after;
    r->after_seq = r->arguments.after_seq;
    if (read_cursor_is_valid(r, str_is_absent(after) || cursor_parse_seq(after, &r->after_seq))) {
        read_start(r);
    }
}
