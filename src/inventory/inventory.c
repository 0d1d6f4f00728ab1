/*
 * Threads around the sequencer: the sequencer thread decides, the store thread commits, two desks read. The
 * sequencer's lookups have a desk of their own, so that a long read of the API holds up no write.
 * One mutex guards the hand-overs; no work is done under it.
 */
#include "inventory/inventory.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "inventory/sequencer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* Between tries to read a store that cannot be reached: at first, and at most. */
#define RELOAD_WAIT_MS 50
#define RELOAD_WAIT_MS_MAX 1000

/* A first-in first-out list, linked through the member `next`. */
#define QUEUE(type) \
    struct {        \
        type *head; \
        type **end; \
    }
#define QUEUE_INIT(q) ((q)->head = NULL, (q)->end = &(q)->head)
#define QUEUE_PUT(q, node) ((node)->next = NULL, *(q)->end = (node), (q)->end = &(node)->next)

struct thread {
    pthread_t id;
    bool runs;
};

/* A thread that reads the store for others, one query after the other. */
struct desk {
    struct inventory *inv;
    const char *name;
    struct store_reader *reader;
    struct thread thread;
    pthread_cond_t wakes;
    QUEUE(struct query) queries;
    uint64_t queries_len;
};

struct inventory {
    struct inventory_options options;
    struct sequencer *sequencer;
    struct ledger_clock clock;
    struct thread sequencer_thread, store_thread;
    struct desk lookup_desk, query_desk;
    struct store_reader *relay_reader;
    struct relay *relay; /* NULL: nobody outside follows */

    pthread_mutex_t lock;
    pthread_cond_t sequencer_wakes, store_wakes;
    bool stopping;    /* no new work is accepted */
    bool threads_end; /* the other threads end when they have nothing left */

    QUEUE(struct request) requests;
    atomic_bool unannounced; /* some of them came after the last inventory_wake */
    uint64_t requests_len;   /* waiting in `requests` and in the sequencer thread's backlog */
    QUEUE(struct lookup) answered;
    const struct batch *batch; /* to be committed; NULL: none */
    bool committed;            /* the commit of the last batch is over, with `commit_err` */
    enum err commit_err;
    struct err_note commit_note;
    int64_t committed_ns;
    bool reloading; /* the store thread reads what the store holds, and tries again while it cannot be reached */
    bool reloaded;  /* that is over, with `commit_err`; `image` when it is ERR_OK */
    struct sequencer_image *image;

    struct inventory_metrics metrics; /* the sequencer's, copied each turn */
    struct inventory_histogram commit_us;
    uint64_t overloads;

    /* Sequencer thread only. */
    QUEUE(struct request) backlog;
};

/*
 * What the sequencer asks for.
 */

static void io_commit(void *ctx, const struct batch *batch)
{
    struct inventory *inv = ctx;
    pthread_mutex_lock(&inv->lock);
    check(inv->batch == NULL && !inv->committed);
    inv->batch = batch;
    pthread_cond_signal(&inv->store_wakes);
    pthread_mutex_unlock(&inv->lock);
}

static void lookup_query_run(struct query *q, struct store_reader *reader)
{
    lookup_run(CONTAINER_OF(q, struct lookup, query), reader);
}

static void lookup_query_done(struct query *q)
{
    struct lookup *l = CONTAINER_OF(q, struct lookup, query);
    struct inventory *inv = l->asker;
    pthread_mutex_lock(&inv->lock);
    QUEUE_PUT(&inv->answered, l);
    pthread_cond_signal(&inv->sequencer_wakes);
    pthread_mutex_unlock(&inv->lock);
}

/* Under the lock. */
static void desk_put(struct desk *d, struct query *q)
{
    QUEUE_PUT(&d->queries, q);
    d->queries_len++;
    pthread_cond_signal(&d->wakes);
}

/* Never refused: the sequencer takes no more requests than may wait on lookups. */
static void io_lookup(void *ctx, struct lookup *l)
{
    struct inventory *inv = ctx;
    l->asker = inv;
    l->query.run = lookup_query_run;
    l->query.done = lookup_query_done;
    pthread_mutex_lock(&inv->lock);
    desk_put(&inv->lookup_desk, &l->query);
    pthread_mutex_unlock(&inv->lock);
}

