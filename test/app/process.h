/*
 * Runs the program's own main in another process and looks at how it ends.
 */
#ifndef TEST_APP_PROCESS_H
#define TEST_APP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_OUTPUT_MAX (64 * 1024)

struct process {
    pid_t pid;
    int out;
    char output[PROCESS_OUTPUT_MAX]; /* stdout and stderr, terminated */
    size_t output_len;
};

/* `arguments` ends with NULL and begins with the subcommand. */
void process_start(struct process *p, const char *const *arguments);
/* Reads until the output holds `text`; false when it ended before, or after `timeout_ms`. */
bool process_wait_for(struct process *p, const char *text, int timeout_ms);
/* Reads the rest of the output; returns the exit code, -1 when a signal ended it, -2 after `timeout_ms` (and kills). */
int process_wait(struct process *p, int timeout_ms);
/* process_start and process_wait. */
int process_run(struct process *p, const char *const *arguments);

/*
 * Sets what a server reads from its environment, each to something with which none starts, or takes it away again: a
 * program that starts a server of its own must not pass that on.
 */
void process_spoil_settings(bool spoilt);

#endif
