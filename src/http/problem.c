#include "http/http.h"

/* "/problems/insufficient-stock" for the slug insufficient_stock. */
static void put_type(struct buf *out, const char *slug)
{
    buf_put_literal(out, "{\"type\":\"/problems/");
    for (const char *c = slug; *c != '\0'; c++) {
        buf_put_char(out, *c == '_' ? '-' : *c);
    }
    buf_put_char(out, '"');
}

void problem_render(struct buf *out, enum err e, struct str detail, struct str members, struct str instance)
{
    check(e != ERR_OK);
    const struct err_info *info = err_info(e);
    put_type(out, info->slug);
    buf_put_literal(out, ",\"title\":");
    buf_put_json(out, str_from(info->title));
    buf_put_literal(out, ",\"status\":");
    buf_put_i64(out, info->status);
    if (!str_is_absent(detail)) {
        buf_put_literal(out, ",\"detail\":");
        buf_put_json(out, detail);
    }
    if (!str_is_absent(instance)) {
        buf_put_literal(out, ",\"instance\":");
        buf_put_json(out, instance);
    }
    buf_put_literal(out, ",\"code\":\"");
    buf_put_str(out, str_from(info->slug));
    buf_put_literal(out, "\",\"retryable\":");
    buf_put_str(out, info->retryable ? STR("true") : STR("false"));
    buf_put_str(out, members);
    buf_put_char(out, '}');
}
