/* A real broker for a test: on a free port of 127.0.0.1, its data in a directory of its own. It ends with the test. */
#ifndef TEST_BUS_BROKER_H
#define TEST_BUS_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BROKER_ARGUMENTS_MAX 32

struct broker {
    const char *program; /* path */
    /* Fills in the arguments behind the program's name; strings may be made in `room`. */
    void (*arguments)(const struct broker *b, const char *out[BROKER_ARGUMENTS_MAX], char room[1024]);
    uint16_t port;
    char dir[128]; /* for its data and its log; wiped by broker_wipe */
    pid_t pid;     /* 0: does not run */
};

/* Finds a port and makes the directory. Fails the test when the program is not there. */
void broker_make(struct broker *b, const char *program, __typeof__(((struct broker *)0)->arguments) arguments);
/* Starts it, on the same port each time, and returns when it accepts connections. */
void broker_start(struct broker *b);
/* Ends it with the signal, which may be SIGKILL. */
void broker_stop(struct broker *b, int with);
/* Stops and goes on: the connections stay, but nothing answers. */
void broker_freeze(struct broker *b);
void broker_thaw(struct broker *b);
/* Deletes its data; it does not run. */
void broker_wipe(struct broker *b);
void broker_remove(struct broker *b);

#endif
