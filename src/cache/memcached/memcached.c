#include "cache/memcached/memcached.h"

#include "base/clock.h"
#include "base/mem.h"

#include <libmemcached/memcached.h>

/* Of memcached. */
#define KEY_BYTES_MAX 250
/* Two nodes may write the same key at the same time: then the one that was second looks again. */
#define ROUNDS_MAX 8
/* A call makes an exchange for each key that it writes, and reads many answers: all of them together have this time. */
#define CALL_MS 2000

struct key {
    char text[KEY_BYTES_MAX];
    size_t len;
};

struct cache_memcached {
    struct cache base;
    char *host; /* owned */
    uint16_t port;
    memcached_st *client;             /* NULL: no connection */
    int64_t until_ms;                 /* of the call; monotonic */
    struct key keys[CACHE_BATCH_MAX]; /* of the call */
    struct {
        bool wanted; /* to be written, still */
        bool exists;
        uint64_t cas; /* of what exists */
    } puts[CACHE_BATCH_MAX];
};

static const struct cache_ops cache_memcached_ops;

static struct cache_memcached *cache_memcached_from(struct cache *c)
{
    check(c->ops == &cache_memcached_ops);
    return (struct cache_memcached *)c;
}

struct cache *cache_memcached_new(const struct cache_options *options)
{
    struct cache_memcached *m = mem_new(sizeof(*m));
    m->base.ops = &cache_memcached_ops;
    m->host = mem_copy_str(options->host);
    m->port = options->port;
    return &m->base;
}

/* --- keys --------------------------------------------------------------------------------------------------- */

static bool stands_for_itself(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '%';
}

static void put_byte(struct key *k, char c)
{
    check(k->len < KEY_BYTES_MAX);
    k->text[k->len++] = c;
}

static void key_encode(struct key *k, struct str name)
{
    static const char digits[] = "0123456789ABCDEF";
    k->len = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (stands_for_itself(c)) {
            put_byte(k, (char)c);
        } else {
            put_byte(k, '%');
            put_byte(k, digits[c >> 4]);
            put_byte(k, digits[c & 15]);
        }
    }
}

static size_t key_find(const struct cache_memcached *m, size_t len, const char *text, size_t text_len)
{
    size_t i = 0;
    while (i < len && (m->keys[i].len != text_len || memcmp(m->keys[i].text, text, text_len) != 0)) {
        i++;
    }
    return i;
}

/* --- the connection ----------------------------------------------------------------------------------------- */

static void drop(struct cache_memcached *m)
{
    if (m->client != NULL) {
        memcached_free(m->client);
    }
    m->client = NULL;
}

/* The library has a memory of failures of its own; a new client has none. */
static enum err failed(struct cache_memcached *m, memcached_return_t why, struct err_note *note)
{
    err_note_set(
        note, ERR_IO, "memcached at %s:%u: %s", m->host, (unsigned)m->port, memcached_strerror(m->client, why));
    drop(m);
    return ERR_IO;
}

static void begin_call(struct cache_memcached *m)
{
    m->until_ms = clock_mono_ms() + CALL_MS;
}

static bool is_late(const struct cache_memcached *m)
{
    return clock_mono_ms() > m->until_ms;
}

static void set(memcached_st *client, memcached_behavior_t what, uint64_t value)
{
    memcached_return_t done = memcached_behavior_set(client, what, value);
    check(done == MEMCACHED_SUCCESS);
}

