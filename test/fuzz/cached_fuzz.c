/* What stands in the cache, by whomever: a list that is taken can be written and read again, and an answer has our form. */
#include "availability/heat.h"
#include "availability/warm.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "fuzz.h"

static void check_list(const struct hot_list *list)
{
    struct hot_list *again = mem_new(sizeof(*again));
    struct buf json;
    buf_init(&json, CACHE_VALUE_BYTES_MAX * 8);
    hot_list_render(list, &json);
    check(!json.overflowed && hot_list_parse(again, buf_str(&json)));
    check(again->len == list->len && again->version == list->version);
    for (size_t i = 0; i < list->len; i++) {
        check(list->skus[i].len == again->skus[i].len && list->skus[i].reads == again->skus[i].reads);
        check(memcmp(list->skus[i].sku, again->skus[i].sku, list->skus[i].len) == 0);
        check(i == 0 || list->skus[i - 1].reads >= list->skus[i].reads);
    }
    buf_release(&json);
    mem_free(again);
}

static void check_answer(struct str json)
{
    uint64_t version;
    check(json.len <= SHOWN_FRAME_BYTES_MAX && !str_has_control(json) && str_is_utf8(json));
    check(json.ptr[0] == '{' && json.ptr[json.len - 1] == '}');
    check(memmem(json.ptr, json.len, "\"stale\"", 7) == NULL);
    (void)cache_version(json, &version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_rest(data, size, 0);
    struct hot_list *list = mem_new(sizeof(*list));
    if (hot_list_parse(list, text)) {
        check_list(list);
    } else {
        check(list->len == 0);
    }
    if (warm_is_answer(STR("a"), text)) {
        check_answer(text);
    }
    mem_free(list);
    return 0;
}
