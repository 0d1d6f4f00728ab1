/* POST /v1/transfers. */
#include "api/write.h"

void api_create_transfer(struct exchange *x, void *app)
{
    write_post(x, app, COMMAND_TRANSFER, &transfer_request, false, NULL);
}