static void io_publish(void *ctx, struct bus_message *m)
{
    struct inventory *inv = ctx;
    if (inv->options.bus != NULL) {
        enum err e = bus_publish(inv->options.bus, m, NULL);
        check(e == ERR_OK); /* it is the local one */
    }
    if (inv->relay != NULL) {
        relay_wake(inv->relay);
    }
}

/*
 * The store thread.
 */

static struct timespec mono_deadline(int64_t in_ms)
{
    int64_t at_ns = clock_mono_ns() + in_ms * 1000000;
    return (struct timespec){.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
}

static void commit(struct inventory *inv, const struct batch *batch)
{
    struct err_note note = {""};
    int64_t began_us = clock_mono_us();
    enum err e = store_commit(inv->options.store, batch, &note);
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&inv->lock);
    inventory_histogram_add(&inv->commit_us, (uint64_t)(now_ns / 1000 - began_us));
    inv->batch = NULL;
    inv->committed = true;
    inv->commit_err = e;
    inv->commit_note = note;
    inv->committed_ns = now_ns;
    pthread_cond_signal(&inv->sequencer_wakes);
    pthread_mutex_unlock(&inv->lock);
}

/* False: the threads end. */
static bool pause_store(struct inventory *inv, int64_t wait_ms)
{
    struct timespec deadline = mono_deadline(wait_ms);
    pthread_mutex_lock(&inv->lock);
    while (!inv->threads_end && pthread_cond_timedwait(&inv->store_wakes, &inv->lock, &deadline) == 0) {
    }
    bool goes_on = !inv->threads_end;
    pthread_mutex_unlock(&inv->lock);
    return goes_on;
}

static bool threads_go_on(void *ctx)
{
    struct inventory *inv = ctx;
    pthread_mutex_lock(&inv->lock);
    bool goes_on = !inv->threads_end;
    pthread_mutex_unlock(&inv->lock);
    return goes_on;
}

/* What is in memory fell with a commit: read what the store holds, however long that takes. */
static void reload(struct inventory *inv)
{
    struct err_note note = {""};
    struct sequencer_image *image = NULL;
    int64_t wait_ms = RELOAD_WAIT_MS;
    const struct sequencer_patience patience = {threads_go_on, inv};
    enum err e = sequencer_image_read(inv->options.store, &patience, &image, &note);
    while (e == ERR_STORE_AWAY && pause_store(inv, wait_ms)) {
        wait_ms = wait_ms * 2 < RELOAD_WAIT_MS_MAX ? wait_ms * 2 : RELOAD_WAIT_MS_MAX;
        e = sequencer_image_read(inv->options.store, &patience, &image, &note);
    }
    pthread_mutex_lock(&inv->lock);
    inv->reloading = false;
    inv->reloaded = true;
    inv->image = image;
    inv->commit_err = e;
    inv->commit_note = note;
    pthread_cond_signal(&inv->sequencer_wakes);
    pthread_mutex_unlock(&inv->lock);
}

static void *store_main(void *arg)
{
    struct inventory *inv = arg;
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
        pthread_mutex_lock(&inv->lock);
        while (inv->batch == NULL && !inv->reloading && !inv->threads_end) {
            pthread_cond_wait(&inv->store_wakes, &inv->lock);
        }
        const struct batch *batch = inv->batch;
        bool reloading = inv->reloading;
        pthread_mutex_unlock(&inv->lock);
        if (batch != NULL) {
            commit(inv, batch);
        } else if (reloading) {
            reload(inv);
        } else {
            return NULL;
        }
    }
}

/*
 * The desks.
 */

static struct query *desk_take(struct desk *d)
{
    struct inventory *inv = d->inv;
    pthread_mutex_lock(&inv->lock);
    while (d->queries.head == NULL && !inv->threads_end) {
        pthread_cond_wait(&d->wakes, &inv->lock);
    }
    struct query *q = d->queries.head;
    if (q != NULL) {
        d->queries.head = q->next;
        d->queries.end = q->next == NULL ? &d->queries.head : d->queries.end;
        d->queries_len--;
    }
    pthread_mutex_unlock(&inv->lock);
    return q;
}

