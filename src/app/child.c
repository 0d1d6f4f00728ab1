#include "app/child.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 60000
#define STOP_MS 30000
#define STOP_POLL_US 20000
#define READY_LINE_MAX 8192

/*
 * Settings in the environment are those of somebody's own server: a demo that inherited its database would sell a year of
 * trade into it. In the new process.
 */
static void forget_settings(void)
{
    static const char prefix[] = "ONHAND_";
    char **kept = environ;
    for (char **each = environ; *each != NULL; each++) {
        if (strncmp(*each, prefix, sizeof(prefix) - 1) != 0) {
            *kept++ = *each;
        }
    }
    *kept = NULL;
}

/* In the new process. A Ctrl-C is for the parent alone, which stops the server when it is done with it. */
static _Noreturn void run_server(const char *host, uint16_t port, const char *data_dir, int out)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    forget_settings();
    char port_text[8];
    snprintf(port_text, sizeof(port_text), "%u", port);
    const char *arguments[] = {"onhand", "serve",  "--host",      host,   "--port", port_text,
                               "--data", data_dir, "--log-level", "warn", NULL};
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[len > 0 ? len : 0] = '\0';
    execv(program, (char *const *)(uintptr_t)arguments);          /* by its name, so that it is shown under it */
    execv("/proc/self/exe", (char *const *)(uintptr_t)arguments); /* the file may have been replaced */
    perror("onhand: the server cannot be started");
    _exit(127);
}

/* Reads until a line has ended; false on the end of the stream or when time is up. */
static bool read_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    int64_t until_ms = clock_mono_ms() + READY_MS;
    while (len + 1 < size) {
        int64_t left_ms = until_ms - clock_mono_ms();
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = poll(&waiting, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        ssize_t n = ready > 0 ? read(fd, line + len, 1) : 0;
        if (n <= 0) {
            return false;
        }
        if (line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

/* "onhand ready: http://127.0.0.1:8080/ data ...": the port stands before the first slash of the path. */
static bool read_port(const char *line, uint16_t *out)
{
    static const char prefix[] = "onhand ready: http://";
    if (strncmp(line, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    const char *address = line + sizeof(prefix) - 1;
    const char *slash = strchr(address, '/');
    const char *colon = slash == NULL ? NULL : memrchr(address, ':', (size_t)(slash - address));
    uint64_t port;
    if (colon == NULL || !str_to_u64((struct str){colon + 1, (size_t)(slash - colon - 1)}, UINT16_MAX, &port)) {
        return false;
    }
    *out = (uint16_t)port;
    return port != 0;
}

enum err child_start(const char *host, uint16_t port, const char *data_dir, struct child *out, struct err_note *note)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_note_set(note, ERR_IO, "pipe: %s", strerror(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_server(host, port, data_dir, ends[1]);
    }
    close(ends[1]);
    *out = (struct child){.pid = pid < 0 ? 0 : pid, .out = ends[0]};
    if (pid < 0) {
        close(ends[0]);
        return err_note_set(note, ERR_IO, "fork: %s", strerror(errno));
    }
    char line[READY_LINE_MAX];
    if (!read_line(out->out, line, sizeof(line)) || !read_port(line, &out->port)) {
        child_stop(out);
        return err_note_set(note, ERR_IO, "the server did not become ready");
    }
    return ERR_OK;
}

bool child_runs(struct child *c)
{
    if (c->pid != 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid) {
        c->pid = 0;
    }
    return c->pid != 0;
}

static bool wait_for_end(struct child *c, int *out_status)
{
    int64_t until_ms = clock_mono_ms() + STOP_MS;
    while (clock_mono_ms() < until_ms) {
        if (waitpid(c->pid, out_status, WNOHANG) == c->pid) {
            return true;
        }
        usleep(STOP_POLL_US);
    }
    return false;
}

bool child_stop(struct child *c)
{
    if (c->out >= 0) {
        close(c->out);
        c->out = -1;
    }
    if (c->pid == 0) {
        return false;
    }
    int status = 0;
    kill(c->pid, SIGTERM);
    if (!wait_for_end(c, &status)) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, &status, 0);
    }
    c->pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
