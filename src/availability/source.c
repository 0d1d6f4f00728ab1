#include "availability/source.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <string.h>

#define URLS_MAX 16
#define ANSWER_BYTES_MAX (64 * 1024 * 1024)
#define CONNECT_WAIT_MS 1000

struct source {
    char *text; /* the addresses, cut apart */
    const char *urls[URLS_MAX];
    size_t urls_len;
    size_t at; /* the one that answered last */
    CURL *curl;
    struct buf answer;
    atomic_bool ended;
};

/* What is asked for begins with a slash. */
static void trim_slashes(char *url)
{
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--) {
        url[len - 1] = '\0';
    }
}

struct source *source_new(const char *urls)
{
    struct source *s = mem_new(sizeof(*s));
    s->text = mem_copy_str(str_from(urls));
    char *rest = NULL;
    for (char *url = strtok_r(s->text, ", ", &rest); url != NULL; url = strtok_r(NULL, ", ", &rest)) {
        if (s->urls_len < URLS_MAX) {
            trim_slashes(url);
            s->urls[s->urls_len++] = url;
        }
    }
    buf_init(&s->answer, ANSWER_BYTES_MAX);
    s->curl = curl_easy_init();
    check(s->curl != NULL);
    return s;
}

void source_free(struct source *s)
{
    if (s == NULL) {
        return;
    }
    curl_easy_cleanup(s->curl);
    buf_release(&s->answer);
    mem_free(s->text);
    mem_free(s);
}

/*
 * Asking.
 */

static size_t take_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct buf *answer = ctx;
    buf_put(answer, bytes, size * count);
    return answer->overflowed ? 0 : size * count;
}

void source_end(struct source *s)
{
    atomic_store(&s->ended, true);
}

/* libcurl asks now and then whether it should go on. */
static int progress_cb(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    struct source *s = ctx;
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return atomic_load(&s->ended) ? 1 : 0;
}

static void set(CURL *curl, CURLoption option, long value)
{
    CURLcode code = curl_easy_setopt(curl, option, value);
    check(code == CURLE_OK);
}

/* How long an address is waited for. */
struct patience {
    long all_ms;
    long silence_s; /* 0: no limit of its own */
};

static CURLcode perform(struct source *s, const char *url, struct patience patience)
{
    curl_easy_reset(s->curl);
    set(s->curl, CURLOPT_NOSIGNAL, 1);
    set(s->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_WAIT_MS);
    set(s->curl, CURLOPT_TIMEOUT_MS, patience.all_ms);
    set(s->curl, CURLOPT_LOW_SPEED_LIMIT, patience.silence_s > 0 ? 1 : 0);
    set(s->curl, CURLOPT_LOW_SPEED_TIME, patience.silence_s);
    CURLcode code = curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    check(code == CURLE_OK);
    code = curl_easy_setopt(s->curl, CURLOPT_PROXY, ""); /* as for what is forwarded: not that of the environment */
    check(code == CURLE_OK);
    set(s->curl, CURLOPT_NOPROGRESS, 0);
    code = curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, progress_cb);
    check(code == CURLE_OK);
    code = curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, s);
    check(code == CURLE_OK);
    code = curl_easy_setopt(s->curl, CURLOPT_URL, url);
    check(code == CURLE_OK);
    code = curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    check(code == CURLE_OK);
    code = curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, &s->answer);
    check(code == CURLE_OK);
    return curl_easy_perform(s->curl);
}

static enum err
ask(struct source *s, const char *base, const char *target, struct patience patience, struct err_note *note)
{
    char url[2048];
    int len = snprintf(url, sizeof(url), "%s%s", base, target);
    if (len < 0 || (size_t)len >= sizeof(url)) {
        return err_note_set(note, ERR_CONFIG, "an address of inventory is too long");
    }
    buf_clear(&s->answer);
    CURLcode code = perform(s, url, patience);
    if (code != CURLE_OK) {
        return err_note_set(note, ERR_IO, "%s: %s", base, curl_easy_strerror(code));
    }
    long status = 0;
    code = curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    check(code == CURLE_OK);
    return status == 200 ? ERR_OK : err_note_set(note, ERR_IO, "%s: status %ld", base, status);
}

