#include "app/bench/bench.h"

#include "app/bench/catalogue.h"
#include "app/bench/report.h"
#include "app/child.h"
#include "app/data_dir.h"
#include "app/exit.h"
#include "app/subcommand.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define JSON_BYTES_MAX (64 * 1024)

struct bench {
    struct bench_settings settings;
    struct data_dir data;
    struct child child;
    struct requests requests;
    struct watchers *watchers;
    struct bench_result result;
};

static volatile sig_atomic_t interrupted;

static void interrupt_cb(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static bool go_on(void)
{
    return !interrupted;
}

/* Ctrl-C ends the measuring, so that the server is stopped and its data removed. A second one ends the program. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupt_cb, .sa_flags = (int)SA_RESETHAND};
    check(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
}

/* Thousands of connections on either side; the server inherits the limit. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static enum err start_server(struct bench *b, struct err_note *note)
{
    return child_start("127.0.0.1", 0, b->data.path, &b->child, note);
}

/* The second number of the file: pages in memory. */
static enum err read_resident(pid_t pid, uint64_t *out, struct err_note *note)
{
    char path[64];
    char line[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
        fclose(f);
    }
    const char *from = line + strcspn(line, " ") + 1;
    uint64_t pages;
    if (line[0] == '\0' || !str_to_u64((struct str){from, strcspn(from, " ")}, UINT32_MAX, &pages)) {
        return err_note_set(note, ERR_IO, "%s cannot be read", path);
    }
    *out = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return ERR_OK;
}

/* The server is stopped in good order and started again on what it kept. */
static enum err recover(struct bench *b, struct err_note *note)
{
    const struct bench_settings *s = &b->settings;
    if (!child_stop(&b->child)) {
        return err_note_set(note, ERR_IO, "the server did not end in good order");
    }
    int64_t from_ms = clock_mono_ms();
    TRY(start_server(b, note));
    b->result.recover.ready_ms = clock_mono_ms() - from_ms;
    b->result.recover.levels = s->skus * s->locations;
    return read_resident(b->child.pid, &b->result.recover.resident_bytes, note);
}

static enum err drive_with(struct bench *b, const struct drive_work *work, struct err_note *note)
{
    const struct bench_settings *s = &b->settings;
    struct drive_options options = {
        .host = s->host,
        .port = b->result.port,
        .connections = (unsigned)s->connections,
        .warmup_us = (int64_t)s->warmup_s * 1000000,
        .measure_us = (int64_t)s->seconds * 1000000,
        .rate = s->rate,
        .spin = s->spin,
        .work = work,
        .go_on = go_on,
    };
    return drive_run(&options, &b->result.drive, note);
}

static enum err measure(struct bench *b, struct err_note *note)
{
    const struct bench_settings *s = &b->settings;
    if (s->work == BENCH_RECOVER) {
        return recover(b, note);
    }
    if (s->work != BENCH_STREAM && s->work != BENCH_MIXED) {
        struct drive_work work = {.ctx = &b->requests, .next = requests_next_cb, .done = requests_done_cb, .fd = -1};
        return drive_with(b, &work, note);
    }
    TRY(watchers_open(s, b->result.port, &b->requests, go_on, &b->watchers, note));
    struct drive_work work = watchers_work(b->watchers);
    TRY(drive_with(b, &work, note));
    return watchers_end(b->watchers, &b->result.streams, note);
}

static enum err run(struct bench *b, struct err_note *note)
{
    const struct bench_settings *s = &b->settings;
    if (!s->is_remote) {
        TRY(data_dir_open(s->data, "bench", &b->data, note));
        TRY(start_server(b, note));
    }
    b->result.port = s->is_remote ? (uint16_t)s->port : b->child.port;
    if (!settings_are_raw(s)) {
        TRY(catalogue_make(s, b->result.port, go_on, note));
    }
    requests_init(&b->requests, s);
    TRY(measure(b, note));
    return interrupted ? err_note_set(note, ERR_IO, "interrupted") : ERR_OK;
}

static enum err write_json(const struct bench *b, struct err_note *note)
{
    bool to_stdout = strcmp(b->settings.json, "-") == 0;
    FILE *f = to_stdout ? stdout : fopen(b->settings.json, "we");
    if (f == NULL) {
        return err_note_set(note, ERR_IO, "%s: %s", b->settings.json, strerror(errno));
    }
    struct buf text;
    buf_init(&text, JSON_BYTES_MAX);
    report_json(&b->settings, &b->result, &text);
    check(!text.overflowed);
    bool written = fwrite(text.ptr, 1, text.len, f) == text.len && fflush(f) == 0;
    written = (to_stdout || fclose(f) == 0) && written;
    buf_release(&text);
    return written ? ERR_OK : err_note_set(note, ERR_IO, "%s cannot be written", b->settings.json);
}

static enum err report(const struct bench *b, struct err_note *note)
{
    const char *json = b->settings.json;
    if (json == NULL || strcmp(json, "-") != 0) {
        report_print(&b->settings, &b->result, stdout);
    }
    return json == NULL ? ERR_OK : write_json(b, note);
}

static void release(struct bench *b)
{
    watchers_free(b->watchers);
    requests_release(&b->requests);
    child_stop(&b->child);
    data_dir_close(&b->data);
}

int bench_run(int argc, char **argv)
{
    struct bench b = {.child = {.out = -1}};
    struct err_note note = {""};
    enum err e = settings_read(argc, argv, &b.settings, &note);
    if (e != ERR_OK) {
        return subcommand_refuse("bench", e == ERR_CONFIG ? EXIT_BAD_CONFIG : EXIT_BAD_USAGE, note.text);
    }
    catch_signals();
    raise_descriptors();
    e = run(&b, &note);
    release(&b);
    e = e == ERR_OK ? report(&b, &note) : e;
    if (e != ERR_OK) {
        return subcommand_refuse("bench", EXIT_CANNOT_RUN, note.text);
    }
    return b.result.drive.errors == 0 ? EXIT_GOOD : EXIT_DIFFERENCES;
}
