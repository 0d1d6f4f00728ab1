#include "availability/warm.h"

#include "base/clock.h"
#include "base/mem.h"

#include <jansson.h>

void warm_release(struct warm *w)
{
    map_release(&w->by_sku);
    mem_free(w->at);
    *w = (struct warm){0};
}

static struct remembered *find(const struct warm *w, struct str sku)
{
    struct map_cursor cursor;
    uint64_t at = map_first(&w->by_sku, str_hash(sku), &cursor);
    while (at != 0 && !str_equal((struct str){w->at[at - 1].sku, w->at[at - 1].sku_len}, sku)) {
        at = map_next(&w->by_sku, &cursor);
    }
    return at == 0 ? NULL : &w->at[at - 1];
}

struct str warm_find(const struct warm *w, struct str sku)
{
    const struct remembered *r = find(w, sku);
    return r == NULL ? STR_NONE : (struct str){r->json, r->json_len};
}

bool warm_add(struct warm *w, struct str sku, struct str json)
{
    if (w->len == HEAT_SKUS_MAX || find(w, sku) != NULL || !warm_is_answer(sku, json)) {
        return false;
    }
    mem_grow((void **)&w->at, &w->cap, w->len + 1, sizeof(*w->at));
    struct remembered *r = &w->at[w->len++];
    r->sku_len = (uint8_t)sku.len;
    r->json_len = (uint16_t)json.len;
    memcpy(r->sku, sku.ptr, sku.len);
    memcpy(r->json, json.ptr, json.len);
    map_add(&w->by_sku, str_hash(sku), w->len);
    return true;
}

static bool is_status(struct str name)
{
    for (int i = 0; i <= AVAILABILITY_OUT_OF_STOCK; i++) {
        if (str_equal(name, availability_status_name((enum availability_status)i))) {
            return true;
        }
    }
    return false;
}

/* The members, their types, and no others. */
static bool has_members(json_t *root, struct str sku)
{
    const char *of;
    const char *channel;
    const char *status;
    const char *message;
    const char *as_of;
    size_t of_len;
    size_t as_of_len;
    json_int_t quantity;
    json_int_t version;
    json_int_t seq;
    int64_t ms;
    if (json_unpack(
            root, "{s:s%, s:s, s:s, s:I, s:s, s:I, s:I, s:s% !}", "sku", &of, &of_len, "channel", &channel, "status",
            &status, "quantity", &quantity, "message", &message, "version", &version, "seq", &seq, "as_of", &as_of,
            &as_of_len) != 0) {
        return false;
    }
    return str_equal((struct str){of, of_len}, sku) && str_equal(str_from(channel), STR("default")) &&
        is_status(str_from(status)) && quantity >= 0 && version >= 0 && seq >= 0 && as_of_len == TIME_TEXT_LEN &&
        time_from_text(as_of, &ms);
}

/* In the very form of render(): one line, so that it may be a part of an answer or of an event. */
bool warm_is_answer(struct str sku, struct str json)
{
    static const char begin[] = "{\"sku\":\"";
    if (json.len < sizeof(begin) || json.len > SHOWN_FRAME_BYTES_MAX || json.ptr[json.len - 1] != '}' ||
        memcmp(json.ptr, begin, sizeof(begin) - 1) != 0 || str_has_control(json)) {
        return false;
    }
    json_t *root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = root != NULL && has_members(root, sku);
    json_decref(root);
    return good;
}
