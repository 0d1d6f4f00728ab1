#include "shop.h"

#include "api/api.h"
#include "base/clock.h"

/* One for the whole process: its address is what src/api is given. Each request begins it anew. */
static struct inventory the_shop_inventory;

static struct availability *new_view(void)
{
    struct level_row levels[] = {
        {.item = 1, .location = 1, .sku = STR("a"), .location_id = STR("l"), .version = 1, .seq = SHOP_SEQ}};
    struct bus_item items[] = {{.item = 1, .sku = STR("a")}, {.item = 2, .sku = STR("b")}};
    levels[0].quantities.of[QUANTITY_ON_HAND] = 3;
    struct bus_message message = {.seq = SHOP_SEQ, .levels = levels, .levels_len = 1, .items = items, .items_len = 2};
    struct availability_options options = {.policy = POLICY_DEFAULT};
    struct availability *view = availability_new(&options);
    availability_apply(view, &message);
    return view;
}

static struct api *the_api(void)
{
    static struct api *api;
    if (api == NULL) {
        const struct api_options options = {
            .inventory = &the_shop_inventory,
            .availability = new_view(),
            .stream_epoch = SHOP_STREAM_EPOCH,
            .openapi_json = STR("{}"),
            .threads = 1,
        };
        api = api_new(&options);
        api_thread_start(api, NULL);
    }
    return api;
}

bool shop_has(struct str sku)
{
    return str_equal(sku, STR("a")) || str_equal(sku, STR("b"));
}

/* What waits for the view waits in vain: time goes by at once. */
static void turn(void *ctx)
{
    struct api *api = ctx;
    if (!inventory_turn(&the_shop_inventory)) {
        api_thread_turn(api, NULL, INT64_MAX);
    }
}

const struct inventory *shop_ask(const struct sent *sent, struct inventory_plan plan, struct exchange *out)
{
    inventory_begin(&the_shop_inventory, plan);
    exchange_run(out, sent, the_api(), turn, the_api());
    check(!inventory_turn(&the_shop_inventory)); /* nothing is left behind */
    return &the_shop_inventory;
}
