/* The trade log: what is taken is whole, and its sums are those of a plain walk over the rows. Texts part at 0x1d. */
#include "app/demo/csv.h"
#include "app/demo/trade.h"
#include "base/mem.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER "ts,invoice,kind,sku,qty,price,customer,country,note\n"
#define COLUMNS 9

struct sums {
    uint64_t rows, order_rows, skipped;
    int64_t of[3]; /* units by kind; adjustments by their size */
};

static void sum_row(struct sums *sums, const struct str *fields)
{
    char digits[16] = {0};
    check(fields[2].len == 1);
    sums->rows++;
    if (fields[2].ptr[0] == 'F') {
        sums->skipped++;
        return;
    }
    check(fields[4].len < sizeof(digits));
    memcpy(digits, fields[4].ptr, fields[4].len);
    int64_t units = labs(strtol(digits, NULL, 10));
    switch (fields[2].ptr[0]) {
    case 'S':
    case 'G':
        sums->order_rows++;
        sums->of[TRADE_ORDER] += units;
        break;
    case 'R':
        sums->of[TRADE_RETURN] += units;
        break;
    default:
        check(fields[2].ptr[0] == 'A');
        sums->of[TRADE_ADJUSTMENT] += units;
        break;
    }
}

static struct sums sums_of_rows(struct str text)
{
    struct sums sums = {0};
    struct str fields[COLUMNS];
    struct csv csv;
    char *bytes = mem_copy_str(text);
    csv_init(&csv, bytes, text.len);
    check(csv_next(&csv, fields, COLUMNS) == COLUMNS);
    while (csv_next(&csv, fields, COLUMNS) == COLUMNS) {
        sum_row(&sums, fields);
    }
    check(!csv.broken && csv.at == csv.end);
    mem_free(bytes);
    return sums;
}

static void check_lines(const struct trade_log *t, const struct trade_event *event, int64_t *units)
{
    check(event->lines_len >= 1 && event->lines_len <= TRADE_LINES_MAX);
    check(event->lines_at + event->lines_len <= t->lines_len);
    for (uint32_t i = 0; i < event->lines_len; i++) {
        const struct trade_line *line = &t->lines[event->lines_at + i];
        check(line->sku < t->skus_len && line->quantity != 0);
        check(line->quantity > 0 || event->kind == TRADE_ADJUSTMENT);
        check(abs(line->quantity) <= TRADE_QUANTITY_MAX);
        *units += abs(line->quantity);
    }
}

/* The day counted back is the date of the text. */
static void check_day(const struct trade_event *event)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1970;
    int month = 0;
    int left = event->day;
    char text[32];
    check(left >= 0);
    for (;; month = 0, year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        while (month < 12 && left >= lengths[month] + (leap && month == 1)) {
            left -= lengths[month] + (leap && month == 1);
            month++;
        }
        if (month < 12) {
            break;
        }
    }
    snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month + 1, left + 1);
    check(memcmp(text, event->time.ptr, 10) == 0);
}

static void check_log(const struct trade_log *t, const struct sums *sums)
{
    int64_t units[3] = {0};
    int64_t demand = 0;
    size_t lines = 0;
    check(t->rows == sums->rows && t->order_rows == sums->order_rows && t->skipped == sums->skipped);
    for (size_t i = 0; i < t->events_len; i++) {
        check(t->events[i].lines_at == lines);
        check_lines(t, &t->events[i], &units[t->events[i].kind]);
        check_day(&t->events[i]);
        lines += t->events[i].lines_len;
    }
    for (uint32_t i = 0; i < t->skus_len; i++) {
        uint32_t found;
        check(trade_find(t, t->skus[i].sku, &found) && found == i);
        check(str_is_text(t->skus[i].name) && t->skus[i].name.len > 0);
        demand += t->skus[i].demand;
    }
    check(lines == t->lines_len && demand == sums->of[TRADE_ORDER]);
    check(memcmp(units, sums->of, sizeof(units)) == 0);
}

static char *with_header(struct str rows, size_t *out_len)
{
    size_t header_len = sizeof(HEADER) - 1;
    char *bytes = mem_new(header_len + rows.len + 1);
    memcpy(bytes, HEADER, header_len);
    memcpy(bytes + header_len, rows.ptr, rows.len);
    *out_len = header_len + rows.len;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rows = fuzz_rest(data, size, 0);
    const char *part = memchr(rows.ptr, 0x1d, rows.len);
    struct str products = part != NULL ? fuzz_rest(data, size, (size_t)(part - rows.ptr) + 1) : STR("");
    rows.len = part != NULL ? (size_t)(part - rows.ptr) : rows.len;
    struct trade_text texts[2] = {{.path = "rows"}, {.path = "products", .len = products.len}};
    texts[0].bytes = with_header(rows, &texts[0].len);
    texts[1].bytes = mem_copy_str(products);
    char *copy = with_header(rows, &texts[0].len);
    struct trade_log log;
    struct err_note note = {{0}};
    if (trade_parse(texts[0], texts[1], &log, &note) == ERR_OK) {
        struct sums sums = sums_of_rows((struct str){copy, texts[0].len});
        check_log(&log, &sums);
        trade_release(&log);
    } else {
        check(note.text[0] != '\0');
    }
    mem_free(copy);
    return 0;
}
