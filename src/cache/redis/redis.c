#include "cache/redis/redis.h"

#include "base/clock.h"
#include "base/mem.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>

/* Versions are compared as decimal text, because a number of Lua holds 53 bits only. What is no string is replaced. */
static const char script[] = "local old = redis.pcall('GET', KEYS[1])\n"
                             "local had = type(old) == 'string' and string.match(old, '\"version\":(%d+)')\n"
                             "if had and (#had > #ARGV[2] or (#had == #ARGV[2] and had > ARGV[2])) then return 0 end\n"
                             "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])\n"
                             "return 1\n";

#define SHA_LEN 40

struct cache_redis {
    struct cache base;
    char *host, *user, *password; /* owned; empty: none */
    uint16_t port;
    unsigned database;
    redisContext *context; /* NULL: no connection */
    char sha[SHA_LEN + 1]; /* of the script, as the server names it */
};

static const struct cache_ops cache_redis_ops;

static struct cache_redis *cache_redis_from(struct cache *c)
{
    check(c->ops == &cache_redis_ops);
    return (struct cache_redis *)c;
}

struct cache *cache_redis_new(const struct cache_options *options)
{
    struct cache_redis *r = mem_new(sizeof(*r));
    r->base.ops = &cache_redis_ops;
    r->host = mem_copy_str(options->host);
    r->user = mem_copy_str(options->user);
    r->password = mem_copy_str(options->password);
    r->port = options->port;
    r->database = options->database;
    return &r->base;
}

static enum err drop(struct cache_redis *r)
{
    if (r->context != NULL) {
        redisFree(r->context);
    }
    r->context = NULL;
    return ERR_IO;
}

static enum err failed(struct cache_redis *r, const char *what, struct err_note *note)
{
    err_note_set(note, ERR_IO, "redis at %s:%u: %s", r->host, (unsigned)r->port, what);
    return drop(r);
}

/* The next answer; NULL after a failure, also when it is an error. */
static redisReply *answer(struct cache_redis *r, struct err_note *note)
{
    void *reply = NULL;
    if (redisGetReply(r->context, &reply) != REDIS_OK || reply == NULL) {
        (void)failed(r, r->context->errstr, note);
        return NULL;
    }
    redisReply *got = reply;
    if (got->type == REDIS_REPLY_ERROR) {
        (void)failed(r, got->str, note);
        freeReplyObject(got);
        return NULL;
    }
    return got;
}

/* Of commands that say no more than that they worked. */
static enum err expect_answer(struct cache_redis *r, struct err_note *note)
{
    redisReply *got = answer(r, note);
    if (got == NULL) {
        return ERR_IO;
    }
    freeReplyObject(got);
    return ERR_OK;
}

static void append(struct cache_redis *r, const struct str *words, size_t len)
{
    const char *texts[CACHE_BATCH_MAX + 1];
    size_t lens[CACHE_BATCH_MAX + 1];
    check(len <= ARRAY_LEN(texts));
    for (size_t i = 0; i < len; i++) {
        texts[i] = words[i].ptr;
        lens[i] = words[i].len;
    }
    int appended = redisAppendCommandArgv(r->context, (int)len, texts, lens);
    check(appended == REDIS_OK); /* it fails without memory only */
}

static enum err log_in(struct cache_redis *r, struct err_note *note)
{
    struct str user = str_from(r->user);
    struct str words[3] = {STR("AUTH"), user, str_from(r->password)};
    if (r->password[0] == '\0') {
        return ERR_OK;
    }
    if (user.len == 0) {
        words[1] = words[2];
    }
    append(r, words, user.len == 0 ? 2 : 3);
    return expect_answer(r, note);
}

static enum err choose_database(struct cache_redis *r, struct err_note *note)
{
    char room[U64_DIGITS_MAX];
    if (r->database == 0) {
        return ERR_OK;
    }
    append(r, (struct str[]){STR("SELECT"), str_from_u64(r->database, room)}, 2);
    return expect_answer(r, note);
}

