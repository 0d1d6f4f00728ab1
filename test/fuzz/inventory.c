#include "inventory.h"

#include "commands.h"

#define ROWS_SKU "a"

void inventory_begin(struct inventory *inv, struct inventory_plan plan)
{
    *inv = (struct inventory){.plan = plan};
}

/* Writes. Each answer names the number of its request, from 0. */

static void finish(struct inventory *inv, struct request *r, unsigned number)
{
    inv->returns_pending -= r->command.kind == COMMAND_RETURN;
    if (inv->plan.failing && number % 2 == 1) {
        r->err = ERR_NOT_COMMITTED;
    } else {
        r->status = number % 3 == 2 ? 409 : 201;
        buf_printf(&r->answer, "{\"number\":%u,\"seq\":%u}", number, number + 1);
    }
    r->ops->done(r);
}

/* What is submitted at once may be decided before the maker says more: all of it must be right by now. */
static void check_request(const struct inventory *inv, const struct request *r)
{
    check(r->ops != NULL && r->ops->render != NULL && r->ops->done != NULL);
    check(r->err == ERR_OK && r->status == 0 && r->answer.len == 0 && r->answer.size_max > 0);
    check(r->command.kind > 0 && r->command.kind < COMMAND_EXPIRE);
    check(str_is_absent(r->key) || (r->key.len >= 1 && r->key.len <= IDEMPOTENCY_KEY_BYTES_MAX));
    command_check(&r->command, true);
    /* Nothing may be decided before the return that it was sent behind. */
    check(r->command.kind == COMMAND_RETURN || inv->returns_pending == 0);
    /* The requests of a batch stand in one array, in their order. */
    check(inv->last == NULL || r > inv->last);
}

/* The answers are given by the shop, whenever it likes. */
void inventory_wake(struct inventory *inv)
{
    (void)inv;
}

bool inventory_submit(struct inventory *inv, struct request *r)
{
    check_request(inv, r);
    inv->last = r;
    check(!inv->refused);
    inv->refused = inv->submitted == inv->plan.refused_after;
    if (inv->refused) {
        return false;
    }
    check(inv->pending_len < BATCH_OPERATIONS_MAX);
    inv->command = r->command;
    inv->key = r->key;
    inv->returns_pending += r->command.kind == COMMAND_RETURN;
    inv->submitted++;
    if (inv->plan.at_once) {
        finish(inv, r, inv->submitted - 1);
    } else {
        inv->pending[inv->pending_len++] = r;
    }
    return true;
}

static void finish_all(struct inventory *inv)
{
    unsigned len = inv->pending_len;
    unsigned first = inv->submitted - len;
    inv->pending_len = 0;
    for (unsigned i = 0; i < len; i++) {
        unsigned n = inv->plan.backwards ? len - 1 - i : i;
        finish(inv, inv->pending[n], first + n);
    }
}

/* Reads. */

uint64_t inventory_row_seq(const struct inventory_asked *asked, unsigned n)
{
    return (asked->after_seq < INT64_MAX - BATCH_OPERATIONS_MAX ? asked->after_seq : 0) + n + 1;
}

static struct inventory *the_inventory;

static unsigned rows(void)
{
    const struct inventory *inv = the_inventory;
    return inv->asked.limit != 0 && inv->plan.rows > inv->asked.limit ? inv->asked.limit : inv->plan.rows;
}

static enum err some(unsigned len)
{
    return len > 0 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err read_item(struct store_reader *r, struct str sku, item_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.sku = sku};
    const struct item_row row = {.item = 1, .sku = sku, .name = STR("n"), .attributes = STR("{}")};
    return rows() > 0 && fn(ctx, &row) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err read_items(struct store_reader *r, struct str after_sku, uint32_t limit, item_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.after_sku = after_sku, .limit = limit};
    const struct item_row row = {.item = 1, .sku = STR(ROWS_SKU), .name = STR("n"), .attributes = STR("{}")};
    for (unsigned i = 0; i < rows() && fn(ctx, &row); i++) {
    }
    return ERR_OK;
}

