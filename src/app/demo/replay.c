#include "app/demo/replay_work.h"

#include "app/demo/scan.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <unistd.h>

#define BODY_MAX (1024 * 1024)
#define ANSWER_TIMEOUT_MS 60000
#define TRIES_MAX 200
#define RETRY_MS 50
#define RETRY_MS_MAX 1000
#define ERRORS_SHOWN 5
#define PROGRESS_US 100000
#define POLL_MS 50

struct step_row {
    const char *name;
    void (*answered)(struct replay *r, struct worker *w, const struct load_answer *answer);
};

static const struct step_row step_rows[STEP_COUNT] = {
    [STEP_DEFINE] = {"define", define_done},       [STEP_RECEIVE] = {"receive", receipt_received},
    [STEP_RESERVE] = {"reserve", order_reserved},  [STEP_COMMIT] = {"commit", order_committed},
    [STEP_FULFILL] = {"fulfill", order_fulfilled}, [STEP_CANCEL] = {"cancel", order_cancelled},
    [STEP_RETURN] = {"return", return_taken},      [STEP_ADJUST_UNSOLD] = {"adjust-unsold", unsold_made},
    [STEP_ADJUST] = {"adjust", adjustment_made},   [STEP_CHECK] = {"check", check_level_read},
};

static void feed(struct replay *r, struct worker *w);

static struct load_request request_of(const struct worker *w)
{
    return (struct load_request){
        .method = w->method,
        .path = buf_str(&w->path),
        .key = w->key.len > 0 ? buf_str(&w->key) : STR_NONE,
        .body = w->has_body ? buf_str(&w->body) : STR_NONE,
    };
}

static void send_again(struct replay *r, struct worker *w)
{
    w->wake_ms = 0;
    struct load_request request = request_of(w);
    load_send(r->client, (unsigned)(w - r->workers), &request);
}

void worker_begin(struct worker *w, enum replay_step step, const char *method)
{
    w->step = step;
    w->method = method;
    w->tries = 0;
    w->has_body = false;
    buf_clear(&w->path);
    buf_clear(&w->key);
    buf_clear(&w->body);
}

void worker_send(struct replay *r, struct worker *w)
{
    check(w->step != STEP_NONE && !w->path.overflowed && !w->key.overflowed && !w->body.overflowed);
    w->has_body = w->body.len > 0;
    send_again(r, w);
}

void worker_send_transition(struct replay *r, struct worker *w, enum replay_step step, const char *verb)
{
    worker_begin(w, step, "POST");
    buf_put_literal(&w->path, "/v1/reservations/");
    buf_put(&w->path, w->id, RESERVATION_ID_LEN);
    buf_printf(&w->path, "/%s", verb);
    buf_printf(&w->key, "demo-%u-%s", w->event_index, verb);
    buf_put_literal(&w->body, "{}");
    worker_send(r, w);
}

void worker_end(struct replay *r, struct worker *w)
{
    check(w->step != STEP_NONE);
    if (w->event != NULL) {
        r->stats.events++;
        r->stats.event_lines += w->event->lines_len;
        w->event = NULL;
    }
    w->step = STEP_NONE;
    r->busy--;
}

void replay_error(struct replay *r, struct worker *w, const struct load_answer *answer, const char *what)
{
    r->stats.errors++;
    if (r->stats.errors > ERRORS_SHOWN) {
        return;
    }
    struct str body = answer->body;
    body.len = body.len < 300 ? body.len : 300;
    fprintf(
        stderr, "\nunexpected: %s: %s %.*s (key %.*s): status %d %s %.*s\n", what, w->method,
        STR_ARG(buf_str(&w->path)), STR_ARG(buf_str(&w->key)), answer->status,
        answer->failure == NULL ? "" : answer->failure, (int)body.len, body.ptr == NULL ? "" : body.ptr);
}

bool answer_is_refusal(const struct load_answer *answer, const char *code)
{
    return answer->status == 409 && str_equal(scan_text(answer->body, "code"), str_from(code));
}

