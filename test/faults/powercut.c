/*
 * Preloaded into the program: keeps beside a directory the copy of it that a power cut would leave.
 *
 * POWERCUT_DIR      the directory that is watched (absolute, files directly in it)
 * POWERCUT_DURABLE  the copy; what is in it at any moment is what the disk surely has. A file whose name is not synced
 *                   yet waits in its subdirectory `unnamed`
 * POWERCUT_KEEP     per cent of the unsynced writes that reach the disk all the same, whole or in part (default 0)
 * POWERCUT_SEED     chooses those
 * POWERCUT_LIES     when set, a sync says it was done and does nothing
 *
 * A write counts when its file was synced after it; a new name and an unlink when the directory was. Maps of memory
 * are not followed: SQLite makes its -shm file anew after a power cut.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES_MAX 64
#define FDS_MAX 65536
#define NAME_BYTES_MAX 100
#define COPY_BYTES 65536

struct range {
    off_t at;
    size_t len;
};

/* One file by its name; a name that is unlinked and made again is a new entry. */
struct file {
    char name[NAME_BYTES_MAX];
    bool named;    /* the directory holds the name durably */
    bool unlinked; /* in the program's eyes */
    bool resized;
    struct range *dirty;
    size_t dirty_len, dirty_size;
};

/* The kernel's calls, behind libc's names. */
static struct {
    int (*open)(const char *path, int flags, ...);
    ssize_t (*write)(int fd, const void *bytes, size_t len);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off_t at);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*unlink)(const char *path);
    int (*rename)(const char *from, const char *to);
    int (*close)(int fd);
} real;

static const char *watched, *durable;
static unsigned keep_percent;
static bool lies;
static uint64_t random_state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static size_t files_len;
/* What a descriptor stands for: 0 nothing of ours, -1 the directory, else 1 + index in `files`. */
static int fds[FDS_MAX];

static void give_up(const char *why)
{
    fprintf(stderr, "powercut: %s: %s\n", why, strerror(errno));
    abort();
}

static void *find(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (symbol == NULL) {
        give_up(name);
    }
    return symbol;
}

static void begin(void)
{
    *(void **)&real.open = find("open64");
    *(void **)&real.write = find("write");
    *(void **)&real.pwrite = find("pwrite64");
    *(void **)&real.ftruncate = find("ftruncate64");
    *(void **)&real.fsync = find("fsync");
    *(void **)&real.fdatasync = find("fdatasync");
    *(void **)&real.unlink = find("unlink");
    *(void **)&real.rename = find("rename");
    *(void **)&real.close = find("close");
    watched = getenv("POWERCUT_DIR");
    durable = getenv("POWERCUT_DURABLE");
    lies = getenv("POWERCUT_LIES") != NULL;
    const char *keep = getenv("POWERCUT_KEEP"), *seed = getenv("POWERCUT_SEED");
    keep_percent = keep == NULL ? 0 : (unsigned)strtoul(keep, NULL, 10);
    random_state = (seed == NULL ? 0 : strtoull(seed, NULL, 10)) * 2 + 1;
    if (watched == NULL || durable == NULL) {
        errno = EINVAL;
        give_up("POWERCUT_DIR and POWERCUT_DURABLE are needed");
    }
}

/* Other libraries may call before anything of ours has run. */
static void enter(void)
{
    pthread_mutex_lock(&lock);
    if (real.close == NULL) {
        begin();
    }
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
}

/* Xorshift. */
static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

/* The name in the directory; NULL: not of ours. */
static const char *name_of(const char *path)
{
    size_t len = strlen(watched);
    if (strncmp(path, watched, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/') != NULL) {
        return NULL;
    }
    const char *name = path + len + 1;
    size_t name_len = strlen(name);
    bool is_map = name_len > 4 && strcmp(name + name_len - 4, "-shm") == 0;
    return is_map || name_len == 0 || name_len >= NAME_BYTES_MAX ? NULL : name;
}

static struct file *file_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX && fds[fd] > 0 ? &files[fds[fd] - 1] : NULL;
}

