#include "app/demo/trade.h"

#include "base/buf.h"
#include "small_log.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static const struct trade_line *line_of(const struct trade_log *t, size_t event, uint32_t n)
{
    assert_true(event < t->events_len && n < t->events[event].lines_len);
    return &t->lines[t->events[event].lines_at + n];
}

static void an_invoice_becomes_one_order_with_its_lines_added_up(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make(
        "2010-12-01T08:26:00,1,S,A,6,2.55,17,United Kingdom,\n"
        "2010-12-01T08:26:00,2,S,B,1,2.55,,United Kingdom,\n"
        "2010-12-01T08:26:00,1,G,B,2,0,17,United Kingdom,\n"
        "2010-12-01T08:26:00,1,F,POST,1,18,17,United Kingdom,\n"
        "2010-12-01T08:27:00,1,S,A,4,2.55,17,United Kingdom,\n"
        "2010-12-01T09:00:00,C3,R,A,-3,2.55,17,United Kingdom,\n"
        "2010-12-02T10:00:00,4,A,C,-7,0,,United Kingdom,\"mouldy, thrown away.\"\n"
        "2010-12-02T10:00:00,4,A,A,2,0,,United Kingdom,\n",
        "A,\"LANTERN, WHITE\",1,1,1,x,y\nZ,NOT IN THE LOG,1,1,1,x,y\n", dir);
    struct trade_log t;
    struct err_note note;
    assert_int_equal(trade_load(dir, &t, &note), ERR_OK);
    assert_int_equal(t.rows, 8);
    assert_int_equal(t.order_rows, 4);
    assert_int_equal(t.skipped, 1);
    assert_int_equal(t.skus_len, 3);
    assert_true(str_equal(t.skus[0].name, STR("LANTERN, WHITE")));
    assert_true(str_equal(t.skus[1].name, STR("B")));
    assert_int_equal(t.skus[0].demand, 10);
    assert_int_equal(t.events_len, 5);
    assert_int_equal(t.events[0].kind, TRADE_ORDER);
    assert_int_equal(t.events[0].customer, 17);
    assert_int_equal(t.events[0].lines_len, 2);
    assert_int_equal(line_of(&t, 0, 0)->quantity, 10);
    assert_int_equal(line_of(&t, 0, 1)->quantity, 2);
    assert_int_equal(t.events[1].customer, 0);
    assert_int_equal(t.events[2].kind, TRADE_RETURN);
    assert_int_equal(line_of(&t, 2, 0)->quantity, 3);
    assert_int_equal(t.events[3].kind, TRADE_ADJUSTMENT);
    assert_int_equal(line_of(&t, 3, 0)->quantity, -7);
    assert_true(str_equal(t.events[3].note, STR("mouldy, thrown away.")));
    assert_int_equal(t.events[4].lines_len, 1);
    trade_release(&t);
    small_log_remove(dir);
}

static void a_long_invoice_becomes_several_orders(void **state)
{
    (void)state;
    struct buf lines;
    buf_init(&lines, 1 << 20);
    for (int i = 0; i < 250; i++) {
        buf_printf(&lines, "2010-12-01T08:26:00,1,S,S%d,1,1,17,UK,\n", i);
    }
    buf_printf(&lines, "2010-12-01T08:26:00,1,S,S249,4,1,17,UK,\n");
    buf_put_char(&lines, '\0');
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make(lines.ptr, "", dir);
    struct trade_log t;
    struct err_note note;
    assert_int_equal(trade_load(dir, &t, &note), ERR_OK);
    assert_int_equal(t.events_len, 3);
    assert_int_equal(t.events[0].lines_len, 100);
    assert_int_equal(t.events[1].lines_len, 100);
    assert_int_equal(t.events[2].lines_len, 50);
    assert_int_equal(line_of(&t, 2, 49)->quantity, 5);
    trade_release(&t);
    small_log_remove(dir);
    buf_release(&lines);
}

