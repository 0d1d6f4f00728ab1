/*
 * The inside of the simulated disk, shared by disk.c (lives, directory, power cuts) and disk_vfs.c (SQLite's methods).
 */
#ifndef TEST_SIM_DISK_STATE_H
#define TEST_SIM_DISK_STATE_H

#include "disk_file.h"

#include <sqlite3.h>

struct disk {
    sqlite3_vfs vfs; /* registered with SQLite */
    struct random random;
    struct disk_faults faults;
    struct disk_counts counts;
    uint64_t trace;

    uint64_t life; /* the present one; handles carry that of their own */
    bool dead;
    uint64_t die_in; /* calls; 0 when not armed */
    enum disk_call die_kind;

    uint64_t order; /* of the last change */
    bool lied;      /* a sync was not done, and no honest one came after it */
    int64_t now_ms;
    uint64_t waited_us;
    uint64_t handles_open; /* of all lives */

    struct disk_file **files; /* oldest first; several may have one name, at most one of them is shown, one kept */
    size_t files_len;
    size_t files_cap;
    uint64_t files_made;
};

/* Sets `d->vfs`. */
void disk_vfs_init(struct disk *d);

/* The file that the kernel shows under this name, or NULL. */
struct disk_file *disk_find(const struct disk *d, const char *name);
struct disk_file *disk_create(struct disk *d, const char *name);
/* The content stays while there are handles. Durable: with the whole directory. The caller sweeps. */
void disk_unlink(struct disk *d, struct disk_file *f, bool durable);
/* The content of `f` is on the platter, and its entry, or those of the whole directory. */
void disk_make_durable(struct disk *d, struct disk_file *f, bool directory);
void disk_make_all_durable(struct disk *d);
/* Frees files that nothing can bring back. */
void disk_sweep(struct disk *d);

#endif