/*
 * Reading what came: false when it is not what inventory answers.
 */

static bool get_number(const json_t *object, const char *name, int64_t least, int64_t most, int64_t *out)
{
    const json_t *v = json_object_get(object, name);
    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= least && *out <= most;
}

static bool get_count(const json_t *object, const char *name, uint64_t *out)
{
    int64_t number = 0;
    bool good = get_number(object, name, 0, INT64_MAX, &number);
    *out = (uint64_t)number;
    return good;
}

static bool get_text(const json_t *object, const char *name, struct str *out)
{
    const json_t *v = json_object_get(object, name);
    *out = json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)} : STR_NONE;
    return json_is_string(v);
}

static bool get_time(const json_t *object, const char *name, int64_t *out)
{
    struct str text;
    return get_text(object, name, &text) && text.len == TIME_TEXT_LEN && time_from_text(text.ptr, out);
}

static bool get_quantities(const json_t *object, struct quantities *out)
{
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        if (!get_number(object, quantity_name((enum quantity)q).ptr, 0, QUANTITY_MAX, &out->of[q])) {
            return false;
        }
    }
    return true;
}

static bool get_level(const json_t *object, struct str sku, struct level_row *out)
{
    *out = (struct level_row){.sku = sku};
    return get_text(object, "location", &out->location_id) && str_is_location(out->location_id) &&
        get_count(object, "version", &out->version) && get_count(object, "seq", &out->seq) && out->version > 0 &&
        out->version <= LEVEL_VERSION_MAX;
}

static bool get_item(const json_t *object, struct bus_item *out)
{
    int64_t number = 0;
    bool good = get_number(object, "number", 1, ITEMS_MAX, &number) && get_text(object, "sku", &out->sku) &&
        str_is_sku(out->sku) && get_time(object, "defined_at", &out->time_ms);
    out->item = (uint32_t)number;
    return good;
}

static bool take_item(const json_t *object, struct collect *out)
{
    struct bus_item item;
    const json_t *levels = json_object_get(object, "levels");
    if (!get_item(object, &item) || !json_is_array(levels)) {
        return false;
    }
    collect_item(out, &item);
    for (size_t i = 0; i < json_array_size(levels); i++) {
        const json_t *level = json_array_get(levels, i);
        struct level_row row;
        if (!get_level(level, item.sku, &row) || !get_quantities(level, &row.quantities) ||
            !get_time(level, "updated_at", &row.time_ms)) {
            return false;
        }
        collect_level(out, &row);
    }
    return true;
}

static bool take_position(const json_t *object, struct bus_position *out)
{
    return get_count(object, "epoch", &out->epoch) && get_count(object, "seq", &out->seq) &&
        get_count(object, "items", &out->items) && get_time(object, "time", &out->time_ms);
}

static bool take_page(const json_t *root, struct collect *out, bool *last)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *next = json_object_get(json_object_get(root, "page"), "next");
    bool good = take_position(json_object_get(root, "position"), &out->position) && json_is_array(data) &&
        (json_is_null(next) || json_is_integer(next));
    for (size_t i = 0; good && i < json_array_size(data); i++) {
        good = take_item(json_array_get(data, i), out);
    }
    *last = json_is_null(next);
    return good;
}

static bool take_movement(const json_t *object, struct collect *out)
{
    struct level_row row;
    struct str sku;
    bool good = get_text(object, "sku", &sku) && str_is_sku(sku) && get_level(object, sku, &row) &&
        get_quantities(json_object_get(object, "after"), &row.quantities) && get_time(object, "at", &row.time_ms);
    if (good) {
        collect_level(out, &row);
    }
    return good;
}

