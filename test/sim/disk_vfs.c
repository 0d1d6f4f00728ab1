/*
 * SQLite's methods on the simulated disk. Each call that counts goes through the gate (is this life over, does it end
 * here) and out through `done`, which adds it to the trace.
 */
#include "disk_state.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

#define UNIX_EPOCH_MS INT64_C(210866760000000) /* of SQLite's Julian day, in milliseconds */
#define DAY_MS 86400000.0
#define PATH_BYTES_MAX 512
#define PAGE_SECTOR_BYTES 4096 /* what SQLite's own VFS says */

/* The wal-index of one file in one life. Outlives both as long as a handle has it mapped. */
struct disk_shm {
    uint64_t refs;
    size_t region_bytes;
    void **regions;
    size_t regions_len;
    size_t regions_cap;
};

struct disk_handle {
    sqlite3_file base;
    struct disk *disk;
    uint64_t life;
    uint64_t file_number;
    struct disk_file *file;   /* of the present life alone; never followed after it */
    struct disk_handle *next; /* of the same file */
    bool syncs_directory;     /* with its first sync */
    int lock;
    unsigned shm_shared; /* bits of the slots held */
    unsigned shm_exclusive;
    struct disk_shm *shm;
};

enum gate {
    GATE_OPEN,
    GATE_LAST, /* this call is the last one of its life: may have its effect, and fails */
    GATE_SHUT
};

static struct disk_handle *handle_from(sqlite3_file *file)
{
    return (struct disk_handle *)file;
}

static bool handle_is_current(const struct disk_handle *h)
{
    return h->life == h->disk->life;
}

static bool chance(struct disk *d, uint32_t ppm)
{
    return ppm > 0 && random_below(&d->random, 1000000) < ppm;
}

static bool coin(struct disk *d)
{
    return random_below(&d->random, 2) == 1;
}

/* A fault of this probability, counted. */
static bool fault(struct disk *d, uint32_t ppm, uint64_t *count)
{
    bool fails = chance(d, ppm);
    *count += fails;
    return fails;
}

static bool is_last_call(struct disk *d, enum disk_call kind)
{
    if (d->die_in == 0 || (d->die_kind != DISK_ANY_CALL && d->die_kind != kind)) {
        return false;
    }
    return --d->die_in == 0;
}

static enum gate gate(struct disk *d, bool current, enum disk_call kind)
{
    if (!current || d->dead) {
        d->counts.calls_dead++;
        return GATE_SHUT;
    }
    d->counts.calls++;
    d->counts.calls_of[kind]++;
    if (chance(d, d->faults.stall_ppm) && d->faults.stall_us_max > 0) {
        d->counts.stalls++;
        d->waited_us += 1 + random_below(&d->random, d->faults.stall_us_max);
    }
    if (is_last_call(d, kind)) {
        d->dead = true;
        d->counts.deaths_at[kind]++;
        return GATE_LAST;
    }
    return GATE_OPEN;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 32);
}

static uint64_t hash_of_name(const char *name)
{
    uint64_t hash = 0;
    for (; *name != '\0'; name++) {
        hash = mix(hash, (uint8_t)*name);
    }
    return hash;
}

struct call {
    enum disk_call kind;
    uint64_t file; /* its number, or the hash of a name */
    uint64_t place;
    uint64_t len;
};

/* `rc`, after this call was added to the trace. */
static int done(struct disk *d, struct call call, int rc)
{
    uint64_t hash = mix(d->trace, call.kind);
    hash = mix(hash, call.file);
    hash = mix(hash, call.place);
    hash = mix(hash, call.len);
    d->trace = mix(hash, (uint64_t)rc);
    return rc;
}

/* Reading and writing */

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 offset)
{
    struct disk_handle *h = handle_from(file);
    struct disk *d = h->disk;
    int rc = SQLITE_IOERR_READ;
    if (gate(d, handle_is_current(h), DISK_READ) == GATE_OPEN &&
        !fault(d, d->faults.fail_read_ppm, &d->counts.reads_failed)) {
        rc = disk_file_read(h->file, out, (size_t)len, (size_t)offset) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    }
    return done(d, (struct call){DISK_READ, h->file_number, (uint64_t)offset, (uint64_t)len}, rc);
}

