/*
 * `onhand serve`: wires store, inventory, bus, availability, API and HTTP into one process and runs it until a signal.
 */
#ifndef APP_SERVE_H
#define APP_SERVE_H

/* Gets the arguments after the subcommand's name; returns the exit code. */
int serve_run(int argc, char **argv);

#endif
