#include "app/bench/drive.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#define ANSWER_MS_MAX 30000
#define WAIT_US_MAX 100000

struct drive {
    const struct drive_options *options;
    struct drive_result *result;
    struct load_client *client;
    int64_t *due_us; /* of each connection's request */
    unsigned *idle;  /* open loop: connections without a request */
    unsigned idle_len;
    uint64_t sent; /* requests so far, in the order they are due */
    int64_t began_us;
    int64_t measure_from_us;
    int64_t measure_to_us;
    bool ended; /* nothing more is sent */
};

static bool is_measured(const struct drive *d, int64_t at_us)
{
    return at_us >= d->measure_from_us && at_us < d->measure_to_us;
}

static void send_next(struct drive *d, unsigned connection, int64_t due_us)
{
    struct load_request request = {0};
    const struct drive_work *work = d->options->work;
    if (!work->next(work->ctx, connection, due_us, &request)) {
        d->ended = true;
        return;
    }
    d->due_us[connection] = due_us;
    d->sent++;
    load_send(d->client, connection, &request);
}

static void note_error(struct drive *d, const struct load_answer *answer)
{
    struct drive_result *r = d->result;
    if (r->first_error[0] != '\0') {
        return;
    }
    if (answer->status == 0) {
        snprintf(r->first_error, sizeof(r->first_error), "%s", answer->failure);
    } else {
        int len = answer->body.len < 200 ? (int)answer->body.len : 200;
        snprintf(r->first_error, sizeof(r->first_error), "%d %.*s", answer->status, len, answer->body.ptr);
    }
}

static void count(struct drive *d, unsigned connection, const struct load_answer *answer, int64_t now_us)
{
    uint64_t operations = d->options->work->done(d->options->work->ctx, connection, answer);
    if (operations == 0) {
        note_error(d, answer);
    }
    if (!is_measured(d, d->due_us[connection])) {
        return;
    }
    d->result->requests++;
    d->result->operations += operations;
    d->result->errors += operations == 0;
    histogram_add(&d->result->latency, now_us - d->due_us[connection]);
}

static void answered_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    struct drive *d = ctx;
    int64_t now_us = clock_mono_us();
    count(d, connection, answer, now_us);
    d->ended = d->ended || now_us >= d->measure_to_us;
    if (d->options->rate > 0) {
        d->idle[d->idle_len++] = connection;
    } else if (!d->ended) {
        send_next(d, connection, now_us);
    }
}

/* When the request after those that were sent is due. */
static int64_t next_due_us(const struct drive *d)
{
    return d->began_us + (int64_t)((double)d->sent * 1e6 / (double)d->options->rate);
}

static void send_due(struct drive *d, int64_t now_us)
{
    for (int64_t due_us = next_due_us(d); !d->ended && due_us <= now_us; due_us = next_due_us(d)) {
        d->ended = due_us >= d->measure_to_us;
        if (d->ended || d->idle_len == 0) {
            return;
        }
        send_next(d, d->idle[--d->idle_len], due_us);
    }
}

static void wait_for(const struct drive *d, int64_t us)
{
    struct pollfd waiting[] = {
        {.fd = load_client_fd(d->client), .events = POLLIN},
        {.fd = d->options->work->fd, .events = POLLIN},
    };
    int64_t wait_us = us < 0 ? 0 : us;
    struct timespec timeout = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    ppoll(waiting, ARRAY_LEN(waiting), &timeout, NULL); /* whatever it says, both are looked at */
}

/* One round of the closed loop without anything beside it is one system call. */
static void turn(struct drive *d)
{
    const struct drive_work *work = d->options->work;
    int64_t now_us = clock_mono_us();
    int64_t wait_us = d->measure_to_us - now_us < WAIT_US_MAX ? d->measure_to_us - now_us : WAIT_US_MAX;
    if (d->options->rate == 0 && work->fd < 0) {
        load_poll(d->client, d->options->spin ? 0 : (int)(wait_us / 1000) + 1);
        return;
    }
    if (d->options->rate > 0) {
        send_due(d, now_us);
        bool waits_for_time = !d->ended && d->idle_len > 0;
        int64_t due_us = next_due_us(d) - clock_mono_us();
        wait_us = waits_for_time && due_us < wait_us ? due_us : wait_us;
    }
    if (!d->options->spin) {
        wait_for(d, wait_us);
    }
    load_poll(d->client, 0);
    if (work->fd >= 0) {
        work->turn(work->ctx);
    }
}

static void begin(struct drive *d)
{
    const struct drive_options *o = d->options;
    d->began_us = clock_mono_us();
    d->measure_from_us = d->began_us + o->warmup_us;
    d->measure_to_us = o->measure_us == INT64_MAX ? INT64_MAX : d->measure_from_us + o->measure_us;
    if (o->work->begin != NULL) {
        o->work->begin(o->work->ctx, d->measure_from_us, d->measure_to_us);
    }
    for (unsigned i = 0; i < o->connections && !d->ended; i++) {
        if (o->rate > 0) {
            d->idle[d->idle_len++] = i;
        } else {
            send_next(d, i, clock_mono_us());
        }
    }
}

static void end(struct drive *d)
{
    struct drive_result *r = d->result;
    int64_t now_us = clock_mono_us();
    int64_t to_us = now_us < d->measure_to_us ? now_us : d->measure_to_us;
    r->elapsed_us = to_us > d->measure_from_us ? to_us - d->measure_from_us : 0;
    while (d->options->rate > 0 && next_due_us(d) < to_us) {
        r->unsent += is_measured(d, next_due_us(d));
        d->sent++;
    }
    while (load_open_requests(d->client) > 0 && d->options->go_on()) {
        load_poll(d->client, WAIT_US_MAX / 1000);
    }
}

enum err drive_run(const struct drive_options *options, struct drive_result *out, struct err_note *note)
{
    *out = (struct drive_result){0};
    struct drive d = {.options = options, .result = out};
    struct load_options load = {
        .host = options->host,
        .port = options->port,
        .connections = options->connections,
        .timeout_ms = ANSWER_MS_MAX,
        .answered = answered_cb,
        .ctx = &d,
    };
    TRY(load_client_new(&load, &d.client, note));
    d.due_us = mem_new_array(options->connections, sizeof(d.due_us[0]));
    d.idle = mem_new_array(options->connections, sizeof(d.idle[0]));
    begin(&d);
    while (options->go_on() && clock_mono_us() < d.measure_to_us && !(d.ended && load_open_requests(d.client) == 0)) {
        turn(&d);
    }
    d.ended = true;
    end(&d);
    load_client_free(d.client);
    mem_free(d.due_us);
    mem_free(d.idle);
    return ERR_OK;
}
