#include "app/serve.h"

#include "api/api.h"
#include "app/config.h"
#include "app/exit.h"
#include "app/subcommand.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"
#include "bus/local/local.h"
#include "describe/describe.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARTITION 0
#define BUS_MESSAGES_MAX 64
#define OPENAPI_BYTES_MAX (8 * 1024 * 1024)
/* How long a stop waits for requests that were begun. */
#define STOP_GRACE_MS 10000
/* How long the answers to what failed with the store have to leave. */
#define FAILED_GRACE_MS 500

/* How long a start waits for the lease of another process: one that was killed has it for a while. */
#define LEASE_WAIT_MS 10000

/* Everything that runs, in the order in which it starts. What has not started is NULL. */
struct server {
    const struct config *config;
    struct buf openapi;
    struct store *store;
    struct bus *bus;
    struct inventory *inventory;
    bool inventory_runs;
    struct availability *availability;
    bool availability_runs;
    struct api *api;
    _Atomic(struct http_server *) http; /* the sequencer thread looks for it when the store fails */
};

/*
 * The sequencer thread: it ends here, without cleaning up, so that nothing more is decided on a state that is not known.
 * The requests that it could not finish were told so; the HTTP threads get a moment to send that.
 */
static void inventory_failed_cb(void *ctx, enum err e, const struct err_note *note)
{
    struct server *s = ctx;
    char quoted[512];
    log_line(
        LOG_ERROR, "store_failed", "code=%s detail=%s", err_info(e)->slug,
        log_quote(note->text, quoted, sizeof(quoted)));
    struct http_server *http = atomic_load(&s->http);
    if (http != NULL) {
        http_stop(http, FAILED_GRACE_MS);
    }
    _exit(EXIT_BROKEN);
}

static void availability_changed_cb(void *ctx, struct shelf_entry *const *entries, size_t len, int64_t committed_ns)
{
    struct server *s = ctx;
    api_availability_changed(s->api, entries, len, committed_ns);
}

static void snapshot_cb(void *ctx, const struct bus_message *m)
{
    availability_apply(ctx, m);
}

/* The URL may hold a password: it is never part of a message. */
static enum err open_store(struct server *s, struct err_note *note)
{
    const char *store = s->config->store;
    if (strcmp(store, "sqlite") == 0) {
        return store_sqlite_open(s->config->data, PARTITION, &s->store, note);
    }
    if (strncmp(store, "postgresql://", 13) == 0 || strncmp(store, "postgres://", 11) == 0) {
        return store_postgres_open(store, PARTITION, s->config->unsafe_durability == 1, &s->store, note);
    }
    return err_note_set(note, ERR_CONFIG, "store: neither \"sqlite\" nor postgresql://...");
}

static enum err start_inventory(struct server *s, struct err_note *note)
{
    TRY(open_store(s, note));
    s->bus = bus_local_new(BUS_MESSAGES_MAX);
    struct inventory_options options = {
        .store = s->store,
        .bus = s->bus,
        .partition = PARTITION,
        .idempotency_keys_max = s->config->idempotency_keys_max,
        .random_seed = random_seed(),
        .failed = inventory_failed_cb,
        .failed_ctx = s,
    };
    int64_t until_ms = clock_mono_ms() + LEASE_WAIT_MS;
    enum err e = inventory_open(&options, &s->inventory, note);
    while (e == ERR_LOCKED && clock_mono_ms() < until_ms) {
        usleep(STORE_CLAIM_MS * 1000);
        e = inventory_open(&options, &s->inventory, note);
    }
    return e;
}

/* The availability service begins with a snapshot and then follows the bus. */
static void make_readers(struct server *s)
{
    struct availability_options options = {
        .bus = s->bus,
        .policy = POLICY_DEFAULT,
        .changed = availability_changed_cb,
        .changed_ctx = s,
    };
    s->availability = availability_new(&options);
    inventory_snapshot(s->inventory, snapshot_cb, s->availability);
    struct inventory_metrics metrics;
    inventory_metrics(s->inventory, &metrics);
    struct api_options api = {
        .inventory = s->inventory,
        .availability = s->availability,
        .stream_epoch = metrics.epoch,
        .openapi_json = buf_str(&s->openapi),
        .threads = (unsigned)s->config->http_threads,
    };
    s->api = api_new(&api);
}

static enum err start_threads(struct server *s, struct err_note *note)
{
    TRY(availability_start(s->availability, note));
    s->availability_runs = true;
    TRY(inventory_start(s->inventory, note));
    s->inventory_runs = true;
    return ERR_OK;
}

static enum err start_http(struct server *s, struct err_note *note)
{
    size_t routes_len;
    const struct route *routes = api_routes(&routes_len);
    struct http_options options = {
        .host = s->config->host,
        .port = (uint16_t)s->config->port,
        .threads = (unsigned)s->config->http_threads,
        .connections_max = (unsigned)s->config->connections_max,
        .routes = routes,
        .routes_len = routes_len,
        .app = s->api,
        .thread_start = api_thread_start,
        .thread_turn = api_thread_turn,
        .thread_wait = api_thread_wait,
        .thread_woken = api_thread_woken,
        .thread_stop = api_thread_stop,
    };
    struct http_server *http;
    TRY(http_start(&options, &http, note));
    atomic_store(&s->http, http);
    api_set_server(s->api, http);
    return ERR_OK;
}

