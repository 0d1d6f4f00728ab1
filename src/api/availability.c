/* What a shopper may be promised: GET /v1/availability/{sku} and GET /v1/availability. Memory only, no lock. */
#include "api/etag.h"
#include "api/wait.h"

#define LIST_BYTES_MAX (1024 * 1024)

/* The only channel there is. False: it has answered. */
static bool channel_is_known(struct exchange *x, struct str channel)
{
    if (str_is_absent(channel) || str_equal(channel, STR("default"))) {
        return true;
    }
    api_refuse(x, ERR_NOT_FOUND, "There is no such channel; there is only `default`.");
    return false;
}

static void answer_view_headers(struct exchange *x, uint64_t seq)
{
    api_set_seq(x, seq);
    exchange_set_header(x, "Cache-Control", STR("public, max-age=1, stale-while-revalidate=5"));
}

/*
 * A view that may have missed something says so, in the body, because it is what a shop acts on, and it is not to be
 * kept by anyone. `body` is an object that is not closed yet.
 */
static bool put_stale(struct buf *body, int64_t age_ms)
{
    if (age_ms >= 0 && age_ms <= STALE_MS) {
        return false;
    }
    buf_put_literal(body, ",\"stale\":true,\"age_ms\":");
    if (age_ms < 0) {
        buf_put_literal(body, "null");
    } else {
        buf_put_i64(body, age_ms);
    }
    return true;
}

static void answer_stale(struct exchange *x, struct str json, int64_t age_ms)
{
    struct buf body;
    buf_init(&body, SHOWN_FRAME_BYTES_MAX + 64);
    buf_put(&body, json.ptr, json.len - 1);
    (void)put_stale(&body, age_ms);
    buf_put_char(&body, '}');
    check(!body.overflowed);
    exchange_set_header(x, "Cache-Control", STR("no-store"));
    exchange_answer(x, 200, "application/json", buf_str(&body), true);
    buf_release(&body);
}

static void answer_one(struct exchange *x, struct api *api)
{
    int64_t age_ms = api_age_ms(api);
    /* Read first: what is shown below includes at least this much. */
    uint64_t seq = availability_seq(api_availability(api));
    struct shelf_entry *entry = availability_find(api_availability(api), exchange_path_param(x, 0));
    if (entry == NULL) {
        api_refuse(x, ERR_NOT_FOUND, "No item with this SKU was defined.");
        return;
    }
    const struct shown *shown = shelf_entry_shown(entry);
    if (age_ms < 0 || age_ms > STALE_MS) {
        api_set_seq(x, seq);
        answer_stale(x, shown->json, age_ms);
        return;
    }
    char room[ETAG_BYTES_MAX];
    struct str tag = etag_of(shown->version, room);
    answer_view_headers(x, seq);
    exchange_set_header(x, "ETag", tag);
    struct str listed = exchange_header(x, "If-None-Match");
    if (!str_is_absent(listed) && etag_is_listed(listed, tag)) {
        exchange_answer(x, 304, NULL, STR_NONE, false);
    } else {
        exchange_answer(x, 200, "application/json", shown->json, true);
    }
}

/* The handlers run again after a wait: arguments are cheap to decode twice and need no memory in between. */

static void resumed_one(struct exchange *x, void *app)
{
    struct arguments arguments;
    if (api_arguments(x, &availability_query, &arguments) && wait_is_over(app, x, arguments.min_seq)) {
        answer_one(x, app);
    }
}

void api_get_availability(struct exchange *x, void *app)
{
    struct arguments arguments;
    struct str sku;
    if (!api_path_sku(x, 0, &sku) || !api_arguments(x, &availability_query, &arguments) ||
        !channel_is_known(x, arguments.channel)) {
        return;
    }
    if (wait_for_seq(app, x, arguments.min_seq, resumed_one)) {
        answer_one(x, app);
    }
}

static void put_unknown(struct buf *unknown, struct str sku)
{
    if (unknown->len > 0) {
        buf_put_char(unknown, ',');
    }
    buf_put_json(unknown, sku);
}

static void put_all(struct exchange *x, struct api *api, struct buf *body)
{
    struct buf unknown;
    struct str sku;
    unsigned shown = 0;
    buf_init(&unknown, LIST_BYTES_MAX);
    buf_put_literal(body, "{\"data\":[");
    for (unsigned i = 0; !str_is_absent(sku = exchange_query(x, "sku", i)); i++) {
        struct shelf_entry *entry = availability_find(api_availability(api), sku);
        if (entry == NULL) {
            put_unknown(&unknown, sku);
            continue;
        }
        if (shown++ > 0) {
            buf_put_char(body, ',');
        }
        buf_put_str(body, shelf_entry_shown(entry)->json);
    }
    buf_put_literal(body, "],\"unknown\":[");
    buf_put_str(body, buf_str(&unknown));
    buf_put_char(body, ']');
    check(!unknown.overflowed && !body->overflowed);
    buf_release(&unknown);
}

static void answer_all(struct exchange *x, struct api *api)
{
    uint64_t seq = availability_seq(api_availability(api));
    struct buf body;
    buf_init(&body, LIST_BYTES_MAX);
    int64_t age_ms = api_age_ms(api);
    put_all(x, api, &body);
    if (put_stale(&body, age_ms)) {
        api_set_seq(x, seq);
        exchange_set_header(x, "Cache-Control", STR("no-store"));
    } else {
        answer_view_headers(x, seq);
    }
    buf_put_char(&body, '}');
    exchange_answer(x, 200, "application/json", buf_str(&body), true);
    buf_release(&body);
}

static void resumed_all(struct exchange *x, void *app)
{
    struct arguments arguments;
    if (api_arguments(x, &availability_list_query, &arguments) && wait_is_over(app, x, arguments.min_seq)) {
        answer_all(x, app);
    }
}

/* False: it has answered, because there are too many. */
static bool skus_fit(struct exchange *x)
{
    if (str_is_absent(exchange_query(x, "sku", AVAILABILITY_SKUS_MAX))) {
        return true;
    }
    api_refuse(x, ERR_INVALID, "At most 100 SKUs can be asked for at once.");
    return false;
}

void api_list_availability(struct exchange *x, void *app)
{
    struct arguments arguments;
    if (!api_arguments(x, &availability_list_query, &arguments) || !channel_is_known(x, arguments.channel) ||
        !skus_fit(x)) {
        return;
    }
    if (wait_for_seq(app, x, arguments.min_seq, resumed_all)) {
        answer_all(x, app);
    }
}