/* How large this file can become at most. */
static uint64_t size_max(const struct disk *d, const struct disk_file *f)
{
    uint64_t used = disk_size_bytes(d);
    return f->now.len + (d->faults.room_bytes > used ? d->faults.room_bytes - used : 0);
}

/* Of `len` bytes at `offset`, the length of the part for which there is room. */
static size_t fitting(const struct disk *d, const struct disk_file *f, size_t len, size_t offset)
{
    if (d->faults.room_bytes == DISK_ROOM_UNBOUNDED || offset + len <= f->now.len) {
        return len;
    }
    uint64_t max = size_max(d, f);
    if (offset + len <= max) {
        return len;
    }
    return offset < max ? (size_t)(max - offset) : 0;
}

static void write_bytes(struct disk *d, struct disk_file *f, const uint8_t *bytes, size_t len, size_t offset)
{
    disk_file_write(f, ++d->order, bytes, fitting(d, f, len, offset), offset);
}

/* The process dies while it writes: the first sectors have reached the kernel. */
static void write_last(struct disk *d, struct disk_file *f, const uint8_t *bytes, size_t len, size_t offset)
{
    size_t sectors = disk_sectors(offset, len);
    size_t written = (size_t)random_below(&d->random, sectors + 1);
    write_bytes(d, f, bytes, disk_sectors_bytes(offset, len, written), offset);
    d->counts.deaths_in_write += written > 0 && written < sectors;
}

static int write_all(struct disk *d, struct disk_file *f, const uint8_t *bytes, size_t len, size_t offset)
{
    if (fault(d, d->faults.refuse_write_ppm, &d->counts.writes_refused)) {
        return SQLITE_IOERR_WRITE;
    }
    if (fault(d, d->faults.short_write_ppm, &d->counts.writes_short)) {
        write_bytes(d, f, bytes, (size_t)random_below(&d->random, len), offset);
        return SQLITE_IOERR_WRITE;
    }
    bool fits = fitting(d, f, len, offset) == len;
    write_bytes(d, f, bytes, len, offset);
    d->counts.full += !fits;
    return fits ? SQLITE_OK : SQLITE_FULL;
}

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct disk_handle *h = handle_from(file);
    struct disk *d = h->disk;
    check(len > 0 && offset >= 0);
    int rc = SQLITE_IOERR_WRITE;
    switch (gate(d, handle_is_current(h), DISK_WRITE)) {
    case GATE_OPEN:
        rc = write_all(d, h->file, bytes, (size_t)len, (size_t)offset);
        break;
    case GATE_LAST:
        write_last(d, h->file, bytes, (size_t)len, (size_t)offset);
        break;
    case GATE_SHUT:
        break;
    }
    return done(d, (struct call){DISK_WRITE, h->file_number, (uint64_t)offset, (uint64_t)len}, rc);
}

