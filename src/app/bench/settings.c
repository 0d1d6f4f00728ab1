#include "app/bench/settings.h"
#include "app/bench/bench.h"

#include "base/limits.h"
#include "base/str.h"

#include <stdio.h>

#define CONNECTIONS_MAX 20000
#define SECONDS_MAX 86400
#define RATE_MAX 10000000
#define SKUS_MAX 10000000

enum option {
    URL,
    DATA,
    CONNECTIONS,
    SECONDS,
    WARMUP,
    RATE,
    SKUS,
    LOCATIONS,
    HOT,
    OPERATIONS,
    STREAMS,
    FOLLOW,
    READ_PATH,
    SUBSCRIBE,
    PUBLISH,
    SPIN,
    JSON,
    OPTIONS
};

static const struct option_row option_rows[OPTIONS] = {
    [URL] = {"--url", "URL", NULL, "Server that runs, as http://127.0.0.1:8080; without it one is started"},
    [DATA] = {"--data", "DIR", NULL, "Data directory of that one, empty or not there yet; without it a temporary one"},
    [CONNECTIONS] = {"--connections", "COUNT", "64", "Connections that send requests"},
    [SECONDS] = {"--seconds", "SECONDS", "10", "How long to measure"},
    [WARMUP] = {"--warmup", "SECONDS", "2", "How long to run before"},
    [RATE] = {"--rate", "COUNT", NULL, "Requests a second at fixed times; without it each answer brings the next"},
    [SKUS] = {"--skus", "COUNT", "10000", "Items, named bench-0000000 and on"},
    [LOCATIONS] = {"--locations", "COUNT", "1", "Locations that hold each item"},
    [HOT] = {"--hot", NULL, NULL, "All on one item"},
    [OPERATIONS] = {"--operations", "COUNT", "100", "batch: reservations of a request"},
    [STREAMS] = {"--streams", "COUNT", "1000", "stream, mixed: open streams"},
    [FOLLOW] = {"--follow", "COUNT", "1", "stream, mixed: items that each stream follows"},
    [READ_PATH] = {"--path", "PATH", NULL, "read: get this path, of any server, and set nothing up"},
    [SUBSCRIBE] = {"--subscribe", "PATH", NULL, "stream: path of the events, of any server; with --publish"},
    [PUBLISH] = {"--publish", "PATH", NULL, "stream: path that a message for all is posted to"},
    [SPIN] = {"--spin", NULL, NULL, "Never sleep: for a core of its own, so that no server has to wake the load"},
    [JSON] = {"--json", "FILE", NULL, "Write the result as JSON too; \"-\": on stdout instead of the table"},
};

const char *const bench_work_names[BENCH_WORKS] = {
    [BENCH_READ] = "read",   [BENCH_RESERVE] = "reserve", [BENCH_BATCH] = "batch",
    [BENCH_MIXED] = "mixed", [BENCH_STREAM] = "stream",   [BENCH_RECOVER] = "recover",
};

const struct option_row *bench_options(size_t *out_len)
{
    *out_len = OPTIONS;
    return option_rows;
}

static enum err set_path(const char *flag, const char *value, const char **out, struct err_note *note)
{
    if (value[0] != '/' || strpbrk(value, " \r\n") != NULL) {
        return err_note_set(note, ERR_CONFIG, "%s: \"%s\" is not a path", flag, value);
    }
    *out = value;
    return ERR_OK;
}

static enum err set_option_cb(void *ctx, size_t row, const char *value, struct err_note *note)
{
    struct bench_settings *s = ctx;
    const char *flag = option_rows[row].flag;
    switch ((enum option)row) {
    case URL:
        s->is_remote = true;
        return option_url(flag, value, s->host, sizeof(s->host), &s->port, note);
    case DATA:
        s->data = value;
        return ERR_OK;
    case CONNECTIONS:
        return option_number(flag, value, 1, CONNECTIONS_MAX, &s->connections, note);
    case SECONDS:
        return option_number(flag, value, 1, SECONDS_MAX, &s->seconds, note);
    case WARMUP:
        return option_number(flag, value, 0, SECONDS_MAX, &s->warmup_s, note);
    case RATE:
        return option_number(flag, value, 1, RATE_MAX, &s->rate, note);
    case SKUS:
        return option_number(flag, value, 1, SKUS_MAX, &s->skus, note);
    case LOCATIONS:
        return option_number(flag, value, 1, LOCATIONS_MAX, &s->locations, note);
    case HOT:
        s->hot = true;
        return ERR_OK;
    case OPERATIONS:
        return option_number(flag, value, 1, BATCH_OPERATIONS_MAX, &s->operations, note);
    case STREAMS:
        return option_number(flag, value, 1, CONNECTIONS_MAX, &s->streams, note);
    case FOLLOW:
        return option_number(flag, value, 1, STREAM_SKUS_MAX, &s->follow, note);
    case READ_PATH:
        return set_path(flag, value, &s->path, note);
    case SUBSCRIBE:
        return set_path(flag, value, &s->subscribe, note);
    case PUBLISH:
        return set_path(flag, value, &s->publish, note);
    case SPIN:
        s->spin = true;
        return ERR_OK;
    case JSON:
        s->json = value;
        return ERR_OK;
    case OPTIONS:
        break;
    }
    unreachable("every row is handled");
}

bool settings_are_raw(const struct bench_settings *s)
{
    return s->path != NULL || s->subscribe != NULL;
}

static enum err check_together(const struct bench_settings *s, struct err_note *note)
{
    if ((s->subscribe != NULL) != (s->publish != NULL)) {
        return err_note_set(note, ERR_CONFIG, "--subscribe and --publish go together");
    }
    if ((s->path != NULL && s->work != BENCH_READ) || (s->subscribe != NULL && s->work != BENCH_STREAM)) {
        return err_note_set(note, ERR_CONFIG, "%s takes no such path", bench_work_names[s->work]);
    }
    if (settings_are_raw(s) && !s->is_remote) {
        return err_note_set(note, ERR_CONFIG, "a path of any server needs its --url");
    }
    if (s->work == BENCH_RECOVER && s->is_remote) {
        return err_note_set(note, ERR_CONFIG, "recover starts a server itself and takes no --url");
    }
    if (s->is_remote && s->data != NULL) {
        return err_note_set(note, ERR_CONFIG, "--data is of a server that is started; there is one at --url");
    }
    if (s->follow > s->skus) {
        return err_note_set(note, ERR_CONFIG, "--follow: there are not so many items");
    }
    return ERR_OK;
}

enum err settings_read(int argc, char **argv, struct bench_settings *out, struct err_note *note)
{
    *out = (struct bench_settings){
        .work = BENCH_WORKS,
        .host = "127.0.0.1",
        .connections = 64,
        .seconds = 10,
        .warmup_s = 2,
        .skus = 10000,
        .locations = 1,
        .operations = 100,
        .streams = 1000,
        .follow = 1,
    };
    for (unsigned i = 0; argc > 0 && i < BENCH_WORKS; i++) {
        if (strcmp(argv[0], bench_work_names[i]) == 0) {
            out->work = (enum bench_work)i;
        }
    }
    if (out->work == BENCH_WORKS) {
        return err_note_set(note, ERR_INVALID, "say which: read, reserve, batch, mixed, stream or recover");
    }
    TRY(options_read(option_rows, OPTIONS, argc - 1, argv + 1, set_option_cb, out, note));
    return check_together(out, note);
}