static void a_damaged_line_is_refused_with_its_number(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "2010-12-01T08:26:00,1,S,A,6,2.55,17,UK\n",        /* a column is missing */
        "2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,,\n",      /* one too many */
        "2010-12-01T08:26:00,1,X,A,6,2.55,17,UK,\n",       /* no such kind */
        "2010-12-01T08:26:00,1,S,A,0,2.55,17,UK,\n",       /* nothing */
        "2010-12-01T08:26:00,1,S,A,-6,2.55,17,UK,\n",      /* a sale of less than nothing */
        "2010-12-01T08:26:00,1,R,A,6,2.55,17,UK,\n",       /* a return the wrong way round */
        "2010-12-01T08:26:00,1,S,A,1000001,2.55,17,UK,\n", /* above the limit of a line */
        "2010-12-01T08:26:00,1,S,A,six,2.55,17,UK,\n",
        "2010-12-01T08:26:00,1,S,\"A\"\"\",6,2.55,17,UK,\n", /* would break the JSON */
        "2010-13-01T08:26:00,1,S,A,6,2.55,17,UK,\n",
        "yesterday,1,S,A,6,2.55,17,UK,\n",
        "2010-12-01T08:26:00,1,S,A,6,2.55,somebody,UK,\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256];
        snprintf(text, sizeof(text), "2010-12-01T08:26:00,1,S,A,6,2.55,17,UK,\n%s", lines[i]);
        char dir[SMALL_LOG_DIR_MAX];
        small_log_make(text, "", dir);
        struct trade_log t;
        struct err_note note;
        enum err e = trade_load(dir, &t, &note);
        if (e != ERR_INVALID || strstr(note.text, "line 3 is damaged") == NULL) {
            fail_msg("row %zu: %d \"%s\"", i, (int)e, note.text);
        }
        small_log_remove(dir);
    }
}

static void an_empty_log_is_refused(void **state)
{
    (void)state;
    char dir[SMALL_LOG_DIR_MAX];
    small_log_make("", "", dir);
    struct trade_log t;
    struct err_note note;
    assert_int_equal(trade_load(dir, &t, &note), ERR_INVALID);
    assert_non_null(strstr(note.text, "nothing to replay"));
    small_log_remove(dir);
}

static void days_are_counted_by_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t day;
        int weekday;
    } cases[] = {
        {"1970-01-01T00:00:00", 0, 3},     {"2000-02-29", 11016, 1}, {"2000-03-01", 11017, 2},
        {"2010-12-01T08:26:00", 14944, 2}, {"2011-12-09", 15317, 4}, {"2011-02-28", 15033, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int32_t day;
        assert_true(trade_day_parse(str_from(cases[i].text), &day));
        assert_int_equal(day, cases[i].day);
        assert_int_equal(trade_weekday(day), cases[i].weekday);
    }
    int32_t day;
    assert_false(trade_day_parse(STR("2010-12"), &day));
    assert_false(trade_day_parse(STR("2010-00-01"), &day));
    assert_false(trade_day_parse(STR("2010/12/01"), &day));
    assert_false(trade_day_parse(STR("2010-04-31"), &day));
    assert_false(trade_day_parse(STR("2011-02-29"), &day));
    assert_false(trade_day_parse(STR("2100-02-29"), &day));
}

/* The log that comes with the program: its own README gives these sums. */
static void the_real_log_is_complete(void **state)
{
    (void)state;
    struct trade_log t;
    struct err_note note;
    assert_int_equal(trade_load(TRADE_LOG_DIR, &t, &note), ERR_OK);
    assert_int_equal(t.rows, 541909);
    assert_int_equal(t.order_rows, 527758 + 33);
    assert_int_equal(t.skipped, 2950);
    int64_t units[3] = {0};
    uint64_t lines = 0;
    uint64_t adjustments = 0;
    for (size_t i = 0; i < t.events_len; i++) {
        const struct trade_event *e = &t.events[i];
        assert_in_range(e->lines_len, 1, TRADE_LINES_MAX);
        assert_true(i == 0 || t.events[i - 1].day <= e->day);
        lines += e->lines_len;
        adjustments += e->kind == TRADE_ADJUSTMENT;
        for (uint32_t n = 0; n < e->lines_len; n++) {
            units[e->kind] += line_of(&t, i, n)->quantity;
        }
    }
    assert_int_equal(lines, t.lines_len);
    assert_int_equal(adjustments, 2464);
    assert_int_equal(units[TRADE_ORDER], 5590977);
    int64_t demand = 0;
    for (size_t i = 0; i < t.skus_len; i++) {
        demand += t.skus[i].demand;
    }
    assert_int_equal(demand, units[TRADE_ORDER]);
    trade_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invoice_becomes_one_order_with_its_lines_added_up),
        cmocka_unit_test(a_long_invoice_becomes_several_orders),
        cmocka_unit_test(a_damaged_line_is_refused_with_its_number),
        cmocka_unit_test(an_empty_log_is_refused),
        cmocka_unit_test(days_are_counted_by_the_calendar),
        cmocka_unit_test(the_real_log_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
