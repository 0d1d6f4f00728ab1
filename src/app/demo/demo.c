#include "app/demo/demo.h"

#include "app/audit.h"
#include "app/child.h"
#include "app/data_dir.h"
#include "app/demo/log_dir.h"
#include "app/demo/progress.h"
#include "app/exit.h"
#include "app/subcommand.h"
#include "base/clock.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CHILD_CHECK_MS 200
#define CONNECTIONS_MAX 4096
#define SECONDS_MAX 86400
#define SPEED_MAX 1000000
#define REMOTE_BYTES_MAX 256

enum option { URL, HOST, PORT, DATA, FILE_DIR, CONNECTIONS, SPEED, DURATION, EXIT_AT_END, OPTIONS };

static const struct option_row option_rows[OPTIONS] = {
    [URL] =
        {"--url", "URL", NULL, "Server that runs and is empty, as http://127.0.0.1:8080; without it one is started"},
    [HOST] = {"--host", "ADDRESS", "127.0.0.1", "Address of the server"},
    [PORT] = {"--port", "PORT", "8080", "Port of the server; 0 takes any free one"},
    [DATA] =
        {"--data", "DIR", NULL, "Data directory, empty or not there yet; without it one that is removed at the end"},
    [FILE_DIR] = {"--file", "DIR", NULL, "Directory of the trade log; without it the one that came with the program"},
    [CONNECTIONS] = {"--connections", "COUNT", "64", "Connections of the load client"},
    [SPEED] = {"--speed", "COUNT", NULL, "Begin at most so many orders a second"},
    [DURATION] = {"--duration", "SECONDS", NULL, "End the replay early"},
    [EXIT_AT_END] = {"--exit", NULL, NULL, "End after the summary instead of keeping the server up"},
};

struct demo_options {
    char remote[REMOTE_BYTES_MAX]; /* host of a server that runs already; "": one is started */
    const char *host;
    const char *data;
    const char *file;
    uint64_t port;
    uint64_t connections;
    uint64_t speed;
    uint64_t duration_s;
    bool exit;
};

struct demo {
    struct demo_options options;
    char log_dir[PATH_MAX];
    struct data_dir data;
    struct trade_log log;
    struct plan plan;
    struct book book;
    struct child child;
    struct replay *replay;
    char url[320]; /* without the last slash */
    struct progress progress;
    int signals;
    unsigned interrupts;
    unsigned interrupts_allowed; /* so many do not end what is going on */
    int64_t child_checked_ms;
    bool child_lost;
};

const struct option_row *demo_options(size_t *out_len)
{
    *out_len = OPTIONS;
    return option_rows;
}

static enum err set_option_cb(void *ctx, size_t row, const char *value, struct err_note *note)
{
    struct demo_options *o = ctx;
    const char *flag = option_rows[row].flag;
    switch ((enum option)row) {
    case URL:
        return option_url(flag, value, o->remote, sizeof(o->remote), &o->port, note);
    case HOST:
        o->host = value;
        return ERR_OK;
    case DATA:
        o->data = value;
        return ERR_OK;
    case FILE_DIR:
        o->file = value;
        return ERR_OK;
    case PORT:
        return option_number(flag, value, 0, UINT16_MAX, &o->port, note);
    case CONNECTIONS:
        return option_number(flag, value, 1, CONNECTIONS_MAX, &o->connections, note);
    case SPEED:
        return option_number(flag, value, 1, SPEED_MAX, &o->speed, note);
    case DURATION:
        return option_number(flag, value, 1, SECONDS_MAX, &o->duration_s, note);
    case EXIT_AT_END:
        o->exit = true;
        return ERR_OK;
    case OPTIONS:
        break;
    }
    unreachable("every row is handled");
}

static bool is_remote(const struct demo *d)
{
    return d->options.remote[0] != '\0';
}

