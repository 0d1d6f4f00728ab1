#include "app/serve.h"

#include "api/api.h"
#include "app/backends.h"
#include "app/exit.h"
#include "app/lease.h"
#include "app/subcommand.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "bus/local/local.h"
#include "describe/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUS_MESSAGES_MAX 64
#define OPENAPI_BYTES_MAX (8 * 1024 * 1024)
/* How long a stop waits for requests that were begun. */
#define STOP_GRACE_MS 10000
/* How long the answers to what failed with the store have to leave. */
#define FAILED_GRACE_MS 500
#define NODE_BYTES_MAX 64

/* Which services a process has. */
enum role { ROLE_SERVE, ROLE_INVENTORY, ROLE_AVAILABILITY };

static const char *const role_names[] = {
    [ROLE_SERVE] = "serve", [ROLE_INVENTORY] = "inventory", [ROLE_AVAILABILITY] = "availability"};

/* Everything that runs, in the order in which it starts. What has not started is NULL. */
struct server {
    enum role role;
    const struct config *config;
    char advertised[STORE_LEADER_MAX + 1];
    char leader[STORE_LEADER_MAX + 1]; /* of a standby: who leads, as far as it knows */
    bool stands_by;
    bool waits_for_store; /* which cannot be reached */
    struct buf openapi;
    struct store *store;
    struct bus *outside;
    struct forwarder *forwarder;
    struct api *api;
    _Atomic(struct http_server *) http; /* other threads look for it when something fails */
    struct bus *bus;
    struct inventory *inventory;
    bool inventory_runs;
    struct cache *cache;
    struct availability *availability;
    bool availability_runs;
    int64_t claims_ms; /* monotonic: when it last tried to claim the lease */
    struct lease *lease;
};

/*
 * Any thread but those of HTTP: the process ends here, without cleaning up, so that nothing more is decided on a state that
 * is not known. The requests that could not be finished were told so; the HTTP threads get a moment to send that.
 */
static void end_at_once(struct server *s, int code)
{
    struct http_server *http = atomic_load(&s->http);
    if (http != NULL) {
        http_stop(http, FAILED_GRACE_MS);
    }
    _exit(code);
}

static void log_failure(const char *event, enum err e, const struct err_note *note)
{
    char quoted[512];
    log_line(LOG_ERROR, event, "code=%s detail=%s", err_info(e)->slug, log_quote(note->text, quoted, sizeof(quoted)));
}

/* Whoever was deposed begins anew as a standby: its supervisor starts it again. */
static void inventory_failed_cb(void *ctx, enum err e, const struct err_note *note)
{
    log_failure("store_failed", e, note);
    end_at_once(ctx, e == ERR_FENCED || e == ERR_DEPOSED ? EXIT_IN_USE : EXIT_BROKEN);
}

static void lease_deposed_cb(void *ctx, const struct err_note *note)
{
    log_failure("deposed", ERR_FENCED, note);
    end_at_once(ctx, EXIT_IN_USE);
}

static void lease_renewed_cb(void *ctx, int64_t mono_ms)
{
    struct server *s = ctx;
    api_set_renewed(s->api, mono_ms);
}

