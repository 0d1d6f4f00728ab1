#include "fixture.h"

#include "base/mem.h"
#include "test.h"

#include <time.h>

#define HOLD_FOR_RELEASE UINT32_MAX

static const char json[] = "application/json";

static void hello(struct exchange *x, void *app)
{
    (void)app;
    exchange_answer(x, 200, json, STR("{\"hello\":\"world\"}"), false);
}

static void echo(struct exchange *x, void *app)
{
    (void)app;
    exchange_answer(x, 200, json, exchange_body(x), true);
}

static void no_body(struct exchange *x, void *app)
{
    (void)app;
    exchange_answer(x, 200, json, STR("{}"), false);
}

static void params(struct exchange *x, void *app)
{
    (void)app;
    struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "[%.*s][%.*s]", STR_ARG(exchange_path_param(x, 0)), STR_ARG(exchange_path_param(x, 1)));
    exchange_answer(x, 200, "text/plain", buf_str(&b), true);
    buf_release(&b);
}

static void one_param(struct exchange *x, void *app)
{
    (void)app;
    exchange_answer(x, 200, "text/plain", exchange_path_param(x, 0), false);
}

/* Lists the arguments "a" in order, "b", and one that is neither. */
static void query(struct exchange *x, void *app)
{
    (void)app;
    struct buf b;
    buf_init(&b, 65536);
    for (unsigned i = 0; !str_is_absent(exchange_query(x, "a", i)); i++) {
        buf_printf(&b, "a=%.*s;", STR_ARG(exchange_query(x, "a", i)));
    }
    struct str other = exchange_query(x, "b", 0);
    buf_printf(&b, "b=%.*s;", (int)other.len, str_is_absent(other) ? "" : other.ptr);
    struct str unknown = exchange_query_unknown(x, (const char *const[]){"a", "b", NULL});
    buf_printf(&b, "unknown=%.*s", (int)unknown.len, str_is_absent(unknown) ? "" : unknown.ptr);
    exchange_answer(x, 200, "text/plain", buf_str(&b), true);
    buf_release(&b);
}

static void headers(struct exchange *x, void *app)
{
    (void)app;
    exchange_set_header(x, "ETag", STR("\"7\""));
    exchange_set_header(x, "cache-control", STR("public, max-age=1"));
    if (str_equal(exchange_header(x, "if-none-match"), STR("\"7\""))) {
        exchange_answer(x, 304, NULL, STR_NONE, false);
        return;
    }
    exchange_answer(x, 200, json, exchange_header(x, "X-Given"), true);
}

/* A body of the length that the client names. */
static void sized(struct exchange *x, void *app)
{
    (void)app;
    uint64_t len = 0;
    bool ok = str_to_u64(exchange_path_param(x, 0), 10000000, &len);
    check(ok);
    char *bytes = mem_new(len);
    memset(bytes, 'z', len);
    exchange_attach(x, bytes, mem_free);
    exchange_answer(x, 200, json, (struct str){bytes, len}, false);
}

static void smuggled(struct exchange *x, void *app)
{
    struct app *a = app;
    atomic_fetch_add(&a->smuggled, 1);
    exchange_answer(x, 200, json, STR("\"smuggled\""), false);
}

static void problem(struct exchange *x, void *app)
{
    (void)app;
    exchange_problem(x, ERR_OVERLOADED, STR("a \"full\" queue"), STR(",\"depth\":7"));
}

static void freed(void *ptr)
{
    struct app *a = ptr;
    atomic_fetch_add(&a->freed, 1);
}

static void resumed(struct exchange *x, void *app)
{
    struct app *a = app;
    atomic_fetch_add(&a->resumed, 1);
    exchange_answer(x, 201, json, exchange_body(x), false);
}

