/*
 * Port: small values outside this process that other programs read too, in a server which may forget or be away at any
 * time. Nothing depends on it: a failure is a miss, or something that is not written yet.
 *
 * A value is a JSON object with a whole number `version`, written as "version":N. Whoever writes, an older value
 * never replaces a newer one; several nodes write the same keys.
 *
 * One thread. The keys of one call are distinct. Backends live in cache/<name>/ and pass the same suite (test/cache/contract.c). Callers never include a
 * backend's header; only src/app does.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/err.h"
#include "base/str.h"

/*
 * Connecting, and each answer, may take this long. A call that waits for many answers takes a few times as long at most.
 * Finding the address of a name is apart.
 */
#define CACHE_WAIT_MS 200
/* After a failure the server is left alone for this long. */
#define CACHE_RETRY_MS 500
/* In one call. */
#define CACHE_BATCH_MAX 128
/* A key holds any bytes; at most 64 of them are not visible ASCII, because memcached takes those only in a longer form. */
#define CACHE_KEY_BYTES_MAX 96
#define CACHE_VALUE_BYTES_MAX (64 * 1024)

struct cache_entry {
    struct str key;
    struct str value;
    uint64_t version; /* the one in the value */
};

struct cache;

/* `index` of the key asked for. `value` is borrowed for the call; it is whatever somebody wrote there. */
typedef void (*cache_got_fn)(void *ctx, size_t index, struct str value);

/* After ERR_IO there is no connection any more, and all that was open is given back. */
struct cache_ops {
    const char *name;
    enum err (*connect)(struct cache *c, struct err_note *note);
    enum err (*put)(
        struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note);
    enum err (*get)(
        struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note);
    void (*free)(struct cache *c);
};

/* Base of every backend; backends embed it as their first member, named `base`. */
struct cache {
    const struct cache_ops *ops;
    bool up;
    int64_t retry_ms; /* monotonic; not before */
};

/* Strings are borrowed for the call that takes them. */
struct cache_options {
    struct str host;
    uint16_t port;
    struct str user, password; /* empty: none */
    unsigned database;
};

/* Is there a connection? False after every failure. */
bool cache_is_up(const struct cache *c);
/* Makes one where there is none. ERR_IO: nobody answers there, or the last failure is less than CACHE_RETRY_MS ago. */
MUST_CHECK enum err cache_connect(struct cache *c, struct err_note *note);
/*
 * ERR_OK: of each key the server has this value or one of a higher version; one that it has now ends after `ttl_s`.
 * ERR_IO: any of them may be there. Without a connection ERR_IO at once.
 */
MUST_CHECK enum err
cache_put(struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note);
/* Calls `got` for each key that is there, in any order. ERR_IO: it may have been called for some. */
MUST_CHECK enum err
cache_get(struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note);
/* Accepts NULL. */
void cache_free(struct cache *c);

/* The version in a value; false when there is none. A quote within a JSON string is escaped, so no text looks like it. */
bool cache_version(struct str value, uint64_t *out);

#endif
