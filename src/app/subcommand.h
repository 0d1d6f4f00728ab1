/*
 * The subcommands of the program, one row each, and the help that is printed from the rows.
 */
#ifndef APP_SUBCOMMAND_H
#define APP_SUBCOMMAND_H

#include "app/options.h"

#include <stdio.h>

struct subcommand {
    const char *name;
    const char *arguments; /* after the name, for the usage line */
    const char *summary;   /* one line, for the list */
    const char *text;      /* paragraphs for its own help; may be empty */
    const struct option_row *options;
    size_t options_len;
    /* Gets the arguments after the name; returns the exit code. */
    int (*run)(int argc, char **argv);
};

/* Every subcommand, in the order of the help. */
const struct subcommand *subcommands(size_t *out_len);

/* NULL when there is none of this name. */
const struct subcommand *subcommand_find(const char *name);

void subcommand_help_all(FILE *out);
void subcommand_help(const struct subcommand *s, FILE *out);

/* Runs what `argv` (of main) asks for and returns the exit code. */
int subcommand_main(int argc, char **argv);

/* "onhand NAME: TEXT" on stderr, in one line. Returns `code`. */
int subcommand_refuse(const char *name, int code, const char *text);

#endif
