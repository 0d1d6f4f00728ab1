#include "child.h"

#include "base/check.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void child_main(void (*fn)(void), int out_fd)
{
    const struct rlimit no_core = {0, 0};
    int failed = setrlimit(RLIMIT_CORE, &no_core);
    int duplicated = dup2(out_fd, STDERR_FILENO);
    if (failed != 0 || duplicated < 0) {
        _exit(99);
    }
    fn();
    _exit(0);
}

void child_run(void (*fn)(void), struct child_end *out)
{
    int ends[2];
    int failed = pipe(ends);
    check(failed == 0);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        child_main(fn, ends[1]);
    }
    close(ends[1]);
    out->len = 0;
    ssize_t got;
    while ((got = read(ends[0], out->text + out->len, sizeof(out->text) - 1 - out->len)) > 0) {
        out->len += (size_t)got;
    }
    close(ends[0]);
    out->text[out->len] = '\0';
    int status;
    pid_t ended = waitpid(pid, &status, 0);
    check(ended == pid);
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    out->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
