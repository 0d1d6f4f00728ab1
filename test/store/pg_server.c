#include "pg_server.h"

#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin"
#define USER "postgres"
#define READY_TRIES 1000

bool pg_server_is_there(void)
{
    return access(BIN "/postgres", X_OK) == 0;
}

/* The server refuses to be root. It ends with the test, also when that is killed. */
static void become_server(const struct pg_server *s)
{
    char log[PG_PATH_MAX + 8];
    snprintf(log, sizeof(log), "%s/log", s->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir(s->dir) != 0) {
        _exit(127);
    }
    const struct passwd *user = getpwnam(USER);
    if (geteuid() == 0 &&
        (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) {
        _exit(127);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t spawn(const struct pg_server *s, const char *command)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become_server(s);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void show_log(const struct pg_server *s)
{
    char command[PG_PATH_MAX + 32];
    snprintf(command, sizeof(command), "tail -n 20 %s/log >&2", s->dir);
    (void)!system(command);
}

static bool answers(const struct pg_server *s)
{
    PGconn *conn = PQconnectdb(s->url);
    bool up = PQstatus(conn) == CONNECTION_OK;
    PQfinish(conn);
    return up;
}

void pg_server_start(struct pg_server *s, const char *options)
{
    char command[PG_PATH_MAX * 3 + 1000];
    snprintf(
        command, sizeof(command),
        "exec " BIN "/postgres -D %s/data -k %s -c listen_addresses='' -c max_connections=40 %s", s->dir, s->dir,
        options);
    s->pid = spawn(s, command);
    for (int i = 0; i < READY_TRIES && !answers(s); i++) {
        usleep(10000);
    }
    if (!answers(s)) {
        show_log(s);
        fail_msg("PostgreSQL does not start");
    }
}

void pg_server_make(struct pg_server *s, const char *options)
{
    char command[PG_PATH_MAX * 2 + 200];
    *s = (struct pg_server){.pid = 0};
    snprintf(s->dir, sizeof(s->dir), "%s/onhand-pg-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->url, sizeof(s->url), "host=%s dbname=postgres user=" USER, s->dir);
    const struct passwd *user = getpwnam(USER);
    if (geteuid() == 0) {
        assert_non_null(user);
        assert_int_equal(chown(s->dir, user->pw_uid, user->pw_gid), 0);
    }
    snprintf(
        command, sizeof(command),
        "exec " BIN "/initdb -D %s/data -U " USER " -A trust -E UTF8 --locale=C.UTF-8 --no-sync", s->dir);
    int status = 0;
    assert_int_equal(waitpid(spawn(s, command), &status, 0) > 0, 1);
    if (status != 0) {
        show_log(s);
        fail_msg("initdb ended with %d", status);
    }
    pg_server_start(s, options);
}

static void end(struct pg_server *s, int with)
{
    if (s->pid > 0) {
        kill(s->pid, with);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

void pg_server_kill(struct pg_server *s)
{
    end(s, SIGQUIT);
}

void pg_server_remove(struct pg_server *s)
{
    char command[PG_PATH_MAX + 32];
    end(s, SIGINT);
    snprintf(command, sizeof(command), "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
}

const char *pg_server_query(struct pg_server *s, const char *sql)
{
    static char value[200];
    PGconn *conn = PQconnectdb(s->url);
    PGresult *r = PQexec(conn, "SET client_min_messages TO warning; SET search_path TO onhand");
    PQclear(r);
    r = PQexec(conn, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    }
    snprintf(value, sizeof(value), "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(conn);
    return value;
}

void pg_server_exec(struct pg_server *s, const char *sql)
{
    (void)pg_server_query(s, sql);
}

void pg_server_expire_lease(struct pg_server *s)
{
    pg_server_exec(s, "UPDATE onhand.partition SET lease_until = now() - interval '1 second'");
}

/* The server, and the processes that it made. */
static void signal_all(const struct pg_server *s, int number)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)s->pid, (int)s->pid);
    assert_int_equal(kill(s->pid, number), 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int child = 0;
    while (fscanf(f, "%d", &child) == 1) {
        kill(child, number);
    }
    fclose(f);
}

void pg_server_pause(struct pg_server *s)
{
    signal_all(s, SIGSTOP);
}

void pg_server_resume(struct pg_server *s)
{
    signal_all(s, SIGCONT);
}
