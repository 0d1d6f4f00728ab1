#include "store/sqlite/log_file.h"

#include "base/check.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define VFS_NAME "onhand-log"
#define REAL_BYTES_MAX 1024

struct log_file {
    sqlite3_file base;
    char *held; /* of LOG_FILE_PIECE_BYTES_MAX */
    int held_len;
    sqlite3_int64 held_at; /* where it belongs in the file */
    char *ahead;           /* the file from its start */
    size_t ahead_cap;
    sqlite3_int64 ahead_len;                                    /* 0: nothing was read ahead */
    sqlite3_int64 ahead_due;                                    /* the next read reads so much of it */
    sqlite3_int64 real[REAL_BYTES_MAX / sizeof(sqlite3_int64)]; /* a file of the default VFS */
};

static struct log_file *log_from(sqlite3_file *file)
{
    return (struct log_file *)file;
}

static sqlite3_file *real_of(struct log_file *f)
{
    return (sqlite3_file *)f->real;
}

/* What could not be written is forgotten: SQLite gives up what it was part of, and the next goes over its place. */
static int write_held(struct log_file *f)
{
    int len = f->held_len;
    f->held_len = 0;
    return len == 0 ? SQLITE_OK : real_of(f)->pMethods->xWrite(real_of(f), f->held, len, f->held_at);
}

static int log_close(sqlite3_file *file)
{
    struct log_file *f = log_from(file);
    int written = write_held(f);
    int closed = real_of(f)->pMethods->xClose(real_of(f));
    mem_free(f->held);
    mem_free(f->ahead);
    f->base.pMethods = NULL;
    return written != SQLITE_OK ? written : closed;
}

static int log_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct log_file *f = log_from(file);
    check(len > 0 && len <= LOG_FILE_PIECE_BYTES_MAX);
    check(f->ahead_len == 0);
    bool fits = f->held_len == 0 || (at == f->held_at + f->held_len && len <= LOG_FILE_PIECE_BYTES_MAX - f->held_len);
    int rc = fits ? SQLITE_OK : write_held(f);
    if (rc == SQLITE_OK) {
        f->held_at = f->held_len == 0 ? at : f->held_at;
        memcpy(f->held + f->held_len, bytes, (size_t)len);
        f->held_len += len;
    }
    return rc;
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *f = log_from(file);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xSync(real_of(f), flags) : rc;
}

static int read_through(struct log_file *f, void *out, int len, sqlite3_int64 at)
{
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xRead(real_of(f), out, len, at) : rc;
}

/* What fails is read, and fails, when SQLite asks for it. */
static void read_ahead(struct log_file *f)
{
    sqlite3_int64 len = f->ahead_due;
    f->ahead_due = 0;
    mem_grow((void **)&f->ahead, &f->ahead_cap, (size_t)len, 1);
    for (sqlite3_int64 at = 0; at < len; at += LOG_FILE_PIECE_BYTES_MAX) {
        int piece = len - at < LOG_FILE_PIECE_BYTES_MAX ? (int)(len - at) : LOG_FILE_PIECE_BYTES_MAX;
        if (read_through(f, f->ahead + at, piece, at) != SQLITE_OK) {
            return;
        }
    }
    f->ahead_len = len;
}

static int log_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    struct log_file *f = log_from(file);
    if (f->ahead_due > 0) {
        read_ahead(f);
    }
    if (at + len > f->ahead_len) {
        return read_through(f, out, len, at);
    }
    memcpy(out, f->ahead + at, (size_t)len);
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_file *f = log_from(file);
    check(f->ahead_len == 0);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size) : rc;
}

static int log_file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct log_file *f = log_from(file);
    int rc = write_held(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), out) : rc;
}

static int log_lock(sqlite3_file *file, int level)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int log_is_reserved(sqlite3_file *file, int *out)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int log_control(sqlite3_file *file, int operation, void *argument)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}

static int log_sector_size(sqlite3_file *file)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int log_device(sqlite3_file *file)
{
    struct log_file *f = log_from(file);
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: a log is not mapped into memory and has no shared memory, those of the database are not ours. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_file_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_device,
};

static sqlite3_vfs *real_vfs(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    check(vfs != NULL && vfs->szOsFile <= REAL_BYTES_MAX);
    return vfs;
}

static int open_log(const char *path, struct log_file *f, int flags, int *out_flags)
{
    memset(f, 0, sizeof(*f));
    int rc = real_vfs()->xOpen(real_vfs(), path, real_of(f), flags, out_flags);
    if (rc == SQLITE_OK) {
        f->base.pMethods = &log_methods;
        f->held = mem_new(LOG_FILE_PIECE_BYTES_MAX);
    }
    return rc;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) != 0) {
        return open_log(path, log_from(file), flags, out_flags);
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
    .szOsFile = sizeof(struct log_file),
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

const char *log_file_vfs(void)
{
    pthread_once(&registered, register_vfs);
    return VFS_NAME;
}

void log_file_read_ahead(sqlite3_file *log, sqlite3_int64 len)
{
    struct log_file *f = log_from(log);
    check(f->base.pMethods == &log_methods && f->ahead_len == 0);
    f->ahead_due = len < LOG_FILE_AHEAD_BYTES_MAX ? len : LOG_FILE_AHEAD_BYTES_MAX;
}

void log_file_forget(sqlite3_file *log)
{
    log_from(log)->ahead_due = 0;
    log_from(log)->ahead_len = 0;
}
