#include "app/demo/plan.h"

#include "base/buf.h"
#include "small_log.h"
#include "test.h"

#include <stdlib.h>

static int64_t units_of(const struct plan *p, size_t delivery, uint32_t sku, int location)
{
    int64_t units = 0;
    const struct plan_delivery *d = &p->deliveries[delivery];
    for (size_t i = d->lines_at; i < d->lines_at + d->lines_len; i++) {
        bool here = location < 0 || (int)p->lines[i].location == location;
        units += p->lines[i].sku == sku && here ? p->lines[i].quantity : 0;
    }
    return units;
}

/* Ten units of A in each of twelve weeks from Wednesday 2010-12-01 on. */
static void load_steady_log(struct trade_log *t, char dir[SMALL_LOG_DIR_MAX])
{
    static const char *const days[] = {"2010-12-01", "2010-12-08", "2010-12-15", "2010-12-22",
                                       "2010-12-29", "2011-01-05", "2011-01-12", "2011-01-19",
                                       "2011-01-26", "2011-02-02", "2011-02-09", "2011-02-16"};
    struct buf lines;
    buf_init(&lines, 4096);
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        buf_printf(&lines, "%sT08:26:00,%zu,S,A,10,1,17,UK,\n", days[i], i + 1);
    }
    buf_put_literal(&lines, "2011-02-16T09:00:00,C9,R,NEVERSOLD,-1,1,17,UK,\n");
    buf_put_char(&lines, '\0');
    small_log_make(lines.ptr, "", dir);
    struct err_note note;
    assert_int_equal(trade_load(dir, t, &note), ERR_OK);
    buf_release(&lines);
}

static void stock_follows_from_demand(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    struct trade_log t;
    struct plan p;
    load_steady_log(&t, dir);
    plan_make(&t, &p);
    assert_int_equal(p.deliveries_len, 12);
    /* eight weeks of ten, one and a half times, and 24 more; 60, 30 and 10 percent of it */
    assert_int_equal(units_of(&p, 0, 0, -1), 144);
    assert_int_equal(units_of(&p, 0, 0, 0), 144 - 43 - 14);
    assert_int_equal(units_of(&p, 0, 0, 1), 43);
    assert_int_equal(units_of(&p, 0, 0, 2), 14);
    /* after eight weeks 64 are left, and filled up to six weeks and 24; then each week's ten come back */
    for (size_t week = 1; week < 12; week++) {
        assert_int_equal(trade_weekday(p.deliveries[week].day), 0);
        assert_int_equal(p.deliveries[week].day, p.deliveries[week - 1].day + 7);
        assert_int_equal(units_of(&p, week, 0, -1), week < 8 ? 0 : week == 8 ? 20 : 10);
        assert_int_equal(units_of(&p, week, 1, -1), 0); /* nobody ever asked for it */
    }
    plan_release(&p);
    trade_release(&t);
    small_log_remove(dir);
}

static void the_plan_of_the_real_log_is_always_the_same_and_never_too_large(void **state)
{
    (void)state;
    struct trade_log t;
    struct err_note note;
    assert_int_equal(trade_load(TRADE_LOG_DIR, &t, &note), ERR_OK);
    struct plan first, second;
    plan_make(&t, &first);
    plan_make(&t, &second);
    assert_int_equal(first.lines_len, second.lines_len);
    assert_memory_equal(first.lines, second.lines, first.lines_len * sizeof(first.lines[0]));
    int64_t units = 0;
    for (size_t i = 0; i < first.lines_len; i++) {
        assert_in_range(first.lines[i].quantity, 1, TRADE_QUANTITY_MAX);
        assert_in_range(first.lines[i].location, 0, PLAN_LOCATIONS - 1);
        units += first.lines[i].quantity;
    }
    int64_t demand = 0;
    for (size_t i = 0; i < t.skus_len; i++) {
        demand += t.skus[i].demand;
    }
    assert_true(units > demand && units < 3 * demand);
    plan_release(&first);
    plan_release(&second);
    trade_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stock_follows_from_demand),
        cmocka_unit_test(the_plan_of_the_real_log_is_always_the_same_and_never_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
