#include "test.h"

#include "shop.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void count_wake(void *ctx)
{
    struct shop *s = ctx;
    s->wakes++;
}

void shop_init(struct shop *s, uint32_t items, uint32_t locations)
{
    *s = (struct shop){.mono_ms = 1000000};
    feed_init(&s->feed, items, locations);
    struct availability_options options = {.policy = POLICY_DEFAULT};
    s->service = availability_new(&options);
    s->hub = hub_new(count_wake, s);
    for (uint32_t item = 1; item <= items; item++) {
        feed_item(&s->feed, item);
    }
    availability_apply(s->service, feed_take(&s->feed));
}

/* Replaces one open stream, or a free place when it is NULL. */
static void open_replace(struct shop *s, struct stream *from, struct stream *to)
{
    for (size_t i = 0; i < ARRAY_LEN(s->open); i++) {
        if (s->open[i] == from) {
            s->open[i] = to;
            return;
        }
    }
    fail_msg("more clients than a shop has places for");
}

void shop_release(struct shop *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->open); i++) {
        if (s->open[i] != NULL) {
            stream_close(s->open[i]);
        }
    }
    hub_free(s->hub);
    availability_free(s->service);
    feed_release(&s->feed);
    mem_free(s->unmarked);
}

struct shelf_entry *shop_entry(struct shop *s, uint32_t item)
{
    struct shelf_entry *e = availability_find(s->service, feed_sku(&s->feed, item));
    assert_non_null(e);
    return e;
}

void shop_change(struct shop *s, uint32_t item, int64_t available)
{
    feed_level(&s->feed, item, 1, available);
}

static void remember_unmarked(struct shop *s, const struct bus_message *m)
{
    for (size_t i = 0; i < m->levels_len; i++) {
        mem_grow((void **)&s->unmarked, &s->unmarked_cap, s->unmarked_len + 1, sizeof(struct shelf_entry *));
        s->unmarked[s->unmarked_len++] = shop_entry(s, m->levels[i].item);
    }
}

void shop_apply(struct shop *s)
{
    const struct bus_message *m = feed_take(&s->feed);
    availability_apply(s->service, m);
    s->seq_shown = m->seq;
    remember_unmarked(s, m);
}

void shop_apply_half(struct shop *s)
{
    struct bus_message *m = feed_take(&s->feed);
    m->seq = s->seq_shown;
    availability_apply(s->service, m);
    remember_unmarked(s, m);
}

void shop_apply_rest(struct shop *s)
{
    struct bus_message m = {.seq = s->feed.seq};
    availability_apply(s->service, &m);
    s->seq_shown = s->feed.seq;
}

void shop_publish_beyond_gap(struct shop *s)
{
    struct bus_message *m = feed_take(&s->feed);
    m->seq = s->seq_shown;
    m->reach = s->feed.seq;
    availability_apply(s->service, m);
    remember_unmarked(s, m);
    shop_mark(s);
    shop_turn(s);
}

void shop_mark(struct shop *s)
{
    hub_mark(s->hub, s->unmarked, s->unmarked_len, s->mono_ms * 1000000);
    s->unmarked_len = 0;
}

void shop_turn(struct shop *s)
{
    hub_turn(s->hub, s->mono_ms, s->mono_ms * 1000000);
}

void shop_publish(struct shop *s)
{
    shop_apply(s);
    shop_mark(s);
    shop_turn(s);
}

/* --- clients ------------------------------------------------------------------------------------------------ */

static void client_wake(void *ctx)
{
    struct client *c = ctx;
    assert_false(c->awake); /* never twice */
    c->wakes++;
    c->awake = true;
}

static void client_cut(void *ctx)
{
    struct client *c = ctx;
    c->cuts++;
    client_break(c);
}

void client_init(struct client *c, struct shop *s, const uint32_t *items, size_t len)
{
    *c = (struct client){.shop = s, .len = len, .strict = true};
    c->items = mem_new_array(len, sizeof(*c->items));
    memcpy(c->items, items, len * sizeof(*c->items));
    c->states = mem_new_array(s->feed.items_max, sizeof(*c->states));
    buf_init(&c->text, 16 * 1024 * 1024);
}

void client_init_range(struct client *c, struct shop *s, uint32_t first, size_t len)
{
    uint32_t items[STREAM_SKUS_MAX];
    for (uint32_t i = 0; i < len; i++) {
        items[i] = first + i;
    }
    client_init(c, s, items, len);
}

void client_release(struct client *c)
{
    client_break(c);
    for (uint32_t i = 0; i < c->shop->feed.items_max; i++) {
        mem_free(c->states[i].json);
    }
    mem_free(c->states);
    mem_free(c->items);
    buf_release(&c->text);
}

void client_connect_with(struct client *c, struct stream_resume resume)
{
    struct shelf_entry *entries[STREAM_SKUS_MAX];
    for (size_t i = 0; i < c->len; i++) {
        entries[i] = shop_entry(c->shop, c->items[i]);
    }
    struct stream_io io = {.ctx = c, .wake = client_wake, .cut = client_cut};
    assert_null(c->stream);
    buf_clear(&c->text);
    c->parsed = c->events = c->frames = c->resets = c->comments = 0;
    c->retry_ms = 0;
    c->awake = true;
    c->stream = stream_open(c->shop->hub, entries, c->len, resume, SHOP_EPOCH, io, c->shop->mono_ms);
    open_replace(c->shop, NULL, c->stream);
}

