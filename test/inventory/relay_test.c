/* The relay on a store and a bus of the test's own: what reaches the bus, in which order, and after what failures. */
#include "test.h"

#include "base/mem.h"
#include "base/random.h"
#include "inventory/relay.h"

#include <stdio.h>

#define NOW_MS 1800000000000LL
#define MONO_MS_MAX 20000

/* A store of which only numbers matter, and a bus that remembers by number what it has. */
struct world {
    struct store_reader reader;
    struct bus bus;
    uint64_t epoch, seq, items;
    uint64_t told_seq, told_items;         /* by the last head */
    struct bus_position told[MONO_MS_MAX]; /* by the last head at that time; index: mono_ms */
    unsigned grows;                        /* so many heads are followed by a commit of an item and a movement of it */
    enum err read_error;

    struct random random;
    unsigned failing_of; /* one in so many publishes fails, after a part of it arrived; 0: none */
    bool tells_last;
    uint64_t has_seq, has_items; /* complete up to here at the broker */
    uint64_t published;          /* rows, repeated ones too */
    uint64_t lowest_again;       /* the lowest seq that was published a second time */
    struct bus_position position;
    unsigned positions;
    struct relay *relay;
    int64_t mono_ms; /* 0: the time is real */
};

static struct world *from_reader(struct store_reader *r)
{
    return CONTAINER_OF(r, struct world, reader);
}

static struct world *from_bus(struct bus *b)
{
    return CONTAINER_OF(b, struct world, bus);
}

static enum err head(struct store_reader *r, struct store_head *out)
{
    struct world *w = from_reader(r);
    *out = (struct store_head){.epoch = w->epoch, .seq = w->seq, .items = w->items};
    w->told_seq = w->seq;
    w->told_items = w->items;
    check(w->mono_ms < MONO_MS_MAX);
    w->told[w->mono_ms].seq = w->seq;
    w->told[w->mono_ms].items = w->items;
    if (w->grows > 0) {
        w->grows--;
        w->items++;
        w->seq++;
    }
    return w->read_error;
}

static enum err
catalogue(struct store_reader *r, uint32_t after_item, uint32_t limit, item_fn item, level_fn level, void *ctx)
{
    const struct world *w = from_reader(r);
    assert_null(level);
    for (uint32_t n = after_item + 1; n <= w->items && n <= after_item + limit; n++) {
        struct item_row row = {.item = n, .sku = STR("sku"), .defined_ms = NOW_MS};
        assert_true(item(ctx, &row));
    }
    return w->read_error;
}

static enum err movements(struct store_reader *r, const struct movement_filter *filter, movement_fn fn, void *ctx)
{
    const struct world *w = from_reader(r);
    for (uint64_t n = filter->after_seq + 1; n <= w->seq && n <= filter->after_seq + filter->limit; n++) {
        struct movement m = {
            .seq = n, .item = 1, .location = 1, .sku = STR("sku"), .location_id = STR("leeds"), .version = n};
        m.after.of[QUANTITY_ON_HAND] = (int64_t)n;
        assert_true(fn(ctx, &m));
    }
    return w->read_error;
}

static const struct store_reader_ops reader_ops = {.head = head, .catalogue = catalogue, .movements = movements};

/* A row may come again, but none may be left out. */
static void take_level(struct world *w, const struct level_row *row)
{
    assert_true(row->seq <= w->has_seq + 1);
    assert_int_equal(row->quantities.of[QUANTITY_ON_HAND], row->seq);
    if (row->seq <= w->has_seq && (w->lowest_again == 0 || row->seq < w->lowest_again)) {
        w->lowest_again = row->seq;
    }
    w->has_seq = row->seq > w->has_seq ? row->seq : w->has_seq;
    assert_true(row->seq <= w->told_seq && w->has_items >= w->told_items); /* items come first */
}

/* Never less than the store had at that time. */
static void check_position(const struct world *w, const struct bus_position *p)
{
    int64_t at_ms = w->mono_ms == 0 ? 0 : p->time_ms - NOW_MS;
    assert_in_range(at_ms, 0, MONO_MS_MAX - 1);
    assert_true(w->told[at_ms].seq > 0 || w->told[at_ms].items > 0);
    assert_true(p->seq >= w->told[at_ms].seq && p->items >= w->told[at_ms].items);
}