static void *desk_main(void *arg)
{
    struct desk *d = arg;
    pthread_setname_np(pthread_self(), d->name);
    struct query *q;
    while ((q = desk_take(d)) != NULL) {
        q->run(q, d->reader);
        q->done(q);
    }
    return NULL;
}

/*
 * The sequencer thread.
 */

struct inbox {
    struct lookup *answered;
    bool committed;
    bool reloaded;
    enum err commit_err;
    struct err_note commit_note;
    int64_t committed_ns;
    struct sequencer_image *image;
    bool stop;
};

/* Something to do at once? `room`: requests can be taken. */
static bool has_work(const struct inventory *inv, bool room)
{
    return (room && (inv->requests.head != NULL || inv->backlog.head != NULL)) || inv->answered.head != NULL ||
        inv->committed || inv->reloaded || (inv->stopping && sequencer_is_idle(inv->sequencer));
}

static void inbox_wait(struct inventory *inv, bool room)
{
    /* With a full pack only a commit helps, also when a hold is due. */
    int64_t wait_ms = room ? sequencer_next_wake_ms(inv->sequencer) - ledger_clock_now_ms(&inv->clock) : 60000;
    struct timespec deadline = mono_deadline(wait_ms < 0 ? 0 : wait_ms);
    while (!has_work(inv, room)) {
        if (pthread_cond_timedwait(&inv->sequencer_wakes, &inv->lock, &deadline) != 0) {
            return;
        }
    }
}

/* Under the lock: what was submitted becomes the sequencer thread's. */
static void backlog_extend(struct inventory *inv)
{
    if (inv->requests.head != NULL) {
        *inv->backlog.end = inv->requests.head;
        inv->backlog.end = inv->requests.end;
        QUEUE_INIT(&inv->requests);
    }
}

static void inbox_take(struct inventory *inv, struct inbox *in)
{
    bool room = sequencer_has_room(inv->sequencer);
    pthread_mutex_lock(&inv->lock);
    inbox_wait(inv, room);
    *in = (struct inbox){
        .answered = inv->answered.head,
        .committed = inv->committed,
        .reloaded = inv->reloaded,
        .image = inv->image,
        .commit_err = inv->commit_err,
        .commit_note = inv->commit_note,
        .committed_ns = inv->committed_ns,
        .stop = inv->stopping && inv->requests.head == NULL,
    };
    backlog_extend(inv);
    QUEUE_INIT(&inv->answered);
    inv->committed = false;
    inv->reloaded = false;
    inv->image = NULL;
    pthread_mutex_unlock(&inv->lock);
}

static void request_refuse(struct request *r, enum err e)
{
    r->err = e;
    r->ops->done(r);
}

static void backlog_refuse(struct inventory *inv, enum err e)
{
    struct request *next;
    for (struct request *r = inv->backlog.head; r != NULL; r = next) {
        next = r->next;
        request_refuse(r, e);
    }
    QUEUE_INIT(&inv->backlog);
}

/* The store can no longer be trusted: refuse what waits, say so, and take nothing more. */
static void fail(struct inventory *inv, enum err e, const struct err_note *note)
{
    pthread_mutex_lock(&inv->lock);
    inv->stopping = true;
    backlog_extend(inv);
    pthread_mutex_unlock(&inv->lock);
    backlog_refuse(inv, ERR_NOT_COMMITTED);
    inv->options.failed(inv->options.failed_ctx, e, note);
}

static void log_store(enum log_level level, const char *event, const struct err_note *note)
{
    char quoted[300];
    log_line(level, event, "note=%s", log_quote(note->text, quoted, sizeof(quoted)));
}

/* The state in memory is void: the store thread reads that of the store. Until then the sequencer refuses all. */
static void begin_reload(struct inventory *inv)
{
    pthread_mutex_lock(&inv->lock);
    inv->reloading = true;
    pthread_cond_signal(&inv->store_wakes);
    pthread_mutex_unlock(&inv->lock);
}