/* Signals are read, not handled: nothing is interrupted, and each is counted. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    check(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    check(fd >= 0);
    return fd;
}

static bool go_on_cb(void *ctx)
{
    struct demo *d = ctx;
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        d->interrupts++;
    }
    int64_t now_ms = clock_mono_ms();
    if (!is_remote(d) && now_ms - d->child_checked_ms >= CHILD_CHECK_MS) {
        d->child_checked_ms = now_ms;
        d->child_lost = !child_runs(&d->child);
    }
    return !d->child_lost && d->interrupts <= d->interrupts_allowed;
}

static void progress_cb(void *ctx, struct replay_stats *stats, const struct trade_event *now, int64_t elapsed_us)
{
    struct demo *d = ctx;
    progress_show(&d->progress, stats, now, elapsed_us);
}

static enum err load_log(struct demo *d, struct err_note *note)
{
    TRY(trade_load(d->log_dir, &d->log, note));
    plan_make(&d->log, &d->plan);
    book_init(&d->book, d->log.skus_len);
    progress_init(&d->progress, stdout, &d->log);
    char rows[COUNT_TEXT_MAX], products[COUNT_TEXT_MAX], lines[COUNT_TEXT_MAX];
    printf(
        "Trade log: %s lines, %s products, %s order lines after adding up the same product in one order.\n",
        count_text(d->log.rows, rows), count_text(d->log.skus_len, products), count_text(d->log.lines_len, lines));
    return ERR_OK;
}

static enum err start_child(struct demo *d, struct err_note *note)
{
    TRY(child_start(d->options.host, (uint16_t)d->options.port, d->data.path, &d->child, note));
    d->options.port = d->child.port;
    return ERR_OK;
}

static void print_server(struct demo *d, const char *host)
{
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(d->url, sizeof(d->url), is_v6 ? "http://[%s]:%u" : "http://%s:%u", host, (unsigned)d->options.port);
    printf("Server:    %s/  <- open it now: the shelf shows what is left while it sells\n", d->url);
    if (!is_remote(d)) {
        printf("Data:      %s (SQLite, every commit synced to the disk)\n", d->data.path);
    }
    printf("\n");
    fflush(stdout);
}

static enum err start_server(struct demo *d, struct err_note *note)
{
    const struct demo_options *o = &d->options;
    const char *host = is_remote(d) ? o->remote : o->host;
    if (!is_remote(d)) {
        TRY(start_child(d, note));
    }
    print_server(d, host);
    struct replay_options options = {
        .host = host,
        .port = (uint16_t)o->port,
        .connections = (unsigned)o->connections,
        .orders_per_s_max = o->speed,
        .duration_ms = (int64_t)o->duration_s * 1000,
        .log = &d->log,
        .plan = &d->plan,
        .book = &d->book,
        .go_on = go_on_cb,
        .progress = progress_cb,
        .ctx = d,
    };
    return replay_new(&options, &d->replay, note);
}

/* How the books stand at the end; prints it. True: all is right. */
static bool prove(struct demo *d)
{
    struct replay_check c;
    if (!replay_check(d->replay, &c)) {
        printf("\nCheck:     the levels could not be read%s\n", d->child_lost ? ": the server has ended" : "");
        return false;
    }
    char skus[COUNT_TEXT_MAX], levels[COUNT_TEXT_MAX];
    bool oversold = c.negative > 0;
    printf(
        "\nOversold:  %" PRIu64 " levels below zero, of %s levels of %s products read over the API\n", c.negative,
        count_text(c.levels, levels), count_text(c.skus, skus));
    printf(
        "Books:     %" PRIu64 " levels differ from the client's own books, %" PRIu64
        " products do not balance,\n           %" PRIu64 " levels still promise units\n",
        c.differences, c.unbalanced, c.promised);
    int audit = is_remote(d) ? EXIT_GOOD : audit_run(d->data.path, stdout);
    if (audit == EXIT_CANNOT_RUN) {
        printf("audit: could not run\n");
    }
    uint64_t errors = replay_stats(d->replay)->errors;
    bool right =
        !oversold && c.differences == 0 && c.unbalanced == 0 && c.promised == 0 && audit == EXIT_GOOD && errors == 0;
    const char *good =
        is_remote(d) ? "Zero units oversold; the books agree." : "Zero units oversold; books and audit agree.";
    printf("\n%s\n", right ? good : "SOMETHING IS WRONG: see above.");
    return right;
}

