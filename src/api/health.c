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

void api_readyz(struct exchange *x, void *app)
{
    struct api *api = app;
    if (!api_no_arguments(x)) {
        return;
    }
    exchange_set_header(x, "Cache-Control", STR("no-store"));
    if (atomic_load(&api->ready)) {
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
