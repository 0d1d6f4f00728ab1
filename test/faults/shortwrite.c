/*
 * Preloaded into the program: one write to a directory is cut short, as a kernel may do.
 *
 * SHORTWRITE_DIR   the directory (absolute); files in it count
 * SHORTWRITE_AT    which of its writes, from 1; 0 or absent: none, they are only counted
 * SHORTWRITE_THEN  when set, the write after it finds the disk full (ENOSPC), once
 * SHORTWRITE_LOG   the file that says what happened, a line for each write: `whole`, `short` or `full`, the name, the
 *                  bytes that were asked for and those that were written
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The kernel's calls, behind libc's names. */
static struct {
    ssize_t (*write)(int fd, const void *bytes, size_t len);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t len, off_t at);
} real;

static const char *watched;
static unsigned long short_at, seen;
static bool then_full, is_full_next;
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *why)
{
    fprintf(stderr, "shortwrite: %s: %s\n", why, strerror(errno));
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
    *(void **)&real.write = find("write");
    *(void **)&real.pwrite = find("pwrite64");
    watched = getenv("SHORTWRITE_DIR");
    const char *log = getenv("SHORTWRITE_LOG"), *at = getenv("SHORTWRITE_AT");
    if (watched == NULL || log == NULL) {
        errno = EINVAL;
        give_up("SHORTWRITE_DIR and SHORTWRITE_LOG are needed");
    }
    short_at = at == NULL ? 0 : strtoul(at, NULL, 10);
    then_full = getenv("SHORTWRITE_THEN") != NULL;
    log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        give_up(log);
    }
}

/* The name in the directory; false: not of ours. */
static bool name_of(int fd, char out[PATH_MAX])
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    size_t dir_len = strlen(watched);
    if (len <= (ssize_t)dir_len || strncmp(path, watched, dir_len) != 0 || path[dir_len] != '/') {
        return false;
    }
    path[len] = '\0';
    strcpy(out, path + dir_len + 1);
    return true;
}

static void tell(const char *what, const char *name, size_t asked, ssize_t done)
{
    char line[PATH_MAX + 64];
    int len = snprintf(line, sizeof(line), "%s %s %zu %zd\n", what, name, asked, done);
    if (real.write(log_fd, line, (size_t)len) != len) {
        give_up("cannot write the log");
    }
}

static ssize_t really(int fd, const void *bytes, size_t len, const off_t *at)
{
    return at == NULL ? real.write(fd, bytes, len) : real.pwrite(fd, bytes, len, *at);
}

/* Half of it; of a single byte, which has no half, nothing. */
static ssize_t fail(int fd, const char *name, const void *bytes, size_t len, const off_t *at)
{
    if (is_full_next) {
        is_full_next = false;
        tell("full", name, len, -1);
        errno = ENOSPC;
        return -1;
    }
    is_full_next = then_full;
    ssize_t done = really(fd, bytes, len / 2, at);
    tell("short", name, len, done);
    return done;
}

/* Holds the lock over the call, so that there is one order of them. `at` NULL: where the file stands. */
static ssize_t wrote(int fd, const void *bytes, size_t len, const off_t *at)
{
    pthread_mutex_lock(&lock);
    if (real.write == NULL) {
        begin();
    }
    char name[PATH_MAX];
    if (!name_of(fd, name)) {
        pthread_mutex_unlock(&lock);
        return really(fd, bytes, len, at); /* it may wait */
    }
    ssize_t done;
    if (is_full_next || ++seen == short_at) {
        done = fail(fd, name, bytes, len, at);
    } else {
        done = really(fd, bytes, len, at);
        tell("whole", name, len, done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return wrote(fd, bytes, len, NULL);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return wrote(fd, bytes, len, &at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return wrote(fd, bytes, len, &at);
}
