/*
 * Exit codes, after sysexits.h. They are part of the interface: supervisors and scripts look at them.
 */
#ifndef APP_EXIT_H
#define APP_EXIT_H

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_DIFFERENCES = 1,  /* the audit, the demo or a benchmark found something wrong; or stopped by a second signal */
    EXIT_CANNOT_RUN = 2,   /* the audit, the demo or a benchmark could not do its work */
    EXIT_BAD_USAGE = 64,   /* unknown subcommand or option */
    EXIT_UNAVAILABLE = 69, /* address in use, no database, or the data belongs to a newer version */
    EXIT_BROKEN = 70,      /* the store failed while running: nothing unsure was acknowledged */
    EXIT_CANNOT_OPEN = 73, /* the data directory cannot be made, read or written */
    EXIT_IN_USE = 75,      /* another process has the data directory, or leads by now: start again */
    EXIT_BAD_CONFIG = 78,
};

#endif
