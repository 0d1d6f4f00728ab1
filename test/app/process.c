#include "process.h"

#include "app/subcommand.h"
#include "base/clock.h"
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 24
#define RUN_MS 60000

static _Noreturn void run_program(const char *const *arguments, int out)
{
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "onhand"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL && argc < ARGUMENTS_MAX - 1; argc++) {
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close(out);
    exit(subcommand_main(argc, argv));
}

void process_start(struct process *p, const char *const *arguments)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        close(ends[0]);
        run_program(arguments, ends[1]);
    }
    close(ends[1]);
    p->out = ends[0];
    p->output[0] = '\0';
    p->output_len = 0;
}

/* One more piece of output; false at its end or when time is up. What is too much is read and dropped: a process that
 * cannot write would never end. */
static bool read_more(struct process *p, int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_mono_ms();
    struct pollfd waiting = {.fd = p->out, .events = POLLIN};
    if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) <= 0) {
        return false;
    }
    char dropped[4096];
    size_t room = PROCESS_OUTPUT_MAX - 1 - p->output_len;
    ssize_t n = room > 0 ? read(p->out, p->output + p->output_len, room) : read(p->out, dropped, sizeof(dropped));
    if (n > 0 && room > 0) {
        p->output_len += (size_t)n;
        p->output[p->output_len] = '\0';
    }
    return n > 0;
}

bool process_wait_for(struct process *p, const char *text, int timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    while (strstr(p->output, text) == NULL) {
        if (!read_more(p, until_ms)) {
            return false;
        }
    }
    return true;
}

int process_wait(struct process *p, int timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    while (read_more(p, until_ms)) {
    }
    int status;
    bool late = clock_mono_ms() >= until_ms;
    if (late) {
        kill(p->pid, SIGKILL);
    }
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    close(p->out);
    return late ? -2 : WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void process_spoil_settings(bool spoilt)
{
    static const char *const names[] = {
        "ONHAND_CONFIG", "ONHAND_STORE", "ONHAND_BUS", "ONHAND_CACHE", "ONHAND_LOG_LEVEL"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(spoilt ? setenv(names[i], "/nonexistent", 1) : unsetenv(names[i]), 0);
    }
}

int process_run(struct process *p, const char *const *arguments)
{
    process_start(p, arguments);
    return process_wait(p, RUN_MS);
}