static bool take_commit(struct inventory *inv, const struct inbox *in)
{
    switch (sequencer_committed(inv->sequencer, in->commit_err, in->committed_ns)) {
    case SEQUENCER_GO_ON:
        return true;
    case SEQUENCER_RELOAD:
        log_store(LOG_ERROR, err_info(in->commit_err)->slug, &in->commit_note);
        begin_reload(inv);
        return true;
    case SEQUENCER_STOP:
        fail(inv, in->commit_err, &in->commit_note);
        return false;
    }
    unreachable("what to do after a commit");
}

static bool take_reload(struct inventory *inv, const struct inbox *in)
{
    if (in->commit_err != ERR_OK) {
        fail(inv, in->commit_err, &in->commit_note);
        return false;
    }
    sequencer_restore(inv->sequencer, in->image);
    log_line(LOG_INFO, "store_reloaded", "seq=%llu", (unsigned long long)ledger_seq(sequencer_ledger(inv->sequencer)));
    return true;
}

static void take_backlog(struct inventory *inv)
{
    uint64_t taken = 0;
    while (inv->backlog.head != NULL && sequencer_has_room(inv->sequencer)) {
        struct request *r = inv->backlog.head;
        inv->backlog.head = r->next;
        if (inv->backlog.head == NULL) {
            QUEUE_INIT(&inv->backlog);
        }
        sequencer_request(inv->sequencer, r);
        taken++;
    }
    struct inventory_metrics metrics;
    sequencer_metrics(inv->sequencer, &metrics);
    pthread_mutex_lock(&inv->lock);
    inv->requests_len -= taken;
    inv->metrics = metrics;
    pthread_mutex_unlock(&inv->lock);
}

static bool turn(struct inventory *inv)
{
    struct inbox in;
    inbox_take(inv, &in);
    sequencer_tick(inv->sequencer, ledger_clock_now_ms(&inv->clock));
    if ((in.committed && !take_commit(inv, &in)) || (in.reloaded && !take_reload(inv, &in))) {
        return false;
    }
    struct lookup *next;
    for (struct lookup *l = in.answered; l != NULL; l = next) {
        next = l->next;
        sequencer_looked_up(inv->sequencer, l);
    }
    take_backlog(inv);
    sequencer_flush(inv->sequencer);
    return !(in.stop && inv->backlog.head == NULL && sequencer_is_idle(inv->sequencer));
}

static void *sequencer_main(void *arg)
{
    struct inventory *inv = arg;
    pthread_setname_np(pthread_self(), "sequencer");
    while (turn(inv)) {
    }
    return NULL;
}

/*
 * Life.
 */

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

static void desk_init(struct desk *d, struct inventory *inv, const char *name)
{
    d->inv = inv;
    d->name = name;
    cond_init(&d->wakes);
    QUEUE_INIT(&d->queries);
}

static void desk_release(struct desk *d)
{
    store_reader_free(d->reader);
    pthread_cond_destroy(&d->wakes);
}

static struct inventory *inventory_new(const struct inventory_options *options)
{
    struct inventory *inv = mem_new(sizeof(*inv));
    inv->options = *options;
    pthread_mutex_init(&inv->lock, NULL);
    cond_init(&inv->sequencer_wakes);
    cond_init(&inv->store_wakes);
    desk_init(&inv->lookup_desk, inv, "lookup");
    desk_init(&inv->query_desk, inv, "query");
    QUEUE_INIT(&inv->requests);
    QUEUE_INIT(&inv->answered);
    QUEUE_INIT(&inv->backlog);
    inv->sequencer = sequencer_new(&(struct sequencer_options){
        .partition = options->partition,
        .idempotency_keys_max = options->idempotency_keys_max,
        .random_seed = options->random_seed,
        .io = {.ctx = inv, .commit = io_commit, .lookup = io_lookup, .publish = io_publish},
        .patience = {options->goes_on, options->goes_on_ctx},
    });
    return inv;
}

