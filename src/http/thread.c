#include "http/thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/preempt.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 128

/* What libmicrohttpd has to say is about one client, unless the machine is at its limits. */
static void log_cb(void *cls, const char *format, va_list args)
{
    char text[512];
    char quoted[600];
    vsnprintf(text, sizeof(text), format, args);
    preempt_message(cls, text);
    text[strcspn(text, "\n")] = '\0';
    bool is_limit = strstr(text, "limit at") != NULL || strncmp(text, "Error accepting", 15) == 0;
    log_line(is_limit ? LOG_WARN : LOG_DEBUG, "http_library", "text=%s", log_quote(text, quoted, sizeof(quoted)));
}

/* The target is decoded here, after it was split: libmicrohttpd must leave it alone. */
static size_t unescape_cb(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void
connection_cb(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
    (void)connection;
    (void)context;
    struct http_thread *t = cls;
    counter_add(&t->counters.connections, code == MHD_CONNECTION_NOTIFY_STARTED ? 1 : UINT64_MAX);
}

static struct MHD_Daemon *start_daemon(struct http_thread *t)
{
    const struct http_options *o = &t->server->options;
    unsigned limit = (o->connections_max + o->threads - 1) / o->threads;
    /* clang-format off */
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL, exchange_access_cb, t,
        MHD_OPTION_EXTERNAL_LOGGER, log_cb, t, /* first, so that it hears of all others */
        MHD_OPTION_LISTEN_SOCKET, t->listen_fd,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, /* what strictness adds we refuse ourselves, with a problem */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape_cb, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, exchange_named_cb, t,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_completed_cb, t,
        MHD_OPTION_NOTIFY_CONNECTION, connection_cb, t,
        MHD_OPTION_END);
    /* clang-format on */
}

/* `data.ptr` NULL: something to do, as for any turn; else the exchange of a stream. */
static void watch(struct http_thread *t, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = NULL};
    int failed = epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    check(failed == 0);
}

static enum err open_daemon(struct http_thread *t, struct err_note *note)
{
    t->daemon = start_daemon(t);
    if (t->daemon == NULL) {
        return err_note_set(note, ERR_INTERNAL, "cannot start libmicrohttpd: %s", strerror(errno));
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    check(info != NULL);
    watch(t, info->epoll_fd, EPOLLIN);
    watch(t, t->inbox.event_fd, EPOLLIN | EPOLLET);
    return ERR_OK;
}

/* Everything but the daemon. */
static enum err open_wakers(struct http_thread *t, struct err_note *note)
{
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll_fd < 0) {
        return err_note_set(note, ERR_INTERNAL, "epoll_create1: %s", strerror(errno));
    }
    enum err e = inbox_open(&t->inbox, note);
    if (e != ERR_OK) {
        close(t->epoll_fd);
    }
    return e;
}

enum err thread_open(struct http_thread *t, struct err_note *note)
{
    enum err e = open_wakers(t, note);
    if (e != ERR_OK) {
        close(t->listen_fd);
        return e;
    }
    e = open_daemon(t, note);
    if (e != ERR_OK) { /* whether the library has closed the listen socket is not known: rather leak it */
        inbox_close(&t->inbox);
        close(t->epoll_fd);
        return e;
    }
    counters_init(&t->counters, t->server->options.routes_len);
    uuid7_init(&t->request_ids, random_seed());
    return ERR_OK;
}

struct str thread_date(struct http_thread *t)
{
    int64_t now_s = t->wall_ms / 1000;
    if (now_s != t->date_s) {
        time_t time = now_s;
        struct tm parts;
        size_t len = strftime(t->date, sizeof(t->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&time, &parts));
        check(len > 0);
        t->date_s = now_s;
    }
    return str_from(t->date);
}

void thread_close(struct http_thread *t)
{
    if (t->daemon != NULL) {
        MHD_stop_daemon(t->daemon);
    }
    while (t->unused != NULL) {
        struct exchange *x = t->unused;
        t->unused = x->next;
        exchange_free(x);
    }
    check(t->open == 0);
    reply_cache_release(&t->replies);
    counters_release(&t->counters);
    inbox_close(&t->inbox);
    close(t->epoll_fd);
}

