#include "app/bench/watchers.h"

#include "base/clock.h"
#include "base/mem.h"

#define OPEN_MS_MAX 120000
#define LINGER_MS 500
#define POLL_MS 50
#define RING_HOT 4096 /* changes of an item whose times are remembered */
#define RING 64
#define PATH_BYTES_MAX (64 * 1024)

struct change {
    int64_t due_us;
    uint32_t reached; /* streams that have it */
};

struct watched_item {
    uint64_t base_version; /* when the streams were opened */
    uint64_t sent;         /* changes since then */
    struct change *ring;
};

struct watched {
    uint32_t item;
    bool is_shown;
    uint64_t told; /* changes of the item that the stream was told */
};

struct watchers {
    const struct bench_settings *settings;
    struct requests *requests;
    struct event_client *client;
    bool counts_only;
    bool is_raw;
    unsigned follow;
    uint64_t ring;
    struct watched_item *items;
    struct change *rings;
    struct watched *watched; /* `follow` of each stream, side by side */
    uint64_t shown;          /* of them */
    struct buf path;
    int64_t from_us;
    int64_t to_us;
    struct watchers_result result;
};

static struct str path_cb(void *ctx, unsigned stream)
{
    struct watchers *w = ctx;
    if (w->is_raw) {
        return str_from(w->settings->subscribe);
    }
    buf_clear(&w->path);
    buf_put_literal(&w->path, "/v1/availability/stream");
    for (unsigned i = 0; i < w->follow; i++) {
        char sku[BENCH_SKU_LEN];
        bench_sku(w->watched[stream * w->follow + i].item, sku);
        buf_put_str(&w->path, i == 0 ? STR("?sku=") : STR("&sku="));
        buf_put(&w->path, sku, sizeof(sku));
    }
    return buf_str(&w->path);
}

static bool read_number(struct str data, struct str before, uint64_t *out)
{
    const char *at = memmem(data.ptr, data.len, before.ptr, before.len);
    if (at == NULL) {
        return false;
    }
    *out = 0;
    for (at += before.len; at < data.ptr + data.len && *at >= '0' && *at <= '9'; at++) {
        *out = *out * 10 + (uint64_t)(*at - '0');
    }
    return true;
}

static void count_change(struct watchers *w, struct watched_item *item, uint64_t n, bool is_oldest, int64_t now_us)
{
    if (n >= item->sent || item->sent - n > w->ring) {
        return; /* somebody else's, or forgotten */
    }
    struct change *change = &item->ring[n % w->ring];
    change->reached++;
    if (change->due_us < w->from_us || change->due_us >= w->to_us) {
        return;
    }
    if (is_oldest) {
        histogram_add(&w->result.push, now_us - change->due_us);
    }
    if (w->settings->hot && change->reached == w->settings->streams) {
        histogram_add(&w->result.last, now_us - change->due_us);
    }
}

/* The stream has been told of the first `told` changes of the item. */
static void tell(struct watchers *w, struct watched *watched, uint64_t told, int64_t now_us)
{
    for (uint64_t n = watched->told; n < told; n++) {
        count_change(w, &w->items[watched->item], n, n == watched->told, now_us);
    }
    watched->told = told > watched->told ? told : watched->told;
}

static struct watched *find_watched(struct watchers *w, unsigned stream, uint64_t item)
{
    struct watched *of_stream = &w->watched[stream * w->follow];
    for (unsigned i = 0; i < w->follow; i++) {
        if (of_stream[i].item == item) {
            return &of_stream[i];
        }
    }
    return NULL;
}

static void take_availability(struct watchers *w, unsigned stream, struct str data, int64_t now_us)
{
    uint64_t index;
    uint64_t version;
    bool good = read_number(data, STR("\"sku\":\"bench-"), &index) && read_number(data, STR("\"version\":"), &version);
    struct watched *watched = good ? find_watched(w, stream, index) : NULL;
    if (watched == NULL) {
        return;
    }
    struct watched_item *item = &w->items[index];
    if (!watched->is_shown) {
        watched->is_shown = true;
        item->base_version = version;
        w->shown++;
    } else if (!w->counts_only && version > item->base_version) {
        tell(w, watched, version - item->base_version, now_us);
    }
}

static void event_cb(void *ctx, unsigned stream, struct str event)
{
    struct watchers *w = ctx;
    struct str data = event_data(event);
    if (str_is_absent(data)) {
        return;
    }
    int64_t now_us = clock_mono_us();
    w->result.frames += now_us >= w->from_us && now_us < w->to_us;
    if (w->is_raw) {
        tell(w, &w->watched[stream], w->watched[stream].told + 1, now_us);
    } else {
        take_availability(w, stream, data, now_us);
    }
}

static void choose_items(struct watchers *w)
{
    for (uint64_t stream = 0; stream < w->settings->streams; stream++) {
        uint64_t first = requests_pick(w->requests);
        for (unsigned i = 0; i < w->follow; i++) {
            w->watched[stream * w->follow + i].item = (uint32_t)((first + i) % w->settings->skus);
        }
    }
}