void client_connect(struct client *c)
{
    struct stream_resume resume = {.given = false};
    if (!str_is_absent(c->last_id)) {
        assert_true(stream_resume_parse(c->last_id, &resume));
    }
    client_connect_with(c, resume);
}

void client_break(struct client *c)
{
    if (c->stream != NULL) {
        open_replace(c->shop, c->stream, NULL);
        stream_close(c->stream);
        c->stream = NULL;
        c->awake = false;
    }
}

/* --- parsing as in the HTML standard, as far as it is used ------------------------------------------------------ */

struct event {
    struct str id, name, data;
};

static struct str line_take(struct str *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    assert_non_null(end);
    struct str line = {rest->ptr, (size_t)(end - rest->ptr)};
    rest->ptr = end + 1;
    rest->len -= line.len + 1;
    return line;
}

static bool value_of(struct str line, const char *field, struct str *out)
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
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

static void client_take_frame(struct client *c, struct str json)
{
    struct str sku = STR_NONE;
    assert_true(value_of(json, "{\"sku\":\"SKU-", &sku));
    struct client_state *state = &c->states[strtoul(sku.ptr, NULL, 10) - 1];
    uint64_t version = number_after(json, "\"version\":");
    if (state->known) {
        assert_true(c->strict ? version > state->version : version >= state->version);
    }
    mem_free(state->json);
    *state = (struct client_state){.known = true, .version = version, .json = mem_copy_str(json)};
    c->frames++;
}

static void client_forget(struct client *c)
{
    for (uint32_t i = 0; i < c->shop->feed.items_max; i++) {
        c->states[i].known = false;
    }
    c->resets++;
}

static void client_take_event(struct client *c, const struct event *e)
{
    if (!str_is_absent(e->id)) {
        assert_true(e->id.len < sizeof(c->last_id_text));
        memcpy(c->last_id_text, e->id.ptr, e->id.len);
        c->last_id = (struct str){c->last_id_text, e->id.len};
    }
    if (str_is_absent(e->data)) {
        return;
    }
    c->events++;
    if (str_equal(e->name, STR("reset"))) {
        assert_true(str_equal(e->data, STR("{}")));
        client_forget(c);
    } else {
        assert_true(str_equal(e->name, STR("availability")));
        client_take_frame(c, e->data);
    }
}

static void client_parse_block(struct client *c, struct str block)
{
    struct event e = {STR_NONE, STR_NONE, STR_NONE};
    struct str retry;
    while (block.len > 0) {
        struct str line = line_take(&block);
        if (str_equal(line, STR(":"))) {
            c->comments++;
        } else if (value_of(line, "retry: ", &retry)) {
            assert_int_equal(c->events, 0);
            assert_true(str_to_u64(retry, 100000, &c->retry_ms));
        } else {
            assert_true(
                value_of(line, "id: ", &e.id) || value_of(line, "event: ", &e.name) ||
                value_of(line, "data: ", &e.data));
        }
    }
    client_take_event(c, &e);
}

static void client_parse(struct client *c)
{
    for (;;) {
        const char *from = c->text.ptr + c->parsed;
        const char *end = memmem(from, c->text.len - c->parsed, "\n\n", 2);
        if (end == NULL) {
            return;
        }
        size_t len = (size_t)(end - from) + 1;
        client_parse_block(c, (struct str){from, len});
        c->parsed += len + 1;
    }
}

size_t client_fill(struct client *c, size_t size)
{
    char out[32768];
    assert_true(size <= sizeof(out));
    size_t len = stream_fill(c->stream, out, size, c->shop->mono_ms);
    assert_true(len <= size);
    buf_put(&c->text, out, len);
    assert_false(c->text.overflowed);
    c->awake = len > 0;
    if (len > 0) {
        client_parse(c);
    }
    return len;
}

void client_read_all(struct client *c, size_t size)
{
    while (client_fill(c, size) > 0) {
    }
}

void client_clear_text(struct client *c)
{
    assert_int_equal(c->parsed, c->text.len);
    buf_clear(&c->text);
    c->parsed = 0;
}

void client_assert_up_to_date(const struct client *c)
{
    for (size_t i = 0; i < c->len; i++) {
        const struct client_state *state = &c->states[c->items[i] - 1];
        assert_true(state->known);
        assert_true(str_equal(str_from(state->json), shelf_entry_shown(shop_entry(c->shop, c->items[i]))->json));
    }
}

void client_assert_text(const struct client *c, struct str expected)
{
    struct str found = buf_str(&c->text);
    if (!str_equal(found, expected)) {
        print_error("found:\n%.*s\nexpected:\n%.*s\n", STR_ARG(found), STR_ARG(expected));
    }
    assert_true(str_equal(found, expected));
}

void expect_frame(struct buf *b, struct shop *s, uint32_t item, const char *id)
{
    if (id != NULL) {
        buf_printf(b, "id: %s\n", id);
    }
    struct str json = shelf_entry_shown(shop_entry(s, item))->json;
    buf_printf(b, "event: availability\ndata: %.*s\n\n", STR_ARG(json));
}
