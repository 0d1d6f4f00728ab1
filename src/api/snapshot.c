/* GET /v1/snapshot: what a follower of the stream starts with. */
#include "api/encode.h"
#include "api/read.h"
#include "base/clock.h"

/* A page ends early behind the item with which it becomes larger than this. */
#define SNAPSHOT_BYTES (4 * 1024 * 1024)

/* Levels of the item before come first: an item that is there is complete when the next one begins. */
static bool snapshot_item_row(void *ctx, const struct item_row *row)
{
    struct read *r = ctx;
    if (r->rows > 0) {
        buf_put_literal(&r->body, "]}");
    }
    if (r->body.len > SNAPSHOT_BYTES || r->rows == r->arguments.limit) {
        r->more = true;
        return false;
    }
    buf_put_str(&r->body, r->rows == 0 ? STR("{\"number\":") : STR(",{\"number\":"));
    buf_put_u64(&r->body, row->item);
    buf_put_literal(&r->body, ",\"sku\":");
    buf_put_json(&r->body, row->sku);
    buf_put_literal(&r->body, ",\"defined_at\":\"");
    buf_put_time(&r->body, row->defined_ms);
    buf_put_literal(&r->body, "\",\"levels\":[");
    r->rows++;
    r->last_item = row->item;
    r->levels = 0;
    return true;
}

static bool snapshot_level_row(void *ctx, const struct level_row *row)
{
    struct read *r = ctx;
    if (r->levels++ > 0) {
        buf_put_char(&r->body, ',');
    }
    encode_level_of_item(&r->body, row);
    return true;
}

static void put_position(struct buf *b, const struct store_head *head, int64_t wall_ms)
{
    buf_put_literal(b, "{\"position\":{\"epoch\":");
    buf_put_u64(b, head->epoch);
    buf_put_literal(b, ",\"seq\":");
    buf_put_u64(b, head->seq);
    buf_put_literal(b, ",\"items\":");
    buf_put_u64(b, head->items);
    buf_put_literal(b, ",\"time\":\"");
    buf_put_time(b, wall_ms);
    buf_put_literal(b, "\"},\"data\":[");
}

static void put_page(struct read *r)
{
    struct buf *b = &r->body;
    buf_put_str(b, r->rows > 0 && !r->more ? STR("]}],\"page\":{\"next\":") : STR("],\"page\":{\"next\":"));
    if (r->more) {
        buf_put_u64(b, r->last_item);
    } else {
        buf_put_literal(b, "null");
    }
    buf_put_literal(b, ",\"limit\":");
    buf_put_u64(b, r->arguments.limit);
    buf_put_literal(b, "}}");
}

/* The time first, then the position: what is committed then is in the position, and that in what is read after it. */
static enum err run_snapshot(struct read *r, struct store_reader *reader)
{
    struct store_head head;
    int64_t wall_ms = clock_wall_ms();
    TRY(reader->ops->head(reader, &head));
    put_position(&r->body, &head, wall_ms);
    TRY(reader->ops->catalogue(
        reader, (uint32_t)r->arguments.after_item, r->arguments.limit + 1, snapshot_item_row, snapshot_level_row, r));
    put_page(r);
    return ERR_OK;
}

void api_get_snapshot(struct exchange *x, void *app)
{
    struct read *r = read_list(x, app, &snapshot_query, run_snapshot);
    if (r != NULL) {
        read_start(r);
    }
}
