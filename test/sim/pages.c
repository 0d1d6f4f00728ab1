/* Open pages: they follow items, read slowly or fast, come and go, and remember the last id as a browser does. */
#include "world.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX (1024 * 1024)

static void page_wake(void *ctx)
{
    struct page *p = ctx;
    promise(!p->awake, "I10", "a page is woken twice");
    p->awake = true;
}

static void page_break(struct page *p)
{
    if (p->stream != NULL) {
        stream_close(p->stream);
        p->stream = NULL;
    }
    p->awake = false;
    buf_clear(&p->text);
}

static void page_cut(void *ctx)
{
    struct page *p = ctx;
    mark(MARK_PAGE_CUT);
    promise(p->slow, "I16", "a page that reads is cut off");
    page_break(p);
}

/* --- what it is told ------------------------------------------------------------------------------------------------- */

static bool line_after(struct str line, const char *field, struct str *out)
{
    size_t len = strlen(field);
    if (line.len < len || memcmp(line.ptr, field, len) != 0) {
        return false;
    }
    *out = (struct str){line.ptr + len, line.len - len};
    return true;
}

static uint64_t number_after(struct str json, const char *name)
{
    const char *at = memmem(json.ptr, json.len, name, strlen(name));
    promise(at != NULL, "I10", "a frame without %s: %.*s", name, STR_ARG(json));
    return strtoull(at + strlen(name), NULL, 10);
}

static uint32_t item_of(const struct page *p, struct str json)
{
    struct str rest = STR_NONE;
    promise(line_after(json, "{\"sku\":\"", &rest), "I10", "a frame of nothing: %.*s", STR_ARG(json));
    const char *end = memchr(rest.ptr, '"', rest.len);
    promise(end != NULL, "I10", "a frame without an end");
    uint32_t item = model_item(&p->world->model, (struct str){rest.ptr, (size_t)(end - rest.ptr)});
    bool followed = false;
    for (size_t i = 0; i < p->items_len; i++) {
        followed = followed || p->items[i] == item;
    }
    promise(item != 0 && followed, "I10", "told of an item that it does not follow: %.*s", STR_ARG(json));
    return item;
}

static void take_frame(struct page *p, struct str json)
{
    struct world *w = p->world;
    uint32_t item = item_of(p, json);
    uint64_t version = number_after(json, "\"version\":");
    const struct model_shown *m = model_shown(&w->model, item, version);
    promise(m != NULL, "I10", "told version %llu of item %u, which never was", (unsigned long long)version, item);
    promise(
        number_after(json, "\"quantity\":") == (uint64_t)m->available && number_after(json, "\"seq\":") == m->seq,
        "I10", "told otherwise than it is: %.*s", STR_ARG(json));
    if (p->known[item]) {
        promise(
            p->told[item] ? version > p->version[item] : version >= p->version[item], "I9",
            "item %u: told version %llu after %llu", item, (unsigned long long)version,
            (unsigned long long)p->version[item]);
        const struct model_shown *before = model_shown(&w->model, item, p->version[item]);
        if (m > before + 1) {
            mark(MARK_PAGE_COALESCED);
        }
    }
    p->known[item] = true;
    p->told[item] = true;
    p->version[item] = version;
    p->frames++;
}

/* An id says: who comes back with it needs only what changed after this seq. */
static void take_id(struct page *p, struct str id)
{
    struct world *w = p->world;
    struct stream_resume r = {.given = false};
    promise(stream_resume_parse(id, &r) && id.len < sizeof(p->last_id), "I10", "an id that is none: %.*s", STR_ARG(id));
    promise(r.epoch == w->life->head.epoch, "I10", "an id of another life");
    promise(r.seq <= model_seq(&w->model), "I10", "an id of the future");
    snprintf(p->last_id, sizeof(p->last_id), "%.*s", STR_ARG(id));
    for (size_t i = 0; i < p->items_len; i++) {
        const struct shelf_entry *e = view_find(&w->life->view, str_from(w->model.items[p->items[i]].sku));
        const struct shown *now = shelf_entry_shown(e);
        promise(
            now->seq > r.seq || (p->known[p->items[i]] && p->version[p->items[i]] == now->version), "I10",
            "the id %.*s says that item %u was told up to version %llu, it was to %llu", STR_ARG(id), p->items[i],
            (unsigned long long)now->version, (unsigned long long)p->version[p->items[i]]);
    }
}