static enum err relay_open(struct inventory *inv, const struct store_head *head, struct err_note *note)
{
    if (inv->options.outside == NULL) {
        return ERR_OK;
    }
    TRY(store_reader_open(inv->options.store, &inv->relay_reader, note));
    inv->relay = relay_new(&(struct relay_options){
        .reader = inv->relay_reader,
        .bus = inv->options.outside,
        .partition = inv->options.partition,
        .epoch = head->epoch,
    });
    return ERR_OK;
}

static enum err open_store(struct inventory *inv, struct err_note *note)
{
    struct store_head head = {0};
    enum err e = store_claim(inv->options.store, inv->options.leader == NULL ? "" : inv->options.leader, &head, note);
    if (inv->options.led_by != NULL) {
        memcpy(inv->options.led_by, head.leader, sizeof(head.leader));
    }
    TRY(e);
    if (inv->options.claimed != NULL) {
        TRY(inv->options.claimed(inv->options.claimed_ctx, note));
    }
    TRY(store_reader_open(inv->options.store, &inv->lookup_desk.reader, note));
    TRY(store_reader_open(inv->options.store, &inv->query_desk.reader, note));
    TRY(relay_open(inv, &head, note));
    ledger_clock_init(&inv->clock, head.time_ms);
    return sequencer_load(inv->sequencer, inv->options.store, &head, note);
}

enum err inventory_open(const struct inventory_options *options, struct inventory **out, struct err_note *note)
{
    struct inventory *inv = inventory_new(options);
    enum err e = open_store(inv, note);
    if (e != ERR_OK) {
        inventory_free(inv);
        return e;
    }
    sequencer_metrics(inv->sequencer, &inv->metrics);
    *out = inv;
    return ERR_OK;
}

struct snapshot {
    struct bus_message message;
    size_t levels_cap;
    void (*fn)(void *ctx, const struct bus_message *m);
    void *ctx;
};

#define SNAPSHOT_ROWS 1024

static void snapshot_flush(struct snapshot *s)
{
    if (s->message.levels_len + s->message.items_len > 0) {
        s->fn(s->ctx, &s->message);
        s->message.levels_len = 0;
        s->message.items_len = 0;
    }
}

/* An item stands in one message with all of its levels, so that whoever takes it in renders it once. */
static void snapshot_item(void *ctx, uint32_t item, struct str sku, int64_t defined_ms)
{
    struct snapshot *s = ctx;
    if (s->message.items_len == SNAPSHOT_ROWS || s->message.levels_len >= SNAPSHOT_ROWS) {
        snapshot_flush(s);
    }
    s->message.items[s->message.items_len++] = (struct bus_item){.item = item, .sku = sku, .time_ms = defined_ms};
}

static void snapshot_level(void *ctx, const struct level_row *row)
{
    struct snapshot *s = ctx;
    mem_grow((void **)&s->message.levels, &s->levels_cap, s->message.levels_len + 1, sizeof(*row));
    s->message.levels[s->message.levels_len++] = *row;
}

void inventory_snapshot(struct inventory *inv, void (*fn)(void *ctx, const struct bus_message *m), void *ctx)
{
    const struct ledger *ledger = sequencer_ledger(inv->sequencer);
    struct snapshot s = {.fn = fn, .ctx = ctx};
    s.message.partition = inv->options.partition;
    s.message.seq = ledger_seq(ledger);
    s.message.time_ms = ledger_clock_now_ms(&inv->clock);
    s.message.items = mem_new_array(SNAPSHOT_ROWS, sizeof(*s.message.items));
    ledger_each(ledger, snapshot_item, snapshot_level, &s);
    snapshot_flush(&s);
    mem_free(s.message.levels);
    mem_free(s.message.items);
}

static enum err thread_start(struct thread *t, void *(*fn)(void *arg), void *arg, struct err_note *note)
{
    int error = pthread_create(&t->id, NULL, fn, arg);
    t->runs = error == 0;
    return error == 0 ? ERR_OK : err_note_set(note, ERR_IO, "cannot start a thread: %s", strerror(error));
}

