#include "store/sqlite/file_layer.h"

#include "base/check.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define VFS_NAME "onhand-files"
#define REAL_BYTES_MAX 1024

struct layer_file {
    sqlite3_file base;
    char *held; /* of FILE_LAYER_PIECE_BYTES_MAX */
    int held_len;
    sqlite3_int64 held_at; /* where it belongs in the file */
    char *ahead;           /* the file from its start */
    size_t ahead_cap;
    sqlite3_int64 ahead_len;                                    /* 0: nothing was read ahead */
    sqlite3_int64 ahead_due;                                    /* the next read reads so much of it */
    sqlite3_int64 real[REAL_BYTES_MAX / sizeof(sqlite3_int64)]; /* a file of the default VFS */
};

static struct layer_file *layer_from(sqlite3_file *file)
{
    return (struct layer_file *)file;
}

static sqlite3_file *real_of(struct layer_file *f)
{
    return (sqlite3_file *)f->real;
}

/* What could not be written is forgotten: SQLite gives up what it was part of, and the next goes over its place. */
static int write_held(struct layer_file *f)
{
    int len = f->held_len;
    f->held_len = 0;
    return len == 0 ? SQLITE_OK : real_of(f)->pMethods->xWrite(real_of(f), f->held, len, f->held_at);
}

static int layer_close(sqlite3_file *file)
{
    struct layer_file *f = layer_from(file);
    int written = write_held(f);
    int closed = real_of(f)->pMethods->xClose(real_of(f));
    mem_free(f->held);
    mem_free(f->ahead);
    f->base.pMethods = NULL;
    return written != SQLITE_OK ? written : closed;
}

static int layer_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct layer_file *f = layer_from(file);
    check(len > 0 && len <= FILE_LAYER_PIECE_BYTES_MAX);
    check(f->ahead_len == 0);
    bool fits = f->held_len == 0 || (at == f->held_at + f->held_len && len <= FILE_LAYER_PIECE_BYTES_MAX - f->held_len);
    int rc = fits ? SQLITE_OK : write_held(f);
    if (rc == SQLITE_OK) {
        f->held_at = f->held_len == 0 ? at : f->held_at;
        memcpy(f->held + f->held_len, bytes, (size_t)len);
        f->held_len += len;
    }
    return rc;
}

static int layer_sync(sqlite3_file *file, int flags)
{
    struct layer_file *f = layer_from(file);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xSync(real_of(f), flags) : rc;
}

static int read_through(struct layer_file *f, void *out, int len, sqlite3_int64 at)
{
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xRead(real_of(f), out, len, at) : rc;
}

/* What fails is read, and fails, when SQLite asks for it. */
static void read_ahead(struct layer_file *f)
{
    sqlite3_int64 len = f->ahead_due;
    f->ahead_due = 0;
    mem_grow((void **)&f->ahead, &f->ahead_cap, (size_t)len, 1);
    for (sqlite3_int64 at = 0; at < len; at += FILE_LAYER_PIECE_BYTES_MAX) {
        int piece = len - at < FILE_LAYER_PIECE_BYTES_MAX ? (int)(len - at) : FILE_LAYER_PIECE_BYTES_MAX;
        if (read_through(f, f->ahead + at, piece, at) != SQLITE_OK) {
            return;
        }
    }
    f->ahead_len = len;
}

static int layer_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct layer_file *f = layer_from(file);
    if (f->ahead_due > 0) {
        read_ahead(f);
    }
    if (at + len > f->ahead_len) {
        return read_through(f, out, len, at);
    }
    memcpy(out, f->ahead + at, (size_t)len);
    return SQLITE_OK;
}

static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct layer_file *f = layer_from(file);
    check(f->ahead_len == 0);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size) : rc;
}

static int layer_file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct layer_file *f = layer_from(file);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), out) : rc;
}

static int layer_lock(sqlite3_file *file, int level)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int layer_unlock(sqlite3_file *file, int level)
{
    struct layer_file *f = layer_from(file);
    int written = write_held(f);
    int unlocked = real_of(f)->pMethods->xUnlock(real_of(f), level);
    return written != SQLITE_OK ? written : unlocked;
}

static int layer_is_reserved(sqlite3_file *file, int *out)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int layer_control(sqlite3_file *file, int operation, void *argument)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}

static int layer_sector_size(sqlite3_file *file)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int layer_device(sqlite3_file *file)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* The index of the log is in memory that the database's file shares among processes; what is held back is not in it. */

static int layer_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xShmMap(real_of(f), region, size, extend, out);
}

static int layer_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void layer_shm_barrier(sqlite3_file *file)
{
    struct layer_file *f = layer_from(file);
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int layer_shm_unmap(sqlite3_file *file, int delete)
{
    struct layer_file *f = layer_from(file);
    return real_of(f)->pMethods->xShmUnmap(real_of(f), delete);
}

/* Version 2: SQLite maps no file of ours into its memory, as that would be read past what is held back. */
static const sqlite3_io_methods layer_methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_file_size,
    .xLock = layer_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_is_reserved,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector_size,
    .xDeviceCharacteristics = layer_device,
    .xShmMap = layer_shm_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_shm_barrier,
    .xShmUnmap = layer_shm_unmap,
};

static sqlite3_vfs *real_vfs(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    check(vfs != NULL && vfs->szOsFile <= REAL_BYTES_MAX);
    return vfs;
}

static int open_layer(const char *path, struct layer_file *f, int flags, int *out_flags)
{
    memset(f, 0, sizeof(*f));
    int rc = real_vfs()->xOpen(real_vfs(), path, real_of(f), flags, out_flags);
    if (rc == SQLITE_OK) {
        check(real_of(f)->pMethods->iVersion >= layer_methods.iVersion);
        f->base.pMethods = &layer_methods;
        f->held = mem_new(FILE_LAYER_PIECE_BYTES_MAX);
    }
    return rc;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    if ((flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) != 0) {
        return open_layer(path, layer_from(file), flags, out_flags);
    }
    return real_vfs()->xOpen(real_vfs(), path, file, flags, out_flags);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int durable)
{
    (void)vfs;
    return real_vfs()->xDelete(real_vfs(), path, durable);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    return real_vfs()->xAccess(real_vfs(), path, flags, out);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xFullPathname(real_vfs(), path, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    return real_vfs()->xRandomness(real_vfs(), len, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return real_vfs()->xSleep(real_vfs(), us);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return real_vfs()->xCurrentTime(real_vfs(), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    return real_vfs()->xGetLastError(real_vfs(), len, out);
}

/* Without the loading of extensions, which nobody wants here. */
static sqlite3_vfs vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(struct layer_file),
    .mxPathname = 4096,
    .zName = VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
};

static pthread_once_t registered = PTHREAD_ONCE_INIT;

static void register_vfs(void)
{
    check(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

const char *file_layer_vfs(void)
{
    pthread_once(&registered, register_vfs);
    return VFS_NAME;
}

void file_layer_read_ahead(sqlite3_file *log, sqlite3_int64 len)
{
    struct layer_file *f = layer_from(log);
    check(f->base.pMethods == &layer_methods && f->ahead_len == 0);
    f->ahead_due = len < FILE_LAYER_AHEAD_BYTES_MAX ? len : FILE_LAYER_AHEAD_BYTES_MAX;
}

void file_layer_forget(sqlite3_file *log)
{
    layer_from(log)->ahead_due = 0;
    layer_from(log)->ahead_len = 0;
}