static int truncate_to(struct disk *d, struct disk_file *f, size_t size)
{
    if (fault(d, d->faults.fail_truncate_ppm, &d->counts.truncates_failed)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (size > f->now.len && size > size_max(d, f)) {
        d->counts.full++;
        return SQLITE_FULL;
    }
    disk_file_truncate(f, ++d->order, size);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct disk_handle *h = handle_from(file);
    struct disk *d = h->disk;
    int rc = SQLITE_IOERR_TRUNCATE;
    switch (gate(d, handle_is_current(h), DISK_TRUNCATE)) {
    case GATE_OPEN:
        rc = truncate_to(d, h->file, (size_t)size);
        break;
    case GATE_LAST:
        if (coin(d)) {
            (void)truncate_to(d, h->file, (size_t)size); /* nobody hears of the result */
        }
        break;
    case GATE_SHUT:
        break;
    }
    return done(d, (struct call){DISK_TRUNCATE, h->file_number, (uint64_t)size, 0}, rc);
}

/* As ext4 does: the kernel takes for clean what it could not write, and never tries again. */
static void fail_sync(struct disk *d, struct disk_file *f)
{
    if (d->lied) {
        return; /* what the disk still has in its cache keeps its order */
    }
    struct disk_counts unseen = {0};
    struct disk_cut cut = {.random = &d->random, .counts = &unseen, .keep_permille = random_below(&d->random, 1000)};
    disk_file_settle(f, &cut);
}

static int sync_to_platter(struct disk *d, struct disk_handle *h)
{
    if (d->faults.lies) {
        d->lied = true;
        d->counts.syncs_lied++;
        return SQLITE_OK;
    }
    if (fault(d, d->faults.fail_sync_ppm, &d->counts.syncs_failed)) {
        fail_sync(d, h->file);
        return SQLITE_IOERR_FSYNC;
    }
    if (d->lied) {
        disk_make_all_durable(d);
    } else {
        disk_make_durable(d, h->file, h->syncs_directory);
    }
    d->lied = false;
    h->syncs_directory = false;
    disk_sweep(d);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct disk_handle *h = handle_from(file);
    struct disk *d = h->disk;
    int rc = SQLITE_IOERR_FSYNC;
    switch (gate(d, handle_is_current(h), DISK_SYNC)) {
    case GATE_OPEN:
        rc = sync_to_platter(d, h);
        break;
    case GATE_LAST:
        if (coin(d)) {
            (void)sync_to_platter(d, h); /* nobody hears of the result */
        }
        break;
    case GATE_SHUT:
        break;
    }
    return done(d, (struct call){DISK_SYNC, h->file_number, 0, (uint64_t)flags}, rc);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct disk_handle *h = handle_from(file);
    int rc = SQLITE_IOERR_FSTAT;
    *out = 0;
    if (gate(h->disk, handle_is_current(h), DISK_SIZE) == GATE_OPEN) {
        *out = (sqlite3_int64)h->file->now.len;
        rc = SQLITE_OK;
    }
    return done(h->disk, (struct call){DISK_SIZE, h->file_number, (uint64_t)*out, 0}, rc);
}

/* Locks */

/* The strongest lock that another handle has on the same file. */
static int strongest_other(const struct disk_handle *h)
{
    int strongest = SQLITE_LOCK_NONE;
    for (const struct disk_handle *o = h->file->handles; o != NULL; o = o->next) {
        if (o != h && o->lock > strongest) {
            strongest = o->lock;
        }
    }
    return strongest;
}

/* Readers go out but none comes in while one handle waits for them with SQLITE_LOCK_PENDING. */
static int take_lock(struct disk_handle *h, int wanted)
{
    if (h->lock >= wanted) {
        return SQLITE_OK;
    }
    int other = strongest_other(h);
    bool shares = wanted == SQLITE_LOCK_SHARED;
    if (other >= (shares ? SQLITE_LOCK_PENDING : SQLITE_LOCK_RESERVED)) {
        return SQLITE_BUSY;
    }
    if (wanted == SQLITE_LOCK_EXCLUSIVE && other >= SQLITE_LOCK_SHARED) {
        h->lock = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    h->lock = wanted;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int wanted)
{
    struct disk_handle *h = handle_from(file);
    int rc = SQLITE_IOERR_LOCK;
    if (gate(h->disk, handle_is_current(h), DISK_LOCK) == GATE_OPEN) {
        rc = take_lock(h, wanted);
        h->disk->counts.busy += rc == SQLITE_BUSY;
    }
    return done(h->disk, (struct call){DISK_LOCK, h->file_number, (uint64_t)wanted, 0}, rc);
}

static int file_unlock(sqlite3_file *file, int wanted)
{
    struct disk_handle *h = handle_from(file);
    h->lock = wanted < h->lock ? wanted : h->lock;
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    struct disk_handle *h = handle_from(file);
    int rc = SQLITE_IOERR_CHECKRESERVEDLOCK;
    *out = 0;
    if (gate(h->disk, handle_is_current(h), DISK_CHECK_LOCK) == GATE_OPEN) {
        *out = h->lock >= SQLITE_LOCK_RESERVED || strongest_other(h) >= SQLITE_LOCK_RESERVED;
        rc = SQLITE_OK;
    }
    return done(h->disk, (struct call){DISK_CHECK_LOCK, h->file_number, (uint64_t)*out, 0}, rc);
}

/* Shared memory */

static void shm_attach(struct disk_handle *h)
{
    if (h->shm != NULL) {
        return;
    }
    if (h->file->shm == NULL) {
        h->file->shm = mem_new(sizeof(struct disk_shm));
    }
    h->shm = h->file->shm;
    h->shm->refs++;
}

static void shm_detach(struct disk_handle *h)
{
    struct disk_shm *shm = h->shm;
    h->shm = NULL;
    h->shm_shared = 0;
    h->shm_exclusive = 0;
    if (shm == NULL || --shm->refs > 0) {
        return;
    }
    if (handle_is_current(h)) {
        h->file->shm = NULL;
    }
    for (size_t i = 0; i < shm->regions_len; i++) {
        mem_free(shm->regions[i]);
    }
    mem_free(shm->regions);
    mem_free(shm);
}

static void shm_grow(struct disk_shm *shm, size_t regions_len)
{
    mem_grow((void **)&shm->regions, &shm->regions_cap, regions_len, sizeof(void *));
    while (shm->regions_len < regions_len) {
        shm->regions[shm->regions_len++] = mem_new(shm->region_bytes);
    }
}

static int map_region(struct disk_handle *h, size_t region, size_t bytes, bool extend, void volatile **out)
{
    struct disk *d = h->disk;
    bool there = h->file->shm != NULL && region < h->file->shm->regions_len;
    if (fault(d, d->faults.fail_shm_map_ppm, &d->counts.shm_maps_failed)) {
        return there || !extend ? SQLITE_IOERR_SHMMAP : SQLITE_IOERR_SHMSIZE;
    }
    shm_attach(h);
    check(h->shm->region_bytes == 0 || h->shm->region_bytes == bytes);
    h->shm->region_bytes = bytes;
    if (!there && extend) {
        shm_grow(h->shm, region + 1);
    }
    *out = there || extend ? h->shm->regions[region] : NULL;
    return SQLITE_OK;
}

static int file_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **out)
{
    struct disk_handle *h = handle_from(file);
    int rc = SQLITE_IOERR_SHMMAP;
    *out = NULL;
    if (gate(h->disk, handle_is_current(h), DISK_SHM_MAP) == GATE_OPEN) {
        rc = map_region(h, (size_t)region, (size_t)bytes, extend != 0, out);
    }
    return done(h->disk, (struct call){DISK_SHM_MAP, h->file_number, (uint64_t)region, (uint64_t)extend}, rc);
}

static int take_shm_lock(struct disk_handle *h, unsigned slots, bool exclusive)
{
    for (const struct disk_handle *o = h->file->handles; o != NULL; o = o->next) {
        if (o != h && (slots & (o->shm_exclusive | (exclusive ? o->shm_shared : 0))) != 0) {
            return SQLITE_BUSY;
        }
    }
    *(exclusive ? &h->shm_exclusive : &h->shm_shared) |= slots;
    return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *file, int first, int count, int flags)
{
    struct disk_handle *h = handle_from(file);
    unsigned slots = ((1U << count) - 1) << first;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        h->shm_shared &= ~slots;
        h->shm_exclusive &= ~slots;
        return SQLITE_OK;
    }
    int rc = SQLITE_IOERR_SHMLOCK;
    if (gate(h->disk, handle_is_current(h), DISK_SHM_LOCK) == GATE_OPEN) {
        rc = take_shm_lock(h, slots, (flags & SQLITE_SHM_EXCLUSIVE) != 0);
        h->disk->counts.busy += rc == SQLITE_BUSY;
    }
    return done(h->disk, (struct call){DISK_SHM_LOCK, h->file_number, slots, (uint64_t)flags}, rc);
}

