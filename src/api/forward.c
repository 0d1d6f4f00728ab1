#include "api/forward.h"

#include "api/forward_line.h"
#include "api/forward_probe.h"
#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>

#define POLL_MS_MAX 250 /* for those whose turn does not come; all else wakes the thread */

struct work_queue {
    struct forward_work *first;
    struct forward_work **end;
};

struct forwarder {
    struct forwarder_limits limits;
    pthread_t thread;
    CURLM *multi;

    pthread_mutex_t lock; /* of what follows, and of the references to all targets */
    struct forward_targets *targets;
    struct work_queue arrived;
    struct forwarder_metrics metrics;
    bool closing;
    bool joined;

    /* The thread's own. */
    struct work_queue waiting; /* for a line */
    struct forward_line lines[FORWARDS_ACTIVE_MAX];
    unsigned lines_busy;
    struct forward_probe probes[FORWARD_TARGETS_MAX];
    unsigned probes_busy;
    int64_t probe_due_ms; /* monotonic */
};

static void queue_init(struct work_queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void queue_put(struct work_queue *q, struct forward_work *w)
{
    w->next = NULL;
    *q->end = w;
    q->end = &w->next;
}

static struct forward_work *queue_take(struct work_queue *q)
{
    struct forward_work *w = q->first;
    q->first = w->next;
    if (q->first == NULL) {
        q->end = &q->first;
    }
    return w;
}

static void queue_move(struct work_queue *from, struct work_queue *to)
{
    if (from->first != NULL) {
        *to->end = from->first;
        to->end = from->end;
        queue_init(from);
    }
}

/* The way of a work on the thread. */

/* It has its answer or its error. */
static void work_over(struct forwarder *f, struct forward_work *w)
{
    pthread_mutex_lock(&f->lock);
    forward_targets_unref(w->targets);
    w->targets = NULL;
    f->metrics.in_flight--;
    if (w->err == ERR_OK) {
        f->metrics.forwarded++;
    } else {
        f->metrics.failed++;
    }
    pthread_mutex_unlock(&f->lock);
    exchange_resume(w->exchange);
}

static void try_next(struct forwarder *f, struct forward_line *l, struct forward_work *w)
{
    w->at = forward_targets_next(w->targets, &w->tried, clock_mono_ms());
    if (w->at == NULL) {
        forward_work_give_up(w);
        work_over(f, w);
        return;
    }
    f->lines_busy++;
    forward_line_begin(l, f->multi, w, &f->limits);
}

static struct forward_line *free_line(struct forwarder *f)
{
    for (unsigned i = 0; i < FORWARDS_ACTIVE_MAX; i++) {
        if (f->lines[i].work == NULL) {
            return &f->lines[i];
        }
    }
    unreachable("fewer lines are busy than there are");
}

static void begin_waiting(struct forwarder *f)
{
    while (f->waiting.first != NULL && f->lines_busy < FORWARDS_ACTIVE_MAX) {
        try_next(f, free_line(f), queue_take(&f->waiting));
    }
}

static void try_over(struct forwarder *f, struct forward_line *l, CURLcode result)
{
    struct forward_work *w = l->work;
    enum try_end end = forward_line_end(l, f->multi, result);
    f->lines_busy--;
    if (forward_work_settle(w, end)) {
        try_next(f, l, w);
    } else {
        work_over(f, w);
    }
}

/* Asks every node of the list; the last answers are there first. */
static void begin_probes(struct forwarder *f)
{
    int64_t now_ms = clock_mono_ms();
    if (f->limits.probe_ms == 0 || f->probes_busy > 0 || now_ms < f->probe_due_ms) {
        return;
    }
    f->probe_due_ms = now_ms + f->limits.probe_ms;
    pthread_mutex_lock(&f->lock);
    struct forward_targets *targets = f->targets;
    unsigned len = targets->len; /* without a reference the list may be gone as soon as the lock is */
    targets->refs += len;
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < len; i++) {
        forward_probe_begin(&f->probes[i], f->multi, targets, &targets->at[i], &f->limits);
        f->probes_busy++;
    }
}

/* What `at` was sent and can be repeated goes on to the next node. */
static void leave(struct forwarder *f, const struct forward_target *at)
{
    for (unsigned i = 0; i < FORWARDS_ACTIVE_MAX; i++) {
        struct forward_line *l = &f->lines[i];
        if (l->work != NULL && l->work->at == at && l->work->repeatable && !l->work->repeated) {
            try_over(f, l, CURLE_OPERATION_TIMEDOUT);
        }
    }
}