static void availability_cut_cb(void *ctx)
{
    end_at_once(ctx, EXIT_IN_USE);
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

/*
 * Signals.
 */

/* Signals are taken by waiting, on the main thread; the other threads inherit the mask. */
static void block_signals(sigset_t *out_set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(out_set);
    sigaddset(out_set, SIGTERM);
    sigaddset(out_set, SIGINT);
    check(pthread_sigmask(SIG_BLOCK, out_set, NULL) == 0);
}

static void stop_before_begin(int number)
{
    (void)number;
    _exit(EXIT_GOOD);
}

static void stop_at_once(int number)
{
    (void)number;
    _exit(EXIT_DIFFERENCES);
}

/* From here on a signal ends the process at once. */
static void unblock_signals(const sigset_t *set, void (*stop)(int number))
{
    struct sigaction action = {.sa_handler = stop};
    check(sigaction(SIGTERM, &action, NULL) == 0);
    check(sigaction(SIGINT, &action, NULL) == 0);
    check(pthread_sigmask(SIG_UNBLOCK, set, NULL) == 0);
}

/*
 * What every role has: an API that answers, though it may have to send most of it elsewhere.
 */

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

static enum err start_api(struct server *s, struct err_note *note)
{
    TRY(forwarder_start(&s->forwarder, note));
    struct api_options options = {
        .availability = s->availability,
        .shows_when_leading = s->role == ROLE_SERVE,
        .forwarder = s->forwarder,
        .openapi_json = buf_str(&s->openapi),
        .threads = (unsigned)s->config->http_threads,
    };
    s->api = api_new(&options);
    return ERR_OK;
}

static void put_url(const struct server *s, char *out, size_t size)
{
    const char *host = s->config->host;
    const char *form = strchr(host, ':') != NULL ? "http://[%s]:%u" : "http://%s:%u";
    (void)snprintf(out, size, form, host, (unsigned)http_port(s->http)); // NOLINT(clang-diagnostic-format-nonliteral)
}

static void advertise(struct server *s)
{
    if (s->config->advertise[0] == '\0') {
        put_url(s, s->advertised, sizeof(s->advertised));
    } else {
        (void)snprintf(s->advertised, sizeof(s->advertised), "%s", s->config->advertise);
    }
}

/*
 * An availability node.
 */

static void put_node(const struct server *s, char out[NODE_BYTES_MAX])
{
    char host[NODE_BYTES_MAX / 2] = "node";
    if (s->config->node[0] != '\0') {
        (void)snprintf(out, NODE_BYTES_MAX, "%s", s->config->node);
        return;
    }
    if (gethostname(host, sizeof(host) - 1) != 0) {
        log_line(LOG_WARN, "no_host_name", "error=%d", errno);
    }
    (void)snprintf(out, NODE_BYTES_MAX, "%s-%" PRIu64, host, s->config->port);
    for (char *c = out; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_';
        *c = plain ? *c : '-';
    }
}

static enum err make_data_dir(const struct server *s, struct err_note *note)
{
    if (mkdir(s->config->data, 0700) == 0 || errno == EEXIST) {
        return ERR_OK;
    }
    return err_note_set(note, ERR_IO, "%s: %s", s->config->data, strerror(errno));
}

static enum err make_follower(struct server *s, struct err_note *note)
{
    char node[NODE_BYTES_MAX];
    if (!backend_has_bus(s->config)) {
        return err_note_set(note, ERR_CONFIG, "bus: an availability node needs a broker, as nats://127.0.0.1:4222");
    }
    put_node(s, node);
    TRY(make_data_dir(s, note));
    TRY(backend_bus_open(s->config, BUS_FOLLOWS, node, &s->bus, note));
    const struct availability_follow follow = {
        .partition = PARTITION,
        .inventory = s->config->inventory,
        .dir = s->config->data,
        .cut = availability_cut_cb,
        .cut_ctx = s,
    };
    TRY(backend_cache_open(s->config, &s->cache, note));
    struct availability_options options = {
        .bus = s->bus,
        .cache = s->cache,
        .follow = &follow,
        .policy = POLICY_DEFAULT,
        .changed = availability_changed_cb,
        .changed_ctx = s,
    };
    s->availability = availability_new(&options);
    return ERR_OK;
}

static enum err start_follower(struct server *s, struct err_note *note)
{
    TRY(make_follower(s, note));
    TRY(start_api(s, note));
    forwarder_aim(s->forwarder, s->config->inventory);
    TRY(availability_start(s->availability, note));
    s->availability_runs = true;
    return start_http(s, note);
}

/*
 * Inventory: first a standby, then a leader.
 */

/* Under an address that stands for all of them nobody reaches anybody but himself. */
static enum err check_advertised(const struct server *s, struct err_note *note)
{
    const char *host = s->config->host;
    bool is_any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (!store_has_lease(s->store) || !is_any || s->config->advertise[0] != '\0') {
        return ERR_OK;
    }
    return err_note_set(note, ERR_CONFIG, "advertise: needed with host %s, as http://10.0.0.5:8080", host);
}

/* A database may keep this waiting, for another process that brings it up to date; and nothing has begun yet. */
static enum err open_store(struct server *s, struct err_note *note)
{
    sigset_t signals;
    block_signals(&signals);
    unblock_signals(&signals, stop_before_begin);
    enum err e = backend_store_open(s->config, &s->store, note);
    block_signals(&signals);
    return e;
}

static enum err start_standby(struct server *s, struct err_note *note)
{
    TRY(open_store(s, note));
    TRY(check_advertised(s, note));
    if (backend_has_bus(s->config)) {
        TRY(backend_bus_open(s->config, BUS_PUBLISHES, NULL, &s->outside, note));
    }
    if (s->role == ROLE_SERVE) {
        TRY(backend_cache_open(s->config, &s->cache, note));
    }
    TRY(start_api(s, note));
    TRY(start_http(s, note));
    advertise(s);
    s->bus = s->role == ROLE_SERVE ? bus_local_new(BUS_MESSAGES_MAX) : NULL;
    return ERR_OK;
}

/* The availability service of the same process begins with a snapshot and then follows the local bus. */
static enum err start_view(struct server *s, struct err_note *note)
{
    struct availability_options options = {
        .bus = s->bus,
        .cache = s->cache,
        .policy = POLICY_DEFAULT,
        .changed = availability_changed_cb,
        .changed_ctx = s,
    };
    s->availability = availability_new(&options);
    inventory_snapshot(s->inventory, snapshot_cb, s->availability);
    TRY(availability_start(s->availability, note));
    s->availability_runs = true;
    return ERR_OK;
}

/* Before the load, which may take longer than the lease runs. */
static enum err start_lease_cb(void *ctx, struct err_note *note)
{
    struct server *s = ctx;
    if (!store_has_lease(s->store)) {
        return ERR_OK;
    }
    api_set_renewed(s->api, s->claims_ms);
    const struct lease_options options = {
        .store = s->store,
        .renewed = lease_renewed_cb,
        .deposed = lease_deposed_cb,
        .ctx = s,
    };
    return lease_start(&options, &s->lease, note);
}

static void stop_lease(struct server *s)
{
    lease_stop(s->lease);
    s->lease = NULL;
}

/* Signals are blocked, so one that came waits. */
static bool goes_on_cb(void *ctx)
{
    sigset_t waiting;
    (void)ctx;
    return sigpending(&waiting) != 0 || (sigismember(&waiting, SIGTERM) == 0 && sigismember(&waiting, SIGINT) == 0);
}

static enum err open_inventory(struct server *s, struct err_note *note)
{
    struct inventory_options options = {
        .store = s->store,
        .leader = s->advertised,
        .led_by = s->leader,
        .claimed = start_lease_cb,
        .claimed_ctx = s,
        .goes_on = goes_on_cb,
        .bus = s->bus,
        .outside = s->outside,
        .partition = PARTITION,
        .idempotency_keys_max = s->config->idempotency_keys_max,
        .random_seed = random_seed(),
        .failed = inventory_failed_cb,
        .failed_ctx = s,
    };
    s->claims_ms = clock_mono_ms();
    enum err e = inventory_open(&options, &s->inventory, note);
    if (e != ERR_OK) {
        stop_lease(s);
    }
    return e;
}

/* ERR_LOCKED: another process leads, and goes on to. */
static enum err lead(struct server *s, struct err_note *note)
{
    struct inventory_metrics metrics;
    TRY(open_inventory(s, note));
    if (s->role == ROLE_SERVE) {
        TRY(start_view(s, note));
    }
    TRY(inventory_start(s->inventory, note));
    s->inventory_runs = true;
    inventory_metrics(s->inventory, &metrics);
    api_lead(s->api, s->inventory, s->availability, metrics.epoch);
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
    if (s->forwarder != NULL) {
        forwarder_close(s->forwarder);
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
    stop_lease(s); /* it may end the process, by way of HTTP */
    http_free(s->http);
    api_free(s->api);
    forwarder_free(s->forwarder);
    availability_free(s->availability);
    cache_free(s->cache);
    inventory_free(s->inventory);
    bus_free(s->bus);
    bus_free(s->outside);
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
    case ERR_STORE_AWAY:
        return EXIT_UNAVAILABLE;
    case ERR_CONFIG:
        return EXIT_BAD_CONFIG;
    default:
        return EXIT_CANNOT_OPEN;
    }
}

static int refuse_start(const struct server *s, int code, enum err e, const struct err_note *note)
{
    const char *text = note->text[0] != '\0' ? note->text : err_info(e)->title;
    return subcommand_refuse(role_names[s->role], code, text);
}

static int start_server(struct server *s)
{
    struct err_note note = {""};
    enum err e = openapi_render(&s->openapi);
    check(e == ERR_OK);
    e = s->role == ROLE_AVAILABILITY ? start_follower(s, &note) : start_standby(s, &note);
    if (e == ERR_OK) {
        return EXIT_GOOD;
    }
    /* The address is the last thing that can fail: whatever else was wrong has no API, or no server, yet. */
    bool address = s->api != NULL && e == ERR_CONFIG;
    return refuse_start(s, address ? EXIT_UNAVAILABLE : exit_code_of(e), e, &note);
}

static void print_ready(const struct server *s)
{
    char url[512];
    put_url(s, url, sizeof(url));
    if (s->role == ROLE_AVAILABILITY) {
        printf("onhand ready: %s/ data %s inventory %s\n", url, s->config->data, s->config->inventory);
    } else if (s->inventory == NULL) {
        printf("onhand standing by: %s/ behind %s\n", url, s->leader);
    } else {
        struct inventory_metrics metrics;
        inventory_metrics(s->inventory, &metrics);
        const char *store = store_has_lease(s->store) ? "postgresql" : s->config->data;
        printf("onhand ready: %s/ data %s epoch %" PRIu64 " seq %" PRIu64 "\n", url, store, metrics.epoch, metrics.seq);
    }
    fflush(stdout); /* a closed stdout is no reason to stop serving */
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

/* True: a signal came. `timeout_ms` -1: no limit. */
static bool wait_for_signal(const sigset_t *set, int timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    int number;
    do {
        number = sigtimedwait(set, NULL, timeout_ms < 0 ? NULL : &timeout);
    } while (number < 0 && errno == EINTR);
    if (number > 0) {
        log_line(LOG_INFO, "stopping", "signal=%d", number);
    }
    return number > 0;
}

/* Whatever leads, this node knows where to send what it cannot do. */
static void follow_leader(struct server *s)
{
    forwarder_aim(s->forwarder, s->leader);
    api_set_ready(s->api, s->leader[0] != '\0');
}

/* The first time that somebody else leads is worth a line on stdout, and each time that the store goes away one in the log. */
static void stand_by(struct server *s, enum err e, const struct err_note *note)
{
    bool waits = e != ERR_LOCKED;
    if (!waits) {
        follow_leader(s);
    }
    if (!s->stands_by) {
        print_ready(s);
        log_line(LOG_INFO, "standing_by", "leader=%s", s->leader);
    } else if (waits && !s->waits_for_store) {
        log_failure("standby_waits", e, note);
    }
    s->stands_by = true;
    s->waits_for_store = waits;
}

/*
 * Until this process leads or a signal comes. As long as it stands by, a store that cannot be reached is the leader's
 * trouble, and passes; a process that has opened inventory and then fails has trouble of its own.
 */
static int take_the_lead(struct server *s, const sigset_t *signals, bool *out_stopped)
{
    for (;;) {
        struct err_note note = {""};
        enum err e = lead(s, &note);
        if (e == ERR_OK) {
            return EXIT_GOOD;
        }
        if (e == ERR_SHUTTING_DOWN) {
            (void)wait_for_signal(signals, 0);
            *out_stopped = true;
            return EXIT_GOOD;
        }
        if (e != ERR_LOCKED && !(s->stands_by && s->inventory == NULL)) {
            return refuse_start(s, exit_code_of(e), e, &note);
        }
        stand_by(s, e, &note);
        if (wait_for_signal(signals, STORE_CLAIM_MS)) {
            *out_stopped = true;
            return EXIT_GOOD;
        }
    }
}

static int run(struct server *s, const sigset_t *signals)
{
    bool stopped = false;
    int code = start_server(s);
    if (code == EXIT_GOOD && s->role != ROLE_AVAILABILITY) {
        code = take_the_lead(s, signals, &stopped);
    }
    if (code == EXIT_GOOD && !stopped) {
        api_set_ready(s->api, true);
        print_ready(s);
        (void)wait_for_signal(signals, -1);
    }
    return code;
}

static int serve(enum role role, const struct config *config)
{
    sigset_t signals;
    block_signals(&signals);
    raise_descriptors();
    struct server s = {.role = role, .config = config};
    buf_init(&s.openapi, OPENAPI_BYTES_MAX);
    int code = run(&s, &signals);
    unblock_signals(&signals, stop_at_once); /* the second one: what was acknowledged is durable all the same */
    stop_server(&s);
    if (code == EXIT_GOOD) {
        log_line(LOG_INFO, "stopped", "data=%s", config->data);
    }
    return code;
}

static int run_role(enum role role, int argc, char **argv)
{
    struct config config;
    struct err_note note;
    enum err e = config_read(argc, argv, getenv, &config, &note);
    if (e != ERR_OK) {
        return subcommand_refuse(role_names[role], e == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_BAD_USAGE, note.text);
    }
    log_level_set(config.log_level);
    int code = serve(role, &config);
    config_release(&config);
    return code;
}

int serve_run(int argc, char **argv)
{
    return run_role(ROLE_SERVE, argc, argv);
}

int serve_inventory_run(int argc, char **argv)
{
    return run_role(ROLE_INVENTORY, argc, argv);
}

int serve_availability_run(int argc, char **argv)
{
    return run_role(ROLE_AVAILABILITY, argc, argv);
}
