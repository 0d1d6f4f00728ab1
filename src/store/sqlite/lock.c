#include "store/sqlite/lock.h"

#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err make_dir(const char *dir, struct err_note *note);
static enum err sync_parent(const char *dir, struct err_note *note);
static enum err refuse(const char *dir, int fd, struct err_note *note);
static enum err write_pid(const char *dir, int fd, struct err_note *note);

static enum err failed(const char *doing, const char *path, struct err_note *note)
{
    return err_note_set(note, ERR_IO, "cannot %s %s: %s", doing, path, strerror(errno));
}

enum err lock_take(const char *dir, int *out_fd, struct err_note *note)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, STORE_SQLITE_LOCK_FILE) >= (int)sizeof(path)) {
        return err_note_set(note, ERR_IO, "the path of the data directory is too long");
    }
    TRY(make_dir(dir, note));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed("open", path, note);
    }
    enum err e = ERR_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        e = errno == EWOULDBLOCK ? refuse(dir, fd, note) : failed("lock", path, note);
    } else {
        e = write_pid(path, fd, note);
    }
    if (e != ERR_OK) {
        close(fd);
        return e;
    }
    *out_fd = fd;
    return ERR_OK;
}

static enum err make_dir(const char *dir, struct err_note *note)
{
    if (mkdir(dir, 0700) == 0) {
        return sync_parent(dir, note);
    }
    if (errno != EEXIST) {
        return failed("make the data directory", dir, note);
    }
    struct stat st;
    if (stat(dir, &st) != 0) {
        return failed("look at", dir, note);
    }
    return S_ISDIR(st.st_mode) ? ERR_OK : err_note_set(note, ERR_IO, "%s is not a directory", dir);
}

/* The name of a new directory is durable only when its parent was synced. */
static enum err sync_parent(const char *dir, struct err_note *note)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", dir);
    const char *parent = dirname(copy);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed("open", parent, note);
    }
    enum err e = fsync(fd) == 0 ? ERR_OK : failed("sync", parent, note);
    close(fd);
    return e;
}

static enum err refuse(const char *dir, int fd, struct err_note *note)
{
    char pid[32] = "";
    ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[len > 0 ? len : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return err_note_set(
        note, ERR_LOCKED, "the data directory %s is in use by process %s", dir,
        pid[0] == '\0' ? "(not yet known)" : pid);
}

static enum err write_pid(const char *path, int fd, struct err_note *note)
{
    char pid[32];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    errno = EIO; /* for a short write, which sets none */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        return errno == ENOSPC ? err_note_set(note, ERR_STORE_FULL, "cannot write %s: the disk is full", path)
                               : failed("write", path, note);
    }
    return ERR_OK;
}

void lock_give(int fd)
{
    close(fd);
}
