#include "disk_file.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

/* Grows with zeros or cuts off. */
static void bytes_resize(struct disk_bytes *b, size_t len)
{
    mem_grow((void **)&b->ptr, &b->cap, len, 1);
    if (len > b->len) {
        memset(b->ptr + b->len, 0, len - b->len);
    }
    b->len = len;
}

static void bytes_put(struct disk_bytes *b, const uint8_t *from, size_t len, size_t offset)
{
    if (len == 0) {
        return;
    }
    if (offset + len > b->len) {
        bytes_resize(b, offset + len);
    }
    memcpy(b->ptr + offset, from, len);
}

struct disk_file *disk_file_new(const char *name, uint64_t number)
{
    struct disk_file *f = mem_new(sizeof(*f));
    f->name = mem_copy_str((struct str){name, strlen(name)});
    f->number = number;
    return f;
}

void disk_file_free(struct disk_file *f)
{
    mem_free(f->name);
    mem_free(f->now.ptr);
    mem_free(f->platter.ptr);
    mem_free(f->logged.ptr);
    mem_free(f->changes);
    mem_free(f);
}

bool disk_file_read(const struct disk_file *f, uint8_t *out, size_t len, size_t offset)
{
    size_t there = offset < f->now.len ? f->now.len - offset : 0;
    size_t copied = there < len ? there : len;
    if (copied > 0) {
        memcpy(out, f->now.ptr + offset, copied);
    }
    memset(out + copied, 0, len - copied);
    return copied == len;
}

static void log_change(struct disk_file *f, struct disk_change change)
{
    check(change.order > 0);
    check(f->changes_len == 0 || f->changes[f->changes_len - 1].order < change.order);
    mem_grow((void **)&f->changes, &f->changes_cap, f->changes_len + 1, sizeof(*f->changes));
    f->changes[f->changes_len++] = change;
}

void disk_file_write(struct disk_file *f, uint64_t order, const uint8_t *bytes, size_t len, size_t offset)
{
    if (len == 0) {
        return;
    }
    log_change(f, (struct disk_change){.order = order, .offset = offset, .len = len, .logged_at = f->logged.len});
    bytes_put(&f->logged, bytes, len, f->logged.len);
    bytes_put(&f->now, bytes, len, offset);
}

void disk_file_truncate(struct disk_file *f, uint64_t order, size_t size)
{
    log_change(f, (struct disk_change){.order = order, .truncates = true, .offset = size});
    bytes_resize(&f->now, size);
}

/* Bytes from..to of a logged write. */
static void put_part(struct disk_file *f, const struct disk_change *change, size_t from, size_t to)
{
    bytes_put(&f->platter, f->logged.ptr + change->logged_at + from, to - from, change->offset + from);
}

static void forget_changes(struct disk_file *f)
{
    f->changes_len = 0;
    f->logged.len = 0;
}

void disk_file_sync(struct disk_file *f)
{
    for (size_t i = 0; i < f->changes_len; i++) {
        const struct disk_change *change = &f->changes[i];
        if (change->truncates) {
            bytes_resize(&f->platter, change->offset);
        } else {
            put_part(f, change, 0, change->len);
        }
    }
    forget_changes(f);
}

size_t disk_sectors(size_t offset, size_t len)
{
    return len == 0 ? 0 : (offset + len - 1) / DISK_SECTOR_BYTES - offset / DISK_SECTOR_BYTES + 1;
}

size_t disk_sectors_bytes(size_t offset, size_t len, size_t sectors)
{
    if (sectors == 0) {
        return 0;
    }
    size_t bytes = (offset / DISK_SECTOR_BYTES + sectors) * DISK_SECTOR_BYTES - offset;
    return bytes < len ? bytes : len;
}

bool disk_cut_keeps(const struct disk_cut *cut, uint64_t order)
{
    if (cut->until > 0) {
        return order < cut->until;
    }
    return random_below(cut->random, 1000) < cut->keep_permille;
}

/* Each sector of the write for itself; the number of sectors kept. */
static size_t settle_sectors(struct disk_file *f, const struct disk_change *change, const struct disk_cut *cut)
{
    size_t sectors = disk_sectors(change->offset, change->len);
    size_t kept = 0;
    size_t from = 0;
    for (size_t i = 1; i <= sectors; i++) {
        size_t to = disk_sectors_bytes(change->offset, change->len, i);
        if (disk_cut_keeps(cut, change->order)) {
            put_part(f, change, from, to);
            kept++;
        }
        from = to;
    }
    return kept;
}

static size_t settle_prefix(struct disk_file *f, const struct disk_change *change, const struct disk_cut *cut)
{
    size_t kept = (size_t)random_below(cut->random, disk_sectors(change->offset, change->len) + 1);
    put_part(f, change, 0, disk_sectors_bytes(change->offset, change->len, kept));
    return kept;
}

static void settle_write(struct disk_file *f, const struct disk_change *change, const struct disk_cut *cut)
{
    bool partly = cut->until > 0 && change->order == cut->until;
    size_t kept = partly ? settle_prefix(f, change, cut) : settle_sectors(f, change, cut);
    size_t lost = disk_sectors(change->offset, change->len) - kept;
    cut->counts->sectors_kept += kept;
    cut->counts->sectors_lost += lost;
    cut->counts->writes_torn += kept > 0 && lost > 0;
}

void disk_file_settle(struct disk_file *f, const struct disk_cut *cut)
{
    for (size_t i = 0; i < f->changes_len; i++) {
        const struct disk_change *change = &f->changes[i];
        if (!change->truncates) {
            settle_write(f, change, cut);
        } else if (disk_cut_keeps(cut, change->order)) {
            bytes_resize(&f->platter, change->offset);
        } else {
            cut->counts->truncates_lost++;
        }
    }
    forget_changes(f);
}

void disk_file_reload(struct disk_file *f)
{
    check(f->changes_len == 0);
    bytes_resize(&f->now, 0);
    bytes_put(&f->now, f->platter.ptr, f->platter.len, 0);
}
