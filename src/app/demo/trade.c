#include "app/demo/trade.h"

#include "app/demo/csv.h"
#include "base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (1024u * 1024 * 1024)
#define COLUMNS 9
#define PRODUCT_COLUMNS 7

/* A line of the file with its texts looked up. */
struct row {
    uint32_t sku;
    int32_t quantity;
    uint32_t group; /* rows of the same invoice and kind; groups are numbered as they first appear */
    uint32_t next;  /* next row of the group, index + 1 */
};

/* What becomes one or more events. */
struct group {
    struct trade_event event; /* without lines */
    uint32_t first, last;     /* rows, index + 1 */
};

struct builder {
    struct trade_log *log;
    struct row *rows;
    size_t rows_len, rows_cap;
    struct group *groups;
    size_t groups_len, groups_cap;
    struct map group_index;
    uint32_t *merged_at; /* per SKU: index + 1 of its line in the event being built */
};

static uint64_t days_of(uint64_t year, uint64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (uint64_t)(leap && month == 2);
}

bool trade_day_parse(struct str time, int32_t *out)
{
    uint64_t year, month, day;
    if (time.len < 10 || time.ptr[4] != '-' || time.ptr[7] != '-') {
        return false;
    }
    /* A leading zero is no decimal of its own. */
    struct str month_text = {time.ptr + 5 + (time.ptr[5] == '0'), (size_t)(2 - (time.ptr[5] == '0'))};
    struct str day_text = {time.ptr + 8 + (time.ptr[8] == '0'), (size_t)(2 - (time.ptr[8] == '0'))};
    bool parsed = str_to_u64((struct str){time.ptr, 4}, 9999, &year) && str_to_u64(month_text, 12, &month) &&
        str_to_u64(day_text, 31, &day);
    if (!parsed || year < 1970 || month == 0 || day == 0 || day > days_of(year, month)) {
        return false;
    }
    /* Counts from 1 March, so that the leap day is the last of a year. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t m = ((int64_t)month + 9) % 12;
    int64_t day_of_year = (153 * m + 2) / 5 + (int64_t)day - 1;
    *out = (int32_t)(y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468);
    return true;
}

int trade_weekday(int32_t day)
{
    return (day + 3) % 7; /* 1970-01-01 was a Thursday */
}

bool trade_find(const struct trade_log *t, struct str sku, uint32_t *out)
{
    struct map_cursor cursor;
    uint64_t value = map_first(&t->sku_index, str_hash(sku), &cursor);
    while (value != 0 && !str_equal(t->skus[value - 1].sku, sku)) {
        value = map_next(&t->sku_index, &cursor);
    }
    *out = (uint32_t)value - 1;
    return value != 0;
}

static uint32_t sku_of(struct trade_log *t, struct str sku)
{
    uint32_t index;
    if (trade_find(t, sku, &index)) {
        return index;
    }
    mem_grow((void **)&t->skus, &t->skus_cap, t->skus_len + 1, sizeof(t->skus[0]));
    t->skus[t->skus_len++] = (struct trade_sku){.sku = sku, .name = sku};
    map_add(&t->sku_index, str_hash(sku), t->skus_len);
    return (uint32_t)t->skus_len - 1;
}

static bool parse_quantity(struct str text, int32_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct str digits = {text.ptr + negative, text.len - negative};
    uint64_t value;
    if (!str_to_u64(digits, TRADE_QUANTITY_MAX, &value) || value == 0) {
        return false;
    }
    *out = negative ? -(int32_t)value : (int32_t)value;
    return true;
}

/* SKUs are put into JSON and paths as they are: what would need escaping is refused. */
static bool is_plain_sku(struct str sku)
{
    for (size_t i = 0; i < sku.len; i++) {
        char c = sku.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
            c == '_' || c == '.';
        if (!plain) {
            return false;
        }
    }
    return sku.len > 0 && str_is_sku(sku);
}

static enum trade_kind kind_of(char kind)
{
    return kind == 'R' ? TRADE_RETURN : kind == 'A' ? TRADE_ADJUSTMENT : TRADE_ORDER;
}

static uint32_t group_new(struct builder *b, const struct trade_event *event)
{
    mem_grow((void **)&b->groups, &b->groups_cap, b->groups_len + 1, sizeof(b->groups[0]));
    b->groups[b->groups_len++] = (struct group){.event = *event};
    return (uint32_t)b->groups_len - 1;
}