static void file_shm_barrier(sqlite3_file *file)
{
    (void)file; /* one thread */
}

static int file_shm_unmap(sqlite3_file *file, int delete_it)
{
    (void)delete_it; /* it goes with its last handle */
    shm_detach(handle_from(file));
    return SQLITE_OK;
}

/* The rest of a file's life */

static void forget_handle(struct disk_handle *h)
{
    struct disk_handle **at = &h->file->handles;
    while (*at != h) {
        check(*at != NULL);
        at = &(*at)->next;
    }
    *at = h->next;
    disk_sweep(h->disk);
}

static int file_close(sqlite3_file *file)
{
    struct disk_handle *h = handle_from(file);
    shm_detach(h);
    if (handle_is_current(h)) {
        forget_handle(h);
    }
    check(h->disk->handles_open > 0);
    h->disk->handles_open--;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return PAGE_SECTOR_BYTES;
}

/* As SQLite's own VFS: a torn write changes no byte outside of it. */
static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* The disk itself. A handle of an ended life comes by here only after a lock, which it does not get. */

static struct disk *disk_from(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* As SQLite's own VFS: with the first sync of a journal or WAL goes one of its directory. */
static void open_handle(struct disk *d, struct disk_handle *h, struct disk_file *f, int flags)
{
    int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    *h = (struct disk_handle){
        .base.pMethods = &file_methods,
        .disk = d,
        .life = d->life,
        .file_number = f->number,
        .file = f,
        .next = f->handles,
        .syncs_directory = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0};
    f->handles = h;
    d->handles_open++;
}

static int open_file(struct disk *d, struct disk_handle *h, const char *name, int flags)
{
    if (fault(d, d->faults.fail_open_ppm, &d->counts.opens_failed)) {
        return SQLITE_CANTOPEN;
    }
    struct disk_file *f = disk_find(d, name);
    if (f == NULL && (flags & SQLITE_OPEN_CREATE) == 0) {
        return SQLITE_CANTOPEN;
    }
    if (f != NULL && (flags & SQLITE_OPEN_EXCLUSIVE) != 0) {
        return SQLITE_CANTOPEN;
    }
    open_handle(d, h, f != NULL ? f : disk_create(d, name), flags);
    return SQLITE_OK;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    struct disk *d = disk_from(vfs);
    file->pMethods = NULL; /* nothing to close when this fails */
    if (path == NULL) {
        return SQLITE_CANTOPEN; /* a temporary file */
    }
    const char *name = last_component(path);
    int rc = SQLITE_CANTOPEN;
    switch (gate(d, true, DISK_OPEN)) {
    case GATE_OPEN:
        rc = open_file(d, handle_from(file), name, flags);
        break;
    case GATE_LAST:
        if ((flags & SQLITE_OPEN_CREATE) != 0 && disk_find(d, name) == NULL && coin(d)) {
            disk_create(d, name);
        }
        break;
    case GATE_SHUT:
        break;
    }
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return done(d, (struct call){DISK_OPEN, hash_of_name(name), (uint64_t)flags, 0}, rc);
}

static int delete_file(struct disk *d, const char *name, bool durable)
{
    if (fault(d, d->faults.fail_delete_ppm, &d->counts.deletes_failed)) {
        return SQLITE_IOERR_DELETE;
    }
    struct disk_file *f = disk_find(d, name);
    if (f == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    disk_unlink(d, f, durable && !d->faults.lies && !d->lied);
    disk_sweep(d);
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int durable)
{
    struct disk *d = disk_from(vfs);
    const char *name = last_component(path);
    int rc = SQLITE_IOERR_DELETE;
    switch (gate(d, true, DISK_DELETE)) {
    case GATE_OPEN:
        rc = delete_file(d, name, durable != 0);
        break;
    case GATE_LAST:
        if (coin(d)) {
            (void)delete_file(d, name, durable != 0); /* nobody hears of the result */
        }
        break;
    case GATE_SHUT:
        break;
    }
    return done(d, (struct call){DISK_DELETE, hash_of_name(name), 0, (uint64_t)durable}, rc);
}

/* As SQLite's own VFS: an empty file does not "exist". */
static bool grants(const struct disk_file *f, int flags)
{
    return f != NULL && (flags != SQLITE_ACCESS_EXISTS || f->now.len > 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct disk *d = disk_from(vfs);
    const char *name = last_component(path);
    int rc = SQLITE_IOERR_ACCESS;
    *out = 0;
    if (gate(d, true, DISK_ACCESS) == GATE_OPEN) {
        *out = grants(disk_find(d, name), flags);
        rc = SQLITE_OK;
    }
    return done(d, (struct call){DISK_ACCESS, hash_of_name(name), (uint64_t)*out, (uint64_t)flags}, rc);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    size_t len = strlen(path);
    if (len >= (size_t)size) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, path, len + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int len, char *out)
{
    struct disk *d = disk_from(vfs);
    for (int i = 0; i < len; i++) {
        out[i] = (char)random_below(&d->random, 256);
    }
    return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    struct disk *d = disk_from(vfs);
    d->counts.sleeps++;
    d->waited_us += (uint64_t)us;
    return us;
}

static int vfs_time_i64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    *out = UNIX_EPOCH_MS + disk_from(vfs)->now_ms;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    *out = (double)(UNIX_EPOCH_MS + disk_from(vfs)->now_ms) / DAY_MS;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    (void)len;
    (void)out;
    return 0; /* as errno: nothing to say */
}

void disk_vfs_init(struct disk *d)
{
    d->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct disk_handle),
        .mxPathname = PATH_BYTES_MAX,
        .zName = "simulated",
        .pAppData = d,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_i64};
}
