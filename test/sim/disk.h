/*
 * A simulated disk: SQLite's default VFS while it exists, all in memory, for a world that runs in one thread. No real
 * file is touched; of a path only the last component counts.
 *
 * A file has what the kernel shows and what is surely on the platter; between them stands what was not synced yet. A
 * process lives until disk_kill (what the kernel shows stays) or disk_cut_power (each 512-byte sector that was not
 * synced is kept or lost by itself, so that writes come out torn, lost and reordered). Every handle belongs to the life
 * that opened it: in a later life it fails with errors, changes nothing and can be closed (open, delete and access have
 * no handle and count for the present life; an old connection does not come that far). Several "processes" on one
 * living disk need nothing special: locks and shared memory work between all handles of a life.
 *
 * A sync makes the content of a file and its directory entry durable; the first sync of a journal or WAL, and a delete
 * that asks for it, the whole directory, as with SQLite's own VFS. Other deletes may come undone at a power cut.
 *
 * SQLITE_BUSY is the answer to a conflicting lock. Temporary files are refused (SQLITE_CANTOPEN): the database is to be
 * used with temp_store = MEMORY. Everything random comes from the seed. One disk at a time.
 */
#ifndef TEST_SIM_DISK_H
#define TEST_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_SECTOR_BYTES 512
#define DISK_ROOM_UNBOUNDED UINT64_MAX

struct disk;

/* The calls that count, can be the last one and can be traced. All others always succeed: close, unlock, unmap, ... */
enum disk_call {
    DISK_ANY_CALL, /* for disk_die_at alone */
    DISK_OPEN,
    DISK_DELETE,
    DISK_ACCESS,
    DISK_READ,
    DISK_WRITE,
    DISK_TRUNCATE,
    DISK_SYNC,
    DISK_SIZE,
    DISK_LOCK, /* taking a lock on a file; giving it back does not count */
    DISK_CHECK_LOCK,
    DISK_SHM_MAP,
    DISK_SHM_LOCK, /* taking; giving back does not count */
    DISK_CALLS
};

/* What goes wrong, each per call in parts per million. All zero but for the room in a new disk. */
struct disk_faults {
    uint32_t refuse_write_ppm;  /* nothing is written, SQLITE_IOERR_WRITE */
    uint32_t short_write_ppm;   /* a part is written, SQLITE_IOERR_WRITE */
    uint32_t fail_read_ppm;     /* SQLITE_IOERR_READ */
    uint32_t fail_sync_ppm;     /* SQLITE_IOERR_FSYNC; what was to be synced counts as clean, but parts of it never
                                   reach the platter unless they are written again */
    uint32_t fail_truncate_ppm; /* SQLITE_IOERR_TRUNCATE */
    uint32_t fail_delete_ppm;   /* SQLITE_IOERR_DELETE */
    uint32_t fail_open_ppm;     /* SQLITE_CANTOPEN */
    uint32_t fail_shm_map_ppm;  /* SQLITE_IOERR_SHMSIZE when it would have grown, else SQLITE_IOERR_SHMMAP */
    uint32_t stall_ppm;         /* the call takes 1..stall_us_max of simulated time */
    uint32_t stall_us_max;
    /* A write or truncate that needs more fails with SQLITE_FULL; of a write, what fits is written. Shared memory takes
       none. */
    uint64_t room_bytes;
    /* Syncs succeed and do nothing. A power cut then keeps all changes up to a moment and none after it. The first
       honest sync writes everything to the platter. */
    bool lies;
};

/* What really happened, since disk_new. */
struct disk_counts {
    uint64_t calls; /* on a living disk, by handles of its life */
    uint64_t calls_of[DISK_CALLS];
    uint64_t calls_dead; /* answered with an error because that life is over */
    uint64_t deaths_at[DISK_CALLS];
    uint64_t deaths_in_write; /* of deaths_at[DISK_WRITE]: a part, but not all, had reached the file */
    uint64_t kills;
    uint64_t power_cuts;
    uint64_t power_cuts_of_a_liar;
    uint64_t sectors_kept; /* at power cuts, of what was not synced */
    uint64_t sectors_lost;
    uint64_t writes_torn; /* some of its sectors kept, others lost */
    uint64_t truncates_lost;
    uint64_t creates_undone;
    uint64_t deletes_undone;
    uint64_t writes_refused;
    uint64_t writes_short;
    uint64_t reads_failed;
    uint64_t syncs_failed;
    uint64_t syncs_lied;
    uint64_t truncates_failed;
    uint64_t deletes_failed;
    uint64_t opens_failed;
    uint64_t shm_maps_failed;
    uint64_t full;
    uint64_t busy; /* locks refused because another handle held one in conflict */
    uint64_t stalls;
    uint64_t sleeps;
};

/* An empty disk, which becomes SQLite's default VFS. There must be no other one. */
struct disk *disk_new(uint64_t seed);
/* Every connection, also those of ended lives, must be closed before. Accepts NULL. */
void disk_free(struct disk *d);

/* To be changed at any time. */
struct disk_faults *disk_faults(struct disk *d);
/* Back to a disk without faults, and all room. */
void disk_clear_faults(struct disk *d);

/*
 * The `nth` call from now (1: the next one) of this kind is the last of this life. A part of a write, in whole sectors,
 * may have reached the kernel; any other change is made or not. The call and all later ones fail until disk_kill or
 * disk_cut_power. 0 disarms.
 */
void disk_die_at(struct disk *d, uint64_t nth, enum disk_call kind);
bool disk_is_dead(const struct disk *d);

/*
 * The end of a life, and the begin of the next one: locks and shared memory are gone, older handles are dead, nothing is
 * armed and SQLite's random numbers start anew from this disk's.
 */
void disk_kill(struct disk *d);
void disk_cut_power(struct disk *d);

/* What SQLite takes for the time, in milliseconds since 1970; 0 at first. */
void disk_set_time_ms(struct disk *d, int64_t now_ms);
/* Simulated time that stalls and SQLite's sleeps took since the last take; nothing really waits. */
uint64_t disk_take_waited_us(struct disk *d);

const struct disk_counts *disk_counts(const struct disk *d);
/* Hash of all calls so far: kind, file, place, length, result; not of the bytes. */
uint64_t disk_trace(const struct disk *d);
/* Of all files as the kernel has them, also deleted ones that are still open. */
uint64_t disk_size_bytes(const struct disk *d);

#endif
