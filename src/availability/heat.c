#include "availability/heat.h"

#include "availability/availability.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>

/* --- the sketch --------------------------------------------------------------------------------------------- */

void heat_release(struct heat *h)
{
    map_release(&h->by_entry);
}

void heat_clear(struct heat *h)
{
    map_release(&h->by_entry);
    map_init(&h->by_entry);
    h->len = 0;
}

static size_t least_read(const struct heat *h)
{
    size_t least = 0;
    for (size_t i = 1; i < HEAT_SKUS_MAX; i++) {
        least = h->reads[i] < h->reads[least] ? i : least;
    }
    return least;
}

static void place(struct heat *h, size_t at, struct shelf_entry *e)
{
    h->entries[at] = e;
    map_add(&h->by_entry, (uintptr_t)e, at + 1);
}

void heat_count(struct heat *h, struct shelf_entry *e)
{
    struct map_cursor cursor;
    size_t at = map_first(&h->by_entry, (uintptr_t)e, &cursor);
    if (at == 0 && h->len < HEAT_SKUS_MAX) {
        at = ++h->len;
        h->reads[at - 1] = 0;
        place(h, at - 1, e);
    } else if (at == 0) {
        at = least_read(h) + 1;
        bool removed = map_remove(&h->by_entry, (uintptr_t)h->entries[at - 1], at);
        check(removed);
        place(h, at - 1, e);
    }
    h->reads[at - 1] += h->reads[at - 1] < UINT32_MAX;
}

/* --- the list ----------------------------------------------------------------------------------------------- */

/* More is not written, and not believed. */
#define HOT_READS_MAX (1LL << 50)
#define VERSION_MAX (1LL << 60)

static bool take_sku(struct hot_list *list, json_t *row)
{
    const char *sku;
    size_t len;
    json_int_t reads;
    if (json_unpack(row, "{s:s%, s:I !}", "sku", &sku, &len, "reads", &reads) != 0 || reads < 0 ||
        reads > HOT_READS_MAX || !str_is_sku((struct str){sku, len}) || list->len == HEAT_SKUS_MAX) {
        return false;
    }
    struct hot_sku *hot = &list->skus[list->len++];
    hot->reads = (uint64_t)reads;
    hot->len = (uint8_t)len;
    memcpy(hot->sku, sku, len);
    return true;
}

static struct str sku_of(const struct hot_sku *h)
{
    return (struct str){h->sku, h->len};
}

static int by_sku(const void *a, const void *b)
{
    return str_compare(sku_of(a), sku_of(b));
}

static int by_reads(const void *a, const void *b)
{
    const struct hot_sku *x = a;
    const struct hot_sku *y = b;
    return x->reads != y->reads ? (x->reads < y->reads ? 1 : -1) : by_sku(a, b);
}

/* One row for each SKU: with the reads of all its rows. */
static size_t join(struct hot_sku *rows, size_t len)
{
    size_t kept = 0;
    qsort(rows, len, sizeof(*rows), by_sku);
    for (size_t i = 0; i < len; i++) {
        if (kept > 0 && by_sku(&rows[kept - 1], &rows[i]) == 0) {
            uint64_t sum = rows[kept - 1].reads + rows[i].reads;
            rows[kept - 1].reads = sum < HOT_READS_MAX ? sum : HOT_READS_MAX;
        } else {
            rows[kept++] = rows[i];
        }
    }
    qsort(rows, kept, sizeof(*rows), by_reads);
    return kept;
}

static bool take_list(struct hot_list *list, json_t *root)
{
    json_int_t version;
    json_t *skus;
    json_t *row;
    size_t i;
    if (json_unpack(root, "{s:I, s:o !}", "version", &version, "skus", &skus) != 0 || version < 0 ||
        version > VERSION_MAX || !json_is_array(skus)) {
        return false;
    }
    json_array_foreach(skus, i, row)
    {
        if (!take_sku(list, row)) {
            return false;
        }
    }
    list->version = (uint64_t)version;
    list->len = join(list->skus, list->len);
    return true;
}

bool hot_list_parse(struct hot_list *list, struct str json)
{
    list->len = 0;
    list->version = 0;
    json_t *root = json.len == 0 ? NULL : json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = root != NULL && take_list(list, root);
    if (!good) {
        list->len = 0;
    }
    json_decref(root);
    return good;
}

void hot_list_add(struct hot_list *list, const struct heat *h, int64_t now_ms)
{
    struct hot_sku *rows = mem_new_array(2 * HEAT_SKUS_MAX, sizeof(*rows));
    size_t len = 0;
    for (size_t i = 0; i < list->len; i++) {
        rows[len] = list->skus[i];
        rows[len++].reads /= 2;
    }
    for (size_t i = 0; i < h->len; i++) {
        struct str sku = shelf_entry_sku(h->entries[i]);
        rows[len] = (struct hot_sku){.reads = h->reads[i], .len = (uint8_t)sku.len};
        memcpy(rows[len++].sku, sku.ptr, sku.len);
    }
    len = join(rows, len);
    list->len = len < HEAT_SKUS_MAX ? len : HEAT_SKUS_MAX;
    memcpy(list->skus, rows, list->len * sizeof(*rows));
    mem_free(rows);
    list->version = (uint64_t)now_ms > list->version ? (uint64_t)now_ms : list->version + 1;
}

/* The most that one row takes: each byte of a SKU as \u00XX would, and the digits. */
#define ROW_BYTES_MAX (SKU_BYTES_MAX * 6 + U64_DIGITS_MAX + 24)

void hot_list_render(const struct hot_list *list, struct buf *out)
{
    buf_put_literal(out, "{\"version\":");
    buf_put_u64(out, list->version);
    buf_put_literal(out, ",\"skus\":[");
    for (size_t i = 0; i < list->len && out->len + ROW_BYTES_MAX < out->size_max; i++) {
        buf_put_str(out, i == 0 ? STR("{\"sku\":") : STR(",{\"sku\":"));
        buf_put_json(out, sku_of(&list->skus[i]));
        buf_put_literal(out, ",\"reads\":");
        buf_put_u64(out, list->skus[i].reads);
        buf_put_char(out, '}');
    }
    buf_put_literal(out, "]}");
}