static enum err open_client(struct cache *c, struct err_note *note)
{
    struct cache_memcached *m = cache_memcached_from(c);
    check(m->client == NULL);
    m->client = memcached_create(NULL);
    check(m->client != NULL);
    set(m->client, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, CACHE_WAIT_MS);
    set(m->client, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, CACHE_WAIT_MS);
    set(m->client, MEMCACHED_BEHAVIOR_SND_TIMEOUT, CACHE_WAIT_MS * 1000ULL);
    set(m->client, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, CACHE_WAIT_MS * 1000ULL);
    set(m->client, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    set(m->client, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_return_t done = memcached_server_add(m->client, m->host, m->port);
    if (done == MEMCACHED_SUCCESS) {
        done = memcached_version(m->client); /* asks the server */
    }
    return done == MEMCACHED_SUCCESS ? ERR_OK : failed(m, done, note);
}

/* --- reading ------------------------------------------------------------------------------------------------ */

typedef void (*result_fn)(struct cache_memcached *m, size_t index, const memcached_result_st *result, void *ctx);

/* Asks for `len` keys, which `numbers` names, and gives what is there to `fn`. */
static enum err
ask(struct cache_memcached *m, const size_t *numbers, size_t len, result_fn fn, void *ctx, struct err_note *note)
{
    const char *texts[CACHE_BATCH_MAX];
    size_t lens[CACHE_BATCH_MAX];
    for (size_t i = 0; i < len; i++) {
        texts[i] = m->keys[numbers[i]].text;
        lens[i] = m->keys[numbers[i]].len;
    }
    memcached_return_t done = memcached_mget(m->client, texts, lens, len);
    if (done != MEMCACHED_SUCCESS) {
        return failed(m, done, note);
    }
    memcached_result_st *result;
    while (!is_late(m) && (result = memcached_fetch_result(m->client, NULL, &done)) != NULL) {
        const char *text = memcached_result_key_value(result);
        size_t at = key_find(m, CACHE_BATCH_MAX, text, memcached_result_key_length(result));
        if (done == MEMCACHED_SUCCESS && at < CACHE_BATCH_MAX) {
            fn(m, at, result, ctx);
        }
        memcached_result_free(result);
    }
    if (is_late(m)) {
        return failed(m, MEMCACHED_TIMEOUT, note);
    }
    return done == MEMCACHED_END || done == MEMCACHED_NOTFOUND ? ERR_OK : failed(m, done, note);
}

static struct str value_of(const memcached_result_st *result)
{
    return (struct str){memcached_result_value(result), memcached_result_length(result)};
}

struct getting {
    cache_got_fn got;
    void *ctx;
};

static void give(struct cache_memcached *m, size_t index, const memcached_result_st *result, void *ctx)
{
    (void)m;
    const struct getting *g = ctx;
    g->got(g->ctx, index, value_of(result));
}

static void forget_keys_from(struct cache_memcached *m, size_t len)
{
    for (size_t i = len; i < CACHE_BATCH_MAX; i++) {
        m->keys[i].len = 0;
    }
}

static enum err
get_all(struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note)
{
    struct cache_memcached *m = cache_memcached_from(c);
    struct getting getting = {got, ctx};
    size_t numbers[CACHE_BATCH_MAX];
    for (size_t i = 0; i < len; i++) {
        key_encode(&m->keys[i], keys[i]);
        numbers[i] = i;
    }
    forget_keys_from(m, len);
    begin_call(m);
    return ask(m, numbers, len, give, &getting, note);
}

/* --- writing ------------------------------------------------------------------------------------------------ */

/* What is there, and whether it is newer. */
static void compare(struct cache_memcached *m, size_t index, const memcached_result_st *result, void *ctx)
{
    const struct cache_entry *entries = ctx;
    uint64_t version;
    m->puts[index].exists = true;
    m->puts[index].cas = memcached_result_cas(result);
    if (cache_version(value_of(result), &version) && version > entries[index].version) {
        m->puts[index].wanted = false;
    }
}

static memcached_return_t
store_one(struct cache_memcached *m, size_t index, const struct cache_entry *e, uint32_t ttl_s)
{
    const struct key *k = &m->keys[index];
    if (m->puts[index].exists) {
        return memcached_cas(m->client, k->text, k->len, e->value.ptr, e->value.len, ttl_s, 0, m->puts[index].cas);
    }
    return memcached_add(m->client, k->text, k->len, e->value.ptr, e->value.len, ttl_s, 0);
}

/* Somebody else wrote it, or it has gone, since we looked. */
static bool is_overtaken(memcached_return_t done)
{
    return done == MEMCACHED_DATA_EXISTS || done == MEMCACHED_NOTSTORED || done == MEMCACHED_NOTFOUND;
}

static enum err store_wanted(
    struct cache_memcached *m, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note)
{
    for (size_t i = 0; i < len; i++) {
        if (!m->puts[i].wanted) {
            continue;
        }
        memcached_return_t done = is_late(m) ? MEMCACHED_TIMEOUT : store_one(m, i, &entries[i], ttl_s);
        if (done != MEMCACHED_SUCCESS && !is_overtaken(done)) {
            return failed(m, done, note);
        }
        m->puts[i].wanted = done != MEMCACHED_SUCCESS;
    }
    return ERR_OK;
}

static size_t list_wanted(struct cache_memcached *m, size_t len, size_t out[CACHE_BATCH_MAX])
{
    size_t wanted = 0;
    for (size_t i = 0; i < len; i++) {
        if (m->puts[i].wanted) {
            m->puts[i].exists = false;
            out[wanted++] = i;
        }
    }
    return wanted;
}

static enum err
put_all(struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note)
{
    struct cache_memcached *m = cache_memcached_from(c);
    size_t numbers[CACHE_BATCH_MAX];
    size_t wanted;
    for (size_t i = 0; i < len; i++) {
        key_encode(&m->keys[i], entries[i].key);
        m->puts[i].wanted = true;
    }
    forget_keys_from(m, len);
    begin_call(m);
    for (int round = 0; (wanted = list_wanted(m, len, numbers)) > 0; round++) {
        if (round == ROUNDS_MAX) {
            return failed(m, MEMCACHED_DATA_EXISTS, note);
        }
        TRY(ask(m, numbers, wanted, compare, (void *)(uintptr_t)entries, note));
        TRY(store_wanted(m, entries, len, ttl_s, note));
    }
    return ERR_OK;
}

static void release(struct cache *c)
{
    struct cache_memcached *m = cache_memcached_from(c);
    drop(m);
    mem_free(m->host);
    mem_free(m);
}

static const struct cache_ops cache_memcached_ops = {
    .name = "memcached",
    .connect = open_client,
    .put = put_all,
    .get = get_all,
    .free = release,
};
