#include "broker.h"

#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TRIES 12000 /* of 10 ms: some need half a minute on a busy machine */

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = address_of(0);
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static bool accepts(const struct broker *b)
{
    struct sockaddr_in a = address_of(b->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool up = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return up;
}

static void run_command(const char *command)
{
    assert_int_equal(system(command), 0);
}

static void make_data(const struct broker *b)
{
    char path[sizeof(b->dir) + 8];
    snprintf(path, sizeof(path), "%s/data", b->dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

void broker_make(struct broker *b, const char *program, __typeof__(((struct broker *)0)->arguments) arguments)
{
    const char *tmp = getenv("TMPDIR");
    *b = (struct broker){.program = program, .arguments = arguments, .port = free_port()};
    if (access(program, X_OK) != 0) {
        fail_msg("%s is not installed", program);
    }
    snprintf(b->dir, sizeof(b->dir), "%s/onhand-broker-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    make_data(b);
}

static void become_broker(const struct broker *b)
{
    char log[sizeof(b->dir) + 8];
    char room[1024];
    const char *arguments[BROKER_ARGUMENTS_MAX + 2] = {b->program};
    snprintf(log, sizeof(log), "%s/log", b->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir(b->dir) != 0) {
        _exit(127);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    b->arguments(b, arguments + 1, room);
    execv(b->program, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static void show_log(const struct broker *b)
{
    char command[sizeof(b->dir) + 32];
    snprintf(command, sizeof(command), "tail -n 20 %s/log >&2", b->dir);
    run_command(command);
}

void broker_start(struct broker *b)
{
    assert_int_equal(b->pid, 0);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        become_broker(b);
    }
    for (int i = 0; i < READY_TRIES; i++) {
        if (accepts(b)) {
            return;
        }
        if (waitpid(b->pid, NULL, WNOHANG) != 0) {
            b->pid = 0;
            break;
        }
        usleep(10000);
    }
    show_log(b);
    fail_msg("%s does not start", b->program);
}

void broker_stop(struct broker *b, int with)
{
    if (b->pid > 0) {
        kill(b->pid, with);
        kill(b->pid, SIGCONT);
        waitpid(b->pid, NULL, 0);
        b->pid = 0;
    }
}

void broker_freeze(struct broker *b)
{
    int status;
    assert_int_equal(kill(b->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(b->pid, &status, WUNTRACED), b->pid);
    assert_true(WIFSTOPPED(status));
}

void broker_thaw(struct broker *b)
{
    assert_int_equal(kill(b->pid, SIGCONT), 0);
}

void broker_wipe(struct broker *b)
{
    char command[sizeof(b->dir) + 32];
    assert_int_equal(b->pid, 0);
    snprintf(command, sizeof(command), "rm -rf %s/data", b->dir);
    run_command(command);
    make_data(b);
}

void broker_remove(struct broker *b)
{
    char command[sizeof(b->dir) + 32];
    broker_stop(b, SIGKILL);
    snprintf(command, sizeof(command), "rm -rf %s", b->dir);
    run_command(command);
}