static void call_hook(struct http_thread *t, void (*hook)(void *app, struct http_thread *t))
{
    if (hook != NULL) {
        hook(t->server->options.app, t);
    }
}

/* Until when libmicrohttpd may be left alone; its clock ticks on while streams and kept exchanges sleep. */
static int wait_ms(struct http_thread *t)
{
    MHD_UNSIGNED_LONG_LONG asked = TURN_MS_MAX;
    if (t->must_run) {
        return 0;
    }
    if (MHD_get_timeout(t->daemon, &asked) != MHD_YES || asked > TURN_MS_MAX) {
        return TURN_MS_MAX;
    }
    return (int)asked;
}

static void wait_for_events(struct http_thread *t, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    call_hook(t, t->server->options.thread_wait);
    int len = 0;
    if (inbox_sleep(&t->inbox)) {
        len = epoll_wait(t->epoll_fd, events, EVENTS_MAX, timeout_ms);
        inbox_rise(&t->inbox);
    }
    call_hook(t, t->server->options.thread_woken);
    check(len >= 0 || errno == EINTR);
    for (int i = 0; i < len; i++) {
        if (events[i].data.ptr != NULL) {
            stream_hung_up(events[i].data.ptr);
        }
    }
}

/* The server has just begun to stop: nobody new, and streams say goodbye. */
static void begin_stopping(struct http_thread *t, int64_t now_ms)
{
    t->stopping_ms = now_ms;
    MHD_socket fd = MHD_quiesce_daemon(t->daemon);
    check(fd == t->listen_fd);
    close(fd);
    t->listen_fd = -1;
    stream_end_all(t);
}

/* One turn. False when the server stops and nothing is left that has to be waited for. */
static bool take_turn(struct http_thread *t)
{
    const struct http_options *o = &t->server->options;
    int64_t now_ms = clock_mono_ms();
    t->wall_ms = clock_wall_ms();
    struct exchange *x = inbox_take(&t->inbox);
    while (x != NULL) {
        struct exchange *next = x->next;
        exchange_continue(x);
        x = next;
    }
    if (o->thread_turn != NULL) {
        o->thread_turn(o->app, t, now_ms);
    }
    if (t->stopping_ms == 0 && atomic_load_explicit(&t->server->stopping, memory_order_relaxed)) {
        begin_stopping(t, now_ms);
    }
    t->must_run = false;
    enum MHD_Result ran = MHD_run(t->daemon);
    check(ran == MHD_YES);
    if (t->stopping_ms == 0 || t->kept > 0) {
        return true;
    }
    bool only_streams = t->open == t->streams_len;
    bool said_goodbye = t->open == 0 || now_ms - t->stopping_ms >= STREAM_FAREWELL_MS;
    return !(only_streams && said_goodbye) && !atomic_load(&t->server->hurrying);
}

static void *thread_main(void *arg)
{
    struct http_thread *t = arg;
    call_hook(t, t->server->options.thread_start);
    while (take_turn(t)) {
        int timeout_ms = wait_ms(t);
        if (timeout_ms > 0) {
            wait_for_events(t, timeout_ms);
        }
    }
    MHD_stop_daemon(t->daemon); /* ends what is left: idle connections, streams, and after the grace the rest */
    t->daemon = NULL;
    call_hook(t, t->server->options.thread_stop);
    pthread_mutex_lock(&t->server->lock);
    t->ended = true;
    pthread_cond_signal(&t->server->ended);
    pthread_mutex_unlock(&t->server->lock);
    return NULL;
}

enum err thread_start(struct http_thread *t, struct err_note *note)
{
    int failed = pthread_create(&t->handle, NULL, thread_main, t);
    if (failed != 0) {
        return err_note_set(note, ERR_INTERNAL, "pthread_create: %s", strerror(failed));
    }
    t->started = true;
    return ERR_OK;
}
