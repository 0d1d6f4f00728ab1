/*
 * The content of one simulated file, in two versions: what the kernel shows and what is surely on the platter, with the
 * changes between them in order. Knows nothing of SQLite.
 */
#ifndef TEST_SIM_DISK_FILE_H
#define TEST_SIM_DISK_FILE_H

#include "disk.h"

#include "base/random.h"

#include <stddef.h>

struct disk_bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
};

/* A write, or a truncate to `offset`. */
struct disk_change {
    uint64_t order; /* among all changes of all files; never 0 */
    bool truncates;
    size_t offset;
    size_t len;
    size_t logged_at; /* of the bytes, in `logged` */
};

struct disk_file {
    char *name;
    uint64_t number; /* of creation; no two files of a disk share one */

    /* The directory entry: as the kernel shows it, on the platter, and the orders of what lies between (0: nothing). */
    bool shown;
    bool kept;
    uint64_t create_pending;
    uint64_t delete_pending;

    struct disk_bytes now;
    struct disk_bytes platter;
    struct disk_bytes logged;
    struct disk_change *changes; /* not on the platter yet, oldest first */
    size_t changes_len;
    size_t changes_cap;

    struct disk_handle *handles; /* of the present life */
    struct disk_shm *shm;        /* of the present life, NULL without */
};

/* What decides whether a change that was not synced is kept. */
struct disk_cut {
    struct random *random;      /* borrowed */
    struct disk_counts *counts; /* borrowed */
    uint64_t keep_permille;     /* of sectors, truncates and directory entries, each drawn by itself */
    uint64_t until;             /* not 0: instead, all before this order are kept, of that one a part, none after it */
};

struct disk_file *disk_file_new(const char *name, uint64_t number);
void disk_file_free(struct disk_file *f);

/* Fills up with zeros behind the end of the file; false when it did. */
bool disk_file_read(const struct disk_file *f, uint8_t *out, size_t len, size_t offset);
void disk_file_write(struct disk_file *f, uint64_t order, const uint8_t *bytes, size_t len, size_t offset);
void disk_file_truncate(struct disk_file *f, uint64_t order, size_t size);

/* All changes are on the platter. */
void disk_file_sync(struct disk_file *f);
/* Some changes are on the platter, as `cut` decides; the others will never be. */
void disk_file_settle(struct disk_file *f, const struct disk_cut *cut);
/* The kernel shows what is on the platter. */
void disk_file_reload(struct disk_file *f);

/* Is a whole change of this order kept? */
bool disk_cut_keeps(const struct disk_cut *cut, uint64_t order);
/* How many pieces `len` bytes at `offset` have when they are cut where sectors begin. */
size_t disk_sectors(size_t offset, size_t len);
/* The length of the first `sectors` such pieces. */
size_t disk_sectors_bytes(size_t offset, size_t len, size_t sectors);

#endif