/* The group of this event's invoice and kind; each adjustment has its own. */
static uint32_t group_of(struct builder *b, const struct trade_event *event)
{
    if (event->kind == TRADE_ADJUSTMENT) {
        return group_new(b, event);
    }
    uint64_t hash = str_hash(event->invoice) + (uint64_t)event->kind;
    struct map_cursor cursor;
    uint64_t value = map_first(&b->group_index, hash, &cursor);
    for (; value != 0; value = map_next(&b->group_index, &cursor)) {
        const struct trade_event *other = &b->groups[value - 1].event;
        if (other->kind == event->kind && str_equal(other->invoice, event->invoice)) {
            return (uint32_t)value - 1;
        }
    }
    uint32_t group = group_new(b, event);
    map_add(&b->group_index, hash, (uint64_t)group + 1);
    return group;
}

static void add_row(struct builder *b, const struct trade_event *event, uint32_t sku, int32_t quantity)
{
    mem_grow((void **)&b->rows, &b->rows_cap, b->rows_len + 1, sizeof(b->rows[0]));
    uint32_t group_at = group_of(b, event);
    b->rows[b->rows_len++] = (struct row){.sku = sku, .quantity = quantity, .group = group_at};
    struct group *group = &b->groups[group_at];
    uint32_t number = (uint32_t)b->rows_len;
    if (group->last == 0) {
        group->first = number;
    } else {
        b->rows[group->last - 1].next = number;
    }
    group->last = number;
}

/* Columns: ts, invoice, kind, sku, qty, price, customer, country, note. False: the record is damaged. */
static bool take_record(struct builder *b, const struct str *f)
{
    if (f[2].len != 1 || memchr("SGRAF", f[2].ptr[0], 5) == NULL) {
        return false;
    }
    char kind = f[2].ptr[0];
    b->log->rows++;
    if (kind == 'F') {
        b->log->skipped++;
        return true;
    }
    struct trade_event event = {.kind = kind_of(kind), .time = f[0], .invoice = f[1], .note = f[8]};
    uint64_t customer = 0;
    int32_t quantity;
    bool good = trade_day_parse(f[0], &event.day) && is_plain_sku(f[1]) && is_plain_sku(f[3]) &&
        parse_quantity(f[4], &quantity) && (f[6].len == 0 || str_to_u64(f[6], UINT32_MAX, &customer)) &&
        str_is_text(f[8]) && f[8].len <= 128;
    if (!good || (event.kind == TRADE_ORDER && quantity < 0) || (event.kind == TRADE_RETURN && quantity > 0)) {
        return false;
    }
    event.customer = (uint32_t)customer;
    b->log->order_rows += event.kind == TRADE_ORDER;
    add_row(b, &event, sku_of(b->log, f[3]), event.kind == TRADE_RETURN ? -quantity : quantity);
    return true;
}

static void end_event(struct trade_log *t, struct trade_event *event)
{
    event->lines_len = (uint32_t)t->lines_len - event->lines_at;
    if (event->lines_len == 0) {
        return;
    }
    mem_grow((void **)&t->events, &t->events_cap, t->events_len + 1, sizeof(t->events[0]));
    t->events[t->events_len++] = *event;
    event->lines_at = (uint32_t)t->lines_len;
}

/* Adds to the event's line of the SKU, or begins one; sums stay below the limit of a line. */
static void add_line(struct builder *b, struct trade_event *event, const struct row *row)
{
    struct trade_log *t = b->log;
    uint32_t at = b->merged_at[row->sku];
    bool merged = at > event->lines_at && t->lines[at - 1].sku == row->sku &&
        abs(t->lines[at - 1].quantity + row->quantity) <= TRADE_QUANTITY_MAX;
    if (merged) {
        t->lines[at - 1].quantity += row->quantity;
        return;
    }
    if (t->lines_len - event->lines_at == TRADE_LINES_MAX) {
        end_event(t, event);
    }
    mem_grow((void **)&t->lines, &t->lines_cap, t->lines_len + 1, sizeof(t->lines[0]));
    t->lines[t->lines_len++] = (struct trade_line){.sku = row->sku, .quantity = row->quantity};
    b->merged_at[row->sku] = (uint32_t)t->lines_len;
}