static void probe_over(struct forwarder *f, struct forward_probe *p, CURLcode result)
{
    struct forward_target *at = p->at;
    struct forward_targets *targets = NULL;
    bool alive = forward_probe_end(p, f->multi, result, &targets);
    f->probes_busy--;
    forward_target_judge(at, alive, clock_mono_ms());
    if (!alive) {
        leave(f, at);
    }
    pthread_mutex_lock(&f->lock);
    forward_targets_unref(targets);
    pthread_mutex_unlock(&f->lock);
}

static bool is_probe(const struct forwarder *f, const void *handle)
{
    return handle >= (const void *)f->probes && handle < (const void *)(f->probes + FORWARD_TARGETS_MAX);
}

static void end_tries(struct forwarder *f)
{
    int left;
    const CURLMsg *m;
    while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
        void *handle = NULL;
        CURLcode result = m->data.result; /* gone when the line is taken off */
        check(m->msg == CURLMSG_DONE);
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &handle);
        if (is_probe(f, handle)) {
            probe_over(f, handle, result);
        } else {
            try_over(f, handle, result);
        }
    }
}

/* Those who waited too long for a line were not sent. */
static void refuse_late(struct forwarder *f)
{
    int64_t limit_ms = clock_mono_ms() - f->limits.wait_ms;
    while (f->waiting.first != NULL && f->waiting.first->since_ms < limit_ms) {
        struct forward_work *w = queue_take(&f->waiting);
        w->err = ERR_OVERLOADED;
        work_over(f, w);
    }
}

static void shut_down_probes(struct forwarder *f)
{
    for (unsigned i = 0; i < FORWARD_TARGETS_MAX; i++) {
        struct forward_probe *p = &f->probes[i];
        struct forward_targets *targets = NULL;
        if (p->targets != NULL) {
            (void)forward_probe_end(p, f->multi, CURLE_ABORTED_BY_CALLBACK, &targets);
        }
        pthread_mutex_lock(&f->lock);
        forward_targets_unref(targets);
        pthread_mutex_unlock(&f->lock);
        forward_probe_close(p);
    }
}

static void shut_down(struct forwarder *f)
{
    shut_down_probes(f);
    for (unsigned i = 0; i < FORWARDS_ACTIVE_MAX; i++) {
        struct forward_line *l = &f->lines[i];
        struct forward_work *w = l->work;
        if (w != NULL) {
            enum try_end end = forward_line_end(l, f->multi, CURLE_ABORTED_BY_CALLBACK);
            w->uncertain = w->uncertain || end == TRY_LOST;
            forward_work_shut_down(w);
            work_over(f, w);
        }
        forward_line_close(l);
    }
    while (f->waiting.first != NULL) {
        struct forward_work *w = queue_take(&f->waiting);
        forward_work_shut_down(w);
        work_over(f, w);
    }
}

/* False when it is to end. */
static bool take_arrived(struct forwarder *f)
{
    pthread_mutex_lock(&f->lock);
    queue_move(&f->arrived, &f->waiting);
    bool closing = f->closing;
    pthread_mutex_unlock(&f->lock);
    return !closing;
}

static void poll_lines(struct forwarder *f)
{
    bool can_begin = f->waiting.first != NULL && f->lines_busy < FORWARDS_ACTIVE_MAX;
    if (!can_begin) {
        CURLMcode polled = curl_multi_poll(f->multi, NULL, 0, POLL_MS_MAX, NULL);
        check(polled == CURLM_OK);
    }
}

static void *forwarder_main(void *arg)
{
    struct forwarder *f = arg;
    while (take_arrived(f)) {
        int running;
        begin_waiting(f);
        begin_probes(f);
        CURLMcode performed = curl_multi_perform(f->multi, &running);
        check(performed == CURLM_OK);
        end_tries(f);
        refuse_late(f);
        poll_lines(f);
    }
    shut_down(f);
    return NULL;
}

/* Start and end. */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    CURLcode began = curl_global_init(CURL_GLOBAL_DEFAULT);
    check(began == CURLE_OK);
}

static struct forwarder *forwarder_new(const struct forwarder_limits *limits)
{
    struct forwarder *f = mem_new(sizeof(*f));
    f->limits = *limits;
    queue_init(&f->arrived);
    queue_init(&f->waiting);
    pthread_mutex_init(&f->lock, NULL);
    f->targets = forward_targets_new(NULL);
    f->multi = curl_multi_init();
    check(f->multi != NULL);
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)FORWARDS_ACTIVE_MAX);
    return f;
}

