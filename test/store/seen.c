#include "seen.h"

#include "base/mem.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static struct str keep(struct seen *seen, struct str s)
{
    if (str_is_absent(s)) {
        return s;
    }
    assert_true(seen->strings_len + s.len + 1 <= sizeof(seen->strings));
    char *at = &seen->strings[seen->strings_len];
    memcpy(at, s.ptr, s.len);
    at[s.len] = '\0';
    seen->strings_len += s.len + 1;
    return (struct str){at, s.len};
}

static bool count(struct seen *seen, struct str name, uint64_t seq)
{
    if (seen->len < 16 && !str_is_absent(name)) {
        snprintf(seen->text[seen->len], sizeof(seen->text[0]), "%.*s", STR_ARG(name));
    }
    assert_true(seen->len < ARRAY_LEN(seen->seqs));
    seen->seqs[seen->len++] = seq;
    return seen->len != seen->stop_after;
}

bool see_item(void *ctx, const struct item_row *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->item = *row;
    seen->item.sku = keep(seen, row->sku);
    seen->item.name = keep(seen, row->name);
    seen->item.attributes = keep(seen, row->attributes);
    return count(seen, row->sku, row->item);
}

bool see_location(void *ctx, const struct location_row *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->location = *row;
    seen->location.id = keep(seen, row->id);
    seen->location.name = keep(seen, row->name);
    return count(seen, row->id, row->location);
}

bool see_level(void *ctx, const struct level_row *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->level = *row;
    seen->level.sku = keep(seen, row->sku);
    seen->level.location_id = keep(seen, row->location_id);
    return count(seen, row->location_id, row->seq);
}

bool see_reservation(void *ctx, const struct reservation *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->reservation = *row;
    seen->reservation.reference = keep(seen, row->reference);
    seen->reservation.lines = seen->lines;
    for (uint32_t n = 0; n < row->lines_len && n < ARRAY_LEN(seen->lines); n++) {
        seen->lines[n] = row->lines[n];
        seen->lines[n].sku = keep(seen, row->lines[n].sku);
        seen->lines[n].location_id = keep(seen, row->lines[n].location_id);
    }
    return count(seen, row->reference, row->seq);
}

bool see_movement(void *ctx, const struct movement *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->movement = *row;
    seen->movement.sku = keep(seen, row->sku);
    seen->movement.location_id = keep(seen, row->location_id);
    seen->movement.reason = keep(seen, row->reason);
    seen->movement.reference = keep(seen, row->reference);
    seen->movement.actor = keep(seen, row->actor);
    return count(seen, row->sku, row->seq);
}

bool see_key(void *ctx, const struct key_row *row)
{
    struct seen *seen = ctx;
    seen->strings_len = 0;
    seen->key = *row;
    seen->key.operation = keep(seen, row->operation);
    seen->key.key = keep(seen, row->key);
    seen->key.location = keep(seen, row->location);
    seen->key.answer = keep(seen, row->answer);
    return count(seen, row->key, row->row);
}

void seen_add_key(void *ctx, const struct key_row *row)
{
    (void)see_key(ctx, row);
}

void assert_str(struct str s, const char *text)
{
    if (text == NULL) {
        assert_true(str_is_absent(s));
        return;
    }
    assert_false(str_is_absent(s));
    assert_true(str_equal(s, str_from(text)));
}

struct seen *seen_new(void)
{
    return mem_new(sizeof(struct seen));
}

void seen_clear(struct seen *seen)
{
    *seen = (struct seen){.stop_after = seen->stop_after};
}
