/*
 * The servers: they wire store, inventory, bus, availability, API and HTTP into one process and run it until a signal.
 *
 * Inventory begins as a standby: its API answers, and forwards to the leader what only a leader can do, until it has claimed
 * the store. On a store without a lease that is at once.
 */
#ifndef APP_SERVE_H
#define APP_SERVE_H

/* Each gets the arguments after the subcommand's name and returns the exit code. */
int serve_run(int argc, char **argv);              /* both services */
int serve_inventory_run(int argc, char **argv);    /* inventory alone */
int serve_availability_run(int argc, char **argv); /* availability alone */

#endif