bool plan_location_find(struct str id, uint32_t *out)
{
    for (uint32_t i = 0; i < PLAN_LOCATIONS; i++) {
        if (str_equal(id, str_from(plan_locations[i].id))) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The answer says nothing final: the same request with the same key will. */
static bool is_to_be_retried(struct replay *r, const struct load_answer *answer)
{
    if (answer->status == 0) {
        r->stats.retries_connection++;
        return true;
    }
    bool is_gateway = answer->status == 429 || answer->status == 502 || answer->status == 504;
    if (answer->status == 503 || is_gateway || answer_is_refusal(answer, "idempotency_key_in_flight")) {
        r->stats.retries_overload++;
        return true;
    }
    return false;
}

/* Has the worker wait; false when it has tried often enough. */
static bool wait_for_retry(struct replay *r, struct worker *w, const struct load_answer *answer)
{
    if (++w->tries > TRIES_MAX || !r->options.go_on(r->options.ctx)) {
        return false;
    }
    /* Less and less often: a system whose database starts again needs a while. */
    int64_t wait_ms = RETRY_MS * (int64_t)w->tries;
    if (answer->retry_after_s > 0) {
        wait_ms = (int64_t)answer->retry_after_s * 1000;
    }
    w->wake_ms = clock_mono_ms() + (wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX);
    return true;
}

static void answered_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    struct replay *r = ctx;
    struct worker *w = &r->workers[connection];
    check(w->step != STEP_NONE);
    if (is_to_be_retried(r, answer)) {
        if (!wait_for_retry(r, w, answer)) {
            replay_error(r, w, answer, "given up");
            worker_end(r, w);
            r->stopping = true; /* what this request was to do is missing from here on */
        }
        return;
    }
    histogram_add(&r->stats.latency[w->step], answer->latency_us);
    if (w->step >= STEP_RESERVE && w->step <= STEP_FULFILL) {
        histogram_add(&r->stats.recent, answer->latency_us);
    }
    step_rows[w->step].answered(r, w, answer);
    if (w->step == STEP_NONE) {
        feed(r, w);
    }
}

static void feed(struct replay *r, struct worker *w)
{
    if (!r->stopping && r->phase->next(r, w)) {
        r->busy++;
    }
}

/* Workers that are idle get work, those that waited long enough try again. */
static void turn(struct replay *r)
{
    int64_t now_ms = clock_mono_ms();
    for (unsigned i = 0; i < r->options.connections; i++) {
        struct worker *w = &r->workers[i];
        if (w->step == STEP_NONE) {
            feed(r, w);
        } else if (w->wake_ms != 0 && w->wake_ms <= now_ms) {
            send_again(r, w);
        }
    }
}

static void show_progress(struct replay *r, int64_t now_us)
{
    if (r->now != NULL && now_us - r->shown_us >= PROGRESS_US) {
        r->shown_us = now_us;
        r->options.progress(r->options.ctx, &r->stats, r->now, now_us - r->started_us);
    }
}

static void run_phase(struct replay *r, const struct replay_phase *phase)
{
    r->phase = phase;
    r->next_slice = 0;
    r->started_us = clock_mono_us();
    r->stopping = false;
    while (r->busy > 0 || (!r->stopping && !phase->is_over(r))) {
        turn(r);
        load_poll(r->client, r->options.orders_per_s_max > 0 ? 1 : POLL_MS);
        int64_t now_us = clock_mono_us();
        bool time_is_up =
            r->options.duration_ms > 0 && r->now != NULL && now_us - r->started_us >= r->options.duration_ms * 1000;
        r->stopping = r->stopping || time_is_up || !r->options.go_on(r->options.ctx);
        show_progress(r, now_us);
    }
}

/* Orders that began before `event` and are not over? */
static bool earlier_orders_are_open(const struct replay *r, uint32_t event)
{
    for (unsigned i = 0; i < r->options.connections; i++) {
        const struct worker *w = &r->workers[i];
        if (w->step != STEP_NONE && w->event != NULL && w->event->kind == TRADE_ORDER && w->event_index < event) {
            return true;
        }
    }
    return false;
}

static void event_start(struct replay *r, struct worker *w, uint32_t index)
{
    static void (*const starts[])(struct replay *, struct worker *) = {
        [TRADE_ORDER] = order_start, [TRADE_RETURN] = return_start, [TRADE_ADJUSTMENT] = adjustment_start};
    w->event_index = index;
    w->event = &r->options.log->events[index];
    w->units_len = 0;
    r->now = w->event;
    starts[w->event->kind](r, w);
}

/* The delivery of the week that the next event lies in, or of one before it. */
static bool delivery_is_due(const struct replay *r)
{
    const struct plan *plan = r->options.plan;
    return r->next_delivery < plan->deliveries_len && r->next_event < r->options.log->events_len &&
        plan->deliveries[r->next_delivery].day <= r->options.log->events[r->next_event].day;
}

static bool delivery_next(struct replay *r, struct worker *w)
{
    const struct plan_delivery *delivery = &r->options.plan->deliveries[r->next_delivery];
    size_t left = delivery->lines_len - r->delivery_at;
    size_t len = left < TRADE_LINES_MAX ? left : TRADE_LINES_MAX;
    if (len > 0) {
        receipt_start(r, w, r->next_delivery, delivery->lines_at + r->delivery_at, len);
    }
    r->delivery_at += len;
    if (r->delivery_at == delivery->lines_len) {
        r->next_delivery++;
        r->delivery_at = 0;
    }
    return len > 0;
}

static bool is_too_fast(const struct replay *r)
{
    if (r->options.orders_per_s_max == 0) {
        return false;
    }
    int64_t elapsed_us = clock_mono_us() - r->started_us;
    return (double)r->orders_begun >= (double)elapsed_us * (double)r->options.orders_per_s_max / 1e6 + 1;
}

static bool waiting_next(struct replay *r, struct worker *w)
{
    if (r->waiting_at == r->waiting_len || earlier_orders_are_open(r, r->waiting[r->waiting_at])) {
        return false;
    }
    event_start(r, w, r->waiting[r->waiting_at++]);
    return true;
}

static bool log_next(struct replay *r, struct worker *w)
{
    if (waiting_next(r, w)) {
        return true;
    }
    while (r->next_event < r->options.log->events_len) {
        if (delivery_is_due(r)) {
            if (delivery_next(r, w)) {
                return true;
            }
            continue; /* an empty delivery */
        }
        if (r->open_receipts > 0 || is_too_fast(r)) {
            return false;
        }
        uint32_t index = r->next_event++;
        if (r->options.log->events[index].kind != TRADE_RETURN) {
            r->orders_begun += r->options.log->events[index].kind == TRADE_ORDER;
            event_start(r, w, index);
            return true;
        }
        r->waiting[r->waiting_len++] = index;
        if (waiting_next(r, w)) {
            return true;
        }
    }
    return false;
}

static bool log_is_over(const struct replay *r)
{
    return r->next_event == r->options.log->events_len && r->waiting_at == r->waiting_len;
}

static const struct replay_phase log_phase = {log_next, log_is_over};

enum err replay_new(const struct replay_options *options, struct replay **out, struct err_note *note)
{
    struct replay *r = mem_new(sizeof(*r));
    r->options = *options;
    r->workers = mem_new_array(options->connections, sizeof(r->workers[0]));
    for (unsigned i = 0; i < options->connections; i++) {
        buf_init(&r->workers[i].path, 256);
        buf_init(&r->workers[i].key, 256);
        buf_init(&r->workers[i].body, BODY_MAX);
    }
    r->waiting = mem_new_array(options->log->events_len, sizeof(r->waiting[0]));
    r->balance = mem_new_array(options->log->skus_len, sizeof(r->balance[0]));
    r->next_delivery = 1; /* the opening stock is part of the set-up */
    struct load_options load = {
        .host = options->host,
        .port = options->port,
        .connections = options->connections,
        .timeout_ms = ANSWER_TIMEOUT_MS,
        .answered = answered_cb,
        .ctx = r,
    };
    enum err e = load_client_new(&load, &r->client, note);
    if (e != ERR_OK) {
        replay_free(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void replay_free(struct replay *r)
{
    if (r == NULL) {
        return;
    }
    load_client_free(r->client);
    for (unsigned i = 0; i < r->options.connections; i++) {
        buf_release(&r->workers[i].path);
        buf_release(&r->workers[i].key);
        buf_release(&r->workers[i].body);
        mem_free(r->workers[i].units);
    }
    mem_free(r->workers);
    mem_free(r->waiting);
    mem_free(r->balance);
    mem_free(r);
}

bool replay_set_up(struct replay *r)
{
    run_phase(r, &define_phase);
    if (r->stopping || r->stats.errors > 0) {
        return false;
    }
    run_phase(r, &opening_phase);
    return !r->stopping && r->stats.errors == 0;
}

int64_t replay_run(struct replay *r)
{
    histogram_init(&r->stats.recent);
    r->now = &r->options.log->events[0];
    run_phase(r, &log_phase);
    r->now = NULL;
    return clock_mono_us() - r->started_us;
}

bool replay_check(struct replay *r, struct replay_check *out)
{
    *out = (struct replay_check){0};
    r->check = out;
    uint64_t errors = r->stats.errors;
    run_phase(r, &check_phase);
    r->check = NULL;
    return !r->stopping && r->stats.errors == errors && out->skus == r->options.log->skus_len;
}

struct replay_stats *replay_stats(struct replay *r)
{
    return &r->stats;
}

struct load_counts replay_load_counts(const struct replay *r)
{
    return load_counts(r->client);
}