static struct file *file_named(const char *name)
{
    for (size_t i = 0; i < files_len; i++) {
        if (!files[i].unlinked && strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

static void copy_path(const char *name, bool named, char out[PATH_MAX])
{
    if (snprintf(out, PATH_MAX, "%s/%s%s", durable, named ? "" : "unnamed/", name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        give_up(name);
    }
}

static int copy_open(const struct file *f)
{
    char path[PATH_MAX];
    copy_path(f->name, f->named, path);
    int fd = real.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        give_up(path);
    }
    return fd;
}

static struct file *file_add(const char *name, bool named)
{
    if (files_len == FILES_MAX) {
        errno = ENFILE;
        give_up("too many files");
    }
    struct file *f = &files[files_len++];
    *f = (struct file){.named = named};
    snprintf(f->name, sizeof(f->name), "%s", name);
    if (!named) {
        int fd = copy_open(f);
        real.ftruncate(fd, 0);
        real.close(fd);
    }
    return f;
}

static void copy_range(int from, int to, struct range r)
{
    char bytes[COPY_BYTES];
    while (r.len > 0) {
        ssize_t got = pread(from, bytes, r.len < sizeof(bytes) ? r.len : sizeof(bytes), r.at);
        if (got <= 0) {
            return; /* truncated since */
        }
        if (real.pwrite(to, bytes, (size_t)got, r.at) != got) {
            give_up("cannot write the copy");
        }
        r.at += got;
        r.len -= (size_t)got;
    }
}

/* The file reached the disk. */
static void make_durable(struct file *f, int fd)
{
    struct stat st;
    if (f->unlinked || (f->dirty_len == 0 && !f->resized)) {
        return;
    }
    int to = copy_open(f);
    for (size_t i = 0; i < f->dirty_len; i++) {
        copy_range(fd, to, f->dirty[i]);
    }
    if (fstat(fd, &st) != 0 || real.ftruncate(to, st.st_size) != 0) {
        give_up("cannot resize the copy");
    }
    real.close(to);
    f->dirty_len = 0;
    f->resized = false;
}

/* The names reached the disk. */
static void make_names_durable(void)
{
    for (size_t i = 0; i < files_len; i++) {
        char path[PATH_MAX], name[PATH_MAX];
        struct file *f = &files[i];
        copy_path(f->name, f->named, path);
        copy_path(f->name, true, name);
        if (f->unlinked && f->named && file_named(f->name) == NULL) {
            real.unlink(name);
            f->named = false;
        } else if (!f->unlinked && !f->named) {
            if (real.rename(path, name) != 0) {
                give_up(path);
            }
            f->named = true;
        }
    }
}

/* Some writes get through unasked, whole or torn. */
static void leak(struct file *f, const char *bytes, size_t len, off_t at)
{
    if (len == 0 || random_below(100) >= keep_percent) {
        return;
    }
    size_t kept = random_below(2) == 0 ? len : random_below((unsigned)len);
    int to = copy_open(f);
    if (real.pwrite(to, bytes, kept, at) != (ssize_t)kept) {
        give_up("cannot write the copy");
    }
    real.close(to);
}

static void remember(struct file *f, const char *bytes, size_t len, off_t at)
{
    if (f->dirty_len == f->dirty_size) {
        f->dirty_size = f->dirty_size == 0 ? 256 : f->dirty_size * 2;
        f->dirty = realloc(f->dirty, f->dirty_size * sizeof(*f->dirty));
        if (f->dirty == NULL) {
            give_up("no memory");
        }
    }
    f->dirty[f->dirty_len++] = (struct range){at, len};
    if (keep_percent > 0 && !f->unlinked) {
        leak(f, bytes, len, at);
    }
}

/*
 * The calls. Each holds the lock over the real one, so that the copy takes them in one order.
 */

static int opened(const char *path, int flags, mode_t mode)
{
    enter();
    const char *name = name_of(path);
    bool existed = name != NULL && access(path, F_OK) == 0;
    int fd = real.open(path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        fds[fd] = strcmp(path, watched) == 0 ? -1 : 0;
    }
    if (fd >= 0 && fd < FDS_MAX && name != NULL) {
        struct file *f = file_named(name);
        f = f != NULL ? f : file_add(name, existed);
        fds[fd] = (int)(f - files) + 1;
        f->resized = f->resized || (flags & O_TRUNC) != 0;
    }
    leave();
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define OPEN(symbol)                             \
    int symbol(const char *path, int flags, ...) \
    {                                            \
        va_list args;                            \
        va_start(args, flags);                   \
        mode_t mode = mode_of(flags, args);      \
        va_end(args);                            \
        return opened(path, flags, mode);        \
    }
OPEN(open)
OPEN(open64)

int close(int fd)
{
    enter();
    if (fd >= 0 && fd < FDS_MAX) {
        fds[fd] = 0;
    }
    int rc = real.close(fd);
    leave();
    return rc;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    enter();
    if (file_of(fd) == NULL) {
        leave(); /* it may wait */
        return real.write(fd, bytes, len);
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real.write(fd, bytes, len);
    if (done > 0) {
        remember(file_of(fd), bytes, (size_t)done, at);
    }
    leave();
    return done;
}

static ssize_t wrote(int fd, const void *bytes, size_t len, off_t at)
{
    enter();
    ssize_t done = real.pwrite(fd, bytes, len, at);
    if (done > 0 && file_of(fd) != NULL) {
        remember(file_of(fd), bytes, (size_t)done, at);
    }
    leave();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return wrote(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return wrote(fd, bytes, len, at);
}

static int resized(int fd, off_t size)
{
    enter();
    int rc = real.ftruncate(fd, size);
    if (rc == 0 && file_of(fd) != NULL) {
        file_of(fd)->resized = true;
    }
    leave();
    return rc;
}

int ftruncate(int fd, off_t size)
{
    return resized(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return resized(fd, size);
}

/* The real disk is left alone: only the copy counts. */
static int synced(int fd, bool data_only)
{
    enter();
    struct file *f = file_of(fd);
    bool is_dir = fd >= 0 && fd < FDS_MAX && fds[fd] == -1;
    if (f != NULL && !lies) {
        make_durable(f, fd);
    }
    if (is_dir && !lies) {
        make_names_durable();
    }
    leave();
    if (f != NULL || is_dir) {
        return 0;
    }
    return data_only ? real.fdatasync(fd) : real.fsync(fd);
}

int fsync(int fd)
{
    return synced(fd, false);
}

int fdatasync(int fd)
{
    return synced(fd, true);
}

int unlink(const char *path)
{
    enter();
    const char *name = name_of(path);
    struct file *f = name == NULL ? NULL : file_named(name);
    if (name != NULL && f == NULL && access(path, F_OK) == 0) {
        f = file_add(name, true);
    }
    int rc = real.unlink(path);
    if (rc == 0 && f != NULL) {
        f->unlinked = true;
    }
    leave();
    return rc;
}

/* Nothing renames in the directory; the day something does, it must be followed here. */
int rename(const char *from, const char *to)
{
    enter();
    leave();
    if (name_of(from) != NULL || name_of(to) != NULL) {
        errno = ENOTSUP;
        give_up("a rename is not followed");
    }
    return real.rename(from, to);
}
