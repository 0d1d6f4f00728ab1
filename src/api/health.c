/* GET /livez, /readyz, /openapi.json. */
#include "api/service.h"

void api_livez(struct exchange *x, void *app)
{
    (void)app;
    if (api_no_arguments(x)) {
        exchange_set_header(x, "Cache-Control", STR("no-store"));
        exchange_answer(x, 200, "application/json", STR("{\"status\":\"pass\"}"), false);
    }
}

/*
 * A follower that is too far behind is better left alone by whoever spreads the load, and so is a leader that refuses
 * everything. One that shows availability too goes by its age: what it shows does not need the database.
 */
static bool is_ready(const struct api *api)
{
    if (!atomic_load(&api->ready)) {
        return false;
    }
    if (api_availability(api) == NULL) {
        return api_inventory(api) == NULL || api_may_decide(api);
    }
    int64_t age_ms = api_age_ms(api);
    return age_ms >= 0 && age_ms <= UNREADY_MS;
}

void api_readyz(struct exchange *x, void *app)
{
    struct api *api = app;
    if (!api_no_arguments(x)) {
        return;
    }
    exchange_set_header(x, "Cache-Control", STR("no-store"));
    if (is_ready(api)) {
        exchange_answer(x, 200, "application/json", STR("{\"status\":\"pass\"}"), false);
    } else {
        exchange_answer(x, 503, "application/json", STR("{\"status\":\"fail\"}"), false);
    }
}

void api_openapi(struct exchange *x, void *app)
{
    struct api *api = app;
    if (api_no_arguments(x)) {
        exchange_set_header(x, "Cache-Control", STR("no-cache"));
        exchange_answer(x, 200, "application/json", api->options.openapi_json, false);
    }
}