static void take_reset(struct page *p)
{
    promise(p->expect_reset && p->fresh, "I10", "a reset out of nothing");
    memset(p->known, 0, sizeof(p->known));
    p->last_id[0] = '\0';
    p->expect_reset = false;
    mark(MARK_PAGE_RESET);
}

static struct str line_take(struct str *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    promise(end != NULL, "I10", "an event without an end");
    struct str line = {rest->ptr, (size_t)(end - rest->ptr)};
    rest->ptr = end + 1;
    rest->len -= line.len + 1;
    return line;
}

static void take_block(struct page *p, struct str block)
{
    struct str id = STR_NONE;
    struct str event = STR_NONE;
    struct str data = STR_NONE;
    struct str retry = STR_NONE;
    while (block.len > 0) {
        struct str line = line_take(&block);
        if (str_equal(line, STR(":"))) {
            mark(MARK_PAGE_HEARTBEAT);
        } else if (
            !line_after(line, "retry: ", &retry) && !line_after(line, "id: ", &id) &&
            !line_after(line, "event: ", &event) && !line_after(line, "data: ", &data)) {
            broken("I10", "a line that is none: %.*s", STR_ARG(line));
        }
    }
    if (str_equal(event, STR("reset"))) {
        take_reset(p);
    } else if (!str_is_absent(data)) {
        promise(!p->expect_reset, "I10", "an id of another life is taken for one of this");
        take_frame(p, data);
        p->fresh = false;
        if (!str_is_absent(id)) {
            take_id(p, id);
        }
    }
}

static void take_text(struct page *p)
{
    size_t at = 0;
    for (;;) {
        const char *from = p->text.ptr + at;
        const char *end = p->text.len > at ? memmem(from, p->text.len - at, "\n\n", 2) : NULL;
        if (end == NULL) {
            break;
        }
        size_t len = (size_t)(end - from) + 1;
        take_block(p, (struct str){from, len});
        at += len + 1;
    }
    size_t rest = p->text.len - at;
    if (rest > 0 && at > 0) {
        memmove(p->text.ptr, p->text.ptr + at, rest);
    }
    p->text.len = rest;
}

/* --- what it does ------------------------------------------------------------------------------------------------------ */

static size_t page_read(struct page *p, size_t size)
{
    p->unread = false;
    char out[8192];
    check(size <= sizeof(out));
    size_t len = stream_fill(p->stream, out, size, world_mono_ms(p->world));
    promise(len <= size, "I16", "a page is given more than it asked for");
    p->awake = len > 0;
    buf_put(&p->text, out, len);
    check(!p->text.overflowed);
    take_text(p);
    if (p->text.len > 0) {
        mark(MARK_PAGE_SPLIT_FRAME);
    }
    return len;
}

static void page_choose(struct page *p)
{
    struct world *w = p->world;
    p->items_len = 0;
    for (uint32_t item = 1; item <= w->model.items_len; item++) {
        if (view_find(&w->life->view, str_from(w->model.items[item].sku)) != NULL && world_chance(w, 2)) {
            p->items[p->items_len++] = item;
        }
    }
    memset(p->known, 0, sizeof(p->known));
    p->last_id[0] = '\0';
}

/* The items that it follows may not be known yet to a view that was just built. */
static bool entries_of(const struct page *p, struct shelf_entry **out)
{
    for (size_t i = 0; i < p->items_len; i++) {
        out[i] = view_find(&p->world->life->view, str_from(p->world->model.items[p->items[i]].sku));
        if (out[i] == NULL) {
            return false;
        }
    }
    return p->items_len > 0;
}

