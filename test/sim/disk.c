#include "disk.h"

#include "disk_state.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

struct disk *disk_new(uint64_t seed)
{
    struct disk *d = mem_new(sizeof(*d));
    random_init(&d->random, seed);
    d->life = 1;
    disk_clear_faults(d);
    disk_vfs_init(d);
    check(sqlite3_vfs_find(d->vfs.zName) == NULL); /* one disk at a time */
    check(sqlite3_vfs_register(&d->vfs, 1) == SQLITE_OK);
    sqlite3_randomness(0, NULL);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL) {
        return;
    }
    check(d->handles_open == 0);
    check(sqlite3_vfs_unregister(&d->vfs) == SQLITE_OK);
    for (size_t i = 0; i < d->files_len; i++) {
        disk_file_free(d->files[i]);
    }
    mem_free(d->files);
    mem_free(d);
}

struct disk_faults *disk_faults(struct disk *d)
{
    return &d->faults;
}

void disk_clear_faults(struct disk *d)
{
    d->faults = (struct disk_faults){.room_bytes = DISK_ROOM_UNBOUNDED};
}

void disk_die_at(struct disk *d, uint64_t nth, enum disk_call kind)
{
    check(kind < DISK_CALLS);
    d->die_in = nth;
    d->die_kind = kind;
}

bool disk_is_dead(const struct disk *d)
{
    return d->dead;
}

void disk_set_time_ms(struct disk *d, int64_t now_ms)
{
    d->now_ms = now_ms;
}

uint64_t disk_take_waited_us(struct disk *d)
{
    uint64_t waited_us = d->waited_us;
    d->waited_us = 0;
    return waited_us;
}

const struct disk_counts *disk_counts(const struct disk *d)
{
    return &d->counts;
}

uint64_t disk_trace(const struct disk *d)
{
    return d->trace;
}

uint64_t disk_size_bytes(const struct disk *d)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < d->files_len; i++) {
        const struct disk_file *f = d->files[i];
        bytes += f->shown || f->handles != NULL ? f->now.len : 0;
    }
    return bytes;
}

/* The directory */

struct disk_file *disk_find(const struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->files_len; i++) {
        if (d->files[i]->shown && strcmp(d->files[i]->name, name) == 0) {
            return d->files[i];
        }
    }
    return NULL;
}

struct disk_file *disk_create(struct disk *d, const char *name)
{
    struct disk_file *f = disk_file_new(name, ++d->files_made);
    f->shown = true;
    f->create_pending = ++d->order;
    mem_grow((void **)&d->files, &d->files_cap, d->files_len + 1, sizeof(struct disk_file *));
    d->files[d->files_len++] = f;
    return f;
}

/* Whatever happened to this name is over, and no file has it on the platter. */
static void clear_name(struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->files_len; i++) {
        struct disk_file *f = d->files[i];
        if (strcmp(f->name, name) == 0) {
            f->kept = false;
            f->create_pending = 0;
            f->delete_pending = 0;
        }
    }
}

/* All entries are on the platter, as the kernel shows them. */
static void sync_directory(struct disk *d)
{
    for (size_t i = 0; i < d->files_len; i++) {
        struct disk_file *f = d->files[i];
        f->kept = f->shown;
        f->create_pending = 0;
        f->delete_pending = 0;
    }
}

void disk_unlink(struct disk *d, struct disk_file *f, bool durable)
{
    f->shown = false;
    f->delete_pending = ++d->order;
    if (durable) {
        sync_directory(d);
    }
}

void disk_make_durable(struct disk *d, struct disk_file *f, bool directory)
{
    disk_file_sync(f);
    if (directory) {
        sync_directory(d);
    } else if (f->shown && !f->kept) {
        clear_name(d, f->name);
        f->kept = true;
    }
}

void disk_make_all_durable(struct disk *d)
{
    for (size_t i = 0; i < d->files_len; i++) {
        disk_file_sync(d->files[i]);
    }
    sync_directory(d);
}

