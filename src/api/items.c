/* Items: PUT and GET /v1/items/{sku}, GET /v1/items. */
#include "api/encode.h"
#include "api/read.h"
#include "api/write.h"

void api_put_item(struct exchange *x, void *app)
{
    struct str sku;
    if (!api_no_arguments(x) || !api_path_sku(x, 0, &sku)) {
        return;
    }
    struct write *w = write_new(x, app);
    if (write_decode(w, &item_request, COMMAND_DEFINE_ITEM, false)) {
        w->request.command.sku = sku;
        write_submit(w);
    }
}

static bool put_item_row(void *ctx, const struct item_row *row)
{
    struct read *r = ctx;
    encode_item_open(&r->body, row->sku, row->name, row->attributes);
    buf_put_char(&r->body, '}');
    return true;
}

static enum err run_item(struct read *r, struct store_reader *reader)
{
    return reader->ops->item(reader, r->sku, put_item_row, r);
}

void api_get_item(struct exchange *x, void *app)
{
    struct str sku;
    if (!api_no_arguments(x) || !api_path_sku(x, 0, &sku)) {
        return;
    }
    struct read *r = read_new(x, app, run_item);
    r->sku = sku;
    read_start(r);
}

static bool list_item_row(void *ctx, const struct item_row *row)
{
    struct read *r = ctx;
    if (!read_row(r, r->arguments.limit)) {
        return false;
    }
    buf_clear(&r->next);
    cursor_put(&r->next, row->sku);
    return put_item_row(r, row);
}

static enum err run_items(struct read *r, struct store_reader *reader)
{
    read_open(r);
    TRY(reader->ops->items(reader, r->after, r->arguments.limit + 1, list_item_row, r));
    read_close(r, r->arguments.limit);
    return ERR_OK;
}

void api_list_items(struct exchange *x, void *app)
{
    struct read *r = read_list(x, app, &items_query, run_items);
    if (r == NULL) {
        return;
    }
    struct str after = r->arguments.after;
    bool valid = str_is_absent(after) || (cursor_parse(after, r->after_room, &r->after) && str_is_sku(r->after));
    if (read_cursor_is_valid(r, valid)) {
        read_start(r);
    }
}