static void page_open(struct page *p)
{
    struct world *w = p->world;
    struct shelf_entry *entries[MODEL_ITEMS_MAX];
    if (p->items_len == 0 || world_chance(w, 8)) {
        page_choose(p);
    }
    if (!entries_of(p, entries)) {
        return;
    }
    struct stream_resume resume = {.given = false};
    if (p->last_id[0] != '\0') {
        bool parsed = stream_resume_parse(str_from(p->last_id), &resume);
        check(parsed);
    } else {
        memset(p->known, 0, sizeof(p->known)); /* it broke off before it had an id: it begins with nothing */
    }
    p->expect_reset = resume.given && resume.epoch != w->life->head.epoch;
    if (resume.given && !p->expect_reset) {
        mark(MARK_PAGE_RESUMED);
    }
    mark(MARK_PAGE_OPENED);
    p->fresh = true;
    p->awake = true;
    p->slow = world_chance(w, 4);
    p->unread = true;
    p->opened_ms = world_mono_ms(w);
    memset(p->told, 0, sizeof(p->told));
    struct stream_io io = {.ctx = p, .wake = page_wake, .cut = page_cut};
    p->stream = stream_open(w->life->hub, entries, p->items_len, resume, w->life->head.epoch, io, world_mono_ms(w));
}

void pages_act(struct world *w)
{
    if (w->life == NULL || !w->plan.pages) {
        return;
    }
    struct page *p = &w->pages[world_below(w, PAGES)];
    if (p->stream == NULL) {
        if (world_chance(w, 3)) {
            page_open(p);
        }
    } else if (world_chance(w, 60)) {
        page_break(p);
    } else if (p->awake && (!p->slow || world_chance(w, 100))) {
        (void)page_read(p, 1 + world_below(w, world_chance(w, 3) ? 40 : 2000));
    }
}

void pages_check(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        const struct page *p = &w->pages[i];
        promise(
            p->stream == NULL || !p->unread || world_mono_ms(w) - p->opened_ms < STREAM_UNREAD_MS_MAX, "I16",
            "a page that does not read is kept");
    }
}

void pages_lose(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        page_break(&w->pages[i]);
    }
}

static void page_settle(struct page *p)
{
    const struct world *w = p->world;
    for (int i = 0; i < 1000 && p->awake; i++) {
        (void)page_read(p, 4096);
    }
    promise(!p->awake, "liveness", "a page is told things without end");
    for (size_t i = 0; i < p->items_len; i++) {
        const struct model_item *item = &w->model.items[p->items[i]];
        promise(
            p->known[p->items[i]] && p->version[p->items[i]] == item->shown[item->shown_len - 1].version, "I10",
            "a page is left with version %llu of item %u, not %llu", (unsigned long long)p->version[p->items[i]],
            p->items[i], (unsigned long long)item->shown[item->shown_len - 1].version);
    }
}

void pages_settle(struct world *w)
{
    life_run_hub(w->life);
    for (size_t i = 0; i < PAGES && w->plan.pages; i++) {
        if (w->pages[i].stream == NULL) {
            page_open(&w->pages[i]);
        }
        if (w->pages[i].stream != NULL) {
            page_settle(&w->pages[i]);
        }
    }
}

void pages_init(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        w->pages[i].world = w;
        buf_init(&w->pages[i].text, TEXT_BYTES_MAX);
    }
}

void pages_release(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        buf_release(&w->pages[i].text);
    }
}

void pages_read_all(struct world *w)
{
    for (size_t i = 0; i < PAGES; i++) {
        struct page *p = &w->pages[i];
        for (int n = 0; n < 1000 && p->stream != NULL && p->awake && !p->slow; n++) {
            (void)page_read(p, 4096);
        }
    }
}