void disk_sweep(struct disk *d)
{
    size_t left = 0;
    for (size_t i = 0; i < d->files_len; i++) {
        struct disk_file *f = d->files[i];
        bool needed = f->shown || f->kept || f->delete_pending > 0 || f->handles != NULL;
        if (needed) {
            d->files[left++] = f;
        } else {
            disk_file_free(f);
        }
    }
    d->files_len = left;
}

/* The end of a life */

static void end_life(struct disk *d)
{
    for (size_t i = 0; i < d->files_len; i++) {
        d->files[i]->handles = NULL; /* dead from now on; shared memory is freed with the last of them */
        d->files[i]->shm = NULL;
    }
    d->life++;
    d->dead = false;
    d->die_in = 0;
    disk_sweep(d);
    sqlite3_randomness(0, NULL);
}

void disk_kill(struct disk *d)
{
    d->counts.kills++;
    end_life(d);
}

/*
 * A directory is written in order: of what happened to a name, the first things are kept and the others lost. The files
 * of one name stand in the order of their lives, each created, and all but the last one deleted, before the next.
 */
static void settle_name(struct disk *d, const char *name, const struct disk_cut *cut)
{
    bool keeps = true;
    for (size_t i = 0; i < d->files_len; i++) {
        struct disk_file *f = d->files[i];
        if (strcmp(f->name, name) != 0) {
            continue;
        }
        if (f->create_pending > 0) {
            keeps = keeps && disk_cut_keeps(cut, f->create_pending);
            f->kept = keeps;
            d->counts.creates_undone += !keeps;
        }
        if (f->delete_pending > 0) {
            keeps = keeps && disk_cut_keeps(cut, f->delete_pending);
            f->kept = f->kept && !keeps;
            d->counts.deletes_undone += f->kept;
        }
        f->create_pending = 0;
        f->delete_pending = 0;
    }
}

static void settle_directory(struct disk *d, const struct disk_cut *cut)
{
    for (size_t i = 0; i < d->files_len; i++) {
        struct disk_file *f = d->files[i];
        if (f->create_pending > 0 || f->delete_pending > 0) {
            settle_name(d, f->name, cut);
        }
    }
    for (size_t i = 0; i < d->files_len; i++) {
        d->files[i]->shown = d->files[i]->kept;
    }
}

static uint64_t lower_pending(uint64_t lowest, uint64_t order)
{
    return order > 0 && order < lowest ? order : lowest;
}

/* The order of the oldest change that is not on the platter; one above the last when all are. */
static uint64_t oldest_pending(const struct disk *d)
{
    uint64_t oldest = d->order + 1;
    for (size_t i = 0; i < d->files_len; i++) {
        const struct disk_file *f = d->files[i];
        oldest = lower_pending(oldest, f->create_pending);
        oldest = lower_pending(oldest, f->delete_pending);
        oldest = lower_pending(oldest, f->changes_len > 0 ? f->changes[0].order : 0);
    }
    return oldest;
}

/* Sometimes all is lost, sometimes nearly all is kept, else something in between. */
static uint64_t draw_keep_permille(struct disk *d)
{
    switch (random_below(&d->random, 4)) {
    case 0:
        return 0;
    case 1:
        return 990;
    default:
        return random_below(&d->random, 1000);
    }
}

static struct disk_cut draw_cut(struct disk *d)
{
    struct disk_cut cut = {.random = &d->random, .counts = &d->counts};
    if (d->lied) {
        uint64_t oldest = oldest_pending(d);
        cut.until = oldest + random_below(&d->random, d->order + 2 - oldest);
    } else {
        cut.keep_permille = draw_keep_permille(d);
    }
    return cut;
}

void disk_cut_power(struct disk *d)
{
    d->counts.power_cuts++;
    d->counts.power_cuts_of_a_liar += d->lied;
    struct disk_cut cut = draw_cut(d);
    settle_directory(d, &cut);
    for (size_t i = 0; i < d->files_len; i++) {
        disk_file_settle(d->files[i], &cut);
        disk_file_reload(d->files[i]);
    }
    d->lied = false;
    end_life(d);
}