static enum err publish(struct bus *b, const struct bus_message *m, struct err_note *note)
{
    struct world *w = from_bus(b);
    bool fails = w->failing_of != 0 && random_below(&w->random, w->failing_of) == 0;
    size_t levels = fails && m->levels_len > 0 ? random_below(&w->random, m->levels_len) : m->levels_len;
    size_t items = fails && m->items_len > 0 ? random_below(&w->random, m->items_len) : m->items_len;
    assert_in_range(m->levels_len + m->items_len, 0, RELAY_PAGE);
    for (size_t i = 0; i < items; i++) {
        assert_true(m->items[i].item <= w->has_items + 1);
        w->has_items = m->items[i].item > w->has_items ? m->items[i].item : w->has_items;
    }
    for (size_t i = 0; i < levels; i++) {
        take_level(w, &m->levels[i]);
    }
    w->published += levels + items;
    if (fails) {
        return err_note_set(note, ERR_IO, "the broker is away");
    }
    if (m->position.time_ms != 0) {
        assert_true(w->has_seq >= m->position.seq && w->has_items >= m->position.items);
        check_position(w, &m->position);
        w->position = m->position;
        w->positions++;
    }
    return ERR_OK;
}

static enum err last(struct bus *b, struct bus_position *out, struct err_note *note)
{
    const struct world *w = from_bus(b);
    (void)note;
    if (!w->tells_last) {
        return ERR_NOT_FOUND;
    }
    out->seq = w->has_seq;
    out->items = w->has_items;
    return ERR_OK;
}

static const struct bus_ops bus_ops = {.name = "test", .publish = publish, .last = last};

static void begin_life(struct world *w)
{
    relay_free(w->relay);
    w->epoch++;
    w->relay = relay_new(&(struct relay_options){.reader = &w->reader, .bus = &w->bus, .epoch = w->epoch});
}

