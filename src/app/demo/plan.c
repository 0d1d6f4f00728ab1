#include "app/demo/plan.h"

#include "base/mem.h"

#define OPENING_WEEKS 8
#define OPENING_PERCENT 150
#define OPENING_PERCENT_SHORT 100
#define OPENING_UNITS 24
#define DELIVERY_MEAN_WEEKS 4
#define DELIVERY_COVER_WEEKS 6
#define DELIVERY_COVER_WEEKS_SHORT 2
#define DELIVERY_COVER_WEEKS_TIGHT 1
#define DELIVERY_UNITS 24
#define SHORT_ONE_IN 40
#define POPULAR_ORDERS 900
#define TIGHT_ONE_IN 6

const struct plan_location plan_locations[PLAN_LOCATIONS] = {
    {"leeds", "Warehouse Leeds", 10},
    {"bristol", "Warehouse Bristol", 20},
    {"london", "Store London", 30},
};

/* Percent of the opening stock at each location, and which location the deliveries of a SKU reach in turn. */
static const int opening_share[PLAN_LOCATIONS] = {60, 30, 10};
static const uint32_t delivery_turn[] = {0, 1, 0, 2};

/* Demand by SKU and week. */
struct demand {
    int32_t first_day; /* a Monday */
    size_t weeks;
    int64_t *units; /* [sku * weeks + week] */
};

static int64_t demand_of(const struct demand *d, size_t sku, size_t from, size_t to)
{
    int64_t sum = 0;
    for (size_t week = from; week < to && week < d->weeks; week++) {
        sum += d->units[sku * d->weeks + week];
    }
    return sum;
}

static void demand_make(const struct trade_log *log, struct demand *d)
{
    int32_t first = log->events[0].day;
    int32_t last = first;
    for (size_t i = 0; i < log->events_len; i++) {
        first = log->events[i].day < first ? log->events[i].day : first;
        last = log->events[i].day > last ? log->events[i].day : last;
    }
    d->first_day = first - trade_weekday(first);
    d->weeks = (size_t)((last - d->first_day) / 7) + 1;
    d->units = mem_new_array(log->skus_len * d->weeks, sizeof(d->units[0]));
    for (size_t i = 0; i < log->events_len; i++) {
        const struct trade_event *event = &log->events[i];
        size_t week = (size_t)((event->day - d->first_day) / 7);
        for (uint32_t n = 0; event->kind == TRADE_ORDER && n < event->lines_len; n++) {
            const struct trade_line *line = &log->lines[event->lines_at + n];
            d->units[line->sku * d->weeks + week] += line->quantity;
        }
    }
}

/* FNV-1a: the same in every process, unlike str_hash. */
static uint32_t sku_hash(struct str sku)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sku.len; i++) {
        hash = (hash ^ (unsigned char)sku.ptr[i]) * 16777619u;
    }
    return hash >> 8;
}

/* For how many weeks a delivery fills the stock up. */
static int64_t cover_weeks(const struct trade_sku *sku)
{
    uint32_t hash = sku_hash(sku->sku);
    if (sku->orders >= POPULAR_ORDERS && hash % TIGHT_ONE_IN == 0) {
        return DELIVERY_COVER_WEEKS_TIGHT;
    }
    return hash % SHORT_ONE_IN == 0 ? DELIVERY_COVER_WEEKS_SHORT : DELIVERY_COVER_WEEKS;
}

static void add_line(struct plan *p, size_t sku, uint32_t location, int64_t quantity)
{
    while (quantity > 0) {
        int64_t part = quantity < TRADE_QUANTITY_MAX ? quantity : TRADE_QUANTITY_MAX;
        mem_grow((void **)&p->lines, &p->lines_cap, p->lines_len + 1, sizeof(p->lines[0]));
        p->lines[p->lines_len++] =
            (struct plan_line){.sku = (uint32_t)sku, .location = location, .quantity = (int32_t)part};
        quantity -= part;
    }
}

static size_t first_week_of(const struct demand *d, size_t sku)
{
    size_t week = 0;
    while (week < d->weeks && d->units[sku * d->weeks + week] == 0) {
        week++;
    }
    return week;
}

/* Returns the units. */
static int64_t add_opening(struct plan *p, const struct demand *d, size_t sku, int64_t cover)
{
    size_t first = first_week_of(d, sku);
    if (first == d->weeks) {
        return 0; /* never asked for */
    }
    int64_t asked = demand_of(d, sku, first, first + OPENING_WEEKS);
    int64_t units =
        asked * (cover < DELIVERY_COVER_WEEKS ? OPENING_PERCENT_SHORT : OPENING_PERCENT) / 100 + OPENING_UNITS;
    int64_t left = units;
    for (uint32_t at = PLAN_LOCATIONS - 1; at > 0; at--) {
        int64_t part = units * opening_share[at] / 100;
        add_line(p, sku, at, part);
        left -= part;
    }
    add_line(p, sku, 0, left);
    return units;
}

/* Fills `expected` up at the beginning of a week, after taking off what the week before asked for. */
static void
add_delivery(struct plan *p, const struct demand *d, size_t sku, int64_t cover, size_t week, int64_t *expected)
{
    int64_t left = *expected - demand_of(d, sku, week - 1, week);
    *expected = left > 0 ? left : 0;
    int64_t asked = demand_of(d, sku, week < DELIVERY_MEAN_WEEKS ? 0 : week - DELIVERY_MEAN_WEEKS, week);
    if (week < first_week_of(d, sku) + OPENING_WEEKS || asked == 0) {
        return;
    }
    int64_t spare = cover < DELIVERY_COVER_WEEKS ? 0 : DELIVERY_UNITS;
    int64_t wanted = asked * cover / DELIVERY_MEAN_WEEKS + spare;
    if (wanted > *expected) {
        add_line(p, sku, delivery_turn[(sku + week) % ARRAY_LEN(delivery_turn)], wanted - *expected);
        *expected = wanted;
    }
}

static void
add_week(struct plan *p, const struct trade_log *log, const struct demand *d, size_t week, int64_t *expected)
{
    struct plan_delivery *delivery = &p->deliveries[week];
    delivery->day = d->first_day + (int32_t)week * 7;
    delivery->lines_at = p->lines_len;
    for (size_t sku = 0; sku < log->skus_len; sku++) {
        int64_t cover = cover_weeks(&log->skus[sku]);
        if (week == 0) {
            expected[sku] = add_opening(p, d, sku, cover);
        } else {
            add_delivery(p, d, sku, cover, week, &expected[sku]);
        }
    }
    delivery->lines_len = p->lines_len - delivery->lines_at;
}

void plan_make(const struct trade_log *log, struct plan *out)
{
    check(log->events_len > 0);
    *out = (struct plan){0};
    struct demand d;
    demand_make(log, &d);
    out->deliveries = mem_new_array(d.weeks, sizeof(out->deliveries[0]));
    out->deliveries_len = d.weeks;
    int64_t *expected = mem_new_array(log->skus_len, sizeof(expected[0]));
    for (size_t week = 0; week < d.weeks; week++) {
        add_week(out, log, &d, week, expected);
    }
    mem_free(expected);
    mem_free(d.units);
}

void plan_release(struct plan *p)
{
    mem_free(p->deliveries);
    mem_free(p->lines);
    *p = (struct plan){0};
}