static void build_events(struct builder *b)
{
    b->merged_at = mem_new_array(b->log->skus_len, sizeof(b->merged_at[0]));
    for (size_t i = 0; i < b->groups_len; i++) {
        struct trade_event event = b->groups[i].event;
        event.lines_at = (uint32_t)b->log->lines_len;
        for (uint32_t at = b->groups[i].first; at != 0; at = b->rows[at - 1].next) {
            const struct row *row = &b->rows[at - 1];
            add_line(b, &event, row);
            b->log->skus[row->sku].demand += event.kind == TRADE_ORDER ? row->quantity : 0;
            b->log->skus[row->sku].orders += event.kind == TRADE_ORDER;
        }
        end_event(b->log, &event);
    }
    mem_free(b->merged_at);
}

static enum err read_transactions(struct builder *b, const struct trade_text *text, struct err_note *note)
{
    struct csv csv;
    csv_init(&csv, text->bytes, text->len);
    struct str fields[COLUMNS];
    size_t count = csv_next(&csv, fields, COLUMNS);
    if (count != COLUMNS || !str_equal(fields[0], STR("ts")) || !str_equal(fields[8], STR("note"))) {
        return err_note_set(note, ERR_INVALID, "%s: the first line does not name the columns", text->path);
    }
    while ((count = csv_next(&csv, fields, COLUMNS)) > 0) {
        if (count != COLUMNS || !take_record(b, fields)) {
            return err_note_set(note, ERR_INVALID, "%s: line %u is damaged", text->path, csv.line);
        }
    }
    return csv.broken ? err_note_set(note, ERR_INVALID, "%s: line %u is damaged", text->path, csv.line) : ERR_OK;
}

/* Columns: sku, description and more. SKUs that were never sold there keep their SKU as name. */
static enum err read_products(struct trade_log *t, const struct trade_text *text, struct err_note *note)
{
    struct csv csv;
    csv_init(&csv, text->bytes, text->len);
    struct str fields[PRODUCT_COLUMNS];
    size_t count;
    while ((count = csv_next(&csv, fields, PRODUCT_COLUMNS)) > 0) {
        uint32_t sku;
        bool named = count >= 2 && fields[1].len > 0 && str_is_text(fields[1]);
        if (named && trade_find(t, fields[0], &sku)) {
            t->skus[sku].name = fields[1];
        }
    }
    return csv.broken ? err_note_set(note, ERR_INVALID, "%s: line %u is damaged", text->path, csv.line) : ERR_OK;
}

static enum err read_both(
    struct builder *b, const struct trade_text *transactions, const struct trade_text *products, struct err_note *note)
{
    TRY(read_transactions(b, transactions, note));
    build_events(b);
    if (b->log->events_len == 0) {
        return err_note_set(note, ERR_INVALID, "%s: there is nothing to replay", transactions->path);
    }
    return read_products(b->log, products, note);
}

enum err
trade_parse(struct trade_text transactions, struct trade_text products, struct trade_log *out, struct err_note *note)
{
    *out = (struct trade_log){.bytes = transactions.bytes, .products_bytes = products.bytes};
    map_init(&out->sku_index);
    struct builder b = {.log = out};
    map_init(&b.group_index);
    enum err e = read_both(&b, &transactions, &products, note);
    map_release(&b.group_index);
    mem_free(b.rows);
    mem_free(b.groups);
    if (e != ERR_OK) {
        trade_release(out);
    }
    return e;
}

enum err trade_load(const char *dir, struct trade_log *out, struct err_note *note)
{
    char paths[2][PATH_MAX];
    snprintf(paths[0], PATH_MAX, "%s/transactions.csv.gz", dir);
    snprintf(paths[1], PATH_MAX, "%s/products.csv", dir);
    struct trade_text texts[2] = {{.path = paths[0]}, {.path = paths[1]}};
    TRY(csv_read_file(paths[0], FILE_BYTES_MAX, &texts[0].bytes, &texts[0].len, note));
    enum err e = csv_read_file(paths[1], FILE_BYTES_MAX, &texts[1].bytes, &texts[1].len, note);
    if (e != ERR_OK) {
        mem_free(texts[0].bytes);
        return e;
    }
    return trade_parse(texts[0], texts[1], out, note);
}

void trade_release(struct trade_log *t)
{
    mem_free(t->skus);
    mem_free(t->events);
    mem_free(t->lines);
    mem_free(t->bytes);
    mem_free(t->products_bytes);
    map_release(&t->sku_index);
    *t = (struct trade_log){0};
}