static void make_items(struct watchers *w)
{
    uint64_t items = w->settings->skus;
    w->ring = w->settings->hot ? RING_HOT : RING;
    uint64_t ringed = w->settings->hot ? 1 : items; /* others do not change */
    w->items = mem_new_array(items, sizeof(w->items[0]));
    w->rings = mem_new_array(ringed * w->ring, sizeof(w->rings[0]));
    for (uint64_t i = 0; i < ringed; i++) {
        w->items[i].ring = &w->rings[i * w->ring];
    }
}

static bool all_shown(const struct watchers *w)
{
    uint64_t streams = w->settings->streams;
    struct event_counts counts = event_client_counts(w->client);
    return counts.open == streams && (w->is_raw || w->shown == streams * w->follow);
}

static enum err open_all(struct watchers *w, bool (*go_on)(void), struct err_note *note)
{
    int64_t until_ms = clock_mono_ms() + OPEN_MS_MAX;
    struct event_counts counts = {0};
    while (!all_shown(w) && counts.lost == 0 && go_on() && clock_mono_ms() < until_ms) {
        event_client_poll(w->client, POLL_MS);
        counts = event_client_counts(w->client);
    }
    if (!all_shown(w)) {
        const char *why = counts.failure == NULL ? "they did not all show something in time" : counts.failure;
        return err_note_set(note, ERR_IO, "%u streams are open: %s", counts.open, why);
    }
    return ERR_OK;
}

enum err watchers_open(
    const struct bench_settings *s,
    uint16_t port,
    struct requests *r,
    bool (*go_on)(void),
    struct watchers **out,
    struct err_note *note)
{
    struct watchers *w = mem_new(sizeof(*w));
    w->settings = s;
    w->requests = r;
    w->counts_only = s->work == BENCH_MIXED;
    w->is_raw = s->subscribe != NULL;
    w->follow = (unsigned)s->follow;
    w->from_us = INT64_MAX;
    w->result.streams = s->streams;
    buf_init(&w->path, PATH_BYTES_MAX);
    make_items(w);
    w->watched = mem_new_array(s->streams * s->follow, sizeof(w->watched[0]));
    choose_items(w);
    struct event_client_options options = {
        .host = s->host, .port = port, .streams = (unsigned)s->streams, .path = path_cb, .event = event_cb, .ctx = w};
    enum err e = event_client_new(&options, &w->client, note);
    e = e == ERR_OK ? open_all(w, go_on, note) : e;
    if (e != ERR_OK) {
        watchers_free(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void watchers_free(struct watchers *w)
{
    if (w == NULL) {
        return;
    }
    event_client_free(w->client);
    buf_release(&w->path);
    mem_free(w->items);
    mem_free(w->rings);
    mem_free(w->watched);
    mem_free(w);
}

static void begin_cb(void *ctx, int64_t from_us, int64_t to_us)
{
    struct watchers *w = ctx;
    w->from_us = from_us;
    w->to_us = to_us;
}

static bool next_cb(void *ctx, unsigned connection, int64_t due_us, struct load_request *out)
{
    struct watchers *w = ctx;
    if (w->counts_only) {
        return requests_next_cb(w->requests, connection, due_us, out);
    }
    uint64_t index = w->is_raw ? 0 : requests_pick(w->requests);
    struct watched_item *item = &w->items[index];
    item->ring[item->sent % w->ring] = (struct change){.due_us = due_us};
    item->sent++;
    if (w->is_raw) {
        request_publish(w->requests, connection, w->settings->publish, out);
    } else {
        request_adjust(w->requests, connection, index, out);
    }
    return true;
}

static uint64_t done_cb(void *ctx, unsigned connection, const struct load_answer *answer)
{
    const struct watchers *w = ctx;
    return requests_judge(w->requests, connection, answer);
}

static void turn_cb(void *ctx)
{
    struct watchers *w = ctx;
    event_client_poll(w->client, 0);
}

struct drive_work watchers_work(struct watchers *w)
{
    return (struct drive_work){
        .ctx = w,
        .begin = begin_cb,
        .next = next_cb,
        .done = done_cb,
        .fd = event_client_fd(w->client),
        .turn = turn_cb,
    };
}

enum err watchers_end(struct watchers *w, struct watchers_result *out, struct err_note *note)
{
    for (int64_t until_ms = clock_mono_ms() + LINGER_MS; clock_mono_ms() < until_ms;) {
        event_client_poll(w->client, POLL_MS);
    }
    *out = w->result;
    struct event_counts counts = event_client_counts(w->client);
    if (counts.lost > 0) {
        return err_note_set(note, ERR_IO, "%u streams were lost: %s", counts.lost, counts.failure);
    }
    return ERR_OK;
}