static bool take_movements(const json_t *root, struct collect *out)
{
    const json_t *data = json_object_get(root, "data");
    bool good = json_is_array(data);
    for (size_t i = 0; good && i < json_array_size(data); i++) {
        good = take_movement(json_array_get(data, i), out);
    }
    return good;
}

struct question {
    char target[128];
    uint64_t after;
    struct collect *out;
    bool *last;   /* NULL: movements are asked for */
    bool hurried; /* for a position */
};

/* The numbers go on behind what was asked for, without gaps: else the next question would be the same one. */
static bool leads_on(const struct question *q)
{
    const struct collect *c = q->out;
    for (size_t i = 0; i < c->items_len; i++) {
        if (c->items[i].item != q->after + 1 + i) {
            return false;
        }
    }
    for (size_t i = 0; q->last == NULL && i < c->levels_len; i++) {
        if (c->levels[i].seq != q->after + 1 + i) {
            return false;
        }
    }
    return q->last == NULL || *q->last || c->items_len > 0;
}

/*
 * Asking one address after the other, first the one that answered last. One that answers, but not as inventory does, is
 * passed over like one that is away.
 */

static bool take_answer(const struct source *s, const struct question *q)
{
    json_t *root = json_loadb(s->answer.ptr, s->answer.len, JSON_REJECT_DUPLICATES, NULL);
    collect_clear(q->out);
    bool good = root != NULL && (q->last != NULL ? take_page(root, q->out, q->last) : take_movements(root, q->out));
    json_decref(root);
    return good && leads_on(q);
}

static struct patience patience(const struct question *q, bool is_last)
{
    return q->hurried ? (struct patience){SOURCE_POSITION_MS, 0}
                      : (struct patience){SOURCE_WAIT_MS, is_last ? 0 : SOURCE_SILENCE_S};
}

/* Whoever fails is asked last the next time. */
static enum err ask_one(struct source *s, const struct question *q, bool is_last, struct err_note *note)
{
    const char *url = s->urls[s->at];
    enum err e = ask(s, url, q->target, patience(q, is_last), note);
    if (e == ERR_OK && !take_answer(s, q)) {
        e = err_note_set(note, ERR_IO, "%s: not an answer of inventory", url);
    }
    if (e != ERR_OK) {
        s->at = (s->at + 1) % s->urls_len;
    }
    return e;
}

static enum err ask_all(struct source *s, const struct question *q, struct err_note *note)
{
    enum err e = err_note_set(note, ERR_IO, "no address of inventory is configured");
    size_t len = q->hurried && s->urls_len > 0 ? 1 : s->urls_len;
    for (size_t i = 0; i < len && e != ERR_OK && !atomic_load(&s->ended); i++) {
        e = ask_one(s, q, i + 1 == len, note);
    }
    return e;
}

static enum err
ask_catalogue(struct source *s, uint64_t after, struct collect *out, bool *last, bool hurried, struct err_note *note)
{
    struct question q = {.after = after, .out = out, .last = last, .hurried = hurried};
    (void)snprintf(q.target, sizeof(q.target), "/v1/snapshot?after_item=%" PRIu64 "&limit=%d", after, SOURCE_PAGE);
    return ask_all(s, &q, note);
}

enum err source_catalogue(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note)
{
    return ask_catalogue(s, after, out, last, false, note);
}

enum err source_position(struct source *s, uint64_t after, struct collect *out, bool *last, struct err_note *note)
{
    return ask_catalogue(s, after, out, last, true, note);
}

enum err source_movements(struct source *s, uint64_t after, struct collect *out, struct err_note *note)
{
    struct question q = {.after = after, .out = out};
    (void)snprintf(q.target, sizeof(q.target), "/v1/movements?after_seq=%" PRIu64 "&limit=%d", after, SOURCE_PAGE);
    return ask_all(s, &q, note);
}