enum err forwarder_start_with(const struct forwarder_limits *limits, struct forwarder **out, struct err_note *note)
{
    pthread_once(&curl_once, curl_begin);
    struct forwarder *f = forwarder_new(limits);
    int failed = pthread_create(&f->thread, NULL, forwarder_main, f);
    if (failed != 0) {
        f->joined = true;
        forwarder_free(f);
        return err_note_set(note, ERR_INTERNAL, "cannot start the thread that forwards: %s", strerror(failed));
    }
    *out = f;
    return ERR_OK;
}

enum err forwarder_start(struct forwarder **out, struct err_note *note)
{
    static const struct forwarder_limits limits = {FORWARDS_MAX,           FORWARD_CONNECT_MS,       FORWARD_ANSWER_MS,
                                                   FORWARD_WAIT_MS,        FORWARD_ANSWER_BYTES_MAX, FORWARD_PROBE_MS,
                                                   FORWARD_PROBE_ANSWER_MS};
    return forwarder_start_with(&limits, out, note);
}

void forwarder_close(struct forwarder *f)
{
    pthread_mutex_lock(&f->lock);
    f->closing = true;
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
    if (!f->joined) {
        int failed = pthread_join(f->thread, NULL);
        check(failed == 0);
        f->joined = true;
    }
}

void forwarder_free(struct forwarder *f)
{
    if (f == NULL) {
        return;
    }
    forwarder_close(f);
    check(f->metrics.in_flight == 0 && f->arrived.first == NULL);
    curl_multi_cleanup(f->multi);
    forward_targets_unref(f->targets);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

/* From other threads. */

void forwarder_aim(struct forwarder *f, const char *urls)
{
    struct forward_targets *t = forward_targets_new(urls);
    pthread_mutex_lock(&f->lock);
    bool same = strcmp(t->urls, f->targets->urls) == 0; /* what is known of them stays known */
    struct forward_targets *old = same ? t : f->targets;
    f->targets = same ? f->targets : t;
    forward_targets_unref(old);
    pthread_mutex_unlock(&f->lock);
}

/* Under the lock. */
static enum err judge_arrival(const struct forwarder *f)
{
    if (f->closing) {
        return ERR_SHUTTING_DOWN;
    }
    if (f->targets->len == 0) {
        return ERR_NO_LEADER;
    }
    return f->metrics.in_flight >= f->limits.forwards_max ? ERR_OVERLOADED : ERR_OK;
}

/* `w` belongs to the thread when it is ERR_OK. */
static enum err hand_over(struct forwarder *f, struct forward_work *w)
{
    bool must_wake = false;
    pthread_mutex_lock(&f->lock);
    enum err e = judge_arrival(f);
    if (e == ERR_OK) {
        w->targets = f->targets;
        w->targets->refs++;
        f->metrics.in_flight++;
        must_wake = f->arrived.first == NULL; /* else it was woken and has not looked yet */
        queue_put(&f->arrived, w);
    } else {
        f->metrics.failed++;
    }
    pthread_mutex_unlock(&f->lock);
    if (must_wake) {
        curl_multi_wakeup(f->multi);
    }
    return e;
}

/* False: it has answered. */
static bool take_hops(struct exchange *x, unsigned *out)
{
    struct str text = exchange_header(x, "Onhand-Hops");
    uint64_t hops = 0;
    if (!str_is_absent(text) && !str_to_u64(text, UINT32_MAX, &hops)) {
        exchange_problem(x, ERR_MALFORMED, STR("Onhand-Hops is not a number."), STR_NONE);
        return false;
    }
    if (hops >= FORWARD_HOPS_MAX) {
        exchange_problem(x, ERR_NO_LEADER, STR("The request went from node to node and found no leader."), STR_NONE);
        return false;
    }
    *out = (unsigned)hops;
    return true;
}

void forward(struct forwarder *f, struct exchange *x)
{
    unsigned hops;
    if (!take_hops(x, &hops)) {
        return;
    }
    struct forward_work *w = forward_work_new(x, hops, f->limits.answer_bytes_max);
    exchange_attach(x, w, forward_work_free);
    /* Kept first: the answer may be there before hand_over returns. */
    exchange_keep(x, forward_work_answer);
    enum err e = hand_over(f, w);
    if (e != ERR_OK) {
        w->err = e;
        exchange_resume(x);
    }
}

void forwarder_metrics(struct forwarder *f, struct forwarder_metrics *out)
{
    pthread_mutex_lock(&f->lock);
    *out = f->metrics;
    pthread_mutex_unlock(&f->lock);
}