/* Takes down what was started, in reverse: requests that were begun get their answers first. */
static void stop_server(struct server *s)
{
    if (s->http != NULL) {
        api_set_ready(s->api, false);
        http_stop(s->http, STOP_GRACE_MS);
        api_set_server(s->api, NULL);
    }
    if (s->inventory_runs) {
        inventory_stop(s->inventory);
    }
    if (s->bus != NULL) {
        bus_close(s->bus);
    }
    if (s->availability_runs) {
        availability_stop(s->availability);
    }
    http_free(s->http);
    api_free(s->api);
    availability_free(s->availability);
    inventory_free(s->inventory);
    bus_free(s->bus);
    store_free(s->store);
    buf_release(&s->openapi);
}

static int exit_code_of(enum err e)
{
    switch (e) {
    case ERR_LOCKED:
    case ERR_FENCED:
        return EXIT_IN_USE;
    case ERR_SCHEMA:
        return EXIT_UNAVAILABLE;
    case ERR_CONFIG:
        return EXIT_BAD_CONFIG;
    default:
        return EXIT_CANNOT_OPEN;
    }
}

static int refuse_start(enum err e, int code, const struct err_note *note)
{
    const char *text = note->text[0] != '\0' ? note->text : err_info(e)->title;
    return subcommand_refuse("serve", code, text);
}

static int start_server(struct server *s)
{
    struct err_note note = {""};
    enum err e = openapi_render(&s->openapi);
    check(e == ERR_OK);
    e = start_inventory(s, &note);
    if (e != ERR_OK) {
        return refuse_start(e, exit_code_of(e), &note);
    }
    make_readers(s);
    e = start_threads(s, &note);
    if (e != ERR_OK) {
        return refuse_start(e, EXIT_CANNOT_OPEN, &note);
    }
    e = start_http(s, &note);
    return e == ERR_OK ? EXIT_GOOD : refuse_start(e, EXIT_UNAVAILABLE, &note);
}

static void print_ready(const struct server *s)
{
    struct inventory_metrics metrics;
    inventory_metrics(s->inventory, &metrics);
    bool is_v6 = strchr(s->config->host, ':') != NULL;
    printf(
        is_v6 ? "onhand ready: http://[%s]:%u/ data %s epoch %" PRIu64 " seq %" PRIu64 "\n"
              : "onhand ready: http://%s:%u/ data %s epoch %" PRIu64 " seq %" PRIu64 "\n",
        s->config->host, (unsigned)http_port(s->http), s->config->data, metrics.epoch, metrics.seq);
    fflush(stdout); /* a closed stdout is no reason to stop serving */
}

/* Signals are taken by waiting, on the main thread; the other threads inherit the mask. */
static void block_signals(sigset_t *out_set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(out_set);
    sigaddset(out_set, SIGTERM);
    sigaddset(out_set, SIGINT);
    check(pthread_sigmask(SIG_BLOCK, out_set, NULL) == 0);
}

static void stop_at_once(int number)
{
    (void)number;
    _exit(EXIT_DIFFERENCES);
}

/* From here on a second signal ends the process at once: what was acknowledged is durable all the same. */
static void unblock_signals(const sigset_t *set)
{
    struct sigaction action = {.sa_handler = stop_at_once};
    check(sigaction(SIGTERM, &action, NULL) == 0);
    check(sigaction(SIGINT, &action, NULL) == 0);
    check(pthread_sigmask(SIG_UNBLOCK, set, NULL) == 0);
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_line(LOG_WARN, "descriptors_not_raised", "error=%d", errno);
    }
}

static void wait_for_signal(const sigset_t *set)
{
    int number;
    check(sigwait(set, &number) == 0);
    log_line(LOG_INFO, "stopping", "signal=%d", number);
}

static int serve(const struct config *config)
{
    sigset_t signals;
    block_signals(&signals);
    raise_descriptors();
    struct server s = {.config = config};
    buf_init(&s.openapi, OPENAPI_BYTES_MAX);
    int code = start_server(&s);
    if (code == EXIT_GOOD) {
        api_set_ready(s.api, true);
        print_ready(&s);
        wait_for_signal(&signals);
    }
    unblock_signals(&signals);
    stop_server(&s);
    if (code == EXIT_GOOD) {
        log_line(LOG_INFO, "stopped", "data=%s", config->data);
    }
    return code;
}

int serve_run(int argc, char **argv)
{
    struct config config;
    struct err_note note;
    enum err e = config_read(argc, argv, getenv, &config, &note);
    if (e != ERR_OK) {
        return subcommand_refuse("serve", e == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_BAD_USAGE, note.text);
    }
    log_level_set(config.log_level);
    int code = serve(&config);
    config_release(&config);
    return code;
}
