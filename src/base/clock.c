#include "base/clock.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define NS_PER_US 1000LL
#define MS_PER_DAY 86400000LL

static int64_t clock_read_ns(clockid_t which)
{
    struct timespec t;
    int failed = clock_gettime(which, &t);
    check(failed == 0);
    return (int64_t)t.tv_sec * NS_PER_S + (int64_t)t.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return clock_read_ns(CLOCK_REALTIME) / NS_PER_MS;
}

int64_t clock_mono_ms(void)
{
    return clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

int64_t clock_mono_us(void)
{
    return clock_read_ns(CLOCK_MONOTONIC) / NS_PER_US;
}

int64_t clock_mono_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

struct date {
    unsigned year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

/*
 * Howard Hinnant's civil_from_days ("chrono-Compatible Low-Level Date Algorithms"): years begin in March, so that
 * the leap day is the last of its year, and repeat in eras of 400 years. Days since 1970 are never negative here.
 */
static struct date date_from_days(unsigned days)
{
    const unsigned days_to_1970 = 719468; /* from 0000-03-01 */
    const unsigned era_days = 146097;
    unsigned z = days + days_to_1970;
    unsigned era_day = z % era_days;
    unsigned era_year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    unsigned year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    unsigned march_month = (5 * year_day + 2) / 153;
    struct date d;
    d.day = year_day - (153 * march_month + 2) / 5 + 1;
    d.month = march_month < 10 ? march_month + 3 : march_month - 9;
    d.year = z / era_days * 400 + era_year + (d.month <= 2 ? 1 : 0);
    return d;
}

static void put_digits(char *out, unsigned v, size_t width)
{
    for (size_t i = width; i > 0; i--) {
        out[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    check(v == 0);
}

void time_to_text(int64_t ms, char out[TIME_TEXT_LEN])
{
    check(ms >= 0 && ms <= TIME_MS_MAX);
    struct date d = date_from_days((unsigned)(ms / MS_PER_DAY));
    unsigned in_day = (unsigned)(ms % MS_PER_DAY);
    put_digits(out, d.year, 4);
    out[4] = '-';
    put_digits(out + 5, d.month, 2);
    out[7] = '-';
    put_digits(out + 8, d.day, 2);
    out[10] = 'T';
    put_digits(out + 11, in_day / 3600000, 2);
    out[13] = ':';
    put_digits(out + 14, in_day / 60000 % 60, 2);
    out[16] = ':';
    put_digits(out + 17, in_day / 1000 % 60, 2);
    out[19] = '.';
    put_digits(out + 20, in_day % 1000, 3);
    out[23] = 'Z';
}

/* 0 for what is no digit: the comparison at the end finds it. */
static unsigned digits_at(const char *text, size_t width)
{
    unsigned v = 0;
    for (size_t i = 0; i < width; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        v = v * 10 + (digit <= 9 ? digit : 0);
    }
    return v;
}

/* days_from_civil of the same; years from 1970 on. */
static unsigned days_from_date(struct date d)
{
    const unsigned days_to_1970 = 719468;
    const unsigned era_days = 146097;
    unsigned year = d.year - (d.month <= 2 ? 1 : 0);
    unsigned march_month = d.month > 2 ? d.month - 3 : d.month + 9;
    unsigned year_day = (153 * march_month + 2) / 5 + d.day - 1;
    unsigned era_year = year % 400;
    unsigned era_day = era_year * 365 + era_year / 4 - era_year / 100 + year_day;
    return year / 400 * era_days + era_day - days_to_1970;
}

bool time_from_text(const char text[TIME_TEXT_LEN], int64_t *out_ms)
{
    char again[TIME_TEXT_LEN];
    struct date d = {digits_at(text, 4), digits_at(text + 5, 2), digits_at(text + 8, 2)};
    if (d.year < 1970 || d.month < 1 || d.month > 12 || d.day < 1) {
        return false;
    }
    int64_t in_day = digits_at(text + 11, 2) * 3600000LL + digits_at(text + 14, 2) * 60000LL +
        digits_at(text + 17, 2) * 1000LL + digits_at(text + 20, 3);
    int64_t ms = days_from_date(d) * MS_PER_DAY + in_day;
    if (ms > TIME_MS_MAX) {
        return false;
    }
    time_to_text(ms, again);
    if (memcmp(text, again, TIME_TEXT_LEN) != 0) {
        return false;
    }
    *out_ms = ms;
    return true;
}

void ledger_clock_init(struct ledger_clock *c, int64_t stored_ms)
{
    int64_t wall_ms = clock_wall_ms();
    c->base_ms = stored_ms > wall_ms ? stored_ms : wall_ms;
    c->mono_base_ms = clock_mono_ms();
}

int64_t ledger_clock_now_ms(const struct ledger_clock *c)
{
    return c->base_ms + (clock_mono_ms() - c->mono_base_ms);
}