/* The most wanted product of which one unit is left; the most wanted of all when there is none. */
static const struct trade_sku *last_unit(const struct demo *d)
{
    const struct trade_sku *best = NULL;
    for (size_t i = 0; i < d->log.skus_len; i++) {
        const struct trade_sku *sku = &d->log.skus[i];
        if (book_on_hand(&d->book, (uint32_t)i) == 1 && (best == NULL || sku->orders > best->orders)) {
            best = sku;
        }
    }
    return best != NULL ? best : &d->log.skus[0];
}

static void stay_up(struct demo *d)
{
    const char *url = d->url;
    const struct trade_sku *last = last_unit(d);
    const struct trade_sku *sku = &d->log.skus[0];
    printf(
        "\nThe server stays up. Look around:\n"
        "  open %s/?q=%.*s in two windows and buy the last one in both\n"
        "  curl %s/v1/levels/%.*s\n"
        "  curl %s/v1/availability/%.*s\n"
        "  curl -N '%s/v1/availability/stream?sku=%.*s'\n"
        "  curl %s/v1/reservations -H 'Content-Type: application/json' -H 'Idempotency-Key: mine-1' \\\n"
        "       -d '{\"lines\":[{\"sku\":\"%.*s\",\"quantity\":1}]}'\n"
        "  curl '%s/v1/movements?sku=%.*s&limit=5'\n"
        "Ctrl-C ends it.\n",
        url, STR_ARG(last->sku), url, STR_ARG(sku->sku), url, STR_ARG(sku->sku), url, STR_ARG(sku->sku), url,
        STR_ARG(sku->sku), url, STR_ARG(sku->sku));
    fflush(stdout);
    while (go_on_cb(d)) {
        struct pollfd waiting = {.fd = d->signals, .events = POLLIN};
        poll(&waiting, 1, CHILD_CHECK_MS);
    }
}

static bool replay_and_prove(struct demo *d)
{
    if (!replay_set_up(d->replay)) {
        printf("The catalogue and the opening stock could not be loaded.\n");
        return false;
    }
    int64_t elapsed_us = replay_run(d->replay);
    progress_end(&d->progress);
    if (d->child_lost) {
        printf("The server has ended in the middle of it.\n");
    }
    d->interrupts_allowed = d->interrupts; /* a first Ctrl-C ends the replay, not the checks */
    summary_print(stdout, &d->log, &d->book, replay_stats(d->replay), replay_load_counts(d->replay), elapsed_us);
    fflush(stdout);
    return prove(d);
}

static enum err run(struct demo *d, bool *out_right, struct err_note *note)
{
    TRY(log_dir_find(d->options.file, d->log_dir, note));
    if (!is_remote(d)) {
        TRY(data_dir_open(d->options.data, "demo", &d->data, note));
    }
    TRY(load_log(d, note));
    TRY(start_server(d, note));
    *out_right = replay_and_prove(d);
    fflush(stdout);
    if (is_remote(d)) {
        return ERR_OK;
    }
    if (!d->options.exit && d->interrupts == 0 && !d->child_lost) {
        stay_up(d);
    }
    if (!child_stop(&d->child)) {
        *out_right = false;
        fprintf(stderr, "onhand demo: the server did not end in good order\n");
    } else {
        printf("The server has stopped.\n");
    }
    return ERR_OK;
}

static void release(struct demo *d)
{
    child_stop(&d->child);
    replay_free(d->replay);
    book_release(&d->book);
    plan_release(&d->plan);
    trade_release(&d->log);
    data_dir_close(&d->data);
    close(d->signals);
}

int demo_run(int argc, char **argv)
{
    struct demo d = {
        .options = {.host = "127.0.0.1", .port = 8080, .connections = 64},
        .child = {.out = -1},
    };
    struct err_note note = {""};
    enum err e = options_read(option_rows, OPTIONS, argc, argv, set_option_cb, &d.options, &note);
    if (e != ERR_OK) {
        return subcommand_refuse("demo", e == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_BAD_USAGE, note.text);
    }
    d.signals = open_signals();
    bool right = false;
    e = run(&d, &right, &note);
    release(&d);
    if (e != ERR_OK) {
        return subcommand_refuse("demo", EXIT_CANNOT_RUN, note.text);
    }
    return right ? EXIT_GOOD : EXIT_DIFFERENCES;
}
