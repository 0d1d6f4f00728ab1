/*
 * Where the demo works: the directory of the trade log, and a data directory that is empty at first.
 */
#ifndef APP_DEMO_WORKSPACE_H
#define APP_DEMO_WORKSPACE_H

#include "base/err.h"

#include <limits.h>

struct workspace {
    char file_dir[PATH_MAX];
    char data_dir[PATH_MAX];
    bool is_temporary; /* the data directory is removed at the end */
};

/*
 * `data` NULL: a new directory under $TMPDIR or /tmp. `file` NULL: the trade log that came with the program, found from
 * where the program lies. ERR_CONFIG: the data directory is not empty, or there is no trade log.
 */
MUST_CHECK enum err workspace_open(const char *data, const char *file, struct workspace *out, struct err_note *note);
void workspace_close(struct workspace *w);

#endif