static void push_kept(struct app *a, struct exchange *x)
{
    pthread_mutex_lock(&a->lock);
    check(a->kept_len < KEPT_MAX);
    a->kept[a->kept_len++] = x;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static void keep(struct exchange *x, void *app)
{
    exchange_attach(x, app, freed);
    exchange_keep(x, resumed);
    push_kept(app, x);
}

static void resumed_once(struct exchange *x, void *app)
{
    exchange_keep(x, resumed);
    push_kept(app, x);
}

static void keep_twice(struct exchange *x, void *app)
{
    exchange_keep(x, resumed_once);
    push_kept(app, x);
}

static void *resume_at_once(void *arg)
{
    exchange_resume(arg);
    return NULL;
}

/* The other thread has resumed and ended before the handler returns. */
static void keep_late(struct exchange *x, void *app)
{
    (void)app;
    exchange_keep(x, resumed);
    pthread_t other;
    int failed = pthread_create(&other, NULL, resume_at_once, x);
    check(failed == 0);
    pthread_join(other, NULL);
}

static size_t stream_fill(void *ctx, char *out, size_t size)
{
    static const char line[] = "data: line\n\n";
    struct stream_state *s = &((struct app *)ctx)->stream;
    atomic_fetch_add(&s->fills, 1);
    if (atomic_load(&s->flood)) {
        memset(out, 'f', size);
        return size;
    }
    if (s->told == atomic_load(&s->lines)) {
        return 0;
    }
    s->told++;
    memcpy(out, line, sizeof(line) - 1);
    return sizeof(line) - 1;
}

static void stream_closed(void *ctx)
{
    struct stream_state *s = &((struct app *)ctx)->stream;
    s->exchange = NULL;
    atomic_fetch_add(&s->closed, 1);
}

static void stream(struct exchange *x, void *app)
{
    static const struct stream_ops ops = {.fill = stream_fill, .closed = stream_closed};
    struct stream_state *s = &((struct app *)app)->stream;
    s->exchange = x;
    s->told = 0;
    exchange_set_header(x, "Cache-Control", STR("no-cache, no-transform"));
    exchange_stream(x, "text/event-stream", &ops, app);
    atomic_fetch_add(&s->opened, 1);
}

/* clang-format off */
static const struct route routes[] = {
    {HTTP_GET, "/", "root", hello, 0},
    {HTTP_GET, "/hello", "hello", hello, 0},
    {HTTP_POST, "/echo", "echo", echo, ECHO_BYTES_MAX},
    {HTTP_PUT, "/echo", "echo_put", echo, ECHO_BYTES_MAX},
    {HTTP_POST, "/no-body", "no_body", no_body, 0},
    {HTTP_GET, "/params/{a}/{b}", "params", params, 0},
    {HTTP_GET, "/items/{sku}", "item", one_param, 0},
    {HTTP_GET, "/items/fixed", "fixed", hello, 0},
    {HTTP_DELETE, "/items/{sku}", "item_delete", hello, 0},
    {HTTP_GET, "/query", "query", query, 0},
    {HTTP_GET, "/headers", "headers", headers, 0},
    {HTTP_GET, "/sized/{len}", "sized", sized, 0},
    {HTTP_GET, "/problem", "problem", problem, 0},
    {HTTP_GET, "/smuggled", "smuggled", smuggled, 0},
    {HTTP_POST, "/keep", "keep", keep, ECHO_BYTES_MAX},
    {HTTP_POST, "/keep-twice", "keep_twice", keep_twice, ECHO_BYTES_MAX},
    {HTTP_POST, "/keep-late", "keep_late", keep_late, ECHO_BYTES_MAX},
    {HTTP_GET, "/stream", "stream", stream, 0},
};
/* clang-format on */

size_t app_route(const char *label)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (strcmp(routes[i].label, label) == 0) {
            return i;
        }
    }
    unreachable("a label without a route");
}

/* Takes all that is kept, once there is enough. */
static unsigned take_kept(struct app *a, struct exchange **out)
{
    pthread_mutex_lock(&a->lock);
    while (!a->quit && (a->kept_len == 0 || a->kept_len < a->hold_until)) {
        pthread_cond_wait(&a->changed, &a->lock);
    }
    unsigned len = a->kept_len;
    memcpy(out, a->kept, len * sizeof(struct exchange *));
    a->kept_len = 0;
    pthread_mutex_unlock(&a->lock);
    return len;
}