static enum err load_script(struct cache_redis *r, struct err_note *note)
{
    append(r, (struct str[]){STR("SCRIPT"), STR("LOAD"), {script, sizeof(script) - 1}}, 3);
    redisReply *got = answer(r, note);
    if (got == NULL) {
        return ERR_IO;
    }
    bool named = got->type == REDIS_REPLY_STRING && got->len == SHA_LEN;
    if (named) {
        memcpy(r->sha, got->str, SHA_LEN);
    }
    freeReplyObject(got);
    return named ? ERR_OK : failed(r, "takes no script", note);
}

static enum err redis_connect(struct cache *c, struct err_note *note)
{
    struct cache_redis *r = cache_redis_from(c);
    const struct timeval wait = {.tv_usec = CACHE_WAIT_MS * 1000};
    check(r->context == NULL);
    r->context = redisConnectWithTimeout(r->host, r->port, wait);
    check(r->context != NULL);
    if (r->context->err != 0 || redisSetTimeout(r->context, wait) != REDIS_OK) {
        return failed(r, r->context->errstr, note);
    }
    TRY(log_in(r, note));
    TRY(choose_database(r, note));
    return load_script(r, note);
}

static void append_put(struct cache_redis *r, const struct cache_entry *e, struct str ttl)
{
    char room[U64_DIGITS_MAX];
    struct str version = str_from_u64(e->version, room);
    struct str words[] = {STR("EVALSHA"), {r->sha, SHA_LEN}, STR("1"), e->key, e->value, version, ttl};
    append(r, words, ARRAY_LEN(words));
}

/* An answer that comes now and then only would make the whole last long: all of them have the time of one. */
static enum err take_answers(struct cache_redis *r, size_t len, struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + CACHE_WAIT_MS;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && clock_mono_ms() > until_ms) {
            return failed(r, "answers too slowly", note);
        }
        TRY(expect_answer(r, note));
    }
    return ERR_OK;
}

static enum err
redis_put(struct cache *c, const struct cache_entry *entries, size_t len, uint32_t ttl_s, struct err_note *note)
{
    struct cache_redis *r = cache_redis_from(c);
    char room[U64_DIGITS_MAX];
    struct str ttl = str_from_u64(ttl_s, room);
    for (size_t i = 0; i < len; i++) {
        append_put(r, &entries[i], ttl);
    }
    return take_answers(r, len, note);
}

static void give(const redisReply *all, size_t len, cache_got_fn got, void *ctx)
{
    for (size_t i = 0; i < len; i++) {
        const redisReply *one = all->element[i];
        if (one->type == REDIS_REPLY_STRING) {
            got(ctx, i, (struct str){one->str, one->len});
        }
    }
}

static enum err
redis_get(struct cache *c, const struct str *keys, size_t len, cache_got_fn got, void *ctx, struct err_note *note)
{
    struct cache_redis *r = cache_redis_from(c);
    struct str words[CACHE_BATCH_MAX + 1] = {STR("MGET")};
    memcpy(words + 1, keys, len * sizeof(*keys));
    append(r, words, len + 1);
    redisReply *all = answer(r, note);
    if (all == NULL) {
        return ERR_IO;
    }
    bool fits = all->type == REDIS_REPLY_ARRAY && all->elements == len;
    if (fits) {
        give(all, len, got, ctx);
    }
    freeReplyObject(all);
    return fits ? ERR_OK : failed(r, "answers something else", note);
}

static void redis_free(struct cache *c)
{
    struct cache_redis *r = cache_redis_from(c);
    (void)drop(r);
    mem_free(r->host);
    mem_free(r->user);
    mem_free(r->password);
    mem_free(r);
}

static const struct cache_ops cache_redis_ops = {
    .name = "redis",
    .connect = redis_connect,
    .put = redis_put,
    .get = redis_get,
    .free = redis_free,
};