static void thread_join(struct thread *t)
{
    if (t->runs) {
        pthread_join(t->id, NULL);
        t->runs = false;
    }
}

static enum err start_threads(struct inventory *inv, struct err_note *note)
{
    TRY(thread_start(&inv->store_thread, store_main, inv, note));
    TRY(thread_start(&inv->lookup_desk.thread, desk_main, &inv->lookup_desk, note));
    TRY(thread_start(&inv->query_desk.thread, desk_main, &inv->query_desk, note));
    if (inv->relay != NULL) {
        TRY(relay_start(inv->relay, note));
    }
    return thread_start(&inv->sequencer_thread, sequencer_main, inv, note);
}

enum err inventory_start(struct inventory *inv, struct err_note *note)
{
    enum err e = start_threads(inv, note);
    if (e != ERR_OK) {
        inventory_stop(inv); /* those that run already */
    }
    return e;
}

bool inventory_submit(struct inventory *inv, struct request *r)
{
    pthread_mutex_lock(&inv->lock);
    bool accepted = !inv->stopping && inv->requests_len < REQUEST_QUEUE_MAX;
    if (accepted) {
        inv->requests_len++;
        QUEUE_PUT(&inv->requests, r);
        atomic_store_explicit(&inv->unannounced, true, memory_order_relaxed);
    } else {
        inv->overloads++;
    }
    pthread_mutex_unlock(&inv->lock);
    return accepted;
}

/* The lock orders the flag with the queue: who clears it has the sequencer see all that was put in before. */
void inventory_wake(struct inventory *inv)
{
    if (!atomic_load_explicit(&inv->unannounced, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&inv->lock);
    atomic_store_explicit(&inv->unannounced, false, memory_order_relaxed);
    pthread_cond_signal(&inv->sequencer_wakes);
    pthread_mutex_unlock(&inv->lock);
}

bool inventory_query(struct inventory *inv, struct query *q)
{
    pthread_mutex_lock(&inv->lock);
    bool accepted = !inv->stopping && inv->query_desk.queries_len < QUERY_QUEUE_MAX;
    if (accepted) {
        desk_put(&inv->query_desk, q);
    } else {
        inv->overloads++;
    }
    pthread_mutex_unlock(&inv->lock);
    return accepted;
}

void inventory_stop(struct inventory *inv)
{
    pthread_mutex_lock(&inv->lock);
    inv->stopping = true;
    pthread_cond_signal(&inv->sequencer_wakes);
    pthread_mutex_unlock(&inv->lock);
    thread_join(&inv->sequencer_thread);
    pthread_mutex_lock(&inv->lock);
    inv->threads_end = true;
    pthread_cond_signal(&inv->store_wakes);
    pthread_cond_signal(&inv->lookup_desk.wakes);
    pthread_cond_signal(&inv->query_desk.wakes);
    pthread_mutex_unlock(&inv->lock);
    thread_join(&inv->store_thread);
    thread_join(&inv->lookup_desk.thread);
    thread_join(&inv->query_desk.thread);
    if (inv->relay != NULL) {
        relay_stop(inv->relay);
    }
}

void inventory_free(struct inventory *inv)
{
    if (inv == NULL) {
        return;
    }
    sequencer_free(inv->sequencer);
    relay_free(inv->relay);
    store_reader_free(inv->relay_reader);
    sequencer_image_free(inv->image);
    desk_release(&inv->lookup_desk);
    desk_release(&inv->query_desk);
    pthread_cond_destroy(&inv->sequencer_wakes);
    pthread_cond_destroy(&inv->store_wakes);
    pthread_mutex_destroy(&inv->lock);
    mem_free(inv);
}

void inventory_metrics(struct inventory *inv, struct inventory_metrics *out)
{
    pthread_mutex_lock(&inv->lock);
    *out = inv->metrics;
    out->queue_depth = inv->requests_len;
    out->overloads = inv->overloads;
    out->commit_us = inv->commit_us;
    pthread_mutex_unlock(&inv->lock);
    if (inv->relay != NULL) {
        out->relays = true;
        relay_metrics(inv->relay, &out->relay);
    }
}
