#include "app/demo/book.h"

#include "base/mem.h"

void book_init(struct book *b, size_t skus_len)
{
    *b = (struct book){.rows = mem_new_array(skus_len, sizeof(b->rows[0])), .rows_len = skus_len};
}

void book_release(struct book *b)
{
    mem_free(b->rows);
    mem_free(b->sales);
    mem_free(b->parts);
    *b = (struct book){0};
}

static struct book_row *row_of(struct book *b, uint32_t sku, uint32_t location)
{
    check(sku < b->rows_len && location < PLAN_LOCATIONS);
    return &b->rows[sku];
}

void book_receive(struct book *b, const struct plan_line *lines, size_t len, bool is_opening)
{
    for (size_t i = 0; i < len; i++) {
        struct book_row *row = row_of(b, lines[i].sku, lines[i].location);
        row->on_hand[lines[i].location] += lines[i].quantity;
        *(is_opening ? &row->opening : &row->delivered) += lines[i].quantity;
    }
}

void book_adjust(struct book *b, uint32_t sku, uint32_t location, int64_t delta)
{
    struct book_row *row = row_of(b, sku, location);
    row->on_hand[location] += delta;
    row->adjusted += delta;
}

static void add_part(struct book *b, const struct book_units *units)
{
    struct book_row *row = row_of(b, units->sku, units->location);
    mem_grow((void **)&b->parts, &b->parts_cap, b->parts_len + 1, sizeof(b->parts[0]));
    b->parts[b->parts_len++] = (struct book_part){
        .sku = units->sku,
        .location = units->location,
        .left = units->quantity,
        .sale = (uint32_t)b->sales_len,
        .older = row->newest_part,
    };
    row->newest_part = (uint32_t)b->parts_len;
    row->on_hand[units->location] -= units->quantity;
    row->sold += units->quantity;
}

void book_sell(struct book *b, const char *id, uint32_t customer, const struct book_units *units, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        add_part(b, &units[i]);
    }
    mem_grow((void **)&b->sales, &b->sales_cap, b->sales_len + 1, sizeof(b->sales[0]));
    struct book_sale *sale = &b->sales[b->sales_len++];
    memcpy(sale->id, id, RESERVATION_ID_LEN);
    sale->customer = customer;
}

int32_t book_match_return(
    struct book *b,
    uint32_t sku,
    uint32_t customer,
    int32_t quantity,
    struct book_units **out,
    size_t *len,
    size_t *cap)
{
    int32_t found = 0;
    for (uint32_t at = b->rows[sku].newest_part; at != 0 && found < quantity; at = b->parts[at - 1].older) {
        struct book_part *part = &b->parts[at - 1];
        if (part->left == 0 || (customer != 0 && b->sales[part->sale].customer != customer)) {
            continue;
        }
        int32_t units = quantity - found < part->left ? quantity - found : part->left;
        part->left -= units;
        found += units;
        mem_grow((void **)out, cap, *len + 1, sizeof(**out));
        (*out)[*len] = (struct book_units){sku, part->location, units, part->sale};
        *len += 1;
    }
    return found;
}

void book_return(struct book *b, const struct book_units *units, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct book_row *row = row_of(b, units[i].sku, units[i].location);
        row->on_hand[units[i].location] += units[i].quantity;
        row->returned += units[i].quantity;
    }
}

int64_t book_on_hand(const struct book *b, uint32_t sku)
{
    check(sku < b->rows_len);
    int64_t units = 0;
    for (uint32_t at = 0; at < PLAN_LOCATIONS; at++) {
        units += b->rows[sku].on_hand[at];
    }
    return units;
}

uint32_t book_fullest_location(const struct book *b, uint32_t sku)
{
    check(sku < b->rows_len);
    uint32_t best = 0;
    for (uint32_t at = 1; at < PLAN_LOCATIONS; at++) {
        if (b->rows[sku].on_hand[at] > b->rows[sku].on_hand[best]) {
            best = at;
        }
    }
    return best;
}
