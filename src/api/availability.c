/* What a shopper may be promised: GET /v1/availability/{sku} and GET /v1/availability. Memory only, no lock. */
#include "api/etag.h"
#include "api/wait.h"
#include "base/mem.h"

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

static void answer_shown(struct exchange *x, const struct shown *shown, uint64_t seq, int64_t age_ms)
{
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

/*
 * False: the view does not have it. Its age and its seq are read first: what is shown is at least as new, and what is not
 * there was not there at that age.
 */
static bool answer_of_view(struct exchange *x, struct api *api, int64_t age_ms)
{
    uint64_t seq = availability_seq(api_availability(api));
    struct shelf_entry *entry = availability_find(api_availability(api), exchange_path_param(x, 0));
    if (entry == NULL) {
        return false;
    }
    availability_count_read(api_availability(api), entry);
    answer_shown(x, shelf_entry_shown(entry), seq, age_ms);
    return true;
}

/*
 * A view that was never complete cannot say that a SKU does not exist. What other nodes showed is in the cache, perhaps.
 */

/* As the cache has it; length 0: it is not known. */
static void answer_of_cache(struct exchange *x, struct api *api, struct str json)
{
    if (json.len == 0) {
        api_refuse(x, ERR_STALE, "This node does not know all items yet.");
        return;
    }
    api_set_seq(x, availability_seq(api_availability(api)));
    answer_stale(x, json, -1);
}

/* The view may have got it meanwhile. */
static void resumed_question(struct exchange *x, void *app)
{
    const struct availability_question *q = exchange_attached(x);
    if (!answer_of_view(x, app, api_age_ms(app))) {
        answer_of_cache(x, app, (struct str){q->json, q->json_len});
    }
}

static void question_answered(void *ctx)
{
    exchange_resume(ctx);
}

static void ask_cache(struct exchange *x, struct api *api)
{
    struct availability_question *q = mem_new(sizeof(*q));
    q->sku = exchange_path_param(x, 0);
    q->answered = question_answered;
    q->ctx = x;
    exchange_attach(x, q, mem_free);
    exchange_keep(x, resumed_question);
    if (!availability_ask(api_availability(api), q)) {
        exchange_resume(x);
    }
}

static void answer_unknown(struct exchange *x, struct api *api, int64_t age_ms)
{
    char room[SHOWN_FRAME_BYTES_MAX];
    if (age_ms >= 0) {
        api_refuse(x, ERR_NOT_FOUND, "No item with this SKU was defined.");
        return;
    }
    size_t len = availability_recall(api_availability(api), exchange_path_param(x, 0), room);
    if (len > 0) {
        answer_of_cache(x, api, (struct str){room, len});
    } else {
        ask_cache(x, api);
    }
}

static void answer_one(struct exchange *x, struct api *api)
{
    int64_t age_ms = api_age_ms(api);
    if (!answer_of_view(x, api, age_ms)) {
        answer_unknown(x, api, age_ms);
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

/* What is shown of one SKU: by the view, else by other nodes as long as the view was never complete. False: nothing. */
static bool put_one(struct api *api, struct str sku, int64_t age_ms, struct buf *body)
{
    char room[SHOWN_FRAME_BYTES_MAX];
    struct shelf_entry *entry = availability_find(api_availability(api), sku);
    if (entry != NULL) {
        availability_count_read(api_availability(api), entry);
        buf_put_str(body, shelf_entry_shown(entry)->json);
        return true;
    }
    size_t len = age_ms < 0 ? availability_recall(api_availability(api), sku, room) : 0;
    buf_put(body, room, len);
    return len > 0;
}

/* Returns how many of the SKUs are not known. */
static unsigned put_all(struct exchange *x, struct api *api, int64_t age_ms, struct buf *body)
{
    struct buf unknown;
    struct str sku;
    unsigned unknown_len = 0;
    size_t begin = body->len + sizeof("{\"data\":[") - 1;
    buf_init(&unknown, LIST_BYTES_MAX);
    buf_put_literal(body, "{\"data\":[");
    for (unsigned i = 0; !str_is_absent(sku = exchange_query(x, "sku", i)); i++) {
        size_t before = body->len;
        if (before > begin) {
            buf_put_char(body, ',');
        }
        if (!put_one(api, sku, age_ms, body)) {
            body->len = before;
            unknown_len++;
            put_unknown(&unknown, sku);
        }
    }
    buf_put_literal(body, "],\"unknown\":[");
    buf_put_str(body, buf_str(&unknown));
    buf_put_char(body, ']');
    check(!unknown.overflowed && !body->overflowed);
    buf_release(&unknown);
    return unknown_len;
}

static void answer_list(struct exchange *x, uint64_t seq, int64_t age_ms, struct buf *body)
{
    if (put_stale(body, age_ms)) {
        api_set_seq(x, seq);
        exchange_set_header(x, "Cache-Control", STR("no-store"));
    } else {
        answer_view_headers(x, seq);
    }
    buf_put_char(body, '}');
    exchange_answer(x, 200, "application/json", buf_str(body), true);
}

static void answer_all(struct exchange *x, struct api *api)
{
    struct buf body;
    int64_t age_ms = api_age_ms(api);
    uint64_t seq = availability_seq(api_availability(api));
    buf_init(&body, LIST_BYTES_MAX);
    if (put_all(x, api, age_ms, &body) > 0 && age_ms < 0) {
        api_refuse(x, ERR_STALE, "This node does not know all items yet.");
    } else {
        answer_list(x, seq, age_ms, &body);
    }
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
