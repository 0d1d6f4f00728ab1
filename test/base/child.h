/*
 * Runs a function in a child process and gives back what it wrote to stderr and how it ended: for code that writes
 * log lines or stops the process.
 */
#ifndef TEST_BASE_CHILD_H
#define TEST_BASE_CHILD_H

#include <stddef.h>

struct child_end {
    char text[8192]; /* terminated */
    size_t len;
    int signal; /* that ended it; 0: none */
    int code;   /* exit code when no signal */
};

void child_run(void (*fn)(void), struct child_end *out);

#endif
