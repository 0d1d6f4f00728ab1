#include "cache/cache.h"

#include "base/clock.h"

bool cache_is_up(const struct cache *c)
{
    return c->up;
}

static enum err note_outcome(struct cache *c, enum err e)
{
    check(e == ERR_OK || e == ERR_IO);
    c->up = e == ERR_OK;
    if (!c->up) {
        c->retry_ms = clock_mono_ms() + CACHE_RETRY_MS;
    }
    return e;
}

enum err cache_connect(struct cache *c, struct err_note *note)
{
    if (c->up) {
        return ERR_OK;
    }
    if (clock_mono_ms() < c->retry_ms) {
        return err_note_set(note, ERR_IO, "%s: left alone after a failure", c->ops->name);
    }
    return note_outcome(c, c->ops->connect(c, note));
}

static void check_entry(const struct cache_entry *e)
{
    uint64_t version;
    check(e->key.len > 0 && e->key.len <= CACHE_KEY_BYTES_MAX && e->value.len <= CACHE_VALUE_BYTES_MAX);
    check(cache_version(e->value, &version) && version == e->version);
}

enum err
cache_put(struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note)
{
    check(len > 0 && len <= CACHE_BATCH_MAX && ttl_s > 0);
    for (size_t i = 0; i < len; i++) {
        check_entry(&entries[i]);
    }
    if (!c->up) {
        return err_note_set(note, ERR_IO, "%s: no connection", c->ops->name);
    }
    return note_outcome(c, c->ops->put(c, entries, len, ttl_s, note));
}

enum err
cache_get(struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note)
{
    check(len > 0 && len <= CACHE_BATCH_MAX);
    for (size_t i = 0; i < len; i++) {
        check(keys[i].len > 0 && keys[i].len <= CACHE_KEY_BYTES_MAX);
    }
    if (!c->up) {
        return err_note_set(note, ERR_IO, "%s: no connection", c->ops->name);
    }
    return note_outcome(c, c->ops->get(c, keys, len, got, ctx, note));
}

void cache_free(struct cache *c)
{
    if (c != NULL) {
        c->ops->free(c);
    }
}

bool cache_version(struct str value, uint64_t *out)
{
    static const char name[] = "\"version\":";
    const char *at = value.len == 0 ? NULL : memmem(value.ptr, value.len, name, sizeof(name) - 1);
    if (at == NULL) {
        return false;
    }
    at += sizeof(name) - 1;
    size_t left = value.len - (size_t)(at - value.ptr);
    size_t digits = 0;
    while (digits < left && at[digits] >= '0' && at[digits] <= '9') {
        digits++;
    }
    return str_to_u64((struct str){at, digits}, UINT64_MAX, out);
}