static enum err read_location(struct store_reader *r, struct str id, location_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.location = id};
    const struct location_row row = {.location = 1, .id = id, .name = STR("n")};
    return rows() > 0 && fn(ctx, &row) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err read_locations(struct store_reader *r, location_fn fn, void *ctx)
{
    (void)r;
    const struct location_row row = {.location = 1, .id = STR("l"), .name = STR("n")};
    for (unsigned i = 0; i < rows() && fn(ctx, &row); i++) {
    }
    return ERR_OK;
}

static enum err read_levels(struct store_reader *r, struct str sku, level_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.sku = sku};
    const struct level_row row = {.item = 1, .location = 1, .sku = sku, .location_id = STR("l"), .version = 1};
    for (unsigned i = 1; i < rows() && fn(ctx, &row); i++) {
    }
    return some(rows());
}

static enum err read_level(struct store_reader *r, struct str sku, struct str location, level_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.sku = sku, .location = location};
    const struct level_row row = {.item = 1, .location = 1, .sku = sku, .location_id = location, .version = 1};
    return rows() > 0 && fn(ctx, &row) ? ERR_OK : ERR_NOT_FOUND;
}

static struct reservation reservation_row(struct uuid id, uint64_t seq)
{
    static struct reservation_line line = {
        .item = 1, .location = 1, .sku = STR(ROWS_SKU), .location_id = STR("l"), .quantity = 1};
    return (struct reservation){.id = id, .seq = seq, .state = RESERVATION_HELD, .lines = &line, .lines_len = 1};
}

static enum err read_reservation(struct store_reader *r, struct uuid id, reservation_fn fn, void *ctx)
{
    (void)r;
    the_inventory->asked = (struct inventory_asked){.id = id};
    const struct reservation row = reservation_row(id, 1);
    return rows() > 0 && fn(ctx, &row) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err
read_reservations(struct store_reader *r, const struct reservation_filter *filter, reservation_fn fn, void *ctx)
{
    (void)r;
    struct inventory_asked *asked = &the_inventory->asked;
    *asked = (struct inventory_asked){
        .state = filter->state,
        .reference = filter->reference,
        .after_seq = filter->after_seq,
        .limit = filter->limit,
    };
    for (unsigned i = 0; i < rows(); i++) {
        const struct reservation row = reservation_row((struct uuid){{1}}, inventory_row_seq(asked, i));
        if (!fn(ctx, &row)) {
            break;
        }
    }
    return ERR_OK;
}

static enum err read_movements(struct store_reader *r, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    (void)r;
    struct inventory_asked *asked = &the_inventory->asked;
    *asked = (struct inventory_asked){
        .sku = filter->sku,
        .location = filter->location,
        .after_seq = filter->after_seq,
        .limit = filter->limit,
    };
    for (unsigned i = 0; i < rows(); i++) {
        const struct movement row = {
            .seq = inventory_row_seq(asked, i),
            .kind = MOVEMENT_RECEIVE,
            .sku = STR(ROWS_SKU),
            .location_id = STR("l"),
            .version = 1,
        };
        if (!fn(ctx, &row)) {
            break;
        }
    }
    return ERR_OK;
}

static const struct store_reader_ops reader_ops = {
    .item = read_item,
    .items = read_items,
    .location = read_location,
    .locations = read_locations,
    .levels = read_levels,
    .level = read_level,
    .reservation = read_reservation,
    .reservations = read_reservations,
    .movements = read_movements,
};

bool inventory_query(struct inventory *inv, struct query *q)
{
    check(q->run != NULL && q->done != NULL && inv->query == NULL);
    if (inv->queries == inv->plan.refused_after) {
        return false;
    }
    inv->queries++;
    inv->query = q;
    return true;
}

static void run_query(struct inventory *inv)
{
    struct store_reader reader = {.ops = &reader_ops};
    struct query *q = inv->query;
    inv->query = NULL;
    the_inventory = inv;
    q->run(q, &reader);
    the_inventory = NULL;
    q->done(q);
}

bool inventory_turn(struct inventory *inv)
{
    if (inv->pending_len > 0) {
        finish_all(inv);
        return true;
    }
    if (inv->query != NULL) {
        run_query(inv);
        return true;
    }
    return false;
}

void inventory_metrics(struct inventory *inv, struct inventory_metrics *out)
{
    (void)inv;
    *out = (struct inventory_metrics){0};
}
