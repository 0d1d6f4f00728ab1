/*
 * Where the trade log of the demo is.
 */
#ifndef APP_DEMO_LOG_DIR_H
#define APP_DEMO_LOG_DIR_H

#include "base/err.h"

#include <limits.h>

/*
 * `given` NULL: the directory of the log that came with the program, found from where the program lies. ERR_CONFIG:
 * there is no trade log.
 */
MUST_CHECK enum err log_dir_find(const char *given, char out[PATH_MAX], struct err_note *note);

#endif
