/*
 * A PostgreSQL server of the test's own: in a temporary directory, reached by a socket in it, ended with the test.
 */
#ifndef TEST_STORE_PG_SERVER_H
#define TEST_STORE_PG_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define PG_PATH_MAX 200

struct pg_server {
    char dir[PG_PATH_MAX];
    char url[2 * PG_PATH_MAX]; /* for libpq */
    pid_t pid;                 /* 0: does not run */
};

/* Is it installed? */
bool pg_server_is_there(void);
/* A new database, and the server running. `options` are settings of the server, as "-c name=value ..."; may be "". */
void pg_server_make(struct pg_server *s, const char *options);
void pg_server_start(struct pg_server *s, const char *options);
/* With SIGQUIT: as a crash. */
void pg_server_kill(struct pg_server *s);
/* All of its processes stand still: connections stay, and nothing is answered. */
void pg_server_pause(struct pg_server *s);
void pg_server_resume(struct pg_server *s);
void pg_server_remove(struct pg_server *s);
/* As if its owner had not renewed for a while. */
void pg_server_expire_lease(struct pg_server *s);
/* Runs statements in it. */
void pg_server_exec(struct pg_server *s, const char *sql);
/* First column of the first row, as text, until the next call. */
const char *pg_server_query(struct pg_server *s, const char *sql);

#endif
