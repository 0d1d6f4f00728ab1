/* Changes of stock by a difference: POST /v1/adjustments and /v1/receipts. */
#include "api/write.h"

void api_create_adjustment(struct exchange *x, void *app)
{
    write_post(x, app, COMMAND_ADJUST, &adjustment_request, false, NULL);
}

void api_create_receipt(struct exchange *x, void *app)
{
    write_post(x, app, COMMAND_RECEIVE, &receipt_request, false, NULL);
}