static int setup(void **state)
{
    struct world *w = mem_new(sizeof(*w));
    w->reader.ops = &reader_ops;
    w->bus.ops = &bus_ops;
    w->tells_last = true;
    w->mono_ms = 1000;
    random_init(&w->random, 7);
    begin_life(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    relay_free(w->relay);
    mem_free(w);
    return 0;
}

static enum relay_next step(struct world *w)
{
    struct err_note note = {""};
    enum relay_next next = relay_step(w->relay, w->mono_ms, NOW_MS + w->mono_ms, &note);
    assert_true(next != RELAY_RETRY || note.text[0] != '\0');
    return next;
}

static void publish_all(struct world *w)
{
    enum relay_next next;
    int steps = 0;
    while ((next = step(w)) != RELAY_REST) {
        assert_true(next == RELAY_GO_ON || next == RELAY_RETRY);
        assert_true(++steps < 100000);
    }
}

static void what_is_committed_is_published_once_and_in_order(void **state)
{
    struct world *w = *state;
    w->items = 2500;
    w->seq = 3300;
    publish_all(w);
    assert_int_equal(w->has_seq, 3300);
    assert_int_equal(w->has_items, 2500);
    assert_int_equal(w->published, 5800);
    assert_int_equal(w->position.seq, 3300);
    assert_int_equal(w->position.items, 2500);
    assert_int_equal(w->position.epoch, w->epoch);
}

static void nothing_is_left_out_when_the_broker_fails_now_and_then(void **state)
{
    struct world *w = *state;
    w->failing_of = 3;
    w->tells_last = false;
    for (int i = 0; i < 200; i++) {
        w->items += random_below(&w->random, 30);
        w->seq += w->items == 0 ? 0 : random_below(&w->random, 2000);
        publish_all(w);
        assert_int_equal(w->has_seq, w->seq);
        assert_int_equal(w->has_items, w->items);
    }
}

/* What is committed between the look at the head and the read of the rows waits for the next look. */
static void items_come_first_also_when_they_are_just_committed(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 1;
    publish_all(w);
    w->seq++;
    w->grows = 10;
    while (w->grows > 0) {
        publish_all(w);
    }
    publish_all(w);
    assert_int_equal(w->has_seq, 12);
    assert_int_equal(w->has_items, 11);
    assert_int_equal(w->position.seq, 12);
    assert_int_equal(w->position.items, 11);
}

static void a_new_leader_goes_on_where_the_broker_ends(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 50;
    publish_all(w);
    begin_life(w);
    w->seq = 60;
    publish_all(w);
    assert_int_equal(w->published, 61);
}

static void a_wiped_broker_gets_everything_again(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 5000;
    publish_all(w);
    w->has_seq = 0;
    w->has_items = 0;
    w->failing_of = 1;
    w->mono_ms += RELAY_POSITION_MS;
    assert_int_equal(step(w), RELAY_RETRY);
    w->has_seq = 0;
    w->has_items = 0;
    w->failing_of = 0;
    publish_all(w);
    assert_int_equal(w->has_seq, 5000);
    assert_int_equal(w->has_items, 1);
}

/* With a bus that can tell what it has, and with one that cannot: the relay knows what it has published. */
static void all_that_is_committed_in_an_outage_is_published(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 1;
    for (int tells = 0; tells <= 1; tells++) {
        w->tells_last = tells;
        w->failing_of = 0;
        publish_all(w);
        w->failing_of = 1;
        w->seq += 3 * RELAY_AGAIN;
        assert_int_equal(step(w), RELAY_RETRY);
        assert_true(w->has_seq < w->seq - RELAY_AGAIN);
        w->failing_of = 0;
        publish_all(w);
        assert_int_equal(w->has_seq, w->seq); /* and none was left out: take_level() */
    }
}

static void who_cannot_know_publishes_the_newest_again(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 1;
    publish_all(w);
    w->seq = RELAY_AGAIN + 777;
    publish_all(w);
    w->tells_last = false;
    begin_life(w);
    publish_all(w);
    assert_int_equal(w->lowest_again, 778);
}

/* The end of what is committed is always ten pages away. */
static void under_a_load_that_never_ends_positions_are_said(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 10 * RELAY_PAGE;
    for (int i = 0; i < 100; i++) {
        w->mono_ms += 10;
        w->seq += RELAY_PAGE;
        assert_int_equal(step(w), RELAY_GO_ON);
        assert_true(i < 30 || w->position.time_ms >= NOW_MS + w->mono_ms - 300);
    }
    assert_true(w->has_seq < w->seq);
}

static void the_position_is_said_again_and_again(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 1;
    publish_all(w);
    unsigned said = w->positions;
    for (int i = 0; i < 100; i++) {
        w->mono_ms += RELAY_POSITION_MS / 10;
        publish_all(w);
    }
    assert_int_equal(w->positions, said + 10);
    assert_int_equal(w->position.time_ms, NOW_MS + w->mono_ms);
}

static void a_deposed_leader_says_nothing_more(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 10;
    publish_all(w);
    w->epoch++;
    w->seq = 20;
    w->mono_ms += RELAY_POSITION_MS;
    assert_int_equal(step(w), RELAY_END);
    assert_int_equal(w->has_seq, 10);
}

static void a_store_that_cannot_be_read_is_tried_again(void **state)
{
    struct world *w = *state;
    w->items = 1;
    w->seq = 10;
    w->read_error = ERR_IO;
    assert_int_equal(step(w), RELAY_RETRY);
    assert_int_equal(w->published, 0);
    w->read_error = ERR_OK;
    publish_all(w);
    assert_int_equal(w->has_seq, 10);
    struct relay_metrics m;
    relay_metrics(w->relay, &m);
    assert_int_equal(m.seq, 10);
    assert_int_equal(m.committed, 10);
    assert_int_equal(m.failures, 1);
}

/* The thread ends with everything published, and is woken by a commit. */
static void the_thread_publishes_before_it_ends(void **state)
{
    struct world *w = *state;
    w->mono_ms = 0;
    w->items = 1;
    w->seq = 4321;
    assert_int_equal(relay_start(w->relay, NULL), ERR_OK);
    relay_wake(w->relay);
    relay_stop(w->relay);
    assert_int_equal(w->has_seq, 4321);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_committed_is_published_once_and_in_order),
        TEST(nothing_is_left_out_when_the_broker_fails_now_and_then),
        TEST(items_come_first_also_when_they_are_just_committed),
        TEST(a_new_leader_goes_on_where_the_broker_ends),
        TEST(a_wiped_broker_gets_everything_again),
        TEST(all_that_is_committed_in_an_outage_is_published),
        TEST(who_cannot_know_publishes_the_newest_again),
        TEST(under_a_load_that_never_ends_positions_are_said),
        TEST(the_position_is_said_again_and_again),
        TEST(a_deposed_leader_says_nothing_more),
        TEST(a_store_that_cannot_be_read_is_tried_again),
        TEST(the_thread_publishes_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
