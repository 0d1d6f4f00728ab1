/*
 * A data directory for a server that is started for a while: a given one that is empty, or a temporary one.
 */
#ifndef APP_DATA_DIR_H
#define APP_DATA_DIR_H

#include "base/err.h"

#include <limits.h>

struct data_dir {
    char path[PATH_MAX];
    bool is_temporary; /* removed at the end */
};

/*
 * `given` NULL: a new directory under $TMPDIR or /tmp, whose name begins with onhand-`purpose`. ERR_CONFIG: the given
 * one is neither empty nor missing.
 */
MUST_CHECK enum err data_dir_open(const char *given, const char *purpose, struct data_dir *out, struct err_note *note);
void data_dir_close(struct data_dir *d);

#endif