static void *resumer_main(void *arg)
{
    struct app *a = arg;
    struct exchange *taken[KEPT_MAX];
    unsigned len;
    while ((len = take_kept(a, taken)) > 0) {
        for (unsigned i = 0; i < len; i++) {
            exchange_resume(taken[i]);
        }
    }
    return NULL;
}

static void turn(void *app, struct http_thread *t, int64_t mono_ms)
{
    (void)mono_ms;
    struct app *a = app;
    struct stream_state *s = &a->stream;
    atomic_fetch_add(&a->turns, 1);
    if (s->exchange == NULL || exchange_thread(s->exchange) != t) {
        return;
    }
    if (atomic_exchange(&s->cut, false)) {
        exchange_stream_end(s->exchange, true);
    } else if (atomic_exchange(&s->end, false)) {
        exchange_stream_end(s->exchange, false);
    } else if (s->told < atomic_load(&s->lines) || atomic_load(&s->flood)) {
        exchange_stream_wake(s->exchange);
    }
}

static void thread_starts(void *app, struct http_thread *t)
{
    check(http_thread_index(t) < 16);
    atomic_fetch_add(&((struct app *)app)->threads_started, 1);
}

static void thread_stops(void *app, struct http_thread *t)
{
    (void)t;
    atomic_fetch_add(&((struct app *)app)->threads_stopped, 1);
}

static void thread_waits(void *app, struct http_thread *t)
{
    (void)t;
    atomic_fetch_add(&((struct app *)app)->waits, 1);
}

static void thread_wakes(void *app, struct http_thread *t)
{
    (void)t;
    atomic_fetch_sub(&((struct app *)app)->waits, 1);
}

void app_start_with(struct app *a, unsigned threads, unsigned connections_max)
{
    memset(a, 0, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    const struct http_options options = {
        .host = "127.0.0.1",
        .threads = threads,
        .connections_max = connections_max,
        .routes = routes,
        .routes_len = ARRAY_LEN(routes),
        .app = a,
        .thread_start = thread_starts,
        .thread_turn = turn,
        .thread_wait = thread_waits,
        .thread_woken = thread_wakes,
        .thread_stop = thread_stops,
    };
    struct err_note note = {.text = ""};
    enum err e = http_start(&options, &a->server, &note);
    assert_string_equal(note.text, "");
    assert_int_equal(e, ERR_OK);
    a->port = http_port(a->server);
    assert_int_equal(pthread_create(&a->resumer, NULL, resumer_main, a), 0);
}

void app_start(struct app *a, unsigned threads)
{
    app_start_with(a, threads, 2048);
}

void app_end(struct app *a)
{
    http_stop(a->server, 0);
    pthread_mutex_lock(&a->lock);
    a->quit = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->resumer, NULL);
    http_free(a->server);
    a->server = NULL;
    assert_int_equal(atomic_load(&a->threads_stopped), atomic_load(&a->threads_started));
    assert_int_equal(atomic_load(&a->waits), 0);
    assert_int_equal(atomic_load(&a->stream.closed), atomic_load(&a->stream.opened));
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

void app_hold(struct app *a, unsigned count)
{
    pthread_mutex_lock(&a->lock);
    a->hold_until = count > 0 ? count : HOLD_FOR_RELEASE;
    pthread_mutex_unlock(&a->lock);
}

void app_release(struct app *a)
{
    pthread_mutex_lock(&a->lock);
    a->hold_until = 0;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

void app_await_kept(struct app *a, unsigned count)
{
    pthread_mutex_lock(&a->lock);
    while (a->kept_len < count) {
        pthread_cond_wait(&a->changed, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
}

void app_await_idle(struct app *a)
{
    struct http_metrics m;
    do {
        app_poke(a);
        http_metrics(a->server, &m);
    } while (m.connections > 0);
}

void app_poke(struct app *a)
{
    for (unsigned i = 0; i < http_threads(a->server); i++) {
        http_thread_wake(a->server, i);
    }
}

void await_uint(atomic_uint *value, unsigned wanted)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 10000 && atomic_load(value) != wanted; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(value), wanted);
}
